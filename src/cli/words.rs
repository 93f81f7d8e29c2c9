//! What the commands have in common to say: where secrets come from, why one is not used, and
//! how a text from outside is shown.

use serde::Serialize;

use crate::access::Gap;
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
            Self::Cluster { namespace, source: SecretSource::Listed(names) } => {
                format!("{} in namespace {namespace}", names.join(", "))
            }
        }
    }
}

/// A secret or an entry that is not used.
#[derive(Serialize)]
pub(super) struct Unused<'gap> {
    pub(super) secret: &'gap str,
    pub(super) key: Option<&'gap str>,
    /// Why, as part of a sentence whose subject is the entry, or the secret where no key is
    /// given.
    pub(super) reason: String,
}

/// A gap in words.
pub(super) fn unused(gap: &Gap) -> Unused<'_> {
    let (key, reason) = match gap {
        Gap::SecretMissing { .. } => (None, "does not exist".to_owned()),
        Gap::SecretForbidden { .. } => {
            (None, "may not be read, so what it holds is not known".to_owned())
        }
        Gap::SecretIgnored { reason, .. } => (None, format!("is passed over: {reason}")),
        Gap::KeyringBroken { reason, .. } => (None, format!("cannot be read: {reason}")),
        Gap::EntryDropped { key, reason, .. } => (Some(key), format!("is dropped, since {reason}")),
        Gap::EntryNotMatching { key, rule, .. } => {
            (Some(key), format!("does not match, since {rule}"))
        }
    };
    Unused { secret: gap.secret(), key: key.map(String::as_str), reason }
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
