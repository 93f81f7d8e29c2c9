//! Meanings: from what was read to a code and how sure it is. One match for each kind of
//! fact, without a catch-all.

use crate::api::Confidence::{self, Certain, Likely, Possible};

use super::super::catalogue::{Code, Stage};
use super::Meaning;
use super::answer::Answer;
use super::element::{Asked, Element, Sent};
use super::fact::Fact;
use super::hop::Role;
use super::reach::Reach;
use super::transport::{Kind, Transport};

/// What one chain means, the likeliest first.
pub(super) fn of(element: &Element) -> Vec<Meaning> {
    let rows = match element.fact {
        Fact::Said(code, confidence) => said(element, code, confidence),
        Fact::Open(code, confidence) => open(element, code, confidence),
        Fact::Answered(answer) => answered(element, answer),
        Fact::Failed(transport) => failed(element, transport),
        Fact::Unsaid => unsaid(element),
    };
    let meaning = |(code, confidence)| Meaning {
        code,
        confidence,
        host: element.hop.host.clone().filter(|_| is_about_a_host(code)),
    };
    rows.into_iter().map(meaning).collect()
}

fn is_about_a_host(code: Code) -> bool {
    match code.row().stage {
        Stage::Network
        | Stage::Authentication
        | Stage::Authorization
        | Stage::Image
        | Stage::Registry => true,
        Stage::Reference | Stage::Credential | Stage::Identity | Stage::Node | Stage::Verdict => {
            false
        }
    }
}

type Rows = Vec<(Code, Confidence)>;

fn said(element: &Element, code: Code, confidence: Confidence) -> Rows {
    let mut rows = vec![(code, confidence)];
    if code == Code::UsernameUnknown {
        rows.push((Code::ServicePrincipalUnknown, Possible));
    } else if code == Code::ServicePrincipalSecretInvalid && confidence != Certain {
        rows.push((Code::ServicePrincipalSecretExpired, Possible));
    } else if code == Code::ContentCorrupted {
        rows.push((Code::RuntimeFailure, Possible));
    } else if code == Code::ImageInspectFailed {
        rows.extend(element.behind);
    }
    rows
}

/// What was done when it failed. Of what a message leaves out while layers are unpacked, a
/// full disk is the commonest.
fn open(element: &Element, code: Code, confidence: Confidence) -> Rows {
    let mut rows = said(element, code, confidence);
    if code == Code::RuntimeFailure && element.wrapped == Reach::Extract {
        rows.push((Code::NodeDiskFull, Possible));
    }
    rows
}

fn answered(element: &Element, answer: Answer) -> Rows {
    match answer {
        Answer::Firewall => vec![(Code::NetworkRuleDenied, Certain)],
        Answer::Limited => vec![(Code::RateLimited, Certain)],
        Answer::ProxyLogin => vec![(Code::ProxyAuthenticationRequired, Certain)],
        Answer::Fault => vec![(Code::RegistryUnavailable, of_the_fault(element))],
        Answer::Expired => vec![(Code::CredentialExpired, Certain)],
        Answer::WrongPassword => vec![(Code::CredentialRejected, Likely)],
        Answer::NoCredential => vec![(Code::NoCredentials, Likely)],
        Answer::RightMissing => {
            vec![(Code::PullNotAuthorized, Likely), (Code::NotFoundOrNotAuthorized, Possible)]
        }
        Answer::Hidden => hidden(element),
        Answer::TokenInvalid => {
            vec![(Code::NotFoundOrNotAuthorized, Likely), (Code::CredentialRejected, Possible)]
        }
        Answer::Forbidden => forbidden(element),
        Answer::ForbiddenPage if element.hop.role == Role::Exchange || element.hop.is_azure() => {
            forbidden(element)
        }
        Answer::ForbiddenPage => {
            vec![(Code::AccessForbidden, Likely), (Code::NetworkRuleDenied, Possible)]
        }
        Answer::Withheld => vec![(Code::AccessForbidden, Likely)],
        Answer::Unsigned => {
            vec![(Code::AccessForbidden, Likely), (Code::SignatureRejected, Possible)]
        }
        Answer::PreconditionFailed => vec![(Code::AccessForbidden, Possible)],
        Answer::Unauthorized => unauthorized(element),
        Answer::TagUnknown => vec![(Code::TagNotFound, Certain)],
        Answer::ManifestUnknown => vec![(Code::TagNotFound, Likely)],
        Answer::DigestUnknown => match element.asked {
            Asked::Tag => vec![(Code::ManifestDangling, Likely), (Code::TagNotFound, Possible)],
            Asked::Digest => vec![(Code::TagNotFound, Likely)],
            Asked::Unsaid => {
                vec![(Code::TagNotFound, Possible), (Code::ManifestDangling, Possible)]
            }
        },
        Answer::ChildUnknown => match element.asked {
            Asked::Tag | Asked::Unsaid => vec![(Code::ManifestDangling, Likely)],
            Asked::Digest => vec![(Code::ManifestDangling, Likely), (Code::TagNotFound, Possible)],
        },
        Answer::NameUnknown => vec![(Code::RepositoryNotFound, Likely)],
        Answer::BlobUnknown => vec![(Code::LayerNotFound, Likely)],
        Answer::NotFound => not_found(element),
        Answer::WebPage => vec![(Code::NotARegistry, Likely)],
        Answer::Strange => inconclusive(),
    }
}

