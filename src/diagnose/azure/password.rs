//! User names and passwords at a registry of Azure: which of the two its token service refuses.

use crate::access::Provenance;
use crate::access::azure::Identity;
use crate::api::Confidence;
use crate::evidence::azure::Azure;
use crate::evidence::{Answer, Attempt, End, Evidence, Role, StepName};

use super::super::catalogue::Code;
use super::super::remedy::is_azure;
use super::super::{Finding, Subject, answers, credentials, workstation};
use super::login::to_be_let_in;
use super::{entra, named, names};

/// The words of the token service (github.com/Azure/azure-cli/issues/29659 for the first and the
/// last, microsoft/vscode-docker/issues/3780 and Azure/docker-login/issues/46 for the others).
const WORDS: &[(&str, Refused)] = &[
    ("application not registered with aad", Refused::User),
    ("client id must be guid", Refused::User),
    ("invalid clientid or client secret", Refused::Secret),
    ("authentication required", Refused::Password),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// No such user.
    User,
    /// The user is a service principal, and its secret is refused.
    Secret,
    /// The user is known, and the password is refused.
    Password,
}

/// What the token service's refusal of a login means, where its words say more than no or an
/// identity is refused.
pub(in super::super) fn refused(
    subject: Subject<'_>,
    attempt: &Attempt,
    answer: &Answer,
    evidence: &Evidence,
) -> Option<Finding> {
    let refused = answers::texts(answer).find_map(|text| {
        let text = text.to_ascii_lowercase();
        WORDS.iter().find(|(words, _)| text.contains(words)).map(|(_, refused)| *refused)
    });
    let said = answers::in_words(answer);
    match attempt.credential.as_ref()? {
        Provenance::PullSecret { secret, .. } => {
            let remedy = |code| subject.remedy(code, Some(secret));
            let holder = format!("pull secret {secret}");
            of_account(subject, attempt, &holder, refused?, &said, remedy)
        }
        Provenance::Node { source, key } => {
            let remedy = |_| credentials::put_right(subject.registry(), source, key);
            of_account(subject, attempt, &source.to_string(), refused?, &said, remedy)
        }
        Provenance::Azure { identity } => {
            let azure = evidence.azure.as_deref()?;
            Some(match identity {
                Identity::ServicePrincipal { .. } => of_principal(subject, azure, refused, &said),
                Identity::Managed { .. } | Identity::Workload { .. } => {
                    of_token(subject, azure, &said)
                }
            })
        }
        Provenance::Client { source, .. } => {
            let remedy = |_| workstation::log_in_again(subject);
            of_account(subject, attempt, &source.to_string(), refused?, &said, remedy)
        }
        Provenance::Strangers => None,
    }
}

/// A user name and a password that somebody wrote down, in `holder`.
fn of_account(
    subject: Subject<'_>,
    attempt: &Attempt,
    holder: &str,
    refused: Refused,
    said: &str,
    remedy: impl Fn(Code) -> String,
) -> Option<Finding> {
    let registry = subject.registry();
    let (code, confidence, message) = match refused {
        Refused::User => (
            Code::UsernameUnknown,
            Confidence::Certain,
            format!(
                "{registry} does not know the user name in {holder} ({said}): it is misspelt, was deleted, is of another tenant, or is the admin user of a registry that has none"
            ),
        ),
        Refused::Secret => (
            Code::ServicePrincipalSecretInvalid,
            Confidence::Likely,
            format!(
                "{registry} refuses the service principal's secret in {holder} ({said}): it is wrong or has expired, which it does not tell apart"
            ),
        ),
        // Other registries say that of any refusal.
        Refused::Password if !is_azure(registry.name()) => return None,
        // A token with the user that goes with it.
        Refused::Password if attempt.lifetime.is_some() && attempt.flaw.is_none() => (
            Code::CredentialRejected,
            Confidence::Likely,
            format!(
                "{registry} refuses the token in {holder} ({said}): it may be of another registry"
            ),
        ),
        Refused::Password => (
            Code::PasswordIncorrect,
            Confidence::Likely,
            format!(
                "{registry} knows the user in {holder} and refuses the password ({said}): it is wrong, has expired or was disabled, which it does not tell apart; or, where the user is the id of a service principal, that has no role on the registry"
            ),
        ),
    };
    Some(Finding::new(code, confidence, message, remedy(code)))
}

