//! The evidence as a reader of `kubectl describe` sees it: one line for each outcome.

use std::fmt::Write as _;

use crate::api::{FindingStatus, ProbeStatus};
use crate::diagnose::Verdict;
use crate::evidence::{Evidence, Step, StepName};

use super::Outcome;
use super::walks::{self, CONTROL, Purpose, Walk};

/// How many rows a status holds.
const MOST_ROWS: usize = 5;

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
                let key = |row: &ProbeStatus| {
                    (row.outcome.clone(), row.credential.clone(), row.vantage.clone())
                };
                key(other) == key(&row)
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
    let mut rows = Vec::new();
    for tried in walks::all(evidence) {
        let (compared, walks): (Vec<Walk<'_>>, Vec<Walk<'_>>) =
            walks::walks(&tried, &outcome.diagnosis)
                .into_iter()
                .partition(|walk| walk.purpose == Purpose::CheckAcr);
        for walk in walks {
            let check_acr =
                compared.iter().find(|other| other.credential.ends_with(&walk.credential));
            let clause = check_acr.map(in_a_clause).unwrap_or_default();
            rows.push(ProbeStatus {
                image: outcome.target.image.clone(),
                vantage: format!("{:?}", walk.vantage),
                steps: steps_line(&walk.steps) + &clause,
                credential: walk.credential,
                outcome: walk.outcome,
                correlation_id: walk.correlation.map(str::to_owned),
                log_query: walk.log_query,
            });
        }
    }
    rows
}

/// What `az aks check-acr` would have said, at the end of the identity's own steps.
fn in_a_clause(walk: &Walk<'_>) -> String {
    let last = walk.steps.iter().rev().find(|step| !step.passed);
    let said = match last {
        Some(step) if walk.outcome == CONTROL => steps_line(&[step]),
        Some(_) | None => walk.outcome.to_lowercase(),
    };
    format!("; as az aks check-acr: {said}")
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
