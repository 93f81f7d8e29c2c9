//! The keyring: which entries of which pull secrets the kubelet uses for an image, in which
//! order, and why not the others.
//!
//! It follows pkg/credentialprovider of Kubernetes v1.35.4 (keyring.go, config.go,
//! secrets/secrets.go) to the byte, oddities included, for the sake of the same answer. It is
//! pure: secrets in, [`Access`] out. No message holds anything of a secret but the names of
//! its entries, without the user names and passwords that people write into these.

pub(crate) mod auth;
mod config;
mod dates;
mod glob;
pub(crate) mod json;
mod node;
mod url;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::access::{Access, Credential, Gap, Mismatch, NodeSource, Provenance};
use crate::image::ImageRef;
use crate::secret::Secret;

use config::{Entries, Form, Login};
use url::Url;

pub use dates::Dates;

pub(super) use node::{NodeEntries, is_pattern, lookup_node, matches_pattern};

/// The key whose credentials are used for Docker Hub where nothing else matches
/// (pkg/credentialprovider/keyring.go, v1.35.4, `defaultRegistryHost`).
const DOCKER_HUB_KEY: &[u8] = b"index.docker.io";
/// How many characters of an entry's name are shown.
const SHOWN_MAX: usize = 253;

/// A secret that a pod names in `imagePullSecrets`, as it was read
/// (pkg/credentialprovider/secrets/secrets.go, v1.35.4).
#[derive(Clone, PartialEq, Eq)]
pub struct PullSecret {
    /// Its name.
    pub name: String,
    /// Its type: `kubernetes.io/dockerconfigjson` or `kubernetes.io/dockercfg` is used.
    pub kind: String,
    /// Its data, decoded.
    pub data: BTreeMap<String, Vec<u8>>,
}

/// Shows the names of the keys and nothing of what they hold.
impl fmt::Debug for PullSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&String> = self.data.keys().collect();
        formatter
            .debug_struct("PullSecret")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("data", &keys)
            .finish()
    }
}

/// The credentials for an image, in the kubelet's order, and all that is not used, secret by
/// secret (pkg/credentialprovider/secrets/secrets.go and keyring.go, v1.35.4).
///
/// Where a secret breaks the keyring there are no credentials, and the gaps name each secret
/// that does so. The kubelet orders entries of one secret that have the same key at random;
/// here they are in the order of their names.
pub fn lookup(secrets: &[PullSecret], image: &ImageRef) -> Access {
    let mut known = BTreeSet::new();
    let mut broken = false;
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut gaps: Vec<(usize, Gap)> = Vec::new();
    for (place, secret) in secrets.iter().enumerate() {
        // What is missing from a secret that is named twice is said once. Manifests may have
        // two secrets of one name, which are not the same.
        let again = !known.insert((&secret.name, &secret.kind, &secret.data));
        let found = read(place, secret);
        broken = broken || found.gaps.iter().any(is_broken);
        gaps.extend(found.gaps.into_iter().filter(|_| !again).map(|gap| (place, gap)));
        entries.extend(found.entries.into_iter().map(|entry| Entry { again, ..entry }));
    }
    if broken {
        let gaps = gaps.into_iter().map(|(_, gap)| gap);
        let gaps = gaps.filter(|gap| !matches!(gap, Gap::EntryDropped { .. })).collect();
        return Access { credentials: Vec::new(), azure: None, gaps };
    }
    select(entries, gaps, image)
}

fn is_broken(gap: &Gap) -> bool {
    matches!(gap, Gap::KeyringBroken { .. })
}

/// What holds an entry.
#[derive(Clone, Copy)]
enum Holder<'a> {
    Secret(&'a str),
    Node(&'a NodeSource),
}

impl Holder<'_> {
    fn provenance(self, key: String) -> Provenance {
        match self {
            Self::Secret(secret) => Provenance::PullSecret { secret: secret.to_owned(), key },
            Self::Node(source) => Provenance::Node { source: source.clone(), key },
        }
    }

    fn dropped(self, key: String, reason: String) -> Gap {
        match self {
            Self::Secret(secret) => Gap::EntryDropped { secret: secret.to_owned(), key, reason },
            Self::Node(source) => Gap::NodeEntryDropped { source: source.clone(), key, reason },
        }
    }

    fn not_matching(self, key: String, rule: Mismatch) -> Gap {
        match self {
            Self::Secret(secret) => Gap::EntryNotMatching { secret: secret.to_owned(), key, rule },
            Self::Node(source) => Gap::NodeEntryNotMatching { source: source.clone(), key, rule },
        }
    }
}

