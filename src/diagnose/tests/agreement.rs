//! The kubelet's words beside what was seen: each pair that could mislead.

use crate::api::FindingStatus;

use super::*;

/// How containerd begins.
pub(super) fn resolve(end: &str) -> Complaint {
    let cause = format!(
        "failed to pull and unpack image \"{IMAGE}\": failed to resolve reference \"{IMAGE}\": {end}"
    );
    Complaint::PullFailed { cause }
}

pub(super) fn head(end: &str) -> Complaint {
    resolve(&format!(
        "failed to do request: Head \"https://r.test/v2/shop/api/manifests/1\": {end}"
    ))
}

fn copy(end: &str) -> Complaint {
    Complaint::PullFailed {
        cause: format!("failed to pull and unpack image \"{IMAGE}\": failed to copy: {end}"),
    }
}

pub(super) fn subject<'subject>(
    image: &'subject ImageRef,
    complaint: &'subject Complaint,
) -> Subject<'subject> {
    Subject { namespace: "shop", image, complaint: Some(complaint) }
}

pub(super) fn before(code: Code) -> FindingStatus {
    let severity = if code == Code::NodeDisagrees { Severity::Warning } else { Severity::Error };
    serde_json::from_value(serde_json::json!({
        "code": code.as_str(), "severity": severity, "confidence": "Likely",
        "owner": "Cluster", "message": "", "remedy": "", "images": [IMAGE], "totalImages": 1,
        "pods": ["app"], "totalPods": 1, "episode": "1",
        "firstSeen": "2026-01-01T00:00:00Z", "lastSeen": "2026-01-01T00:00:00Z",
    }))
    .unwrap()
}

pub(super) fn contradicted(
    evidence: &Evidence,
    complaint: &Complaint,
    fresh: bool,
    before: &[FindingStatus],
) -> Diagnosis {
    let subject = subject(&evidence.image, complaint);
    let heard = Heard { fresh, before };
    contradict(subject, IMAGE, evidence, heard, diagnose(subject, evidence))
}

#[track_caller]
pub(super) fn check_first(
    diagnosis: &Diagnosis,
    verdict: Verdict,
    code: Code,
    confidence: Confidence,
) {
    let first = &diagnosis.findings[0];
    let found = (diagnosis.verdict, first.code, first.confidence);
    assert_eq!(found, (verdict, code, confidence), "{}", first.message);
    assert!(first.code == Code::Pullable || !first.remedy.is_empty());
    assert!(!first.message.ends_with('.'), "a clause: {}", first.message);
}

