//! The catalogue: every finding's code, with what is the same wherever it occurs.
//!
//! A code is public and permanent. It is the reason of Events and conditions, a metric
//! label, the argument of `registrycheck explain` and a heading of the documentation, all
//! made from this one table.

use std::fmt;

use crate::api::{Owner, Severity};

mod authentication;
mod authorization;
mod credential;
mod identity;
mod image;
mod network;
mod node;
mod reference;
mod registry;
mod verdict;

/// What is the same of a finding wherever it occurs.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// Its code.
    pub code: Code,
    /// The part of a pull that it is about.
    pub stage: Stage,
    /// How bad it is where it stops a pull.
    pub severity: Severity,
    /// Who can mend it.
    pub owner: Owner,
    /// One line.
    pub title: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do, in sentences. A command stands after a colon and goes on to the end of
    /// its sentence. Words in capitals stand for names, which a finding fills in as far as
    /// it knows them ([`remedy`](super::remedy)).
    pub remedy: &'static str,
    /// What to do instead where the registry is one of Azure.
    pub azure: Option<&'static str>,
    /// The document or program that the rule rests on.
    pub source: &'static str,
    /// Where to read that; `None` for rules of our own.
    pub url: Option<&'static str>,
}

/// The parts of a pull, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The image's name.
    Reference,
    /// Which credentials there are.
    Credential,
    /// The network, up to an HTTP answer.
    Network,
    /// Whether the registry takes a credential.
    Authentication,
    /// The identity of a node or of a service account, and its tokens.
    Identity,
    /// What the credential may do.
    Authorization,
    /// Whether the image is there.
    Image,
    /// The registry's own state.
    Registry,
    /// The node and its runtime.
    Node,
    /// What is left to say.
    Verdict,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Reference => "the image's name",
            Self::Credential => "which credentials there are",
            Self::Network => "the way to the registry",
            Self::Authentication => "whether the registry takes a credential",
            Self::Identity => "the identity of a node or a service account",
            Self::Authorization => "what a credential may pull",
            Self::Image => "whether the image is there",
            Self::Registry => "the registry's own state",
            Self::Node => "the node and its container runtime",
            Self::Verdict => "the verdict",
        })
    }
}

/// An owner, in words.
pub const fn who(owner: Owner) -> &'static str {
    match owner {
        Owner::Workload => "whoever wrote the pod, its secrets and its service account",
        Owner::Registry => "whoever runs the registry",
        Owner::Network => "whoever runs the network, its names and its certificates",
        Owner::Identity => "whoever gives identities their rights",
        Owner::Cluster => "whoever runs the cluster and its nodes",
    }
}

/// A severity, in words.
pub const fn how_bad(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error, it stops a pull",
        Severity::Warning => "warning, it does not stop a pull now or leaves open whether it does",
        Severity::Info => "nothing is wrong",
    }
}

macro_rules! codes {
    ($($code:ident,)*) => {
        /// A finding's code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = concat!("See its [row](Self::row), or `registrycheck explain ", stringify!($code), "`.")] $code,)*
        }

        impl Code {
            /// All codes, in the order of the catalogue.
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// The code as it is written everywhere.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)* }
            }
        }
    };
}

