//! The kubelet's words beside a probe that failed as well, and words that need no probe.

use super::agreement::{check_first, head, resolve, subject};
use super::*;

fn unreachable(failure: Failure) -> Evidence {
    let end = End::Unreachable { hop: hop(Role::Registry), failure };
    Evidence { opening: attempt(None, end), attempts: Vec::new(), ..evidence() }
}

fn timed_out() -> Evidence {
    unreachable(Failure::TimedOut { during: StepName::Connect, millis: 1_000 })
}

/// Both failed, and not alike: the finding that goes first, and how the probe's own is kept.
#[test]
fn where_both_fail_the_nodes_way_is_the_nodes_to_tell() {
    let refused = || with_end(answered(401, &["UNAUTHORIZED"]));
    let gone = || Evidence { repository: Some(Repository::Exists), ..with_end(answered(404, &[])) };
    let not_known = resolve(&format!("{IMAGE}: not found"));
    let no_name = head("dial tcp: lookup r.test on 10.0.0.10:53: no such host");
    let untrusted = head("x509: certificate signed by unknown authority");
    let proxy = head("proxyconnect tcp: dial tcp 10.0.0.9:3128: connect: connection refused");
    let firewall = resolve(
        "unexpected status from HEAD request to https://r.test/v2/shop/api/manifests/1: 403 Forbidden: denied: client with IP '192.0.2.7' is not allowed access",
    );
    let platform = Complaint::PullFailed {
        cause: format!(
            "failed to pull and unpack image \"{IMAGE}\": no match for platform in manifest: not found"
        ),
    };
    let timeout = (Code::ConnectionTimeout, Severity::Warning);
    let table = [
        // The node got further.
        (timed_out(), &not_known, Code::TagNotFound, Likely, timeout),
        (timed_out(), &platform, Code::PlatformMismatch, Certain, timeout),
        (timed_out(), &firewall, Code::NetworkRuleDenied, Certain, timeout),
        // It met something else on the way.
        (timed_out(), &proxy, Code::ProxyUnreachable, Certain, timeout),
        // The probe got further, and what it met is still to come.
        (gone(), &no_name, Code::DnsNameNotFound, Likely, (Code::TagNotFound, Severity::Error)),
        (
            timed_out(),
            &no_name,
            Code::DnsNameNotFound,
            Likely,
            (Code::ConnectionTimeout, Severity::Error),
        ),
        (
            refused(),
            &untrusted,
            Code::NodeTrustStoreOutdated,
            Likely,
            (Code::NotFoundOrNotAuthorized, Severity::Error),
        ),
    ];
    for (evidence, complaint, code, confidence, other) in table {
        let diagnosis = diagnose(subject(&evidence.image, complaint), &evidence);
        let first = diagnosis.findings.iter().find(|finding| finding.code == code).unwrap();
        let kept = diagnosis.findings.iter().find(|finding| finding.code == other.0).unwrap();
        assert_eq!((first.severity, first.confidence), (Severity::Error, confidence), "{code}");
        assert_eq!(kept.severity, other.1, "{code}");
        assert!(kept.severity == Severity::Warning || kept.confidence > Certain, "{code}");
        assert_eq!(diagnosis.verdict, NotPullable);
    }
}

/// The probe decides between what ambiguous words allow.
#[test]
fn ambiguous_words_are_explained_by_the_probe() {
    let unauthorized =
        resolve("pulling from host r.test failed with status code [manifests 1]: 401 Unauthorized");
    let rejected = {
        let answer = Answer { status: 401, ..Answer::default() };
        let end = End::Answered { hop: hop(Role::TokenService), step: StepName::Token, answer };
        Evidence { attempts: vec![attempt(Some("bad"), end)], ..evidence() }
    };
    let gone = Evidence { repository: Some(Repository::Exists), ..with_end(answered(404, &[])) };
    let missing = without_credential(&[missing("regcred")]);
    for (evidence, code) in [
        (rejected, Code::CredentialRejected),
        (gone, Code::TagNotFound),
        (missing, Code::PullSecretMissing),
    ] {
        let diagnosis = diagnose(subject(&evidence.image, &unauthorized), &evidence);
        check_first(&diagnosis, NotPullable, code, Certain);
        assert_eq!(diagnosis.findings.len(), 1);
    }
}

