//! Rows about whether the image is there.

use super::{Code, Owner, Row, Severity, Stage};

pub(super) const ROWS: &[Row] = &[
    Row {
        code: Code::RepositoryNotFound,
        stage: Stage::Image,
        severity: Severity::Error,
        owner: Owner::Workload,
        title: "The repository does not exist.",
        meaning: "The credential is accepted, and the registry knows no repository of that name.",
        source: "OCI distribution specification 1.1, NAME_UNKNOWN",
    },
    Row {
        code: Code::TagNotFound,
        stage: Stage::Image,
        severity: Severity::Error,
        owner: Owner::Workload,
        title: "The repository exists, the tag or digest does not.",
        meaning: "The image was never pushed under that tag, the tag is misspelt, or it was removed.",
        source: "OCI distribution specification 1.1, MANIFEST_UNKNOWN",
    },
    Row {
        code: Code::ManifestDangling,
        stage: Stage::Image,
        severity: Severity::Error,
        owner: Owner::Registry,
        title: "The tag is there, and a manifest that it names is not.",
        meaning: "A tag or an index still points to a manifest that was removed.",
        source: "OCI image specification 1.1, image index",
    },
    Row {
        code: Code::LayerNotFound,
        stage: Stage::Image,
        severity: Severity::Error,
        owner: Owner::Registry,
        title: "The manifest is there, and a layer that it names is not.",
        meaning: "The registry has lost part of the image, or it was never pushed whole.",
        source: "OCI distribution specification 1.1, BLOB_UNKNOWN",
    },
    Row {
        code: Code::PlatformMismatch,
        stage: Stage::Image,
        severity: Severity::Error,
        owner: Owner::Workload,
        title: "The image is not made for the node's platform.",
        meaning: "The image lists operating systems and processors, and the node's is not among them.",
        source: "OCI image specification 1.1, image index",
    },
    Row {
        code: Code::ManifestUnsupported,
        stage: Stage::Image,
        severity: Severity::Error,
        owner: Owner::Workload,
        title: "What is stored there is no image that this runtime can run.",
        meaning: "The manifest has an obsolete format, or it describes something other than an image.",
        source: "OCI image specification 1.1, manifest",
    },
    Row {
        code: Code::ContentCorrupted,
        stage: Stage::Image,
        severity: Severity::Error,
        owner: Owner::Registry,
        title: "What arrived is not what the manifest promises.",
        meaning: "The size or the digest differs: something on the way or in a cache changes or cuts the content, or the runtime resumed a download wrongly.",
        source: "OCI image specification 1.1, descriptor",
    },
];
