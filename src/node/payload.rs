//! The payload: what a probe on a node saw, within the 4,096 bytes of a termination message
//! (`MaxContainerTerminationMessageLength`, `pkg/kubelet/container/runtime.go` of Kubernetes
//! 1.35).
//!
//! What does not fit is left out in an order in which the least is lost, and how each attempt
//! ended never is. Whoever reads one takes it for a stranger's.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::diagnose::shorten;
use crate::evidence::azure::Azure;
use crate::evidence::login::Login;
use crate::evidence::told::Lookup;
use crate::evidence::{Attempt, End, Evidence, Failure, Step, StepName, Vantage};
use crate::image::{Host, ImageRef};
use crate::record::{Seen, Unprobed};

/// The most that a termination message holds.
pub const MOST_BYTES: usize = 4_096;
/// The version of the form.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Payload {
    version: u32,
    #[serde(flatten)]
    seen: Seen,
}

/// What was seen does not fit, whatever is left out.
#[derive(Debug, Error)]
#[error("what was seen takes {bytes} bytes, and a result has {MOST_BYTES}")]
pub struct TooLong {
    bytes: usize,
}

/// Writes what was seen.
///
/// # Errors
///
/// [`TooLong`] where it cannot be made to fit, which takes names of unheard-of length.
pub fn write(seen: Seen) -> Result<String, TooLong> {
    let mut payload = Payload { version: VERSION, seen };
    let mut cuts = CUTS.iter();
    loop {
        let text = serde_json::to_string(&payload).unwrap_or_default();
        if text.len() <= MOST_BYTES {
            return Ok(text);
        }
        match cuts.next() {
            Some(cut) => cut(&mut payload.seen),
            None => return Err(TooLong { bytes: text.len() }),
        }
    }
}

/// What is left out, the most dispensable first.
const CUTS: &[fn(&mut Seen)] = &[
    bodies,
    long_details,
    aliases,
    check_acr_steps,
    hosts_of_steps,
    passed_details,
    words,
    names,
    other_lookups,
    steps_on_the_way,
    distinguished_names,
    ids,
    passed_steps,
    steps,
];

/// Why a payload cannot be read.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// There is none.
    #[error("it wrote no result")]
    Empty,
    /// It is longer than one can be.
    #[error("its result is longer than one can be")]
    TooLong,
    /// It is no payload.
    #[error("its result is none that can be read")]
    NotOne,
    /// It is one of another version.
    #[error(
        "its result has the form {version}, and this program knows {VERSION}: its image is of another version"
    )]
    OtherVersion {
        /// Its version.
        version: u32,
    },
    /// It is about something else than what was asked.
    #[error("its result is about something else than what was asked")]
    OtherQuestion,
}

/// Reads a payload about an image or, for `image` standing in for its registry, a login.
///
/// # Errors
///
/// [`Unreadable`] for anything but what [`write()`] writes for that question.
pub fn read(text: &str, image: &ImageRef) -> Result<Seen, Unreadable> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    if text.trim().is_empty() {
        return Err(Unreadable::Empty);
    }
    if text.len() > MOST_BYTES {
        return Err(Unreadable::TooLong);
    }
    // serde_json goes at most 128 levels deep.
    let value: Value = serde_json::from_str(text).map_err(|_| Unreadable::NotOne)?;
    if has_control_characters(&value) {
        return Err(Unreadable::NotOne);
    }
    let Versioned { version } = Versioned::deserialize(&value).map_err(|_| Unreadable::NotOne)?;
    if version != VERSION {
        return Err(Unreadable::OtherVersion { version });
    }
    let Payload { seen, .. } = Payload::deserialize(value).map_err(|_| Unreadable::NotOne)?;
    let (about, registry): (Option<&ImageRef>, &Host) = match &seen {
        Seen::Evidence(evidence) => (Some(&evidence.image), evidence.image.registry()),
        Seen::Login(login) => (None, &login.registry),
        Seen::Unprobed(Unprobed { image, .. }) => (Some(image), image.registry()),
        Seen::Workstation(_) => return Err(Unreadable::OtherQuestion),
    };
    if registry != image.registry() || about.is_some_and(|about| about != image) {
        return Err(Unreadable::OtherQuestion);
    }
    Ok(match seen {
        Seen::Evidence(evidence) => {
            Seen::Evidence(Box::new(Evidence { vantage: Vantage::Node, node: None, ..*evidence }))
        }
        Seen::Login(mut login) => {
            login.vantage = Vantage::Node;
            Seen::Login(login)
        }
        other @ (Seen::Unprobed(_) | Seen::Workstation(_)) => other,
    })
}

