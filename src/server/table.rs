//! The metrics: each with its name, its type and its labels, and what an operator reads from it.
//!
//! One table for what `/metrics` serves, for `docs/metrics.md`, and for the tests of the alerts and
//! of the dashboard, which may ask for nothing else.

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name without the prefix `registrycheck_` and without what a type adds to it.
    pub(super) short: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it is, in the words of `/metrics`.
    pub help: &'static str,
    /// What it is for.
    pub reading: &'static str,
}

/// The types of metrics, as OpenMetrics has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value that goes up and down.
    Gauge,
    /// A count that only goes up.
    Counter,
    /// Counts by size.
    Histogram,
    /// A value of 1 whose label says something.
    Info,
}

impl Metric {
    /// The name as a query has it; of a histogram the common part of its series' names.
    pub fn name(&self) -> String {
        let suffix = match self.kind {
            Kind::Gauge | Kind::Histogram => "",
            Kind::Counter => "_total",
            Kind::Info => "_info",
        };
        format!("registrycheck_{}{suffix}", self.short)
    }

    /// The help as a sentence; the library itself ends that of what it holds with a full stop.
    pub(super) fn sentence(&self) -> String {
        format!("{}.", self.help)
    }
}

pub(super) const AFFECTED_PODS: Metric = Metric {
    short: "affected_pods",
    kind: Kind::Gauge,
    labels: &["namespace", "registry", "code"],
    help: "Pods that cannot pull, by cause",
    reading: "What fails now, and why: `code` is the reason of Ready. There is no series where nothing fails.",
};

pub(super) const UNCHECKED_PODS: Metric = Metric {
    short: "unchecked_pods",
    kind: Kind::Gauge,
    labels: &["namespace"],
    help: "Pods that cannot pull and whose registries have no check, since their namespace has too many",
    reading: "A namespace gets 20 checks by itself. A check that you write for a further registry is not counted among them.",
};

pub(super) const CHECK_READY: Metric = Metric {
    short: "check_ready",
    kind: Kind::Gauge,
    labels: &["namespace", "name"],
    help: "Whether a check is ready",
    reading: "1 where Ready is True, 0 where it is False or Unknown.",
};

pub(super) const TRANSITION: Metric = Metric {
    short: "check_transition_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &["namespace", "name"],
    help: "When Ready of a check changed last",
    reading: "Since when a check is as it is.",
};

pub(super) const LAST_PROBE: Metric = Metric {
    short: "last_probe_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &["namespace", "name"],
    help: "When a check's registry was asked last",
    reading: "How old an answer is.",
};

pub(super) const NEXT_PROBE: Metric = Metric {
    short: "next_probe_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &["namespace", "name"],
    help: "By when a check has been probed again and its status written",
    reading: "A check that is overdue is stale, however long its interval. There is no series where nothing is to be asked.",
};

pub(super) const CREDENTIAL_EXPIRY: Metric = Metric {
    short: "credential_expiry_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &["namespace", "secret", "registry"],
    help: "Until when the credential for a registry in a pull secret is valid",
    reading: "What fails next. Only credentials that say so themselves have one: tokens with a date in them.",
};

pub(super) const PROBE_DURATION: Metric = Metric {
    short: "probe_duration_seconds",
    kind: Kind::Histogram,
    labels: &["step"],
    help: "How long the steps of probes took",
    reading: "Which step of a pull is slow.",
};

pub(super) const REGISTRY_REQUESTS: Metric = Metric {
    short: "registry_requests",
    kind: Kind::Counter,
    labels: &["registry", "status"],
    help: "Requests of probes for a registry, to it and to the hosts that it names, by status",
    reading: "What the controller itself costs a registry. `status` is `none` where no answer came. What nodes ask is not counted.",
};

pub(super) const RECONCILE_ERRORS: Metric = Metric {
    short: "reconcile_errors",
    kind: Kind::Counter,
    labels: &["category"],
    help: "Reconciles and watches that failed, by what failed",
    reading: "Whether the controller can work: it tries each again.",
};

pub(super) const LEADER: Metric = Metric {
    short: "leader",
    kind: Kind::Gauge,
    labels: &[],
    help: "Whether this process leads",
    reading: "1 for one replica, 0 for the others.",
};

pub(super) const BUILD: Metric = Metric {
    short: "build",
    kind: Kind::Info,
    labels: &["version"],
    help: "The version of this program",
    reading: "Which version runs.",
};

/// All of them.
pub const METRICS: &[&Metric] = &[
    &AFFECTED_PODS,
    &UNCHECKED_PODS,
    &CHECK_READY,
    &TRANSITION,
    &LAST_PROBE,
    &NEXT_PROBE,
    &CREDENTIAL_EXPIRY,
    &PROBE_DURATION,
    &REGISTRY_REQUESTS,
    &RECONCILE_ERRORS,
    &LEADER,
    &BUILD,
];
