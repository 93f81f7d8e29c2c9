//! Rows about the image's name.

use super::{Code, Owner, Row, Severity, Stage};

pub(super) const ROWS: &[Row] = &[
    Row {
        code: Code::InvalidImageReference,
        stage: Stage::Reference,
        severity: Severity::Error,
        owner: Owner::Workload,
        title: "The image's name is not a valid image reference.",
        meaning: "The kubelet cannot parse the image's name, so nothing is ever asked of a registry.",
        source: "github.com/distribution/reference v0.6.0",
    },
    Row {
        code: Code::RegistryNameSuspicious,
        stage: Stage::Reference,
        severity: Severity::Warning,
        owner: Owner::Workload,
        title: "The registry's name looks misspelt.",
        meaning: "The image's name is valid, but its host is not one that a registry of that kind has: a suffix is doubled, misspelt or missing.",
        source: "Azure Container Registry, Troubleshoot registry login",
    },
];
