//! Azure: as whom a node logs in at a registry of Azure, and where.
//!
//! Plain data. What the kubelet's credential provider for Azure would do with it is done by
//! [`crate::probe`], since every step of it is one to name and to time.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// The credential provider's name on the nodes of AKS (cloud-provider-azure,
/// cmd/acr-credential-provider).
pub const PROVIDER: &str = "acr-credential-provider";
/// The key under which it gives a credential of nobody, for the registries of Azure
/// (cloud-provider-azure, `pkg/credentialprovider/azure_credentials.go`). The kubelet tries it last.
pub const STRANGERS_KEY: &str = "*.azurecr.*";
/// The user that a registry's own tokens go with (Azure Container Registry, docs/AAD-OAuth.md).
pub const TOKEN_USER: &str = "00000000-0000-0000-0000-000000000000";

/// The domains of registries (Azure CLI 2.91.0, azure/cli/core/cloud.py). That of the cloud that
/// was Germany's is not among them: it is retired, and whoever has it some day is to get no token.
pub const REGISTRY_DOMAINS: [&str; 3] = ["azurecr.io", "azurecr.cn", "azurecr.us"];

/// Whether a host, without a port, is a registry of Azure: the name of one before one of the
/// domains, by whole labels.
pub fn is_registry(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    REGISTRY_DOMAINS.iter().any(|domain| {
        host.strip_suffix(domain).is_some_and(|name| name.len() > 1 && name.ends_with('.'))
    })
}

/// Whether [`STRANGERS_KEY`] is for the images of a host, given without a port: a `*` stands for one
/// label, so that it is for no regional host and not for the clouds with longer domains.
pub fn is_for_strangers(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let labels: Vec<_> = host.split('.').collect();
    matches!(labels[..], [_, "azurecr", _])
}

/// As whom a node, or a pod on it, logs in at a registry of Azure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Who logs in.
    pub principal: Principal,
    /// `tenantId` of azure.json, which a token is exchanged for whatever tenant it is of.
    pub tenant: String,
    /// The node's region (`location` of azure.json), where it is said.
    pub location: Option<String>,
    /// Where everything is.
    pub cloud: Cloud,
    /// As whom `az aks check-acr` would log in there; `None` where that is not known.
    pub check_acr: Option<CheckAcr>,
}

/// As whom `az aks check-acr` logs in, which reads other fields of azure.json than the kubelet's
/// credential provider (Azure/aks-canipull d995351, main.go).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckAcr {
    /// As the managed identity with this id, which it takes for a client id whatever it is; the
    /// one that there is where it is empty.
    Managed(String),
    /// As a service principal, at Entra ID.
    ServicePrincipal {
        /// Its client id.
        client_id: String,
        /// Its client secret.
        secret: Secret,
    },
    /// As nobody: it knows no cloud of this name, and ends.
    UnknownCloud(String),
}

/// Who logs in, with what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A managed identity of the node, whose tokens the node's metadata service gives.
    Managed(Selector),
    /// A service principal, whose id and secret are what the registry is sent.
    ServicePrincipal {
        /// Its client id.
        client_id: String,
        /// Its client secret.
        secret: Secret,
    },
    /// The identity that a service account names, by a token of that account (KEP-4412).
    Workload {
        /// The service account.
        account: String,
        /// The client id that its annotation names.
        client_id: String,
        /// The tenant that its annotation names.
        tenant: String,
        /// The account's token.
        token: Secret,
    },
}

/// Which of a node's identities is meant (`userAssignedIdentityID` of azure.json).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The one with this client id.
    ClientId(String),
    /// The one with this resource id.
    ResourceId(String),
    /// The one that there is.
    Unnamed,
}

/// The endpoints of one of Azure's clouds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    /// Its name, as azure.json has it.
    pub name: String,
    /// The metadata service, as a URL without a path.
    pub metadata: String,
    /// Entra ID's token service, as a URL without a path.
    pub authority: String,
    /// The audience of the tokens that the kubelet's credential provider asks for.
    pub registry_audience: String,
    /// The audience of the tokens that `az aks check-acr` asks for.
    pub management_audience: String,
    /// The domains of registries to which a token may go: whole labels at the end of a host.
    pub registry_domains: Vec<String>,
}

impl Login {
    /// Who it is, without what it takes.
    pub fn identity(&self) -> Identity {
        match &self.principal {
            Principal::Managed(Selector::ClientId(id) | Selector::ResourceId(id)) => {
                Identity::Managed { id: Some(id.clone()) }
            }
            Principal::Managed(Selector::Unnamed) => Identity::Managed { id: None },
            Principal::ServicePrincipal { client_id, .. } if is_id(client_id) => {
                Identity::ServicePrincipal { client_id: client_id.clone() }
            }
            // It may be the secret, where somebody has taken one for the other.
            Principal::ServicePrincipal { .. } => {
                Identity::ServicePrincipal { client_id: NO_ID.to_owned() }
            }
            Principal::Workload { account, client_id, .. } => {
                Identity::Workload { account: account.clone(), client_id: client_id.clone() }
            }
        }
    }
}

/// Stands for what is no client id.
const NO_ID: &str = "(its client id is no id)";
/// How long an id is (RFC 9562, 4).
const ID_LENGTH: usize = 36;

/// Whether a client id can be one, and no secret.
pub fn is_id(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    !text.is_empty() && text.len() <= ID_LENGTH && text.bytes().all(is_part)
}

/// Who logs in at a registry of Azure; this may be shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Identity {
    /// A managed identity of the node.
    Managed {
        /// Its client id or resource id; `None` for the one that there is.
        id: Option<String>,
    },
    /// A service principal.
    ServicePrincipal {
        /// Its client id.
        #[serde(rename = "clientId")]
        client_id: String,
    },
    /// The identity that a service account names.
    Workload {
        /// The service account.
        account: String,
        /// Its client id.
        #[serde(rename = "clientId")]
        client_id: String,
    },
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Managed { id: Some(id) } => write!(formatter, "kubelet identity {id}"),
            Self::Managed { id: None } => {
                formatter.write_str("the node's system-assigned identity")
            }
            Self::ServicePrincipal { client_id } => {
                write!(formatter, "service principal {client_id} of the node")
            }
            Self::Workload { account, client_id } => {
                write!(formatter, "identity {client_id} of service account {account}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_registry;

    #[test]
    fn a_registry_is_known_by_whole_labels() {
        for host in ["shop.azurecr.io", "Shop.AzureCR.cn", "shop.westeurope.geo.azurecr.us"] {
            assert!(is_registry(host), "{host}");
        }
        for host in ["azurecr.io", ".azurecr.io", "shopazurecr.io", "shop.azurecr.io.example", ""] {
            assert!(!is_registry(host), "{host}");
        }
    }
}
