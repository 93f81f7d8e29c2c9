//! The index of failing pods: which pods wait for an image, by namespace and registry.
//!
//! Synchronous and without a client: events of the watch go in, the keys that changed come
//! out. It keeps nothing of a pod that does not fail.

use std::collections::{BTreeSet, HashMap};

use crate::complaint::{self, Complaint};
use crate::image::Host;
use crate::target::pod::Pod;
use crate::target::{self, FailingPod, PodState, Wait};

use super::watching::listings::{self, Listings, Scope};

/// What one RegistryCheck is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The namespace.
    pub namespace: String,
    /// The registry, in lower case.
    pub registry: Host,
}

/// The failing pods of the cluster.
#[derive(Debug, Default)]
pub struct Index {
    pods: HashMap<String, Box<Entry>>,
    keys: HashMap<Key, BTreeSet<String>>,
    /// The lists of pods. Before all of a namespace were listed, that none fails says nothing.
    listings: Listings,
}

#[derive(Debug)]
struct Entry {
    pod: FailingPod,
    /// Images of which a probe said that they can be pulled again; the pod only waits for
    /// the kubelet's next attempt.
    recovered: BTreeSet<String>,
}

impl Index {
    /// A new list of all pods begins.
    pub fn list_begins(&mut self, scope: &Scope) {
        self.listings.begins(scope);
    }

    /// The list is complete: pods that it lacks are gone. Returns what changed.
    pub fn list_ends(&mut self, scope: &Scope) -> BTreeSet<Key> {
        let Some(seen) = self.listings.ends(scope) else { return BTreeSet::new() };
        let gone = self.pods.iter().filter(|(uid, entry)| {
            listings::covers(scope, &entry.pod.namespace) && !seen.contains(*uid)
        });
        let gone: Vec<String> = gone.map(|(uid, _)| uid.clone()).collect();
        gone.iter().flat_map(|uid| self.remove(uid)).collect()
    }

    /// Whether the index knows all failing pods of a namespace. A later list keeps those known
    /// until its end.
    pub fn is_complete(&self, namespace: &str) -> bool {
        self.listings.is_complete(namespace)
    }

    /// A pod is there, new or changed. Returns what changed.
    pub fn apply(&mut self, pod: &Pod) -> BTreeSet<Key> {
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        let known = self.pods.contains_key(uid);
        if !known && !target::waits_for_image(pod) {
            return BTreeSet::new();
        }
        // Of what a list lacks only those are of interest that the index knows.
        self.listings.saw(pod.metadata.namespace.as_deref().unwrap_or_default(), uid);
        let PodState { mut failing, started, images } = target::read_pod(pod);
        let before = self.pods.remove(uid);
        if let Some(before) = &before {
            keep_waits(&mut failing, &before.pod, &started, &images);
        }
        if failing.waits.is_empty() {
            return before.map_or_else(BTreeSet::new, |before| self.forget(uid, &before));
        }
        let recovered =
            before.as_ref().map_or_else(BTreeSet::new, |before| still_recovered(before, &failing));
        let after = Box::new(Entry { pod: failing, recovered });
        let mut changed = match &before {
            Some(before) if gist(before) == gist(&after) => BTreeSet::new(),
            Some(before) => self.forget(uid, before),
            None => BTreeSet::new(),
        };
        if before.is_none_or(|before| gist(&before) != gist(&after)) {
            changed.extend(keys(&after));
        }
        for key in keys(&after) {
            self.keys.entry(key).or_default().insert(uid.to_owned());
        }
        self.pods.insert(uid.to_owned(), after);
        changed
    }

    /// A pod is gone. Returns what changed.
    pub fn delete(&mut self, pod: &Pod) -> BTreeSet<Key> {
        self.remove(pod.metadata.uid.as_deref().unwrap_or_default())
    }

    /// The pods that wait for an image of this registry, with those waits alone.
    pub fn failing(&self, key: &Key) -> Vec<FailingPod> {
        let uids = self.keys.get(key).into_iter().flatten();
        let entries = uids.filter_map(|uid| self.pods.get(uid));
        let pods = entries.map(|entry| {
            let Entry { pod, recovered } = entry.as_ref();
            let waits = pod.waits.iter();
            let waits = waits
                .filter(|wait| wait.registry() == key.registry && !recovered.contains(&wait.image));
            FailingPod { waits: waits.cloned().collect(), ..pod.clone() }
        });
        pods.filter(|pod| !pod.waits.is_empty()).collect()
    }

