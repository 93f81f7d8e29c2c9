//! What was seen when a registry was asked whether it takes a login, and for no image.

use serde::{Deserialize, Serialize};

use crate::access::Gap;
use crate::image::Host;

use super::azure::Azure;
use super::told::Lookup;
use super::{Attempt, Vantage};

/// All that was seen of one registry with one list of credentials from one place.
///
/// The question is `GET /v2/` (OCI distribution specification v1.1, end-1). An attempt that
/// ended with [`End::Served`](super::End::Served) was given a token, or was answered with
/// success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// The registry.
    pub registry: Host,
    /// Where the probe stood.
    pub vantage: Vantage,
    /// Credentials that are missing or do not apply.
    pub gaps: Vec<Gap>,
    /// The first request, which carries no credential.
    pub opening: Attempt,
    /// One attempt for each credential in the kubelet's order, whatever came of those before.
    /// Empty where the opening decided.
    pub attempts: Vec<Attempt>,
    /// What a stranger gets of the token service, where there is no credential.
    pub anonymous: Option<Attempt>,
    /// How the hosts that were met were looked up, the registry's first; at most 4.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<Lookup>,
    /// What the node's identity of Azure came to, where there is one. What came of its credential
    /// is the last of the attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<Box<Azure>>,
    /// When it was asked, RFC 3339, to the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}
