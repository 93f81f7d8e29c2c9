//! The controller: two watches, an index of failing pods, and one reconcile.
//!
//! The pod watch only keeps the [`pods::Index`] and makes sure that every namespace and
//! registry with a failing pod has a RegistryCheck. The reconcile of RegistryChecks does
//! everything else, whoever wrote them. All of it runs only while this process leads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use kube::Client;
use kube::runtime::controller::Controller;
use kube::runtime::predicates;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::runtime::{Predicate, PredicateConfig, WatchStreamExt, controller};
use tokio::sync::{Notify, mpsc};
use tracing::{debug, error, info, warn};

use crate::api::RegistryCheck;
use crate::image::Host;
use crate::probe::Prober;
use crate::resolve::platform::NodeFacts;
use crate::server::Telemetry;
use crate::target::pod::Pod;

mod budget;
mod by_namespace;
mod checks;
mod clients;
pub(crate) mod clock;
mod due;
mod ensure;
mod expiry;
mod lease;
pub mod node;
mod observe;
mod ownership;
pub mod pods;
mod turns;
pub(crate) mod watching;

pub use checks::workload::AccountTokens;
pub use clients::{Clients, requests};
pub use due::duration;
pub use expiry::Expiry;
pub use lease::Identity;

use budget::Budget;
use by_namespace::ByNamespace;
use checks::{Answers, Memory};
use expiry::ledger::Ledger;
use lease::{Candidate, Leadership};
use node::{NodeProbe, Nodes};
use pods::{Index, Key};

/// The Lease that the leader holds.
pub const LEASE: &str = "registrycheck";

/// What the controller needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace of the Lease.
    pub namespace: String,
    /// The namespaces that are watched, read and written; empty where all are.
    pub watched: BTreeSet<String>,
    /// Who this process is.
    pub identity: Identity,
    /// How long an automatic check is kept after its last pod recovered or went.
    pub keep_recovered: Duration,
    /// How many probes of one registry begin in a second, at most, in the long run.
    pub probes_per_second: u32,
    /// Registries for which `spec.insecure` is honoured.
    pub insecure_hosts: Vec<String>,
    /// How nodes are asked; `None` where they are not.
    pub node_probe: Option<NodeProbe>,
    /// When the end of a credential is warned of.
    pub expiry: Expiry,
    /// The service accounts with whose tokens pods pull.
    pub account_tokens: AccountTokens,
}

/// What every part of the controller shares.
struct Context {
    client: Client,
    prober: Prober,
    settings: Settings,
    leadership: Leadership,
    telemetry: Arc<Telemetry>,
    budget: Budget,
    /// What registries have just answered.
    answers: Answers,
    index: Mutex<Index>,
    /// What is known of each check, by its uid. What was said outlives a loss of leadership.
    memory: Arc<Mutex<HashMap<String, Memory>>>,
    checks: Store<RegistryCheck>,
    /// The names of what `checks` holds.
    by_namespace: Mutex<ByNamespace>,
    /// Until when the credentials are valid with which pods pull.
    ledger: Mutex<Ledger>,
    /// That the ledger has news.
    ledger_changed: Notify,
    /// Which namespaces cannot be watched.
    refusals: watching::Refusals,
    /// What is known of nodes that were asked for, by the node's name. A node of another
    /// platform or pool has another name.
    node_facts: Mutex<BTreeMap<String, NodeFacts>>,
    /// How nodes are asked; `None` where they are not.
    nodes: Option<Nodes>,
    /// Keys to make sure of: a check exists, and it is reconciled.
    changed: mpsc::UnboundedSender<Key>,
    /// Checks to reconcile.
    triggers: mpsc::UnboundedSender<ObjectRef<RegistryCheck>>,
}

impl Context {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn memory(&self) -> MutexGuard<'_, HashMap<String, Memory>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn by_namespace(&self) -> MutexGuard<'_, ByNamespace> {
        self.by_namespace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn node_facts(&self) -> MutexGuard<'_, BTreeMap<String, NodeFacts>> {
        self.node_facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an event is about a pod of the node probe, whose image is our own affair.
    fn is_own(&self, event: &Event<Pod>) -> bool {
        let (Event::InitApply(pod) | Event::Apply(pod) | Event::Delete(pod)) = event else {
            return false;
        };
        let settings = self.settings.node_probe.as_ref();
        let own = settings.map(|settings| settings.shape.namespace.as_str());
        own.is_some() && pod.metadata.namespace.as_deref() == own
    }

    /// All checks of a namespace and registry that are to stay.
    fn checks_of(&self, key: &Key) -> Vec<Arc<RegistryCheck>> {
        let mut checks = self.checks_in(&key.namespace, |registry| *registry == key.registry);
        checks.retain(|check| is_to_stay(check));
        checks
    }

    /// The checks of a namespace that are about such a registry.
    fn checks_in(
        &self,
        namespace: &str,
        is_wanted: impl Fn(&Host) -> bool,
    ) -> Vec<Arc<RegistryCheck>> {
        let by_namespace = self.by_namespace();
        let wanted = by_namespace.names(namespace).filter(|(_, registry)| is_wanted(registry));
        let stored = |name| self.checks.get(&ObjectRef::new(name).within(namespace));
        wanted.filter_map(|(name, _)| stored(name)).collect()
    }

    /// Has a check reconciled.
    fn trigger(&self, check: &RegistryCheck) {
        // The receiver lives as long as the controller that reads it.
        let _unheard = self.triggers.send(ObjectRef::from_obj(check));
    }

