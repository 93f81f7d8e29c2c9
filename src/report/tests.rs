use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::api::{Condition, Confidence, REQUESTED_AT, Severity};
use crate::diagnose::{Progress, catalogue::Code};
use crate::target::{PodRef, SecretSource};

mod endings;
mod events;
mod quiet;
mod limits;
mod round_trip;
mod walks;
mod words;

/// The check of `r.test` in the namespace shop, with this status.
fn check_with(status: Option<RegistryCheckStatus>) -> RegistryCheck {
    let check = json!({
        "apiVersion": "registrycheck.dev/v1alpha1",
        "kind": "RegistryCheck",
        "metadata": {"name": "r.test", "namespace": "shop", "uid": "check-uid", "generation": 3},
        "spec": {"registry": "r.test"},
    });
    let check: RegistryCheck = serde_json::from_value(check).unwrap();
    RegistryCheck { status, ..check }
}

/// So many seconds after the beginning.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn pods(n: usize) -> Vec<PodRef> {
    (0..n)
        .map(|n| PodRef {
            name: format!("api-{n:04}"),
            uid: format!("uid-{n}"),
            workload: format!("replicaset/api-{}", n % 4),
            node: String::new(),
        })
        .collect()
}

fn finding(code: Code) -> Finding {
    let row = code.row();
    Finding {
        code,
        severity: row.severity,
        confidence: Confidence::Certain,
        owner: row.owner,
        message: format!("r.test says {}", code.as_str().to_lowercase()),
        remedy: "Mend it: kubectl mend.".to_owned(),
        credential: None,
        hop: None,
    }
}

/// What the code of a cause says of the verdict and of the steps.
fn outcome(image: &str, n_pods: usize, code: Code) -> Outcome {
    let step = |passed| Some(passed);
    let (verdict, progress) = match code.as_str() {
        "Pullable" => (Verdict::Pullable, [step(true); 4]),
        "Inconclusive" => (Verdict::Undecided, [step(true), None, None, None]),
        "TagNotFound" => (Verdict::NotPullable, [step(true), step(true), step(true), step(false)]),
        "CredentialRejected" => (Verdict::NotPullable, [step(true), step(false), None, None]),
        _ => (Verdict::NotPullable, [None; 4]),
    };
    let [reachable, authenticated, authorized, found] = progress;
    Outcome {
        target: Target {
            image: image.to_owned(),
            secrets: SecretSource::Listed(vec!["regcred".to_owned()]),
            complaint: None,
            pods: pods(n_pods),
            fresh: false,
        },
        diagnosis: Diagnosis {
            verdict,
            findings: vec![finding(code)],
            progress: Progress { reachable, authenticated, authorized, found },
        },
        evidence: None,
    }
}

/// One image with two pods, and this cause.
fn cause(code: Code) -> Vec<Outcome> {
    vec![outcome("r.test/api:1", 2, code)]
}

/// The report of a probe at that second, over this status.
fn probed(previous: Option<&RegistryCheckStatus>, outcomes: &[Outcome], seconds: i64) -> Report {
    let now = at(seconds);
    let times = Times { now, probed: Some(now), next_probe: Some(at(seconds + 60)) };
    report(&check_with(previous.cloned()), News::Outcomes(outcomes), &[], times)
}

/// The same without a probe, for another reason.
fn idle(previous: Option<&RegistryCheckStatus>, idle: Idle, seconds: i64) -> Report {
    let times = Times { now: at(seconds), probed: None, next_probe: None };
    report(&check_with(previous.cloned()), News::Idle(idle), &[], times)
}

/// The reports of one probe after the other, a minute apart.
fn reports(causes: &[Code]) -> Vec<Report> {
    let mut reports: Vec<Report> = Vec::new();
    for (code, seconds) in causes.iter().zip((0..).step_by(60)) {
        let previous = reports.last().map(|report| &report.status);
        reports.push(probed(previous, &cause(*code), seconds));
    }
    reports
}

