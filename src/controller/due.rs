//! When to probe: whether one is due, and when the next one will be.
//!
//! Pure: time and chance are arguments.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::api::RegistryCheckSpec;
use crate::diagnose::Verdict;
use crate::diagnose::catalogue::Code;
use crate::report::Outcome;

/// How soon a registry is asked again while a pull fails, if its interval is longer: not within the
/// minute in which many pods fail for one cause.
const WHILE_FAILING: Duration = Duration::from_secs(75);
/// How soon the secrets of a failing pull are looked at again.
pub(crate) const LOOK_AT_SECRETS: Duration = Duration::from_secs(10);
/// How much of the interval passes at least before a second probe that is brought forward.
const SOONEST: f64 = 0.05;
/// The longest time that one probe may take, whatever the spec says.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest `Retry-After` that is believed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(6 * 60 * 60);

/// The interval of a check; the API server has made sure that it can be read.
pub(crate) fn interval(spec: &RegistryCheckSpec) -> Duration {
    duration(&spec.interval).unwrap_or(Duration::from_secs(600))
}

/// The timeout of a check.
pub(crate) fn timeout(spec: &RegistryCheckSpec) -> Duration {
    duration(&spec.timeout).unwrap_or(Duration::from_secs(20)).min(LONGEST_TIMEOUT)
}

/// Reads `1h30m`, `10m`, `20s`.
pub fn duration(text: &str) -> Option<Duration> {
    let mut seconds = 0_u64;
    let mut number = String::new();
    for character in text.chars() {
        if character.is_ascii_digit() {
            number.push(character);
            continue;
        }
        let factor = match character {
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        number.clear();
    }
    (number.is_empty() && seconds > 0).then_some(Duration::from_secs(seconds))
}

/// When to probe next: at the interval; sooner while something fails that can heal by
/// itself; not before a limited registry says so. A refused credential is not sent again
/// before the interval, since registries lock accounts out: one image that costs so much
/// slows down all of its check. `chance` in `[0, 1)` spreads the probes of many checks over
/// a tenth of the time. What is due after the first one since the controller began is brought
/// forward by chance, where no pod waits and asking costs nothing: many checks that were all looked
/// at when it began are spread over their interval from then on.
pub(crate) fn next_probe(
    spec: &RegistryCheckSpec,
    outcomes: &[&Outcome],
    now: Timestamp,
    is_first: bool,
    chance: f64,
) -> Timestamp {
    let interval = interval(spec);
    let failing = outcomes.iter().filter(|outcome| outcome.diagnosis.verdict != Verdict::Pullable);
    let waits = failing.map(|outcome| {
        let mut codes = outcome.diagnosis.findings.iter().map(|finding| finding.code);
        let soonest = if codes.any(costs) { interval } else { WHILE_FAILING.min(interval) };
        retry_after(outcome).map_or(soonest, |after| soonest.max(after))
    });
    let wait = waits.max().unwrap_or(interval);
    let spread = if is_first && outcomes.iter().copied().all(costs_nothing) {
        wait.mul_f64(chance.max(SOONEST))
    } else {
        wait.mul_f64(1.0 + chance / 10.0)
    };
    SignedDuration::try_from(spread)
        .ok()
        .and_then(|spread| now.checked_add(spread).ok())
        .unwrap_or(now)
}

fn costs_nothing(outcome: &Outcome) -> bool {
    let is_costly = outcome.diagnosis.findings.iter().any(|finding| costs(finding.code));
    outcome.target.complaint.is_none() && !is_costly && retry_after(outcome).is_none()
}

/// Whether asking again costs something: a lock-out, or what is left of a limit.
fn costs(code: Code) -> bool {
    matches!(code, Code::CredentialRejected | Code::StaleCredential | Code::RateLimited)
}

fn retry_after(outcome: &Outcome) -> Option<Duration> {
    use crate::evidence::End;
    let evidence = outcome.evidence.as_ref()?;
    let attempts = evidence.attempts.iter().chain(&evidence.anonymous).chain([&evidence.opening]);
    let waits = attempts.filter_map(|attempt| match &attempt.end {
        End::Answered { answer, .. } => answer.retry_after,
        End::Served { .. }
        | End::Challenged { .. }
        | End::Unreachable { .. }
        | End::NotSent { .. }
        | End::Unfit { .. } => None,
    });
    waits.max().map(|seconds| Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_checks_spread_over_their_interval() {
        let spec = serde_json::from_value(serde_json::json!({"registry": "r.test"})).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let after = |is_first, chance| {
            let next = next_probe(&spec, &[], now, is_first, chance);
            next.as_second()
        };
        assert_eq!([after(true, 0.0), after(true, 0.5), after(true, 0.9)], [30, 300, 540]);
        assert_eq!([after(false, 0.0), after(false, 0.5)], [600, 630]);
    }

    #[test]
    fn durations_as_the_resource_has_them() {
        for (text, seconds) in [("30s", 30), ("10m", 600), ("1h30m", 5_400), ("2h0m5s", 7_205)] {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "1d", "10", "m", "-1s", "1.5s", "0s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
