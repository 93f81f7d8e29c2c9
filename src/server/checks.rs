//! The metrics that are read from the checks themselves, when somebody scrapes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::runtime::reflector::Store;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;

use crate::api::{ConditionStatus, RegistryCheck};

/// The metrics that are read from the checks themselves.
#[derive(Debug)]
pub(super) struct Checks(pub(super) Arc<Mutex<Option<Store<RegistryCheck>>>>);

#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct AffectedLabels {
    namespace: String,
    registry: String,
    code: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct CheckLabels {
    namespace: String,
    name: String,
}

impl Collector for Checks {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let store = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let checks = store.map(|store| store.state()).unwrap_or_default();
        let mut affected: BTreeMap<AffectedLabels, i64> = BTreeMap::new();
        let mut ready: BTreeMap<CheckLabels, i64> = BTreeMap::new();
        let mut probed: BTreeMap<CheckLabels, i64> = BTreeMap::new();
        for check in &checks {
            let Some(status) = &check.status else { continue };
            let namespace = check.metadata.namespace.clone().unwrap_or_default();
            let name = check.metadata.name.clone().unwrap_or_default();
            let labels = CheckLabels { namespace: namespace.clone(), name };
            if let Some(condition) = status.ready() {
                let is_ready = condition.status == ConditionStatus::True;
                ready.insert(labels.clone(), i64::from(is_ready));
                let registry = check.spec.registry.clone();
                let code = condition.reason.clone();
                if status.affected_pods > 0 {
                    let labels = AffectedLabels { namespace, registry, code };
                    *affected.entry(labels).or_default() += status.affected_pods;
                }
            }
            if let Some(time) = status.last_probe_time {
                probed.insert(labels, time.as_second());
            }
        }
        encode(&mut encoder, "affected_pods", "Pods that cannot pull, by cause", affected)?;
        encode(&mut encoder, "check_ready", "Whether a check is ready", ready)?;
        encode(
            &mut encoder,
            "last_probe_timestamp_seconds",
            "When a check's registry was asked last",
            probed,
        )
    }
}

fn encode<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: BTreeMap<L, i64>,
) -> Result<(), std::fmt::Error> {
    let gauge = ConstGauge::<i64>::new(0);
    let mut metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
    for (labels, value) in values {
        ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}
