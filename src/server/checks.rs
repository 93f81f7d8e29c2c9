//! The metrics that are read from the checks themselves, when somebody scrapes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use kube::runtime::reflector::Store;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use crate::api::{ConditionStatus, RegistryCheck, RegistryCheckStatus};
use crate::probe::tally::{OTHER, REGISTRIES_MAX};

use super::table::{self, Metric};

/// The metrics that are read from the checks themselves.
#[derive(Debug)]
pub(super) struct Checks(pub(super) Arc<Mutex<Option<Store<RegistryCheck>>>>);

/// A value for the values of its labels, in the metric's order.
type Values<const LABELS: usize> = BTreeMap<[String; LABELS], i64>;

impl Collector for Checks {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let store = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let checks = store.map(|store| store.state()).unwrap_or_default();
        let registries = Registries::of(checks.iter().map(|check| check.spec.registry.as_str()));
        let mut affected: Values<3> = BTreeMap::new();
        let (mut ready, mut changed, mut probed, mut next) =
            (Values::new(), Values::new(), Values::new(), Values::new());
        for check in &checks {
            let Some(status) = &check.status else { continue };
            let namespace = check.metadata.namespace.clone().unwrap_or_default();
            let labels = [namespace.clone(), check.metadata.name.clone().unwrap_or_default()];
            if let Some(condition) = status.ready() {
                let is_ready = condition.status == ConditionStatus::True;
                ready.insert(labels.clone(), i64::from(is_ready));
                changed.insert(labels.clone(), condition.last_transition_time.as_second());
                if status.affected_pods > 0 {
                    let registry = registries.label(&check.spec.registry);
                    let labels = [namespace, registry, condition.reason.clone()];
                    *affected.entry(labels).or_default() += status.affected_pods;
                }
            }
            if let Some(time) = next_probe(check, status) {
                next.insert(labels.clone(), time.as_second());
            }
            if let Some(time) = status.last_probe_time {
                probed.insert(labels, time.as_second());
            }
        }
        encode(&mut encoder, &table::AFFECTED_PODS, &affected)?;
        encode(&mut encoder, &table::CHECK_READY, &ready)?;
        encode(&mut encoder, &table::TRANSITION, &changed)?;
        encode(&mut encoder, &table::LAST_PROBE, &probed)?;
        encode(&mut encoder, &table::NEXT_PROBE, &next)
    }
}

/// By when a check has been probed again and that written, where anything is to be probed. A
/// failing pull is probed more often than its interval, and written then only if there is news.
fn next_probe(check: &RegistryCheck, status: &RegistryCheckStatus) -> Option<Timestamp> {
    let (last, next) = (status.last_probe_time?, status.next_probe_time?);
    let interval: SignedDuration = check.spec.interval.parse().ok()?;
    // The spread of probes is a tenth.
    let written = last.checked_add(interval).ok()?.checked_add(interval / 10).ok()?;
    Some(next.max(written))
}

/// The registries that have a label of their own, so that labels are bounded.
pub(super) struct Registries<'registry>(BTreeSet<&'registry str>);

impl<'registry> Registries<'registry> {
    /// The first of them by name, which does not depend on what fails.
    pub(super) fn of(registries: impl Iterator<Item = &'registry str>) -> Self {
        let mut named: BTreeSet<&str> = registries.collect();
        while named.len() > REGISTRIES_MAX {
            named.pop_last();
        }
        Self(named)
    }

    /// What stands for a registry.
    pub(super) fn label(&self, registry: &str) -> String {
        if self.0.contains(registry) { registry } else { OTHER }.to_owned()
    }
}

/// Writes a gauge, with the labels of its row in the table.
pub(super) fn encode<const LABELS: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &Metric,
    values: &Values<LABELS>,
) -> Result<(), std::fmt::Error> {
    let help = metric.sentence();
    let mut family = encoder.encode_descriptor(metric.short, &help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        let labels = metric.labels.iter().copied().zip(labels.iter().map(String::as_str));
        let labels: Vec<(&str, &str)> = labels.collect();
        family.encode_family(&labels)?.encode_gauge(value)?;
    }
    Ok(())
}
