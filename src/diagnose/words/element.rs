//! Elements: one chain of wrappers, without names that could be taken for words.

use crate::api::Confidence;

use super::super::catalogue::Code;
use super::fact::{self, Fact};
use super::frame;
use super::hop::{self, Hop, Role};
use super::page;
use super::phrases;
use super::reach::Reach;

/// No image's name is longer.
const NAME_MAX: usize = 1024;

/// How a chain begins where several are listed: with what the programs on the way put first.
const OPENERS: &[&str] = &[
    "rpc error:",
    "failed to pull",
    "failed to resolve",
    "failed to copy",
    "failed to do request",
    "failed to authorize",
    "Error response from daemon",
    "error pulling image",
    "Error initializing source",
    "initializing source",
    "unable to pull",
    "Error reading manifest",
    "reading manifest",
    "copying system image",
    "parsing image configuration",
    "writing blob",
    "pinging container registry",
    "Source image rejected",
    "SignatureValidationFailed",
    "RegistryUnavailable",
    "manifest for ",
    "pull access denied",
    "unauthorized:",
    "toomanyrequests:",
];

/// How containers/image begins the failures of the mirrors of a registry, which stand before its own.
const MIRRORS: &str = "(Mirrors also failed: [";

/// A message as the chains that it lists.
pub(super) struct List<'message> {
    /// At least one.
    pub(super) chains: Vec<Chain<'message>>,
    /// Whether another chain may be what counts: one that is missing, or a mirror's.
    pub(super) is_open: bool,
}

/// What was said of one try.
#[derive(Clone, Copy)]
pub(super) struct Chain<'message> {
    /// The words.
    pub(super) text: &'message str,
    /// Whether it was the try of a mirror.
    pub(super) is_mirror: bool,
}

impl<'message> Chain<'message> {
    fn own(text: &'message str) -> Self {
        Self { text, is_mirror: false }
    }
}

/// Splits `[chain, chain]`, with or without words before it, and `(Mirrors also failed: [chain]
/// [chain]): chain`, of which the last is the registry's own and counts before those of its mirrors.
pub(super) fn split(message: &str) -> List<'_> {
    if let Some(place) = message.find(MIRRORS) {
        return mirrored(&message[place + MIRRORS.len()..]);
    }
    let opening = message
        .match_indices('[')
        .find(|(place, _)| begins_chain(&message[place + 1..]))
        .map(|(place, _)| place + 1);
    let Some(start) = opening else {
        return List { chains: vec![Chain::own(message)], is_open: false };
    };
    let inside = &message[start..];
    let trimmed = inside.trim_end().trim_end_matches(['"', '.']);
    let (inside, is_open) = match trimmed.strip_suffix(']') {
        Some(whole) => (whole, false),
        None => (inside, !inside.contains("]: ") && !inside.contains("] ")),
    };
    let mut chains = Vec::new();
    let mut from = 0;
    for (place, _) in inside.match_indices(", ") {
        if begins_chain(&inside[place + 2..]) {
            chains.push(Chain::own(&inside[from..place]));
            from = place + 2;
        }
    }
    chains.push(Chain::own(&inside[from..]));
    List { chains, is_open }
}

fn mirrored(inside: &str) -> List<'_> {
    let (mirrors, own) = match inside.split_once("]): ") {
        Some((mirrors, own)) => (mirrors, Some(own)),
        None => (inside.trim_end_matches(['"', '.', ')', ']']), None),
    };
    let mirrors = mirrors.split("] [").flat_map(|mirrors| mirrors.split("]\n["));
    let mirrors = mirrors.map(|text| Chain { text, is_mirror: true });
    let chains = own.map(Chain::own).into_iter().chain(mirrors).collect();
    List { chains, is_open: true }
}

fn begins_chain(text: &str) -> bool {
    let text = text.trim_start();
    OPENERS.iter().any(|opener| text.starts_with(opener))
}

/// Whether a credential was sent, as far as the text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// One was.
    Credential,
    /// None was there.
    Nothing,
    /// The text does not say.
    Unsaid,
}

/// How the image was asked for, as far as the text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// By its tag.
    Tag,
    /// By its digest.
    Digest,
    /// The text does not name the image.
    Unsaid,
}

/// One chain, read.
#[derive(Debug)]
pub(super) struct Element {
    /// What happened.
    pub(super) fact: Fact,
    /// What is named behind an inspection that failed.
    pub(super) behind: Option<(Code, Confidence)>,
    /// Where.
    pub(super) hop: Hop,
    /// How far the wrappers say that it got.
    pub(super) wrapped: Reach,
    /// What was sent.
    pub(super) sent: Sent,
    /// How the image was asked for.
    pub(super) asked: Asked,
    /// Whether the last request was for the API's base, which names no image.
    pub(super) is_of_the_base: bool,
}

impl Element {
    /// Reads a chain.
    pub(super) fn read(chain: Chain<'_>) -> Self {
        let plain = plain(frame::of_the_image(chain.text));
        let image = hop::image(&plain);
        let (prose, requests) = prose(&plain, image);
        let wrapped = wrapped(&prose, &requests);
        let mut hop = hop::find(&plain, &prose, &requests, wrapped);
        if chain.is_mirror && hop.role == Role::Registry {
            hop.role = Role::Mirror;
        }
        let fact = fact::read(&prose, &hop);
        let behind = phrases::behind_the_inspection(page::before(&prose));
        let asked = match image {
            Some(image) if image.contains("@sha") => Asked::Digest,
            Some(_) => Asked::Tag,
            None => Asked::Unsaid,
        };
        let is_of_the_base = requests.last().is_some_and(|url| hop::is_base(url));
        Self { fact, behind, hop, wrapped, sent: sent(&prose), asked, is_of_the_base }
    }

