//! The causes that the pages list, as data: what a page says, and which finding that is.

use registrycheck::diagnose::catalogue::Code;

/// One page, or one list of a page.
pub(super) struct Page {
    /// What it lists.
    pub(super) title: &'static str,
    /// Its name.
    pub(super) source: &'static str,
    /// Where to read it.
    pub(super) url: &'static str,
    /// How the cases call it (`page` of a case).
    pub(super) place: &'static str,
    /// What it lists.
    pub(super) rows: &'static [Row],
}

/// One cause.
pub(super) struct Row {
    /// How the cases call this row, where it has a name of its own.
    pub(super) place: Option<&'static str>,
    /// What the page says.
    pub(super) says: &'static str,
    /// What that is here, the likeliest first.
    pub(super) codes: &'static [Code],
    /// Why no case of the lab of Azure reproduces it, and what does; empty where one does.
    pub(super) without: &'static str,
    /// The command to begin with, where it is not the first of the codes; empty for none.
    pub(super) first: Option<&'static str>,
}

impl Row {
    const fn beginning(self, command: &'static str) -> Self {
        Self { first: Some(command), ..self }
    }
}

const fn row(place: &'static str, says: &'static str, codes: &'static [Code]) -> Row {
    Row { place: Some(place), says, codes, without: "", first: None }
}

const fn of_page(says: &'static str, codes: &'static [Code]) -> Row {
    Row { place: None, says, codes, without: "", first: None }
}

