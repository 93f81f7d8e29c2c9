//! How it sounds.

use super::*;
use crate::access::Provenance;
use crate::evidence::{Answer, Attempt, End, Hop, Role, Scheme, Step, StepName, Vantage};
use crate::image::ImageRef;
use crate::report::probes::steps_line;

/// Ready's message about these outcomes.
#[track_caller]
fn check_message(outcomes: &[Outcome], expected: &str) {
    let report = probed(None, outcomes, 0);
    assert_eq!(condition(&report.status, "Ready").message, expected);
}

#[test]
fn ready_counts_pods_workloads_and_images() {
    let of = |n_pods| [outcome("r.test/api:1", n_pods, Code::TagNotFound)];
    let why = "r.test says tagnotfound.";
    check_message(&of(0), &format!("r.test/api:1 cannot be pulled: {why}"));
    check_message(&of(1), &format!("1 pod cannot pull r.test/api:1: {why}"));
    check_message(&of(37), &format!("37 pods of 4 workloads cannot pull r.test/api:1: {why}"));
    let mut of_one = of(2);
    for pod in &mut of_one[0].target.pods {
        "replicaset/api".clone_into(&mut pod.workload);
    }
    check_message(&of_one, &format!("2 pods of 1 workload cannot pull r.test/api:1: {why}"));
}

#[test]
fn ready_says_how_many_images_one_cause_stops() {
    let two = [outcome("r.test/a", 3, Code::DnsFailure), outcome("r.test/b", 3, Code::DnsFailure)];
    check_message(&two, "3 pods of 3 workloads cannot pull 2 images: r.test says dnsfailure.");
}

#[test]
fn ready_blames_a_cause_only_for_what_it_stops() {
    let mut other = outcome("r.test/b", 0, Code::TagNotFound);
    other.target.pods = pods(37).split_off(36);
    let outcomes = [outcome("r.test/a", 36, Code::DnsFailure), other];
    check_message(
        &outcomes,
        "36 pods of 4 workloads cannot pull r.test/a: r.test says dnsfailure. For other reasons (TagNotFound), 1 pod cannot pull r.test/b.",
    );
}

#[test]
fn ready_says_what_can_be_pulled() {
    check_message(&cause(Code::Pullable), "r.test/api:1 can be pulled.");
    let two = [outcome("r.test/a", 1, Code::Pullable), outcome("r.test/b", 0, Code::Pullable)];
    check_message(&two, "All 2 images of r.test can be pulled.");
}

#[test]
fn a_message_is_a_sentence_and_a_name_keeps_its_letters() {
    let table = [
        ("no pull secret is given", "No pull secret is given."),
        ("r.test has no repository a", "r.test has no repository a."),
        ("localhost:5000 refuses", "localhost:5000 refuses."),
        ("my-registry.test refuses", "my-registry.test refuses."),
        ("it ends here.", "It ends here."),
        ("does it?", "Does it?"),
    ];
    for (clause, expected) in table {
        assert_eq!(sentence(clause), expected);
    }
}

#[test]
fn a_recovery_says_that_the_pods_have_started() {
    let failing = history(&[Code::TagNotFound]);
    let status = idle(failing.last(), Idle::Recovered, 60).status;
    let message = &condition(&status, "Ready").message;
    assert!(message.contains("have started"), "{message}");
}

fn step(name: StepName, passed: bool, detail: &str, micros: u64) -> Step {
    Step { name, host: None, passed, detail: detail.to_owned(), micros }
}

#[test]
fn steps_are_one_line() {
    let steps = [
        step(StepName::Dns, true, "10.1.2.4", 3_400),
        step(StepName::Connect, true, "", 900),
        step(StepName::Tls, true, "", 12_000_000),
        step(StepName::Manifest, false, "status 404", 9_000),
    ];
    let expected =
        "Dns 3 ms 10.1.2.4; Connect <1 ms; Tls 12 s; Manifest failed in 9 ms: status 404";
    assert_eq!(steps_line(&steps.iter().collect::<Vec<_>>()), expected);
    assert_eq!(steps_line(&[]), "");
}

fn attempt(secret: Option<&str>, end: End, name: StepName) -> Attempt {
    let passed = matches!(end, End::Served { .. } | End::Challenged { .. });
    let credential = secret.map(|secret| Provenance::PullSecret {
        secret: secret.to_owned(),
        key: "r.test".to_owned(),
    });
    Attempt::new(credential, vec![step(name, passed, "", 1_000)], end)
}

