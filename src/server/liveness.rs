//! Liveness: whether a restart would help.
//!
//! The API server says something on each watch about once a minute, if only a bookmark, and the
//! client gives a watch up after five; each step of a reconcile has a timeout. So ten minutes
//! without a sign are an error of this process, and of nothing that it talks to: an API server
//! that is gone fails each attempt, which is a sign, and a registry that is slow is timed out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// After how long without a sign this process is not alive.
const LONGEST_SILENCE: Duration = Duration::from_secs(10 * 60);

/// The signs of life of this process.
#[derive(Clone, Debug, Default)]
pub struct Liveness(Arc<Mutex<Signs>>);

#[derive(Debug, Default)]
struct Signs {
    /// When each watch was heard last.
    watches: BTreeMap<&'static str, Instant>,
    /// When each piece of work got on last; `None` while it waits for its turn.
    work: BTreeMap<u64, Option<Instant>>,
    /// The number of the next piece of work.
    next: u64,
}

/// A piece of work that is to get on, until it is dropped.
#[derive(Debug)]
pub struct Work {
    liveness: Liveness,
    number: u64,
}

impl Liveness {
    fn signs(&self) -> MutexGuard<'_, Signs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The watch of this kind is expected to say something, and did now.
    pub fn hears(&self, kind: &'static str) {
        self.signs().watches.insert(kind, Instant::now());
    }

    /// No watch is expected to say anything any more.
    pub fn stops_watching(&self) {
        self.signs().watches.clear();
    }

    /// A piece of work begins.
    pub fn work(&self) -> Work {
        let mut signs = self.signs();
        let number = signs.next;
        signs.next += 1;
        signs.work.insert(number, Some(Instant::now()));
        Work { liveness: self.clone(), number }
    }

    /// What is wrong with this process; `None` where nothing is.
    pub(super) fn trouble(&self) -> Option<String> {
        let now = Instant::now();
        let is_silent = |at: Instant| now.saturating_duration_since(at) > LONGEST_SILENCE;
        let signs = self.signs();
        if let Some((kind, _)) = signs.watches.iter().find(|(_, at)| is_silent(**at)) {
            return Some(format!("the watch of {kind} is dead"));
        }
        let stuck = signs.work.values().flatten().filter(|at| is_silent(**at)).count();
        (stuck > 0).then(|| format!("{stuck} reconciles do not get on"))
    }
}

impl Work {
    /// It gets on.
    pub fn gets_on(&self) {
        self.liveness.signs().work.insert(self.number, Some(Instant::now()));
    }

    /// It waits for its turn, which may take as long as it takes.
    pub fn waits(&self) {
        self.liveness.signs().work.insert(self.number, None);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.liveness.signs().work.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_dead_watch_and_stuck_work_are_told_and_waiting_is_not() {
        let liveness = Liveness::default();
        let pass = async |minutes: u64| tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
        assert_eq!(liveness.trouble(), None, "whoever watches nothing misses nothing");
        liveness.hears("Pod");
        liveness.hears("RegistryCheck");
        pass(9).await;
        liveness.hears("Pod");
        pass(2).await;
        assert_eq!(liveness.trouble().unwrap(), "the watch of RegistryCheck is dead");
        liveness.hears("RegistryCheck");
        assert_eq!(liveness.trouble(), None);
        liveness.stops_watching();
        let (stuck, waiting, ended) = (liveness.work(), liveness.work(), liveness.work());
        waiting.waits();
        drop(ended);
        pass(9).await;
        stuck.gets_on();
        pass(9).await;
        assert_eq!(liveness.trouble(), None);
        pass(2).await;
        assert_eq!(liveness.trouble().unwrap(), "1 reconciles do not get on");
        drop(stuck);
        assert_eq!(liveness.trouble(), None);
        waiting.gets_on();
        pass(11).await;
        assert!(liveness.trouble().is_some());
    }
}
