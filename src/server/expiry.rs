//! Until when credentials are valid, as the controller knows it when somebody scrapes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::Telemetry;

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
        let mut family = encoder.encode_descriptor(
            "credential_expiry_timestamp",
            "Until when the credential for a registry in a pull secret is valid",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?;
        for ([namespace, secret, registry], end) in &ends {
            let labels = [
                ("namespace", namespace.as_str()),
                ("secret", secret.as_str()),
                ("registry", registry.as_str()),
            ];
            family.encode_family(&labels)?.encode_gauge(end)?;
        }
        Ok(())
    }
}
