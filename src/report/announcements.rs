//! Announcements: the Events that a change is worth.
//!
//! Each has a name that is computed from what was written before the change. Whoever
//! computes it again, after a crash between the Event and the status, gets the same name,
//! and the API server refuses the second.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::api::{
    Condition, ConditionStatus, FindingStatus, RegistryCheck, RegistryCheckStatus, Severity,
};
use crate::diagnose::Finding;
use crate::diagnose::catalogue::Code;
use crate::diagnose::remedy::sentences;
use crate::target::PodRef;
use crate::target::workload::WorkloadRef;

use super::findings::{hash, whole_episode};
use super::{Beside, Idle, News, Outcome, sentence};

/// The longest note of an Event (events.k8s.io/v1), in bytes.
const MOST_NOTE_BYTES: usize = 1_024;

/// An Event to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The object that it is about.
    pub about: About,
    /// Normal or Warning.
    pub kind: EventKind,
    /// The finding's code.
    pub reason: String,
    /// What is wrong and what to do; the pods of one cause share it.
    pub note: Arc<str>,
    /// The Event's name.
    pub name: String,
    /// The occurrence that it is about; at most a few pods are told of one.
    pub episode: String,
    /// Since when it lasts.
    pub since: Timestamp,
}

impl Announcement {
    /// Whether it may be said after the status is written: whoever computes the report once more
    /// computes it again, as long as the pod fails.
    pub fn may_follow(&self) -> bool {
        matches!((&self.about, self.kind), (About::Pod(_), EventKind::Warning))
    }
}

/// The object that an Event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// The RegistryCheck.
    Check,
    /// A pod of its namespace.
    Pod(PodRef),
}

/// The type of an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Nothing is wrong.
    Normal,
    /// Something is wrong.
    Warning,
}

/// The Events that the step from `previous` to `next` is worth: one on the check where
/// Ready's status or reason changed, and one on each pod that has not been told yet.
pub(super) fn announcements(
    check: &RegistryCheck,
    previous: &RegistryCheckStatus,
    next: &RegistryCheckStatus,
    outcomes: &[Outcome],
    news: News<'_>,
) -> Vec<Announcement> {
    let Some(ready) = next.ready() else { return Vec::new() };
    let before = ready_of(previous);
    let mut announcements: Vec<Announcement> = endings(check, previous, next).collect();
    match ready.status {
        ConditionStatus::False => {
            if before != Some((ConditionStatus::False, ready.reason.as_str())) {
                announcements.extend(failure_of_check(check, next, ready));
            }
            announcements.extend(failures_of_pods(next, outcomes));
        }
        ConditionStatus::True if before.is_some_and(was_in_doubt) => {
            announcements.extend(recovery(check, previous, ready, outcomes, news));
        }
        ConditionStatus::True | ConditionStatus::Unknown => {}
    }
    announcements
}

/// The Events of credentials whose end has come near, or has come while nothing fails. The date
/// is part of the name: it is said once, and again of the next credential.
fn endings<'next>(
    check: &'next RegistryCheck,
    previous: &'next RegistryCheckStatus,
    next: &'next RegistryCheckStatus,
) -> impl Iterator<Item = Announcement> + use<'next> {
    let is_known = |finding: &&FindingStatus| {
        let mut before = ending(previous);
        before.any(|before| before.code == finding.code && before.message == finding.message)
    };
    ending(next).filter(move |finding| !is_known(finding)).map(move |finding| Announcement {
        about: About::Check,
        kind: EventKind::Warning,
        reason: finding.code.clone(),
        note: note(&finding.message, &finding.remedy).into(),
        name: name(check_name(check), &[check_uid(check), &finding.code, &finding.message]),
        episode: finding.episode.clone(),
        since: finding.first_seen,
    })
}

/// The findings about credentials that end, or have ended while nothing fails.
pub(super) fn ending(status: &RegistryCheckStatus) -> impl Iterator<Item = &FindingStatus> {
    let codes = [Code::CredentialExpiring, Code::CredentialExpired];
    status.findings.iter().filter(move |finding| {
        let is_of_end = codes.iter().any(|code| code.as_str() == finding.code);
        is_of_end && finding.severity == Severity::Warning
    })
}

/// Whether the credentials that end, of a check without targets, are others than are written.
pub fn endings_changed(written: &RegistryCheckStatus, beside: &[Beside]) -> bool {
    let mut wanted: BTreeMap<(&str, Option<&str>), String> = BTreeMap::new();
    for Beside { finding, .. } in beside {
        let key = (finding.code.as_str(), finding.credential.as_deref());
        wanted.entry(key).or_insert_with(|| sentence(&finding.message));
    }
    let written = ending(written).map(|finding| {
        ((finding.code.as_str(), finding.credential.as_deref()), finding.message.clone())
    });
    written.collect::<BTreeMap<_, _>>() != wanted
}

/// What a workload is told whose pods will not be able to pull, or cannot any more: once for
/// each version of the secret.
pub fn to_workload(
    workload: &WorkloadRef,
    finding: &Finding,
    secret: &str,
    version: &str,
) -> Notice {
    let code = finding.code.as_str();
    Notice {
        kind: EventKind::Warning,
        reason: code.to_owned(),
        note: note(&sentence(&finding.message), &finding.remedy),
        name: name(&workload.name, &[&workload.uid, code, secret, version]),
    }
}

/// An Event about an object that is no check's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Normal or Warning.
    pub kind: EventKind,
    /// The finding's code.
    pub reason: String,
    /// What is wrong and what to do.
    pub note: String,
    /// The Event's name.
    pub name: String,
}

