//! Findings about credentials whose time is over soon: while every pull still works.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::api::Confidence;
use crate::evidence::Evidence;

use super::catalogue::Code;
use super::{Finding, Subject, is_served, reach};

/// What is to be said of a pull secret that is valid until a date: nothing, where that is further
/// away than `warning`. That it is over is only what its date says: no registry was asked.
pub fn of_date(
    subject: Subject<'_>,
    secret: &str,
    until: Timestamp,
    warning: Duration,
    now: Timestamp,
) -> Option<Finding> {
    let registry = subject.registry();
    let (code, message) = if until <= now {
        let message = format!(
            "the token in pull secret {secret} was valid until {until}, and pods that start now cannot pull from {registry} with it"
        );
        (Code::CredentialExpired, message)
    } else if is_within(until, warning, now) {
        let message = format!(
            "the token in pull secret {secret} is valid until {until}, and pods that start after that cannot pull from {registry} with it"
        );
        (Code::CredentialExpiring, message)
    } else {
        return None;
    };
    let remedy = subject.remedy(code, Some(secret));
    let finding = Finding::new(code, Confidence::Likely, message, remedy);
    Some(finding.of_credential(Some(format!("secret {secret}"))).into_warning())
}

/// What is to be said of the credentials that a registry took, and that are over within `warning`.
pub fn of_evidence(
    subject: Subject<'_>,
    evidence: &Evidence,
    warning: Duration,
    now: Timestamp,
) -> Vec<Finding> {
    let taken = evidence.attempts.iter().filter(|attempt| reach(attempt) > 0);
    let findings = taken.filter_map(|attempt| {
        let secret = attempt.credential.as_ref()?.pull_secret()?;
        let until: Timestamp = attempt.lifetime.as_ref()?.until.parse().ok()?;
        let finding = of_date(subject, secret, until, warning, now)?;
        let is_certain = is_served(attempt) && finding.code == Code::CredentialExpiring;
        let confidence = if is_certain { Confidence::Certain } else { finding.confidence };
        Some(Finding { confidence, ..finding })
    });
    findings.filter(|finding| finding.code == Code::CredentialExpiring).collect()
}

fn is_within(until: Timestamp, warning: Duration, now: Timestamp) -> bool {
    let left = until.duration_since(now);
    SignedDuration::try_from(warning).is_ok_and(|warning| left <= warning)
}