fn not_found(element: &Element) -> Rows {
    match element.wrapped {
        Reach::Blob | Reach::Extract => vec![(Code::LayerNotFound, Likely)],
        Reach::Token => vec![(Code::Inconclusive, Possible), (Code::NotARegistry, Possible)],
        _ if element.is_of_the_base => vec![(Code::NotARegistry, Likely)],
        Reach::Unknown | Reach::Local | Reach::Reference | Reach::Manifest => {
            vec![(Code::TagNotFound, Likely), (Code::RepositoryNotFound, Possible)]
        }
    }
}

fn hidden(element: &Element) -> Rows {
    let mut rows =
        vec![(Code::NotFoundOrNotAuthorized, Likely), (Code::PullNotAuthorized, Possible)];
    if element.hop.host.as_deref() == Some("docker.io") {
        rows.push((Code::RepositoryNotFound, Possible));
    }
    rows
}

fn forbidden(element: &Element) -> Rows {
    let is_azure = element.hop.is_azure();
    match (element.hop.role, element.sent) {
        (Role::Exchange, _) => vec![(Code::TokenExchangeDenied, Likely)],
        // Without a credential there is nothing else that could be refused.
        (_, Sent::Nothing) if is_azure => vec![
            (Code::NetworkRuleDenied, Likely),
            (Code::AccessForbidden, Likely),
            (Code::PrivateLinkMisrouted, Possible),
        ],
        _ if is_azure => vec![
            (Code::AccessForbidden, Likely),
            (Code::NetworkRuleDenied, Possible),
            (Code::PrivateLinkMisrouted, Possible),
        ],
        _ => vec![(Code::AccessForbidden, Likely), (Code::NotFoundOrNotAuthorized, Possible)],
    }
}

fn unauthorized(element: &Element) -> Rows {
    match (element.hop.role, element.sent) {
        (Role::Exchange, _) => vec![(Code::TokenExchangeDenied, Likely)],
        (_, Sent::Credential) => {
            vec![(Code::CredentialRejected, Likely), (Code::PullNotAuthorized, Possible)]
        }
        (_, Sent::Nothing) if element.hop.is_regional() => {
            vec![(Code::NoCredentials, Likely), (Code::CredentialProviderNotMatched, Likely)]
        }
        (_, Sent::Nothing) => {
            vec![(Code::NoCredentials, Likely), (Code::CredentialProviderFailed, Possible)]
        }
        (_, Sent::Unsaid) => {
            vec![(Code::CredentialRejected, Possible), (Code::NoCredentials, Possible)]
        }
    }
}

/// A failure without an answer. A hop with a code of its own answers with that, but for a
/// certificate, which keeps its code everywhere.
fn failed(element: &Element, transport: Transport) -> Rows {
    let mut own = own(element, transport);
    if element.hop.role == Role::Registry && !element.hop.is_named {
        // Where no request is named, it can have gone to a token service, a host of layers or
        // a proxy.
        for (_, confidence) in &mut own {
            *confidence = (*confidence).max(Likely);
        }
    }
    let (code, confidence) = match (element.hop.role, transport.kind()) {
        // A mirror of plain HTTP that lacks the image is asked again by HTTPS; and what a proxy
        // answers keeps its meaning.
        (_, Kind::Certificate)
        | (Role::Registry, _)
        | (Role::Mirror, Kind::PlainHttp)
        | (Role::TokenService | Role::Exchange | Role::Data, Kind::OfProxy) => return own,
        (Role::Proxy, _) => return vec![(Code::ProxyUnreachable, Certain)],
        (Role::Metadata, _) => (Code::IdentityEndpointUnreachable, Certain),
        (Role::Mirror, _) => (Code::MirrorUnreachable, Likely),
        (role, Kind::PlainHttp | Kind::Other) => {
            let code = if role == Role::Data {
                Code::DataEndpointUnreachable
            } else {
                Code::TokenServiceUnreachable
            };
            // Where no address names the host, it may be the registry itself.
            let own = own.first().map_or(Possible, |(_, confidence)| *confidence);
            (code, if element.hop.is_named { own } else { Likely })
        }
    };
    let mut rows = vec![(code, confidence)];
    rows.extend(own.into_iter().map(|(code, _)| (code, Possible)));
    rows
}

