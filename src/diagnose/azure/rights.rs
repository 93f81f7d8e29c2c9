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
        "{message}: its role is missing, was given less than 10 minutes ago, or is AcrPull where the registry has conditions on repositories, which do not heed that role"
    );
    let code = Code::PullNotAuthorized;
    Finding::new(code, Confidence::Likely, message, subject.remedy_with(code, &names(azure)))
}

const CONDITION: &str = "Widen the condition of the identity's role to REPOSITORY. To see its roles with their conditions: az role assignment list --assignee OBJECTID --scope \"$(az acr show -n REGISTRYNAME --query id -o tsv)\" --query '[].[roleDefinitionName,condition]' -o table. If that was changed less than 10 minutes ago, wait until it has arrived.";
