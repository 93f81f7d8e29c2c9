//! The reconcile of one RegistryCheck: `target → resolve → probe → diagnose → report →
//! publish`, when something is due.

use std::sync::Arc;
use std::time::Duration;

use kube::Api;
use kube::runtime::controller::Action;
use thiserror::Error;

use crate::api::{ConditionStatus, RegistryCheck, RegistryCheckStatus};
use crate::diagnose::Verdict;
use crate::publish;
use crate::report::{self, Announcement, Beside, Idle, News, Outcome};
use crate::resolve;
use crate::server::Work;
use crate::target::pod::Pod;
use crate::target::{self, Target};

use super::clients::PODS;
use super::pods::Key;
use super::{Context, clock, due, expiry, is_to_stay, key_of, ownership};

mod asking;
mod memory;
mod pace;
mod probing;
mod recall;
mod round;
mod settle;
mod sharing;
mod vantage;
pub(super) mod workload;

pub(crate) use memory::{Memory, count_failure, hears, release};
pub(crate) use sharing::Answers;

use memory::{forget_pullable, looked, pause, remember, remembered, uid_of};
use probing::{compare_with_node, find, keep_waiting, prepare};
use recall::recall;
use round::Found;
use settle::{delete, read, settle, tell};

/// After how long a first probe is said to be under way.
const A_MOMENT: Duration = Duration::from_secs(1);
/// The shortest time between two looks at one check.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);

/// How soon is looked again whether the pods of a namespace may be listed.
const REFUSED: Duration = Duration::from_secs(10);

