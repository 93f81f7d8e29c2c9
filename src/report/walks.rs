//! Walks: each credential's way to the registry, from the first step on.
//!
//! What was seen is kept in parts, each step once; who reads it wants to follow one credential
//! from the lookup of the registry's name to what became of it.

use crate::access::Provenance;
use crate::api::Severity;
use crate::diagnose::Diagnosis;
use crate::evidence::azure::Azure;
use crate::evidence::login::Login;
use crate::evidence::node::NodeSeen;
use crate::evidence::told::{Lookup, Mirror};
use crate::evidence::{Attempt, End, Evidence, Step, StepName, Vantage};
use crate::image::Host;

use super::log_query;

/// The outcome of what is only there to compare.
pub(super) const CONTROL: &str = "Refused";
/// What an attempt to log in is called that ended well.
const ACCEPTED: &str = "Accepted";

/// One credential's way, from the first step on.
#[derive(Clone, Debug)]
pub struct Walk<'evidence> {
    /// What it is there for.
    pub purpose: Purpose,
    /// The credential, or `anonymous`.
    pub credential: String,
    /// From where.
    pub vantage: Vantage,
    /// `Pullable` or `Accepted`, the code of what stopped it, or `Refused` where it is there to
    /// compare.
    pub outcome: String,
    /// The steps.
    pub steps: Vec<&'evidence Step>,
    /// How many of them, the last, are no other credential's too.
    pub n_own: usize,
    /// The server's own id of the last request.
    pub correlation: Option<&'evidence str>,
    /// What finds that request in the log of a registry of Azure.
    pub log_query: Option<String>,
}

/// What a walk is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is the first request, which was all.
    Opening,
    /// It is the pull, or one that the kubelet would try.
    Pull,
    /// It says what somebody without a credential gets, beside those who have one.
    Compare,
    /// It says what `az aks check-acr` would.
    CheckAcr,
}

/// What was tried, for an image or for a login.
#[derive(Clone, Copy, Debug)]
pub struct Tried<'evidence> {
    /// The registry.
    pub registry: &'evidence Host,
    /// From where.
    pub vantage: Vantage,
    /// The first request.
    pub opening: &'evidence Attempt,
    /// One attempt for each credential.
    pub attempts: &'evidence [Attempt],
    /// What a stranger gets.
    pub anonymous: Option<&'evidence Attempt>,
    /// What was asked before.
    pub mirrors: &'evidence [Mirror],
    /// How the hosts were looked up.
    pub lookups: &'evidence [Lookup],
    /// How an identity of Azure logged in.
    pub azure: Option<&'evidence Azure>,
    at: Option<&'evidence str>,
    /// What an attempt is called that ended well.
    good: &'static str,
}

impl<'evidence> From<&'evidence Evidence> for Tried<'evidence> {
    fn from(evidence: &'evidence Evidence) -> Self {
        let mirrors = evidence.mirrors.as_ref().map_or(&[][..], |mirrors| &mirrors.before);
        Self {
            registry: evidence.image.registry(),
            vantage: evidence.vantage,
            opening: &evidence.opening,
            attempts: &evidence.attempts,
            anonymous: evidence.anonymous.as_ref(),
            mirrors,
            lookups: &evidence.lookups,
            azure: evidence.azure.as_deref(),
            at: evidence.at.as_deref(),
            good: "Pullable",
        }
    }
}

impl<'evidence> From<&'evidence Login> for Tried<'evidence> {
    fn from(login: &'evidence Login) -> Self {
        Self {
            registry: &login.registry,
            vantage: login.vantage,
            opening: &login.opening,
            attempts: &login.attempts,
            anonymous: login.anonymous.as_ref(),
            mirrors: &[],
            lookups: &login.lookups,
            azure: login.azure.as_deref(),
            at: login.at.as_deref(),
            good: ACCEPTED,
        }
    }
}

/// What was tried from here, and from the node where that was asked.
pub fn all(evidence: &Evidence) -> Vec<Tried<'_>> {
    let node = evidence.node.as_ref().and_then(|node| match &node.seen {
        // Of what a stranger gets there, the node's own credentials are the answer.
        NodeSeen::Walked { evidence } if evidence.attempts.is_empty() => {
            Some(evidence.as_ref().into())
        }
        NodeSeen::Walked { evidence } => {
            Some(Tried { anonymous: None, ..evidence.as_ref().into() })
        }
        NodeSeen::Skipped { .. } => None,
    });
    [evidence.into()].into_iter().chain(node).collect()
}

