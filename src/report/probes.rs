//! The evidence as a reader of `kubectl describe` sees it: one line for each outcome.

use std::fmt::Write as _;

use crate::api::{FindingStatus, ProbeStatus};
use crate::diagnose::{Diagnosis, Verdict};
use crate::evidence::login::Login;
use crate::evidence::told::Mirror;
use crate::evidence::{Attempt, End, Evidence, Step, StepName};

use super::Outcome;

/// How many rows a status holds.
const MOST_ROWS: usize = 5;

/// The outcome of what somebody without a credential is refused, where there are credentials.
const CONTROL: &str = "Refused";

/// One row for each distinct outcome: failing ones first, in the order of the findings that
/// they led to.
pub(super) fn rows(outcomes: &[Outcome], findings: &[FindingStatus]) -> Vec<ProbeStatus> {
    let mut ordered: Vec<&Outcome> = outcomes.iter().collect();
    ordered.sort_by_key(|outcome| {
        let place = findings.iter().position(|finding| outcome.is_caused_by(finding));
        (outcome.diagnosis.verdict == Verdict::Pullable, place.unwrap_or(findings.len()))
    });
    let mut rows: Vec<ProbeStatus> = Vec::new();
    for outcome in ordered {
        let Some(evidence) = &outcome.evidence else { continue };
        for row in rows_of(outcome, evidence) {
            let known = rows.iter().any(|other| {
                (&other.outcome, &other.credential) == (&row.outcome, &row.credential)
            });
            if !known {
                rows.push(row);
            }
        }
    }
    // What is there to compare comes after all that was a pull.
    rows.sort_by_key(|row| row.outcome == CONTROL);
    rows.truncate(MOST_ROWS);
    rows
}

fn rows_of(outcome: &Outcome, evidence: &Evidence) -> Vec<ProbeStatus> {
    let rows = walks(evidence.into(), &outcome.diagnosis).into_iter().map(|walk| ProbeStatus {
        image: outcome.target.image.clone(),
        credential: walk.credential,
        vantage: format!("{:?}", evidence.vantage),
        outcome: walk.outcome,
        steps: steps_line(&walk.steps),
        correlation_id: walk.correlation.map(str::to_owned),
    });
    rows.collect()
}

/// One credential's way, from the first step on.
#[derive(Clone, Debug)]
pub struct Walk<'evidence> {
    /// The credential, or `anonymous`.
    pub credential: String,
    /// `Pullable` or `Accepted`, the code of what stopped it, or `Refused` where it is there to compare.
    pub outcome: String,
    /// The steps.
    pub steps: Vec<&'evidence Step>,
    /// The server's own id of the last request.
    pub correlation: Option<&'evidence str>,
}

/// What was tried, for an image or for a login.
#[derive(Clone, Copy, Debug)]
pub struct Tried<'evidence> {
    /// The first request.
    pub opening: &'evidence Attempt,
    /// One attempt for each credential.
    pub attempts: &'evidence [Attempt],
    /// What a stranger gets.
    pub anonymous: Option<&'evidence Attempt>,
    /// What was asked before.
    pub mirrors: &'evidence [Mirror],
    /// What an attempt is called that ended well.
    good: &'static str,
}

impl<'evidence> From<&'evidence Evidence> for Tried<'evidence> {
    fn from(evidence: &'evidence Evidence) -> Self {
        let Evidence { opening, attempts, anonymous, mirrors, .. } = evidence;
        let mirrors = mirrors.as_ref().map_or(&[][..], |mirrors| &mirrors.before);
        Self { opening, attempts, anonymous: anonymous.as_ref(), mirrors, good: "Pullable" }
    }
}

impl<'evidence> From<&'evidence Login> for Tried<'evidence> {
    fn from(login: &'evidence Login) -> Self {
        let Login { opening, attempts, anonymous, .. } = login;
        Self { opening, attempts, anonymous: anonymous.as_ref(), mirrors: &[], good: "Accepted" }
    }
}

/// Each credential's way to the registry, in the order in which they were tried.
pub fn walks<'evidence>(tried: Tried<'evidence>, diagnosis: &Diagnosis) -> Vec<Walk<'evidence>> {
    let Tried { opening, attempts, anonymous, mirrors, good } = tried;
    let before = mirrors.iter().flat_map(|mirror| &mirror.attempts);
    let before: Vec<&Step> = before.flat_map(|attempt| &attempt.steps).collect();
    let mut tried: Vec<&Attempt> = attempts.iter().chain(anonymous).collect();
    if tried.is_empty() {
        tried.push(opening);
    }
    // Beside credentials, what somebody without one gets is only there to explain.
    let is_control = |attempt: &Attempt| attempt.credential.is_none() && !attempts.is_empty();
    let walk = |attempt: &'evidence Attempt| {
        let credential = attempt.credential.as_ref().map(ToString::to_string);
        let own = if std::ptr::eq(attempt, opening) { &[] } else { attempt.steps.as_slice() };
        let outcome = match attempt.end {
            End::Served { .. } => good.to_owned(),
            End::Challenged { .. }
            | End::Answered { .. }
            | End::Unreachable { .. }
            | End::NotSent { .. }
            | End::Unfit { .. }
                if is_control(attempt) =>
            {
                CONTROL.to_owned()
            }
            End::Answered { .. }
            | End::Challenged { .. }
            | End::Unreachable { .. }
            | End::NotSent { .. }
            | End::Unfit { .. } => {
                let mut findings = diagnosis.findings.iter();
                let own = findings.find(|finding| finding.credential == credential);
                let cause = own.or_else(|| diagnosis.findings.first());
                cause.map(|cause| cause.code.to_string()).unwrap_or_default()
            }
        };
        Walk {
            credential: credential.unwrap_or_else(|| "anonymous".to_owned()),
            outcome,
            steps: before.iter().copied().chain(&opening.steps).chain(own).collect(),
            correlation: correlation(&attempt.end),
        }
    };
    tried.into_iter().map(walk).collect()
}

fn correlation(end: &End) -> Option<&str> {
    match end {
        End::Answered { answer, .. } => answer.correlation.as_deref(),
        End::Served { .. }
        | End::Challenged { .. }
        | End::Unreachable { .. }
        | End::NotSent { .. }
        | End::Unfit { .. } => None,
    }
}

/// `Dns 3 ms 10.1.2.4; Connect 1 ms; Tls 6 ms; Challenge 4 ms 401, Basic; Manifest failed in
/// 9 ms: 404`.
pub(super) fn steps_line(steps: &[&Step]) -> String {
    // That another host could be reached goes without saying: the step that asked it says so.
    let is_understood = |step: &Step| {
        step.passed
            && step.host.is_some()
            && matches!(step.name, StepName::Dns | StepName::Connect | StepName::Tls)
    };
    let mut line = String::new();
    for step in steps.iter().filter(|step| !is_understood(step)) {
        let seen = step.seen();
        if !line.is_empty() {
            line.push_str("; ");
        }
        let time = duration(step.micros);
        let written = if step.passed && seen.is_empty() {
            write!(line, "{:?} {time}", step.name)
        } else if step.passed {
            write!(line, "{:?} {time} {seen}", step.name)
        } else {
            write!(line, "{:?} failed in {time}: {seen}", step.name)
        };
        // Writing to a String cannot fail.
        debug_assert!(written.is_ok());
    }
    line
}

/// A step's time, as precisely as somebody wants to read it.
pub fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => "<1 ms".to_owned(),
        1_000..10_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{} s", micros / 1_000_000),
    }
}