/// What the kubelet says, what is found, how sure that is, and words of its message.
type Row = (Complaint, Code, Confidence, &'static str);

/// Served to the probe, and just failed on the node.
fn served_and_failed() -> Vec<Row> {
    [of_the_way(), of_what_no_probe_sees()].concat()
}

fn of_the_way() -> Vec<Row> {
    vec![
        (
            head("dial tcp: lookup r.test on 10.0.0.10:53: no such host"),
            Code::NodeDisagrees,
            Likely,
            "the node cannot look up r.test",
        ),
        (
            head("dial tcp: lookup r.test on 10.0.0.10:53: server misbehaving"),
            Code::NodeDisagrees,
            Likely,
            "the node cannot look up r.test",
        ),
        (
            head("dial tcp 10.0.0.20:443: i/o timeout"),
            Code::NodeDisagrees,
            Likely,
            "the node gets no answer from r.test",
        ),
        (
            head(
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            ),
            Code::NodeTrustStoreOutdated,
            Likely,
            "the node does not trust the certificate of r.test",
        ),
        (
            head(
                "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2020-01-01T00:00:00Z is before 2026-01-01T00:00:00Z",
            ),
            Code::NodeDisagrees,
            Likely,
            "current time 2020-01-01T00:00:00Z is before",
        ),
        (
            head("http: server gave HTTP response to HTTPS client"),
            Code::NodeDisagrees,
            Likely,
            "is not what serves the pod network",
        ),
        (
            resolve(
                "unexpected status from HEAD request to https://r.test/v2/shop/api/manifests/1: 403 Forbidden",
            ),
            Code::NodeDisagrees,
            Likely,
            "r.test refuses the node with a 403",
        ),
    ]
}

fn of_what_no_probe_sees() -> Vec<Row> {
    let mirror = "failed to do request: Head \"https://mirror.test:5000/v2/shop/api/manifests/1?ns=r.test\": dial tcp 10.0.0.9:5000: connect: connection refused";
    let mirror_404 = "unexpected status from HEAD request to https://mirror.test/v2/shop/api/manifests/1?ns=r.test: 503 Service Unavailable";
    vec![
        (
            head("proxyconnect tcp: dial tcp 10.0.0.9:3128: connect: connection refused"),
            Code::ProxyUnreachable,
            Certain,
            "the node fails all the same",
        ),
        (resolve(mirror), Code::MirrorUnreachable, Likely, "asks the mirror mirror.test:5000"),
        (resolve(mirror_404), Code::MirrorUnreachable, Likely, "asks the mirror mirror.test"),
        (
            Complaint::PullFailed {
                cause: format!(
                    "failed to pull and unpack image \"{IMAGE}\": no match for platform in manifest: not found"
                ),
            },
            Code::PlatformMismatch,
            Certain,
            "the node fails all the same",
        ),
        (
            copy(
                "httpReadSeeker: failed open: failed to do request: Get \"https://cdn.test/layer?sig=canary\": dial tcp 10.0.0.9:443: i/o timeout",
            ),
            Code::DataEndpointUnreachable,
            Certain,
            "cdn.test",
        ),
        (
            copy(
                "failed commit on ref \"layer-sha256:abc\": unexpected commit digest sha256:e3b0c442, expected sha256:abc: failed precondition",
            ),
            Code::ContentCorrupted,
            Certain,
            "unexpected commit digest",
        ),
        (
            resolve(
                "unexpected status from HEAD request to https://r.test/v2/shop/api/manifests/1: 429 Too Many Requests",
            ),
            Code::RateLimited,
            Certain,
            "429",
        ),
        (
            resolve(&format!("{IMAGE}: not found")),
            Code::NodeDisagrees,
            Likely,
            "is told that r.test/shop/api:1 is not there",
        ),
        (Complaint::PullFailed { cause: String::new() }, Code::NodeDisagrees, Likely, "to pull it"),
        (
            Complaint::PullFailed { cause: "something else".to_owned() },
            Code::NodeDisagrees,
            Likely,
            "something else",
        ),
    ]
}

#[test]
fn what_the_node_met_and_the_probe_did_not_is_the_finding() {
    for (complaint, code, confidence, says) in served_and_failed() {
        let diagnosis = contradicted(&evidence(), &complaint, true, &[]);
        check_first(&diagnosis, NotPullable, code, confidence);
        let message = &diagnosis.findings[0].message;
        assert!(message.contains(says), "{message}");
        assert!(!message.contains("canary"), "{message}");
    }
}

#[test]
fn words_of_an_attempt_that_is_over_contradict_nothing() {
    for (complaint, code, confidence, _) in of_what_no_probe_sees() {
        let diagnosis = contradicted(&evidence(), &complaint, false, &[]);
        if code != Code::NodeDisagrees {
            check_first(&diagnosis, NotPullable, code, confidence.max(Likely));
        }
    }
    for (complaint, ..) in of_the_way() {
        let diagnosis = contradicted(&evidence(), &complaint, false, &[]);
        check_first(&diagnosis, Pullable, Code::Pullable, Certain);
    }
    for (complaint, ..) in served_and_failed() {
        let mended = [before(Code::CredentialRejected)];
        for fresh in [true, false] {
            let diagnosis = contradicted(&evidence(), &complaint, fresh, &mended);
            check_first(&diagnosis, Pullable, Code::Pullable, Certain);
        }
    }
}

#[test]
fn what_no_probe_sees_is_not_mended_by_one() {
    for (complaint, code, confidence, _) in served_and_failed() {
        for known in [code, Code::NodeDisagrees] {
            let diagnosis = contradicted(&evidence(), &complaint, false, &[before(known)]);
            check_first(&diagnosis, NotPullable, code, confidence);
        }
    }
}

/// The first attempt of a new pod can lack a secret that exists.
#[test]
fn an_attempt_without_the_secret_is_expected_to_pass() {
    let without_secret = [
        resolve("pulling from host r.test failed with status code [manifests 1]: 401 Unauthorized"),
        resolve(
            "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://auth.r.test/token?scope=repository: 401 Unauthorized",
        ),
        resolve(
            "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
        ),
    ];
    for complaint in &without_secret {
        let diagnosis = contradicted(&evidence(), complaint, true, &[]);
        check_first(&diagnosis, Undecided, Code::NodeDisagrees, Possible);
        assert_eq!(diagnosis.findings[0].severity, Severity::Warning);
        let again = contradicted(&evidence(), complaint, true, &[before(Code::NodeDisagrees)]);
        assert_eq!(again.verdict, NotPullable, "it did not pass");
        assert!(again.findings[0].confidence > Certain);
    }
    // Nothing was lacking where the pod network needs no secret.
    let open = Evidence { opening: attempt(None, served()), attempts: Vec::new(), ..evidence() };
    let diagnosis = contradicted(&open, &without_secret[0], true, &[]);
    check_first(&diagnosis, NotPullable, Code::NodeDisagrees, Likely);
    // A credential that was sent was no missing one.
    let sent = resolve(
        "failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://auth.r.test/token: 401 Unauthorized",
    );
    let diagnosis = contradicted(&evidence(), &sent, true, &[]);
    check_first(&diagnosis, NotPullable, Code::NodeDisagrees, Likely);
}

#[test]
fn a_fault_of_the_registry_that_is_over_passes() {
    let fault = resolve(
        "unexpected status from HEAD request to https://r.test/v2/shop/api/manifests/1: 503 Service Unavailable",
    );
    let diagnosis = contradicted(&evidence(), &fault, true, &[]);
    check_first(&diagnosis, Undecided, Code::NodeDisagrees, Possible);
}

#[test]
fn a_corrected_name_contradicts_nothing() {
    let diagnosis = contradicted(&evidence(), &Complaint::InvalidName, true, &[]);
    check_first(&diagnosis, Pullable, Code::Pullable, Certain);
}

#[test]
fn of_long_words_the_end_is_quoted_and_no_signature() {
    assert_eq!(quote("short"), "short");
    let long = format!("{} the cause", "x".repeat(400));
    assert!(quote(&long).ends_with("the cause"));
    assert!(quote(&long).chars().count() <= 303);
    let signed = "Get \"https://x.test/a?sig=canary&ns=1\": EOF? why";
    assert_eq!(quote(signed), "Get \"https://x.test/a\": EOF? why");
}
