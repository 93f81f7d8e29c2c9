//! Report: what is to be written down, from what was there before and what was found now.
//!
//! Pure: the clock and the previous status are arguments. The status says no more than was
//! seen: what was not probed is Unknown, and a time is kept for as long as what it belongs
//! to does not change.

#![deny(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use jiff::Timestamp;

use crate::api::{Condition, ConditionStatus, FindingStatus, RegistryCheck, RegistryCheckStatus};
use crate::complaint::without_numbers;
use crate::diagnose::{Diagnosis, Finding, Verdict, catalogue::Code, shorten};
use crate::evidence::Evidence;
use crate::target::Target;

mod announcements;
mod conditions;
mod findings;
mod log_query;
pub mod probes;
mod size;
pub mod walks;

pub use announcements::{
    About, Announcement, EventKind, Notice, endings_changed, lasting, to_workload,
};
pub use findings::episode_of;

/// What was found for one target.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The target.
    pub target: Target,
    /// What it means.
    pub diagnosis: Diagnosis,
    /// What was seen, which other checks may have asked for too; `None` where no registry was asked.
    pub evidence: Option<Arc<Evidence>>,
}

/// Why there is nothing to report about images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// The check is suspended.
    Suspended,
    /// No pod fails and no image is listed.
    NoTargets,
    /// No pod fails any more, and those that did have started.
    Recovered,
    /// The first probe is under way.
    Progressing,
}

/// What a check has to say now.
#[derive(Clone, Copy, Debug)]
pub enum News<'news> {
    /// Each target's outcome.
    Outcomes(&'news [Outcome]),
    /// There is none, and why.
    Idle(Idle),
}

/// A finding that is about no target: nothing stops for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// The finding.
    pub finding: Finding,
    /// The images that it is about, or the repositories.
    pub images: Vec<String>,
}

/// The times that a report carries.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Now.
    pub now: Timestamp,
    /// When the registry was asked; `None` where it was not, so that the previous time stays.
    pub probed: Option<Timestamp>,
    /// When it will be asked again.
    pub next_probe: Option<Timestamp>,
}

/// What to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The status as it should be.
    pub status: RegistryCheckStatus,
    /// Events to write, before the status is but for those that may follow it.
    pub announcements: Vec<Announcement>,
}

/// What Ready says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ready {
    status: ConditionStatus,
    reason: String,
    message: String,
}

/// Says what to write about `check`.
pub fn report(check: &RegistryCheck, news: News<'_>, beside: &[Beside], times: Times) -> Report {
    let previous = check.status.clone().unwrap_or_default();
    let times = Times {
        now: to_milliseconds(times.now),
        probed: times.probed.map(to_milliseconds),
        next_probe: times.next_probe.map(to_milliseconds),
    };
    let uid = check.metadata.uid.as_deref().unwrap_or_default();
    let outcomes = match news {
        News::Outcomes(outcomes) => outcomes,
        News::Idle(_) => &[],
    };
    let findings = findings::merge(uid, outcomes, beside, &previous, times.now);
    let ready = match news {
        News::Outcomes(outcomes) => ready(&check.spec.registry, outcomes, &findings),
        News::Idle(idle) => idle_ready(idle),
    };
    let mut status = RegistryCheckStatus {
        observed_generation: check.metadata.generation,
        conditions: conditions::conditions(check, &ready, outcomes, &previous, times.now),
        affected_pods: affected(outcomes),
        probes: probes::rows(outcomes, &findings),
        findings,
        last_probe_time: times.probed.or(previous.last_probe_time),
        next_probe_time: times.next_probe,
        last_handled_reconcile_at: check.requested_at().map(str::to_owned),
    };
    let mut whole = status.clone();
    size::fit(&mut status);
    findings::name_dropped(uid, &mut whole, &status);
    let announcements = announcements::announcements(check, &previous, &whole, outcomes, news);
    Report { status, announcements }
}

/// Nobody reads nanoseconds.
fn to_milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// What a status tells that is not written yet, the weightiest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Whether all is well, what the spec is, or that what was asked for by hand was done.
    Verdict,
    /// What is wrong, or what to do about it.
    Cause,
    /// How much it is that goes wrong, and which pods and images it is about.
    Extent,
}