/// An entry that is part of the keyring.
struct Entry<'a> {
    /// The place of what holds it: a secret's among the pod's.
    place: usize,
    holder: Holder<'a>,
    /// Whether an earlier secret is the same.
    again: bool,
    /// The entry's name, as it is shown.
    shown: String,
    /// What is matched with the image: host and path.
    key: Vec<u8>,
    login: Login,
}

#[derive(Default)]
struct Found<'a> {
    entries: Vec<Entry<'a>>,
    gaps: Vec<Gap>,
}

fn read(place: usize, secret: &PullSecret) -> Found<'_> {
    let ignored = |reason: String| Found {
        entries: Vec::new(),
        gaps: vec![Gap::SecretIgnored { secret: secret.name.clone(), reason }],
    };
    let Some(form) = Form::of_type(&secret.kind) else {
        return ignored(format!("its type is {}", secret.kind));
    };
    let key = form.data_key();
    let document = match secret.data.get(key) {
        None => return ignored(format!("its type is {} and it has no key {key}", secret.kind)),
        Some(document) if document.is_empty() => return ignored(format!("its {key} is empty")),
        Some(document) => document,
    };
    let entries = match config::read(form, document) {
        Ok(entries) => entries,
        Err(reason) => {
            let gap = Gap::KeyringBroken { secret: secret.name.clone(), reason };
            return Found { entries: Vec::new(), gaps: vec![gap] };
        }
    };
    if entries.is_empty() {
        return ignored(match form {
            Form::ConfigJson => format!("its {key} has no entries in the field auths"),
            Form::Legacy => format!("its {key} has no entries"),
        });
    }
    keyed(place, Holder::Secret(&secret.name), entries)
}

