//! What probes cost registries, as it was counted when somebody scrapes.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use crate::probe::tally::Tally;

use super::Telemetry;
use super::table::REGISTRY_REQUESTS;

/// The tally of the prober, once there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests(Arc<Mutex<Tally>>);

impl Telemetry {
    /// The requests that the metrics are read from.
    pub fn counts_requests_of(&self, tally: &Tally) {
        *self.requests.0.lock().unwrap_or_else(PoisonError::into_inner) = tally.clone();
    }
}

impl Collector for Requests {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let tally = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let metric = &REGISTRY_REQUESTS;
        let help = metric.sentence();
        let mut family =
            encoder.encode_descriptor(metric.short, &help, None, MetricType::Counter)?;
        for (registry, status, count) in tally.counts() {
            let labels = [(metric.labels[0], registry.as_str()), (metric.labels[1], status)];
            family
                .encode_family(&labels)?
                .encode_counter::<[(&str, &str); 0], _, u64>(&count, None)?;
        }
        Ok(())
    }
}