/// The node's own service principal, which the kubelet's provider hands out unasked. Entra ID was
/// asked for a token in the way of `az aks check-acr`, and may say what the registry does not.
fn of_principal(
    subject: Subject<'_>,
    azure: &Azure,
    refused: Option<Refused>,
    said: &str,
) -> Finding {
    let registry = subject.registry();
    let who = named(azure);
    if let Some(answer) = of_entra(azure)
        && explains(answer, refused)
    {
        let finding = entra::why(subject, azure, answer);
        let message = format!(
            "{registry} refuses {who} ({said}), and Entra ID says why: {}",
            finding.message
        );
        return Finding { message, ..finding };
    }
    // What Entra ID says besides can have a cause of its own.
    let beside = of_entra(azure).map_or(String::new(), |answer| {
        format!("; Entra ID, asked for a token, answers {}", answers::in_words(answer))
    });
    let (code, message, remedy) = match refused {
        Some(Refused::User) => (
            Code::ServicePrincipalUnknown,
            format!(
                "{registry} does not know {who} ({said}): it was deleted, or is of another tenant or cloud"
            ),
            subject.fill(entra::OTHER_PRINCIPAL, &names(azure)),
        ),
        Some(Refused::Secret | Refused::Password) if has_token(azure) => (
            Code::TokenExchangeDenied,
            format!(
                "Entra ID takes the secret of {who}, and {registry} gives it no login ({said}): it has no role there, or one that was given less than 10 minutes ago"
            ),
            to_be_let_in(subject, azure),
        ),
        Some(Refused::Secret | Refused::Password) => (
            Code::ServicePrincipalSecretInvalid,
            format!(
                "{registry} refuses the secret of {who} ({said}): it is wrong or has expired, which the registry does not tell apart"
            ),
            subject.fill(entra::NEW_SECRET, &names(azure)),
        ),
        None => (
            Code::PullNotAuthorized,
            format!(
                "{registry} gives {who} no token to pull ({said}): its role there is missing, or was given less than 10 minutes ago, or its secret is refused"
            ),
            subject.remedy_with(Code::PullNotAuthorized, &names(azure)),
        ),
    };
    Finding::new(code, Confidence::Likely, format!("{message}{beside}"), remedy)
}

/// What Entra ID answered in the way of `az aks check-acr`, where it gave no token.
fn of_entra(azure: &Azure) -> Option<&Answer> {
    match &azure.check_acr.as_ref()?.end {
        End::Answered { hop, answer, .. } if hop.role == Role::Entra => Some(answer),
        End::Answered { .. }
        | End::Served { .. }
        | End::Challenged { .. }
        | End::Unreachable { .. }
        | End::NotSent { .. }
        | End::Unfit { .. } => None,
    }
}

/// Whether what Entra ID says of a service principal is about what the registry refuses: both mean
/// its secret, or both the service principal itself.
fn explains(answer: &Answer, refused: Option<Refused>) -> bool {
    match entra::code(answer) {
        Some("AADSTS7000215" | "AADSTS7000222") => {
            matches!(refused, Some(Refused::Secret | Refused::Password))
        }
        Some("AADSTS700016") => refused == Some(Refused::User),
        Some(_) | None => false,
    }
}

/// Whether Entra ID gave the service principal a token in the way of `az aks check-acr`.
fn has_token(azure: &Azure) -> bool {
    let mut steps = azure.check_acr.iter().flat_map(|check| &check.steps);
    steps.any(|step| step.name == StepName::Identity && step.passed)
}

/// The registry refuses what it gave itself a moment ago, as one does whose mode of roles was
/// changed, or an identity that lost its role.
fn of_token(subject: Subject<'_>, azure: &Azure, said: &str) -> Finding {
    let registry = subject.registry();
    let code = Code::PullNotAuthorized;
    let message = format!(
        "{registry} takes the token of {} and gives it none to pull with ({said}): its role is missing, was given less than 10 minutes ago, or is AcrPull, which a registry in mode AbacRepositoryPermissions ignores",
        named(azure)
    );
    Finding::new(code, Confidence::Likely, message, subject.remedy_with(code, &names(azure)))
}
