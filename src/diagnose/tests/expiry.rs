use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::diagnose::expiry;
use crate::evidence::told::Lifetime;

const HOUR: Duration = Duration::from_secs(3_600);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn subject(image: &ImageRef) -> Subject<'_> {
    Subject { namespace: "shop", image, complaint: None }
}

#[track_caller]
fn check_date(until: &str, warning: Duration, expected: Option<Code>) -> Option<Finding> {
    let image = ImageRef::parse(IMAGE).unwrap();
    let now = at("2026-01-01T12:00:00Z");
    let finding = expiry::of_date(subject(&image), "regcred", at(until), warning, now);
    assert_eq!(finding.as_ref().map(|finding| finding.code), expected, "{until}");
    finding
}

#[test]
fn a_date_is_far_or_near_or_over() {
    check_date("2026-01-01T13:00:01Z", HOUR, None);
    check_date("2026-01-01T12:00:01Z", Duration::ZERO, None);
    check_date("9999-12-30T00:00:00Z", HOUR, None);
    check_date("2026-01-01T13:00:00Z", HOUR, Some(Code::CredentialExpiring));
    check_date("2026-01-01T12:00:01Z", HOUR, Some(Code::CredentialExpiring));
    check_date("2026-01-03T12:00:00Z", HOUR * 168, Some(Code::CredentialExpiring));
    check_date("2026-01-01T12:00:00Z", HOUR, Some(Code::CredentialExpired));
    check_date("1970-01-01T00:00:00Z", Duration::ZERO, Some(Code::CredentialExpired));
}

#[test]
fn what_ends_soon_is_a_warning_with_its_date_and_a_line_to_paste() {
    let finding = check_date("2026-01-01T12:30:00Z", HOUR, Some(Code::CredentialExpiring)).unwrap();
    assert_eq!(
        finding.message,
        "the token in pull secret regcred is valid until 2026-01-01T12:30:00Z, and pods that start after that cannot pull from r.test with it"
    );
    assert!(finding.remedy.contains("create secret docker-registry regcred -n shop"));
    assert_eq!((finding.severity, finding.confidence), (Severity::Warning, Likely));
    assert_eq!(finding.credential.as_deref(), Some("secret regcred"));
    let over = check_date("2026-01-01T11:00:00Z", HOUR, Some(Code::CredentialExpired)).unwrap();
    assert_eq!((over.severity, over.confidence), (Severity::Warning, Likely));
}

#[track_caller]
fn check_evidence(attempts: Vec<Attempt>, expected: &[(Code, Confidence)]) {
    let lifetime = |attempt| {
        let until = "2026-01-01T12:30:00Z".to_owned();
        Attempt { lifetime: Some(Lifetime { until, is_over: false }), ..attempt }
    };
    let attempts = attempts.into_iter().map(lifetime).collect();
    let evidence = Evidence { attempts, ..evidence() };
    let now = at("2026-01-01T12:00:00Z");
    let findings = expiry::of_evidence(subject(&evidence.image), &evidence, HOUR, now);
    let found: Vec<_> = findings.iter().map(|finding| (finding.code, finding.confidence)).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_credential_that_is_taken_ends_soon_and_one_that_is_refused_does_not_work_anyway() {
    check_evidence(vec![attempt(Some("good"), served())], &[(Code::CredentialExpiring, Certain)]);
    let not_there = with_token(attempt(Some("good"), answered(404, &["MANIFEST_UNKNOWN"])));
    check_evidence(vec![not_there], &[(Code::CredentialExpiring, Likely)]);
    check_evidence(vec![attempt(Some("bad"), answered(401, &[]))], &[]);
    check_evidence(vec![attempt(None, served())], &[]);
}
