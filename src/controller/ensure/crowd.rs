//! Crowd: a namespace gets so many checks by itself, and the pods of its further registries are
//! counted in one, so that whoever may make pods cannot fill the API server with checks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use super::super::pods::Key;
use super::super::{Context, key_of, ownership};

/// How many automatic checks a namespace has at most.
const MOST_CHECKS: usize = 20;
/// How soon the pods are counted after something changed.
const SOON: Duration = Duration::from_secs(1);
/// How soon they are counted again in any case: somebody may have written a check.
const LATER: Duration = Duration::from_secs(15);

/// The keys for whose checks there is no room.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    keys: BTreeSet<Key>,
    /// When the pods are counted next; `None` where there are none.
    count_at: Option<Instant>,
}

/// Whether a namespace may have one more automatic check, beside those that are being made.
pub(super) fn has_room(context: &Context, namespace: &str, being_made: &BTreeSet<Key>) -> bool {
    let checks = context.checks.state();
    let of_namespace = checks.iter().filter(|check| {
        check.metadata.namespace.as_deref() == Some(namespace) && ownership::is_automatic(check)
    });
    let made: Vec<Option<Key>> = of_namespace.map(|check| key_of(check)).collect();
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
        if !self.keys.iter().any(|other| other.namespace == key.namespace) {
            warn!(namespace = %key.namespace, registry = %key.registry, "this namespace has {MOST_CHECKS} checks that nobody wrote, and gets no more: the pods of this and of further registries are counted in registrycheck_unchecked_pods; write a RegistryCheck for a registry to have it looked at");
        }
        self.keys.insert(key);
    }

    /// There is a check of this key, or one is made.
    pub(super) fn leaves(&mut self, key: &Key) {
        if self.keys.remove(key) {
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
        self.keys.retain(|key| context.checks_of(key).is_empty());
        let index = context.index();
        self.keys.retain(|key| index.count(std::iter::once(key)) > 0);
        let mut by_namespace: BTreeMap<&str, Vec<&Key>> = BTreeMap::new();
        for key in &self.keys {
            by_namespace.entry(&key.namespace).or_default().push(key);
        }
        let pods = by_namespace
            .into_iter()
            .map(|(namespace, keys)| (namespace.to_owned(), index.count(keys.into_iter())));
        context.telemetry.unchecked_pods(pods);
        drop(index);
        let nothing = BTreeSet::new();
        let with_room = self.keys.iter().filter(|key| has_room(context, &key.namespace, &nothing));
        context.tell_changed(with_room.cloned().collect());
        self.count_at = (!self.keys.is_empty()).then(|| Instant::now() + LATER);
    }
}
