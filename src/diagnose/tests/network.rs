//! What stands between a cluster and its registry.

use super::*;

fn unreachable(role: Role, failure: Failure) -> Evidence {
    let end = End::Unreachable { hop: hop(role), failure };
    match role {
        Role::TokenService | Role::DataHost => {
            Evidence { attempts: vec![attempt(Some("good"), end)], ..evidence() }
        }
        Role::Registry
        | Role::RedirectTarget
        | Role::Proxy
        | Role::Mirror
        | Role::Metadata
        | Role::Entra => {
            Evidence { opening: attempt(None, end), attempts: Vec::new(), ..evidence() }
        }
    }
}

fn certificate(problem: CertificateProblem) -> Failure {
    let seen = Certificate {
        issuer: "CN=Shop CA".to_owned(),
        not_before: "2027-01-01T00:00:00Z".to_owned(),
        not_after: "2025-01-01T00:00:00Z".to_owned(),
        names: vec!["other.test".to_owned()],
        ..Certificate::default()
    };
    Failure::Certificate { problem, seen }
}

/// Each failure, its code, words of its message, and what the kubelet says of the same.
fn table() -> Vec<(Failure, Code, &'static str, &'static str)> {
    let resolver = Some("10.96.0.10".to_owned());
    let detail = || "why".to_owned();
    vec![
        (
            Failure::NameNotFound { resolver },
            Code::DnsNameNotFound,
            "says the resolver 10.96.0.10",
            "dial tcp: lookup r.test on 10.96.0.10:53: no such host",
        ),
        (
            Failure::LookupFailed { detail: detail() },
            Code::DnsFailure,
            "r.test could not be looked up (why)",
            "lookup r.test on 10.96.0.10:53: server misbehaving",
        ),
        (
            Failure::Refused,
            Code::ConnectionRefused,
            "r.test (10.0.0.20)",
            "dial tcp 10.0.0.20:443: connect: connection refused",
        ),
        (
            Failure::TimedOut { during: StepName::Connect, millis: 9_500 },
            Code::ConnectionTimeout,
            "within 10 s (while connecting)",
            "dial tcp 10.0.0.20:443: i/o timeout",
        ),
        (
            Failure::Reset { during: StepName::Tls },
            Code::ConnectionReset,
            "in the TLS handshake",
            "Head \"https://r.test/v2/\": EOF",
        ),
        (
            Failure::NoRoute { detail: detail() },
            Code::ConnectionTimeout,
            "no way to r.test (10.0.0.20)",
            "connect: no route to host",
        ),
        (
            certificate(CertificateProblem::Untrusted),
            Code::TlsCertificateUntrusted,
            "signed by CN=Shop CA",
            "x509: certificate signed by unknown authority",
        ),
        (
            certificate(CertificateProblem::Expired),
            Code::TlsCertificateExpired,
            "expired at 2025-01-01",
            "x509: certificate has expired or is not yet valid",
        ),
        (
            certificate(CertificateProblem::NotYetValid),
            Code::TlsCertificateExpired,
            "only from 2027-01-01",
            "x509: certificate has expired or is not yet valid",
        ),
        (
            certificate(CertificateProblem::WrongName),
            Code::TlsNameMismatch,
            "for other.test, not for r.test",
            "x509: certificate is valid for other.test, not r.test",
        ),
        (
            certificate(CertificateProblem::Invalid),
            Code::TlsHandshakeFailed,
            "issued by CN=Shop CA",
            "remote error: tls: certificate required",
        ),
        (
            Failure::Handshake { detail: detail() },
            Code::TlsHandshakeFailed,
            "fails (why)",
            "remote error: tls: handshake failure",
        ),
        (
            Failure::PlainHttp,
            Code::SchemeMismatch,
            "speaks HTTP where HTTPS is expected",
            "http: server gave HTTP response to HTTPS client",
        ),
        (
            Failure::NotHttp { detail: detail() },
            Code::NotARegistry,
            "does not speak HTTP (why)",
            "net/http: HTTP/1.x transport connection broken: malformed HTTP response",
        ),
    ]
}

#[test]
fn every_failure_has_a_code_and_names_the_place() {
    for (failure, code, words, _) in table() {
        let evidence = unreachable(Role::Registry, failure);
        check(&evidence, NotPullable, &[(code, Certain)]);
        check_progress(&evidence, [Some(false), None, None, None]);
        let [finding] = diagnosis(&evidence).findings.try_into().unwrap();
        assert!(finding.message.contains(words), "{}", finding.message);
        assert_eq!(finding.hop, None);
    }
}

#[test]
fn a_failure_is_certain_only_where_the_kubelet_met_it_too() {
    for (failure, _, _, said) in table() {
        let evidence = unreachable(Role::Registry, failure);
        let confidence = |complaint: &Complaint| {
            let image = &evidence.image;
            let subject = Subject { namespace: "shop", image, complaint: Some(complaint) };
            diagnose(subject, &evidence).findings[0].confidence
        };
        let pull_failed = |cause: &str| Complaint::PullFailed { cause: cause.to_owned() };
        assert_eq!(confidence(&pull_failed(said)), Certain, "{said}");
        assert_ne!(confidence(&pull_failed("401 Unauthorized")), Certain, "{said}");
        assert_eq!(confidence(&pull_failed("")), Likely, "{said}");
        assert_eq!(confidence(&Complaint::InvalidName), Likely, "{said}");
    }
}

#[test]
fn a_token_service_that_cannot_be_reached_is_named() {
    for (failure, code, _, _) in table() {
        let is_certificate = matches!(failure, Failure::Certificate { .. });
        let evidence = unreachable(Role::TokenService, failure);
        let code = if is_certificate { code } else { Code::TokenServiceUnreachable };
        check(&evidence, NotPullable, &[(code, Certain)]);
        check_progress(&evidence, [Some(true), None, None, None]);
        let [finding] = diagnosis(&evidence).findings.try_into().unwrap();
        assert_eq!(finding.hop.as_deref(), Some("auth.r.test"));
        assert!(finding.message.contains("auth.r.test"), "{}", finding.message);
    }
}

#[test]
fn a_redirects_target_is_named_as_the_hop() {
    let evidence = unreachable(Role::RedirectTarget, Failure::Refused);
    let [finding] = diagnosis(&evidence).findings.try_into().unwrap();
    assert_eq!(finding.code, Code::ConnectionRefused);
    assert_eq!(finding.hop.as_deref(), Some("cdn.r.test"));
}

#[test]
fn a_proxy_has_codes_of_its_own() {
    let table = [
        (Failure::ProxyLoginWanted, Code::ProxyAuthenticationRequired, "wants a user name"),
        (
            Failure::TunnelRefused,
            Code::ProxyUnreachable,
            "http://proxy.r.test:3128 (10.0.0.20) does not connect",
        ),
        (Failure::Refused, Code::ProxyUnreachable, "nothing accepts connections at http://proxy"),
    ];
    for (failure, code, words) in table {
        let evidence = unreachable(Role::Proxy, failure);
        let finding = &diagnosis(&evidence).findings[0];
        assert_eq!(finding.code, code);
        assert!(finding.message.contains(words), "{}", finding.message);
        assert!(finding.remedy.contains("name r.test in NO_PROXY"), "{}", finding.remedy);
    }
}
