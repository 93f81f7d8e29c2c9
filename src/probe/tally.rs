//! Tally: how many requests were made on behalf of which registry, and what was answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::image::Host;

/// How many registries are told apart; the requests of all later ones are counted as those of
/// [`OTHER`], since a count is never taken back.
pub const REGISTRIES_MAX: usize = 200;
/// What stands for the registries beyond those.
pub const OTHER: &str = "other";

/// The requests since the start of this process. Cheap to clone: the clones are one.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Mutex<BTreeMap<String, BTreeMap<&'static str, u64>>>>);

impl Tally {
    /// A request was made, to the registry itself or to a host that it names; `None` where no
    /// answer came.
    pub(crate) fn count(&self, registry: &Host, status: Option<u16>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut registry = registry.lowercase().as_str().to_owned();
        if !counts.contains_key(&registry) && counts.len() >= REGISTRIES_MAX {
            OTHER.clone_into(&mut registry);
        }
        *counts.entry(registry).or_default().entry(in_a_word(status)).or_default() += 1;
    }

    /// What was counted, by registry and status.
    pub fn counts(&self) -> Vec<(String, &'static str, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = counts.iter().flat_map(|(registry, counts)| {
            counts.iter().map(|(status, count)| (registry.clone(), *status, *count))
        });
        counts.collect()
    }
}

/// The statuses that say something of a registry, and the classes of the others: a server may
/// answer with any number.
fn in_a_word(status: Option<u16>) -> &'static str {
    match status {
        None => "none",
        Some(200) => "200",
        Some(206) => "206",
        Some(307) => "307",
        Some(400) => "400",
        Some(401) => "401",
        Some(403) => "403",
        Some(404) => "404",
        Some(429) => "429",
        Some(500) => "500",
        Some(502) => "502",
        Some(503) => "503",
        Some(504) => "504",
        Some(0..200) => "1xx",
        Some(200..300) => "2xx",
        Some(300..400) => "3xx",
        Some(400..500) => "4xx",
        Some(500..) => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_registries_are_told_apart() {
        let tally = Tally::default();
        for number in 0..REGISTRIES_MAX + 3 {
            let registry = Host::parse(&format!("r{number}.test")).unwrap();
            tally.count(&registry, Some(200));
            tally.count(&registry, None);
        }
        let counts = tally.counts();
        assert_eq!(counts.len(), 2 * (REGISTRIES_MAX + 1));
        let count = |registry: &str, status: &str| {
            let found = counts.iter().find(|(of, with, _)| of == registry && *with == status);
            found.map(|(_, _, count)| *count)
        };
        assert_eq!(count("r0.test", "200"), Some(1));
        assert_eq!(count("r0.test", "none"), Some(1));
        assert_eq!(count(OTHER, "200"), Some(3));
        assert_eq!(count("r201.test", "200"), None);
    }

    #[test]
    fn a_status_that_nobody_knows_is_its_class() {
        for (status, expected) in [(99, "1xx"), (201, "2xx"), (418, "4xx"), (999, "5xx")] {
            assert_eq!(in_a_word(Some(status)), expected);
        }
    }
}
