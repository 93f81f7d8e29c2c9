//! Rows about identities of nodes and service accounts, and their tokens.

use super::{Code, Owner, Row, Severity, Stage};

pub(super) const ROWS: &[Row] = &[
    Row {
        code: Code::IdentityNotAssigned,
        stage: Stage::Identity,
        severity: Severity::Error,
        owner: Owner::Identity,
        title: "The identity is not assigned to the node.",
        meaning: "The node's metadata service knows no identity of the id that was asked for.",
        source: "Azure, Managed identities, How to use a token",
    },
    Row {
        code: Code::IdentityAmbiguous,
        stage: Stage::Identity,
        severity: Severity::Error,
        owner: Owner::Identity,
        title: "The node has several identities, and none was chosen.",
        meaning: "With more than one identity the metadata service wants to be told which.",
        source: "Azure, Managed identities, How to use a token",
    },
    Row {
        code: Code::IdentityEndpointUnreachable,
        stage: Stage::Identity,
        severity: Severity::Error,
        owner: Owner::Cluster,
        title: "The node's metadata service does not answer.",
        meaning: "Managed identities get their tokens at 169.254.169.254, and nothing answers there.",
        source: "Azure Instance Metadata Service",
    },
    Row {
        code: Code::TokenAudienceRefused,
        stage: Stage::Identity,
        severity: Severity::Error,
        owner: Owner::Identity,
        title: "The token service does not accept the audience.",
        meaning: "A token was asked for a resource that this tenant or cloud does not know.",
        source: "Microsoft Entra ID, Authentication and authorization error codes, 500011",
    },
    Row {
        code: Code::TokenExchangeDenied,
        stage: Stage::Identity,
        severity: Severity::Error,
        owner: Owner::Identity,
        title: "The registry does not exchange the identity's token.",
        meaning: "The identity has a token, and the registry gives no login for it: a role is missing, or the token is not accepted.",
        source: "Azure Container Registry, docs/aad-oauth.md",
    },
    Row {
        code: Code::FederatedCredentialMismatch,
        stage: Stage::Identity,
        severity: Severity::Error,
        owner: Owner::Identity,
        title: "No federated credential matches the service account's token.",
        meaning: "Issuer, subject and audience of the token are compared with what the identity trusts, and one of them differs.",
        source: "Microsoft Entra ID, Authentication and authorization error codes, 70021",
    },
    Row {
        code: Code::WorkloadIdentityNotConfigured,
        stage: Stage::Identity,
        severity: Severity::Error,
        owner: Owner::Workload,
        title: "The service account names no identity.",
        meaning: "The login needs a client id and a tenant id, and the service account or the pod does not have them.",
        source: "Azure Workload Identity, Labels and annotations",
    },
];
