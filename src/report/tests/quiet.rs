//! What is no news, and what must not be said twice.

use super::*;

#[test]
fn the_cause_is_one_that_stops_something() {
    let mut outcomes =
        vec![outcome("r.test/a", 1, Code::Pullable), outcome("r.test/b", 1, Code::Inconclusive)];
    let warning = Finding { severity: Severity::Warning, ..finding(Code::CredentialRejected) };
    outcomes[0].diagnosis.findings.insert(0, warning);
    outcomes[1].diagnosis.findings[0].confidence = Confidence::Possible;
    check(&outcomes, False, "Inconclusive");
}

#[test]
fn ready_counts_images_and_not_targets() {
    let mut outcomes = vec![outcome("r.test/a", 1, Code::Pullable); 2];
    outcomes[1].target.secrets = SecretSource::Listed(Vec::new());
    let report = probed(None, &outcomes, 0);
    assert_eq!(condition(&report.status, "Ready").message, "r.test/a can be pulled.");
}

#[test]
fn names_keep_their_letters() {
    assert_eq!(sentence("imagePullPolicy is Never"), "imagePullPolicy is Never.");
    assert_eq!(sentence("localhost refuses"), "localhost refuses.");
}

#[test]
fn no_outcome_at_all_is_not_ready() {
    check(&[], Unknown, "NoTargets");
}

#[test]
fn what_changes_from_probe_to_probe_is_nothing_new() {
    let mut outcomes = cause(Code::RateLimited);
    "r.test limits requests (status 429; it says to wait 57 s)"
        .clone_into(&mut outcomes[0].diagnosis.findings[0].message);
    let first = probed(None, &outcomes, 0).status;
    "r.test limits requests (status 429; it says to wait 12 s)"
        .clone_into(&mut outcomes[0].diagnosis.findings[0].message);
    let second = probed(Some(&first), &outcomes, 45).status;
    assert_eq!(change(&first, &second), None);
}

#[test]
fn a_long_message_fits() {
    let mut outcomes = cause(Code::PullSecretHostMismatch);
    outcomes[0].diagnosis.findings[0].message = "a.test does not match; ".repeat(2_000);
    let status = probed(None, &outcomes, 0).status;
    assert!(serde_json::to_vec(&status).unwrap().len() <= 32 * 1024);
}

#[test]
fn a_finding_further_down_keeps_its_pods_told() {
    let both =
        [outcome("r.test/a", 2, Code::DnsFailure), outcome("r.test/b", 2, Code::TagNotFound)];
    let first = probed(None, &both, 0);
    let second = probed(Some(&first.status), &both[1..], 60);
    let of_pod = |report: &Report, reason: &str| -> Vec<String> {
        let events = report.announcements.iter();
        let events = events.filter(|event| event.about != About::Check && event.reason == reason);
        events.map(|event| event.name.clone()).collect()
    };
    assert_eq!(of_pod(&first, "TagNotFound"), of_pod(&second, "TagNotFound"));
}
