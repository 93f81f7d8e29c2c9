//! Findings about servers that could not be reached.

use crate::api::{Confidence, Severity};
use crate::evidence::{Certificate, CertificateProblem, Failure, Hop, Role, StepName};

use super::catalogue::{Code, Stage};
use super::{Finding, Subject, agreement};

/// What a failure to reach a server means.
pub(super) fn unreachable(subject: Subject<'_>, hop: &Hop, failure: &Failure) -> Finding {
    let finding = named(subject, hop, failure);
    let Failure::TimedOut { during, .. } = failure else { return finding };
    // A runtime waits for an answer for minutes, and this probe does not: that decides nothing,
    // unless the kubelet has met it too.
    let was_connected = !matches!(during, StepName::Dns | StepName::Connect | StepName::Tls);
    if was_connected && (subject.complaint.is_none() || finding.confidence > Confidence::Certain) {
        let message = format!("{}, for which a container runtime waits longer", finding.message);
        return Finding::new(Code::Inconclusive, Confidence::Possible, message, finding.remedy);
    }
    finding
}

/// What a pod meets on the way to a registry, as sure as it is of the kubelet: a node can leave by
/// another address than its pods, and look names up with another resolver. Certain is what the
/// kubelet says itself; a 403 without a firewall's words does not confirm one with them.
pub(super) fn as_of_node(subject: Subject<'_>, finding: Finding) -> Finding {
    let host = finding.hop.as_deref().unwrap_or(subject.registry().as_str());
    let confirms = |complaint| agreement::confirms(complaint, finding.code, host);
    let is_of_way =
        finding.severity == Severity::Error && finding.code.row().stage == Stage::Network;
    if !is_of_way || subject.complaint.is_some_and(confirms) {
        return finding;
    }
    Finding { confidence: finding.confidence.max(Confidence::Likely), ..finding }
}

/// The same, as sure as it is of the server alone.
pub(super) fn named(subject: Subject<'_>, hop: &Hop, failure: &Failure) -> Finding {
    let place = place(hop);
    let host = &hop.host;
    let (code, message) = match failure {
        Failure::NameNotFound { resolver } => {
            let says = resolver
                .as_ref()
                .map_or(String::new(), |resolver| format!(", says the resolver {resolver}"));
            let missing = format!("{host} does not exist in the DNS{says}");
            if let (Role::Registry, Some(meant)) = (hop.role, subject.registry().meant()) {
                return suspicious(subject, &missing, &meant);
            }
            (Code::DnsNameNotFound, missing)
        }
        Failure::LookupFailed { detail } => {
            (Code::DnsFailure, format!("{host} could not be looked up ({detail})"))
        }
        Failure::Refused => {
            (Code::ConnectionRefused, format!("nothing accepts connections at {place}"))
        }
        Failure::TimedOut { during, millis } => (
            Code::ConnectionTimeout,
            format!(
                "{place} does not answer within {} s ({})",
                millis.div_ceil(1000),
                waiting_for(*during)
            ),
        ),
        Failure::Reset { during } => (
            Code::ConnectionReset,
            format!("{place} closes the connection ({})", waiting_for(*during)),
        ),
        Failure::NoRoute { detail } => {
            (Code::ConnectionTimeout, format!("there is no way to {place} ({detail})"))
        }
        Failure::Certificate { problem, seen } => return certificate(subject, hop, *problem, seen),
        Failure::Handshake { detail } => {
            (Code::TlsHandshakeFailed, format!("the TLS handshake with {place} fails ({detail})"))
        }
        Failure::PlainHttp => {
            (Code::SchemeMismatch, format!("{place} speaks HTTP where HTTPS is expected"))
        }
        Failure::NotHttp { detail } => {
            (Code::NotARegistry, format!("what answers at {place} does not speak HTTP ({detail})"))
        }
        Failure::ProxyLoginWanted => {
            (Code::ProxyAuthenticationRequired, format!("{place} wants a user name and a password"))
        }
        Failure::TunnelRefused => {
            (Code::ProxyUnreachable, format!("{place} does not connect to it"))
        }
    };
    // What is to be done depends on what happens at the hop, whichever hop it is.
    let remedy = match hop.role {
        Role::Proxy | Role::Metadata => subject.remedy(of_hop(code, hop.role), None),
        Role::Mirror => subject.remedy_at(of_hop(code, hop.role), host),
        Role::Registry
        | Role::RedirectTarget
        | Role::TokenService
        | Role::DataHost
        | Role::Entra => subject.remedy_at(code, host),
    };
    let code = of_hop(code, hop.role);
    let subject_of = match hop.role {
        Role::Registry | Role::RedirectTarget => message,
        Role::Proxy => {
            format!("the way to {} goes through a proxy, and {message}", subject.registry())
        }
        Role::Mirror => of_mirror(subject, host, &message),
        Role::Metadata => format!("the node's metadata service cannot be reached: {message}"),
        Role::Entra => format!("Entra ID cannot be reached: {message}"),
        Role::TokenService => {
            format!("the token service of {} cannot be reached: {message}", subject.registry())
        }
        Role::DataHost => format!(
            "{} serves the manifest and keeps layers elsewhere, which cannot be reached: {message}",
            subject.registry()
        ),
    };
    Finding::new(code, subject.confidence(code, host), subject_of, remedy)
}

