//! Pace: how often a check is looked at, and its status written, while more and more pods fail.
//!
//! What comes first is looked at and written at once, and what follows in its wake together, so
//! that a storm of pods costs a few looks at each check, and not one for each pod.
//! Pure: the time is an argument.

use std::time::{Duration, Instant};

use crate::report::Change;

/// The shortest time between two looks at one check.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// How many statuses are written at once before more is taken together.
const AT_ONCE: u32 = 2;
/// After how long without news a storm is over.
const CALM: Duration = Duration::from_secs(60);
/// For how long a look is put off, and how long after one status the next tells of another cause.
const PUT_OFF: Duration = Duration::from_secs(15);
/// A status waits no longer once no pod of its check has changed for so long.
const QUIET: Duration = Duration::from_secs(15);
/// For how long one that only counts otherwise waits at most.
const UNCOUNTED: Duration = Duration::from_secs(60);
/// After how many statuses a short calm of all pods is no reason to write another one.
const MANY: u32 = 4;
/// A timer is no more exact than this.
const EXACT: Duration = Duration::from_millis(50);

/// What is known of the looks at one check.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    looked_at: Option<Instant>,
    /// When the last look began that was not put off.
    began_at: Option<Instant>,
    /// When the next look is due, whoever calls before.
    due: Option<Instant>,
    /// Until when a look is put off that somebody called for.
    put_off: Option<Instant>,
    /// Whether the next look is not put off.
    is_released: bool,
    /// When a pod of the check changed last.
    heard_at: Option<Instant>,
    /// Whether none had changed for a while when the last look began.
    is_quiet: bool,
    /// How many statuses were written since the last calm.
    written: u32,
    written_at: Option<Instant>,
    /// When there was news last.
    news_at: Option<Instant>,
    /// Until when a status waits that is not written yet.
    latest: Option<Instant>,
}

impl Pace {
    /// A pod changed: a look will be called for.
    pub(super) fn hears(&mut self, now: Instant) {
        self.heard_at = Some(now);
    }

    /// No pod of any check has changed for a while, or for `long`: what waits for more is looked at
    /// now. Whether anything does.
    pub(super) fn release(&mut self, long: bool, now: Instant) -> bool {
        let is_told_little = long || self.written < MANY;
        let waits = is_told_little && (self.put_off.is_some() || self.latest.is_some());
        if waits {
            self.is_released = true;
            self.heard_at = self.heard_at.min(now.checked_sub(QUIET));
        }
        waits
    }

    /// Somebody calls for a look, or it is due: how long it has to wait, if at all. What is `asked`
    /// for by hand is not put off.
    pub(super) fn wait(&mut self, asked: bool, now: Instant) -> Option<Duration> {
        let earliest = self.looked_at.map(|at| at + BETWEEN_LOOKS);
        if let Some(earliest) = earliest.filter(|earliest| *earliest > now) {
            return Some(earliest.duration_since(now));
        }
        if !asked && !self.is_released && self.is_storm(now) {
            let until = *self.put_off.get_or_insert(now + PUT_OFF);
            let until = self.due.map_or(until, |due| until.min(due));
            if until > now + EXACT {
                return Some(until.duration_since(now));
            }
        }
        self.is_quiet = self.heard_at.is_none_or(|at| now.duration_since(at) + EXACT >= QUIET);
        self.is_released = false;
        self.began_at = Some(now);
        self.put_off = None;
        self.due = None;
        None
    }

    /// A look has ended, well or not, and the next one is due after this time. Returns after how long
    /// it is, for the sake of a status that waits. One that was due when the look began and was not
    /// written is not needed any more.
    pub(super) fn looked(
        &mut self,
        (next, is_well): (Option<Duration>, bool),
        now: Instant,
    ) -> Option<Duration> {
        let was_due =
            self.latest.zip(self.began_at).is_some_and(|(latest, at)| latest <= at + EXACT);
        if is_well && was_due {
            self.latest = None;
        }
        let waits =
            self.latest.map(|latest| latest.saturating_duration_since(now).max(BETWEEN_LOOKS));
        let next = next.into_iter().chain(waits).min();
        self.looked_at = Some(now);
        self.due = next.map(|next| now + next);
        next
    }

