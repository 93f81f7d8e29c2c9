//! What looks like one cause and is another.

use super::*;

#[test]
fn the_credential_that_got_furthest_is_the_cause() {
    let attempts = vec![
        with_token(attempt(Some("good"), answered(404, &["MANIFEST_UNKNOWN"]))),
        attempt(Some("bad"), answered(401, &[])),
    ];
    let evidence = Evidence { attempts, repository: Some(Repository::Exists), ..evidence() };
    let diagnosis = diagnosis(&evidence);
    assert_eq!(diagnosis.findings[0].code, Code::TagNotFound);
    assert_eq!(diagnosis.progress.authenticated, Some(true));
}

#[test]
fn a_hidden_404_does_not_say_that_the_image_may_be_pulled() {
    check_progress(&with_end(answered(404, &[])), [Some(true), Some(true), None, None]);
}

#[test]
fn a_404_of_the_token_service_says_nothing_of_the_image() {
    let answer = Answer { status: 404, ..Answer::default() };
    let end = End::Answered { hop: hop(Role::TokenService), step: StepName::Token, answer };
    let attempts = vec![attempt(Some("bad"), end)];
    check_progress(&Evidence { attempts, ..evidence() }, [Some(true), None, None, None]);
}

#[test]
fn a_403_to_strangers_is_no_lack_of_credentials() {
    let answer = Answer { status: 403, ..Answer::default() };
    let end = End::Answered { hop: hop(Role::TokenService), step: StepName::Token, answer };
    let evidence = Evidence { anonymous: Some(attempt(None, end)), ..without_credential(&[]) };
    check(&evidence, NotPullable, &[(Code::AccessForbidden, Certain)]);
}

#[test]
fn an_unreadable_secret_beside_others_leaves_nothing_certain() {
    let gaps = [forbidden("hidden"), mismatch("x.test", Mismatch::NotAUrl)];
    for finding in diagnosis(&without_credential(&gaps)).findings {
        assert!(
            finding.severity > Severity::Error || finding.confidence > Certain,
            "{}",
            finding.code
        );
    }
    let attempts = vec![attempt(Some("bad"), answered(401, &[]))];
    let evidence = Evidence { attempts, gaps: vec![forbidden("hidden")], ..evidence() };
    for finding in diagnosis(&evidence).findings {
        assert!(
            finding.severity > Severity::Error || finding.confidence > Certain,
            "{}",
            finding.code
        );
    }
}

#[test]
fn docker_hub_does_not_refuse_strangers_it_hides_what_is_not_there() {
    let anonymous = Some(with_token(attempt(None, answered(401, &["UNAUTHORIZED"]))));
    let image = ImageRef::parse("nginxx").unwrap();
    let evidence = Evidence { image, anonymous, ..without_credential(&[]) };
    assert_eq!(diagnosis(&evidence).findings[0].code, Code::NotFoundOrNotAuthorized);
}

#[test]
fn a_limit_that_the_kubelet_did_not_meet_is_likely() {
    for status in [429, 403] {
        let opening = attempt(None, answered(status, &[]));
        let evidence = Evidence { opening, attempts: Vec::new(), ..evidence() };
        let complaint = Complaint::PullFailed { cause: "no such host".to_owned() };
        let subject =
            Subject { namespace: "shop", image: &evidence.image, complaint: Some(&complaint) };
        assert_eq!(diagnose(subject, &evidence).findings[0].confidence, Likely, "{status}");
    }
}

#[test]
fn a_connection_timeout_of_the_kubelet_is_no_lookup_failure() {
    let failure = Failure::LookupFailed { detail: "SERVFAIL".to_owned() };
    let end = End::Unreachable { hop: hop(Role::Registry), failure };
    let evidence = Evidence { opening: attempt(None, end), attempts: Vec::new(), ..evidence() };
    for cause in
        ["dial tcp 10.0.0.20:443: i/o timeout", "lookup r.test on 10.0.0.10:53: no such host"]
    {
        let complaint = Complaint::PullFailed { cause: cause.to_owned() };
        let subject =
            Subject { namespace: "shop", image: &evidence.image, complaint: Some(&complaint) };
        assert_eq!(diagnose(subject, &evidence).findings[0].confidence, Likely, "{cause}");
    }
}

#[test]
fn many_entries_of_one_secret_are_summed_up() {
    let gaps: Vec<Gap> =
        (0..500).map(|n| mismatch(&format!("host-{n}.test"), Mismatch::NotAUrl)).collect();
    let message = &diagnosis(&without_credential(&gaps)).findings[0].message;
    assert!(message.len() < 700, "{}", message.len());
}

/// An answer of another server than the registry.
fn of_host(role: Role, step: StepName, answer: Answer) -> End {
    End::Answered { hop: hop(role), step, answer }
}

