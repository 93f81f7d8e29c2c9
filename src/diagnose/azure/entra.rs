//! What Entra ID says: the numbers of its errors, which it calls stable less than its words
//! (Microsoft Entra, "Authentication and authorization error codes").

use crate::access::azure::Identity;
use crate::api::Confidence;
use crate::evidence::azure::Azure;
use crate::evidence::{Answer, StepName};

use super::super::catalogue::Code;
use super::super::{Finding, Subject, answers};
use super::login::lacking;
use super::{named, names};

/// An error of Entra ID.
struct Meaning {
    code: Code,
    confidence: Confidence,
    /// What is wrong, as a clause.
    what: &'static str,
}

/// The number of the error that an answer names, with its prefix: `AADSTS7000215`.
pub(super) fn code(answer: &Answer) -> Option<&str> {
    let mut codes = answer.errors.iter().map(|error| error.code.as_str());
    codes.find(|code| code.starts_with("AADSTS"))
}

/// What a refusal of a token means for the kubelet's login.
pub(super) fn refused(subject: Subject<'_>, azure: &Azure, answer: &Answer) -> Finding {
    let finding = why(subject, azure, answer);
    let message = format!(
        "Entra ID gives {} no token: {}, {}",
        named(azure),
        finding.message,
        lacking(subject)
    );
    Finding { message, ..finding }
}

/// Why Entra ID refuses an identity, as a clause, whatever follows from it.
pub(super) fn why(subject: Subject<'_>, azure: &Azure, answer: &Answer) -> Finding {
    let Meaning { code, confidence, what } = meaning(answer);
    let is_audience = code == Code::TokenAudienceRefused;
    let other = if is_audience { other_audience(azure) } else { "" };
    let message = format!("{what}{other} ({})", answers::in_words(answer));
    let mut remedy = remedy(subject, azure, code);
    if code == Code::FederatedCredentialMismatch && confidence != Confidence::Certain {
        // Where it was not, the same is said for a moment now and then (github.com/kedacore/keda
        // issue 8152, Azure/azure-workload-identity issue 1200).
        remedy = format!("If that was set up a moment ago, wait a few minutes. {remedy}");
    }
    Finding::new(code, confidence, message, remedy)
}

fn meaning(answer: &Answer) -> Meaning {
    use Confidence::{Certain, Likely};
    let found = |code, confidence, what| Meaning { code, confidence, what };
    let is_resource = answer.errors.iter().any(|error| error.code == "invalid_resource");
    match code(answer).map(|code| code.trim_start_matches("AADSTS")) {
        Some("7000215") => found(
            Code::ServicePrincipalSecretInvalid,
            Certain,
            "the secret is none of its secrets (often the secret's id in place of its value)",
        ),
        Some("7000222") => {
            found(Code::ServicePrincipalSecretExpired, Certain, "its secret has expired")
        }
        Some("700016") => found(
            Code::ServicePrincipalUnknown,
            Certain,
            "no such application is in the tenant that was asked",
        ),
        Some("90002") => {
            found(Code::ServicePrincipalUnknown, Certain, "there is no such tenant in this cloud")
        }
        Some("900432") => found(
            Code::ServicePrincipalUnknown,
            Likely,
            "the application belongs to another cloud than the one that was asked",
        ),
        Some("500011" | "50001") => found(Code::TokenAudienceRefused, Certain, AUDIENCE),
        Some("70021") => found(
            Code::FederatedCredentialMismatch,
            Likely,
            "no federated credential of it fits the token of the service account, or one that was made a moment ago does not count yet",
        ),
        Some("700211") => found(
            Code::FederatedCredentialMismatch,
            Likely,
            "it trusts no token of this issuer, which is the cluster's",
        ),
        Some("700212") => {
            found(Code::FederatedCredentialMismatch, Likely, "it trusts no token for this audience")
        }
        Some("700213") => found(
            Code::FederatedCredentialMismatch,
            Likely,
            "it trusts no token of this subject, which is the service account",
        ),
        Some("7002138") => found(
            Code::FederatedCredentialMismatch,
            Likely,
            "what it trusts differs from the token in upper and lower case alone",
        ),
        Some("700222") => found(
            Code::FederatedCredentialMismatch,
            Certain,
            "the token is one of Entra ID itself, and none of the cluster",
        ),
        Some("50013") => found(
            Code::FederatedCredentialMismatch,
            Likely,
            "the token's signature or its time is not accepted: the keys of the cluster's issuer cannot be read, or a clock is wrong",
        ),
        Some("90055") => found(Code::RateLimited, Likely, "it was asked too often"),
        _ if is_resource => found(Code::TokenAudienceRefused, Certain, AUDIENCE),
        _ if answer.status == 429 => found(Code::RateLimited, Likely, "it was asked too often"),
        _ if answer.status >= 500 => {
            found(Code::RegistryUnavailable, Likely, "it has a fault of its own")
        }
        Some(_) | None => found(
            Code::IdentityProviderRefused,
            Likely,
            "it says why in words that have no finding of their own",
        ),
    }
}

