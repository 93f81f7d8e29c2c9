//! Image references: what the text in a pod's `image` field means.
//!
//! [`ImageRef`] is valid by construction: it follows the rules of the kubelet v1.35.4
//! (`applyDefaultImageTag` in `pkg/kubelet/images/image_manager.go`, `ParseImageName` in
//! pkg/util/parsers/parsers.go) on the grammar of distribution/reference v0.6.0. What does not
//! parse is an [`ImageError`] that says what to write instead. Nothing here asks anybody.

mod explain;
mod grammar;
pub mod platform;
mod suspicion;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The registry that is meant where an image names none (distribution/reference v0.6.0,
/// normalize.go).
const DOCKER_HUB: &str = "docker.io";
/// The host that serves the API of Docker Hub (containerd v2, core/remotes/docker/registry.go).
const DOCKER_HUB_ENDPOINT: &str = "registry-1.docker.io";
/// The limit of a Kubernetes object's name (RFC 1123 subdomain).
const NAME_MAX: usize = 253;

/// A valid image reference, with the text it was made from.
///
/// The rules are those of the kubelet v1.35.4: pkg/kubelet/images/image_manager.go:416-431 and
/// pkg/util/parsers/parsers.go:32-55 on distribution/reference v0.6.0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef {
    written: String,
    registry: Host,
    path: String,
    version: Version,
}

/// What is asked of the repository. With a tag and a digest both are kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Version {
    Tag(String),
    Digest { tag: Option<String>, digest: String },
}

impl ImageRef {
    /// Parses the text of a pod's `image` field.
    ///
    /// # Errors
    ///
    /// [`ImageError`] for exactly those texts with which the kubelet reports `InvalidImageName`.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        Self::understand(text).ok_or_else(|| explain::explain(text))
    }

    fn understand(text: &str) -> Option<Self> {
        let parts = grammar::split(text)?;
        let version = match (parts.tag, parts.digest) {
            (tag, Some(digest)) => {
                Version::Digest { tag: tag.map(str::to_owned), digest: digest.to_owned() }
            }
            (tag, None) => Version::Tag(tag.unwrap_or("latest").to_owned()),
        };
        Some(Self {
            written: text.to_owned(),
            registry: Host(parts.registry.to_owned()),
            path: parts.path,
            version,
        })
    }

    /// The text as it is written in the pod, without a default tag; it is what the kubelet
    /// shows in messages.
    pub fn as_written(&self) -> &str {
        &self.written
    }

    /// The registry; `docker.io` where none is written. Its case is as written, because the
    /// kubelet and its keyring keep it.
    pub fn registry(&self) -> &Host {
        &self.registry
    }

    /// The repository's path in the registry: `library/busybox`
    /// (distribution/reference v0.6.0, normalize.go).
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Registry and path, what the kubelet's keyring matches
    /// (`pkg/kubelet/images/image_manager.go`, v1.35.4).
    pub fn repository(&self) -> String {
        format!("{}/{}", self.registry, self.path)
    }

    /// The tag; `latest` where neither a tag nor a digest is written.
    pub fn tag(&self) -> Option<&str> {
        match &self.version {
            Version::Tag(tag) => Some(tag),
            Version::Digest { tag, .. } => tag.as_deref(),
        }
    }

    /// The digest, `sha256:…`, if one is written.
    pub fn digest(&self) -> Option<&str> {
        match &self.version {
            Version::Tag(_) => None,
            Version::Digest { digest, .. } => Some(digest),
        }
    }

    /// What the manifest is asked by: the digest if there is one, else the tag.
    pub fn reference(&self) -> &str {
        match &self.version {
            Version::Tag(tag) => tag,
            Version::Digest { digest, .. } => digest,
        }
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}

impl TryFrom<String> for ImageRef {
    type Error = ImageError;

    fn try_from(text: String) -> Result<Self, ImageError> {
        Self::parse(&text)
    }
}

impl From<ImageRef> for String {
    fn from(image: ImageRef) -> Self {
        image.written
    }
}

/// A registry's host, with its port where one is written: `host[:port]`.
///
/// It is valid for the grammar of distribution/reference v0.6.0 (regexp.go, `domainAndPort`), or
/// is a single path component such as `my_host.test`, which that grammar takes for a host's
/// place too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host(String);

impl Host {
    /// The registry that was probably meant, where this name looks misspelt.
    pub fn meant(&self) -> Option<String> {
        let port = self.port().map_or_else(String::new, |port| format!(":{port}"));
        suspicion::meant(self.name()).map(|name| format!("{name}{port}"))
    }

