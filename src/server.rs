//! The controller's own HTTP server: `/livez`, `/readyz` and `/metrics`, and what stands
//! behind them.
//!
//! What the checks say is read from them when somebody scrapes, so that a series goes with
//! its check. No label holds an image, a pod or a message.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use kube::runtime::reflector::Store;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::api::{ConditionStatus, RegistryCheck};
use crate::evidence::Evidence;

/// What the controller tells of itself.
pub struct Telemetry {
    checks: Arc<Mutex<Option<Store<RegistryCheck>>>>,
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
        registry.register("leader", "Whether this process leads", leader.clone());
        registry.register(
            "reconcile_errors",
            "Reconciles and watches that failed, by what failed",
            errors.clone(),
        );
        registry.register(
            "probe_duration_seconds",
            "How long the steps of probes took",
            steps.clone(),
        );
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The version of this program", Info::new(version));
        registry.register_collector(Box::new(Checks(Arc::clone(&checks))));
        Self {
            checks,
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
            *self.checks.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
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
    fn trouble(&self) -> Option<&'static str> {
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
}

/// The metrics that are read from the checks themselves.
#[derive(Debug)]
struct Checks(Arc<Mutex<Option<Store<RegistryCheck>>>>);

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

/// Serves until the listener fails.
///
/// # Errors
///
/// Where the listener fails.
pub async fn serve(
    listener: tokio::net::TcpListener,
    telemetry: Arc<Telemetry>,
) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .with_state(telemetry);
    axum::serve(listener, routes).await
}

async fn readiness(State(telemetry): State<Arc<Telemetry>>) -> impl IntoResponse {
    match telemetry.trouble() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {trouble}\n")),
    }
}

async fn metrics(State(telemetry): State<Arc<Telemetry>>) -> impl IntoResponse {
    let mut body = String::new();
    match text::encode(&mut body, &telemetry.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], body).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