/// Their statuses.
fn history(causes: &[Code]) -> Vec<RegistryCheckStatus> {
    reports(causes).into_iter().map(|report| report.status).collect()
}

#[track_caller]
fn condition<'status>(status: &'status RegistryCheckStatus, kind: &str) -> &'status Condition {
    status.conditions.iter().find(|condition| condition.kind == kind).unwrap()
}

/// What Ready says of these outcomes: its status and its reason.
#[track_caller]
fn check(outcomes: &[Outcome], status: ConditionStatus, reason: &str) {
    let report = probed(None, outcomes, 0);
    let ready = condition(&report.status, "Ready");
    assert_eq!((ready.status, ready.reason.as_str()), (status, reason));
}

/// The status of each step's condition.
#[track_caller]
fn check_steps(status: &RegistryCheckStatus, expected: [ConditionStatus; 4]) {
    let steps = ["Reachable", "Authenticated", "Authorized", "ImagesFound"];
    let found = steps.map(|kind| condition(status, kind).status);
    assert_eq!(found, expected);
}

use ConditionStatus::{False, True, Unknown};

#[test]
fn ready_says_what_the_outcomes_say() {
    check(&cause(Code::Pullable), True, "Pullable");
    check(&cause(Code::TagNotFound), False, "TagNotFound");
    let one_of_two =
        [outcome("r.test/a", 0, Code::Pullable), outcome("r.test/b", 1, Code::DnsFailure)];
    check(&one_of_two, False, "DnsFailure");
}

#[test]
fn what_is_undecided_is_false_only_on_the_kubelets_word() {
    check(&cause(Code::Inconclusive), False, "Inconclusive");
    check(&[outcome("r.test/a", 0, Code::Inconclusive)], Unknown, "Inconclusive");
}

#[test]
fn a_cause_with_pods_ranks_before_one_without() {
    let outcomes = [
        outcome("r.test/a", 0, Code::InvalidImageReference),
        outcome("r.test/b", 1, Code::TagNotFound),
    ];
    check(&outcomes, False, "TagNotFound");
}

#[test]
fn what_is_idle_says_why() {
    let failing = history(&[Code::TagNotFound]);
    let table = [
        (Idle::Suspended, Unknown, "Suspended"),
        (Idle::NoTargets, Unknown, "NoTargets"),
        (Idle::Progressing, Unknown, "Progressing"),
        (Idle::Recovered, True, "Pullable"),
    ];
    for (why, status, reason) in table {
        let report = idle(failing.last(), why, 60);
        let ready = condition(&report.status, "Ready");
        assert_eq!((ready.status, ready.reason.as_str()), (status, reason));
        check_steps(&report.status, [Unknown; 4]);
        let is_reconciling = report.status.conditions.iter().any(|c| c.kind == "Reconciling");
        assert_eq!(is_reconciling, why == Idle::Progressing, "{reason}");
        assert!(report.status.findings.is_empty() && report.status.probes.is_empty());
        assert_eq!(report.status.affected_pods, 0);
        assert_eq!(report.status.last_probe_time, Some(at(0)), "nothing was asked");
    }
}

#[test]
fn an_unprobed_step_is_unknown() {
    let table = [
        (Code::Pullable, [True; 4]),
        (Code::TagNotFound, [True, True, True, False]),
        (Code::CredentialRejected, [True, False, Unknown, Unknown]),
        (Code::InvalidImageReference, [Unknown; 4]),
    ];
    for (code, steps) in table {
        check_steps(&probed(None, &cause(code), 0).status, steps);
    }
}

#[test]
fn a_step_holds_for_all_images_or_fails_for_one() {
    let mixed = |code| [outcome("r.test/a", 1, Code::Pullable), outcome("r.test/b", 1, code)];
    let failed = probed(None, &mixed(Code::CredentialRejected), 0).status;
    check_steps(&failed, [True, False, Unknown, Unknown]);
    let open = probed(None, &mixed(Code::InvalidImageReference), 0).status;
    check_steps(&open, [Unknown; 4]);
}

