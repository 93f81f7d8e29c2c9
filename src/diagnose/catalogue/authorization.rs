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
        remedy: "Ask whoever runs REGISTRY to let the account of the credential pull REPOSITORY.",
        azure: Some(
            "Give the identity the right to pull, by the role AcrPull, or by \"Container Registry Repository Reader\" where the registry's role assignment mode is AbacRepositoryPermissions: az role assignment create --assignee-object-id OBJECTID --assignee-principal-type ServicePrincipal --role AcrPull --scope \"$(az acr show -n REGISTRYNAME --query id -o tsv)\". To see that mode: az acr show -n REGISTRYNAME --query roleAssignmentMode -o tsv. If the role was given less than 10 minutes ago, wait until it has arrived.",
        ),
        source: "Azure Container Registry, Roles and permissions overview",
        url: Some(
            "https://learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-overview",
        ),
    },
    Row {
        code: Code::RepositoryNotAuthorized,
        stage: Stage::Authorization,
        severity: Severity::Error,
        owner: Owner::Identity,
        title: "The credential may pull from this registry, and not from this repository.",
        meaning: "The right to pull is granted on named repositories (a scope map, a condition of a role), and this one is not among them.",
        remedy: "Ask whoever runs REGISTRY to let the account of the credential pull REPOSITORY too.",
        azure: Some(
            "Add the repository to the token's scope map: az acr scope-map update -r REGISTRYNAME -n SCOPE_MAP --add-repository REPOSITORY content/read.",
        ),
        source: "Azure Container Registry, Create a token with repository-scoped permissions",
        url: Some(
            "https://learn.microsoft.com/azure/container-registry/container-registry-token-based-repository-permissions",
        ),
    },
    Row {
        code: Code::NotFoundOrNotAuthorized,
        stage: Stage::Authorization,
        severity: Severity::Error,
        owner: Owner::Registry,
        title: "The image is not there, or the credential may not pull it.",
        meaning: "The registry hides which of the two it is.",
        remedy: "Check that REPOSITORY exists in REGISTRY under exactly this name, and that the account of the credential may pull from it.",
        azure: None,
        source: "OCI distribution specification 1.1, error codes",
        url: Some(
            "https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#error-codes",
        ),
    },
];