/// Each credential's way to the registry, in the order in which they were tried, and last what
/// is there to compare.
pub fn walks<'evidence>(tried: &Tried<'evidence>, diagnosis: &Diagnosis) -> Vec<Walk<'evidence>> {
    let Tried { opening, attempts, anonymous, azure, good, .. } = *tried;
    let is_of_azure =
        |attempt: &Attempt| matches!(attempt.credential, Some(Provenance::Azure { .. }));
    // An identity that has no credential was tried all the same.
    let failed = azure.map(|azure| &azure.provider);
    let failed = failed.filter(|provider| !is_good(provider) && !attempts.iter().any(is_of_azure));
    let mut walks = Vec::new();
    for attempt in attempts {
        let before = azure.filter(|_| is_of_azure(attempt)).map(|azure| &azure.provider);
        let own: Vec<&Step> =
            before.into_iter().chain([attempt]).flat_map(|part| &part.steps).collect();
        let outcome = outcome(attempt, good, diagnosis);
        walks.push(walk(tried, Purpose::Pull, attempt, outcome, own));
    }
    if let Some(provider) = failed {
        let own = provider.steps.iter().collect();
        walks.push(walk(tried, Purpose::Pull, provider, outcome(provider, good, diagnosis), own));
    }
    if let Some(anonymous) = anonymous {
        // Beside credentials, what somebody without one gets is only there to explain.
        let is_control = !attempts.is_empty();
        let purpose = if is_control { Purpose::Compare } else { Purpose::Pull };
        let outcome = match anonymous.end {
            End::Served { .. } => good.to_owned(),
            End::Challenged { .. }
            | End::Answered { .. }
            | End::Unreachable { .. }
            | End::NotSent { .. }
            | End::Unfit { .. }
                if is_control =>
            {
                CONTROL.to_owned()
            }
            End::Challenged { .. }
            | End::Answered { .. }
            | End::Unreachable { .. }
            | End::NotSent { .. }
            | End::Unfit { .. } => outcome(anonymous, good, diagnosis),
        };
        let own = anonymous.steps.iter().collect();
        walks.push(walk(tried, purpose, anonymous, outcome, own));
    }
    if walks.is_empty() {
        let outcome = outcome(opening, good, diagnosis);
        walks.push(walk(tried, Purpose::Opening, opening, outcome, Vec::new()));
    }
    walks.extend(check_acr(tried));
    walks
}

/// What `az aks check-acr` would have seen: it looks the registry's name up, and goes to it with
/// a token and with no request before.
fn check_acr<'evidence>(tried: &Tried<'evidence>) -> Option<Walk<'evidence>> {
    let Azure { identity, check_acr, .. } = tried.azure?;
    let attempt = check_acr.as_ref()?;
    let outcome = if is_good(attempt) { ACCEPTED } else { CONTROL };
    let own: Vec<&Step> = attempt.steps.iter().collect();
    let looked_up = lookup(tried).filter(|_| !own.iter().any(|step| is_lookup(step)));
    let walk = walk(tried, Purpose::CheckAcr, attempt, outcome.to_owned(), own.clone());
    Some(Walk {
        credential: format!("as az aks check-acr: {identity}"),
        steps: looked_up.into_iter().chain(own).collect(),
        ..walk
    })
}

/// The step that looked the registry's name up.
pub fn lookup<'evidence>(tried: &Tried<'evidence>) -> Option<&'evidence Step> {
    tried.opening.steps.iter().find(|step| is_lookup(step))
}

fn is_lookup(step: &Step) -> bool {
    step.name == StepName::Dns && step.host.is_none()
}

fn walk<'evidence>(
    tried: &Tried<'evidence>,
    purpose: Purpose,
    attempt: &'evidence Attempt,
    outcome: String,
    own: Vec<&'evidence Step>,
) -> Walk<'evidence> {
    let Tried { registry, vantage, opening, mirrors, azure, at, .. } = *tried;
    let before = mirrors.iter().flat_map(|mirror| &mirror.attempts);
    let before = before.flat_map(|attempt| &attempt.steps);
    let n_own = own.len();
    let credential = attempt.credential.as_ref().map(ToString::to_string);
    Walk {
        purpose,
        credential: credential.unwrap_or_else(|| "anonymous".to_owned()),
        vantage,
        outcome,
        steps: before.chain(&opening.steps).chain(own).collect(),
        n_own,
        correlation: correlation(attempt),
        log_query: log_query::of(registry, azure.is_some(), attempt, at),
    }
}

/// What an attempt is called that the kubelet would make.
fn outcome(attempt: &Attempt, good: &str, diagnosis: &Diagnosis) -> String {
    if is_good(attempt) {
        return good.to_owned();
    }
    let credential = attempt.credential.as_ref().map(ToString::to_string);
    // What is only worth knowing has stopped nothing.
    let mut findings = diagnosis.findings.iter().filter(|one| one.severity != Severity::Info);
    let own = findings.find(|finding| finding.credential == credential);
    let cause = own.or_else(|| diagnosis.findings.first());
    cause.map(|cause| cause.code.to_string()).unwrap_or_default()
}

fn is_good(attempt: &Attempt) -> bool {
    matches!(attempt.end, End::Served { .. })
}

/// The server's own id of an attempt's last request.
pub(super) fn correlation(attempt: &Attempt) -> Option<&str> {
    match &attempt.end {
        End::Answered { answer, .. } => answer.correlation.as_deref(),
        End::Served { .. } => attempt.correlation.as_deref(),
        End::Challenged { .. }
        | End::Unreachable { .. }
        | End::NotSent { .. }
        | End::Unfit { .. } => None,
    }
}