fn has_control_characters(value: &Value) -> bool {
    let has = |text: &str| text.chars().any(char::is_control);
    match value {
        Value::String(text) => has(text),
        Value::Array(values) => values.iter().any(has_control_characters),
        Value::Object(fields) => {
            fields.iter().any(|(key, value)| has(key) || has_control_characters(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// All attempts that count for the pull, and then those that are there to compare.
fn attempts(seen: &mut Seen) -> Vec<&mut Attempt> {
    match seen {
        Seen::Evidence(evidence) => {
            let Evidence { opening, attempts, anonymous, mirrors, azure, .. } = evidence.as_mut();
            let before = mirrors.iter_mut().flat_map(|mirrors| &mut mirrors.before);
            let before = before.flat_map(|mirror| &mut mirror.attempts);
            let of_azure = azure.iter_mut().flat_map(ways);
            let pulls = [opening].into_iter().chain(attempts).chain(anonymous);
            pulls.chain(before).chain(of_azure).collect()
        }
        Seen::Login(login) => {
            let Login { opening, attempts, anonymous, azure, .. } = login.as_mut();
            let of_azure = azure.iter_mut().flat_map(ways);
            [opening].into_iter().chain(attempts).chain(anonymous).chain(of_azure).collect()
        }
        Seen::Unprobed(_) | Seen::Workstation(_) => Vec::new(),
    }
}

/// Both ways in which an identity logged in.
fn ways(azure: &mut Box<Azure>) -> impl Iterator<Item = &mut Attempt> {
    [&mut azure.provider].into_iter().chain(&mut azure.check_acr)
}

/// What an identity of Azure came to.
fn azure(seen: &mut Seen) -> Option<&mut Azure> {
    match seen {
        Seen::Evidence(evidence) => evidence.azure.as_deref_mut(),
        Seen::Login(login) => login.azure.as_deref_mut(),
        Seen::Unprobed(_) | Seen::Workstation(_) => None,
    }
}

fn lookups(seen: &mut Seen) -> Option<&mut Vec<Lookup>> {
    match seen {
        Seen::Evidence(evidence) => Some(&mut evidence.lookups),
        Seen::Login(login) => Some(&mut login.lookups),
        Seen::Unprobed(_) | Seen::Workstation(_) => None,
    }
}

fn bodies(seen: &mut Seen) {
    for attempt in attempts(seen) {
        if let End::Answered { answer, .. } = &mut attempt.end {
            answer.body = answer.body.take().filter(|_| answer.errors.is_empty());
        }
    }
}

fn long_details(seen: &mut Seen) {
    for step in attempts(seen).into_iter().flat_map(|attempt| &mut attempt.steps) {
        step.detail = shorten(&step.detail, 80);
    }
}

fn aliases(seen: &mut Seen) {
    for lookup in lookups(seen).into_iter().flatten() {
        // The last names the region, and one in between may be the private link's.
        let last = lookup.aliases.pop();
        lookup.aliases.retain(|alias| alias.contains(".privatelink."));
        lookup.aliases.extend(last);
        lookup.aliases.truncate(2);
        lookup.addresses.truncate(2);
    }
}

fn check_acr_steps(seen: &mut Seen) {
    if let Some(attempt) = azure(seen).and_then(|azure| azure.check_acr.as_mut()) {
        attempt.steps.retain(|step| !step.passed);
    }
}

fn hosts_of_steps(seen: &mut Seen) {
    for step in attempts(seen).into_iter().flat_map(|attempt| &mut attempt.steps) {
        step.host = None;
    }
}

fn passed_details(seen: &mut Seen) {
    for step in attempts(seen).into_iter().flat_map(|attempt| &mut attempt.steps) {
        step.detail = if step.passed { String::new() } else { shorten(&step.detail, 40) };
    }
}

/// What servers say at length; the code of the first error stays whole.
fn words(seen: &mut Seen) {
    for attempt in attempts(seen) {
        if let End::Answered { answer, .. } = &mut attempt.end {
            answer.body = answer.body.as_deref().map(|body| shorten(body, 80));
            answer.errors.truncate(1);
            for error in &mut answer.errors {
                error.code = shorten(&error.code, 40);
                error.message = shorten(&error.message, 100);
            }
        }
    }
}

fn names(seen: &mut Seen) {
    for attempt in attempts(seen) {
        if let End::Unreachable { failure: Failure::Certificate { seen, .. }, .. } =
            &mut attempt.end
        {
            seen.names.truncate(2);
        }
    }
}

fn other_lookups(seen: &mut Seen) {
    if let Some(lookups) = lookups(seen) {
        lookups.truncate(1);
    }
}

/// That a server could be reached is understood where it answered.
fn steps_on_the_way(seen: &mut Seen) {
    let is_on_the_way = |step: &Step| {
        step.passed && matches!(step.name, StepName::Dns | StepName::Connect | StepName::Tls)
    };
    for attempt in attempts(seen) {
        attempt.steps.retain(|step| !is_on_the_way(step));
    }
}

fn distinguished_names(seen: &mut Seen) {
    for attempt in attempts(seen) {
        if let End::Unreachable { failure: Failure::Certificate { seen, .. }, .. } =
            &mut attempt.end
        {
            seen.subject = shorten(&seen.subject, 60);
            seen.issuer = shorten(&seen.issuer, 60);
        }
    }
}

fn ids(seen: &mut Seen) {
    for attempt in attempts(seen) {
        attempt.correlation = None;
        if let End::Answered { answer, .. } = &mut attempt.end {
            answer.body = None;
            for error in &mut answer.errors {
                error.message = shorten(&error.message, 40);
            }
        }
    }
    if let Some(lookups) = lookups(seen) {
        lookups.clear();
    }
}

/// How far a pull came is told by these.
fn passed_steps(seen: &mut Seen) {
    for attempt in attempts(seen) {
        attempt.steps.retain(|step| !step.passed);
    }
}

/// The last resort: where a walk ended is part of its end.
fn steps(seen: &mut Seen) {
    for attempt in attempts(seen) {
        attempt.steps.clear();
    }
}

#[cfg(test)]
mod tests;
