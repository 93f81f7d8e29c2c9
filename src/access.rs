//! Access: the credentials that the kubelet would use for one image, in its order.
//!
//! Plain data. [`crate::resolve`] makes it, [`crate::probe`] tries it. What could not
//! be obtained or does not apply is part of it too, as [`Gap`]s, because the absence
//! of a credential explains more failed pulls than its presence.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// The credentials for one image, and those that are missing from it.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// What the kubelet would try, in this order, until one succeeds. Empty means that
    /// it pulls anonymously.
    pub credentials: Vec<Credential>,
    /// What could not be obtained, or is there and does not apply.
    pub gaps: Vec<Gap>,
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
}

impl fmt::Display for Provenance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PullSecret { secret, key } => write!(formatter, "secret {secret} (key {key})"),
        }
    }
}

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
}

impl Gap {
    /// The name of the secret.
    pub fn secret(&self) -> &str {
        match self {
            Self::SecretMissing { secret }
            | Self::SecretForbidden { secret }
            | Self::SecretIgnored { secret, .. }
            | Self::KeyringBroken { secret, .. }
            | Self::EntryDropped { secret, .. }
            | Self::EntryNotMatching { secret, .. } => secret,
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
