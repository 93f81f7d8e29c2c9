//! An identity that is known to the registry and may not pull.

use crate::api::Confidence;
use crate::evidence::azure::{Azure, OtherRepository};

use super::super::catalogue::Code;
use super::super::{Finding, Subject};
use super::{named, names};

/// The registry takes the login, and its token grants no pull of this repository. That a role is
/// missing, of the wrong kind, or on its way looks the same from here, so it is never certain
/// (Azure Container Registry, "Azure attribute-based access control for repository permissions";
/// its FAQ on how long a change of roles takes).
pub(in super::super) fn not_authorized(subject: Subject<'_>, azure: &Azure, said: &str) -> Finding {
    let registry = subject.registry();
    let path = subject.image.path();
    let who = named(azure);
    let may_pull =
        |other: &&OtherRepository| other.grant.actions.iter().any(|action| action == "pull");
    let message = format!(
        "{registry} takes the login of {who}, and gives it no right to pull {path} ({said})"
    );
    if let Some(other) = azure.other.as_ref().filter(may_pull) {
        let message = format!(
            "{message}, while it may pull {}: the registry has conditions on repositories, and {path} is not within the identity's",
            other.name
        );
        let code = Code::RepositoryNotAuthorized;
        return Finding::new(
            code,
            Confidence::Likely,
            message,
            subject.fill(CONDITION, &names(azure)),
        );
    }
    let message = format!(
        "{message}: its role is missing, was given less than 10 minutes ago, or is AcrPull, which a registry in mode AbacRepositoryPermissions ignores"
    );
    let code = Code::PullNotAuthorized;
    Finding::new(code, Confidence::Likely, message, subject.remedy_with(code, &names(azure)))
}

/// The same of a pull secret's account, of which only the registry knows what it is.
pub(in super::super) fn account_not_authorized(
    subject: Subject<'_>,
    secret: &str,
    code: Code,
    said: &str,
) -> Finding {
    let registry = subject.registry();
    let path = subject.image.path();
    let message = format!(
        "{registry} takes the login in pull secret {secret}, and gives it no right to pull {path} ({said}): the repository is not in the token's scope map, or the service principal has no role that counts, or has it for less than 10 minutes"
    );
    Finding::new(code, Confidence::Likely, message, subject.fill(OF_ACCOUNT, &[]))
}

const OF_ACCOUNT: &str = "If it is a token of the registry's own, add the repository to its scope map: az acr scope-map update -r REGISTRYNAME -n SCOPE_MAP --add-repository REPOSITORY content/read. If it is a service principal, give it the right to pull, by the role AcrPull, or by \"Container Registry Repository Reader\" where the registry's role assignment mode is AbacRepositoryPermissions: az role assignment create --assignee CLIENT_ID --role AcrPull --scope \"$(az acr show -n REGISTRYNAME --query id -o tsv)\". To see that mode: az acr show -n REGISTRYNAME --query roleAssignmentMode -o tsv";
const CONDITION: &str = "Widen the condition of the identity's role to REPOSITORY. To see its roles with their conditions: az role assignment list --assignee OBJECTID --scope \"$(az acr show -n REGISTRYNAME --query id -o tsv)\" --query '[].[roleDefinitionName,condition]' -o table. If that was changed less than 10 minutes ago, wait until it has arrived.";
