//! Memory: what is known of a check between two reconciles. Losing it costs one probe.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;

use crate::api::RegistryCheck;
use crate::complaint::{self, Complaint};
use crate::report::Outcome;
use crate::resolve::Versions;
use crate::target::{SecretSource, Target};

use super::super::Context;

/// What is remembered of one check.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(super) outcomes: HashMap<TargetKey, Outcome>,
    versions: BTreeMap<SecretSource, Versions>,
    generation: Option<i64>,
    requested_at: Option<String>,
    probed: Option<Probed>,
    /// The pods that were told of an episode.
    pub(super) told: HashMap<String, HashSet<String>>,
    pub(super) said_at: Option<Timestamp>,
    pub(super) failures: u32,
}

/// When a check was probed last, and when it will be again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probed {
    pub(super) at: Timestamp,
    pub(super) next: Timestamp,
}

/// What makes a target the same target.
pub(super) type TargetKey = (String, SecretSource, Option<Complaint>);

pub(super) fn target_key(target: &Target) -> TargetKey {
    let gist = target.complaint.as_ref().map(complaint::gist);
    (target.image.clone(), target.secrets.clone(), gist)
}

/// The key under which a check is remembered.
pub(super) fn uid_of(check: &RegistryCheck) -> String {
    check.metadata.uid.clone().unwrap_or_default()
}

/// Counts a failed reconcile of a check, and returns how many failed before it in a row.
pub(crate) fn count_failure(context: &Context, check: &RegistryCheck) -> u32 {
    let mut memory = context.memory();
    let Some(memory) = memory.get_mut(&uid_of(check)) else { return 0 };
    memory.failures = memory.failures.saturating_add(1);
    memory.failures - 1
}

/// The outcomes that still hold: none where a probe is due.
pub(super) fn remembered(
    context: &Context,
    check: &RegistryCheck,
    versions: &BTreeMap<SecretSource, Versions>,
    now: Timestamp,
) -> HashMap<TargetKey, Outcome> {
    let memory = context.memory();
    let Some(memory) = memory.get(&uid_of(check)) else { return HashMap::new() };
    let asked_for = check.requested_at() != memory.requested_at.as_deref();
    let respecified = check.metadata.generation != memory.generation;
    let over = memory.probed.is_none_or(|probed| now >= probed.next);
    if asked_for || respecified || over {
        return HashMap::new();
    }
    let holds = |(_, source, _): &TargetKey| memory.versions.get(source) == versions.get(source);
    let outcomes = memory.outcomes.iter().filter(|(key, _)| holds(key));
    outcomes.map(|(key, outcome)| (key.clone(), outcome.clone())).collect()
}

/// Keeps what was found for the next reconcile. Returns when the check was probed: now, or
/// else as remembered.
pub(super) fn remember(
    context: &Context,
    check: &RegistryCheck,
    outcomes: &[Outcome],
    versions: BTreeMap<SecretSource, Versions>,
    probed: Option<Probed>,
) -> Option<Probed> {
    let mut memory = context.memory();
    let memory = memory.entry(uid_of(check)).or_default();
    memory.outcomes =
        outcomes.iter().map(|outcome| (target_key(&outcome.target), outcome.clone())).collect();
    memory.versions = versions;
    memory.generation = check.metadata.generation;
    memory.requested_at = check.requested_at().map(str::to_owned);
    memory.probed = probed.or(memory.probed);
    memory.probed
}