const AUDIENCE: &str =
    "the audience that the kubelet asks for, https://containerregistry.azure.net, is not known";

/// Whether the other audience is known, as far as it was asked for.
fn other_audience(azure: &Azure) -> &'static str {
    let check = azure.check_acr.as_ref();
    let has_token = check.is_some_and(|check| {
        check.steps.iter().any(|step| step.name == StepName::Identity && step.passed)
    });
    if has_token { ", while that of Azure Resource Manager works" } else { "" }
}

/// What to do depends on where the identity is written down.
fn remedy(subject: Subject<'_>, azure: &Azure, code: Code) -> String {
    let template = match (&azure.identity, code) {
        (
            Identity::ServicePrincipal { .. },
            Code::ServicePrincipalSecretInvalid | Code::ServicePrincipalSecretExpired,
        ) => NEW_SECRET,
        (Identity::ServicePrincipal { .. }, Code::ServicePrincipalUnknown) => OTHER_PRINCIPAL,
        (Identity::Workload { account, .. }, Code::ServicePrincipalUnknown) => {
            // The ids that it has are wrong.
            return subject.fill(OTHER_ANNOTATION, &[("ACCOUNT", account)]);
        }
        (Identity::Managed { .. }, Code::ServicePrincipalUnknown) => OTHER_IDENTITY,
        (_, Code::RateLimited) => LATER,
        (_, code) => return subject.remedy_with(code, &names(azure)),
    };
    subject.fill(template, &names(azure))
}

/// How the secret of a cluster's service principal is renewed (AKS, "Update or rotate the
/// credentials").
pub(super) const NEW_SECRET: &str = "Make another secret for the service principal: az ad sp credential reset --append --id CLIENT_ID. Then give it to the cluster, which renews its nodes: az aks update-credentials -g GROUP -n CLUSTER --reset-service-principal --service-principal CLIENT_ID --client-secret PASSWORD";
/// How a cluster gets another one.
pub(super) const OTHER_PRINCIPAL: &str = "See whether the application is in this tenant: az ad sp show --id CLIENT_ID. If it is not, give the cluster another service principal: az aks update-credentials -g GROUP -n CLUSTER --reset-service-principal --service-principal APP_ID --client-secret PASSWORD. Or give it a managed identity, which cannot be undone, counts on a node from its next upgrade on, and needs the registry attached again: az aks update -g GROUP -n CLUSTER --enable-managed-identity";
const OTHER_ANNOTATION: &str = "Compare the ids that the service account names with those of the identity: az identity show -g GROUP -n IDENTITY --query '[clientId,tenantId]'. Then write them on the service account: kubectl annotate serviceaccount ACCOUNT -n NAMESPACE --overwrite kubernetes.azure.com/acr-client-id=CLIENT_ID kubernetes.azure.com/acr-tenant-id=TENANT_ID";
const OTHER_IDENTITY: &str = "See whether the identity is still in this tenant: az ad sp show --id CLIENT_ID. If it is not, have the cluster's identities put right (answer y to what it asks): az aks update -g GROUP -n CLUSTER";
/// No pull secret helps against a limit of whoever gives tokens, nor is one needed for long.
pub(super) const LATER: &str = "Wait for the kubelet's next attempt, which asks again (within 5 minutes). If it lasts, look for what else asks for tokens on this node so often: kubectl get pods -A -o wide --field-selector spec.nodeName=NODE";
