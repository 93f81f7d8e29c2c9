//! Rounds of looks at many images, played.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::complaint::Complaint;
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
    probed: Option<Probed>,
}

impl Played {
    fn new(count: usize) -> Self {
        let targets = (0..count).map(target).collect();
        let asked = vec![0; count];
        let round = Round::default();
        Self { round, targets, seconds: 0, asked, unanswered: count, probed: None }
    }

    /// A look of 3 seconds, 7 before the next one, in which at most so many can be asked for.
    fn look(&mut self, most: usize) {
        let (check, versions) = (check(), BTreeMap::new());
        let known = self.round.known(&check, &versions, at(self.seconds));
        let open = known.in_turn(self.targets.iter().filter(|target| known.lacks(target)));
        let open: HashSet<TargetKey> = open.into_iter().take(most).map(target_key).collect();
        for (target, asked) in self.targets.iter().zip(&mut self.asked) {
            *asked += u32::from(open.contains(&target_key(target)));
        }
        let mut waiting = HashSet::new();
        let mut outcomes = Vec::new();
        for target in &self.targets {
            outcomes.push(known.now(target).unwrap_or_else(|| {
                if open.contains(&target_key(target)) {
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
        let is_put_off = |outcome: &&Outcome| outcome.diagnosis == put_off(&outcome.target.image);
        self.unanswered = found.outcomes.iter().filter(is_put_off).count();
        self.probed = self.round.keep(&check, &found, &known, versions, (now, 0.0));
    }

    /// More images, whose names come before all others.
    fn more(&mut self, count: usize) {
        let begun = self.targets.len();
        let more = (begun..begun + count).map(|number| Target {
            image: format!("{REGISTRY}/ci/api:{number:05}"),
            ..target(number)
        });
        self.targets.extend(more);
        self.asked.extend(vec![0; count]);
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
fn who_comes_later_does_not_keep_the_others_from_being_asked_again() {
    let mut played = Played::new(50);
    for look in 0..100 {
        played.look(10);
        if look < 80 {
            played.more(11);
        }
    }
    let first: Vec<u32> = played.asked[..50].to_vec();
    assert!(first.iter().all(|times| *times >= 2), "{first:?}");
    let later = &played.asked[50..600];
    assert!(later.iter().all(|times| *times >= 1), "{later:?}");
}

#[test]
fn the_last_look_of_a_round_says_when_the_next_one_is_due() {
    let mut played = Played::new(30);
    for _ in 0..3 {
        played.look(10);
    }
    assert_eq!(played.probed.map(|probed| probed.next), Some(at(23 + 75)));
    // The pods of what waits go, and nothing is asked for.
    let mut played = Played::new(30);
    played.look(10);
    played.targets.truncate(10);
    played.look(10);
    let (asked, next) = (at(3), at(3 + 75));
    assert_eq!(played.probed, Some(Probed { at: asked, next }));
}

#[test]
fn what_is_asked_for_by_hand_is_answered_anew_in_each_look() {
    let mut played = Played::new(2);
    played.look(1);
    let (mut check, versions) = (check(), BTreeMap::new());
    assert_eq!(played.round.renewed(at(5)), None);
    check.metadata.annotations =
        Some(BTreeMap::from([(crate::api::REQUESTED_AT.to_owned(), "now".to_owned())]));
    let known = played.round.known(&check, &versions, at(20));
    assert!(known.lacks(&target(0)) && known.before(&target(0)).is_none());
    let found = Found { outcomes: vec![refused(&target(0))], waiting: HashSet::new() };
    played.round.keep(&check, &found, &known, versions, (at(30), 0.0));
    assert_eq!(played.round.renewed(at(35)), Some(Duration::from_secs(5)));
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
