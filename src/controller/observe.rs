//! Observe: what the watches say goes into the index of failing pods and the store of checks,
//! and what changed is looked at.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use futures::stream::{Stream, StreamExt};
use kube::Client;
use kube::runtime::watcher::{self, Event};
use tracing::warn;

use crate::api::RegistryCheck;
use crate::target::pod::Pod;

use super::by_namespace::ByNamespace;
use super::clients::{CHECKS, PODS};
use super::pods::{Index, Key};
use super::watching::listings::Scope;
use super::watching::{self, is_refusal, watch_each};
use super::{Context, chain, key_of};

/// Keeps the index of failing pods, for ever.
pub(super) async fn pods(context: &Context, client: &Client) {
    let watched = &context.settings.watched;
    let mut awaited: BTreeSet<Scope> = watched.iter().cloned().map(Some).collect();
    if awaited.is_empty() {
        awaited.insert(None);
    }
    let mut events = std::pin::pin!(watch_each::<Pod>(client, watched));
    while let Some((scope, event)) = events.next().await {
        context.telemetry.liveness().hears(PODS);
        let is_settled = match (&scope, event) {
            (_, Ok(event)) if context.is_own(&event) => false,
            (_, Ok(event)) => {
                let keys = index_event(&mut context.index(), &scope, &event);
                context.tell_changed(keys);
                let is_listed = matches!(event, Event::InitDone);
                if let (Some(namespace), true) = (&scope, is_listed) {
                    context.refusals.watched(namespace, PODS);
                }
                is_listed
            }
            (Some(namespace), Err(error)) if is_refusal(&error) => {
                context.refusals.refused(namespace, PODS);
                true
            }
            (_, Err(error)) => {
                context.telemetry.reconcile_failed("WatchPods");
                warn!(error = %chain(&error), "the watch of pods failed; trying again");
                false
            }
        };
        if is_settled {
            awaited.remove(&scope);
            if awaited.is_empty() {
                context.telemetry.pods_listed();
            }
        }
    }
}

fn index_event(index: &mut Index, scope: &Scope, event: &Event<Pod>) -> BTreeSet<Key> {
    match event {
        Event::Init => {
            index.list_begins(scope);
            BTreeSet::new()
        }
        Event::InitApply(pod) | Event::Apply(pod) => index.apply(pod),
        Event::InitDone => index.list_ends(scope),
        Event::Delete(pod) => index.delete(pod),
    }
}

/// All checks that are watched, as one watch.
pub(super) fn checks(
    context: &Arc<Context>,
    client: &Client,
) -> impl Stream<Item = watcher::Result<Event<RegistryCheck>>> + Send + use<> {
    let (context, observer) = (Arc::clone(context), Arc::clone(context));
    let of_namespace = move |namespace: &str, is_watched: bool| {
        if is_watched {
            context.refusals.watched(namespace, CHECKS);
        } else {
            context.refusals.refused(namespace, CHECKS);
        }
    };
    let merged = watching::checks(client, &observer.settings.watched, of_namespace);
    merged.inspect(move |event| {
        observer.telemetry.liveness().hears(CHECKS);
        observe(&observer, event);
    })
}

/// A check that went may leave failing pods behind, and takes what is remembered of it along.
fn observe(context: &Context, event: &watcher::Result<Event<RegistryCheck>>) {
    match event {
        Ok(Event::Delete(check)) => {
            if let Some(uid) = &check.metadata.uid {
                context.memory().remove(uid);
                context.no_targets(uid);
            }
            // There may be room now for a check of another key, too.
            let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
            let mut keys = context.index().keys_in(namespace);
            keys.extend(key_of(check));
            context.tell_changed(keys);
        }
        Ok(Event::Init | Event::InitApply(_) | Event::InitDone | Event::Apply(_)) => {}
        Err(error) => {
            context.telemetry.reconcile_failed("WatchChecks");
            warn!(error = %chain(error), "the watch of RegistryChecks failed; trying again");
        }
    }
}

/// What the store of checks has just taken in.
pub(super) fn stored(context: &Context, event: &watcher::Result<Event<RegistryCheck>>) {
    match event {
        Ok(Event::Apply(check)) => context.by_namespace().apply(check),
        Ok(Event::Delete(check)) => context.by_namespace().delete(check),
        Ok(Event::InitDone) => {
            let checks = context.checks.state();
            *context.by_namespace() = ByNamespace::of(checks.iter().map(AsRef::as_ref));
            list(context, &checks);
        }
        Ok(Event::Init | Event::InitApply(_)) | Err(_) => {}
    }
}

/// A list of all checks is complete, and in the store. Each is looked at: what changed while
/// there was no watch was shown to the reconcile before the store had it. What is remembered
/// of checks that went meanwhile goes, and pods without a check get one.
fn list(context: &Context, checks: &[Arc<RegistryCheck>]) {
    context.telemetry.checks_listed();
    let uids: HashSet<&String> =
        checks.iter().filter_map(|check| check.metadata.uid.as_ref()).collect();
    context.memory().retain(|uid, _| uids.contains(uid));
    context.ledger().retain_checks(|uid| uids.contains(&uid.to_owned()));
    for check in checks {
        context.trigger(check);
    }
    let keys = context.index().keys();
    context.tell_changed(keys);
}