/// What is wrong with a server in the registry's place.
pub(super) fn of_mirror(subject: Subject<'_>, host: &str, message: &str) -> String {
    format!("the mirror {host}, which stands before {}, fails: {message}", subject.registry())
}

/// Where the hop that failed has a code of its own, that is the answer; a certificate keeps
/// its code at every hop.
fn of_hop(code: Code, role: Role) -> Code {
    match role {
        Role::Registry | Role::RedirectTarget => code,
        Role::TokenService | Role::Entra => Code::TokenServiceUnreachable,
        Role::Metadata => Code::IdentityEndpointUnreachable,
        Role::DataHost => Code::DataEndpointUnreachable,
        Role::Mirror => Code::MirrorUnreachable,
        Role::Proxy if code == Code::ProxyAuthenticationRequired => code,
        Role::Proxy => Code::ProxyUnreachable,
    }
}

fn certificate(
    subject: Subject<'_>,
    hop: &Hop,
    problem: CertificateProblem,
    seen: &Certificate,
) -> Finding {
    let place = place(hop);
    let Certificate { issuer, not_before, not_after, names, .. } = seen;
    let (code, message) = match problem {
        CertificateProblem::Untrusted => (
            Code::TlsCertificateUntrusted,
            format!("the certificate of {place} is signed by {issuer}, which is not trusted"),
        ),
        CertificateProblem::Expired => (
            Code::TlsCertificateExpired,
            format!("the certificate of {place} expired at {not_after}"),
        ),
        CertificateProblem::NotYetValid => (
            Code::TlsCertificateExpired,
            format!("the certificate of {place} is valid only from {not_before} on"),
        ),
        CertificateProblem::WrongName => (
            Code::TlsNameMismatch,
            format!("the certificate of {place} is for {}, not for {}", list(names), hop.host),
        ),
        CertificateProblem::Invalid => (
            Code::TlsHandshakeFailed,
            format!("the certificate of {place}, issued by {issuer}, is not valid"),
        ),
    };
    let remedy = subject.remedy_at(code, &hop.host);
    Finding::new(code, subject.confidence(code, &hop.host), message, remedy)
}

/// A name that does not exist, and is nearly one that registries have.
fn suspicious(subject: Subject<'_>, missing: &str, meant: &str) -> Finding {
    let code = Code::RegistryNameSuspicious;
    let message = format!("{missing}, and looks like {meant} misspelt");
    let finding = Finding::new(code, Confidence::Likely, message, subject.remedy(code, None));
    Finding { severity: Severity::Error, ..finding }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") }
}

fn place(hop: &Hop) -> String {
    match hop.address.filter(|address| address.to_string() != hop.host) {
        Some(address) => format!("{} ({address})", hop.host),
        None => hop.host.clone(),
    }
}

fn waiting_for(step: StepName) -> &'static str {
    match step {
        StepName::Dns => "while looking up its name",
        StepName::Connect => "while connecting",
        StepName::Tls => "in the TLS handshake",
        StepName::Challenge => "after the first request",
        StepName::Identity => "after asking for the identity's token",
        StepName::Exchange => "after asking to exchange the identity's token",
        StepName::Token => "after asking for a token",
        StepName::Manifest | StepName::Platform => "after asking for the manifest",
        StepName::Config => "after asking for the image's configuration",
        StepName::Layer => "after asking for a layer",
    }
}
