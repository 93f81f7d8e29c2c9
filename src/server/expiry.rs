//! Until when credentials are valid, as the controller knows it when somebody scrapes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::Telemetry;
use super::checks::{Registries, encode};
use super::table;

/// The end of each credential, in seconds since 1970, by namespace, secret and registry.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends(Arc<Mutex<BTreeMap<[String; 3], i64>>>);

impl Ends {
    pub(super) fn set(&self, ends: BTreeMap<[String; 3], i64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ends;
    }
}

impl Telemetry {
    /// Until when credentials are valid, in seconds since 1970, by namespace, secret and
    /// registry: all that are known, so that a series goes with its secret.
    pub fn credentials_end(&self, ends: impl IntoIterator<Item = ([String; 3], i64)>) {
        self.ends.set(ends.into_iter().collect());
    }
}

impl Collector for Ends {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let registries = Registries::of(ends.keys().map(|[_, _, registry]| registry.as_str()));
        let mut bounded: BTreeMap<[String; 3], i64> = BTreeMap::new();
        for ([namespace, secret, registry], end) in &ends {
            let labels = [namespace.clone(), secret.clone(), registries.label(registry)];
            let first = bounded.entry(labels).or_insert(*end);
            *first = (*first).min(*end);
        }
        encode(&mut encoder, &table::CREDENTIAL_EXPIRY, &bounded)
    }
}
