//! Listings: which lists have begun and which are complete, where several watches go on at once.
//!
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

/// What one watch is about: a namespace, or the whole cluster.
pub(in crate::controller) type Scope = Option<String>;

/// The lists of several watches. What a list does not hold when it ends is gone.
#[derive(Debug, Default)]
pub(in crate::controller) struct Listings {
    /// What was seen since each list began.
    open: BTreeMap<Scope, BTreeSet<String>>,
    /// Of what a list was complete once.
    complete: BTreeSet<Scope>,
}

impl Listings {
    /// A new list begins.
    pub(in crate::controller) fn begins(&mut self, scope: &Scope) {
        self.open.insert(scope.clone(), BTreeSet::new());
    }

    /// An object of a namespace was seen, in a list or after it.
    pub(in crate::controller) fn saw(&mut self, namespace: &str, id: &str) {
        for (scope, seen) in &mut self.open {
            if covers(scope, namespace) {
                seen.insert(id.to_owned());
            }
        }
    }

    /// A list is complete. Returns what it holds; `None` where none had begun.
    pub(in crate::controller) fn ends(&mut self, scope: &Scope) -> Option<BTreeSet<String>> {
        self.complete.insert(scope.clone());
        self.open.remove(scope)
    }

    /// Whether all objects of a namespace were listed once.
    pub(in crate::controller) fn is_complete(&self, namespace: &str) -> bool {
        self.complete.iter().any(|scope| covers(scope, namespace))
    }
}

/// Whether a watch is about a namespace's objects.
pub(in crate::controller) fn covers(scope: &Scope, namespace: &str) -> bool {
    scope.as_deref().is_none_or(|watched| watched == namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_is_for_itself() {
        let (a, b) = (Some("a".to_owned()), Some("b".to_owned()));
        let mut listings = Listings::default();
        listings.begins(&a);
        listings.begins(&b);
        listings.saw("a", "one");
        listings.saw("b", "two");
        assert!(!listings.is_complete("a"));
        assert_eq!(listings.ends(&a), Some(BTreeSet::from(["one".to_owned()])));
        assert!(listings.is_complete("a") && !listings.is_complete("b"));
        assert_eq!(listings.ends(&a), None);
        listings.begins(&None);
        listings.saw("c", "three");
        assert_eq!(listings.ends(&None), Some(BTreeSet::from(["three".to_owned()])));
        assert!(listings.is_complete("b"));
    }
}