pub(super) const PAGES: &[Page] = &[
    Page {
        title: "Logging in",
        source: "Azure Container Registry, Troubleshoot registry login",
        url: "https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-login",
        place: "D",
        rows: &[
            row(
                "D1",
                "Docker isn't configured properly in your environment; in a cluster, the pull secret is not",
                &[Code::PullSecretMalformed],
            ),
            row(
                "D1",
                "the same, where the secret's entry is for another port or host",
                &[Code::PullSecretHostMismatch],
            ),
            row(
                "D2",
                "the registry doesn't exist or its name is incorrect: `Could not connect to the registry login server`",
                &[Code::DnsNameNotFound],
            ),
            row(
                "D2",
                "the same, with a name that is nearly a registry's",
                &[Code::RegistryNameSuspicious],
            ),
            Row {
                place: Some("D2"),
                says: "the name has to be in lower case only",
                codes: &[Code::InvalidImageReference],
                without: "[`name-upper-case`](../tests/lab/cases/names.yaml) (the kubelet refuses such a name itself)",
                first: None,
            },
            row(
                "D3",
                "the credentials aren't valid: a service principal's id, secret or tenant",
                &[Code::ServicePrincipalSecretInvalid],
            ),
            row(
                "D3",
                "the credentials aren't valid: a token of `az acr login --expose-token` with another user than `00000000-0000-0000-0000-000000000000`",
                &[Code::TokenUsernameMismatch],
            ),
            row(
                "D3",
                "Docker credentials of an earlier login are in the way of anonymous pulls (`docker logout`)",
                &[Code::StaleCredential],
            ),
            row(
                "D4",
                "public access or network rules prevent access: `login attempt failed with status: 403 Forbidden`",
                &[Code::NetworkRuleDenied],
            ),
            row(
                "D5",
                "the credentials aren't authorized for pull, and the identity gets no login: `unauthorized: authentication required`",
                &[Code::TokenExchangeDenied],
            ),
            row(
                "D5",
                "the credentials aren't authorized for pull: `AcrPull` is missing, or the registry's role assignment mode does not heed it",
                &[Code::PullNotAuthorized],
            ),
            row(
                "D6",
                "the credentials have expired: a token of the registry after 3 hours",
                &[Code::CredentialExpired],
            ),
            row(
                "D6",
                "the credentials have expired: a service principal's client secret",
                &[Code::ServicePrincipalSecretExpired],
            ),
            row(
                "D6",
                "the credentials have expired: the password of a repository-scoped token or of the admin user",
                &[Code::PasswordIncorrect],
            ),
            row(
                "D7",
                "the credentials have a right to the registry and none to the repository: a scope map or a role's condition",
                &[Code::RepositoryNotAuthorized],
            )
            .beginning("az acr show -n REGISTRYNAME --query roleAssignmentMode -o tsv"),
        ],
    },
    Page {
        title: "Pulling in AKS",
        source: "Azure Kubernetes Service, Fail to pull images from Azure Container Registry to AKS cluster",
        url: "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/connectivity/cannot-pull-image-from-acr-to-aks-cluster",
        place: "3.3",
        rows: &[
            row(
                "3.3-1a",
                "401 Unauthorized: the role was given to another principal",
                &[Code::TokenExchangeDenied],
            ),
            row(
                "3.3-1a",
                "401 Unauthorized: the kubelet identity isn't on the scale set of the nodes",
                &[Code::IdentityNotAssigned],
            ),
            row(
                "3.3-1a",
                "401 Unauthorized: the service principal has no role",
                &[Code::PullNotAuthorized],
            ),
            row(
                "3.3-1b",
                "401 Unauthorized after `no match for platform`: an architecture that the image lacks",
                &[Code::PlatformMismatch],
            ),
            row("3.3-2", "image not found: the tag", &[Code::TagNotFound]),
            row("3.3-2", "image not found: the repository", &[Code::RepositoryNotFound]),
            row(
                "3.3-2",
                "image not found, though its tag is there: its manifest was purged",
                &[Code::ManifestDangling],
            ),
            row(
                "3.3-3",
                "403 Forbidden: the virtual network link is missing from the private DNS zone",
                &[Code::PrivateLinkMisrouted],
            ),
            row(
                "3.3-3",
                "403 Forbidden: the load balancer's address is not among those allowed",
                &[Code::NetworkRuleDenied],
            ),
            row(
                "3.3-4",
                "`i/o timeout` to the address of a private endpoint",
                &[Code::ConnectionTimeout],
            ),
            row("3.3-5", "`no match for platform in manifest`", &[Code::PlatformMismatch]),
            Row {
                place: Some("3.3-6"),
                says: "`pull QPS exceeded`",
                codes: &[Code::PullQpsExceeded],
                without: "[message 7](../tests/data/pull-errors.jsonl) (the kubelet's own limit; no registry is asked)",
                first: None,
            },
            row(
                "3.3-7",
                "`TLS handshake timeout`: a middlebox that says nothing",
                &[Code::TlsHandshakeFailed, Code::ConnectionTimeout],
            ),
            row(
                "3.3-7",
                "the same, with a certificate of its own",
                &[Code::TlsCertificateUntrusted],
            ),
            of_page("the registry itself fails", &[Code::RegistryUnavailable]),
        ],
    },
    Page {
        title: "The network",
        source: "Azure Container Registry, Troubleshoot network issues with registry",
        url: "https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-access",
        place: "3.2",
        rows: &[
            of_page(
                "a firewall admits the login server and not the data endpoints",
                &[Code::DataEndpointUnreachable],
            ),
            of_page("the storage account refuses the subnet", &[Code::AccessForbidden]),
            row(
                "3.7",
                "the private DNS zone lacks the record of the data endpoint",
                &[Code::DataEndpointUnreachable, Code::PrivateLinkMisrouted],
            ),
            row(
                "3.7",
                "a regional endpoint, for which the kubelet asks its provider not",
                &[Code::CredentialProviderNotMatched],
            ),
            row(
                "3.7",
                "a 403 that does not say why: public access is disabled, or a key vault cannot be reached",
                &[Code::AccessForbidden],
            ),
            row("3.10", "too many requests for the registry's tier", &[Code::RateLimited])
                .beginning("az acr show -n REGISTRYNAME --query sku.name"),
        ],
    },
    Page {
        title: "The registry's words",
        source: "Azure Container Registry, Authentication options, and the threads named in tests/cluster/ground/azure_words.go",
        url: "https://learn.microsoft.com/azure/container-registry/container-registry-authentication",
        place: "4.4",
        rows: &[
            of_page(
                "`Application not registered with AAD.`, `client id must be guid`",
                &[Code::UsernameUnknown],
            ),
            of_page(
                "`authentication required, visit https://aka.ms/acr/authorization`, to a user that is known",
                &[Code::PasswordIncorrect],
            ),
            of_page("`client with IP '…' is not allowed access`", &[Code::NetworkRuleDenied]),
            of_page("`toomanyrequests`", &[Code::RateLimited])
                .beginning("az acr show -n REGISTRYNAME --query sku.name"),
        ],
    },
    Page {
        title: "The codes of Entra ID",
        source: "Microsoft Entra ID, Authentication and authorization error codes",
        url: "https://learn.microsoft.com/entra/identity-platform/reference-error-codes",
        place: "4.5",
        rows: &[
            row(
                "4.5-7000215",
                "AADSTS7000215, invalid client secret",
                &[Code::ServicePrincipalSecretInvalid],
            ),
            row(
                "4.5-7000222",
                "AADSTS7000222, the client secret has expired",
                &[Code::ServicePrincipalSecretExpired],
            ),
            row(
                "4.5-700016",
                "AADSTS700016, the application is not in the directory",
                &[Code::ServicePrincipalUnknown],
            ),
            row(
                "4.5-900432",
                "AADSTS900432, a client of another cloud",
                &[Code::ServicePrincipalUnknown],
            ),
            row(
                "4.5-90002",
                "AADSTS90002, no such tenant; a node's service principal pulls all the same, since the kubelet asks the registry alone",
                &[Code::Pullable, Code::CheckAcrDisagrees],
            ),
            row(
                "4.5-500011",
                "AADSTS500011, the resource is not in the tenant",
                &[Code::TokenAudienceRefused],
            ),
            row(
                "4.5-50001",
                "AADSTS50001, the resource is disabled or does not exist",
                &[Code::TokenAudienceRefused],
            ),
            row(
                "4.5-70021",
                "AADSTS70021, no matching federated identity",
                &[Code::FederatedCredentialMismatch],
            ),
            row(
                "4.5-700211",
                "AADSTS700211, of another issuer",
                &[Code::FederatedCredentialMismatch],
            ),
            row(
                "4.5-700213",
                "AADSTS700213, of another subject",
                &[Code::FederatedCredentialMismatch],
            ),
            row(
                "4.5-7002138",
                "AADSTS7002138, in other letters",
                &[Code::FederatedCredentialMismatch],
            ),
            row(
                "4.5-700222",
                "AADSTS700222, a token of Entra ID itself",
                &[Code::FederatedCredentialMismatch],
            ),
            row(
                "4.5-50013",
                "AADSTS50013, the assertion is not valid",
                &[Code::FederatedCredentialMismatch],
            ),
            row("4.5-90055", "AADSTS90055, too many requests", &[Code::RateLimited]).beginning(""),
            row(
                "4.1",
                "the service account lacks an annotation",
                &[Code::WorkloadIdentityNotConfigured],
            ),
            row(
                "4.1",
                "the identity of the service account has no role",
                &[Code::TokenExchangeDenied],
            )
            .beginning("az role assignment create --assignee-object-id OBJECTID --assignee-principal-type ServicePrincipal --role AcrPull --scope \"$(az acr show -n REGISTRYNAME --query id -o tsv)\""),
        ],
    },
    Page {
        title: "The metadata service",
        source: "Microsoft Entra, How to use managed identities on a virtual machine to acquire an access token",
        url: "https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token",
        place: "4.6",
        rows: &[
            row("3.3-1a", "`Identity not found`", &[Code::IdentityNotAssigned]),
            of_page("`Multiple user assigned identities exist`", &[Code::IdentityAmbiguous]),
            of_page("`invalid_resource`", &[Code::TokenAudienceRefused]),
            of_page("429, to be asked again", &[Code::RateLimited]).beginning(""),
            of_page(
                "404, 410 and 5xx, to be asked again, and no answer at all",
                &[Code::IdentityEndpointUnreachable],
            ),
        ],
    },
    Page {
        title: "Where `az aks check-acr` fails and pulls work",
        source: "Azure Container Registry, Disable authentication as ARM template",
        url: "https://learn.microsoft.com/azure/container-registry/container-registry-disable-authentication-as-arm",
        place: "3.5",
        rows: &[
            of_page(
                "the registry takes no token for Azure Resource Manager",
                &[Code::Pullable, Code::CheckAcrDisagrees],
            ),
            row(
                "4.6",
                "the node names its identity by its resource id",
                &[Code::Pullable, Code::CheckAcrDisagrees],
            ),
        ],
    },
];
