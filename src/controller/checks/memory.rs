//! Memory: what is known of a check between two reconciles. Losing it costs one probe.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;

use crate::api::RegistryCheck;
use crate::complaint::{self, Complaint};
use crate::diagnose::Verdict;
use crate::report::Outcome;
use crate::resolve::Versions;
use crate::target::{SecretSource, Target};

use super::super::Context;
use super::Error;
use super::pace::Pace;
use super::recall::Recalled;

/// What is remembered of one check.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(super) outcomes: HashMap<TargetKey, Outcome>,
    versions: BTreeMap<SecretSource, Versions>,
    generation: Option<i64>,
    requested_at: Option<String>,
    probed: Option<Probed>,
    /// What Events said of pods whose kubelet has forgotten why they wait.
    pub(super) recalled: Recalled,
    /// What pods were told, by their uid and the code.
    pub(super) told: HashMap<(String, String), Told>,
    /// How often it is looked at and written.
    pub(super) pace: Pace,
    /// The resource version of the status that was written last.
    pub(super) written: Option<String>,
    pub(super) said_at: Option<Timestamp>,
    pub(super) failures: u32,
}

impl Memory {
    /// Whether what is remembered is of the check's spec as it is, and nobody has asked for more.
    fn is_of(&self, check: &RegistryCheck) -> bool {
        self.generation == check.metadata.generation
            && self.requested_at.as_deref() == check.requested_at()
    }
}

/// When a check was probed last, and when it will be again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probed {
    pub(super) at: Timestamp,
    pub(super) next: Timestamp,
}

/// When a pod was told something, and in which episode.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) episode: String,
    pub(super) at: Timestamp,
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
    let memory = memory.entry(uid_of(check)).or_default();
    memory.failures = memory.failures.saturating_add(1);
    memory.failures - 1
}

/// Whether somebody asks for a probe now.
pub(super) fn is_asked_for(context: &Context, check: &RegistryCheck) -> bool {
    let memory = context.memory();
    let known = memory.get(&uid_of(check)).and_then(|memory| memory.requested_at.as_deref());
    check.requested_at() != known
}

/// Whether something is known of an image with the secrets of one source.
pub(super) fn knows(
    context: &Context,
    check: &RegistryCheck,
    image: &str,
    source: &SecretSource,
) -> bool {
    let memory = context.memory();
    let outcomes = memory.get(&uid_of(check)).map(|memory| memory.outcomes.keys());
    outcomes.into_iter().flatten().any(|(of, from, _)| of == image && from == source)
}

/// Whether a check was probed since this process began.
pub(super) fn was_probed(context: &Context, check: &RegistryCheck) -> bool {
    context.memory().get(&uid_of(check)).is_some_and(|memory| memory.probed.is_some())
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
    // A clock that was set back is no reason to wait.
    let over = memory.probed.is_none_or(|probed| now >= probed.next || now < probed.at);
    if !memory.is_of(check) || over {
        return HashMap::new();
    }
    let holds = |(_, source, _): &TargetKey| memory.versions.get(source) == versions.get(source);
    let outcomes = memory.outcomes.iter().filter(|(key, _)| holds(key));
    outcomes.map(|(key, outcome)| (key.clone(), outcome.clone())).collect()
}

/// Keeps what was found for the next reconcile. Returns when the check was probed: now, or
/// else as remembered. A probe of one target does not put off those of the others, which were
/// `kept` as they are.
pub(super) fn remember<'outcomes>(
    context: &Context,
    check: &RegistryCheck,
    found: impl Iterator<Item = &'outcomes Outcome>,
    versions: BTreeMap<SecretSource, Versions>,
    probed: Option<Probed>,
    kept: bool,
) -> Option<Probed> {
    let mut memory = context.memory();
    let memory = memory.entry(uid_of(check)).or_default();
    memory.outcomes = found.map(|outcome| (target_key(&outcome.target), bare(outcome))).collect();
    memory.versions = versions;
    memory.generation = check.metadata.generation;
    memory.requested_at = check.requested_at().map(str::to_owned);
    memory.probed = match (probed, memory.probed) {
        (Some(new), Some(old)) if kept => Some(Probed { next: new.next.min(old.next), ..new }),
        (new, old) => new.or(old),
    };
    memory.probed
}

/// An outcome without the pods, which the next look sees for itself.
fn bare(outcome: &Outcome) -> Outcome {
    let Target { image, secrets, complaint, pods: _, fresh } = &outcome.target;
    let target = Target {
        image: image.clone(),
        secrets: secrets.clone(),
        complaint: complaint.clone(),
        pods: Vec::new(),
        fresh: *fresh,
    };
    let (diagnosis, evidence) = (outcome.diagnosis.clone(), outcome.evidence.clone());
    Outcome { target, diagnosis, evidence }
}

/// Forgets Pullable results for pods: whatever the kubelet says next is about a new attempt,
/// and is looked at anew.
pub(super) fn forget_pullable(context: &Context, check: &RegistryCheck) {
    if let Some(memory) = context.memory().get_mut(&uid_of(check)) {
        memory.outcomes.retain(|(_, _, complaint), outcome| {
            complaint.is_none() || outcome.diagnosis.verdict != Verdict::Pullable
        });
    }
}

/// A pod of a check changed.
pub(crate) fn hears(context: &Context, check: &RegistryCheck) {
    context.memory().entry(uid_of(check)).or_default().pace.hears(Instant::now());
}

/// No pod has changed for a while, or for `long`: which checks wait for more of them, by their uid.
pub(crate) fn release(context: &Context, long: bool) -> HashSet<String> {
    let now = Instant::now();
    let mut memory = context.memory();
    let waiting = memory
        .iter_mut()
        .filter_map(|(uid, memory)| memory.pace.release(long, now).then(|| uid.clone()));
    waiting.collect()
}

/// How long to wait before the next look at a check, so that a storm of pods costs a few looks
/// and not one for each pod.
pub(super) fn pause(context: &Context, check: &RegistryCheck) -> Option<Duration> {
    let mut memory = context.memory();
    let memory = memory.get_mut(&uid_of(check))?;
    let is_asked = !memory.is_of(check);
    memory.pace.wait(is_asked, Instant::now())
}

/// Notes that a look at a check ended, and forgets a check that went meanwhile. Returns after how
/// long it is looked at again.
pub(super) fn looked(
    context: &Context,
    check: &RegistryCheck,
    result: &Result<Option<Duration>, Error>,
) -> Option<Duration> {
    let next = result.as_ref().ok().copied().flatten();
    let now = context.checks.get(&ObjectRef::from_obj(check));
    let is_gone = now.is_none_or(|now| now.metadata.uid != check.metadata.uid);
    let mut memory = context.memory();
    if is_gone {
        memory.remove(&uid_of(check));
    } else if let Some(memory) = memory.get_mut(&uid_of(check)) {
        if result.is_ok() {
            memory.failures = 0;
        }
        return memory.pace.looked((next, result.is_ok()), Instant::now());
    }
    next
}
