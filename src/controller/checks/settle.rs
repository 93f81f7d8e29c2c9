//! Settle: a report becomes Events and a status, while this process leads.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::api::{DeleteParams, Preconditions};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client};
use tracing::{info, warn};

use crate::api::{RegistryCheck, RegistryCheckStatus};
use crate::publish;
use crate::report::{
    self, About, Announcement, Beside, Change, EventKind, Idle, News, Report, Times,
};

use super::super::{Context, chain, clock, due};
use super::Error;
use super::memory::{Told, uid_of};
use super::round::Probed;

/// How many pods are told of one episode.
const MOST_PODS_TOLD: usize = 20;
/// How often an Event is said again while its failure lasts; Events live an hour.
const SAY_AGAIN: Duration = Duration::from_secs(30 * 60);
/// For how long pods are told of one look; the next one tells the others that fail still then.
const A_WHILE: Duration = Duration::from_secs(5);
/// How often a status that changed under our hands is computed anew before giving up.
const ATTEMPTS_TO_WRITE: usize = 5;

/// Computes the report from the check as it is now, says its Events, and writes its status. Returns
/// the Events that are to follow it.
pub(super) async fn settle(
    context: &Context,
    check: &RegistryCheck,
    news: News<'_>,
    beside: &[Beside],
    probed: Option<Probed>,
) -> Result<Vec<Announcement>, Error> {
    for attempt in 0..ATTEMPTS_TO_WRITE {
        let shown = if attempt == 0 { shown(context, check) } else { None };
        let current = match shown {
            Some(shown) => Some(shown),
            None => read(&context.client, check).await?,
        };
        let Some(current) = current else { return Ok(Vec::new()) };
        // What was probed is what the spec was then; a change of it has its own reconcile.
        if current.metadata.uid != check.metadata.uid
            || current.metadata.generation != check.metadata.generation
            || current.requested_at() != check.requested_at()
        {
            return Ok(Vec::new());
        }
        let previous = current.status.clone().unwrap_or_default();
        let is_known = !previous.conditions.is_empty();
        if is_known && matches!(news, News::Idle(Idle::Progressing)) {
            return Ok(Vec::new());
        }
        let now = clock::now();
        let times = Times {
            now,
            probed: probed.map(|probed| probed.at),
            next_probe: probed.map(|probed| probed.next),
        };
        let Report { status, announcements } = report::report(&current, news, beside, times);
        let change = report::change(&previous, &status);
        let (later, first): (Vec<_>, Vec<_>) =
            announcements.into_iter().partition(Announcement::may_follow);
        let lasting = report::lasting(&current, &status);
        for announcement in &first {
            say(context, &current, announcement, now).await?;
            if lasting.as_ref().is_some_and(|lasting| lasting.name == announcement.name) {
                context.memory().entry(uid_of(&current)).or_default().said_at = Some(now);
            }
        }
        forget_told(context, &current, &status, now);
        let later = untold(context, &current, later, now);
        say_again(context, &current, &previous, &status, now).await;
        let on_interval = probed.is_some_and(|probed| {
            let most = due::interval(&current.spec).mul_f64(0.9);
            previous.last_probe_time.is_none_or(|last| clock::between(last, probed.at) >= most)
        });
        let is_news = is_to_write(context, &current, change);
        if !is_news && !on_interval {
            return Ok(later);
        }
        if !context.leadership.is_current() {
            return Err(Error::NotLeading);
        }
        let written = publish::write_status(&context.client, &current, &status).await;
        context.telemetry.wrote_status(written.is_ok());
        if let Some(written) = written.map_err(Error::Publish)? {
            let mut memory = context.memory();
            let memory = memory.entry(uid_of(&current)).or_default();
            memory.pace.is_written(true, Instant::now());
            memory.written = written.metadata.resource_version;
            return Ok(later);
        }
    }
    Err(Error::Conflict)
}