    /// How far this one got.
    pub(super) fn reach(&self) -> Reach {
        self.fact.reach(self.wrapped)
    }
}

/// One line, without what quoting adds.
fn plain(chain: &str) -> String {
    let one_line: String = chain
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    one_line.replace("\\u0027", "'").replace("\\\"", "\"").replace(['“', '”'], "\"")
}

/// The words in lower case, without names of images and files, and addresses; and the
/// addresses that requests went to.
fn prose(plain: &str, image: Option<&str>) -> (String, Vec<String>) {
    let mut prose = String::with_capacity(plain.len());
    let mut requests = Vec::new();
    let is_whole = |image: &&str| {
        is_name(image)
            && image.len() < NAME_MAX
            && image.starts_with(char::is_alphanumeric)
            && image.ends_with(char::is_alphanumeric)
    };
    let image = image.filter(is_whole);
    let mut rest = plain;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("https://") || rest.starts_with("http://") {
            let length = hop::length_of_url(rest);
            if hop::is_request(&prose) {
                requests.push(rest[..length].to_owned());
            }
            rest = &rest[length..];
        } else if let Some(length) = quoted_name(rest) {
            let file = file_of_the_node(&rest[1..length - 1]).to_lowercase();
            prose.extend(["\"", &file, "\""]);
            rest = &rest[length..];
        } else if let Some(length) = bare_name(&prose, rest, image) {
            prose.push_str("\"\"");
            rest = &rest[length..];
        } else {
            prose.extend(first.to_lowercase());
            rest = &rest[first.len_utf8()..];
        }
    }
    (prose, requests)
}

/// The length of a quoted name of an image, a layer or a file at the beginning, if there is
/// one; addresses are left to be read.
fn quoted_name(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('"')?;
    if inside.starts_with("http://") || inside.starts_with("https://") {
        return None;
    }
    let end = inside.find(|character: char| character == '"' || character.is_whitespace())?;
    let name = &inside[..end];
    let is_name =
        inside[end..].starts_with('"') && is_name(name) && name.contains(char::is_alphanumeric);
    // A media type says what was served.
    let is_kind = ["application/", "text/"].iter().any(|kind| name.starts_with(kind));
    (is_name && !is_kind).then_some(end + 2)
}

fn is_name(text: &str) -> bool {
    text.contains(['/', ':', '.'])
}

/// The names of the node's own files say what could not be read; what an image is called
/// never begins with a slash.
fn file_of_the_node(name: &str) -> &str {
    let file = name.rsplit('/').next().unwrap_or(name);
    let is_own = [".json", ".toml", ".sock"].iter().any(|kind| file.ends_with(kind));
    if name.starts_with('/') && is_own { file } else { "" }
}

/// The length of an image's name without quotes at the beginning: of the one that the text is
/// about, or of what stands where runtimes put a tag and a repository.
fn bare_name(prose: &str, rest: &str, image: Option<&str>) -> Option<usize> {
    let is_inside = prose.ends_with(char::is_alphanumeric);
    if let Some(image) = image.filter(|image| !is_inside && rest.starts_with(image)) {
        return Some(image.len());
    }
    let places = ["reading manifest ", "reading manifest \"\" in "];
    if !prose.ends_with(' ') || !places.iter().any(|place| prose.ends_with(place)) {
        return None;
    }
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let length = rest[..end].trim_end_matches(':').len();
    (length > 0).then_some(length)
}

fn has(prose: &str, words: &[&str]) -> bool {
    words.iter().any(|word| prose.contains(word))
}

fn wrapped(prose: &str, requests: &[String]) -> Reach {
    let last = requests.last().map_or("", String::as_str);
    if has(
        prose,
        &[
            "failed to prepare extraction snapshot",
            "failed to extract layer",
            "failed to register layer",
            "error processing tar file",
            "failed to unpack image",
            "applying layer",
            "committing the finished image",
            "adding layer with blob",
        ],
    ) {
        Reach::Extract
    } else if last.contains("/manifests/") {
        Reach::Manifest
    } else if last.contains("/blobs/")
        || has(
            prose,
            &[
                "failed to copy",
                "httpreadseeker",
                "failed commit",
                "failed size validation",
                "error pulling image configuration",
                "download failed after",
                "parsing image configuration",
                "writing blob",
                "reading blob",
                "copying blob",
                "fetching blob",
                "could not fetch content descriptor",
            ],
        )
    {
        Reach::Blob
    } else if has(
        prose,
        &[
            "failed to authorize",
            "failed to fetch oauth token",
            "failed to fetch anonymous token",
            "requesting bearer token",
            "unable to retrieve auth token",
            "error getting token",
        ],
    ) {
        Reach::Token
    } else if has(prose, &["[manifests ", "reading manifest", "error reading manifest"]) {
        Reach::Manifest
    } else if has(
        prose,
        &["failed to do request", "failed to resolve", "pinging", "initializing source"],
    ) || !requests.is_empty()
    {
        Reach::Reference
    } else {
        Reach::Unknown
    }
}

fn sent(prose: &str) -> Sent {
    if has(prose, &["failed to fetch oauth token", "login attempt"]) {
        Sent::Credential
    } else if has(prose, &["failed to fetch anonymous token", "no basic auth credentials"]) {
        Sent::Nothing
    } else {
        Sent::Unsaid
    }
}
