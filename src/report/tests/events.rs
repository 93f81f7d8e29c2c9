//! Which Events a transition is worth, and how they are named.

use super::*;

/// The Events on the check itself.
fn of_check(report: &Report) -> Vec<&Announcement> {
    report.announcements.iter().filter(|event| event.about == About::Check).collect()
}

fn names(report: &Report) -> Vec<&str> {
    report.announcements.iter().map(|event| event.name.as_str()).collect()
}

/// The Events on the check when these causes follow each other.
#[track_caller]
fn check_said(causes: &[Code], expected: &[(EventKind, &str)]) {
    let reports = reports(causes);
    let said = reports.iter().flat_map(of_check);
    let said: Vec<_> = said.map(|event| (event.kind, event.reason.as_str())).collect();
    assert_eq!(said, expected);
}

use EventKind::{Normal, Warning};

#[test]
fn a_failure_is_said_once_and_again_when_its_cause_changes() {
    let (tag, dns) = (Code::TagNotFound, Code::DnsFailure);
    check_said(&[tag], &[(Warning, "TagNotFound")]);
    check_said(&[tag, tag, tag], &[(Warning, "TagNotFound")]);
    let expected = [(Warning, "TagNotFound"), (Warning, "DnsFailure"), (Warning, "TagNotFound")];
    check_said(&[tag, dns, tag], &expected);
}

#[test]
fn a_recovery_is_said_only_after_a_failure() {
    let (tag, pullable) = (Code::TagNotFound, Code::Pullable);
    check_said(&[pullable], &[]);
    check_said(&[pullable, pullable], &[]);
    check_said(&[tag, pullable, pullable], &[(Warning, "TagNotFound"), (Normal, "Pullable")]);
}

#[test]
fn started_pods_are_a_recovery_and_gone_pods_are_not() {
    let failing = history(&[Code::TagNotFound]);
    let recovered = idle(failing.last(), Idle::Recovered, 60);
    let [event] = of_check(&recovered).try_into().unwrap();
    assert_eq!((event.kind, event.reason.as_str()), (Normal, "Pullable"));
    assert_eq!(*event.note, condition(&recovered.status, "Ready").message);
    for why in [Idle::NoTargets, Idle::Suspended, Idle::Progressing] {
        assert!(idle(failing.last(), why, 60).announcements.is_empty(), "{why:?}");
    }
    let gone = idle(failing.last(), Idle::NoTargets, 60).status;
    assert!(idle(Some(&gone), Idle::Recovered, 120).announcements.is_empty());
    assert!(idle(None, Idle::Recovered, 0).announcements.is_empty());
}

#[test]
fn each_affected_pod_is_told_of_its_own_cause() {
    let outcomes = [
        outcome("r.test/a", 2, Code::DnsFailure),
        Outcome {
            target: Target {
                pods: pods(3).split_off(2),
                ..cause(Code::TagNotFound)[0].target.clone()
            },
            ..outcome("r.test/b", 0, Code::TagNotFound)
        },
        outcome("r.test/c", 1, Code::Pullable),
    ];
    let report = probed(None, &outcomes, 0);
    let told: Vec<_> = report
        .announcements
        .iter()
        .filter_map(|event| match &event.about {
            About::Pod(pod) => Some((pod.name.as_str(), event.reason.as_str())),
            About::Check => None,
        })
        .collect();
    let expected =
        [("api-0000", "DnsFailure"), ("api-0001", "DnsFailure"), ("api-0002", "TagNotFound")];
    assert_eq!(told, expected);
    assert_eq!(of_check(&report).len(), 1);
}

#[test]
fn pods_that_wait_are_told_of_a_recovery() {
    let failing = history(&[Code::TagNotFound]);
    let report = probed(failing.last(), &cause(Code::Pullable), 60);
    let reasons: Vec<_> = report.announcements.iter().map(|event| event.reason.as_str()).collect();
    assert_eq!(reasons, ["Pullable"; 3]);
}

#[test]
fn a_crash_between_event_and_status_names_the_same_events() {
    let failing = history(&[Code::TagNotFound]);
    for code in [Code::DnsFailure, Code::Pullable] {
        let once = probed(failing.last(), &cause(code), 60);
        let again = probed(failing.last(), &cause(code), 75);
        assert_eq!(names(&once), names(&again));
        assert!(!once.announcements.is_empty());
    }
    let once = idle(failing.last(), Idle::Recovered, 60);
    assert_eq!(names(&once), names(&idle(failing.last(), Idle::Recovered, 75)));
}

#[test]
fn no_two_transitions_have_events_of_one_name() {
    let causes =
        [Code::TagNotFound, Code::Pullable, Code::TagNotFound, Code::Pullable, Code::DnsFailure];
    let reports = reports(&causes);
    let mut seen: Vec<&str> = reports.iter().flat_map(names).collect();
    let total = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((total, seen.len()), (15, 15));
}

/// Checks share what a registry has just answered: the next failure, and its end, may rest on the
/// answer that the last one did.
#[test]
fn transitions_that_share_an_answer_have_events_of_their_own() {
    let mut previous: Option<RegistryCheckStatus> = None;
    let mut said = Vec::new();
    for round in 0..3 {
        let (now, next_probe) = (at(round * 20), Some(at(75)));
        let times = Times { now, probed: Some(at(0)), next_probe };
        let check = check_with(previous);
        let failing = report(&check, News::Outcomes(&cause(Code::TagNotFound)), &[], times);
        let ended = idle(Some(&failing.status), Idle::Recovered, round * 20 + 10);
        said.extend([&failing, &ended].into_iter().flat_map(names).map(str::to_owned));
        previous = Some(ended.status);
    }
    let total = said.len();
    said.sort_unstable();
    said.dedup();
    assert_eq!((total, said.len()), (12, 12));
}

#[test]
fn pods_of_a_lasting_failure_keep_the_names_of_their_events() {
    let failing = history(&[Code::TagNotFound]);
    let first = probed(None, &cause(Code::TagNotFound), 0);
    let second = probed(failing.last(), &cause(Code::TagNotFound), 60);
    assert_eq!(names(&first)[1..], names(&second)[..]);
}

#[test]
fn what_lasts_is_said_again_under_the_same_name() {
    let first = probed(None, &cause(Code::TagNotFound), 0);
    let check = check_with(None);
    let lasting = lasting(&check, &first.status).unwrap();
    assert_eq!(&lasting, of_check(&first)[0]);
    assert_eq!(lasting.since, at(0));
    let pullable = probed(None, &cause(Code::Pullable), 0).status;
    assert_eq!(super::lasting(&check, &pullable), None);
}

#[test]
fn the_name_of_an_event_is_a_valid_object_name() {
    let mut check = check_with(None);
    check.metadata.name = Some("r".repeat(229) + ".-" + &"r".repeat(22));
    let outcomes = cause(Code::TagNotFound);
    let times = Times { now: at(0), probed: None, next_probe: None };
    for event in report(&check, News::Outcomes(&outcomes), &[], times).announcements {
        assert!(event.name.len() <= 253, "{}", event.name);
        assert!(!event.name.contains("..") && !event.name.contains("-."), "{}", event.name);
    }
}
