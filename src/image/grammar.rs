//! The grammar of image references: distribution/reference v0.6.0, regexp.go and normalize.go.
//!
//! All of it is ASCII. The grammar there is one regular expression; because neither a tag nor
//! a digest can hold a `/`, and a path neither a `:` nor an `@`, cutting at these is the same.

use super::DOCKER_HUB;

/// The limit of a path, without the host (reference.go).
pub(super) const PATH_MAX: usize = 255;

/// The parts of a valid reference.
pub(super) struct Parts<'a> {
    pub(super) registry: &'a str,
    pub(super) path: String,
    pub(super) tag: Option<&'a str>,
    pub(super) digest: Option<&'a str>,
}

/// Splits a reference; `None` where it is not valid.
pub(super) fn split(text: &str) -> Option<Parts<'_>> {
    if is_identifier(text) {
        return None;
    }
    let (registry, remainder) = split_registry(text);
    let (name, tag, digest) = split_version(remainder);
    let official = registry == DOCKER_HUB && !remainder.contains('/');
    let path = if official { format!("library/{name}") } else { name.to_owned() };
    // A host that is none for the grammar may be one as the first component of the path; then
    // it counts for the limit.
    let length = if is_domain(registry) { path.len() } else { registry.len() + 1 + path.len() };
    let valid = is_host(registry)
        && length <= PATH_MAX
        && name.split('/').all(is_path_component)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest);
    valid.then_some(Parts { registry, path, tag, digest })
}

/// What an id of an image looks like, which is never a reference.
pub(super) fn is_identifier(text: &str) -> bool {
    text.len() == 64 && is_lower_hex(text)
}

/// The registry and the rest; Docker Hub where the first part is no registry.
pub(super) fn split_registry(text: &str) -> (&str, &str) {
    match text.split_once('/') {
        Some(("index.docker.io", rest)) => (DOCKER_HUB, rest),
        Some((first, rest)) if is_registry_by_look(first) => (first, rest),
        _ => (DOCKER_HUB, text),
    }
}

fn is_registry_by_look(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':'])
        || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Path, tag and digest of what follows the registry.
pub(super) fn split_version(remainder: &str) -> (&str, Option<&str>, Option<&str>) {
    let (before, digest) = cut(remainder, '@');
    let (path, tag) = cut(before, ':');
    (path, tag, digest)
}

fn cut(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// Splits a host from its port; an IPv6 address keeps its brackets.
pub(super) fn split_port(host: &str) -> (&str, Option<&str>) {
    let from = if host.starts_with('[') { host.find(']').unwrap_or(0) } else { 0 };
    match host[from..].find(':') {
        Some(at) => (&host[..from + at], Some(&host[from + at + 1..])),
        None => (host, None),
    }
}

/// Whether an image can have this host.
pub(super) fn is_host(text: &str) -> bool {
    is_domain(text) || is_path_component(text)
}

fn is_domain(text: &str) -> bool {
    let (name, port) = split_port(text);
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let good_name = match address {
        Some(address) => {
            !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
        }
        None => name.split('.').all(is_label),
    };
    good_name
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

fn is_label(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Lower-case letters and digits, joined by `.`, `_`, `__` or any number of dashes.
pub(super) fn is_path_component(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && text.ends_with(|last: char| last.is_ascii_lowercase() || last.is_ascii_digit())
        && text
            .as_bytes()
            .split(|byte| inside(*byte))
            .all(|gap| matches!(gap, b"" | b"." | b"_" | b"__") || gap.iter().all(|b| *b == b'-'))
}

pub(super) fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=128).contains(&tag.len())
        && tag.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
        && tag.bytes().next().is_some_and(word)
}

/// The number of hex digits of a digest's algorithm (opencontainers/go-digest v1.0.0,
/// algorithm.go; the kubelet links these three).
pub(super) fn digest_length(algorithm: &str) -> Option<usize> {
    match algorithm {
        "sha256" => Some(64),
        "sha384" => Some(96),
        "sha512" => Some(128),
        _ => None,
    }
}

pub(super) fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        digest_length(algorithm) == Some(hex.len()) && is_lower_hex(hex)
    })
}

pub(super) fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