    fn tell_changed(&self, keys: BTreeSet<Key>) {
        for key in keys {
            // The receiver lives as long as this context is in use.
            let _unheard = self.changed.send(key);
        }
    }
}

/// Whether nobody has deleted a check yet.
fn is_to_stay(check: &RegistryCheck) -> bool {
    check.metadata.deletion_timestamp.is_none()
}

fn key_of(check: &RegistryCheck) -> Option<Key> {
    let registry = Host::parse(&check.spec.registry).ok()?;
    Some(Key { namespace: check.metadata.namespace.clone()?, registry })
}

/// An identity that no other process has.
pub fn identity(pod_name: Option<String>) -> Identity {
    Identity {
        is_pod: pod_name.is_some(),
        name: pod_name.unwrap_or_else(|| "local".to_owned()),
        start: clock::start_id(),
    }
}

/// Runs until `shutdown` completes; then gives the lease back.
pub async fn run(
    clients: Clients,
    prober: Prober,
    settings: Settings,
    telemetry: Arc<Telemetry>,
    shutdown: impl Future<Output = ()>,
) {
    let identity = settings.identity.clone();
    let (mut candidate, leadership) =
        Candidate::new(clients.requests.clone(), &settings.namespace, LEASE, identity);
    let lead_whenever_possible = async {
        let mut leadership = leadership;
        let memory = Arc::default();
        loop {
            leadership.gained().await;
            telemetry.leads(true);
            let mut watched = leadership.clone();
            tokio::select! {
                () = lead(&clients, &prober, &settings, &leadership, &telemetry, &memory) => {}
                () = watched.lost() => warn!("this process does not lead any more"),
            }
            telemetry.leads(false);
        }
    };
    tokio::select! {
        () = candidate.run() => {}
        () = lead_whenever_possible => {}
        () = shutdown => info!("shutting down"),
    }
    candidate.release().await;
}

/// Watches and reconciles. Whoever drops this future ends all of it.
async fn lead(
    clients: &Clients,
    prober: &Prober,
    settings: &Settings,
    leadership: &Leadership,
    telemetry: &Arc<Telemetry>,
    memory: &Arc<Mutex<HashMap<String, Memory>>>,
) {
    for kind in [clients::PODS, clients::CHECKS] {
        telemetry.liveness().hears(kind);
    }
    memory.lock().unwrap_or_else(PoisonError::into_inner).values_mut().for_each(Memory::lead_again);
    let (checks, writer) = reflector::store::<RegistryCheck>();
    let (changed, keys) = mpsc::unbounded_channel();
    let (triggers, triggered) = mpsc::unbounded_channel();
    telemetry.reports_from(checks.clone());
    let context = Arc::new(Context {
        client: clients.requests.clone(),
        prober: prober.clone(),
        settings: settings.clone(),
        leadership: leadership.clone(),
        telemetry: Arc::clone(telemetry),
        budget: Budget::new(settings.probes_per_second),
        answers: Answers::default(),
        index: Mutex::default(),
        memory: Arc::clone(memory),
        ledger: Mutex::default(),
        ledger_changed: Notify::new(),
        refusals: watching::Refusals::default(),
        node_facts: Mutex::default(),
        nodes: nodes_of(clients, telemetry, settings),
        checks: checks.clone(),
        by_namespace: Mutex::default(),
        changed,
        triggers,
    });
    let observer = Arc::clone(&context);
    let changed_checks = observe::checks(&context, &clients.checks)
        .reflect(writer)
        .inspect(move |event| observe::stored(&observer, event))
        .applied_objects()
        .predicate_filter(
            predicates::generation.combine(predicates::annotations),
            PredicateConfig::default(),
        );
    let reconciled = Controller::for_stream(changed_checks, checks)
        .reconcile_on(received(triggered))
        .run(checks::reconcile, error_policy, Arc::clone(&context))
        .for_each(|_| std::future::ready(()));
    tokio::join!(
        reconciled,
        observe::pods(&context, &clients.pods),
        ensure::ensure(&context, keys),
        expiry::workloads::watch(&context, &clients.watches),
        expiry::keep(&context),
        remove_left_over_pods(&context)
    );
}

fn nodes_of(clients: &Clients, telemetry: &Arc<Telemetry>, settings: &Settings) -> Option<Nodes> {
    let settings = settings.node_probe.clone()?;
    Some(Nodes::new(clients.requests.clone(), Arc::clone(telemetry), settings))
}

/// Whoever led before may have left pods of the node probe.
async fn remove_left_over_pods(context: &Context) {
    if let Some(nodes) = &context.nodes {
        nodes.sweep_now_and_then().await;
    }
}

/// A channel's values, as a stream.
fn received<T: Send + 'static>(
    mut receiver: mpsc::UnboundedReceiver<T>,
) -> impl futures::Stream<Item = T> + Send {
    futures::stream::poll_fn(move |task| receiver.poll_recv(task))
}

/// An error is logged once, here, with its chain, and tried again with growing pauses.
#[expect(clippy::needless_pass_by_value, reason = "kube's signature")]
fn error_policy(
    check: Arc<RegistryCheck>,
    error: &checks::Error,
    context: Arc<Context>,
) -> controller::Action {
    let name = check.metadata.name.as_deref().unwrap_or_default();
    let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
    context.telemetry.reconcile_failed(error.category());
    let failures = checks::count_failure(&context, &check);
    if matches!(error, checks::Error::NotLeading) {
        debug!(%namespace, %name, "not leading; nothing was written");
    } else {
        error!(%namespace, %name, error = %chain(error), "reconcile failed; trying again");
    }
    controller::Action::requeue(back_off(failures))
}

/// 1 s, doubling, at most a minute.
fn back_off(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.min(6)).min(Duration::from_secs(60))
}

/// An error with all its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