codes! {
    InvalidImageReference,
    RegistryNameSuspicious,
    PullSecretMissing,
    PullSecretMalformed,
    PullSecretHostMismatch,
    PullSecretNotAttached,
    PullSecretUnreadable,
    NoCredentials,
    CredentialProviderNotMatched,
    CredentialProviderFailed,
    DockerUnavailable,
    DockerTooOld,
    DockerConfigMalformed,
    CredentialHelperFailed,
    DnsNameNotFound,
    DnsFailure,
    ConnectionRefused,
    ConnectionTimeout,
    ConnectionReset,
    TlsCertificateUntrusted,
    TlsCertificateExpired,
    TlsNameMismatch,
    TlsHandshakeFailed,
    SchemeMismatch,
    NotARegistry,
    NetworkRuleDenied,
    AccessForbidden,
    PrivateLinkMisrouted,
    ProxyUnreachable,
    ProxyAuthenticationRequired,
    TokenServiceUnreachable,
    DataEndpointUnreachable,
    MirrorUnreachable,
    RegistryInOtherRegion,
    CredentialRejected,
    UsernameUnknown,
    PasswordIncorrect,
    TokenUsernameMismatch,
    CredentialExpired,
    CredentialExpiring,
    StaleCredential,
    ServicePrincipalSecretInvalid,
    ServicePrincipalSecretExpired,
    ServicePrincipalUnknown,
    IdentityNotAssigned,
    IdentityAmbiguous,
    IdentityEndpointUnreachable,
    IdentityProviderRefused,
    TokenAudienceRefused,
    TokenExchangeDenied,
    FederatedCredentialMismatch,
    WorkloadIdentityNotConfigured,
    CheckAcrDisagrees,
    PullNotAuthorized,
    RepositoryNotAuthorized,
    NotFoundOrNotAuthorized,
    RepositoryNotFound,
    TagNotFound,
    ManifestDangling,
    LayerNotFound,
    PlatformMismatch,
    ManifestUnsupported,
    ContentCorrupted,
    RateLimited,
    RegistryUnavailable,
    PullQpsExceeded,
    ImageNeverPulled,
    ImageInspectFailed,
    SignatureRejected,
    NodeDiskFull,
    RuntimeFailure,
    PullTimedOut,
    NodeTrustStoreOutdated,
    Pullable,
    NodeDisagrees,
    Inconclusive,
    ProbeSkipped,
}

/// The rows of each stage, which are one table together.
const STAGES: [&[Row]; 10] = [
    reference::ROWS,
    credential::ROWS,
    network::ROWS,
    authentication::ROWS,
    identity::ROWS,
    authorization::ROWS,
    image::ROWS,
    registry::ROWS,
    node::ROWS,
    verdict::ROWS,
];

/// The row of each code. A code without a row of its own does not compile.
const TABLE: [&Row; Code::ALL.len()] = {
    let mut table = [&reference::ROWS[0]; Code::ALL.len()];
    let mut filled = 0;
    let mut stage = 0;
    while stage < STAGES.len() {
        let rows = STAGES[stage];
        let mut place = 0;
        while place < rows.len() {
            assert!(rows[place].code as usize == filled, "the rows have the order of the codes");
            table[filled] = &rows[place];
            filled += 1;
            place += 1;
        }
        stage += 1;
    }
    assert!(filled == Code::ALL.len(), "each code has a row");
    table
};

impl Stage {
    /// All stages, in their order.
    pub const ALL: &[Self] = &[
        Self::Reference,
        Self::Credential,
        Self::Network,
        Self::Authentication,
        Self::Identity,
        Self::Authorization,
        Self::Image,
        Self::Registry,
        Self::Node,
        Self::Verdict,
    ];
}

impl Code {
    /// The code that is written so, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text))
    }

    /// The row of the catalogue.
    pub const fn row(self) -> &'static Row {
        TABLE[self as usize]
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_has_the_order_of_a_pull() {
        assert!(Code::ALL.is_sorted_by_key(|code| code.row().stage));
    }

    #[test]
    fn codes_are_names_that_kubernetes_takes_as_reasons() {
        for code in Code::ALL {
            let name = code.as_str();
            assert!(name.len() <= 63, "{name}");
            assert!(name.chars().all(|character| character.is_ascii_alphabetic()), "{name}");
        }
    }

    #[test]
    fn every_row_is_written_in_sentences() {
        for code in Code::ALL {
            let row = code.row();
            assert!(row.title.ends_with('.'), "{code}: {}", row.title);
            assert!(row.meaning.ends_with('.'), "{code}: {}", row.meaning);
            let azure = row.azure.is_none_or(|azure| azure.ends_with('.'));
            assert!(!row.remedy.is_empty() && azure, "{code}: {}", row.remedy);
            let https = row.url.is_none_or(|url| url.starts_with("https://"));
            assert!(!row.source.is_empty() && https, "{code}: {}", row.source);
        }
    }
}
