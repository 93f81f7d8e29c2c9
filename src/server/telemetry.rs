//! What the controller tells of itself: what is counted and timed, and whether it is ready.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use kube::runtime::reflector::Store;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::api::RegistryCheck;
use crate::evidence::Evidence;

use super::checks::Checks;
use super::expiry::Ends;
use super::liveness::Liveness;
use super::requests::Requests;
use super::table::{BUILD, LEADER, PROBE_DURATION, RECONCILE_ERRORS};
use super::unchecked::Unchecked;

/// What the controller tells of itself.
pub struct Telemetry {
    checks: Arc<Mutex<Option<Store<RegistryCheck>>>>,
    pub(super) ends: Ends,
    pub(super) requests: Requests,
    pub(super) unchecked: Unchecked,
    liveness: Liveness,
    registry: Registry,
    leader: Gauge,
    errors: Family<ErrorLabels, Counter>,
    steps: Family<StepLabels, Histogram, fn() -> Histogram>,
    leading: AtomicBool,
    pods_listed: AtomicBool,
    checks_listed: AtomicBool,
    writes_succeed: AtomicBool,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ErrorLabels {
    category: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StepLabels {
    step: String,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl Telemetry {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("registrycheck");
        let checks = Arc::default();
        let leader = Gauge::default();
        let errors = Family::default();
        // From 1 ms to about 30 s.
        let steps: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 2.0, 16)));
        registry.register(LEADER.short, LEADER.help, leader.clone());
        registry.register(RECONCILE_ERRORS.short, RECONCILE_ERRORS.help, errors.clone());
        registry.register(PROBE_DURATION.short, PROBE_DURATION.help, steps.clone());
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register(BUILD.short, BUILD.help, Info::new(version));
        registry.register_collector(Box::new(Checks(Arc::clone(&checks))));
        let ends = Ends::default();
        registry.register_collector(Box::new(ends.clone()));
        let requests = Requests::default();
        registry.register_collector(Box::new(requests.clone()));
        let unchecked = Unchecked::default();
        registry.register_collector(Box::new(unchecked.clone()));
        Self {
            checks,
            ends,
            requests,
            unchecked,
            liveness: Liveness::default(),
            registry,
            leader,
            errors,
            steps,
            leading: AtomicBool::new(false),
            pods_listed: AtomicBool::new(false),
            checks_listed: AtomicBool::new(false),
            writes_succeed: AtomicBool::new(true),
        }
    }

    /// Whether this process leads now.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
        self.leading.store(leads, Ordering::Relaxed);
        self.pods_listed.store(false, Ordering::Relaxed);
        self.checks_listed.store(false, Ordering::Relaxed);
        self.writes_succeed.store(true, Ordering::Relaxed);
        if !leads {
            self.liveness.stops_watching();
            self.credentials_end([]);
            self.unchecked_pods([]);
            *self.checks.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// The signs of life.
    pub fn liveness(&self) -> &Liveness {
        &self.liveness
    }

    /// The checks that the metrics are read from.
    pub fn reports_from(&self, checks: Store<RegistryCheck>) {
        *self.checks.lock().unwrap_or_else(PoisonError::into_inner) = Some(checks);
    }

    /// The pods are listed and watched.
    pub fn pods_listed(&self) {
        self.pods_listed.store(true, Ordering::Relaxed);
    }

    /// The checks are listed and watched.
    pub fn checks_listed(&self) {
        self.checks_listed.store(true, Ordering::Relaxed);
    }

    /// Something failed that is tried again.
    pub fn reconcile_failed(&self, category: &'static str) {
        self.errors.get_or_create(&ErrorLabels { category }).inc();
    }

    /// A status was written, or could not be.
    pub fn wrote_status(&self, succeeded: bool) {
        self.writes_succeed.store(succeeded, Ordering::Relaxed);
    }

    /// A probe ended.
    pub fn probed(&self, evidence: &Evidence) {
        let attempts = [&evidence.opening].into_iter().chain(&evidence.attempts);
        let of_azure = evidence.azure.iter().map(|azure| &azure.provider);
        let attempts = attempts.chain(&evidence.anonymous).chain(of_azure);
        for step in attempts.flat_map(|attempt| &attempt.steps) {
            let labels = StepLabels { step: format!("{:?}", step.name).to_lowercase() };
            let seconds = std::time::Duration::from_micros(step.micros).as_secs_f64();
            self.steps.get_or_create(&labels).observe(seconds);
        }
    }

    /// What keeps the controller from its work; `None` where nothing does. One that does not
    /// lead has nothing to do and is ready.
    pub(super) fn trouble(&self) -> Option<&'static str> {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        if !is(&self.leading) {
            None
        } else if !is(&self.pods_listed) {
            Some("pods are not listed yet")
        } else if !is(&self.checks_listed) {
            Some("RegistryChecks are not listed yet")
        } else if !is(&self.writes_succeed) {
            Some("the last status could not be written")
        } else {
            None
        }
    }

    /// All metrics, in the OpenMetrics form.
    pub(super) fn metrics(&self) -> Result<String, std::fmt::Error> {
        let mut body = String::new();
        text::encode(&mut body, &self.registry)?;
        Ok(body)
    }
}