/// What writing `next` over `previous` would tell; `None` where that is nothing: everything
/// counts but times, what a probe measures anew each time, and numbers and ids in sentences; the
/// date at which a credential ends counts.
pub fn change(previous: &RegistryCheckStatus, next: &RegistryCheckStatus) -> Option<Change> {
    let lasting = |status: &RegistryCheckStatus| {
        let mut status = status.clone();
        status.last_probe_time = None;
        status.next_probe_time = None;
        status.probes.clear();
        for finding in &mut status.findings {
            finding.last_seen = finding.first_seen;
            finding.message = without_numbers(&finding.message);
        }
        for condition in &mut status.conditions {
            condition.message = without_numbers(&condition.message);
        }
        status
    };
    let dates = |status| announcements::ending(status).map(|finding| finding.message.clone());
    let is_verdict_same = verdict(previous) == verdict(next);
    let are_dates_same = dates(previous).eq(dates(next));
    let is_cause_same = are_dates_same && causes(previous).eq(causes(next));
    match (is_verdict_same, is_cause_same) {
        (false, _) => Some(Change::Verdict),
        (true, false) => Some(Change::Cause),
        (true, true) => (lasting(previous) != lasting(next)).then_some(Change::Extent),
    }
}

fn verdict(status: &RegistryCheckStatus) -> impl PartialEq {
    let ready = status.ready().map(|ready| {
        let why = (ready.status == ConditionStatus::Unknown).then_some(ready.reason.as_str());
        (ready.status, why)
    });
    (ready, status.observed_generation, status.last_handled_reconcile_at.as_deref())
}

fn causes(status: &RegistryCheckStatus) -> impl Iterator<Item = impl PartialEq> {
    status.findings.iter().map(|finding| {
        let FindingStatus { code, severity, confidence, owner, credential, hop, .. } = finding;
        (code, severity, confidence, owner, credential, hop, &finding.remedy, &finding.episode)
    })
}

impl RegistryCheckStatus {
    /// The condition Ready; `None` before the first report.
    pub fn ready(&self) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == "Ready")
    }
}

impl RegistryCheck {
    /// The value of the annotation that asks for a probe.
    pub fn requested_at(&self) -> Option<&str> {
        let annotations = self.metadata.annotations.as_ref()?;
        annotations.get(crate::api::REQUESTED_AT).map(String::as_str)
    }
}

fn affected(outcomes: &[Outcome]) -> i64 {
    let mut uids: Vec<&str> = outcomes
        .iter()
        .filter(|outcome| outcome.stops())
        .flat_map(|outcome| outcome.target.pods.iter().map(|pod| pod.uid.as_str()))
        .collect();
    uids.sort_unstable();
    uids.dedup();
    i64::try_from(uids.len()).unwrap_or(i64::MAX)
}

impl Outcome {
    /// Whether pods of this target are held up, as far as is known.
    fn stops(&self) -> bool {
        match self.diagnosis.verdict {
            Verdict::Pullable => false,
            Verdict::NotPullable | Verdict::Undecided => true,
        }
    }

    fn cause(&self) -> Option<&Finding> {
        self.diagnosis.findings.first()
    }

    /// Whether `finding` is what stops this target.
    fn is_caused_by(&self, finding: &FindingStatus) -> bool {
        self.cause().is_some_and(|cause| findings::stands_for(finding, cause))
    }
}

