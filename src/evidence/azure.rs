//! What was seen when an identity of Azure logged in at a registry, in both ways.

use serde::{Deserialize, Serialize};

use crate::access::azure::Identity;

use super::Attempt;
use super::told::Grant;

/// A login in two ways: as the kubelet's credential provider does it, which counts for pulls,
/// and as `az aks check-acr` does it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Azure {
    /// Who logged in.
    pub identity: Identity,
    /// The kubelet's way, up to the credential: it ended with [`End::Served`](super::End::Served)
    /// where there is one, and what came of that is one of the evidence's attempts. A service
    /// principal's is given without a request, and has no steps.
    pub provider: Attempt,
    /// The way of `az aks check-acr`: a token for Azure Resource Manager, exchanged at the
    /// registry. `None` where it was not tried.
    pub check_acr: Option<Attempt>,
    /// Who the token of Entra ID says it is of, where one could be read.
    pub principal: Option<PrincipalIds>,
    /// The node's region, where it is known.
    pub node_location: Option<String>,
    /// What a token for another repository of the registry grants to the same identity, asked
    /// where it may not pull the image's own.
    pub other: Option<OtherRepository>,
}

/// The ids of an identity, as a token of Entra ID states them (Microsoft identity platform,
/// access token claims reference: `appid` or `azp`, `oid`, `tid`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrincipalIds {
    /// The client id.
    pub client_id: Option<String>,
    /// The object id, which role assignments name.
    pub object_id: Option<String>,
    /// The tenant.
    pub tenant: Option<String>,
}

/// What is granted on another repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OtherRepository {
    /// Its name.
    pub name: String,
    /// What is granted on it.
    pub grant: Grant,
}
