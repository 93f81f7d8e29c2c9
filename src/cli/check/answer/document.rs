//! The answer for a program: a promise, which `docs/check.md` describes. No field of it is renamed
//! or used for something else.

use serde::Serialize;

use crate::api::{Confidence, Owner, Severity};
use crate::diagnose::{Finding, Verdict};
use crate::evidence::{Step, Vantage};
use crate::record::Seen;
use crate::report::sentence;
use crate::report::walks::{self, Tried, Walk};

use super::workstation::{self, LookedAt};
use super::{Answer, Asked};

/// The answer for a program.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli::check) struct Document<'answer> {
    /// Null where nothing was asked about but a machine.
    image: Option<&'answer str>,
    /// Null where it could not be found out.
    pullable: Option<bool>,
    /// The cause first.
    findings: Vec<Found<'answer>>,
    /// One for each credential that was tried.
    probes: Vec<Probe<'answer>>,
    /// What was looked at on this machine, where that was asked about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    workstation: Vec<LookedAt>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found<'answer> {
    code: &'static str,
    severity: Severity,
    confidence: Confidence,
    owner: Owner,
    message: String,
    remedy: &'answer str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Probe<'answer> {
    image: Option<&'answer str>,
    credential: String,
    vantage: Vantage,
    outcome: String,
    steps: Vec<Taken>,
    /// What finds the last request in the log of a registry of Azure.
    #[serde(skip_serializing_if = "Option::is_none")]
    log_query: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Taken {
    name: String,
    result: &'static str,
    detail: String,
    duration_ms: f64,
}

impl Answer<'_> {
    pub(in crate::cli::check) fn document(&self) -> Document<'_> {
        let probes = match &self.record.seen {
            Seen::Evidence(evidence) => {
                walks::all(evidence).iter().flat_map(|tried| self.probes(tried)).collect()
            }
            Seen::Login(login) => self.probes(&login.as_ref().into()),
            Seen::Workstation(workstation) => workstation
                .login
                .iter()
                .flat_map(|login| self.probes(&login.as_ref().into()))
                .collect(),
            Seen::Unprobed(_) => Vec::new(),
        };
        let workstation = match &self.record.seen {
            Seen::Workstation(seen) => workstation::looked_at(seen),
            Seen::Evidence(_) | Seen::Login(_) | Seen::Unprobed(_) => Vec::new(),
        };
        Document {
            image: self.asked.map(Asked::as_written),
            pullable: match self.diagnosis.verdict {
                Verdict::Pullable => Some(true),
                Verdict::NotPullable => Some(false),
                Verdict::Undecided => None,
            },
            findings: self.diagnosis.findings.iter().map(found).collect(),
            probes,
            workstation,
        }
    }

    fn probes<'answer>(&'answer self, tried: &Tried<'answer>) -> Vec<Probe<'answer>> {
        let walks = walks::walks(tried, self.diagnosis).into_iter();
        let walks =
            walks.map(|Walk { credential, vantage, outcome, steps, log_query, .. }| Probe {
                image: self.asked.map(Asked::as_written),
                credential,
                vantage,
                outcome,
                steps: steps.into_iter().map(taken).collect(),
                log_query,
            });
        walks.collect()
    }
}

fn found(finding: &Finding) -> Found<'_> {
    let Finding { code, severity, confidence, owner, message, remedy, .. } = finding;
    Found {
        code: code.as_str(),
        severity: *severity,
        confidence: *confidence,
        owner: *owner,
        message: sentence(message),
        remedy,
    }
}

fn taken(step: &Step) -> Taken {
    let Step { name, passed, micros, .. } = step;
    let micros = u32::try_from(*micros).unwrap_or(u32::MAX);
    Taken {
        name: format!("{name:?}"),
        result: if *passed { "passed" } else { "failed" },
        detail: step.seen(),
        duration_ms: f64::from(micros) / 1_000.0,
    }
}
