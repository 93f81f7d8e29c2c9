//! Ensure: every namespace and registry with a failing pod has a RegistryCheck.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use kube::Api;
use kube::api::PostParams;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::api::{AUTOMATIC_LABEL, FIELD_MANAGER, RegistryCheck, RegistryCheckSpec};
use crate::image;
use crate::publish;

use super::pods::Key;
use super::{Context, back_off, chain, checks, ownership};

mod crowd;

use crowd::Crowd;

/// After how long without a change of any pod what waits for more of them waits no more: first what
/// was told little yet, then all.
const CALM: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// How many checks are made at once.
const AT_ONCE: usize = 16;
/// How long the watch may take to show a check that was made before it is made again.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);
/// How often it is looked whether the watch shows a check that was made.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// For each key that changed, has its check reconciled, and makes the check where there is
/// none and the namespace has room for it. Runs for ever. A key whose check cannot be made holds
/// up no other.
pub(crate) async fn ensure(context: &Context, mut changes: mpsc::UnboundedReceiver<Key>) {
    if context.checks.wait_until_ready().await.is_err() {
        return;
    }
    let at_once = Semaphore::new(AT_ONCE);
    let mut making = FuturesUnordered::new();
    let mut under_way: BTreeSet<Key> = BTreeSet::new();
    let mut crowd = Crowd::default();
    let mut changed_at = None;
    loop {
        tokio::select! {
            received = changes.recv() => {
                let Some(key) = received else { return };
                changed_at = Some((Instant::now(), false));
                if trigger_owner(context, &key) || under_way.contains(&key) {
                    crowd.leaves(&key);
                } else if crowd::has_room(context, &key.namespace, &under_way) {
                    crowd.leaves(&key);
                    under_way.insert(key.clone());
                    making.push(make(context, key, &at_once));
                } else {
                    crowd.joins(key);
                }
            }
            Some(key) = making.next() => {
                under_way.remove(&key);
            }
            () = crowd.is_to_be_counted() => crowd.count(context),
            long = calm_after(changed_at) => {
                changed_at = changed_at.filter(|_| !long).map(|(at, _)| (at, true));
                trigger_waiting(context, long);
            }
        }
    }
}

/// Waits until nothing has changed for a while since then, or for `long`; which of the two.
async fn calm_after(changed_at: Option<(Instant, bool)>) -> bool {
    let Some((at, long)) = changed_at else { return std::future::pending().await };
    tokio::time::sleep_until(at + CALM[usize::from(long)]).await;
    long
}

/// Has the checks reconciled that wait for more pods to fail.
fn trigger_waiting(context: &Context, long: bool) {
    let waiting = checks::release(context, long);
    if waiting.is_empty() {
        return;
    }
    let waits = |check: &&Arc<RegistryCheck>| {
        check.metadata.uid.as_ref().is_some_and(|uid| waiting.contains(uid))
    };
    for check in context.checks.state().iter().filter(waits) {
        context.trigger(check);
    }
}

impl Context {
    /// Waits until the watch shows a check of a key.
    async fn checks_show(&self, key: &Key) {
        while self.checks_of(key).is_empty() {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}

/// Has the check of a key reconciled; whether there is one.
fn trigger_owner(context: &Context, key: &Key) -> bool {
    let checks = context.checks_of(key);
    let owner = ownership::owner(checks.iter().map(AsRef::as_ref));
    if let Some(owner) = owner {
        checks::hears(context, owner);
        context.trigger(owner);
    }
    owner.is_some()
}

/// Makes the check of a key, for as long as a pod needs it and there is none. The watch then
/// shows it to the reconcile.
async fn make(context: &Context, key: Key, at_once: &Semaphore) -> Key {
    let mut failures = 0;
    while context.leadership.is_current()
        && !context.index().failing(&key).is_empty()
        && !trigger_owner(context, &key)
    {
        let created = {
            let _permit = at_once.acquire().await;
            create(context, &key).await
        };
        match created {
            // The watch shows it soon; until then it counts as being made.
            Ok(()) => {
                let shown = context.checks_show(&key);
                let _late = tokio::time::timeout(SHOWN_WITHIN, shown).await;
            }
            Err(error) => {
                context.telemetry.reconcile_failed("CreateCheck");
                warn!(namespace = %key.namespace, registry = %key.registry, error = %chain(&error), "cannot create a RegistryCheck; trying again");
                tokio::time::sleep(back_off(failures)).await;
            }
        }
        failures += 1;
    }
    key
}

/// Creates the automatic check. One that is there already is success, and so is a namespace
/// that is ending. A name that somebody gave to a check of another registry is passed over.
async fn create(context: &Context, key: &Key) -> Result<(), kube::Error> {
    let api: Api<RegistryCheck> = Api::namespaced(context.client.clone(), &key.namespace);
    let spec = serde_json::json!({"registry": key.registry});
    let spec: RegistryCheckSpec = serde_json::from_value(spec).map_err(kube::Error::SerdeError)?;
    for name in [image::check_name(&key.registry), image::hashed_check_name(&key.registry)] {
        let mut check = RegistryCheck::new(&name, spec.clone());
        check.metadata.labels =
            Some(BTreeMap::from([(AUTOMATIC_LABEL.to_owned(), "true".to_owned())]));
        let params =
            PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        match api.create(&params, &check).await {
            Ok(_) => {
                info!(namespace = %key.namespace, registry = %key.registry, "created a RegistryCheck");
                return Ok(());
            }
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                let taken = api.get_opt(&name).await?;
                if taken.is_none_or(|taken| taken.spec.registry == spec.registry) {
                    return Ok(());
                }
            }
            Err(error) if publish::is_namespace_ending(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