    /// Parses the `spec.registry` of a `RegistryCheck`: a lower-case `host` or `host:port`.
    ///
    /// # Errors
    ///
    /// [`HostError`], which says what to write instead.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        explain::check_host(text).map(|()| Self(text.to_owned()))
    }

    /// The host as text, with its port.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host without its port; an IPv6 address keeps its brackets.
    pub fn name(&self) -> &str {
        grammar::split_port(&self.0).0
    }

    /// The port that is written; `None` where none is, and where it is no port number that
    /// exists (the grammar allows any digits).
    pub fn port(&self) -> Option<u16> {
        grammar::split_port(&self.0).1.and_then(|port| port.parse().ok())
    }

    /// An image of this registry that nobody asks for, which is shown as the registry: the
    /// keyring matches images, and a login is about none.
    pub fn stand_in(&self) -> ImageRef {
        ImageRef {
            written: self.0.clone(),
            registry: self.clone(),
            path: "image".to_owned(),
            version: Version::Tag("latest".to_owned()),
        }
    }

    /// The same host in lower case: one registry, however an image writes it.
    #[must_use]
    pub fn lowercase(&self) -> Self {
        Self(self.0.to_ascii_lowercase())
    }

    /// The host that is asked over HTTP: `registry-1.docker.io` for Docker Hub, else the host
    /// itself (containerd v2, core/remotes/docker/registry.go).
    pub fn endpoint(&self) -> String {
        if self.0 == DOCKER_HUB { DOCKER_HUB_ENDPOINT.to_owned() } else { self.0.clone() }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Deserializing takes any host that an image can have, also one with upper-case letters.
impl TryFrom<String> for Host {
    type Error = HostError;

    fn try_from(text: String) -> Result<Self, HostError> {
        if grammar::is_host(&text) { Ok(Self(text)) } else { Self::parse(&text) }
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.0
    }
}

/// Why a text is no image reference, and what was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageError {
    /// The image, cut and escaped so that it can be shown.
    image: String,
    /// What is wrong, as part of a sentence whose subject is the image.
    problem: String,
    suggestion: Option<String>,
}

impl ImageError {
    /// The reference that was probably meant; it is always a valid one.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }

    /// What is wrong, as part of a sentence whose subject is the image: `has an empty tag`.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for ImageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "image \"{}\" {}", self.image, self.problem)?;
        match &self.suggestion {
            Some(suggestion) => write!(formatter, "; write {suggestion}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ImageError {}

/// Why a text is no registry host, and what was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostError {
    text: String,
    problem: String,
    suggestion: Option<String>,
}

impl HostError {
    /// The host that was probably meant; it is always a valid one.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = self.suggestion.as_deref().unwrap_or("a host such as registry.example.com");
        write!(formatter, "registry \"{}\" {}; write {wanted}", self.text, self.problem)
    }
}

impl std::error::Error for HostError {}

/// The registry that a text which is no valid reference most likely means, in lower case;
/// `docker.io` where none can be guessed. Whether the first part is a registry at all follows
/// distribution/reference v0.6.0 (normalize.go), except that a capital letter makes none.
pub fn guess_registry(text: &str) -> Host {
    let bare = explain::without_wrapping(text).to_ascii_lowercase();
    let first = bare.split_once('/').map_or("", |(first, _)| first).trim();
    let host = first.rsplit_once('@').map_or(first, |(_, host)| host);
    let named = host == "localhost" || host.contains(['.', ':']);
    if named && grammar::is_host(host) && host != "index.docker.io" {
        Host(host.to_owned())
    } else {
        Host(DOCKER_HUB.to_owned())
    }
}

/// The name of a registry's automatic `RegistryCheck`: the lower-cased host where that is a
/// valid object name (RFC 1123 subdomain, as k8s.io/apimachinery's validation has it) and has no
/// port; else a readable prefix and 8 hex digits of the SHA-256 of the lower-cased host.
pub fn check_name(registry: &Host) -> String {
    let host = registry.as_str().to_ascii_lowercase();
    if is_object_name(&host) { host } else { hashed_check_name(registry) }
}

/// The name with a hash, which a check gets where its registry's own name is no object name,
/// or is taken by somebody's check of another registry.
pub fn hashed_check_name(registry: &Host) -> String {
    let host = registry.as_str().to_ascii_lowercase();
    let digest = Sha256::digest(host.as_bytes());
    let suffix = digest.iter().take(4).fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
    let suffix = format!("{suffix:08x}");
    let mut prefix = String::new();
    for character in host.chars() {
        match character {
            'a'..='z' | '0'..='9' => prefix.push(character),
            '.' if prefix.ends_with(|last: char| last.is_ascii_alphanumeric()) => prefix.push('.'),
            _ if prefix.ends_with(|last: char| last.is_ascii_alphanumeric()) => prefix.push('-'),
            _ => {}
        }
    }
    prefix.truncate(NAME_MAX - suffix.len() - 1);
    let prefix = prefix.trim_end_matches(['.', '-']);
    if prefix.is_empty() { format!("registry-{suffix}") } else { format!("{prefix}-{suffix}") }
}

/// Whether a text is a digest that the kubelet takes: `sha256:` and 64 hex digits, and the like.
pub(crate) fn is_digest(text: &str) -> bool {
    grammar::is_digest(text)
}

/// `IsDNS1123Subdomain` of k8s.io/apimachinery: a label has no limit of its own there.
pub(crate) fn is_object_name(text: &str) -> bool {
    text.len() <= NAME_MAX
        && text.split('.').all(|label| {
            label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
                && !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

#[cfg(test)]
mod tests;
