//! Sharing: for which other images of a registry holds what a node saw of one.

use crate::evidence::{Attempt, End, Evidence, Role, StepName};
use crate::image::ImageRef;

/// Whether what a node saw of one image is what it would see of `image`. Of the same image it
/// is. What stopped it before it came to the repository stops every image of the registry, and
/// a right that lacks on a repository lacks for all of its tags.
pub fn holds_for(evidence: &Evidence, image: &ImageRef) -> bool {
    let seen = &evidence.image;
    if seen == image {
        return true;
    }
    if seen.registry() != image.registry() {
        return false;
    }
    let pulls = evidence.attempts.iter().chain(&evidence.anonymous);
    let widest = match &evidence.opening.end {
        End::Challenged { .. } => pulls.map(scope).max(),
        End::Served { .. }
        | End::Answered { .. }
        | End::Unreachable { .. }
        | End::NotSent { .. }
        | End::Unfit { .. } => Some(scope(&evidence.opening)),
    };
    match widest {
        Some(Scope::Registry) => true,
        Some(Scope::Repository) => seen.repository() == image.repository(),
        Some(Scope::Image) | None => false,
    }
}

/// Of what an attempt speaks by how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    /// Of all that the registry has: nothing was said of a repository yet.
    Registry,
    /// Of a repository: a right to it lacks.
    Repository,
    /// Of one image.
    Image,
}

fn scope(attempt: &Attempt) -> Scope {
    match &attempt.end {
        End::Unreachable { hop, .. } => match hop.role {
            Role::Registry
            | Role::TokenService
            | Role::Proxy
            | Role::Mirror
            | Role::Metadata
            | Role::Entra => Scope::Registry,
            Role::RedirectTarget | Role::DataHost => Scope::Image,
        },
        End::Answered { step: StepName::Token, .. } => Scope::Repository,
        End::Answered { answer, .. } if matches!(answer.status, 401 | 403) => Scope::Repository,
        End::Served { .. }
        | End::Challenged { .. }
        | End::Answered { .. }
        | End::NotSent { .. }
        | End::Unfit { .. } => Scope::Image,
    }
}

#[cfg(test)]
mod tests {
    use super::holds_for;
    use crate::evidence::{
        Answer, Attempt, End, Evidence, Failure, Hop, Role, Scheme, StepName, Vantage,
    };
    use crate::image::ImageRef;

    fn evidence(opening: End, pull: Option<End>) -> Evidence {
        let attempt = |end| Attempt::new(None, Vec::new(), end);
        let image = ImageRef::parse("r.test/shop/api:1").unwrap();
        Evidence {
            attempts: pull.map(attempt).into_iter().collect(),
            ..Evidence::begun(image, Vantage::Node, attempt(opening))
        }
    }

    fn answered(step: StepName, status: u16) -> End {
        let hop = Hop { role: Role::Registry, host: "r.test".to_owned(), address: None };
        End::Answered { hop, step, answer: Answer { status, ..Answer::default() } }
    }

    /// For the same image, another tag, another repository, another registry.
    #[track_caller]
    fn check(evidence: &Evidence, expected: [bool; 4]) {
        let images =
            ["r.test/shop/api:1", "r.test/shop/api:2", "r.test/shop/web:1", "s.test/shop/api:1"];
        let held = images.map(|image| holds_for(evidence, &ImageRef::parse(image).unwrap()));
        assert_eq!(held, expected, "{evidence:?}");
    }

    #[test]
    fn a_failure_is_shared_as_far_as_it_reaches() {
        let challenged = || End::Challenged { scheme: Scheme::Bearer };
        let hop = Hop { role: Role::Registry, host: "r.test".to_owned(), address: None };
        let refused = End::Unreachable { hop, failure: Failure::Refused };
        check(&evidence(refused, None), [true, true, true, false]);
        let lacks_right = answered(StepName::Manifest, 401);
        check(&evidence(challenged(), Some(lacks_right)), [true, true, false, false]);
        let missing = answered(StepName::Manifest, 404);
        check(&evidence(challenged(), Some(missing)), [true, false, false, false]);
        let served = End::Served { digest: None, platform: None };
        check(&evidence(challenged(), Some(served.clone())), [true, false, false, false]);
        check(&evidence(served, None), [true, false, false, false]);
        check(&evidence(challenged(), None), [true, false, false, false]);
        check(&evidence(answered(StepName::Challenge, 404), None), [true, false, false, false]);
    }
}
