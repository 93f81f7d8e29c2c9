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
