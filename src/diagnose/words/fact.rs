//! Facts: what happened at the hop.

use crate::api::Confidence;

use super::super::catalogue::{Code, Stage};
use super::answer::{self, Answer};
use super::hop::{Hop, Role};
use super::page;
use super::phrases;
use super::reach::Reach;
use super::transport::{self, Transport};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// The words name the cause by themselves.
    Said(Code, Confidence),
    /// The words name what was done when it failed, and not why.
    Open(Code, Confidence),
    /// A server answered.
    Answered(Answer),
    /// There was no answer.
    Failed(Transport),
    /// The words say nothing of the cause.
    Unsaid,
}

/// Reads the prose of one chain. What names its cause goes before an answer, and an answer
/// before a failure on the way to it.
pub(super) fn read(prose: &str, hop: &Hop) -> Fact {
    let answer = answer::read(prose);
    let said = page::before(prose);
    let named = match answer {
        // An identity is refused by a firewall as anybody is.
        Some(Answer::Firewall) => None,
        // A server's fault can name a disk that is not the node's.
        Some(answer) if answer::is_fault_of_the_server(answer) => phrases::identity(said),
        Some(_) | None => phrases::identity(said).or_else(|| phrases::named(said)),
    };
    if let Some((code, confidence)) = named {
        return Fact::Said(code, confidence);
    }
    match (answer, transport::read(said)) {
        (Some(answer), None) => Fact::Answered(answer),
        // A status that says nothing is of another attempt.
        (None | Some(Answer::Strange), Some(failure)) => Fact::Failed(failure),
        // The proxy, the certificate and the like stand at the end of the chain; a registry's
        // word that stands before them is of another request.
        (Some(answer), Some(failure)) => {
            if hop.role == Role::Proxy || answer == Answer::NotFound {
                Fact::Failed(failure)
            } else {
                Fact::Answered(answer)
            }
        }
        (None, None) => match phrases::around(said) {
            Some((code, confidence)) if phrases::has_error_of_the_system(said) => {
                Fact::Said(code, confidence)
            }
            Some((code, confidence)) => Fact::Open(code, confidence),
            None => Fact::Unsaid,
        },
    }
}

impl Fact {
    /// How far a pull got that ended so, in wrappers that say `wrapped`.
    pub(super) fn reach(self, wrapped: Reach) -> Reach {
        match self {
            Self::Said(code, _) | Self::Open(code, _) => match code.row().stage {
                Stage::Image | Stage::Authorization => wrapped.max(Reach::Manifest),
                Stage::Authentication | Stage::Identity => wrapped.max(Reach::Token),
                Stage::Reference
                | Stage::Credential
                | Stage::Network
                | Stage::Registry
                | Stage::Node
                | Stage::Verdict => wrapped.max(Reach::Local),
            },
            Self::Answered(answer) => answer.reach(wrapped),
            Self::Failed(_) if wrapped == Reach::Manifest => Reach::Reference,
            Self::Failed(_) => wrapped.max(Reach::Reference),
            Self::Unsaid => Reach::Unknown,
        }
    }
}