/// Whether Ready said or left open that something is wrong, so that its end is worth an Event.
fn was_in_doubt((status, reason): (ConditionStatus, &str)) -> bool {
    match status {
        ConditionStatus::False => true,
        ConditionStatus::Unknown => !matches!(reason, "NoTargets" | "Suspended" | "Progressing"),
        ConditionStatus::True => false,
    }
}

fn ready_of(status: &RegistryCheckStatus) -> Option<(ConditionStatus, &str)> {
    status.ready().map(|ready| (ready.status, ready.reason.as_str()))
}

/// The Event that says what is wrong now, so that it can be said again while it lasts.
pub fn lasting(check: &RegistryCheck, status: &RegistryCheckStatus) -> Option<Announcement> {
    let ready = status.ready().filter(|ready| ready.status == ConditionStatus::False)?;
    failure_of_check(check, status, ready)
}

fn failure_of_check(
    check: &RegistryCheck,
    next: &RegistryCheckStatus,
    ready: &Condition,
) -> Option<Announcement> {
    let cause = next.findings.first()?;
    Some(Announcement {
        about: About::Check,
        kind: EventKind::Warning,
        reason: ready.reason.clone(),
        note: note(&sentence(&ready.message), &cause.remedy).into(),
        name: name(check_name(check), &[check_uid(check), &ready.reason, &cause.episode]),
        episode: cause.episode.clone(),
        since: cause.first_seen,
    })
}

fn failures_of_pods<'next>(
    next: &'next RegistryCheckStatus,
    outcomes: &'next [Outcome],
) -> impl Iterator<Item = Announcement> + use<'next> {
    outcomes.iter().filter(|outcome| outcome.stops()).flat_map(move |outcome| {
        let finding = next.findings.iter().find(|finding| outcome.is_caused_by(finding));
        let told = outcome.cause().zip(finding).map(|(cause, finding)| {
            let note: Arc<str> = note(&sentence(&cause.message), &cause.remedy).into();
            (finding, note)
        });
        outcome.target.pods.iter().filter_map(move |pod| {
            let (finding, note) = told.as_ref()?;
            Some(of_pod(pod, finding, Arc::clone(note)))
        })
    })
}

fn of_pod(pod: &PodRef, finding: &FindingStatus, note: Arc<str>) -> Announcement {
    Announcement {
        about: About::Pod(pod.clone()),
        kind: EventKind::Warning,
        reason: finding.code.clone(),
        note,
        name: name(&pod.name, &[&pod.uid, &finding.code, whole_episode(&finding.episode)]),
        episode: whole_episode(&finding.episode).to_owned(),
        since: finding.first_seen,
    }
}

/// The recovery of a check, and of the pods that wait for the kubelet's next attempt.
fn recovery(
    check: &RegistryCheck,
    previous: &RegistryCheckStatus,
    ready: &Condition,
    outcomes: &[Outcome],
    news: News<'_>,
) -> Vec<Announcement> {
    let since = ready.last_transition_time;
    let moment = moment(previous);
    let pullable = Code::Pullable.as_str();
    let note: Arc<str> = match news {
        News::Idle(Idle::Recovered) => ready.message.as_str().into(),
        News::Outcomes(_) | News::Idle(Idle::Suspended | Idle::NoTargets | Idle::Progressing) => {
            format!("{} A kubelet that still waits tries again within 5 minutes.", ready.message)
                .into()
        }
    };
    let announce = |about: About, object: &str, uid: &str| Announcement {
        about,
        kind: EventKind::Normal,
        reason: pullable.to_owned(),
        note: Arc::clone(&note),
        name: name(object, &[uid, pullable, &moment]),
        episode: moment.clone(),
        since,
    };
    let mut announcements = vec![announce(About::Check, check_name(check), check_uid(check))];
    let waiting = outcomes.iter().flat_map(|outcome| &outcome.target.pods);
    announcements.extend(waiting.map(|pod| announce(About::Pod(pod.clone()), &pod.name, &pod.uid)));
    announcements
}

fn check_name(check: &RegistryCheck) -> &str {
    check.metadata.name.as_deref().unwrap_or_default()
}

fn check_uid(check: &RegistryCheck) -> &str {
    check.metadata.uid.as_deref().unwrap_or_default()
}

/// What tells one transition from the next: the last things that were written before it. Two of them
/// may rest on one answer, which checks share.
pub(super) fn moment(previous: &RegistryCheckStatus) -> String {
    let changed = previous.ready().map(|ready| ready.last_transition_time);
    let times = previous.last_probe_time.into_iter().chain(changed);
    times.map(|time| time.to_string()).collect::<Vec<_>>().join(" ")
}

/// `<object>.<hash>`, as the names of Events are; at most 253 bytes.
fn name(object: &str, parts: &[&str]) -> String {
    let object = &object[..object.len().min(230)];
    format!("{}.{}", object.trim_end_matches(['.', '-']), &hash(parts)[..16])
}

/// Message and remedy, cut between sentences where they are too long together.
fn note(message: &str, remedy: &str) -> String {
    let mut note = String::new();
    for sentence in sentences(message).chain(sentences(remedy)) {
        if note.len() + 1 + sentence.len() > MOST_NOTE_BYTES {
            break;
        }
        if !note.is_empty() {
            note.push(' ');
        }
        note.push_str(sentence);
    }
    if note.is_empty() {
        note = message.chars().take(MOST_NOTE_BYTES / 4).collect();
    }
    note
}