    /// All keys that have a failing pod.
    pub fn keys(&self) -> BTreeSet<Key> {
        self.keys.keys().cloned().collect()
    }

    /// The keys of a namespace that have a failing pod.
    pub fn keys_in(&self, namespace: &str) -> BTreeSet<Key> {
        self.keys.keys().filter(|key| key.namespace == namespace).cloned().collect()
    }

    /// How many pods of a namespace wait for an image of one of these keys.
    pub fn count<'key>(&self, keys: impl Iterator<Item = &'key Key>) -> usize {
        let pods: BTreeSet<&String> = keys.filter_map(|key| self.keys.get(key)).flatten().collect();
        pods.len()
    }

    /// A probe said that `image` can be pulled again: these pods count as recovered until
    /// the kubelet fails anew.
    pub fn mark_recovered<'uid>(&mut self, uids: impl Iterator<Item = &'uid str>, image: &str) {
        for uid in uids {
            if let Some(entry) = self.pods.get_mut(uid) {
                entry.recovered.insert(image.to_owned());
            }
        }
    }

    fn remove(&mut self, uid: &str) -> BTreeSet<Key> {
        let before = self.pods.remove(uid);
        before.map_or_else(BTreeSet::new, |before| self.forget(uid, &before))
    }

    /// Takes the pod out of every key it was under, and returns them.
    fn forget(&mut self, uid: &str, entry: &Entry) -> BTreeSet<Key> {
        let keys = keys(entry);
        for key in &keys {
            if let Some(uids) = self.keys.get_mut(key) {
                uids.remove(uid);
                if uids.is_empty() {
                    self.keys.remove(key);
                }
            }
        }
        keys
    }
}

fn keys(entry: &Entry) -> BTreeSet<Key> {
    let namespace = &entry.pod.namespace;
    let waits = entry.pod.waits.iter();
    waits.map(|wait| Key { namespace: namespace.clone(), registry: wait.registry() }).collect()
}

/// A container that waits for something else now (`ContainerCreating` after the kubelet was
/// restarted, say) has not pulled its image yet: it fails until it has started, or until
/// the pod does not want that image any more.
fn keep_waits(pod: &mut FailingPod, before: &FailingPod, started: &[String], images: &[String]) {
    for wait in &mut pod.waits {
        // Before Kubernetes 1.33 a back-off does not repeat the cause.
        let forgotten = Complaint::PullFailed { cause: String::new() };
        let known = before.waits.iter().find(|known| known.image == wait.image);
        if let Some(known) = known.filter(|_| wait.complaint == forgotten) {
            wait.complaint = known.complaint.clone();
        }
    }
    for wait in &before.waits {
        let waits_still = pod.waits.iter().any(|other| other.image == wait.image);
        if !waits_still && !started.contains(&wait.image) && images.contains(&wait.image) {
            pod.waits.push(Wait { fresh: false, ..wait.clone() });
        }
    }
}

/// What was pullable stays so until a new attempt of the kubelet fails: one that follows a
/// back-off, or fails in another way.
fn still_recovered(before: &Entry, after: &FailingPod) -> BTreeSet<String> {
    let failed_anew = |image: &str| {
        let then = before.pod.waits.iter().find(|wait| wait.image == image);
        let now = after.waits.iter().find(|wait| wait.image == image);
        then.zip(now).is_some_and(|(then, now)| {
            let other = complaint::gist(&then.complaint) != complaint::gist(&now.complaint);
            other || (now.fresh && !then.fresh)
        })
    };
    before.recovered.iter().filter(|image| !failed_anew(image)).cloned().collect()
}

/// What has to change of a pod to be worth a look: not which of two words the kubelet uses
/// for the same cause.
fn gist(entry: &Entry) -> impl PartialEq + use<> {
    let waits = entry.pod.waits.iter();
    let mut waits: Vec<_> =
        waits.map(|wait| (wait.image.clone(), complaint::gist(&wait.complaint))).collect();
    waits.sort();
    (waits, entry.pod.pull_secrets.clone(), entry.recovered.clone())
}

#[cfg(test)]
mod tests;
