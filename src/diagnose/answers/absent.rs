//! What a registry has not, or says that it has not.

use crate::api::Confidence;
use crate::evidence::StepName;
use crate::evidence::told::Repository;

use super::super::catalogue::Code;
use super::super::remedy::is_azure;
use super::super::{Finding, Subject};
use super::{Answered, hidden};

/// What a 404 means.
pub(super) fn not_found(subject: Subject<'_>, answered: &Answered<'_>, said: &str) -> Finding {
    let image = subject.image;
    let registry = subject.registry();
    let path = image.path();
    if answered.step == StepName::Token {
        return Finding::new(
            Code::Inconclusive,
            Confidence::Possible,
            format!("the token service {} that {registry} names answers {said}", answered.hop.host),
            "Ask whoever runs the registry: the realm of its challenge may be wrong.".to_owned(),
        );
    }
    let repository_missing = (
        format!("{registry} has no repository {path}"),
        subject.remedy(Code::RepositoryNotFound, None),
    );
    let tag_missing = (
        match (image.digest(), image.tag()) {
            (None, Some(tag)) => format!("{registry} has the repository {path}, but no tag {tag}"),
            _ => format!("{registry} has the repository {path}, but not {}", image.reference()),
        },
        subject.remedy(Code::TagNotFound, None),
    );
    match &answered.evidence.repository {
        // The list of tags was not read as far as this one.
        Some(Repository::Exists) if is_azure(registry.name()) => {
            let (message, _) = tag_missing;
            let message = format!(
                "{message} ({said}); it says so, too, of what is in quarantine, or not in the replica that answers yet"
            );
            let remedy = subject.fill(AT_AZURE, &[]);
            Finding::new(Code::TagNotFound, Confidence::Likely, message, remedy)
        }
        Some(Repository::Exists) => {
            Finding::new(Code::TagNotFound, Confidence::Certain, tag_missing.0, tag_missing.1)
        }
        Some(Repository::Unknown) => {
            let (message, remedy) = repository_missing;
            // A registry may hide a repository so from who has no right to it.
            let has_right = answered.grants_pull() || answered.step == StepName::Challenge;
            let confidence = if has_right { Confidence::Certain } else { Confidence::Likely };
            Finding::new(Code::RepositoryNotFound, confidence, message, remedy)
        }
        Some(Repository::NotTold { .. }) | None if answered.has_error("NAME_UNKNOWN") => {
            let (message, remedy) = repository_missing;
            let confidence =
                if answered.grants_pull() { Confidence::Certain } else { Confidence::Likely };
            Finding::new(Code::RepositoryNotFound, confidence, message, remedy)
        }
        Some(Repository::NotTold { .. }) | None if answered.has_error("MANIFEST_UNKNOWN") => {
            Finding::new(Code::TagNotFound, Confidence::Likely, tag_missing.0, tag_missing.1)
        }
        Some(Repository::NotTold { .. }) | None => hidden(subject, answered, said),
    }
}

/// What is in quarantine is served to those alone who may read it there (Azure Container Registry,
/// docs/preview/quarantine), and a replica gets what was pushed elsewhere in its own time
/// (Azure Container Registry, "Geo-replication").
const AT_AZURE: &str = "Correct the tag or digest in the image's name, or push the image: docker push IMAGE. To see which tags there are: az acr repository show-tags -n REGISTRYNAME --repository REPOSITORY -o table. If it is among them, see whether the registry has a quarantine: az acr show -n REGISTRYNAME --query policies.quarantinePolicy.status";