/// Gives entries their keys, and drops those that can have none.
fn keyed(place: usize, holder: Holder<'_>, entries: Entries) -> Found<'_> {
    let mut found = Found::default();
    for (name, login) in entries {
        let shown = shown_key(&name);
        match key_of(&name) {
            Ok(key) => {
                found.entries.push(Entry { place, holder, again: false, shown, key, login });
            }
            Err(reason) => found.gaps.push(holder.dropped(shown, reason)),
        }
    }
    found
}

/// An entry's key: its host and path, without `/v1` or `/v2` at the path's beginning
/// (keyring.go:143-168).
fn key_of(name: &str) -> Result<Vec<u8>, String> {
    let has_scheme = name.starts_with("https://") || name.starts_with("http://");
    let scheme = if has_scheme { "" } else { "https://" };
    let Url { host, path } = url::parse(&[scheme.as_bytes(), name.as_bytes()].concat())?;
    let versioned = path.starts_with(b"/v1/") || path.starts_with(b"/v2/");
    let path = if versioned { &path[3..] } else { &path[..] };
    Ok(if path == b"/" { host } else { [&host[..], path].concat() })
}

/// Sorts out which entries are used (keyring.go:295-318, `Lookup`), and puts the gaps into the
/// order of what holds the entries.
fn select(mut entries: Vec<Entry<'_>>, gaps: Vec<(usize, Gap)>, image: &ImageRef) -> Access {
    // Descending by key; the sort keeps the order of the secrets within one key.
    entries.sort_by(|one, other| other.key.cmp(&one.key));
    let repository = Repository::of(image);
    let verdicts: Vec<Result<(), Mismatch>> =
        entries.iter().map(|entry| repository.check(&entry.key)).collect();
    let any = verdicts.iter().any(Result::is_ok);
    let mut credentials = Vec::new();
    let mut gaps = gaps;
    for (entry, verdict) in entries.into_iter().zip(verdicts) {
        let is_fallback = repository.is_default && entry.key == DOCKER_HUB_KEY;
        match verdict {
            Err(rule) if any || !is_fallback => {
                let rule = if is_fallback { Mismatch::FallbackSuppressed } else { rule };
                if !entry.again {
                    gaps.push((entry.place, entry.holder.not_matching(entry.shown, rule)));
                }
            }
            _ => credentials.push(credential(entry)),
        }
    }
    gaps.sort_by_key(|(place, _)| *place);
    Access { credentials, azure: None, gaps: gaps.into_iter().map(|(_, gap)| gap).collect() }
}

/// The password keeps its bytes. A user name that is not UTF-8 is shown with U+FFFD, as Go's
/// encoding/json would show it.
fn credential(entry: Entry<'_>) -> Credential {
    Credential {
        provenance: entry.holder.provenance(entry.shown),
        username: json::text(&entry.login.username),
        password: Secret::new(entry.login.password),
    }
}

/// The image's repository, as keys are matched with it.
struct Repository {
    host: String,
    /// The repository as a URL; `None` where it is none, and then no key matches.
    parts: Option<Parts>,
    /// Whether the kubelet takes its host for Docker Hub (keyring.go:193-215; so it does with
    /// every host without a dot or a colon).
    is_default: bool,
}

/// A key or a repository, taken apart.
struct Parts {
    labels: Vec<Vec<u8>>,
    port: Vec<u8>,
    path: Vec<u8>,
}

impl Repository {
    fn of(image: &ImageRef) -> Self {
        let host = image.registry().as_str();
        Self {
            host: host.to_owned(),
            parts: take_apart(image.repository().as_bytes()),
            is_default: host == "docker.io" || !host.contains(['.', ':']),
        }
    }

    /// Whether a key matches, and if not, by the first rule that excludes it
    /// (keyring.go:231-290, `URLsMatch`).
    fn check(&self, key: &[u8]) -> Result<(), Mismatch> {
        let entry = take_apart(key).ok_or(Mismatch::NotAUrl)?;
        let Some(image) = &self.parts else {
            let host = entry.labels.join(&b'.');
            return Err(Mismatch::Label { entry: shown(&host), image: self.host.clone() });
        };
        if entry.port != image.port {
            return Err(Mismatch::Port { entry: shown(&entry.port), image: shown(&image.port) });
        }
        if entry.labels.len() != image.labels.len() {
            let (entry, image) = (entry.labels.len(), image.labels.len());
            return Err(Mismatch::LabelCount { entry, image });
        }
        if !image.path.starts_with(&entry.path) {
            return Err(Mismatch::Path { entry: shown(&entry.path) });
        }
        let mut labels = entry.labels.iter().zip(&image.labels);
        match labels.find(|(glob, label)| glob::matches(glob, label) != Ok(true)) {
            None => Ok(()),
            Some((glob, label)) => Err(Mismatch::Label { entry: shown(glob), image: shown(label) }),
        }
    }
}

/// Takes a key or a repository apart, which parses (and so decodes) it once more.
fn take_apart(text: &[u8]) -> Option<Parts> {
    let Url { host, path } = url::parse(&[b"https://", text].concat()).ok()?;
    let (name, port) = split_host_port(&host).unwrap_or((&host, b""));
    let labels = name.split(|byte| *byte == b'.').map(<[u8]>::to_vec).collect();
    Some(Parts { labels, port: port.to_vec(), path })
}

/// `net.SplitHostPort` of Go 1.25.9 (net/ipsock.go): brackets around the host are removed;
/// `None` where there is no port, or a colon or a bracket too many.
fn split_host_port(host: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = host.iter().rposition(|byte| *byte == b':')?;
    let (before, port) = (&host[..colon], &host[colon + 1..]);
    let name = match before.strip_prefix(b"[") {
        Some(inside) => inside.strip_suffix(b"]")?,
        None if before.contains(&b':') => return None,
        None => before,
    };
    let has_bracket = |text: &[u8]| text.iter().any(|byte| matches!(byte, b'[' | b']'));
    (!has_bracket(name) && !has_bracket(port)).then_some((name, port))
}

fn shown(bytes: &[u8]) -> String {
    shortened(&json::text(bytes))
}

/// An entry's name as it may be shown: as it is written, but without a user name and a
/// password before an `@`, without a query that holds a value, and not too long.
pub(crate) fn shown_key(name: &str) -> String {
    let (scheme, rest) = match name.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), name),
    };
    let (rest, query) = match rest.split_once(['?', '#']) {
        Some((before, query)) if query.contains(['=', '@']) => (before, "?****"),
        _ => (rest, ""),
    };
    let rest = match rest.rsplit_once('@') {
        Some((before, after)) if before.contains(':') || !before.contains('/') => {
            format!("****@{after}")
        }
        _ => rest.to_owned(),
    };
    shortened(&format!("{scheme}{rest}{query}"))
}

fn shortened(text: &str) -> String {
    let text: String = text.chars().take(SHOWN_MAX + 1).flat_map(escaped).collect();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn escaped(character: char) -> impl Iterator<Item = char> {
    let escape = character.is_control().then(|| character.escape_default());
    let itself = escape.is_none().then_some(character);
    escape.into_iter().flatten().chain(itself)
}

#[cfg(test)]
mod tests;
