//! Conditions: Ready, and the steps of a pull, with right transition times.

use jiff::Timestamp;

use crate::api::{Condition, ConditionStatus, RegistryCheck, RegistryCheckStatus};
use crate::diagnose::Progress;

use super::{Outcome, Ready};

/// The condition for a step: its type, what it reads from the progress, and how it sounds.
struct Step {
    kind: &'static str,
    passed: fn(&Progress) -> Option<bool>,
    yes: &'static str,
    no: &'static str,
}

const STEPS: [Step; 4] = [
    Step {
        kind: "Reachable",
        passed: |progress| progress.reachable,
        yes: "The registry answers.",
        no: "The registry does not answer.",
    },
    Step {
        kind: "Authenticated",
        passed: |progress| progress.authenticated,
        yes: "The registry accepts a credential, or needs none.",
        no: "The registry accepts no credential that was found.",
    },
    Step {
        kind: "Authorized",
        passed: |progress| progress.authorized,
        yes: "The image may be pulled.",
        no: "The image may not be pulled, or is hidden.",
    },
    Step {
        kind: "ImagesFound",
        passed: |progress| progress.found,
        yes: "The images are there.",
        no: "An image is not there.",
    },
];

/// All conditions. A condition keeps its transition time while its status is the same.
pub(super) fn conditions(
    check: &RegistryCheck,
    ready: &Ready,
    outcomes: &[Outcome],
    previous: &RegistryCheckStatus,
    now: Timestamp,
) -> Vec<Condition> {
    let condition = |kind: &str, status: ConditionStatus, reason: &str, message: &str| {
        let before = previous.conditions.iter().find(|before| before.kind == kind);
        Condition {
            kind: kind.to_owned(),
            status,
            reason: reason.to_owned(),
            message: message.to_owned(),
            last_transition_time: before
                .filter(|before| before.status == status)
                .map_or_else(|| whole_seconds(now), |before| before.last_transition_time),
            observed_generation: check.metadata.generation,
        }
    };
    let mut conditions = vec![condition("Ready", ready.status, &ready.reason, &ready.message)];
    for step in STEPS {
        let (status, message) = match all_passed(outcomes, step.passed) {
            Some(true) => (ConditionStatus::True, step.yes),
            Some(false) => (ConditionStatus::False, step.no),
            None => (ConditionStatus::Unknown, "Not probed."),
        };
        let reason = match status {
            ConditionStatus::True => "Passed",
            ConditionStatus::False => stopped_at(outcomes, step.passed).unwrap_or(&ready.reason),
            ConditionStatus::Unknown => "NotProbed",
        };
        conditions.push(condition(step.kind, status, reason, message));
    }
    // Only there while true, as kstatus wants it (sigs.k8s.io/cli-utils, pkg/kstatus).
    if ready.reason == "Progressing" {
        conditions.push(condition(
            "Reconciling",
            ConditionStatus::True,
            &ready.reason,
            &ready.message,
        ));
    }
    conditions
}

/// What stopped the first image that did not get past a step: another image's cause may be
/// Ready's.
fn stopped_at(outcomes: &[Outcome], passed: fn(&Progress) -> Option<bool>) -> Option<&str> {
    let failed =
        outcomes.iter().find(|outcome| passed(&outcome.diagnosis.progress) == Some(false))?;
    failed.cause().map(|cause| cause.code.as_str())
}

/// `metav1.Time` has whole seconds.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// Failed where one failed, passed where all did, open otherwise.
fn all_passed(outcomes: &[Outcome], passed: fn(&Progress) -> Option<bool>) -> Option<bool> {
    let mut each = outcomes.iter().map(|outcome| passed(&outcome.diagnosis.progress));
    if each.clone().any(|passed| passed == Some(false)) {
        return Some(false);
    }
    (!outcomes.is_empty() && each.all(|passed| passed == Some(true))).then_some(true)
}
