//! What the commands have in common to say: where secrets come from, why one is not used, and
//! how a text from outside is shown.

use serde::Serialize;

use crate::access::{ClientSource, Gap, NodeSource, Provenance, azure};
use crate::target::SecretSource;

/// Where the secrets come from.
#[derive(Debug)]
pub(super) enum Origin {
    /// Manifests, by the names of their files.
    Files(Vec<String>),
    /// A namespace of a cluster.
    Cluster {
        /// The namespace.
        namespace: String,
        /// Which of its secrets.
        source: SecretSource,
    },
}

impl Origin {
    /// Which secrets these are, as what follows `the pull secrets`.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Files(names) => format!("in {}", names.join(", ")),
            Self::Cluster { namespace, source: SecretSource::Account(account) } => {
                format!("of service account {account} in namespace {namespace}")
            }
            Self::Cluster {
                namespace,
                source: SecretSource::Listed(names) | SecretSource::Pod { listed: names, .. },
            } => format!("{} in namespace {namespace}", names.join(", ")),
        }
    }
}

/// What has an entry: exactly one of these.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Holder {
    secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
}

impl Holder {
    fn secret(secret: &str) -> Self {
        Self { secret: Some(secret.to_owned()), node_file: None, provider: None }
    }

    fn client(source: ClientSource) -> Self {
        match source {
            ClientSource::File { file } => Self::node(NodeSource::File { file }),
            ClientSource::Helper { program } => {
                Self::node(NodeSource::Provider { provider: program })
            }
        }
    }

    fn node(source: NodeSource) -> Self {
        match source {
            NodeSource::File { file } => {
                Self { secret: None, node_file: Some(file), provider: None }
            }
            NodeSource::Provider { provider } => {
                Self { secret: None, node_file: None, provider: Some(provider) }
            }
        }
    }
}

/// Where a credential comes from: what has it, and the entry's name in that.
pub(super) fn origin_of(provenance: &Provenance) -> (Holder, &str) {
    match provenance {
        Provenance::PullSecret { secret, key } => (Holder::secret(secret), key),
        Provenance::Node { source, key } => (Holder::node(source.clone()), key),
        Provenance::Azure { .. } => (provider(), ""),
        Provenance::Strangers => (provider(), azure::STRANGERS_KEY),
        Provenance::Client { source, key } => (Holder::client(source.clone()), key),
    }
}

/// The credential provider for Azure.
fn provider() -> Holder {
    Holder::node(NodeSource::Provider { provider: azure::PROVIDER.to_owned() })
}

/// A secret, something of the node's, or an entry of one that is not used.
#[derive(Serialize)]
pub(super) struct Unused<'gap> {
    #[serde(flatten)]
    holder: Holder,
    key: Option<&'gap str>,
    /// Why, as part of a sentence whose subject is the entry, or what would have it where no
    /// key is given.
    reason: String,
    #[serde(skip)]
    subject: String,
}

impl Unused<'_> {
    /// All of it as a sentence.
    pub(super) fn in_words(&self) -> String {
        let key = self.key.map(|key| format!(" (key {key})")).unwrap_or_default();
        format!("{}{key} {}", self.subject, self.reason)
    }
}

/// A gap in words.
pub(super) fn unused(gap: &Gap) -> Unused<'_> {
    let (key, reason) = match gap {
        Gap::SecretMissing { .. } => (None, "does not exist".to_owned()),
        Gap::SecretForbidden { .. } => {
            (None, "may not be read, so what it holds is not known".to_owned())
        }
        Gap::SecretIgnored { reason, .. } | Gap::NodeFileIgnored { reason, .. } => {
            (None, format!("is passed over: {reason}"))
        }
        Gap::SecretNotAttached { account, .. } => {
            (None, format!("is listed by service account {account} and not by the pod"))
        }
        Gap::KeyringBroken { reason, .. } => (None, format!("cannot be read: {reason}")),
        Gap::EntryDropped { key, reason, .. } | Gap::NodeEntryDropped { key, reason, .. } => {
            (Some(key), format!("is dropped, since {reason}"))
        }
        Gap::EntryNotMatching { key, rule, .. } | Gap::NodeEntryNotMatching { key, rule, .. } => {
            (Some(key), format!("does not match, since {rule}"))
        }
        Gap::ProviderNotMatched { patterns, .. } => (
            None,
            format!(
                "is not run, since no item of its matchImages matches: {}",
                patterns.join(", ")
            ),
        ),
        Gap::ProviderFailed { failure, .. } => (None, failure.to_string()),
        Gap::AzureConfigUnusable { file, reason } => {
            (None, format!("fails, since {file} cannot be used: {reason}"))
        }
        Gap::AnnotationMissing { account, annotation } => {
            (None, format!("fails, since service account {account} has no annotation {annotation}"))
        }
        Gap::AccountTokenNotMade { account } => (
            None,
            format!(
                "wants a token of service account {account}, which may not be made here, so what it would answer is not known"
            ),
        ),
        Gap::ProviderNotRun { reason, .. } => {
            (None, format!("{reason}, so what it would answer is not known"))
        }
    };
    let secret = gap.secret().unwrap_or_default();
    let (holder, subject) = gap.node_source().map_or_else(
        || (Holder::secret(secret), format!("secret {secret}")),
        |source| (Holder::node(source.clone()), source.to_string()),
    );
    Unused { holder, key: key.map(String::as_str), reason, subject }
}

/// A text from outside as a terminal can show it: without characters that move the cursor, or
/// turn or hide the text around them.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let hides = matches!(
            character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        );
        if hides || character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