#[test]
fn conditions_are_about_the_generation_that_was_read() {
    let status = probed(None, &cause(Code::Pullable), 0).status;
    assert_eq!(status.observed_generation, Some(3));
    for condition in &status.conditions {
        assert_eq!(condition.observed_generation, Some(3), "{}", condition.kind);
    }
}

#[test]
fn a_transition_time_is_kept_while_the_status_is_equal() {
    let history = history(&[Code::TagNotFound, Code::DnsFailure, Code::Pullable]);
    let times = |kind: &str| -> Vec<Timestamp> {
        let conditions = history.iter().map(|status| condition(status, kind));
        conditions.map(|condition| condition.last_transition_time).collect()
    };
    assert_eq!(times("Ready"), [at(0), at(0), at(120)]);
    assert_eq!(times("Reachable"), [at(0), at(60), at(120)]);
    assert_eq!(condition(&history[1], "Ready").reason, "DnsFailure");
}

#[test]
fn a_transition_time_has_whole_seconds() {
    let now = at(0).checked_add(jiff::SignedDuration::from_millis(700)).unwrap();
    let times = Times { now, probed: Some(now), next_probe: None };
    let outcomes = cause(Code::Pullable);
    let report = report(&check_with(None), News::Outcomes(&outcomes), &[], times);
    assert_eq!(condition(&report.status, "Ready").last_transition_time, at(0));
}

#[test]
fn a_finding_keeps_its_first_time_and_renews_its_last() {
    let history = history(&[Code::TagNotFound, Code::TagNotFound, Code::DnsFailure]);
    let times: Vec<_> = history
        .iter()
        .map(|status| (status.findings[0].first_seen, status.findings[0].last_seen))
        .collect();
    assert_eq!(times, [(at(0), at(0)), (at(0), at(60)), (at(120), at(120))]);
}

#[test]
fn a_finding_of_another_credential_or_host_is_another_one() {
    let mut outcomes = cause(Code::TlsNameMismatch);
    let first = probed(None, &outcomes, 0).status;
    outcomes[0].diagnosis.findings[0].hop = Some("cdn.r.test".to_owned());
    let second = probed(Some(&first), &outcomes, 60).status;
    assert_eq!(second.findings[0].first_seen, at(60));
    outcomes[0].diagnosis.findings[0].credential = Some("secret a (key r.test)".to_owned());
    let third = probed(Some(&second), &outcomes, 120).status;
    assert_eq!(third.findings[0].first_seen, at(120));
    assert_ne!(third.findings[0].episode, second.findings[0].episode);
}

#[test]
fn one_cause_of_several_images_is_one_finding() {
    let images: Vec<_> = (0..7)
        .map(|n| outcome(&format!("r.test/{n}"), 8, Code::TagNotFound))
        .chain([outcome("r.test/0", 9, Code::TagNotFound)])
        .collect();
    let status = probed(None, &images, 0).status;
    let [finding] = status.findings.try_into().unwrap();
    assert_eq!((finding.total_images, finding.images.len()), (7, 5));
    assert_eq!((finding.total_pods, finding.pods.len()), (9, 5));
    assert_eq!(status.affected_pods, 9);
}

#[test]
fn a_warning_of_one_image_is_no_error_of_another() {
    let mut outcomes = vec![
        outcome("r.test/a", 1, Code::CredentialRejected),
        outcome("r.test/b", 2, Code::Pullable),
    ];
    let warning = Finding { severity: Severity::Warning, ..finding(Code::CredentialRejected) };
    outcomes[1].diagnosis.findings.insert(0, warning);
    let status = probed(None, &outcomes, 0).status;
    let found: Vec<_> = status
        .findings
        .iter()
        .map(|finding| (finding.code.as_str(), finding.severity, finding.total_pods))
        .collect();
    let expected = [
        ("CredentialRejected", Severity::Error, 1),
        ("CredentialRejected", Severity::Warning, 0),
        ("Pullable", Severity::Info, 0),
    ];
    assert_eq!(found, expected);
    assert_eq!(status.affected_pods, 1);
}

