//! Access: the credentials that the kubelet would use for one image, in its order.
//!
//! Plain data. [`crate::resolve`] makes it, [`crate::probe`] tries it. What could not
//! be obtained or does not apply is part of it too, as [`Gap`]s, because the absence
//! of a credential explains more failed pulls than its presence.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

pub mod azure;
mod gap;

pub use gap::{Gap, Mismatch, NotRun, ProviderFailure};

/// The credentials for one image, and those that are missing from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// What the kubelet would try, in this order, until one succeeds. Empty means that
    /// it pulls anonymously.
    pub credentials: Vec<Credential>,
    /// As whom to log in at a registry of Azure, after all of these.
    pub azure: Option<azure::Login>,
    /// What could not be obtained, or is there and does not apply.
    pub gaps: Vec<Gap>,
}

impl Access {
    /// The same and then another one: nothing follows where the kubelet has no keyring at all.
    #[must_use]
    pub fn followed_by(mut self, other: Self) -> Self {
        let Self { credentials, azure, gaps } = other;
        if !self.gaps.iter().any(|gap| matches!(gap, Gap::KeyringBroken { .. })) {
            self.credentials.extend(credentials);
            self.azure = self.azure.or(azure);
            self.gaps.extend(gaps);
        }
        self
    }
}

/// What a pod's service account lists and the pod does not. The kubelet uses none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unattached {
    /// The service account.
    pub account: String,
    /// The credentials for one image in the pull secrets that it lists.
    pub credentials: Vec<Credential>,
}

/// One user name and password, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Where it comes from; this may be shown.
    pub provenance: Provenance,
    /// The user name; the kubelet allows an empty one.
    pub username: String,
    /// The password; the kubelet allows an empty one.
    pub password: Secret,
}

/// Where a credential comes from. It never holds any part of the credential itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Provenance {
    /// An entry of a pull secret.
    PullSecret {
        /// The name of the secret.
        secret: String,
        /// The entry's name in it, as it is written there.
        key: String,
    },
    /// An entry of something that the node itself has.
    Node {
        /// What has it.
        source: NodeSource,
        /// The entry's name in it, as it is written there.
        key: String,
    },
    /// What an identity of Azure was given.
    Azure {
        /// The identity.
        identity: azure::Identity,
    },
    /// The credential of nobody that the credential provider for Azure gives beside it.
    Strangers,
    /// What a client of container engines keeps on the machine where a command was typed.
    Client {
        /// What has it.
        source: ClientSource,
        /// The entry's name in it, as it is written there.
        key: String,
    },
}

impl Provenance {
    /// The name of the pull secret, where it is one.
    pub fn pull_secret(&self) -> Option<&str> {
        match self {
            Self::PullSecret { secret, .. } => Some(secret),
            Self::Node { .. } | Self::Azure { .. } | Self::Strangers | Self::Client { .. } => None,
        }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PullSecret { secret, key } => write!(formatter, "secret {secret} (key {key})"),
            Self::Node { source, key } => write!(formatter, "{source} (key {key})"),
            Self::Client { source, key } => write!(formatter, "{source} (key {key})"),
            Self::Azure { identity } => identity.fmt(formatter),
            Self::Strangers => write!(
                formatter,
                "nobody's credential of {} (key {})",
                azure::PROVIDER,
                azure::STRANGERS_KEY
            ),
        }
    }
}

/// What a node has credentials in (pkg/credentialprovider of Kubernetes v1.35.4, config.go and
/// plugin/plugins.go).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum NodeSource {
    /// A file in the form of Docker's `config.json` or `.dockercfg`.
    File {
        /// Its path.
        file: String,
    },
    /// A program that the kubelet runs for the hosts that its configuration lists.
    Provider {
        /// Its name.
        provider: String,
    },
}

impl fmt::Display for NodeSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file } => write!(formatter, "node file {file}"),
            Self::Provider { provider } => write!(formatter, "credential provider {provider}"),
        }
    }
}

/// What a client of container engines keeps its logins in (github.com/docker/cli v28,
/// cli/config/credentials).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum ClientSource {
    /// A file in the form of Docker's `config.json`.
    File {
        /// Its path.
        file: String,
    },
    /// A credential helper.
    Helper {
        /// The program.
        program: String,
    },
}

impl fmt::Display for ClientSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file } => formatter.write_str(file),
            Self::Helper { program } => write!(formatter, "credential helper {program}"),
        }
    }
}
