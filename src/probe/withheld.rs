//! Which credentials are not sent to a registry, although it asks for one.

use url::Url;

use crate::access::azure::PROVIDER;
use crate::access::{Credential, NodeSource, Provenance};
use crate::evidence::{End, NotSent};

use super::connection::host_of;
use super::protocol::azure;
use super::protocol::challenge::Demand;
use super::walk::Walk;

impl Walk<'_> {
    /// How an attempt ends whose credential does not go to this registry.
    ///
    /// What Azure gives goes to the image's own registry alone, whatever a node's hosts.toml has
    /// before it or in its place, and only where that is known to be the one that it says. A
    /// password goes over
    /// no connection that anybody on the way can read; containerd would send it there.
    pub(super) fn withheld(&self, credential: &Credential, demand: &Demand) -> Option<End> {
        let line = &self.line;
        let of_azure = is_of_azure(credential) && !credential.password.is_empty();
        let is_own = Url::parse(&format!("https://{}/", self.image.registry().endpoint()))
            .is_ok_and(|own| azure::is_same_registry(&line.registry, &own, &line.domains));
        let is_azure = is_own && azure::may_have_tokens(&line.registry, &line.domains);
        let is_password = matches!(demand, Demand::Basic | Demand::Unsupported(_));
        let is_plain = line.registry.scheme() != "https" && !line.hosts.is_plain(&line.registry);
        let reason = if of_azure && !is_azure {
            NotSent::NotAzure
        } else if of_azure && line.is_unverified {
            NotSent::NotVerified
        } else if is_password && is_plain {
            NotSent::NotEncrypted
        } else {
            return None;
        };
        Some(End::NotSent { host: host_of(&line.registry), reason })
    }
}

/// Whether a credential is what an identity of Azure was given, here or by the node's own
/// credential provider.
pub(super) fn is_of_azure(credential: &Credential) -> bool {
    match &credential.provenance {
        Provenance::Azure { .. } => true,
        Provenance::Node { source: NodeSource::Provider { provider }, .. } => {
            provider.strip_suffix(".exe").unwrap_or(provider) == PROVIDER
        }
        Provenance::Node { .. }
        | Provenance::PullSecret { .. }
        | Provenance::Strangers
        | Provenance::Client { .. } => false,
    }
}
