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
        remedy: "Write the image in the pod's spec as registry/repository:tag, the repository in lower case, without https://, quotes or blanks.",
        azure: None,
        source: "github.com/distribution/reference v0.6.0",
        url: Some("https://github.com/distribution/reference/blob/v0.6.0/reference.go"),
    },
    Row {
        code: Code::RegistryNameSuspicious,
        stage: Stage::Reference,
        severity: Severity::Warning,
        owner: Owner::Workload,
        title: "The registry's name looks misspelt.",
        meaning: "The image's name is valid, but its host is not one that a registry of that kind has: a suffix is doubled, misspelt or missing.",
        remedy: "Compare the host with the registry's own name and correct it in the pod's spec. To see whether the name exists: nslookup REGISTRY",
        azure: Some("See how the registry is called: az acr list --query '[].loginServer' -o tsv."),
        source: "Azure Container Registry, Troubleshoot registry login",
        url: Some(
            "https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-login",
        ),
    },
];