/// The check as the watch shows it, where that is not older than what was written last. Whatever
/// somebody else has changed since then refuses the status that is computed from it.
fn shown(context: &Context, check: &RegistryCheck) -> Option<RegistryCheck> {
    let shown = context.checks.get(&ObjectRef::from_obj(check))?;
    let memory = context.memory();
    let written = memory.get(&uid_of(check)).and_then(|memory| memory.written.as_ref());
    let is_known = written.is_none() || written == shown.metadata.resource_version.as_ref();
    is_known.then(|| shown.as_ref().clone())
}

/// Whether a status with this change is to be written now, and not later with more.
fn is_to_write(context: &Context, check: &RegistryCheck, change: Option<Change>) -> bool {
    let mut memory = context.memory();
    let pace = &mut memory.entry(uid_of(check)).or_default().pace;
    let Some(change) = change else {
        pace.is_written(false, Instant::now());
        return false;
    };
    pace.is_to_write(change, Instant::now())
}

/// Those of the announcements that are still to be told: a few of each episode.
fn untold(
    context: &Context,
    check: &RegistryCheck,
    mut of_pods: Vec<Announcement>,
    now: Timestamp,
) -> Vec<Announcement> {
    let mut of_episode: HashMap<String, usize> = HashMap::new();
    of_pods.retain(|announcement| {
        let is_untold = !is_told(context, check, announcement, now);
        let untold = of_episode.entry(announcement.episode.clone()).or_default();
        *untold += usize::from(is_untold);
        is_untold && *untold <= MOST_PODS_TOLD
    });
    of_pods.shrink_to_fit();
    of_pods
}

/// Says the Events that follow a status, as many as there is time for in a while: the next look at the
/// check says the others.
pub(super) async fn tell(
    context: &Context,
    check: &RegistryCheck,
    announcements: &[Announcement],
) -> Result<(), Error> {
    let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
    let until = tokio::time::Instant::now() + A_WHILE;
    for announcement in announcements {
        let now = clock::now();
        if is_told(context, check, announcement, now) {
            continue;
        }
        let turn = tokio::time::timeout_at(until, context.budget.event(namespace)).await;
        // A turn that is free is had even when the time is over.
        if turn.is_err() || tokio::time::Instant::now() >= until {
            break;
        }
        say(context, check, announcement, now).await?;
    }
    Ok(())
}

/// Creates the Event, if its pod is among the few that are told and was not told yet. One
/// that the API server will not have, such as for a quota, is no reason to write no status.
async fn say(
    context: &Context,
    check: &RegistryCheck,
    announcement: &Announcement,
    now: Timestamp,
) -> Result<(), Error> {
    if is_told(context, check, announcement, now) {
        return Ok(());
    }
    if !context.leadership.is_current() {
        return Err(Error::NotLeading);
    }
    let instance = &context.settings.identity.name;
    match publish::announce(&context.client, check, announcement, instance, now).await {
        Ok(()) => {}
        Err(error) if error.is_refusal() => {
            context.telemetry.reconcile_failed("WriteEvent");
            warn!(event = %announcement.name, error = %chain(&error), "the API server refuses an Event");
        }
        Err(error) => return Err(Error::Publish(error)),
    }
    let mut memory = context.memory();
    let memory = memory.entry(uid_of(check)).or_default();
    match (&announcement.about, announcement.kind) {
        (About::Pod(pod), _) => {
            let told = Told { episode: announcement.episode.clone(), at: now };
            memory.told.insert((pod.uid.clone(), announcement.reason.clone()), told);
        }
        (About::Check, EventKind::Normal) => memory.told.clear(),
        (About::Check, EventKind::Warning) => {}
    }
    Ok(())
}

/// Forgets what pods were told a while ago of an episode that is over.
fn forget_told(
    context: &Context,
    check: &RegistryCheck,
    status: &RegistryCheckStatus,
    now: Timestamp,
) {
    let episodes: HashSet<&str> = status.findings.iter().map(report::episode_of).collect();
    if let Some(memory) = context.memory().get_mut(&uid_of(check)) {
        memory.told.retain(|_, told| {
            clock::between(told.at, now) < SAY_AGAIN || episodes.contains(told.episode.as_str())
        });
    }
}

