//! Credentials that end: a warning beside what a check says of its images.

use super::*;
use crate::target::workload::WorkloadRef;

/// What is said of a pull secret that ends at that time.
fn ending(code: Code, secret: &str, until: &str) -> Beside {
    let mut finding = finding(code);
    finding.severity = Severity::Warning;
    finding.message = format!("the token in pull secret {secret} is valid until {until}");
    finding.credential = Some(format!("secret {secret}"));
    Beside { finding, images: vec!["r.test/api".to_owned()] }
}

fn report_with(
    previous: Option<&RegistryCheckStatus>,
    news: News<'_>,
    beside: &[Beside],
    seconds: i64,
) -> Report {
    let now = at(seconds);
    let times = Times { now, probed: Some(now), next_probe: None };
    report(&check_with(previous.cloned()), news, beside, times)
}

/// The codes of the findings, in their order.
fn codes(report: &Report) -> Vec<&str> {
    report.status.findings.iter().map(|finding| finding.code.as_str()).collect()
}

/// The reasons and the objects of the Events.
fn said(report: &Report) -> Vec<(&str, EventKind)> {
    let said = report.announcements.iter();
    said.map(|event| (event.reason.as_str(), event.kind)).collect()
}

use Code::{CredentialExpired, CredentialExpiring, Pullable, TagNotFound};
use EventKind::{Normal, Warning};

#[test]
fn what_can_be_pulled_stays_ready_and_is_warned_of_once() {
    let outcomes = cause(Pullable);
    let beside = [ending(CredentialExpiring, "regcred", "2026-01-02T00:00:00Z")];
    let first = report_with(None, News::Outcomes(&outcomes), &beside, 0);
    assert_eq!(codes(&first), ["CredentialExpiring", "Pullable"]);
    let ready = condition(&first.status, "Ready");
    assert_eq!((ready.status, ready.reason.as_str()), (ConditionStatus::True, "Pullable"));
    assert_eq!(said(&first), [("CredentialExpiring", Warning)]);
    assert_eq!(first.status.affected_pods, 0);
    let finding = &first.status.findings[0];
    assert_eq!(
        finding.message,
        "The token in pull secret regcred is valid until 2026-01-02T00:00:00Z."
    );
    assert_eq!((finding.total_images, finding.total_pods), (1, 0));

    let same = report_with(Some(&first.status), News::Outcomes(&outcomes), &beside, 60);
    assert_eq!(said(&same), []);
    assert_eq!(change(&first.status, &same.status), None);
    let other = [ending(CredentialExpiring, "regcred", "2026-01-04T00:00:00Z")];
    let other = report_with(Some(&same.status), News::Outcomes(&outcomes), &other, 120);
    assert_eq!(said(&other), [("CredentialExpiring", Warning)], "another token");
    let change = change(&same.status, &other.status);
    assert_eq!(change, Some(Change::Cause), "a date is more than a number");
    let gone = report_with(Some(&other.status), News::Outcomes(&outcomes), &[], 180);
    assert_eq!((codes(&gone), said(&gone)), (vec!["Pullable"], vec![]));
}

#[test]
fn what_stops_a_pull_comes_first() {
    let outcomes = cause(TagNotFound);
    let beside = [ending(CredentialExpiring, "regcred", "2026-01-02T00:00:00Z")];
    let report = report_with(None, News::Outcomes(&outcomes), &beside, 0);
    assert_eq!(codes(&report), ["TagNotFound", "CredentialExpiring"]);
    assert_eq!(condition(&report.status, "Ready").reason, "TagNotFound");
    let inconclusive = cause(Code::Inconclusive);
    let report = report_with(None, News::Outcomes(&inconclusive), &beside, 0);
    assert_eq!(codes(&report), ["Inconclusive", "CredentialExpiring"]);
}

#[test]
fn an_end_that_stops_a_pull_is_not_said_twice() {
    let mut outcomes = cause(CredentialExpired);
    outcomes[0].diagnosis.findings[0].credential = Some("secret regcred (key r.test)".to_owned());
    let beside = [
        ending(CredentialExpired, "regcred", "2026-01-05T00:00:00Z"),
        ending(CredentialExpired, "other", "2026-01-05T00:00:00Z"),
    ];
    let report = report_with(None, News::Outcomes(&outcomes), &beside, 0);
    let credentials = report.status.findings.iter().map(|one| one.credential.as_deref());
    let expected = [Some("secret regcred (key r.test)"), Some("secret other")];
    assert_eq!(credentials.collect::<Vec<_>>(), expected);
}

#[test]
fn without_targets_a_warning_is_written_and_taken_back() {
    let beside = [ending(CredentialExpiring, "regcred", "2026-01-02T00:00:00Z")];
    let first = report_with(None, News::Idle(Idle::NoTargets), &beside, 0);
    let ready = condition(&first.status, "Ready");
    assert_eq!((ready.status, ready.reason.as_str()), (ConditionStatus::Unknown, "NoTargets"));
    assert_eq!(codes(&first), ["CredentialExpiring"]);
    assert_eq!(said(&first), [("CredentialExpiring", Warning)]);
    assert!(!endings_changed(&first.status, &beside));
    assert!(endings_changed(&first.status, &[]));
    assert!(endings_changed(&RegistryCheckStatus::default(), &beside));
    let other = [ending(CredentialExpiring, "regcred", "2026-01-04T00:00:00Z")];
    assert!(endings_changed(&first.status, &other));
    let ended = [ending(CredentialExpired, "regcred", "2026-01-02T00:00:00Z")];
    assert!(endings_changed(&first.status, &ended));
}

#[test]
fn a_recovery_is_said_beside_a_warning() {
    let failing = report_with(None, News::Outcomes(&cause(TagNotFound)), &[], 0);
    let beside = [ending(CredentialExpiring, "regcred", "2026-01-02T00:00:00Z")];
    let pullable = cause(Pullable);
    let report = report_with(Some(&failing.status), News::Outcomes(&pullable), &beside, 60);
    let of_check: Vec<_> = report
        .announcements
        .iter()
        .filter(|event| event.about == About::Check)
        .map(|event| (event.reason.as_str(), event.kind))
        .collect();
    assert_eq!(of_check, [("CredentialExpiring", Warning), ("Pullable", Normal)]);
}

#[test]
fn a_workload_is_told_once_for_each_version() {
    let workload = WorkloadRef {
        api_version: "apps/v1",
        kind: "Deployment",
        namespace: "shop".to_owned(),
        name: "api".to_owned(),
        uid: "uid".to_owned(),
    };
    let Beside { finding, .. } = ending(CredentialExpiring, "regcred", "2026-01-02T00:00:00Z");
    let told = |version| to_workload(&workload, &finding, "regcred", version);
    let first = told("1");
    assert_eq!(first.reason, "CredentialExpiring");
    assert!(
        first
            .note
            .starts_with("The token in pull secret regcred is valid until 2026-01-02T00:00:00Z.")
    );
    assert!(first.name.starts_with("api."));
    assert_eq!(first.name, told("1").name);
    assert_ne!(first.name, told("2").name);
}
