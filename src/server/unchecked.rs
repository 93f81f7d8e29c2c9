//! Pods without a check, as the controller knew it when somebody scrapes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::Telemetry;
use super::checks::encode;
use super::table;

/// The pods of each namespace that have none.
#[derive(Clone, Debug, Default)]
pub(super) struct Unchecked(Arc<Mutex<BTreeMap<[String; 1], i64>>>);

impl Telemetry {
    /// How many pods of each namespace have no check: all such namespaces.
    pub fn unchecked_pods(&self, pods: impl IntoIterator<Item = (String, usize)>) {
        let pods = pods
            .into_iter()
            .map(|(namespace, pods)| ([namespace], i64::try_from(pods).unwrap_or(i64::MAX)));
        *self.unchecked.0.lock().unwrap_or_else(PoisonError::into_inner) = pods.collect();
    }
}

impl Collector for Unchecked {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let pods = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        encode(&mut encoder, &table::UNCHECKED_PODS, &pods)
    }
}
