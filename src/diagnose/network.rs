//! Findings about servers that could not be reached.

use crate::evidence::{Certificate, CertificateProblem, Failure, Hop, Role, StepName};

use super::catalogue::Code;
use super::{Finding, Subject};

/// What a failure to reach a server means.
pub(super) fn unreachable(subject: Subject<'_>, hop: &Hop, failure: &Failure) -> Finding {
    let place = place(hop);
    let host = &hop.host;
    let (code, words, message, remedy): (_, &[&str], _, _) = match failure {
        Failure::NameNotFound { resolver } => {
            let says = resolver
                .as_ref()
                .map_or(String::new(), |resolver| format!(", says the resolver {resolver}"));
            (
                Code::DnsNameNotFound,
                &["no such host"],
                format!("{host} does not exist in the DNS{says}"),
                format!(
                    "Correct the registry's name in the image, or make the name known to the cluster's resolver. To see what a node sees: nslookup {host}"
                ),
            )
        }
        Failure::LookupFailed { detail } => (
            Code::DnsFailure,
            &["server misbehaving", "read udp", "temporary failure in name resolution"],
            format!("{host} could not be looked up ({detail})"),
            format!(
                "Look at the cluster's resolver (kubectl get pods -n kube-system -l k8s-app=kube-dns) and at the one it asks. To see what a node sees: nslookup {host}"
            ),
        ),
        Failure::Refused => (
            Code::ConnectionRefused,
            &["connection refused"],
            format!("nothing accepts connections at {place}"),
            format!(
                "Check the port in the image's name, that the registry runs, and that no firewall refuses. To test it: curl -v https://{host}/v2/"
            ),
        ),
        Failure::TimedOut { during, millis } => (
            Code::ConnectionTimeout,
            &["timeout", "deadline exceeded"],
            format!(
                "{place} does not answer within {} s ({})",
                millis.div_ceil(1000),
                waiting_for(*during)
            ),
            format!(
                "Open the way from the cluster to {place} in firewalls, network policies and routes. To test it: curl -v --max-time 10 https://{host}/v2/"
            ),
        ),
        Failure::Reset { during } => (
            Code::ConnectionReset,
            &["reset by peer", "eof"],
            format!("{place} closes the connection ({})", waiting_for(*during)),
            format!(
                "Look for a firewall or proxy between the cluster and {place}, and at the log of the registry. To test it: curl -v https://{host}/v2/"
            ),
        ),
        Failure::NoRoute { detail } => (
            Code::ConnectionTimeout,
            &["no route", "unreachable"],
            format!("there is no way to {place} ({detail})"),
            format!("Give the cluster a route to {place}."),
        ),
        Failure::Certificate { problem, seen } => return certificate(subject, hop, *problem, seen),
        Failure::Handshake { detail } => (
            Code::TlsHandshakeFailed,
            &["tls:", "handshake"],
            format!("the TLS handshake with {place} fails ({detail})"),
            format!(
                "Compare the TLS versions and ciphers of both sides: openssl s_client -connect {}",
                with_port(host)
            ),
        ),
        Failure::PlainHttp => (
            Code::SchemeMismatch,
            &["http response to https client"],
            format!("{place} speaks HTTP where HTTPS is expected"),
            format!(
                "Put the registry behind TLS, or tell each node to speak HTTP to it: a file hosts.toml in /etc/containerd/certs.d/{host}/ with [host.\"http://{host}\"]"
            ),
        ),
        Failure::NotHttp { detail } => (
            Code::NotARegistry,
            &["malformed http"],
            format!("what answers at {place} does not speak HTTP ({detail})"),
            "Check the host and the port in the image's name.".to_owned(),
        ),
    };
    let code = of_hop(code, hop.role);
    let subject_of = match hop.role {
        Role::Registry | Role::RedirectTarget => message,
        Role::TokenService => {
            format!("the token service of {} cannot be reached: {message}", subject.registry())
        }
    };
    Finding::new(code, subject.confidence(words), subject_of, remedy)
}

/// Where the hop that failed has a code of its own, that is the answer; a certificate keeps
/// its code at every hop.
fn of_hop(code: Code, role: Role) -> Code {
    match role {
        Role::Registry | Role::RedirectTarget => code,
        Role::TokenService => Code::TokenServiceUnreachable,
    }
}

fn certificate(
    subject: Subject<'_>,
    hop: &Hop,
    problem: CertificateProblem,
    seen: &Certificate,
) -> Finding {
    let place = place(hop);
    let target = with_port(&hop.host);
    let Certificate { issuer, not_before, not_after, names, .. } = seen;
    let look = format!("To look at it: openssl s_client -connect {target} -showcerts");
    let (code, words, message, remedy): (_, &[&str], _, _) = match problem {
        CertificateProblem::Untrusted => (
            Code::TlsCertificateUntrusted,
            &["unknown authority", "not trusted", "self-signed"],
            format!("the certificate of {place} is signed by {issuer}, which is not trusted"),
            format!(
                "If that is your own authority, give it to the nodes (a ca line in /etc/containerd/certs.d/{}/hosts.toml) and to this controller (its ConfigMap registrycheck-ca). If it is a proxy's, let traffic to the registry pass it by. {look}",
                hop.host
            ),
        ),
        CertificateProblem::Expired => (
            Code::TlsCertificateExpired,
            &["expired"],
            format!("the certificate of {place} expired at {not_after}"),
            format!("Renew the registry's certificate. {look}"),
        ),
        CertificateProblem::NotYetValid => (
            Code::TlsCertificateExpired,
            &["expired"],
            format!("the certificate of {place} is valid only from {not_before} on"),
            format!(
                "Check the clocks of this cluster and of whoever issued the certificate. {look}"
            ),
        ),
        CertificateProblem::WrongName => (
            Code::TlsNameMismatch,
            &[
                "certificate is valid for",
                "not valid for any names",
                "cannot validate certificate",
                "common name",
            ],
            format!("the certificate of {place} is for {}, not for {}", list(names), hop.host),
            format!("Use a name that the certificate has, or issue one for {}. {look}", hop.host),
        ),
        CertificateProblem::Invalid => (
            Code::TlsHandshakeFailed,
            &["x509", "tls:"],
            format!("the certificate of {place}, issued by {issuer}, is not valid"),
            look,
        ),
    };
    Finding::new(code, subject.confidence(words), message, remedy)
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") }
}

fn place(hop: &Hop) -> String {
    hop.address.map_or_else(|| hop.host.clone(), |address| format!("{} ({address})", hop.host))
}

fn with_port(host: &str) -> String {
    if host.contains(':') { host.to_owned() } else { format!("{host}:443") }
}

fn waiting_for(step: StepName) -> &'static str {
    match step {
        StepName::Dns => "while looking up its name",
        StepName::Connect => "while connecting",
        StepName::Tls => "in the TLS handshake",
        StepName::Challenge => "after the first request",
        StepName::Token => "after asking for a token",
        StepName::Manifest => "after asking for the manifest",
    }
}