#[test]
fn an_episode_is_stable_over_recomputation_and_while_its_cause_lasts() {
    let history = history(&[Code::DnsFailure, Code::TagNotFound, Code::TagNotFound]);
    let again = probed(history.first(), &cause(Code::TagNotFound), 61).status;
    assert_eq!(again.findings[0].episode, history[1].findings[0].episode);
    assert_eq!(history[2].findings[0].episode, history[1].findings[0].episode);
}

#[test]
fn a_cause_that_comes_back_is_a_new_episode() {
    let causes = [Code::TagNotFound, Code::DnsFailure, Code::TagNotFound, Code::DnsFailure];
    let history = history(&causes);
    let mut episodes: Vec<&str> =
        history.iter().map(|status| status.findings[0].episode.as_str()).collect();
    episodes.sort_unstable();
    episodes.dedup();
    assert_eq!(episodes.len(), 4);
}

#[test]
fn what_becomes_the_cause_begins_an_episode() {
    let both =
        [outcome("r.test/a", 2, Code::DnsFailure), outcome("r.test/b", 2, Code::TagNotFound)];
    let first = probed(None, &both, 0).status;
    let second = probed(Some(&first), &both[1..], 60).status;
    assert_eq!(first.findings[1].code, second.findings[0].code);
    assert_eq!(first.findings[1].first_seen, second.findings[0].first_seen);
    assert_ne!(first.findings[1].episode, second.findings[0].episode);
}

#[test]
fn an_answered_request_is_written_down() {
    let mut check = check_with(None);
    let annotation = (REQUESTED_AT.to_owned(), "now".to_owned());
    check.metadata.annotations = Some(BTreeMap::from([annotation]));
    let times = Times { now: at(0), probed: None, next_probe: None };
    let status = report(&check, News::Idle(Idle::NoTargets), &[], times).status;
    assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("now"));
}

/// What a change of the last status tells.
#[track_caller]
fn check_tells(make: impl FnOnce(&mut RegistryCheckStatus), expected: Option<Change>) {
    let previous = history(&[Code::TagNotFound]).pop().unwrap();
    let mut next = previous.clone();
    make(&mut next);
    assert_eq!(change(&previous, &next), expected);
}

#[test]
fn times_and_probes_alone_are_nothing_new() {
    check_tells(|_| {}, None);
    check_tells(|status| status.last_probe_time = Some(at(60)), None);
    check_tells(|status| status.next_probe_time = Some(at(90)), None);
    check_tells(|status| status.findings[0].last_seen = at(60), None);
    check_tells(|status| status.probes.clear(), None);
}

#[test]
fn conditions_findings_and_pods_are_something_new() {
    check_tells(|status| status.conditions[0].status = True, Some(Change::Verdict));
    check_tells(|status| status.observed_generation = Some(4), Some(Change::Verdict));
    let answered =
        |status: &mut RegistryCheckStatus| status.last_handled_reconcile_at = Some(String::new());
    check_tells(answered, Some(Change::Verdict));
    check_tells(|status| status.findings.clear(), Some(Change::Cause));
    check_tells(|status| status.findings[0].remedy.push_str("Or else."), Some(Change::Cause));
    check_tells(|status| status.affected_pods = 3, Some(Change::Extent));
    check_tells(|status| status.findings[0].pods.clear(), Some(Change::Extent));
    check_tells(
        |status| "Other.".clone_into(&mut status.findings[0].message),
        Some(Change::Extent),
    );
    check_tells(|status| status.conditions[1].reason.push_str("Other"), Some(Change::Extent));
}

#[test]
fn the_same_outcome_again_is_nothing_new() {
    let history = history(&[Code::TagNotFound, Code::TagNotFound]);
    assert_eq!(change(&history[0], &history[1]), None);
}
