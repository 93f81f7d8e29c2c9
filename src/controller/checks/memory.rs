//! Memory: what is known of a check between two reconciles. Losing it costs one probe.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;

use crate::api::RegistryCheck;
use crate::resolve::Versions;
use crate::target::SecretSource;

use super::super::{Context, clock};
use super::Error;
use super::pace::Pace;
use super::recall::Recalled;
use super::round::{Found, Known, Probed, Round};

/// What is remembered of one check.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(super) round: Round,
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
    /// This process leads again, and others may have led meanwhile: what was said was said, but an
    /// answer may be older than theirs.
    pub(crate) fn lead_again(&mut self) {
        let Self { told, said_at, .. } = std::mem::take(self);
        *self = Self { told, said_at, ..Self::default() };
    }
}

/// When a pod was told something, and in which episode.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) episode: String,
    pub(super) at: Timestamp,
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
    let known = memory.get(&uid_of(check)).and_then(|memory| memory.round.requested_at());
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
    memory.get(&uid_of(check)).is_some_and(|memory| memory.round.knows(image, source))
}

/// How long ago somebody asked for a probe by hand.
pub(super) fn renewed(context: &Context, check: &RegistryCheck) -> Option<Duration> {
    let memory = context.memory();
    memory.get(&uid_of(check)).and_then(|memory| memory.round.renewed(clock::now()))
}

/// What is known and of use with secrets of these versions.
pub(super) fn remembered(
    context: &Context,
    check: &RegistryCheck,
    versions: &BTreeMap<SecretSource, Versions>,
) -> Known {
    let memory = context.memory();
    let round = memory.get(&uid_of(check)).map(|memory| &memory.round);
    round.map(|round| round.known(check, versions, clock::now())).unwrap_or_default()
}

/// Keeps what was found for the next look. Returns when the check was probed.
pub(super) fn remember(
    context: &Context,
    check: &RegistryCheck,
    found: &Found,
    known: &Known,
    versions: BTreeMap<SecretSource, Versions>,
) -> Option<Probed> {
    let mut memory = context.memory();
    let round = &mut memory.entry(uid_of(check)).or_default().round;
    round.keep(check, found, known, versions, (clock::now(), clock::chance()))
}

/// Forgets Pullable answers for pods.
pub(super) fn forget_pullable(context: &Context, check: &RegistryCheck) {
    if let Some(memory) = context.memory().get_mut(&uid_of(check)) {
        memory.round.forget_pullable();
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
    let is_asked = !memory.round.is_of(check);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leads_again_knows_what_was_said_and_no_old_answer() {
        let (now, key) = (Timestamp::UNIX_EPOCH, ("uid-0".to_owned(), "TagNotFound".to_owned()));
        let told = HashMap::from([(key, Told { episode: "bc94a493".to_owned(), at: now })]);
        let written = Some("7".to_owned());
        let said_at = Some(now);
        let mut memory = Memory { told, written, said_at, failures: 3, ..Memory::default() };
        memory.round = crate::controller::checks::round::tests::asked_for();
        memory.lead_again();
        assert!(!memory.round.has_begun() && memory.written.is_none());
        assert_eq!((memory.told.len(), memory.said_at), (1, Some(now)));
    }
}