/// The code of a failure at the registry itself.
fn own(element: &Element, transport: Transport) -> Rows {
    let hop = &element.hop;
    let unless_known = if hop.is_well_known() { Likely } else { Certain };
    match transport {
        Transport::NoSuchName if hop.is_suspicious() => {
            vec![(Code::DnsNameNotFound, Certain), (Code::RegistryNameSuspicious, Likely)]
        }
        // The name may be missing in a private zone alone.
        Transport::NoSuchName if hop.is_azure() => {
            vec![(Code::DnsNameNotFound, Likely), (Code::PrivateLinkMisrouted, Possible)]
        }
        Transport::NoSuchName => vec![(Code::DnsNameNotFound, unless_known)],
        Transport::LookupFailed => vec![(Code::DnsFailure, Certain)],
        Transport::NotConnected => vec![(Code::ConnectionTimeout, Certain)],
        Transport::NoRoute | Transport::Silent => vec![(Code::ConnectionTimeout, Likely)],
        Transport::Refused => vec![(Code::ConnectionRefused, Certain)],
        Transport::Reset => vec![(Code::ConnectionReset, Certain)],
        Transport::Closed => vec![(Code::ConnectionReset, Likely)],
        Transport::Ended => vec![(Code::ConnectionReset, Possible)],
        Transport::Untrusted if hop.is_trusted() => {
            vec![(Code::TlsCertificateUntrusted, Likely), (Code::NodeTrustStoreOutdated, Possible)]
        }
        Transport::Untrusted => vec![(Code::TlsCertificateUntrusted, Certain)],
        // The text cannot show whose clock is right.
        Transport::OutOfTime if hop.is_trusted() => {
            vec![(Code::TlsCertificateExpired, Likely), (Code::NodeTrustStoreOutdated, Possible)]
        }
        Transport::OutOfTime => vec![(Code::TlsCertificateExpired, Likely)],
        Transport::OtherName => vec![(Code::TlsNameMismatch, Certain)],
        Transport::Certificate => vec![(Code::TlsCertificateUntrusted, Likely)],
        Transport::Handshake => vec![(Code::TlsHandshakeFailed, Likely)],
        // It can also be a mirror of plain HTTP that lacks the image.
        Transport::PlainHttp if hop.host.is_none() => vec![(Code::SchemeMismatch, Possible)],
        Transport::PlainHttp | Transport::TlsForHttp => vec![(Code::SchemeMismatch, Likely)],
        Transport::Malformed => vec![(Code::NotARegistry, Likely)],
        Transport::ProxyRefused => {
            vec![(Code::AccessForbidden, Likely), (Code::ProxyUnreachable, Possible)]
        }
        Transport::ProxyLogin => vec![(Code::ProxyAuthenticationRequired, Likely)],
        Transport::ProxyWord => {
            vec![(Code::AccessForbidden, Possible), (Code::ProxyUnreachable, Possible)]
        }
        Transport::ProxyFault => {
            vec![(Code::RegistryUnavailable, Likely), (Code::ProxyUnreachable, Possible)]
        }
    }
}

/// A mirror is not the registry; and where no address says who was asked for a layer, it can
/// have been anything on the way.
fn of_the_fault(element: &Element) -> Confidence {
    match element.hop.role {
        Role::Mirror => Likely,
        Role::Data if !element.hop.is_named => Likely,
        Role::Registry
        | Role::TokenService
        | Role::Exchange
        | Role::Data
        | Role::Proxy
        | Role::Metadata => Certain,
    }
}

/// What the wrappers alone allow.
fn unsaid(element: &Element) -> Rows {
    if element.hop.role == Role::Mirror {
        return vec![(Code::MirrorUnreachable, Possible)];
    }
    inconclusive()
}

fn inconclusive() -> Rows {
    vec![(Code::Inconclusive, Possible)]
}