/// A mirror's failure is not the registry's.
#[test]
fn a_mirror_that_fails_alike_confirms_nothing() {
    let refused = unreachable(Failure::Refused);
    let mirror = resolve(
        "failed to do request: Head \"https://mirror.test/v2/shop/api/manifests/1?ns=r.test\": dial tcp 10.0.0.9:443: connect: connection refused",
    );
    let diagnosis = diagnose(subject(&refused.image, &mirror), &refused);
    check_first(&diagnosis, NotPullable, Code::ConnectionRefused, Likely);
    let own = head("dial tcp 10.0.0.20:443: connect: connection refused");
    let diagnosis = diagnose(subject(&refused.image, &own), &refused);
    check_first(&diagnosis, NotPullable, Code::ConnectionRefused, Certain);
}

#[test]
fn where_no_probe_was_possible_the_words_count() {
    let end = End::NotSent {
        host: "auth.other.test".to_owned(),
        reason: NotSent::ForeignRealm { realm: "https://auth.other.test/token".to_owned() },
    };
    let evidence = Evidence { attempts: vec![attempt(Some("good"), end)], ..evidence() };
    let said = head("dial tcp 10.0.0.20:443: i/o timeout");
    let diagnosis = diagnose(subject(&evidence.image, &said), &evidence);
    check_first(&diagnosis, NotPullable, Code::ConnectionTimeout, Certain);
    let vague = Complaint::PullFailed { cause: "something else".to_owned() };
    let diagnosis = diagnose(subject(&evidence.image, &vague), &evidence);
    check_first(&diagnosis, Undecided, Code::Inconclusive, Possible);
}

/// Kubelet's and runtimes' words of themselves, of containerd, CRI-O and Docker.
#[test]
fn words_about_the_node_itself_ask_no_registry() {
    let table = [
        ("pull QPS exceeded", Code::PullQpsExceeded),
        (
            "failed to pull and unpack image \"r.test/shop/api:1\": failed to extract layer sha256:abc: write /var/lib/containerd/x: no space left on device",
            Code::NodeDiskFull,
        ),
        (
            "writing blob: storing blob to file \"/var/tmp/storage123/1\": write /var/tmp/storage123/1: no space left on device",
            Code::NodeDiskFull,
        ),
        (
            "failed to register layer: Error processing tar file(exit status 1): write /usr/lib/x: no space left on device",
            Code::NodeDiskFull,
        ),
        (
            "SignatureValidationFailed: Source image rejected: A signature was required, but no signature exists",
            Code::SignatureRejected,
        ),
        (
            "short-name \"shop/api:1\" did not resolve to an alias and no unqualified-search registries are defined in \"/etc/containers/registries.conf\"",
            Code::RegistryNameSuspicious,
        ),
    ];
    for (cause, code) in table {
        let complaint = Complaint::PullFailed { cause: cause.to_owned() };
        let image = ImageRef::parse(IMAGE).unwrap();
        let diagnosis = without_probe(subject(&image, &complaint), &[]).unwrap();
        assert_eq!(diagnosis.findings[0].code, code, "{cause}");
        assert_eq!(diagnosis.findings[0].severity, Severity::Error, "{cause}");
        assert!(!diagnosis.findings[0].remedy.is_empty(), "{cause}");
    }
    // A disk of the registry's is none of the node's, and a name that cannot be looked up is
    // asked for.
    for cause in ["500 Internal Server Error: no space left on device", "no such host", ""] {
        let complaint = Complaint::PullFailed { cause: cause.to_owned() };
        let image = ImageRef::parse(IMAGE).unwrap();
        assert_eq!(without_probe(subject(&image, &complaint), &[]), None, "{cause}");
    }
}
