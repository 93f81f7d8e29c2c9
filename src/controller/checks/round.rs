//! Round: which answers about the images of a check hold still.
//!
//! A round begins when a probe is due, and ends when each image that waited then was asked for, in
//! however many looks the rate of its registry makes of that. Who waits longest is the next, and what
//! was answered in the round before stands in until then.
//! Pure: time and chance are arguments.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::api::{ConditionStatus, RegistryCheck, RegistryCheckStatus};
use crate::complaint::{self, Complaint};
use crate::diagnose::Verdict;
use crate::report::Outcome;
use crate::resolve::Versions;
use crate::target::{SecretSource, Target};

use super::super::{clock, due};

/// What makes a target the same target.
pub(super) type TargetKey = (String, SecretSource, Option<Complaint>);

pub(super) fn target_key(target: &Target) -> TargetKey {
    let gist = target.complaint.as_ref().map(complaint::gist);
    (target.image.clone(), target.secrets.clone(), gist)
}

/// When a check was probed last, and when it will be again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probed {
    pub(super) at: Timestamp,
    pub(super) next: Timestamp,
}

/// The answers about a check's images, and what they rest on.
#[derive(Debug, Default)]
pub(super) struct Round {
    known: Known,
    versions: BTreeMap<SecretSource, Versions>,
    generation: Option<i64>,
    requested_at: Option<String>,
    /// When the first look ended that somebody asked for by hand.
    renewed_at: Option<Timestamp>,
    probed: Option<Probed>,
    /// When its first look ended.
    begun_at: Option<Timestamp>,
}

/// What is known of images.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Answers of this round: they are not asked for again.
    of_now: HashMap<TargetKey, Outcome>,
    /// Answers of an earlier one, of what waits for its turn.
    of_before: HashMap<TargetKey, Outcome>,
    /// Since when what waits does.
    waiting: HashMap<TargetKey, Timestamp>,
    /// Whether a round begins with the look that this is for.
    begins: bool,
}

impl Known {
    /// What still holds of a target.
    pub(super) fn now(&self, target: &Target) -> Option<Outcome> {
        Self::of(&self.of_now, target)
    }

    /// What stands in for it.
    pub(super) fn before(&self, target: &Target) -> Option<Outcome> {
        Self::of(&self.of_before, target)
    }

    fn of(answers: &HashMap<TargetKey, Outcome>, target: &Target) -> Option<Outcome> {
        let known = answers.get(&target_key(target))?;
        Some(Outcome { target: target.clone(), ..known.clone() })
    }

    /// Targets in their turn: what waits comes first, the longest before the others.
    pub(super) fn in_turn<'target>(
        &self,
        targets: impl Iterator<Item = &'target Target>,
    ) -> Vec<&'target Target> {
        let mut targets: Vec<&Target> = targets.collect();
        targets.sort_by_cached_key(|target| {
            let since = self.waiting.get(&target_key(target)).copied();
            (since.is_none(), since)
        });
        targets
    }

    /// Whether a target is to be asked for.
    pub(super) fn lacks(&self, target: &Target) -> bool {
        !self.of_now.contains_key(&target_key(target))
    }
}

/// What one look finds.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) outcomes: Vec<Outcome>,
    /// Those of its targets that wait for their turn.
    pub(super) waiting: HashSet<TargetKey>,
}

impl Found {
    pub(super) fn waits(&self, outcome: &Outcome) -> bool {
        self.waiting.contains(&target_key(&outcome.target))
    }

    /// Whether any of them does.
    pub(super) fn is_open(&self) -> bool {
        self.outcomes.iter().any(|outcome| self.waits(outcome))
    }

    /// Whether another process, or this one before it led again, knew more, and wrote it: images of
    /// the spec wait of which nothing is known here, and no pod does.
    pub(super) fn is_less_than_was_known(
        &self,
        known: &Known,
        written: &RegistryCheckStatus,
    ) -> bool {
        let is_unknown =
            |outcome: &Outcome| self.waits(outcome) && known.before(&outcome.target).is_none();
        let was_known =
            written.ready().is_some_and(|ready| ready.status != ConditionStatus::Unknown);
        was_known
            && self.outcomes.iter().any(is_unknown)
            && self.outcomes.iter().all(|outcome| outcome.target.pods.is_empty())
    }
}

impl Round {
    /// Whether it is of the check's spec as it is, and nobody has asked for more.
    pub(super) fn is_of(&self, check: &RegistryCheck) -> bool {
        self.generation == check.metadata.generation
            && self.requested_at.as_deref() == check.requested_at()
    }

    /// The annotation that asked for it.
    pub(super) fn requested_at(&self) -> Option<&str> {
        self.requested_at.as_deref()
    }

    /// Whether there was one before.
    pub(super) fn has_begun(&self) -> bool {
        self.probed.is_some()
    }

