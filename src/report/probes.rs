//! The evidence as a reader of `kubectl describe` sees it: one line for each outcome.

use std::fmt::Write as _;

use crate::api::ProbeStatus;
use crate::diagnose::Verdict;
use crate::evidence::{Attempt, End, Evidence, Step};

use super::Outcome;

/// How many rows a status holds.
const MOST_ROWS: usize = 5;

/// One row for each distinct outcome, failing ones first.
pub(super) fn rows(outcomes: &[Outcome]) -> Vec<ProbeStatus> {
    let mut ordered: Vec<&Outcome> = outcomes.iter().collect();
    ordered.sort_by_key(|outcome| outcome.diagnosis.verdict == Verdict::Pullable);
    let mut rows: Vec<ProbeStatus> = Vec::new();
    for outcome in ordered {
        let Some(evidence) = &outcome.evidence else { continue };
        for row in rows_of(outcome, evidence) {
            let known = rows.iter().any(|other| {
                (&other.outcome, &other.credential) == (&row.outcome, &row.credential)
            });
            if !known && rows.len() < MOST_ROWS {
                rows.push(row);
            }
        }
    }
    rows
}

fn rows_of(outcome: &Outcome, evidence: &Evidence) -> Vec<ProbeStatus> {
    let Evidence { opening, attempts, anonymous, .. } = evidence;
    let mut tried: Vec<&Attempt> = attempts.iter().chain(anonymous).collect();
    if tried.is_empty() {
        tried.push(opening);
    }
    // Beside credentials, what somebody without one gets is only there to explain.
    let is_control = |attempt: &Attempt| attempt.credential.is_none() && !attempts.is_empty();
    let code = outcome.cause().map(|cause| cause.code.to_string()).unwrap_or_default();
    tried
        .into_iter()
        .map(|attempt| {
            let steps = if std::ptr::eq(attempt, opening) {
                steps_line(&opening.steps)
            } else {
                let steps: Vec<Step> =
                    opening.steps.iter().chain(&attempt.steps).cloned().collect();
                steps_line(&steps)
            };
            ProbeStatus {
                image: outcome.target.image.clone(),
                credential: attempt
                    .credential
                    .as_ref()
                    .map_or_else(|| "anonymous".to_owned(), ToString::to_string),
                vantage: format!("{:?}", evidence.vantage),
                outcome: match attempt.end {
                    End::Served { .. } => "Pullable".to_owned(),
                    End::Challenged { .. }
                    | End::Answered { .. }
                    | End::Unreachable { .. }
                    | End::NotSent { .. }
                        if is_control(attempt) =>
                    {
                        "Refused".to_owned()
                    }
                    End::Answered { .. }
                    | End::Challenged { .. }
                    | End::Unreachable { .. }
                    | End::NotSent { .. } => {
                        let credential = attempt.credential.as_ref().map(ToString::to_string);
                        let mut findings = outcome.diagnosis.findings.iter();
                        let own = findings.find(|finding| finding.credential == credential);
                        own.map_or_else(|| code.clone(), |own| own.code.to_string())
                    }
                },
                steps,
                correlation_id: correlation(&attempt.end),
            }
        })
        .collect()
}

fn correlation(end: &End) -> Option<String> {
    match end {
        End::Answered { answer, .. } => answer.correlation.clone(),
        End::Served { .. }
        | End::Challenged { .. }
        | End::Unreachable { .. }
        | End::NotSent { .. } => None,
    }
}

/// `Dns 3 ms 10.1.2.4, Connect 1 ms, Tls 6 ms, Challenge 4 ms 401, Manifest failed in 9 ms:
/// status 404`.
pub(super) fn steps_line(steps: &[Step]) -> String {
    let mut line = String::new();
    for step in steps {
        if !line.is_empty() {
            line.push_str(", ");
        }
        let time = duration(step.micros);
        let written = if step.passed && step.detail.is_empty() {
            write!(line, "{:?} {time}", step.name)
        } else if step.passed {
            write!(line, "{:?} {time} {}", step.name, step.detail)
        } else {
            write!(line, "{:?} failed in {time}: {}", step.name, step.detail)
        };
        // Writing to a String cannot fail.
        debug_assert!(written.is_ok());
    }
    line
}

fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => "<1 ms".to_owned(),
        1_000..10_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{} s", micros / 1_000_000),
    }
}
