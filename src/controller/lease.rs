//! Leader election on a `coordination.k8s.io/v1` Lease, as client-go does it
//! (k8s.io/client-go/tools/leaderelection).
//!
//! A candidate never compares another machine's clock with its own: it takes a lease only
//! after it has itself seen the same record, unchanged, for the record's whole duration. A
//! leader stops believing in itself at the renew deadline, which ends before its lease does.
//! Every write carries the resource version that it is based on.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::controller::{chain, clock};

/// How long a lease is good after its last renewal.
const LEASE_DURATION: Duration = Duration::from_secs(10);
/// How long a leader believes in itself after its last renewal.
const RENEW_DEADLINE: Duration = Duration::from_secs(7);
/// How often the lease is renewed, and looked at by candidates.
const RETRY_PERIOD: Duration = Duration::from_millis(1_500);

/// Who one is: the pod and this start of its process.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The pod's name, or the host's outside a cluster.
    pub name: String,
    /// What tells this process from an earlier one of the same name.
    pub start: String,
    /// Whether `name` is that of a pod. A container starts only after the one before it in
    /// the same pod has ended, so that a lease of the same pod's earlier process is free.
    pub is_pod: bool,
}

impl Identity {
    fn holder(&self) -> String {
        format!("{}_{}", self.name, self.start)
    }

    fn is_own_predecessor(&self, holder: &str) -> bool {
        self.is_pod && holder.rsplit_once('_').is_some_and(|(name, _)| name == self.name)
    }
}

/// Whether this process leads, for whoever is about to write.
#[derive(Clone, Debug)]
pub(crate) struct Leadership(watch::Receiver<Option<Instant>>);

impl Leadership {
    /// Whether a write may be sent now: a renewal succeeded within the renew deadline.
    pub(crate) fn is_current(&self) -> bool {
        self.0.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Waits until this process leads.
    pub(crate) async fn gained(&mut self) {
        while !self.is_current() {
            if self.0.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until this process does not lead any more.
    pub(crate) async fn lost(&mut self) {
        loop {
            let until = *self.0.borrow_and_update();
            let Some(until) = until.filter(|until| Instant::now() < *until) else { return };
            tokio::select! {
                () = tokio::time::sleep_until(until.into()) => {}
                changed = self.0.changed() => if changed.is_err() { return },
            }
        }
    }
}

/// A candidate for the lease, and its keeper once it has it.
pub(crate) struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: Identity,
    /// The record seen last, and when it was first seen so.
    observed: Option<(Lease, Instant)>,
    leads_until: watch::Sender<Option<Instant>>,
}

impl Candidate {
    /// A candidate for the lease `name` in `namespace`.
    pub(crate) fn new(
        client: Client,
        namespace: &str,
        name: &str,
        identity: Identity,
    ) -> (Self, Leadership) {
        let (leads_until, leadership) = watch::channel(None);
        let candidate = Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity,
            observed: None,
            leads_until,
        };
        (candidate, Leadership(leadership))
    }

    /// Acquires the lease and keeps it, for ever; what it has is told by [`Leadership`].
    pub(crate) async fn run(&mut self) {
        loop {
            let begun = Instant::now();
            let attempt = tokio::time::timeout(RENEW_DEADLINE, self.acquire_or_renew()).await;
            match attempt {
                Ok(Ok(true)) => self.leads(Some(begun + RENEW_DEADLINE)),
                Ok(Ok(false)) => self.leads(None),
                Ok(Err(error)) => {
                    // Whoever leads goes on until the deadline of the last success.
                    warn!(lease = %self.name, error = %chain(&error), "cannot renew the lease");
                }
                Err(_elapsed) => warn!(lease = %self.name, "the lease was not renewed in time"),
            }
            tokio::time::sleep(RETRY_PERIOD).await;
        }
    }

    /// Gives the lease back, so that another need not wait for its end. Nothing may be
    /// written after it.
    pub(crate) async fn release(&mut self) {
        if self.leads_until.send_replace(None).is_none() {
            return;
        }
        let Some((lease, _)) = self.observed.take() else { return };
        let mut spec = self.record(lease.spec.as_ref());
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        let lease = Lease { spec: Some(spec), ..lease };
        let params = PostParams::default();
        let replaced = self.api.replace(&self.name, &params, &lease);
        if let Ok(Err(error)) = tokio::time::timeout(RETRY_PERIOD, replaced).await {
            warn!(lease = %self.name, error = %chain(&error), "cannot give the lease back");
        }
    }

    fn leads(&self, until: Option<Instant>) {
        let led = self.leads_until.borrow().is_some();
        if led != until.is_some() {
            let identity = self.identity.holder();
            info!(lease = %self.name, %identity, leads = until.is_some(), "leadership changed");
        }
        self.leads_until.send_replace(until);
    }

    /// One attempt; whether the lease is ours after it.
    async fn acquire_or_renew(&mut self) -> Result<bool, kube::Error> {
        let Some(current) = self.api.get_opt(&self.name).await? else {
            let lease = Lease {
                metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                spec: Some(self.record(None)),
            };
            return self.written(self.api.create(&PostParams::default(), &lease).await);
        };
        let now = Instant::now();
        let unchanged = self.observed.as_ref().filter(|(seen, _)| seen.spec == current.spec);
        let since = unchanged.map_or(now, |(_, since)| *since);
        self.observed = Some((current.clone(), since));
        let spec = current.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        let ours = holder == self.identity.holder();
        let seconds = u64::try_from(spec.lease_duration_seconds.unwrap_or_default()).unwrap_or(0);
        let expired = now >= since + Duration::from_secs(seconds);
        if !(ours || holder.is_empty() || expired || self.identity.is_own_predecessor(&holder)) {
            return Ok(false);
        }
        let lease = Lease { spec: Some(self.record(Some(&spec))), ..current };
        let replaced = self.api.replace(&self.name, &PostParams::default(), &lease).await;
        self.written(replaced)
    }

    /// A conflict is somebody else's success.
    fn written(&mut self, result: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
        match result {
            Ok(lease) => {
                self.observed = Some((lease, Instant::now()));
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => {
                self.observed = None;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn record(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(clock::now());
        let holder = self.identity.holder();
        let ours = before.filter(|before| before.holder_identity.as_ref() == Some(&holder));
        let transitions = before.and_then(|before| before.lease_transitions).unwrap_or_default();
        LeaseSpec {
            holder_identity: Some(holder),
            lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
            acquire_time: ours.and_then(|ours| ours.acquire_time.clone()).or(Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: match (before, ours) {
                (None, _) => Some(0),
                (Some(_), Some(_)) => Some(transitions),
                (Some(_), None) => Some(transitions + 1),
            },
            ..LeaseSpec::default()
        }
    }
}