/// Whether a pod need not be told: it was, in this episode or a short while ago in another one
/// of the same cause, or enough others were.
fn is_told(
    context: &Context,
    check: &RegistryCheck,
    announcement: &Announcement,
    now: Timestamp,
) -> bool {
    let Announcement { about: About::Pod(pod), episode, reason, .. } = announcement else {
        return false;
    };
    let memory = context.memory();
    let Some(memory) = memory.get(&uid_of(check)) else { return false };
    let before = memory.told.get(&(pod.uid.clone(), reason.clone()));
    let of_episode = memory.told.values().filter(|told| told.episode == *episode);
    before.is_some_and(|told| told.episode == *episode || clock::between(told.at, now) < SAY_AGAIN)
        || of_episode.count() >= MOST_PODS_TOLD
}

/// Renews the Event of a failure that lasts. That it cannot be is no reason to write no status; it is
/// tried again in the next look, unless the API server refuses it.
async fn say_again(
    context: &Context,
    check: &RegistryCheck,
    previous: &RegistryCheckStatus,
    status: &RegistryCheckStatus,
    now: Timestamp,
) {
    let (Some(before), Some(lasting)) =
        (report::lasting(check, previous), report::lasting(check, status))
    else {
        return;
    };
    let said_at = context.memory().get(&uid_of(check)).and_then(|memory| memory.said_at);
    let last_said = said_at.unwrap_or(lasting.since);
    if before.name != lasting.name
        || clock::between(last_said, now) < SAY_AGAIN
        || !context.leadership.is_current()
    {
        return;
    }
    let times = times_said(lasting.since, now);
    let instance = &context.settings.identity.name;
    let said = publish::renew(&context.client, check, &lasting, instance, now, times).await;
    if let Err(error) = &said {
        context.telemetry.reconcile_failed("WriteEvent");
        warn!(event = %lasting.name, error = %chain(error), "cannot renew an Event");
    }
    if said.as_ref().err().is_none_or(publish::Error::is_refusal) {
        context.memory().entry(uid_of(check)).or_default().said_at = Some(now);
    }
}

/// How often a failure was said that lasts since then. A series has two at least, or the API server
/// refuses it (`validateV1EventSeries`, `pkg/apis/core/validation/events.go` of Kubernetes 1.35).
fn times_said(since: Timestamp, now: Timestamp) -> i32 {
    let times = clock::between(since, now).as_secs() / SAY_AGAIN.as_secs() + 1;
    i32::try_from(times).unwrap_or(i32::MAX).max(2)
}

/// The check as it is now; `None` where it is gone.
pub(super) async fn read(
    client: &Client,
    check: &RegistryCheck,
) -> Result<Option<RegistryCheck>, Error> {
    let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
    let name = check.metadata.name.as_deref().unwrap_or_default();
    let api: Api<RegistryCheck> = Api::namespaced(client.clone(), namespace);
    let read = api.get_opt(name).await;
    read.map_err(|source| Error::Read { what: "the check", source: Box::new(source) })
}

/// Deletes an automatic check, if it is still the object that was looked at.
pub(super) async fn delete(context: &Context, check: &RegistryCheck) -> Result<(), Error> {
    if !context.leadership.is_current() {
        return Err(Error::NotLeading);
    }
    let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
    let name = check.metadata.name.as_deref().unwrap_or_default();
    let api: Api<RegistryCheck> = Api::namespaced(context.client.clone(), namespace);
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: check.metadata.uid.clone(),
            resource_version: check.metadata.resource_version.clone(),
        }),
        ..DeleteParams::default()
    };
    match api.delete(name, &params).await {
        Ok(_) => {
            info!(%namespace, %name, "deleted an automatic RegistryCheck that is not needed any more");
            Ok(())
        }
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(source) => Err(Error::Delete(Box::new(source))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_has_two_at_least_and_one_more_each_half_hour() {
        let after = |minutes: i64| {
            let now = Timestamp::from_second(minutes * 60).unwrap();
            times_said(Timestamp::UNIX_EPOCH, now)
        };
        assert_eq!([0, 10, 30, 59, 60, 90].map(after), [2, 2, 2, 2, 3, 4]);
    }
}
