//! The two ways of one login side by side: the kubelet's, which counts for pulls, and the one of
//! `az aks check-acr`.

use crate::access::Provenance;
use crate::access::azure::Identity;
use crate::api::Confidence;
use crate::evidence::azure::Azure;
use crate::evidence::{Answer, Attempt, End, Evidence, Failure, Role, StepName};

use super::super::catalogue::Code;
use super::super::{Finding, Subject, answers, is_served, network, unsent};
use super::named;

/// Says which of the two answers counts, where they differ, and why they do.
pub(in super::super) fn compared(subject: Subject<'_>, evidence: &Evidence) -> Option<Finding> {
    let azure = evidence.azure.as_deref()?;
    let check = azure.check_acr.as_ref()?;
    let of_identity =
        |attempt: &&Attempt| matches!(&attempt.credential, Some(Provenance::Azure { .. }));
    let own = evidence.attempts.iter().find(of_identity);
    // Where a request of the kubelet's way was not sent, nobody knows what would come of it.
    let is_open = |attempt: &Attempt| matches!(attempt.end, End::NotSent { .. });
    if is_open(&azure.provider) || own.is_some_and(is_open) {
        return None;
    }
    let pulls = is_served(&azure.provider) && own.is_none_or(is_served);
    let message = match (is_served(check), pulls) {
        (true, true) | (false, false) => return None,
        (true, false) if is_served(&azure.provider) => format!(
            "az aks check-acr would say that the cluster can pull images from {}: it tests the login of {} alone, and no repository, manifest or layer",
            subject.registry(),
            named(azure)
        ),
        (true, false) => format!(
            "az aks check-acr would say that the cluster can pull images from {}, and the kubelet has no credential: that check asks for a token of Azure Resource Manager{}, which is not how the kubelet logs in",
            subject.registry(),
            selector(azure)
        ),
        (false, true) => {
            format!(
                "az aks check-acr would fail for {}, and pulls do not: {}",
                subject.registry(),
                why(subject, azure, check)
            )
        }
    };
    let code = Code::CheckAcrDisagrees;
    let remedy = if is_without_management(check) {
        subject.fill(MANAGEMENT_TOKENS, &[])
    } else {
        subject.remedy(code, None)
    };
    // The check is more patient than this probe.
    let confidence = if is_impatient(check) { Confidence::Likely } else { Confidence::Certain };
    let finding = Finding::new(code, confidence, message, remedy);
    Some(finding.of_credential(Some(azure.identity.to_string())))
}

const MANAGEMENT_TOKENS: &str = "There is nothing to mend for pulls. To see the setting that the check stumbles over: az acr config authentication-as-arm show -r REGISTRYNAME";

/// Why the check fails where the kubelet's login does not.
fn why(subject: Subject<'_>, azure: &Azure, check: &Attempt) -> String {
    match &check.end {
        End::Answered { answer, .. } if is_without_management(check) => format!(
            "the registry takes no token for Azure Resource Manager ({}; azureADAuthenticationAsArmPolicy is disabled), and the kubelet asks for one of the registry's own audience",
            answers::in_words(answer)
        ),
        End::Answered { hop, answer, .. } if hop.role == Role::Metadata => format!(
            "the metadata service refuses it a token ({}){}",
            answers::in_words(answer),
            selector(azure)
        ),
        End::Answered { hop, answer, .. } if hop.role == Role::Entra => format!(
            "Entra ID refuses it a token ({}), and the kubelet asks for none: it sends the id and the secret themselves",
            answers::in_words(answer)
        ),
        End::Answered { hop, answer, .. } => {
            format!("{} answers its request with {}", hop.host, answers::in_words(answer))
        }
        End::Unreachable { hop, failure } => network::named(subject, hop, failure).message,
        End::NotSent { host, reason } => unsent::finding(subject, host, reason).message,
        End::Served { .. } | End::Challenged { .. } | End::Unfit { .. } => {
            "what it was served is no token".to_owned()
        }
    }
}

/// Whether only the patience of this probe ended.
fn is_impatient(check: &Attempt) -> bool {
    matches!(&check.end, End::Unreachable { failure: Failure::TimedOut { .. }, .. })
}

/// The check calls every id a client id.
fn selector(azure: &Azure) -> &'static str {
    match &azure.identity {
        Identity::Managed { id: Some(id) } if id.contains('/') => {
            ", and asks by client id though azure.json names the identity by its resource id"
        }
        Identity::Managed { .. }
        | Identity::ServicePrincipal { .. }
        | Identity::Workload { .. } => "",
    }
}

/// Whether the registry takes no token for Azure Resource Manager (Azure Container Registry,
/// "Disable authentication as ARM template").
fn is_without_management(check: &Attempt) -> bool {
    let says_so = |answer: &Answer| {
        answers::texts(answer).any(|text| text.contains("arm aad token disallowed"))
    };
    matches!(&check.end, End::Answered { step: StepName::Exchange, answer, .. } if says_so(answer))
}
