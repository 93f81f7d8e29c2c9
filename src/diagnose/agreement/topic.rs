//! Topics: what a finding is about, as far as that matters between a node and a probe, and how
//! far into a pull it is.

use super::super::catalogue::Code;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// The node alone: its disk, its runtime, its limits, the name of the image.
    Node,
    /// A credential that the node gets by itself, and what gives it.
    Identity,
    /// The mirror that the node asks.
    Mirror,
    /// The proxy that the node uses.
    Proxy,
    /// The lookup of a name.
    Lookup,
    /// A connection.
    Connection,
    /// Whom a certificate is trusted from.
    Trust,
    /// When a certificate is valid.
    Time,
    /// Another failure before an answer.
    Handshake,
    /// A refusal of whoever asks from there.
    Forbidden,
    /// A limit.
    Limit,
    /// A fault of the registry, which passes.
    Fault,
    /// The host that gives tokens.
    TokenService,
    /// That no credential was there.
    NoCredential,
    /// A credential that was refused.
    Refused,
    /// What may be missing, or not allowed.
    Hidden,
    /// What is missing.
    Absent,
    /// The host that keeps the layers.
    DataHost,
    /// What comes after the manifest's being served: its platform, its layers.
    Content,
    /// Nothing that stops a pull.
    Nothing,
}

impl Topic {
    /// The topic of a code.
    pub(super) fn of(code: Code) -> Self {
        match code {
            Code::InvalidImageReference
            | Code::RegistryNameSuspicious
            | Code::DockerUnavailable
            | Code::DockerTooOld
            | Code::DockerConfigMalformed
            | Code::CredentialHelperFailed
            | Code::PullQpsExceeded
            | Code::ImageNeverPulled
            | Code::ImageInspectFailed
            | Code::SignatureRejected
            | Code::NodeDiskFull
            | Code::RuntimeFailure => Self::Node,
            Code::CredentialProviderNotMatched
            | Code::CredentialProviderFailed
            | Code::ServicePrincipalSecretInvalid
            | Code::ServicePrincipalSecretExpired
            | Code::ServicePrincipalUnknown
            | Code::IdentityNotAssigned
            | Code::IdentityAmbiguous
            | Code::IdentityEndpointUnreachable
            | Code::IdentityProviderRefused
            | Code::TokenAudienceRefused
            | Code::TokenExchangeDenied
            | Code::FederatedCredentialMismatch
            | Code::WorkloadIdentityNotConfigured => Self::Identity,
            Code::MirrorUnreachable => Self::Mirror,
            Code::ProxyUnreachable | Code::ProxyAuthenticationRequired => Self::Proxy,
            Code::DnsNameNotFound | Code::DnsFailure => Self::Lookup,
            Code::ConnectionRefused | Code::ConnectionTimeout | Code::ConnectionReset => {
                Self::Connection
            }
            Code::TlsCertificateUntrusted | Code::NodeTrustStoreOutdated => Self::Trust,
            Code::TlsCertificateExpired => Self::Time,
            Code::TlsNameMismatch
            | Code::TlsHandshakeFailed
            | Code::SchemeMismatch
            | Code::NotARegistry => Self::Handshake,
            Code::NetworkRuleDenied | Code::AccessForbidden | Code::PrivateLinkMisrouted => {
                Self::Forbidden
            }
            Code::RateLimited => Self::Limit,
            Code::RegistryUnavailable => Self::Fault,
            Code::TokenServiceUnreachable => Self::TokenService,
            Code::PullSecretMissing
            | Code::PullSecretMalformed
            | Code::PullSecretHostMismatch
            | Code::PullSecretNotAttached
            | Code::PullSecretUnreadable
            | Code::NoCredentials => Self::NoCredential,
            Code::CredentialRejected
            | Code::UsernameUnknown
            | Code::PasswordIncorrect
            | Code::TokenUsernameMismatch
            | Code::CredentialExpired
            | Code::StaleCredential => Self::Refused,
            Code::PullNotAuthorized
            | Code::RepositoryNotAuthorized
            | Code::NotFoundOrNotAuthorized => Self::Hidden,
            Code::RepositoryNotFound | Code::TagNotFound => Self::Absent,
            Code::DataEndpointUnreachable => Self::DataHost,
            Code::ManifestDangling
            | Code::LayerNotFound
            | Code::PlatformMismatch
            | Code::ManifestUnsupported
            | Code::ContentCorrupted
            | Code::PullTimedOut => Self::Content,
            Code::CredentialExpiring
            | Code::RegistryInOtherRegion
            | Code::CheckAcrDisagrees
            | Code::Pullable
            | Code::NodeDisagrees
            | Code::Inconclusive
            | Code::ProbeSkipped => Self::Nothing,
        }
    }

    /// How far a pull got that ended so; `None` where that says nothing of the way to the
    /// registry.
    pub(super) fn depth(self) -> Option<u8> {
        Some(match self {
            Self::Node | Self::Mirror | Self::Identity | Self::Nothing => return None,
            Self::Lookup => 1,
            Self::Proxy | Self::Connection => 2,
            Self::Trust | Self::Time | Self::Handshake => 3,
            Self::Forbidden | Self::Limit | Self::Fault => 4,
            Self::TokenService => 5,
            Self::NoCredential | Self::Refused | Self::Hidden | Self::Absent => 6,
            Self::DataHost | Self::Content => 7,
        })
    }

    /// Whether it is about the way from the node, which the probe does not share, and does not
    /// pass by itself.
    pub(super) fn is_of_the_way(self) -> bool {
        match self {
            Self::Proxy
            | Self::Lookup
            | Self::Connection
            | Self::Trust
            | Self::Time
            | Self::Handshake
            | Self::TokenService
            | Self::Forbidden => true,
            Self::Node
            | Self::Identity
            | Self::Mirror
            | Self::Limit
            | Self::Fault
            | Self::NoCredential
            | Self::Refused
            | Self::Hidden
            | Self::Absent
            | Self::DataHost
            | Self::Content
            | Self::Nothing => false,
        }
    }
}
