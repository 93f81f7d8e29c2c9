//! Merged: the watches of several namespaces as one, for a store that knows of one list only.
//!
//! Pure. The one list ends when each namespace was listed or refused. What a namespace's later
//! list lacks is deleted, and what it has is applied: the other namespaces are none of its
//! business.

use std::collections::{BTreeMap, BTreeSet};

use kube::runtime::watcher::Event;

use crate::api::RegistryCheck;

use super::listings::{Listings, Scope};

/// The checks of several namespaces.
#[derive(Debug)]
pub(in crate::controller) struct Merged {
    /// The namespaces that the one list still waits for.
    unlisted: BTreeSet<String>,
    listings: Listings,
    /// The checks by namespace and name: whole until the one list ends, without their status
    /// after it.
    known: BTreeMap<(String, String), RegistryCheck>,
}

impl Merged {
    /// Nothing of these namespaces is listed yet.
    pub(in crate::controller) fn new(namespaces: &BTreeSet<String>) -> Self {
        Self { unlisted: namespaces.clone(), listings: Listings::default(), known: BTreeMap::new() }
    }

    /// What the one watch says when the watch of `scope` says `event`.
    pub(in crate::controller) fn next(
        &mut self,
        scope: &Scope,
        event: Event<RegistryCheck>,
    ) -> Vec<Event<RegistryCheck>> {
        let Some(namespace) = scope else { return vec![event] };
        match event {
            Event::Init => {
                self.listings.begins(scope);
                Vec::new()
            }
            Event::InitApply(check) | Event::Apply(check) => {
                let key = key(&check);
                self.listings.saw(&key.0, &key.1);
                if self.unlisted.is_empty() {
                    self.known.insert(key, without_status(&check));
                    vec![Event::Apply(check)]
                } else {
                    self.known.insert(key, check);
                    Vec::new()
                }
            }
            Event::Delete(check) => {
                self.known.remove(&key(&check));
                if self.unlisted.is_empty() { vec![Event::Delete(check)] } else { Vec::new() }
            }
            Event::InitDone => {
                let seen = self.listings.ends(scope).unwrap_or_default();
                let is_gone =
                    |(of, name): &(String, String)| of == namespace && !seen.contains(name);
                let gone: Vec<_> = self.known.keys().filter(|key| is_gone(key)).cloned().collect();
                let gone: Vec<_> = gone.iter().filter_map(|key| self.known.remove(key)).collect();
                if self.unlisted.is_empty() {
                    return gone.into_iter().map(Event::Delete).collect();
                }
                self.settled(namespace)
            }
        }
    }

    /// A namespace cannot be listed, which holds up no other one.
    pub(in crate::controller) fn refused(&mut self, namespace: &str) -> Vec<Event<RegistryCheck>> {
        self.settled(namespace)
    }

    /// The one list, where this namespace was the last that it waited for.
    fn settled(&mut self, namespace: &str) -> Vec<Event<RegistryCheck>> {
        let was_unlisted = self.unlisted.remove(namespace);
        if !was_unlisted || !self.unlisted.is_empty() {
            return Vec::new();
        }
        let mut events = vec![Event::Init];
        for check in self.known.values_mut() {
            events.push(Event::InitApply(check.clone()));
            *check = without_status(check);
        }
        events.push(Event::InitDone);
        events
    }
}

fn key(check: &RegistryCheck) -> (String, String) {
    let metadata = &check.metadata;
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

fn without_status(check: &RegistryCheck) -> RegistryCheck {
    RegistryCheck { metadata: check.metadata.clone(), spec: check.spec.clone(), status: None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(namespace: &str, name: &str) -> RegistryCheck {
        serde_json::from_value(json!({
            "apiVersion": "registrycheck.dev/v1alpha1", "kind": "RegistryCheck",
            "metadata": {"namespace": namespace, "name": name},
            "spec": {"registry": name},
        }))
        .unwrap()
    }

    fn shown(events: &[Event<RegistryCheck>]) -> String {
        let shown = |check: &RegistryCheck| {
            let (namespace, name) = key(check);
            format!("{namespace}/{name}")
        };
        let words = events.iter().map(|event| match event {
            Event::Init => "begin".to_owned(),
            Event::InitDone => "end".to_owned(),
            Event::InitApply(check) => format!("list {}", shown(check)),
            Event::Apply(check) => format!("apply {}", shown(check)),
            Event::Delete(check) => format!("delete {}", shown(check)),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    fn two() -> (Merged, Scope, Scope) {
        let (a, b) = ("a".to_owned(), "b".to_owned());
        (Merged::new(&BTreeSet::from([a.clone(), b.clone()])), Some(a), Some(b))
    }

    #[test]
    fn one_list_ends_when_each_has_ended() {
        let (mut merged, a, b) = two();
        let steps = [
            (&a, Event::Init, ""),
            (&a, Event::InitApply(check("a", "one")), ""),
            (&a, Event::InitApply(check("a", "two")), ""),
            (&b, Event::Init, ""),
            (&a, Event::InitDone, ""),
            (&a, Event::Delete(check("a", "two")), ""),
            (&a, Event::Apply(check("a", "three")), ""),
            (&b, Event::InitApply(check("b", "one")), ""),
            (&b, Event::InitDone, "begin, list a/one, list a/three, list b/one, end"),
            (&b, Event::Apply(check("b", "four")), "apply b/four"),
            (&b, Event::Delete(check("b", "one")), "delete b/one"),
        ];
        for (scope, event, expected) in steps {
            assert_eq!(shown(&merged.next(scope, event)), expected);
        }
    }

    #[test]
    fn a_later_list_is_about_its_own_namespace() {
        let (mut merged, a, b) = two();
        for (scope, namespace) in [(&a, "a"), (&b, "b")] {
            merged.next(scope, Event::Init);
            merged.next(scope, Event::InitApply(check(namespace, "one")));
            merged.next(scope, Event::InitDone);
        }
        let steps = [
            (Event::Init, ""),
            (Event::InitApply(check("a", "two")), "apply a/two"),
            (Event::InitDone, "delete a/one"),
        ];
        for (event, expected) in steps {
            assert_eq!(shown(&merged.next(&a, event)), expected);
        }
    }

    #[test]
    fn a_namespace_that_is_refused_holds_up_no_other() {
        let (mut merged, a, b) = two();
        assert_eq!(shown(&merged.refused("b")), "");
        merged.next(&a, Event::Init);
        merged.next(&a, Event::InitApply(check("a", "one")));
        assert_eq!(shown(&merged.next(&a, Event::InitDone)), "begin, list a/one, end");
        assert_eq!(shown(&merged.refused("b")), "");
        // It is there now.
        merged.next(&b, Event::Init);
        let applied = merged.next(&b, Event::InitApply(check("b", "one")));
        assert_eq!(shown(&applied), "apply b/one");
        assert_eq!(shown(&merged.next(&b, Event::InitDone)), "");
    }

    #[test]
    fn the_watch_of_the_cluster_passes_as_it_is() {
        let mut merged = Merged::new(&BTreeSet::new());
        let steps = [
            (Event::Init, "begin"),
            (Event::InitApply(check("a", "one")), "list a/one"),
            (Event::InitDone, "end"),
            (Event::Delete(check("a", "one")), "delete a/one"),
        ];
        for (event, expected) in steps {
            assert_eq!(shown(&merged.next(&None, event)), expected);
        }
    }
}
