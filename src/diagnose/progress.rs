//! Progress: how far a pull gets, for the conditions of a check.

use crate::evidence::told::{Repository, Unfit};
use crate::evidence::{Attempt, End, Evidence, Role, StepName};

/// How far a pull gets: each step that was reached either passed or failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The registry answers.
    pub reachable: Option<bool>,
    /// It takes a credential, or needs none.
    pub authenticated: Option<bool>,
    /// It lets this credential pull the image.
    pub authorized: Option<bool>,
    /// The image is there.
    pub found: Option<bool>,
}

/// Reads how far the pull got; `deciding` is the attempt that got furthest.
pub(super) fn progress(evidence: &Evidence, deciding: Option<&Attempt>) -> Progress {
    let opening = &evidence.opening;
    let reachable = match &opening.end {
        End::Unfit { problem: Unfit::WebPage, .. } => Some(false),
        End::Served { .. } | End::Challenged { .. } | End::Answered { .. } | End::Unfit { .. } => {
            Some(true)
        }
        End::Unreachable { hop, .. } if hop.role == Role::DataHost => Some(true),
        End::Unreachable { .. } => Some(false),
        End::NotSent { .. } => None,
    };
    let last = match (&opening.end, deciding) {
        (End::Challenged { .. }, Some(attempt)) => &attempt.end,
        (End::Challenged { .. }, None) => {
            return Progress { reachable, authenticated: Some(false), ..Progress::default() };
        }
        (end, _) => end,
    };
    let token_granted = deciding.is_some_and(|attempt| {
        attempt.steps.iter().any(|step| step.name == StepName::Token && step.passed)
    });
    let mut progress = Progress { reachable, ..Progress::default() };
    match last {
        End::Served { .. } => progress = served(reachable, Some(true)),
        End::Unfit { problem: Unfit::WebPage, .. } => {}
        End::Unfit { .. } => progress = served(reachable, Some(false)),
        End::Unreachable { hop, .. } if hop.role == Role::DataHost => {
            progress = served(reachable, None);
        }
        End::Answered {
            step: StepName::Platform | StepName::Config | StepName::Layer,
            answer,
            ..
        } => {
            progress = served(reachable, (answer.status == 404).then_some(false));
        }
        End::Answered { step: StepName::Token, answer, .. } => match answer.status {
            401 | 403 => progress.authenticated = Some(false),
            _ => {}
        },
        End::Answered { answer, .. } => match answer.status {
            404 => {
                progress.authenticated = Some(true);
                let told = evidence.repository.as_ref();
                let is_told = !matches!(told, None | Some(Repository::NotTold { .. }))
                    || answer.errors.iter().any(|error| {
                        matches!(error.code.as_str(), "NAME_UNKNOWN" | "MANIFEST_UNKNOWN")
                    });
                if is_told {
                    progress.authorized = Some(true);
                    progress.found = Some(false);
                }
            }
            401 | 403 if token_granted => {
                progress.authenticated = Some(true);
                progress.authorized = Some(false);
            }
            401 => progress.authenticated = Some(false),
            _ => {}
        },
        End::Challenged { .. } | End::Unreachable { .. } | End::NotSent { .. } => {}
    }
    progress
}

/// The registry lets the manifest be read.
fn served(reachable: Option<bool>, found: Option<bool>) -> Progress {
    Progress { reachable, authenticated: Some(true), authorized: Some(true), found }
}