    /// Whether something is known of an image with the secrets of one source.
    pub(super) fn knows(&self, image: &str, source: &SecretSource) -> bool {
        let Known { of_now, of_before, .. } = &self.known;
        of_now.keys().chain(of_before.keys()).any(|(of, from, _)| of == image && from == source)
    }

    /// How long ago somebody asked by hand: no answer that is older counts.
    pub(super) fn renewed(&self, now: Timestamp) -> Option<Duration> {
        self.renewed_at.map(|at| clock::between(at, now))
    }

    /// What is known and of use with secrets of these versions: no answers of now where a probe is due.
    pub(super) fn known(
        &self,
        check: &RegistryCheck,
        versions: &BTreeMap<SecretSource, Versions>,
        now: Timestamp,
    ) -> Known {
        let waiting = self.known.waiting.clone();
        if !self.is_of(check) {
            return Known { waiting, begins: true, ..Known::default() };
        }
        // A clock that was set back is no reason to wait.
        let is_due = self.probed.is_none_or(|probed| now >= probed.next || now < probed.at);
        let holds = |source: &SecretSource| self.versions.get(source) == versions.get(source);
        let of = |answers: &HashMap<TargetKey, Outcome>| -> HashMap<TargetKey, Outcome> {
            let held = answers.iter().filter(|((_, source, _), _)| holds(source));
            held.map(|(key, outcome)| (key.clone(), outcome.clone())).collect()
        };
        let (of_now, of_before) = (of(&self.known.of_now), of(&self.known.of_before));
        let begins = is_due && !self.is_open();
        let mut known = Known { of_now, of_before, waiting, begins };
        if begins {
            known.of_before.extend(known.of_now.drain());
        }
        known
    }

    /// Whether what waited when it began still does. Who came later is no reason to ask nobody again.
    fn is_open(&self) -> bool {
        let begun = self.begun_at;
        self.known.waiting.values().any(|since| begun.is_some_and(|begun| *since <= begun))
    }

    /// Keeps what a look found for the next one, which went by what was `known`, and returns when the
    /// check was probed. A probe of one target does not put off those of the others.
    pub(super) fn keep(
        &mut self,
        check: &RegistryCheck,
        found: &Found,
        known: &Known,
        versions: BTreeMap<SecretSource, Versions>,
        (now, chance): (Timestamp, f64),
    ) -> Option<Probed> {
        let was_open = self.is_open();
        let bare = |outcome: &Outcome| (target_key(&outcome.target), bare(outcome));
        let (waiting, asked): (Vec<_>, Vec<_>) =
            found.outcomes.iter().partition(|outcome| found.waits(outcome));
        let stand_in = waiting.iter().filter(|outcome| known.before(&outcome.target).is_some());
        let since = |key: TargetKey| {
            let since = known.waiting.get(&key).copied().unwrap_or(now);
            (key, since)
        };
        self.known = Known {
            of_now: asked.iter().map(|outcome| bare(outcome)).collect(),
            of_before: stand_in.map(|outcome| bare(outcome)).collect(),
            waiting: waiting.iter().map(|outcome| since(target_key(&outcome.target))).collect(),
            begins: false,
        };
        if known.begins {
            self.begun_at = Some(now);
        }
        if self.requested_at.as_deref() != check.requested_at() {
            self.renewed_at = Some(now);
        }
        self.versions = versions;
        self.generation = check.metadata.generation;
        self.requested_at = check.requested_at().map(str::to_owned);
        let new: Vec<&Outcome> =
            asked.iter().copied().filter(|outcome| known.lacks(&outcome.target)).collect();
        let closes = was_open && !self.is_open();
        if !new.is_empty() {
            let at = asked_at(&new, now);
            let next = due::next_probe(&check.spec, &asked, at, !self.has_begun(), chance);
            let of_others = self.probed.filter(|_| !closes && !known.of_now.is_empty());
            let earlier = of_others.map(|probed| probed.next).filter(|earlier| *earlier > now);
            self.probed =
                Some(Probed { at, next: earlier.map_or(next, |earlier| earlier.min(next)) });
        }
        self.probed
    }

    /// Forgets Pullable answers for pods: whatever the kubelet says next is about a new attempt, and
    /// is looked at anew.
    pub(super) fn forget_pullable(&mut self) {
        let Known { of_now, of_before, .. } = &mut self.known;
        for answers in [of_now, of_before] {
            answers.retain(|(_, _, complaint), outcome| {
                complaint.is_none() || outcome.diagnosis.verdict != Verdict::Pullable
            });
        }
    }

    /// Forgets what was answered, and not when.
    pub(super) fn forget_answers(&mut self) {
        self.known = Known::default();
    }
}

/// Since when the oldest of the answers is known, which another check may have asked for.
fn asked_at(new: &[&Outcome], now: Timestamp) -> Timestamp {
    let answers = new.iter().filter_map(|outcome| outcome.evidence.as_ref()?.at.as_deref());
    answers.filter_map(|at| at.parse().ok()).fold(now, Timestamp::min)
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

#[cfg(test)]
pub(in crate::controller) mod tests;
