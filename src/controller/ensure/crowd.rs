//! Crowd: a namespace gets so many checks by itself, and the pods of its further registries are
//! counted in one, so that whoever may make pods cannot fill the API server with checks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use super::super::pods::Key;
use super::super::{Context, is_to_stay, key_of, ownership};

/// How many automatic checks a namespace has at most.
const MOST_CHECKS: usize = 20;
/// How soon the pods are counted after something changed.
const SOON: Duration = Duration::from_secs(1);
/// How soon they are counted again in any case: somebody may have written a check.
const LATER: Duration = Duration::from_secs(15);

/// The keys for whose checks there is no room, by their namespace.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    keys: BTreeMap<String, BTreeSet<Key>>,
    /// When the pods are counted next; `None` where there are none.
    count_at: Option<Instant>,
}

/// Whether a namespace may have one more automatic check, beside those that are being made.
pub(super) fn has_room(context: &Context, namespace: &str, being_made: &BTreeSet<Key>) -> bool {
    let checks = context.checks_in(namespace, |_| true);
    let automatic = checks.iter().filter(|check| ownership::is_automatic(check));
    let made: Vec<Option<Key>> = automatic.map(|check| key_of(check)).collect();
    // One that is shown already may still count as being made.
    let to_come = being_made.iter().filter(|key| {
        key.namespace == namespace && !made.iter().flatten().any(|made| made == *key)
    });
    made.len() + to_come.count() < MOST_CHECKS
}

impl Crowd {
    /// There is no room for the check of this key.
    pub(super) fn joins(&mut self, key: Key) {
        self.count_soon();
        if !self.keys.contains_key(&key.namespace) {
            warn!(namespace = %key.namespace, registry = %key.registry, "this namespace has {MOST_CHECKS} checks that nobody wrote, and gets no more: the pods of this and of further registries are counted in registrycheck_unchecked_pods; write a RegistryCheck for a registry to have it looked at");
        }
        self.keys.entry(key.namespace.clone()).or_default().insert(key);
    }

    /// There is a check of this key, or one is made.
    pub(super) fn leaves(&mut self, key: &Key) {
        let Some(keys) = self.keys.get_mut(&key.namespace) else { return };
        if keys.remove(key) {
            if keys.is_empty() {
                self.keys.remove(&key.namespace);
            }
            self.count_soon();
        }
    }

    fn count_soon(&mut self) {
        let soon = Instant::now() + SOON;
        self.count_at = Some(self.count_at.map_or(soon, |at| at.min(soon)));
    }

    /// Waits until something is to be counted.
    pub(super) async fn is_to_be_counted(&self) {
        match self.count_at {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Tells how many pods have no check, and forgets the keys that have one, or no pods. Those
    /// for which there is room by now are looked at again.
    pub(super) fn count(&mut self, context: &Context) {
        let checks = context.checks.state();
        let checked: BTreeSet<Key> = checks
            .iter()
            .filter(|check| is_to_stay(check))
            .filter_map(|check| key_of(check))
            .collect();
        let index = context.index();
        self.keys.retain(|_, keys| {
            keys.retain(|key| !checked.contains(key) && index.count(std::iter::once(key)) > 0);
            !keys.is_empty()
        });
        let pods = self.keys.iter();
        let pods = pods.map(|(namespace, keys)| (namespace.clone(), index.count(keys.iter())));
        context.telemetry.unchecked_pods(pods);
        drop(index);
        for (namespace, keys) in &self.keys {
            if has_room(context, namespace, &BTreeSet::new()) {
                context.tell_changed(keys.clone());
            }
        }
        self.count_at = (!self.keys.is_empty()).then(|| Instant::now() + LATER);
    }
}