fn ready(registry: &str, outcomes: &[Outcome], findings: &[FindingStatus]) -> Ready {
    let stopped: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.stops()).collect();
    if stopped.is_empty() {
        let mut images: Vec<&str> =
            outcomes.iter().map(|outcome| outcome.target.image.as_str()).collect();
        images.sort_unstable();
        images.dedup();
        let message = match images.as_slice() {
            [] => return idle_ready(Idle::NoTargets),
            [only] => format!("{only} can be pulled."),
            several => format!("All {} images of {registry} can be pulled.", several.len()),
        };
        return Ready {
            status: ConditionStatus::True,
            reason: Code::Pullable.to_string(),
            message,
        };
    }
    let Some(cause) = findings.first() else {
        return Ready {
            status: ConditionStatus::Unknown,
            reason: Code::Inconclusive.to_string(),
            message: "Nothing was found out.".to_owned(),
        };
    };
    let fails_for_certain = stopped.iter().any(|outcome| {
        outcome.diagnosis.verdict == Verdict::NotPullable || !outcome.target.pods.is_empty()
    });
    let (by_cause, otherwise): (Vec<&Outcome>, Vec<&Outcome>) =
        stopped.into_iter().partition(|outcome| outcome.is_caused_by(cause));
    let said = by_cause.iter().find_map(|outcome| outcome.cause());
    let said = said.map_or(cause.message.as_str(), |said| said.message.as_str());
    let said = shorten(said.trim_end_matches('.'), findings::LONGEST_TEXT);
    let who = if fails_for_certain {
        who_is_stopped(&by_cause)
    } else {
        format!("whether {} can be pulled is not known", what_is_stopped(&by_cause))
    };
    let mut message = sentence(&format!("{who}: {said}."));
    if !otherwise.is_empty() {
        let reasons = reasons(&otherwise);
        message = format!("{message} For other reasons{reasons}, {}.", who_is_stopped(&otherwise));
    }
    Ready {
        status: if fails_for_certain { ConditionStatus::False } else { ConditionStatus::Unknown },
        reason: cause.code.clone(),
        message,
    }
}

/// ` (CredentialRejected, TagNotFound)`, as far as they are few.
fn reasons(stopped: &[&Outcome]) -> String {
    let causes = stopped.iter().filter_map(|outcome| outcome.cause());
    let mut codes: Vec<&str> = causes.map(|cause| cause.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    match codes.len() {
        1..=3 => format!(" ({})", codes.join(", ")),
        _ => String::new(),
    }
}

/// `2 images`, or the one.
fn what_is_stopped(stopped: &[&Outcome]) -> String {
    let mut images: Vec<&str> =
        stopped.iter().map(|outcome| outcome.target.image.as_str()).collect();
    images.sort_unstable();
    images.dedup();
    match images.as_slice() {
        [image] => (*image).to_owned(),
        several => format!("{} images", several.len()),
    }
}

/// `37 pods of 4 workloads cannot pull 2 images`.
fn who_is_stopped(stopped: &[&Outcome]) -> String {
    let what = what_is_stopped(stopped);
    let mut pods: Vec<_> = stopped.iter().flat_map(|outcome| &outcome.target.pods).collect();
    pods.sort_unstable();
    pods.dedup();
    let mut workloads: Vec<&str> = pods.iter().map(|pod| pod.workload.as_str()).collect();
    workloads.sort_unstable();
    workloads.dedup();
    match (pods.len(), workloads.len()) {
        (0, _) => format!("{what} cannot be pulled"),
        (1, _) => format!("1 pod cannot pull {what}"),
        (n_pods, 1) => format!("{n_pods} pods of 1 workload cannot pull {what}"),
        (n_pods, n_workloads) => {
            format!("{n_pods} pods of {n_workloads} workloads cannot pull {what}")
        }
    }
}

fn idle_ready(idle: Idle) -> Ready {
    let unknown = |reason: &str, message: &str| Ready {
        status: ConditionStatus::Unknown,
        reason: reason.to_owned(),
        message: message.to_owned(),
    };
    match idle {
        Idle::Suspended => {
            unknown("Suspended", "Suspended: nothing is probed while spec.suspend is true.")
        }
        Idle::NoTargets => unknown(
            "NoTargets",
            "No pod fails and spec.images lists nothing: there is nothing to check.",
        ),
        Idle::Progressing => unknown("Progressing", "The first probe is under way."),
        Idle::Recovered => Ready {
            status: ConditionStatus::True,
            reason: Code::Pullable.to_string(),
            message: "The pods that could not pull have started.".to_owned(),
        },
    }
}

/// A message with a capital, as a sentence.
pub(crate) fn sentence(clause: &str) -> String {
    let mut characters = clause.chars();
    let first = characters.next();
    // A clause that begins with a name, such as a host, keeps it as it is.
    let first_word = clause.split(' ').next().unwrap_or_default();
    let is_name = first_word == "localhost"
        || first_word.contains(['.', ':', '/', '-'])
        || first_word.chars().skip(1).any(char::is_uppercase);
    let mut sentence = match first {
        Some(first) if !is_name => first.to_uppercase().collect::<String>() + characters.as_str(),
        Some(_) | None => clause.to_owned(),
    };
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests;
