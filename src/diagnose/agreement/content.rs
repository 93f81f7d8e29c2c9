//! Content: words about what a registry serves, beside what the probe read of it.

use crate::evidence::{Evidence, StepName};

use super::super::catalogue::Code;
use super::super::content;
use super::Said;

/// The steps that have looked at what a finding is about.
const LOOKS: &[(Code, &[StepName])] = &[
    (Code::PlatformMismatch, &[StepName::Platform]),
    (Code::ManifestDangling, &[StepName::Platform]),
    (Code::ManifestUnsupported, &[StepName::Platform, StepName::Config]),
    (Code::ContentCorrupted, &[StepName::Platform, StepName::Config]),
    (Code::LayerNotFound, &[StepName::Config, StepName::Layer]),
    (Code::DataEndpointUnreachable, &[StepName::Layer]),
];

/// Whether the probe has read well where the words find fault. It reads a layer no further than
/// the first byte; and without the node's platform it may have read another image of the index
/// than the node.
pub(super) fn is_read_well(evidence: &Evidence, said: &Said<'_>) -> bool {
    let code = said.first.code;
    let Some((_, steps)) = LOOKS.iter().find(|(of, _)| *of == code) else { return false };
    let is_same_image = code == Code::DataEndpointUnreachable || evidence.platform.is_some();
    let is_other_platform =
        code == Code::PlatformMismatch && content::other_platform(evidence).is_some();
    let is_within_layer = code == Code::ContentCorrupted && may_be_of_layer(said.cause)
        || code == Code::DataEndpointUnreachable && is_cut(said.cause);
    let is_looked_at = steps.iter().all(|step| evidence.has_read(*step));
    is_looked_at && is_same_image && !is_other_platform && !is_within_layer
}

/// What was served, as part of a sentence.
pub(super) fn extent(evidence: &Evidence) -> String {
    let image = &evidence.image;
    if evidence.has_read(StepName::Layer) {
        format!("{image} as far as the first byte of a layer")
    } else {
        format!("the manifest of {image}")
    }
}

/// containerd calls a part of an image by its kind and its digest (core/remotes/handlers.go,
/// `MakeRefKey`). What it does not call so can be a layer.
fn may_be_of_layer(words: &str) -> bool {
    !["manifest-sha", "index-sha", "config-sha"].iter().any(|kind| words.contains(kind))
}

/// Whether a transfer was cut that had begun: the probe reads a layer's first byte only
/// (containerd, core/content/helpers.go, `Copy`).
fn is_cut(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    words.contains("failed to copy")
        && ["read tcp", "unexpected eof"].iter().any(|end| words.contains(end))
        && !words.contains("failed to do request")
}
