//! Findings about the credentials that a node has of its own.

use crate::access::{Gap, NodeSource, Provenance, azure};
use crate::api::Confidence;
use crate::evidence::Evidence;
use crate::image::Host;

use super::super::catalogue::Code;
use super::super::{Finding, Subject};

/// What a gap of the node's means; `None` where it is as it should be: the node's files are for
/// the registries that they name, and the kubelet reads the first that is valid.
pub(super) fn of_gap(subject: Subject<'_>, gap: &Gap) -> Option<Finding> {
    let registry = subject.registry();
    let (finding, provider) = match gap {
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
                subject.remedy(Code::CredentialProviderFailed, None),
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
        | Gap::ProviderNotRun { .. }
        | Gap::AccountTokenNotMade { .. } => return None,
    };
    Some(finding.of_credential(Some(format!("credential provider {provider}"))))
}

/// Whether the credential providers of a node were asked, so that nothing of it is left open.
pub(super) fn was_asked(evidence: &Evidence) -> bool {
    let of_gaps = evidence.gaps.iter().filter_map(Gap::node_source);
    let of_attempts = evidence.attempts.iter().filter_map(|attempt| match &attempt.credential {
        Some(Provenance::Node { source, .. }) => Some(source.clone()),
        Some(Provenance::Azure { .. } | Provenance::Strangers) => {
            Some(NodeSource::Provider { provider: azure::PROVIDER.to_owned() })
        }
        Some(Provenance::PullSecret { .. }) | None => None,
    });
    let is_provider = |source: NodeSource| matches!(source, NodeSource::Provider { .. });
    !evidence.gaps.iter().any(Gap::leaves_open) && of_gaps.chain(of_attempts).any(is_provider)
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
pub(super) fn put_right(registry: &Host, source: &NodeSource, key: &str) -> String {
    match source {
        NodeSource::File { file } => format!(
            "Put a user name and password that {registry} accepts under {key} into {file} on the node; the kubelet reads the file again within 5 minutes."
        ),
        NodeSource::Provider { provider } => format!(
            "Give the identity of credential provider {provider} access to {registry}; until then a pull secret, which is tried before it, lets the pod pull."
        ),
    }
}
