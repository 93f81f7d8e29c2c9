//! Words: the text of a pull error becomes findings.
//!
//! What a kubelet, a container runtime or a client of Docker says of a failed pull is a
//! chain of wrappers with the cause at its end, or a list of such chains with one for each
//! credential. `frame` takes away what stands around it, `element` unwraps, `hop` finds the host that failed, and `fact` reads what
//! happened there; `meaning` says what that means.
//!
//! The text is evidence and often misleading. What it only allows is `Possible`, and where
//! it says nothing, the answer is `Inconclusive`.

use crate::api::Confidence;

use super::catalogue::Code;

mod answer;
mod element;
mod fact;
mod frame;
mod hop;
mod meaning;
mod page;
mod phrases;
mod reach;
mod transport;

use element::{Element, List};
use hop::Role;

/// No message is read further than this: the causes that are met stand in far less.
const LIMIT: usize = 64 * 1024;

/// What a message means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What it is.
    pub code: Code,
    /// How sure the words make it.
    pub confidence: Confidence,
    /// The host that it is about, where the message names one.
    pub host: Option<String>,
}

/// Says what a message means, the likeliest first. Never empty.
pub fn read(message: &str) -> Vec<Meaning> {
    let list = element::split(frame::message(shortened(message, LIMIT)));
    let mut meanings = furthest(&list).map(|element| meaning::of(&element)).unwrap_or_default();
    if list.is_open {
        for meaning in &mut meanings {
            meaning.confidence = meaning.confidence.max(Confidence::Likely);
        }
    }
    meanings
}

/// The mirror that a message is about: the host that the node asked in place of the registry.
pub(super) fn mirror(message: &str) -> Option<String> {
    let hop = furthest(&element::split(frame::message(shortened(message, LIMIT))))?.hop;
    hop.host.filter(|_| hop.role == Role::Mirror)
}

/// Of one chain for each credential, the one that got furthest; the first of several.
fn furthest(list: &List<'_>) -> Option<Element> {
    let chains = list.chains.iter().map(|chain| Element::read(*chain));
    chains.reduce(|best, next| if next.reach() > best.reach() { next } else { best })
}

/// The beginning of a text, of at most so many bytes.
fn shortened(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests;