    /// Whether a status with this change is to be written now.
    pub(super) fn is_to_write(&mut self, change: Change, now: Instant) -> bool {
        if self.is_calm(now) {
            self.written = 0;
        }
        self.news_at = Some(now);
        let is_at_once = self.written < AT_ONCE || self.is_quiet;
        let latest = match change {
            Change::Verdict => now,
            Change::Cause | Change::Extent if is_at_once => now,
            Change::Cause => self.written_at.map_or(now, |at| at + PUT_OFF),
            Change::Extent => now + UNCOUNTED,
        };
        let latest = self.latest.map_or(latest, |known| known.min(latest));
        self.latest = Some(latest);
        latest <= now + EXACT
    }

    /// What is written is as it should be: it `was_new`, or says nothing else.
    pub(super) fn is_written(&mut self, was_new: bool, now: Instant) {
        if was_new {
            self.written += 1;
            self.written_at = Some(now);
        }
        self.latest = None;
    }

    fn is_storm(&self, now: Instant) -> bool {
        self.written >= AT_ONCE && !self.is_calm(now)
    }

    fn is_calm(&self, now: Instant) -> bool {
        self.news_at.is_none_or(|at| now.duration_since(at) >= CALM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a check of which a pod fails at each of these seconds, and at some of them for a new
    /// cause, while pods of other checks fail. Returns when its status is written, in seconds.
    fn play(fails: &[f64], causes: &[f64]) -> Vec<f64> {
        play_on(Pace::default(), Instant::now(), fails, causes)
    }

    /// The same, from this moment on, with what is known of the check.
    fn play_on(mut pace: Pace, begun: Instant, fails: &[f64], causes: &[f64]) -> Vec<f64> {
        let at = |seconds: f64| begun + Duration::from_secs_f64(seconds);
        let mut writes = Vec::new();
        let mut next: Option<Instant> = None;
        let mut unseen: Vec<f64> = Vec::new();
        let mut unwritten: Option<Change> = None;
        // All is over a second after the last one.
        let mut over = fails.last().map(|last| at(last + 1.0));
        let mut fails = fails.iter().copied().peekable();
        loop {
            let failed = fails.peek().map(|seconds| at(*seconds));
            let Some(now) = [failed, next, over].into_iter().flatten().min() else { break };
            if now > at(300.0) {
                break;
            }
            if over == Some(now) {
                over = None;
                pace.release(false, now);
            }
            if failed == Some(now) {
                unseen.extend(fails.next());
                pace.hears(now);
            }
            next = pace.wait(false, now).map(|wait| now + wait);
            if next.is_some() {
                continue;
            }
            for fail in unseen.drain(..) {
                let change = match (unwritten, causes.contains(&fail)) {
                    (None | Some(Change::Extent), false) => Change::Extent,
                    _ => Change::Cause,
                };
                unwritten = Some(change);
            }
            match unwritten {
                Some(change) if pace.is_to_write(change, now) => {
                    writes.push(now.duration_since(begun).as_secs_f64());
                    unwritten = None;
                    pace.is_written(true, now);
                }
                Some(_) => {}
                None => pace.is_written(false, now),
            }
            // A check that fails is looked at again after 10 seconds.
            let again = pace.looked((Some(Duration::from_secs(10)), true), now);
            next = again.map(|again| now + again);
        }
        writes
    }

    #[test]
    fn what_comes_first_is_written_at_once() {
        assert_eq!(play(&[0.0, 2.0], &[0.0, 2.0]), [0.0, 2.0]);
        assert_eq!(play(&[0.0, 0.1], &[0.0]), [0.0, 0.5]);
    }

    #[test]
    fn a_storm_costs_few_writes_and_ends_with_the_right_one() {
        let fails: Vec<f64> = (0..20).map(|number| f64::from(number) * 3.0).collect();
        let writes = play(&fails, &fails[..4]);
        assert!(writes.len() <= 4, "{writes:?}");
        assert_eq!(writes.last(), Some(&58.0), "a second after the last one: {writes:?}");
    }

    #[test]
    fn a_first_probe_that_was_said_to_be_under_way_costs_no_more() {
        let (now, mut pace) = (Instant::now(), Pace::default());
        assert!(pace.is_to_write(Change::Verdict, now));
        pace.is_written(true, now);
        let fails: Vec<f64> = (1..20).map(|number| f64::from(number) * 3.0).collect();
        let writes = play_on(pace, now, &fails, &fails[..4]);
        assert_eq!(writes, [3.0, 18.0, 58.0], "and the one before");
    }

    #[test]
    fn a_longer_storm_is_counted_once_a_minute() {
        let fails: Vec<f64> = (0..40).map(|number| f64::from(number) * 5.0).collect();
        let writes = play(&fails, &fails[..1]);
        assert!(writes.len() <= 7, "{writes:?}");
        assert!(writes.windows(2).all(|pair| pair[1] - pair[0] <= 75.0), "{writes:?}");
    }

    #[test]
    fn a_new_cause_waits_for_seconds_and_what_is_asked_for_does_not() {
        let fails = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 20.0];
        let writes = play(&fails, &[0.0, 1.0, 6.0]);
        assert!(writes.iter().any(|write| (6.0..=16.0).contains(write)), "{writes:?}");
        let now = Instant::now();
        let mut pace = Pace { written: AT_ONCE, news_at: Some(now), ..Pace::default() };
        assert!(pace.wait(false, now).is_some());
        assert_eq!(pace.wait(true, now), None);
    }

    #[test]
    fn when_the_storm_is_over_everywhere_nothing_waits_any_more() {
        let now = Instant::now();
        let mut pace = Pace { written: AT_ONCE, news_at: Some(now), ..Pace::default() };
        assert!(!pace.release(true, now), "nothing waits");
        pace.hears(now);
        assert!(pace.wait(false, now).is_some());
        let later = now + Duration::from_secs(1);
        let mut told = Pace { written: MANY, ..pace };
        assert!(!told.release(false, later) && told.release(true, later));
        assert!(pace.release(false, later));
        assert_eq!(pace.wait(false, later), None);
        assert!(pace.is_to_write(Change::Extent, later));
    }

    #[test]
    fn a_look_that_was_under_way_when_the_storm_ended_is_followed_by_another_one() {
        let now = Instant::now();
        let mut pace = Pace { written: AT_ONCE, news_at: Some(now), ..Pace::default() };
        pace.hears(now);
        assert!(!pace.is_to_write(Change::Extent, now));
        let later = now + Duration::from_secs(1);
        assert!(pace.release(false, later));
        pace.looked((Some(Duration::from_secs(10)), true), later);
        assert_eq!(pace.wait(false, later), Some(BETWEEN_LOOKS));
        assert_eq!(pace.wait(false, later + BETWEEN_LOOKS), None);
        assert!(pace.is_to_write(Change::Extent, later + BETWEEN_LOOKS));
    }

    #[test]
    fn a_status_that_is_not_needed_any_more_calls_for_no_look() {
        let now = Instant::now();
        let mut pace = Pace { written: AT_ONCE, news_at: Some(now), ..Pace::default() };
        pace.hears(now);
        assert_eq!(pace.wait(true, now), None);
        assert!(!pace.is_to_write(Change::Extent, now));
        assert_eq!(pace.looked((None, true), now), Some(UNCOUNTED));
        // All pods have started, and what is written says so already.
        let later = now + UNCOUNTED;
        assert_eq!(pace.wait(false, later), None);
        let mut failed = pace;
        assert_eq!(failed.looked((None, false), later), Some(BETWEEN_LOOKS), "it is needed still");
        assert_eq!(pace.looked((None, true), later), None);
    }

    #[test]
    fn after_a_calm_all_is_as_it_was() {
        let writes = play(&[0.0, 1.0, 2.0, 100.0, 101.0], &[0.0, 100.0]);
        assert_eq!(writes[writes.len() - 2..], [100.0, 101.0], "{writes:?}");
    }
}
