//! User names and passwords at a registry of Azure: which of the two its token service refuses.

use crate::access::Provenance;
use crate::access::azure::Identity;
use crate::api::Confidence;
use crate::evidence::azure::Azure;
use crate::evidence::{Answer, End, Role, StepName};

use super::super::catalogue::Code;
use super::super::{Finding, Subject, answers};
use super::login::to_be_let_in;
use super::{entra, is_of_azure, named, names, texts};

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

/// What the token service's refusal of a login means, where its words say more than no.
pub(in super::super) fn refused(
    subject: Subject<'_>,
    credential: &Provenance,
    answer: &Answer,
    azure: Option<&Azure>,
) -> Option<Finding> {
    let refused = texts(answer).find_map(|text| {
        let text = text.to_ascii_lowercase();
        WORDS.iter().find(|(words, _)| text.contains(words)).map(|(_, refused)| *refused)
    })?;
    let said = answers::in_words(answer);
    match credential {
        Provenance::PullSecret { secret, .. } => of_secret(subject, secret, refused, &said),
        Provenance::Azure { identity } => {
            let azure = azure?;
            Some(match identity {
                Identity::ServicePrincipal { .. } => of_principal(subject, azure, refused, &said),
                Identity::Managed { .. } | Identity::Workload { .. } => {
                    of_token(subject, azure, &said)
                }
            })
        }
        Provenance::Node { .. } | Provenance::Strangers => None,
    }
}

fn of_secret(subject: Subject<'_>, secret: &str, refused: Refused, said: &str) -> Option<Finding> {
    let registry = subject.registry();
    let (code, confidence, message) = match refused {
        Refused::User => (
            Code::UsernameUnknown,
            Confidence::Certain,
            format!(
                "{registry} does not know the user name in pull secret {secret} ({said}): it is misspelt, was deleted, is of another tenant, or is the admin user of a registry that has none"
            ),
        ),
        Refused::Secret => (
            Code::ServicePrincipalSecretInvalid,
            Confidence::Likely,
            format!(
                "{registry} refuses the service principal's secret in pull secret {secret} ({said}): it is wrong or has expired, which it does not tell apart"
            ),
        ),
        // Other registries say that of any refusal.
        Refused::Password if !is_of_azure(subject, None) => return None,
        Refused::Password => (
            Code::PasswordIncorrect,
            Confidence::Likely,
            format!(
                "{registry} knows the user in pull secret {secret} and refuses the password ({said}): it is wrong, has expired or was disabled, which it does not tell apart"
            ),
        ),
    };
    Some(Finding::new(code, confidence, message, subject.remedy(code, Some(secret))))
}

/// The node's own service principal, which the kubelet's provider hands out unasked. Entra ID was
/// asked for a token in the way of `az aks check-acr`, and says what the registry does not.
fn of_principal(subject: Subject<'_>, azure: &Azure, refused: Refused, said: &str) -> Finding {
    let registry = subject.registry();
    let who = named(azure);
    match azure.check_acr.as_ref().map(|check| &check.end) {
        Some(End::Answered { hop, answer, .. }) if hop.role == Role::Entra => {
            let finding = entra::why(subject, azure, answer);
            let message = format!(
                "{registry} refuses {who} ({said}), and Entra ID says why: {}",
                finding.message
            );
            return Finding { message, ..finding };
        }
        Some(
            End::Answered { .. }
            | End::Served { .. }
            | End::Challenged { .. }
            | End::Unreachable { .. }
            | End::NotSent { .. }
            | End::Unfit { .. },
        )
        | None => {}
    }
    if refused == Refused::User {
        let message = format!(
            "{registry} does not know {who} ({said}): it was deleted, or is of another tenant or cloud"
        );
        let remedy = subject.fill(entra::OTHER_PRINCIPAL, &names(azure));
        return Finding::new(Code::ServicePrincipalUnknown, Confidence::Likely, message, remedy);
    }
    if has_token(azure) {
        let message = format!(
            "Entra ID takes the secret of {who}, and {registry} gives it no login ({said}): it has no role there, or one that was given less than 10 minutes ago"
        );
        let remedy = to_be_let_in(subject, azure);
        return Finding::new(Code::TokenExchangeDenied, Confidence::Likely, message, remedy);
    }
    let message = format!(
        "{registry} refuses the secret of {who} ({said}): it is wrong or has expired, which the registry does not tell apart"
    );
    let remedy = subject.fill(entra::NEW_SECRET, &names(azure));
    Finding::new(Code::ServicePrincipalSecretInvalid, Confidence::Likely, message, remedy)
}

/// Whether Entra ID gave the service principal a token in the way of `az aks check-acr`.
fn has_token(azure: &Azure) -> bool {
    let mut steps = azure.check_acr.iter().flat_map(|check| &check.steps);
    steps.any(|step| step.name == StepName::Identity && step.passed)
}

/// The registry refuses what it gave itself a moment ago.
fn of_token(subject: Subject<'_>, azure: &Azure, said: &str) -> Finding {
    let registry = subject.registry();
    let message = format!(
        "{registry} exchanges the token of {} and then refuses the login that it gave for it ({said})",
        named(azure)
    );
    let remedy = to_be_let_in(subject, azure);
    Finding::new(Code::TokenExchangeDenied, Confidence::Likely, message, remedy)
}