/// A reconcile could not be finished; it is tried again.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// Reading what a pod references failed.
    #[error("cannot resolve the credentials")]
    Resolve(#[source] resolve::Error),
    /// Writing failed.
    #[error("cannot publish the report")]
    Publish(#[source] publish::Error),
    /// Reading the check or a pod failed.
    #[error("cannot read {what}")]
    Read {
        /// What was read.
        what: &'static str,
        /// What went wrong.
        #[source]
        source: Box<kube::Error>,
    },
    /// Deleting an automatic check failed.
    #[error("cannot delete the automatic check")]
    Delete(#[source] Box<kube::Error>),
    /// The status changed under our hands again and again.
    #[error("the check changes faster than its status can be written")]
    Conflict,
    /// This process does not lead any more.
    #[error("this process does not lead")]
    NotLeading,
}

impl Error {
    /// A bounded name for metrics.
    pub(crate) fn category(&self) -> &'static str {
        match self {
            Self::Resolve(resolve::Error::ReadSecret { .. }) => "ReadSecret",
            Self::Resolve(resolve::Error::ReadServiceAccount { .. }) => "ReadServiceAccount",
            Self::Resolve(resolve::Error::MakeToken { .. }) => "MakeToken",
            Self::Resolve(resolve::Error::ReadNode { .. }) => "ReadNode",
            Self::Publish(publish::Error::WriteEvent { .. }) => "WriteEvent",
            Self::Publish(publish::Error::WriteStatus { .. }) => "WriteStatus",
            Self::Read { .. } => "Read",
            Self::Delete(_) => "DeleteCheck",
            Self::Conflict => "Conflict",
            Self::NotLeading => "NotLeading",
        }
    }
}

/// Brings what is written about one check up to date.
///
/// # Errors
///
/// Where the API server cannot be read or written.
pub(crate) async fn reconcile(
    check: Arc<RegistryCheck>,
    context: Arc<Context>,
) -> Result<Action, Error> {
    let Some(key) = key_of(&check) else { return Ok(Action::await_change()) };
    if !is_to_stay(&check) {
        return Ok(Action::await_change());
    }
    // Before all pods are listed, that none fails says nothing.
    if !context.index().is_complete(&key.namespace) {
        let is_refused = context.refusals.are_refused(&key.namespace, PODS);
        return Ok(Action::requeue(if is_refused { REFUSED } else { SHORTEST_PAUSE }));
    }
    if let Some(pause) = pause(&context, &check) {
        return Ok(Action::requeue(pause));
    }
    let turn = context.budget.look(&key.namespace).await;
    if !context.leadership.is_current() {
        return Err(Error::NotLeading);
    }
    let work = context.telemetry.liveness().work();
    // What waits for its turn has not the size of what is at work.
    let seen = Box::pin(look(&context, &check, &key, &work)).await;
    drop(turn);
    let result = match seen {
        Ok(Seen { next, untold }) => {
            work.waits();
            tell(&context, &check, &untold).await.map(|()| next)
        }
        Err(error) => Err(error),
    };
    let next = looked(&context, &check, &result);
    result.map(|_| next.map_or_else(Action::await_change, Action::requeue))
}

/// What a look at a check leaves to do.
#[derive(Default)]
struct Seen {
    /// After how long the next look is due, if nothing changes before.
    next: Option<Duration>,
    /// The Events that follow the status.
    untold: Vec<Announcement>,
}

impl Seen {
    fn next(after: Option<Duration>) -> Self {
        Self { next: after, untold: Vec::new() }
    }
}

/// One look at a check: at its pods, its secrets, and the registry where that is due.
async fn look(
    context: &Context,
    check: &RegistryCheck,
    key: &Key,
    work: &Work,
) -> Result<Seen, Error> {
    let siblings = context.checks_of(key);
    let owner = ownership::owner(siblings.iter().map(AsRef::as_ref));
    let owns = owner.is_none_or(|owner| owner.metadata.uid == check.metadata.uid);
    if !owns && ownership::is_automatic(check) {
        delete(context, check).await?;
        return Ok(Seen::default());
    }
    if owns {
        let others = siblings.iter().filter(|other| other.metadata.uid != check.metadata.uid);
        for other in others.filter(|other| ownership::is_automatic(other)) {
            context.trigger(other);
        }
    }
    if check.spec.suspend {
        context.no_targets(&uid_of(check));
        settle(context, check, News::Idle(Idle::Suspended), &[], None).await?;
        return Ok(Seen::default());
    }
    let failing = if owns { context.index().failing(key) } else { Vec::new() };
    let failing = recall(context, check, failing).await?;
    let targets = target::targets(&check.spec, &failing);
    if targets.is_empty() {
        context.no_targets(&uid_of(check));
        let beside = if owns { expiry::of_workloads(context, key) } else { Vec::new() };
        idle(context, check, key, &beside).await.map(Seen::next)
    } else {
        probe(context, check, &targets, owns.then_some(key), work).await
    }
}

/// Nothing to probe: says so, and after a while removes a check that nobody wrote.
async fn idle(
    context: &Context,
    check: &RegistryCheck,
    key: &Key,
    beside: &[Beside],
) -> Result<Option<Duration>, Error> {
    // What a probe saw before the last pod recovered says nothing about the next one.
    if let Some(memory) = context.memory().get_mut(&uid_of(check)) {
        memory.round.forget_answers();
    }
    let Some(check) = read(&context.client, check).await? else {
        return Ok(None);
    };
    let status = check.status.clone().unwrap_or_default();
    let ready = status.ready();
    let is_answered = is_answered(&check, &status);
    let news = match ready.map(|ready| (ready.status, ready.reason.as_str())) {
        Some((ConditionStatus::True, _) | (ConditionStatus::Unknown, "NoTargets"))
            if is_answered && !report::endings_changed(&status, beside) =>
        {
            None
        }
        Some((ConditionStatus::True, _)) if is_answered => Some(Idle::Recovered),
        Some((ConditionStatus::False, _)) if has_started(context, &check, &status).await? => {
            Some(Idle::Recovered)
        }
        Some(_) | None => Some(Idle::NoTargets),
    };
    if let Some(idle) = news {
        settle(context, &check, News::Idle(idle), beside, None).await?;
    }
    if !ownership::is_automatic(&check) {
        return Ok(None);
    }
    let now = clock::now();
    let since = ready.filter(|_| news.is_none()).map_or(now, |ready| ready.last_transition_time);
    let idle_for = clock::between(since, now);
    match context.settings.keep_recovered.checked_sub(idle_for) {
        Some(left) if !left.is_zero() => Ok(Some(left)),
        Some(_) | None => {
            if context.index().failing(key).is_empty() {
                delete(context, &check).await?;
            }
            Ok(None)
        }
    }
}

/// Whether a status is of the check's spec as it is, and of what was asked for by hand.
fn is_answered(check: &RegistryCheck, status: &RegistryCheckStatus) -> bool {
    status.observed_generation == check.metadata.generation
        && status.last_handled_reconcile_at.as_deref() == check.requested_at()
}

/// Whether one of the pods that the status names has started with the image that it waited
/// for. Asked of the API and not of the index, so that a restart in between loses nothing.
async fn has_started(
    context: &Context,
    check: &RegistryCheck,
    status: &RegistryCheckStatus,
) -> Result<bool, Error> {
    let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
    let api: Api<Pod> = Api::namespaced(context.client.clone(), namespace);
    for finding in &status.findings {
        for name in &finding.pods {
            let pod = api.get_opt(name).await;
            let pod =
                pod.map_err(|source| Error::Read { what: "a pod", source: Box::new(source) })?;
            let started = pod.map(|pod| target::read_pod(&pod).started).unwrap_or_default();
            if started.iter().any(|image| finding.images.contains(image)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Probes what is due, and writes down what was found.
async fn probe(
    context: &Context,
    check: &RegistryCheck,
    targets: &[Target],
    owned: Option<&Key>,
    work: &Work,
) -> Result<Seen, Error> {
    let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
    let mut ground = prepare(context, check, targets).await?;
    ground.tell_dates(context, check, targets);
    let known = remembered(context, check, &ground.versions);
    ground.log_in(context, check, targets.iter().filter(|target| known.lacks(target))).await?;
    let found = find(context, check, targets, &ground, &known, work);
    let mut found = with_progress(context, check, found).await?;
    let failing = owned.map_or_else(Vec::new, |key| context.index().failing(key));
    keep_waiting(&mut found.outcomes, &failing);
    if found.outcomes.is_empty() {
        return Ok(Seen::next(Some(SHORTEST_PAUSE)));
    }
    let status = check.status.clone().unwrap_or_default();
    for outcome in &mut found.outcomes {
        compare_with_node(namespace, outcome, &status);
    }
    let outcomes = found.outcomes.as_slice();
    let probed = remember(context, check, &found, &known, ground.versions);
    if is_answered(check, &status) && found.is_less_than_was_known(&known, &status) {
        return Ok(Seen::next(Some(SHORTEST_PAUSE)));
    }
    let mut beside = expiry::of_outcomes(context, namespace, outcomes, due::interval(&check.spec));
    beside.extend(owned.iter().flat_map(|key| expiry::of_workloads(context, key)));
    let untold = settle(context, check, News::Outcomes(outcomes), &beside, probed).await?;
    let is_pullable = |outcome: &&Outcome| outcome.diagnosis.verdict == Verdict::Pullable;
    for outcome in outcomes.iter().filter(is_pullable) {
        let uids = outcome.target.pods.iter().map(|pod| pod.uid.as_str());
        context.index().mark_recovered(uids, &outcome.target.image);
    }
    forget_pullable(context, check);
    let next = probed.map_or(Duration::ZERO, |probed| clock::between(clock::now(), probed.next));
    let all_pullable = outcomes.iter().all(|outcome| is_pullable(&outcome));
    let look_again = match (all_pullable, found.is_open()) {
        (_, true) => SHORTEST_PAUSE,
        (true, false) => next,
        (false, false) => next.min(due::LOOK_AT_SECRETS),
    };
    Ok(Seen { next: Some(look_again.max(SHORTEST_PAUSE)), untold })
}

/// Says of a check of which nothing is known yet that it is being looked at, if that takes
/// longer than a moment.
async fn with_progress(
    context: &Context,
    check: &RegistryCheck,
    found: impl Future<Output = Found>,
) -> Result<Found, Error> {
    let mut found = std::pin::pin!(found);
    let is_new = check.status.as_ref().is_none_or(|status| status.conditions.is_empty());
    if is_new {
        tokio::select! {
            found = &mut found => return Ok(found),
            () = tokio::time::sleep(A_MOMENT) => {}
        }
        settle(context, check, News::Idle(Idle::Progressing), &[], None).await?;
    }
    Ok(found.await)
}
