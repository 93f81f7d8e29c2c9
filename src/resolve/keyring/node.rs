//! The node's own entries: those of its files, and those that its credential providers answer.
//!
//! Both are looked up as the entries of pull secrets are, each in a keyring of its own
//! (pkg/credentialprovider of Kubernetes v1.35.4, keyring.go, `providersDockerKeyring`, and
//! plugin/plugins.go, `externalCredentialProviderKeyring`).

use crate::access::{Access, Mismatch, NodeSource};
use crate::image::ImageRef;
use crate::secret::Secret;

use super::config::{self, Entries, Form, Login};
use super::{Holder, Repository, keyed, select, take_apart};

/// The entries of a file of the node's, or of a provider's answer.
pub(in crate::resolve) struct NodeEntries {
    source: NodeSource,
    entries: Entries,
}

impl NodeEntries {
    /// Those of a file with this content; the error says what is wrong, as part of a sentence.
    pub(in crate::resolve) fn of_file(
        file: &str,
        is_legacy: bool,
        content: &[u8],
    ) -> Result<Self, String> {
        let form = if is_legacy { Form::Legacy } else { Form::ConfigJson };
        let entries = config::read(form, content)?;
        Ok(Self { source: NodeSource::File { file: file.to_owned() }, entries })
    }

    /// Those that a provider answers, each with its name, user name and password.
    pub(in crate::resolve) fn of_provider(
        provider: &str,
        answered: impl IntoIterator<Item = (String, String, Secret)>,
    ) -> Self {
        let login = |(name, username, password): (String, String, Secret)| {
            let password = password.expose().to_vec();
            (name, Login { username: username.into_bytes(), password })
        };
        Self {
            source: NodeSource::Provider { provider: provider.to_owned() },
            entries: answered.into_iter().map(login).collect(),
        }
    }
}

/// The credentials for an image among the entries of one keyring.
pub(in crate::resolve) fn lookup_node(holders: Vec<NodeEntries>, image: &ImageRef) -> Access {
    let (sources, entries): (Vec<NodeSource>, Vec<Entries>) =
        holders.into_iter().map(|NodeEntries { source, entries }| (source, entries)).unzip();
    let mut found = Vec::new();
    let mut gaps = Vec::new();
    for (place, (source, entries)) in sources.iter().zip(entries).enumerate() {
        let keyed = keyed(place, Holder::Node(source), entries);
        found.extend(keyed.entries);
        gaps.extend(keyed.gaps.into_iter().map(|gap| (place, gap)));
    }
    select(found, gaps, image)
}

/// Whether a provider's `matchImages` item can be read at all (plugin/config.go,
/// `validateCredentialProviderConfig`).
pub(in crate::resolve) fn is_pattern(pattern: &str) -> bool {
    take_apart(pattern.as_bytes()).is_some()
}

/// Whether a provider's `matchImages` item is for an image (plugin/plugin.go,
/// `isImageAllowed`). Unlike an entry's name it loses neither a scheme nor a `/v1/`.
pub(in crate::resolve) fn matches_pattern(pattern: &str, image: &ImageRef) -> Result<(), Mismatch> {
    Repository::of(image).check(pattern.as_bytes())
}