#[test]
fn a_403_of_another_server_says_nothing_of_the_repository() {
    let denied = || Answer {
        status: 403,
        errors: vec![RegistryError { code: "DENIED".to_owned(), message: String::new() }],
        ..Answer::default()
    };
    let of_token = attempt(Some("bad"), of_host(Role::TokenService, StepName::Token, denied()));
    let evidence_ = Evidence { attempts: vec![of_token], ..evidence() };
    check(&evidence_, NotPullable, &[(Code::AccessForbidden, Certain)]);
    let of_data = with_end(of_host(Role::DataHost, StepName::Config, denied()));
    check(&of_data, NotPullable, &[(Code::AccessForbidden, Certain)]);
}

#[test]
fn a_firewall_is_opened_before_a_secret_is_made() {
    let message = "client with IP '192.0.2.7' is not allowed access.".to_owned();
    let errors = vec![RegistryError { code: "DENIED".to_owned(), message }];
    let answer = Answer { status: 403, errors, ..Answer::default() };
    let end = of_host(Role::TokenService, StepName::Token, answer);
    let evidence = Evidence { anonymous: Some(attempt(None, end)), ..without_credential(&[]) };
    check(&evidence, NotPullable, &[(Code::NetworkRuleDenied, Certain)]);
}

#[test]
fn a_web_servers_404_is_no_registrys() {
    let body = Some("<html><head><title>404 Not Found".to_owned());
    let answer = Answer { status: 404, body, ..Answer::default() };
    let end = of_host(Role::Registry, StepName::Challenge, answer);
    let evidence = Evidence { opening: attempt(None, end), attempts: Vec::new(), ..evidence() };
    check(&evidence, NotPullable, &[(Code::NotARegistry, Likely)]);
}

#[test]
fn a_secret_that_nothing_is_sent_of_is_not_refused() {
    for (flaw, confidence) in [(Flaw::Incomplete, Certain), (Flaw::LineBreak, Likely)] {
        let mut bad = attempt(Some("bad"), answered(401, &[]));
        bad.flaw = Some(flaw);
        let evidence = Evidence { attempts: vec![bad], ..evidence() };
        check(&evidence, NotPullable, &[(Code::PullSecretMalformed, confidence)]);
    }
}

#[test]
fn our_own_impatience_decides_nothing() {
    let slow = |during| {
        let failure = Failure::TimedOut { during, millis: 20_000 };
        let end = End::Unreachable { hop: hop(Role::Registry), failure };
        Evidence { opening: attempt(None, end), attempts: Vec::new(), ..evidence() }
    };
    check(&slow(StepName::Challenge), Undecided, &[(Code::Inconclusive, Possible)]);
    check(&slow(StepName::Connect), NotPullable, &[(Code::ConnectionTimeout, Certain)]);
    let met = "Head \"https://r.test/v2/\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
    let complaint = Complaint::PullFailed { cause: met.to_owned() };
    let seen = slow(StepName::Challenge);
    let subject = Subject { namespace: "shop", image: &seen.image, complaint: Some(&complaint) };
    assert_eq!(diagnose(subject, &seen).verdict, NotPullable);
}

#[test]
fn a_name_that_does_not_exist_is_compared_with_those_of_registries() {
    let image = ImageRef::parse("shop.azureacr.io/api:1").unwrap();
    let failure = Failure::NameNotFound { resolver: None };
    let end = End::Unreachable { hop: hop(Role::Registry), failure };
    let opening = attempt(None, end);
    let evidence = Evidence { image, opening, attempts: Vec::new(), ..evidence() };
    check(&evidence, NotPullable, &[(Code::RegistryNameSuspicious, Likely)]);
    assert!(diagnosis(&evidence).findings[0].message.contains("shop.azurecr.io misspelt"));
}

#[test]
fn a_401_of_another_server_is_not_about_our_credential() {
    let refused = |role, step| {
        let answer = Answer { status: 401, ..Answer::default() };
        with_end(of_host(role, step, answer))
    };
    let redirected = refused(Role::RedirectTarget, StepName::Manifest);
    check(&redirected, Undecided, &[(Code::Inconclusive, Possible)]);
    let of_data = refused(Role::DataHost, StepName::Layer);
    check(&of_data, NotPullable, &[(Code::AccessForbidden, Likely)]);
}

#[test]
fn a_token_service_that_was_sent_nothing_refuses_nothing() {
    let answer = Answer { status: 401, ..Answer::default() };
    let mut bad = attempt(Some("bad"), of_host(Role::TokenService, StepName::Token, answer));
    bad.flaw = Some(Flaw::Incomplete);
    let evidence = Evidence { attempts: vec![bad], ..evidence() };
    check(&evidence, NotPullable, &[(Code::PullSecretMalformed, Certain)]);
}
