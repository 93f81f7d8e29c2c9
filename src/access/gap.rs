//! Gaps: what is not there, or is there and is not used. The absence of a credential explains
//! more failed pulls than its presence.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{NodeSource, azure};

/// A credential that is not there, or is there and is not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Gap {
    /// The pod names a pull secret that does not exist in its namespace.
    SecretMissing {
        /// The name of the secret.
        secret: String,
    },
    /// This controller may not read the secret; nothing follows from that.
    SecretForbidden {
        /// The name of the secret.
        secret: String,
    },
    /// The kubelet passes the secret over in silence: its type is not one of the two, or
    /// the type's key is missing or empty.
    SecretIgnored {
        /// The name of the secret.
        secret: String,
        /// What is wrong, as part of a sentence: `its type is Opaque`.
        reason: String,
    },
    /// The kubelet cannot build a keyring because of this secret, and pulls nothing at
    /// all for the pod.
    KeyringBroken {
        /// The name of the secret.
        secret: String,
        /// What is wrong, as part of a sentence.
        reason: String,
    },
    /// The pod's service account lists a secret that the pod does not list, and the secret has
    /// an entry for the image. The kubelet does not look at it.
    SecretNotAttached {
        /// The name of the secret.
        secret: String,
        /// The service account.
        account: String,
        /// Whether the registry served the image when the secret was tried all the same.
        serves: bool,
    },
    /// An entry whose name is no URL; the kubelet drops it.
    EntryDropped {
        /// The name of the secret.
        secret: String,
        /// The entry's name.
        key: String,
        /// What is wrong with the name, as part of a sentence.
        reason: String,
    },
    /// An entry that does not match the image.
    EntryNotMatching {
        /// The name of the secret.
        secret: String,
        /// The entry's name.
        key: String,
        /// The rule that excludes it.
        rule: Mismatch,
    },
    /// The kubelet passes over a file of the node's.
    NodeFileIgnored {
        /// The path of the file.
        file: String,
        /// Why, as part of a sentence: `it does not exist`.
        reason: String,
    },
    /// An entry of the node's whose name is no URL; the kubelet drops it.
    NodeEntryDropped {
        /// What has it.
        source: NodeSource,
        /// The entry's name.
        key: String,
        /// What is wrong with the name, as part of a sentence.
        reason: String,
    },
    /// An entry of the node's that does not match the image.
    NodeEntryNotMatching {
        /// What has it.
        source: NodeSource,
        /// The entry's name.
        key: String,
        /// The rule that excludes it.
        rule: Mismatch,
    },
    /// The kubelet does not run a credential provider for this image.
    ProviderNotMatched {
        /// The name of the provider.
        provider: String,
        /// Its `matchImages`.
        patterns: Vec<String>,
    },
    /// A credential provider gives nothing; the kubelet logs that and goes on.
    ProviderFailed {
        /// The name of the provider.
        provider: String,
        /// What went wrong.
        failure: ProviderFailure,
    },
    /// A credential provider that is not run here; nothing follows from that.
    ProviderNotRun {
        /// The name of the provider.
        provider: String,
        /// Why not.
        #[serde(default)]
        reason: NotRun,
    },
    /// The node's `azure.json` is one with which its credential provider fails.
    AzureConfigUnusable {
        /// Its path.
        file: String,
        /// What is wrong, as part of a sentence; it holds nothing of the file's values.
        reason: String,
    },
    /// The service account lacks an annotation without which the credential provider fails.
    AnnotationMissing {
        /// The service account.
        account: String,
        /// The name of the annotation.
        annotation: String,
    },
    /// The credential provider is given a token of the pod's service account, and this
    /// controller may not make one; nothing follows from that.
    AccountTokenNotMade {
        /// The service account.
        account: String,
    },
}

impl Gap {
    /// The name of the pull secret that it is about; `None` where it is about the node.
    pub fn secret(&self) -> Option<&str> {
        match self {
            Self::SecretMissing { secret }
            | Self::SecretForbidden { secret }
            | Self::SecretIgnored { secret, .. }
            | Self::KeyringBroken { secret, .. }
            | Self::SecretNotAttached { secret, .. }
            | Self::EntryDropped { secret, .. }
            | Self::EntryNotMatching { secret, .. } => Some(secret),
            Self::NodeFileIgnored { .. }
            | Self::NodeEntryDropped { .. }
            | Self::NodeEntryNotMatching { .. }
            | Self::ProviderNotMatched { .. }
            | Self::ProviderFailed { .. }
            | Self::ProviderNotRun { .. }
            | Self::AzureConfigUnusable { .. }
            | Self::AnnotationMissing { .. }
            | Self::AccountTokenNotMade { .. } => None,
        }
    }

    /// What of the node it is about; `None` where it is about a pull secret.
    pub fn node_source(&self) -> Option<NodeSource> {
        match self {
            Self::SecretMissing { .. }
            | Self::SecretForbidden { .. }
            | Self::SecretIgnored { .. }
            | Self::KeyringBroken { .. }
            | Self::SecretNotAttached { .. }
            | Self::EntryDropped { .. }
            | Self::EntryNotMatching { .. } => None,
            Self::NodeFileIgnored { file, .. } => Some(NodeSource::File { file: file.clone() }),
            Self::NodeEntryDropped { source, .. } | Self::NodeEntryNotMatching { source, .. } => {
                Some(source.clone())
            }
            Self::ProviderNotMatched { provider, .. }
            | Self::ProviderFailed { provider, .. }
            | Self::ProviderNotRun { provider, .. } => {
                Some(NodeSource::Provider { provider: provider.clone() })
            }
            Self::AzureConfigUnusable { .. }
            | Self::AnnotationMissing { .. }
            | Self::AccountTokenNotMade { .. } => {
                Some(NodeSource::Provider { provider: azure::PROVIDER.to_owned() })
            }
        }
    }

