//! Rows about what a credential may do.

use super::{Code, Owner, Row, Severity, Stage};

pub(super) const ROWS: &[Row] = &[
    Row {
        code: Code::PullNotAuthorized,
        stage: Stage::Authorization,
        severity: Severity::Error,
        owner: Owner::Identity,
        title: "The credential is accepted and may not pull.",
        meaning: "The registry knows who asks, and the right to pull this repository is missing.",
        source: "Azure Container Registry, Roles and permissions",
    },
    Row {
        code: Code::RepositoryNotAuthorized,
        stage: Stage::Authorization,
        severity: Severity::Error,
        owner: Owner::Identity,
        title: "The credential may pull from this registry, and not from this repository.",
        meaning: "The right to pull is granted on named repositories (a scope map, a condition of a role), and this one is not among them.",
        source: "Azure Container Registry, Create a token with repository-scoped permissions",
    },
    Row {
        code: Code::NotFoundOrNotAuthorized,
        stage: Stage::Authorization,
        severity: Severity::Error,
        owner: Owner::Registry,
        title: "The image is not there, or the credential may not pull it.",
        meaning: "The registry hides which of the two it is.",
        source: "OCI distribution specification 1.1, error codes",
    },
];
