//! Findings about the identities of Azure: how they log in at a registry, what they may pull,
//! and what `az aks check-acr` says of the same.
//!
//! The kubelet's credential provider throws most of this away: of a failed login it leaves one
//! line in the kubelet's log, and the runtime then pulls as nobody (cloud-provider-azure,
//! `pkg/credentialprovider/azure_acr_helper.go`).

use crate::access::Provenance;
use crate::access::azure::Identity;
use crate::api::Severity;
use crate::evidence::azure::Azure;
use crate::evidence::{Attempt, End, Evidence, Role, Vantage};

use super::{Finding, Subject, is_served, reach, wants_credential};

mod both_ways;
mod endpoints;
mod entra;
mod login;
mod password;
mod rights;

pub(super) use both_ways::compared;
pub(super) use endpoints::{findings as of_endpoints, misrouted};
pub(super) use password::refused;
pub(super) use rights::{account_not_authorized, not_authorized};

/// Why the login of the evidence's identity fails; `None` where it has a credential, and where
/// there is no identity.
pub(super) fn failed_login(subject: Subject<'_>, evidence: &Evidence) -> Option<Finding> {
    login::failed(subject, evidence, evidence.azure.as_deref()?)
}

/// Adds a login that fails where something else decides: a pull secret that is refused, a registry
/// that serves anybody. It is in the way of nothing, and could have helped.
pub(super) fn add_beside(login: Finding, findings: &mut Vec<Finding>) {
    if findings.iter().any(|other| other.code == login.code) {
        return;
    }
    let is_failure = findings.iter().any(|other| other.severity == Severity::Error);
    let severity = if is_failure { Severity::Warning } else { Severity::Info };
    findings.push(Finding { severity, ..login });
}

/// Whether the node's identity was asked, so that nothing of it is left open.
pub(super) fn was_asked(evidence: &Evidence) -> bool {
    evidence.azure.as_ref().is_some_and(|azure| !is_closed_to_pods(evidence.vantage, azure))
}

/// Whether nothing follows from the silence of the metadata service: it can be closed to pods,
/// and open to the node (AKS, Restrict access to the Instance Metadata Service).
pub(super) fn is_closed_to_pods(vantage: Vantage, azure: &Azure) -> bool {
    let is_silent = matches!(
        &azure.provider.end,
        End::Unreachable { hop, .. } if hop.role == Role::Metadata
    );
    is_silent && vantage == Vantage::Pod
}

/// Whether an attempt is what every pull of AKS ends with where it is refused: nobody's
/// credential after the identity's own. It explains nothing.
pub(super) fn is_noise(attempt: &Attempt, evidence: &Evidence) -> bool {
    let is_strangers = attempt.credential == Some(Provenance::Strangers);
    let own = reach(attempt);
    let is_furthest = own > 1 && evidence.attempts.iter().all(|other| reach(other) <= own);
    is_strangers && !is_served(attempt) && (wants_credential(&attempt.end) || !is_furthest)
}

/// The identity as a reader can find it: its name, its ids, its tenant.
fn named(azure: &Azure) -> String {
    let ids = azure.principal.as_ref();
    let client_id = ids.and_then(|ids| ids.client_id.as_ref());
    let own_id = client_id.map_or_else(String::new, |id| format!(" (client id {id})"));
    let name = match &azure.identity {
        Identity::Managed { id: Some(id) } => match id.rsplit_once('/') {
            Some((_, name)) => format!("kubelet identity {name}{own_id}"),
            None => azure.identity.to_string(),
        },
        Identity::Managed { id: None } => format!("{}{own_id}", azure.identity),
        Identity::ServicePrincipal { client_id } => {
            format!("the node's service principal {client_id}")
        }
        Identity::Workload { account, client_id } => {
            format!("identity {client_id} (service account {account})")
        }
    };
    match ids.and_then(|ids| ids.tenant.as_ref()) {
        Some(tenant) => format!("{name} of tenant {tenant}"),
        None => name,
    }
}

/// What stands for the placeholders of a remedy about the identity, as far as it is known.
fn names(azure: &Azure) -> Vec<(&'static str, &str)> {
    let ids = azure.principal.as_ref();
    let of_token = ids.and_then(|ids| ids.client_id.as_deref());
    let (client_id, account) = match &azure.identity {
        Identity::Managed { id: Some(id) } if !id.contains('/') => (Some(id.as_str()), None),
        Identity::Managed { .. } => (of_token, None),
        Identity::ServicePrincipal { client_id } => (Some(client_id.as_str()), None),
        Identity::Workload { account, client_id } => {
            (Some(client_id.as_str()), Some(account.as_str()))
        }
    };
    [
        ("OBJECTID", ids.and_then(|ids| ids.object_id.as_deref())),
        ("CLIENT_ID", client_id),
        ("ACCOUNT", account),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}
