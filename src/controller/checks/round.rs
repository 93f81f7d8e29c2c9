//! Round: which answers about the images of a check hold still.
//!
//! A round begins when a probe is due, and ends when each image was asked for, in however many looks
//! the rate of its registry makes of that. What an image was answered in the round before stands in
//! until its turn comes.
//! Pure: the time is an argument.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;

use crate::api::RegistryCheck;
use crate::complaint::{self, Complaint};
use crate::diagnose::Verdict;
use crate::report::Outcome;
use crate::resolve::Versions;
use crate::target::{SecretSource, Target};

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
    probed: Option<Probed>,
    /// Whether some images wait for their turn.
    is_open: bool,
}

/// What is known of images.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// In this round: it is not asked for again.
    of_now: HashMap<TargetKey, Outcome>,
    /// In an earlier one, of what waits for its turn.
    of_before: HashMap<TargetKey, Outcome>,
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
        let Known { of_now, of_before } = &self.known;
        of_now.keys().chain(of_before.keys()).any(|(of, from, _)| of == image && from == source)
    }

    /// The answers that are of use with secrets of these versions: none of now where a probe is due.
    pub(super) fn known(
        &self,
        check: &RegistryCheck,
        versions: &BTreeMap<SecretSource, Versions>,
        now: Timestamp,
    ) -> Known {
        if !self.is_of(check) {
            return Known::default();
        }
        // A clock that was set back is no reason to wait.
        let is_due = self.probed.is_none_or(|probed| now >= probed.next || now < probed.at);
        let holds = |source: &SecretSource| self.versions.get(source) == versions.get(source);
        let of = |answers: &HashMap<TargetKey, Outcome>| -> HashMap<TargetKey, Outcome> {
            let held = answers.iter().filter(|((_, source, _), _)| holds(source));
            held.map(|(key, outcome)| (key.clone(), outcome.clone())).collect()
        };
        let Known { of_now, of_before } = &self.known;
        let mut known = Known { of_now: of(of_now), of_before: of(of_before) };
        if is_due && !self.is_open {
            known.of_before.extend(known.of_now.drain());
        }
        known
    }

    /// Keeps what a look found for the next one, and returns when the check was probed: now, or else
    /// as remembered. A probe of one target does not put off those of the others, which the look
    /// `kept` as they were.
    pub(super) fn keep(
        &mut self,
        check: &RegistryCheck,
        found: &Found,
        kept: &Known,
        versions: BTreeMap<SecretSource, Versions>,
        (probed, now): (Option<Probed>, Timestamp),
    ) -> Option<Probed> {
        let bare = |outcome: &Outcome| (target_key(&outcome.target), bare(outcome));
        let (waiting, asked): (Vec<_>, Vec<_>) =
            found.outcomes.iter().partition(|outcome| found.waits(outcome));
        let stand_in = waiting.iter().filter(|outcome| kept.before(&outcome.target).is_some());
        self.known = Known {
            of_now: asked.iter().map(|outcome| bare(outcome)).collect(),
            of_before: stand_in.map(|outcome| bare(outcome)).collect(),
        };
        self.is_open = found.is_open();
        self.versions = versions;
        self.generation = check.metadata.generation;
        self.requested_at = check.requested_at().map(str::to_owned);
        self.probed = match (probed, self.probed) {
            (Some(new), Some(old)) if !kept.of_now.is_empty() && old.next > now => {
                Some(Probed { next: new.next.min(old.next), ..new })
            }
            (new, old) => new.or(old),
        };
        self.probed
    }

    /// Forgets Pullable answers for pods: whatever the kubelet says next is about a new attempt, and
    /// is looked at anew.
    pub(super) fn forget_pullable(&mut self) {
        let Known { of_now, of_before } = &mut self.known;
        for answers in [of_now, of_before] {
            answers.retain(|(_, _, complaint), outcome| {
                complaint.is_none() || outcome.diagnosis.verdict != Verdict::Pullable
            });
        }
    }

    /// Forgets what was answered, and not when.
    pub(super) fn forget_answers(&mut self) {
        self.known = Known::default();
        self.is_open = false;
    }
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
pub(in crate::controller) mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::complaint::Complaint;
    use crate::controller::due;
    use crate::diagnose::{self, Diagnosis};
    use crate::image::Host;

    const REGISTRY: &str = "r.test";

    fn check() -> RegistryCheck {
        serde_json::from_value(json!({
            "apiVersion": "registrycheck.dev/v1alpha1",
            "kind": "RegistryCheck",
            "metadata": {"name": REGISTRY, "namespace": "shop", "uid": "u", "generation": 1},
            "spec": {"registry": REGISTRY},
        }))
        .unwrap()
    }

    fn at(seconds: u32) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + i64::from(seconds)).unwrap()
    }

    fn target(number: usize) -> Target {
        Target {
            image: format!("{REGISTRY}/shop/api:{number:05}"),
            secrets: SecretSource::Listed(Vec::new()),
            complaint: Some(Complaint::PullFailed { cause: "not found".to_owned() }),
            pods: Vec::new(),
            fresh: false,
        }
    }

    fn refused(target: &Target) -> Outcome {
        let diagnosis = diagnose::skipped("it is refused".to_owned(), String::new());
        Outcome { target: target.clone(), diagnosis, evidence: None }
    }

    fn put_off(image: &str) -> Diagnosis {
        diagnose::put_off(image, &Host::parse(REGISTRY).unwrap())
    }

    /// One that has been asked for.
    pub(in crate::controller) fn asked_for() -> Round {
        let mut played = Played::new(1);
        played.look(1);
        assert!(played.round.has_begun());
        played.round
    }

    /// Looks at so many images of one check.
    struct Played {
        round: Round,
        targets: Vec<Target>,
        seconds: u32,
        /// How often each of them was asked for.
        asked: Vec<u32>,
        /// How many had no answer at all when the last look ended.
        unanswered: usize,
    }

    impl Played {
        fn new(count: usize) -> Self {
            let targets = (0..count).map(target).collect();
            let asked = vec![0; count];
            Self { round: Round::default(), targets, seconds: 0, asked, unanswered: count }
        }

        /// A look of 3 seconds, 7 before the next one, in which at most so many can be asked for.
        fn look(&mut self, most: usize) {
            let (check, versions) = (check(), BTreeMap::new());
            let known = self.round.known(&check, &versions, at(self.seconds));
            let mut left = most;
            let mut waiting = HashSet::new();
            let mut outcomes = Vec::new();
            for (target, asked) in self.targets.iter().zip(&mut self.asked) {
                outcomes.push(known.now(target).unwrap_or_else(|| {
                    if left > 0 {
                        left -= 1;
                        *asked += 1;
                        return refused(target);
                    }
                    waiting.insert(target_key(target));
                    known.before(target).unwrap_or_else(|| {
                        let diagnosis = put_off(&target.image);
                        Outcome { diagnosis, ..refused(target) }
                    })
                }));
            }
            let (now, found) = (at(self.seconds + 3), Found { outcomes, waiting });
            self.seconds += 10;
            let probed = (left < most).then(|| {
                let (spec, outcomes) = (&check.spec, found.outcomes.as_slice());
                Probed { at: now, next: due::next_probe(spec, outcomes, now, false, 0.0) }
            });
            let is_put_off =
                |outcome: &&Outcome| outcome.diagnosis == put_off(&outcome.target.image);
            self.unanswered = found.outcomes.iter().filter(is_put_off).count();
            self.round.keep(&check, &found, &known, versions, (probed, now));
        }
    }

    #[test]
    fn each_image_is_asked_for_before_one_is_again_however_long_it_takes() {
        let mut played = Played::new(1_000);
        for _ in 0..10 {
            played.look(100);
        }
        assert!(played.asked.iter().all(|times| *times == 1), "{:?}", played.asked);
        assert_eq!(played.unanswered, 0);
        for _ in 0..30 {
            played.look(100);
            assert_eq!(played.unanswered, 0, "what was answered is not forgotten");
        }
        let (least, most) = (played.asked.iter().min(), played.asked.iter().max());
        assert!(least >= Some(&2) && most <= Some(&4), "{least:?} to {most:?}");
    }

    #[test]
    fn what_is_asked_for_holds_until_the_next_probe_is_due() {
        let mut played = Played::new(5);
        let begun = played.seconds;
        while played.asked[0] < 2 {
            assert!(played.seconds - begun <= 120, "it is never due");
            played.look(100);
        }
        let between = Duration::from_secs(u64::from(played.seconds - 10 - begun));
        assert!(between >= Duration::from_secs(75), "{between:?}");
    }

    #[test]
    fn another_spec_begins_anew_and_a_secret_that_changed_is_a_question_of_its_own() {
        let mut played = Played::new(2);
        played.look(2);
        let known = |check: &RegistryCheck, versions: &BTreeMap<SecretSource, Versions>| {
            let known = played.round.known(check, versions, at(11));
            (known.of_now.len(), known.of_before.len())
        };
        let (mut check, none) = (check(), BTreeMap::new());
        assert_eq!(known(&check, &none), (2, 0));
        let changed = BTreeMap::from([(target(0).secrets, Versions::default())]);
        assert_eq!(known(&check, &changed), (0, 0));
        check.metadata.generation = Some(2);
        assert_eq!(known(&check, &none), (0, 0));
    }
}
