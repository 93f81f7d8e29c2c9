//! Findings about the credentials that a node has of its own.

use crate::access::{Gap, NodeSource, Provenance, azure};
use crate::api::Confidence;
use crate::evidence::Evidence;
use crate::image::Host;

use super::super::catalogue::Code;
use super::super::remedy::is_azure;
use super::super::{Finding, Subject, azure as of_azure, setting};

/// What a gap of the node's means; `None` where it is as it should be: the node's files are for
/// the registries that they name, and the kubelet reads the first that is valid.
pub(super) fn of_gap(subject: Subject<'_>, gap: &Gap) -> Option<Finding> {
    let registry = subject.registry();
    let (finding, provider) = match gap {
        Gap::ProviderNotMatched { provider, patterns }
            if provider == azure::PROVIDER && is_azure(&registry.name().to_ascii_lowercase()) =>
        {
            // The provider that this registry is made for.
            let message = format!(
                "the kubelet does not ask {provider} for a credential of {registry}, since no item of its matchImages matches (a * stands for one label): {}",
                patterns.join(", ")
            );
            let code = Code::CredentialProviderNotMatched;
            let lower = registry.as_str().to_ascii_lowercase();
            let remedy = if lower == registry.as_str() {
                subject.fill(OWN_SERVER, &[])
            } else {
                format!(
                    "Write the registry as {lower} in the pod's spec: the kubelet compares capitals too."
                )
            };
            (Finding::new(code, Confidence::Likely, message, remedy), provider.as_str())
        }
        Gap::ProviderNotMatched { provider, patterns } => (
            Finding::new(
                Code::CredentialProviderNotMatched,
                Confidence::Possible,
                format!(
                    "the node's credential provider {provider} is not run for {registry}, since no item of its matchImages matches: {}",
                    patterns.join(", ")
                ),
                subject.remedy(Code::CredentialProviderNotMatched, None),
            ),
            provider.as_str(),
        ),
        Gap::ProviderFailed { provider, failure } => (
            Finding::new(
                Code::CredentialProviderFailed,
                // It was not the kubelet that ran it.
                Confidence::Likely,
                format!(
                    "the node's credential provider {provider} {failure}, so it gives no credential for {registry}"
                ),
                subject.remedy(Code::CredentialProviderFailed, None),
            ),
            provider.as_str(),
        ),
        Gap::AzureConfigUnusable { file, reason } => (
            Finding::new(
                Code::CredentialProviderFailed,
                Confidence::Certain,
                format!(
                    "the node's credential provider gives no credential for {registry}, since {file} cannot be used: {reason}"
                ),
                subject.fill(WRITE_ANEW, &[("FILE", file)]),
            ),
            azure::PROVIDER,
        ),
        Gap::AnnotationMissing { account, annotation } => (
            Finding::new(
                Code::WorkloadIdentityNotConfigured,
                Confidence::Certain,
                format!(
                    "service account {account} has no annotation {annotation}, without which the node's credential provider gives no credential for {registry}"
                ),
                subject
                    .remedy(Code::WorkloadIdentityNotConfigured, None)
                    .replace("ACCOUNT", account),
            ),
            azure::PROVIDER,
        ),
        Gap::AccountTokenNotMade { account } => {
            let message = format!(
                "the identity that service account {account} names for {registry} was not tried, since this controller may make no token of that account"
            );
            let remedy = subject.fill(&token_for(), &[("ACCOUNT", account)]);
            let finding = Finding::new(Code::ProbeSkipped, Confidence::Certain, message, remedy);
            (finding, azure::PROVIDER)
        }
        Gap::SecretMissing { .. }
        | Gap::SecretForbidden { .. }
        | Gap::SecretIgnored { .. }
        | Gap::KeyringBroken { .. }
        | Gap::SecretNotAttached { .. }
        | Gap::EntryDropped { .. }
        | Gap::EntryNotMatching { .. }
        | Gap::NodeFileIgnored { .. }
        | Gap::NodeEntryDropped { .. }
        | Gap::NodeEntryNotMatching { .. }
        | Gap::ProviderNotRun { .. } => return None,
    };
    Some(finding.of_credential(Some(format!("credential provider {provider}"))))
}

/// Whether the credential providers of a node were asked, so that nothing of it is left open.
pub(super) fn was_asked(evidence: &Evidence) -> bool {
    let leaves_open = evidence.gaps.iter().any(Gap::leaves_open);
    if evidence.azure.is_some() {
        return !leaves_open && of_azure::was_asked(evidence);
    }
    let of_gaps = evidence.gaps.iter().filter_map(Gap::node_source);
    let of_attempts = evidence.attempts.iter().filter_map(|attempt| match &attempt.credential {
        Some(Provenance::Node { source, .. }) => Some(source.clone()),
        Some(Provenance::Azure { .. } | Provenance::Strangers) => {
            Some(NodeSource::Provider { provider: azure::PROVIDER.to_owned() })
        }
        Some(Provenance::PullSecret { .. } | Provenance::Client { .. }) | None => None,
    });
    let is_provider = |source: NodeSource| matches!(source, NodeSource::Provider { .. });
    !leaves_open && of_gaps.chain(of_attempts).any(is_provider)
}

/// How an entry that stands in the way is taken out.
pub(super) fn take_out(source: &NodeSource, key: &str) -> String {
    match source {
        NodeSource::File { file } => format!(
            "Take the entry {key} out of {file} on the node; the kubelet reads the file again within 5 minutes."
        ),
        NodeSource::Provider { provider } => format!(
            "Mend what credential provider {provider} answers under {key}, or take the registry out of its matchImages and start the kubelet again."
        ),
    }
}

/// How an entry that is refused is put right.
pub(in super::super) fn put_right(registry: &Host, source: &NodeSource, key: &str) -> String {
    match source {
        NodeSource::File { file } => format!(
            "Put a user name and password that {registry} accepts under {key} into {file} on the node; the kubelet reads the file again within 5 minutes."
        ),
        NodeSource::Provider { provider } => format!(
            "Give the identity of credential provider {provider} access to {registry}; until then a pull secret, which is tried before it, lets the pod pull."
        ),
    }
}

/// The value has all accounts, and this one would otherwise take the place of the others.
fn token_for() -> String {
    setting::of_manifests(
        "Let the controller make tokens of that account too, beside those that it is told of already",
        "accountTokens.accounts={NAMESPACE/ACCOUNT}",
        "--token-for NAMESPACE/ACCOUNT",
    )
}

/// A regional host of a registry serves what its login server does (Azure Container Registry,
/// "Endpoints").
const OWN_SERVER: &str = "Pull by the registry's login server, which is REGISTRYNAME.azurecr.io where it is in the public cloud. Or create a pull secret and name it in the pod's imagePullSecrets: kubectl create secret docker-registry SECRET -n NAMESPACE --docker-server=REGISTRY --docker-username=USER --docker-password=PASSWORD";

/// A node is made anew with a file that its provider takes (AKS, "Delete specific nodes").
const WRITE_ANEW: &str = "Mend FILE on the node, or have the node made anew, by taking it out and scaling its pool back: az aks nodepool delete-machines -g GROUP --cluster-name CLUSTER -n NODEPOOL --machine-names NODE. Until then a pull secret, which is tried before it, lets the pod pull.";