fn refused() -> End {
    let hop = Hop { role: Role::Registry, host: "r.test".to_owned(), address: None };
    let correlation = Some("5c8e".to_owned());
    let answer = Answer { status: 401, correlation, ..Answer::default() };
    End::Answered { hop, step: StepName::Token, answer }
}

/// An outcome with evidence: a challenge, and one secret that ends so.
fn with_evidence(image: &str, secret: &str, end: End) -> Outcome {
    let served = matches!(end, End::Served { .. });
    let code = if served { Code::Pullable } else { Code::CredentialRejected };
    let opening = attempt(None, End::Challenged { scheme: Scheme::Bearer }, StepName::Challenge);
    let evidence = Evidence {
        attempts: vec![attempt(Some(secret), end, StepName::Token)],
        ..Evidence::begun(ImageRef::parse(image).unwrap(), Vantage::Pod, opening)
    };
    Outcome { evidence: Some(Arc::new(evidence)), ..outcome(image, 1, code) }
}

/// The rows of probes: image, credential, outcome.
#[track_caller]
fn check_probes(outcomes: &[Outcome], expected: &[(&str, &str, &str)]) {
    let rows = probed(None, outcomes, 0).status.probes;
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.image.as_str(), row.credential.as_str(), row.outcome.as_str()))
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn a_probes_row_is_the_whole_walk() {
    let outcomes = [with_evidence("r.test/a", "s", refused())];
    let [row] = probed(None, &outcomes, 0).status.probes.try_into().unwrap();
    assert_eq!(row.steps, "Challenge 1 ms; Token failed in 1 ms: ");
    assert_eq!((row.vantage.as_str(), row.correlation_id.as_deref()), ("Pod", Some("5c8e")));
}

#[test]
fn probes_have_a_row_for_each_distinct_outcome_failing_first() {
    let served = || End::Served { digest: None, platform: None };
    let outcomes = [
        with_evidence("r.test/a", "s", served()),
        with_evidence("r.test/b", "s", refused()),
        with_evidence("r.test/c", "s", refused()),
        with_evidence("r.test/d", "t", refused()),
    ];
    let expected = [
        ("r.test/b", "secret s (key r.test)", "CredentialRejected"),
        ("r.test/d", "secret t (key r.test)", "CredentialRejected"),
        ("r.test/a", "secret s (key r.test)", "Pullable"),
    ];
    check_probes(&outcomes, &expected);
    check_probes(&[outcome("r.test/Not/Probed", 1, Code::InvalidImageReference)], &[]);
}

#[test]
fn probes_have_at_most_five_rows() {
    let outcomes: Vec<_> =
        (0..9).map(|n| with_evidence("r.test/a", &format!("s{n}"), refused())).collect();
    assert_eq!(probed(None, &outcomes, 0).status.probes.len(), 5);
}

#[test]
fn without_a_credential_the_row_is_anonymous() {
    let mut outcome = with_evidence("r.test/a", "s", refused());
    let evidence = Arc::make_mut(outcome.evidence.as_mut().unwrap());
    evidence.attempts.clear();
    check_probes(&[outcome.clone()], &[("r.test/a", "anonymous", "CredentialRejected")]);
    let evidence = Arc::make_mut(outcome.evidence.as_mut().unwrap());
    evidence.anonymous = Some(attempt(None, refused(), StepName::Manifest));
    check_probes(&[outcome], &[("r.test/a", "anonymous", "CredentialRejected")]);
}

#[test]
fn each_row_has_the_code_of_its_own_credential() {
    let mut outcome = with_evidence("r.test/a", "s", refused());
    outcome.diagnosis.findings[0].credential = Some("secret s (key r.test)".to_owned());
    let other = Finding {
        credential: Some("secret t (key r.test)".to_owned()),
        ..finding(Code::NotFoundOrNotAuthorized)
    };
    outcome.diagnosis.findings.push(other);
    let evidence = Arc::make_mut(outcome.evidence.as_mut().unwrap());
    evidence.attempts.push(attempt(Some("t"), refused(), StepName::Manifest));
    let expected = [
        ("r.test/a", "secret s (key r.test)", "CredentialRejected"),
        ("r.test/a", "secret t (key r.test)", "NotFoundOrNotAuthorized"),
    ];
    check_probes(&[outcome], &expected);
}