    /// Whether something that may hold a credential could not be looked into, so that nothing
    /// is certain.
    pub fn leaves_open(&self) -> bool {
        matches!(
            self,
            Self::SecretForbidden { .. }
                | Self::ProviderNotRun { .. }
                | Self::AccountTokenNotMade { .. }
        )
    }
}

/// Why a credential provider is not run here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum NotRun {
    /// It wants a token of the pod's service account.
    #[default]
    WantsToken,
    /// Nobody has said where its program is.
    NoDirectory,
    /// Whether the kubelet is configured to run it for the image is not known: nodes differ.
    MayNotMatch,
    /// It is configured to log in in a way that is not known here.
    NotEmulated {
        /// What says so: an option of it, or a field of its file.
        what: String,
    },
}

/// The reason in words, as part of a sentence whose subject is the provider.
impl fmt::Display for NotRun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WantsToken => formatter
                .write_str("wants a token of the pod's service account, which is not made here"),
            Self::NoDirectory => formatter
                .write_str("is not run here, since the directory of the providers is not given"),
            Self::MayNotMatch => formatter.write_str(
                "is run for this host on newer nodes alone, and the kubelet's configuration of \
                 credential providers is not given",
            ),
            Self::NotEmulated { what } => {
                write!(formatter, "logs in as {what} says, which is not done here")
            }
        }
    }
}

/// Why a credential provider gives nothing (pkg/credentialprovider/plugin/plugin.go of
/// Kubernetes v1.35.4, `ExecPlugin` and `provide`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum ProviderFailure {
    /// There is no such program; with that the kubelet does not even start.
    Missing,
    /// The program cannot be started.
    NotStarted {
        /// The system's words.
        reason: String,
    },
    /// It did not end in time and was ended.
    TimedOut {
        /// The time that it had, in seconds.
        seconds: u64,
    },
    /// It ended with a failure.
    Ended {
        /// How: `exit status: 1`.
        status: String,
    },
    /// The kubelet's configuration of credential providers does not name it.
    NotConfigured,
    /// It answers, and with nothing: it takes the host for none of its registries.
    NothingForHost,
    /// What it answers is not of the version that the configuration says.
    OtherVersion {
        /// The version of the configuration.
        expected: String,
        /// The version of the answer.
        answered: String,
    },
    /// What it answers is no `CredentialProviderResponse`.
    NotUnderstood {
        /// What is wrong, as part of a sentence; it holds nothing of the answer.
        reason: String,
    },
}

/// The failure in words, as part of a sentence whose subject is the provider.
impl fmt::Display for ProviderFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => formatter.write_str("is not in the directory of the providers"),
            Self::NotStarted { reason } => write!(formatter, "cannot be started: {reason}"),
            Self::TimedOut { seconds } => {
                write!(formatter, "gives no answer within {seconds} s and is ended")
            }
            Self::Ended { status } => write!(formatter, "fails ({status})"),
            Self::NotConfigured => {
                formatter.write_str("is not in the kubelet's configuration of credential providers")
            }
            Self::NothingForHost => {
                formatter.write_str("takes the host for none of its cloud's registries")
            }
            Self::OtherVersion { expected, answered } => write!(
                formatter,
                "answers in version {answered}, and its configuration says {expected}"
            ),
            Self::NotUnderstood { reason } => {
                write!(formatter, "gives an answer that the kubelet does not take: {reason}")
            }
        }
    }
}

/// The rule of the kubelet by which an entry does not match an image
/// (`URLsMatch`, pkg/credentialprovider/keyring.go).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "camelCase")]
pub enum Mismatch {
    /// The ports differ; there are no default ports. An empty text is no port.
    Port {
        /// The port of the entry.
        entry: String,
        /// The port of the image.
        image: String,
    },
    /// The hosts have different numbers of labels; a `*` never spans a dot.
    LabelCount {
        /// Labels in the entry's host.
        entry: usize,
        /// Labels in the image's host.
        image: usize,
    },
    /// One label of the host differs.
    Label {
        /// The label of the entry.
        entry: String,
        /// The label of the image.
        image: String,
    },
    /// The entry's path is no prefix of the image's path.
    Path {
        /// The path of the entry.
        entry: String,
    },
    /// The entry is for Docker Hub under a name that only counts where nothing else matched.
    FallbackSuppressed,
    /// The entry's name, decoded once, is no URL any more.
    NotAUrl,
}

/// The rule in words, as part of a sentence whose subject is the entry.
impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = |port: &str| {
            if port.is_empty() { "no port".to_owned() } else { format!("port {port}") }
        };
        match self {
            Self::Port { entry, image } => write!(
                formatter,
                "it has {} and the image {} (there are no default ports)",
                port(entry),
                port(image)
            ),
            Self::LabelCount { entry, image } => write!(
                formatter,
                "its host has {entry} labels and the image's {image} (a * stands for one label)"
            ),
            Self::Label { entry, image } => {
                write!(formatter, "its host has {entry} where the image has {image}")
            }
            Self::Path { entry } => {
                write!(formatter, "the image's path does not begin with {entry}")
            }
            Self::FallbackSuppressed => {
                formatter.write_str("for Docker Hub it counts only where no other entry matches")
            }
            Self::NotAUrl => formatter.write_str("it is no URL"),
        }
    }
}
