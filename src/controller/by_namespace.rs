//! By namespace: the names of the RegistryChecks that the store holds, so that no question about a
//! few of them goes through all. Pure.

use std::collections::BTreeMap;

use crate::api::RegistryCheck;
use crate::image::Host;

use super::key_of;
use super::pods::Key;

/// The checks of each namespace by their name, with the registry that each is about.
#[derive(Debug, Default)]
pub(super) struct ByNamespace(BTreeMap<String, BTreeMap<String, Host>>);

impl ByNamespace {
    /// Those that there are after a list, and no others.
    pub(super) fn of<'check>(checks: impl Iterator<Item = &'check RegistryCheck>) -> Self {
        let mut all = Self::default();
        checks.for_each(|check| all.apply(check));
        all
    }

    /// A check is there, new or changed.
    pub(super) fn apply(&mut self, check: &RegistryCheck) {
        let Some(name) = check.metadata.name.clone() else { return };
        match key_of(check) {
            Some(Key { namespace, registry }) => {
                self.0.entry(namespace).or_default().insert(name, registry);
            }
            None => self.delete(check),
        }
    }

    /// A check is gone.
    pub(super) fn delete(&mut self, check: &RegistryCheck) {
        let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
        let Some(checks) = self.0.get_mut(namespace) else { return };
        if let Some(name) = &check.metadata.name {
            checks.remove(name);
        }
        if checks.is_empty() {
            self.0.remove(namespace);
        }
    }

    /// The names of the checks of a namespace, with their registries.
    pub(super) fn names(&self, namespace: &str) -> impl Iterator<Item = (&String, &Host)> {
        self.0.get(namespace).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(namespace: &str, name: &str, registry: &str) -> RegistryCheck {
        serde_json::from_value(json!({
            "apiVersion": "registrycheck.dev/v1alpha1", "kind": "RegistryCheck",
            "metadata": {"namespace": namespace, "name": name},
            "spec": {"registry": registry},
        }))
        .unwrap()
    }

    #[track_caller]
    fn check_names(all: &ByNamespace, namespace: &str, expected: &[(&str, &str)]) {
        let names = all.names(namespace).map(|(name, host)| (name.as_str(), host.as_str()));
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_check_is_found_under_the_registry_that_it_is_about_now() {
        let listed = [check("shop", "one", "a.test"), check("infra", "one", "b.test")];
        let mut all = ByNamespace::of(listed.iter());
        all.apply(&check("shop", "two", "a.test"));
        check_names(&all, "shop", &[("one", "a.test"), ("two", "a.test")]);
        all.apply(&check("shop", "one", "b.test"));
        check_names(&all, "shop", &[("one", "b.test"), ("two", "a.test")]);
        all.apply(&check("shop", "one", "no registry"));
        check_names(&all, "shop", &[("two", "a.test")]);
        all.delete(&check("shop", "two", "a.test"));
        all.delete(&check("data", "one", "a.test"));
        check_names(&all, "shop", &[]);
        check_names(&all, "infra", &[("one", "b.test")]);
    }
}
