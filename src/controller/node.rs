//! The node probe: a node is asked in a pod of its own, and what it says is shared.
//!
//! At most one pod for a pool of nodes and a registry runs at a time, at most a few in the
//! cluster, and what one saw holds for as many images as it can. A pod that is left over, as
//! after the end of a controller that nobody saw coming, is removed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use tokio::sync::Semaphore;
use tracing::{debug, info};

use crate::evidence::node::{NodeSeen, NodeView};
use crate::image::ImageRef;
use crate::image::platform::Platform;
use crate::node::progress::{self, Skipped};
use crate::node::{self, MOST_SLOTS, Place, Question, Shape};
use crate::record::Seen;
use crate::server::Telemetry;

use super::clock;

pub mod pod;

use pod::{Ended, Made, NotMade};

/// How long what a node saw is good for: a kubelet does not learn sooner that a right was given
/// (`MaxContainerBackOff`, `pkg/kubelet/kubelet.go` of Kubernetes 1.35).
const KEPT: Duration = Duration::from_secs(300);
/// How long that it saw nothing is; what kept it from it may be mended.
const KEPT_SKIPPED: Duration = Duration::from_secs(60);
/// How long a question waits for others.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many questions wait at once. Each holds a reconcile up, and most checks need none.
const MOST_WAITING: usize = 16;
/// How often left-over pods are looked for.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(180);
/// After how long a pod that somebody made by hand is left over.
const LONGEST_BY_HAND: Duration = Duration::from_secs(180);
/// How many results of one pool and registry are kept.
const MOST_KEPT: usize = 20;

/// What the operator decides about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeProbe {
    /// The pods.
    pub shape: Shape,
    /// How many may run at once.
    pub limit: usize,
    /// Whether `spec.nodeSelector` is honoured.
    pub allow_node_selector: bool,
}

/// What is to be found out.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'wanted> {
    pub(super) image: &'wanted ImageRef,
    pub(super) place: Place,
    /// The pool of the node, or what stands for it: its nodes are alike.
    pub(super) pool: String,
    pub(super) platform: Option<&'wanted Platform>,
    pub(super) timeout: Duration,
    pub(super) as_identity: bool,
    /// What was seen before is not good enough.
    pub(super) since: Option<Instant>,
}

/// Asks nodes.
pub(super) struct Nodes {
    client: Client,
    telemetry: Arc<Telemetry>,
    settings: NodeProbe,
    seats: Semaphore,
    turns: Semaphore,
    in_use: Mutex<BTreeSet<String>>,
    flights: Mutex<BTreeMap<(String, String), Flight>>,
}

/// What is known from a pool about a registry; whoever asks holds it.
type Flight = Arc<tokio::sync::Mutex<Vec<Kept>>>;

struct Kept {
    at: Instant,
    as_identity: bool,
    platform: Option<Platform>,
    view: NodeView,
}

impl Nodes {
    pub(super) fn new(client: Client, telemetry: Arc<Telemetry>, settings: NodeProbe) -> Self {
        Self {
            client,
            telemetry,
            seats: Semaphore::new(MOST_WAITING),
            turns: Semaphore::new(settings.limit.clamp(1, MOST_SLOTS)),
            settings,
            in_use: Mutex::default(),
            flights: Mutex::default(),
        }
    }

    /// Whether `spec.nodeSelector` is honoured.
    pub(super) fn allows_selectors(&self) -> bool {
        self.settings.allow_node_selector
    }

    /// What a node sees, from a pod or from what is known.
    pub(super) async fn view(&self, wanted: &Wanted<'_>) -> NodeView {
        let Ok(_seat) = self.seats.try_acquire() else {
            return self.skipped(wanted, progress::crowded(self.settings.limit));
        };
        let flight = self.flight(wanted);
        let Ok(mut known) = tokio::time::timeout(PATIENCE, flight.lock()).await else {
            return self.skipped(wanted, progress::crowded(self.settings.limit));
        };
        known.retain(Kept::is_good);
        if let Some(kept) = known.iter().rev().find(|kept| kept.answers(wanted)) {
            return kept.view_of(wanted.image);
        }
        let Ok(Ok(turn)) = tokio::time::timeout(PATIENCE, self.turns.acquire()).await else {
            return self.skipped(wanted, progress::crowded(self.settings.limit));
        };
        let view = self.ask(wanted).await;
        drop(turn);
        known.push(Kept {
            at: Instant::now(),
            as_identity: wanted.as_identity,
            platform: wanted.platform.cloned(),
            view: view.clone(),
        });
        let excess = known.len().saturating_sub(MOST_KEPT);
        known.drain(..excess);
        view
    }

    fn flight(&self, wanted: &Wanted<'_>) -> Flight {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // What nobody holds and nobody can use any more is forgotten.
        flights.retain(|_, flight| {
            Arc::strong_count(flight) > 1
                || flight.try_lock().is_ok_and(|known| known.iter().any(Kept::is_good))
        });
        let key = (wanted.pool.clone(), wanted.image.registry().to_string());
        Arc::clone(flights.entry(key).or_default())
    }

    fn skipped(&self, wanted: &Wanted<'_>, skipped: Skipped) -> NodeView {
        let node = match &wanted.place {
            Place::Node(name) => name.clone(),
            Place::Any(_) => String::new(),
        };
        let host_network = self.settings.shape.host_network;
        NodeView { node, host_network, seen: skipped.into() }
    }

    /// Runs a pod, in a slot of its own.
    async fn ask(&self, wanted: &Wanted<'_>) -> NodeView {
        let Some(slot) = self.claim((0..MOST_SLOTS).map(node::slot)) else {
            return self.skipped(wanted, progress::crowded(self.settings.limit));
        };
        let question = Question {
            asked: wanted.image.as_written(),
            place: &wanted.place,
            platform: wanted.platform,
            timeout: wanted.timeout,
            as_identity: wanted.as_identity,
        };
        let began = Instant::now();
        let made = match self.make(&slot.name, &question).await {
            Ok(made) => made,
            Err(skipped) => return self.skipped(wanted, skipped),
        };
        let shape = &self.settings.shape;
        let Ended { node, result } =
            pod::wait(&self.client, shape, &made, &question, wanted.image, &|_| {}).await;
        pod::remove(&self.client, &shape.namespace, &made).await;
        let seconds = began.elapsed().as_secs_f64();
        let skipped = match result {
            Ok(Seen::Evidence(evidence)) => {
                debug!(image = %wanted.image, ?node, seconds, "a node was asked");
                self.telemetry.probed(&evidence);
                let node = node.unwrap_or_default();
                let host_network = shape.host_network;
                return NodeView { node, host_network, seen: NodeSeen::Walked { evidence } };
            }
            Ok(Seen::Login(_) | Seen::Unprobed(_) | Seen::Workstation(_)) => {
                Skipped::because("the node probe answers another question")
            }
            Err(skipped) => skipped,
        };
        info!(image = %wanted.image, ?node, seconds, reason = %skipped.reason, "a node could not be asked");
        let view = self.skipped(wanted, skipped);
        NodeView { node: node.unwrap_or(view.node), ..view }
    }

    /// Makes the pod. What stands in its place is left over, since nobody else has the slot.
    async fn make(&self, name: &str, question: &Question<'_>) -> Result<Made, Skipped> {
        let shape = &self.settings.shape;
        for _ in 0..3 {
            match pod::make(&self.client, shape, name, question).await {
                Ok(made) => return Ok(made),
                Err(NotMade::Refused(skipped) | NotMade::NotInstalled(skipped)) => {
                    return Err(skipped);
                }
                Err(NotMade::Taken) => {
                    if let Some(left) = pod::find(&self.client, &shape.namespace, name).await {
                        pod::remove(&self.client, &shape.namespace, &named(&left)).await;
                    }
                }
            }
        }
        Err(Skipped::because(format!("pod {name} is in the way of the node probe and stays")))
    }

    /// Removes what is left over, now and again and again.
    pub(super) async fn sweep_now_and_then(&self) {
        loop {
            self.sweep().await;
            tokio::time::sleep(BETWEEN_SWEEPS).await;
        }
    }

    async fn sweep(&self) {
        let namespace = &self.settings.shape.namespace;
        for name in (0..MOST_SLOTS).map(node::slot) {
            // A slot that is in use is not looked at, nor used while it is.
            let Some(slot) = self.claim([name]) else { continue };
            if let Some(left) = pod::find(&self.client, namespace, &slot.name).await {
                info!(pod = %slot.name, "removing a pod of the node probe that was left over");
                pod::remove(&self.client, namespace, &named(&left)).await;
            }
        }
        for name in (0..MOST_SLOTS).map(node::manual_slot) {
            let left = pod::find(&self.client, namespace, &name).await;
            if let Some(left) = left.filter(is_forgotten) {
                info!(pod = %name, "removing a pod of the node probe that somebody left over");
                pod::remove(&self.client, namespace, &named(&left)).await;
            }
        }
    }

    /// The first of these slots that nobody uses, until it is dropped.
    fn claim(&self, names: impl IntoIterator<Item = String>) -> Option<Slot<'_>> {
        let mut in_use = self.in_use();
        let name = names.into_iter().find(|name| !in_use.contains(name))?;
        in_use.insert(name.clone());
        Some(Slot { nodes: self, name })
    }

    fn in_use(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot that is in use.
struct Slot<'nodes> {
    nodes: &'nodes Nodes,
    name: String,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.nodes.in_use().remove(&self.name);
    }
}

impl Kept {
    fn is_good(&self) -> bool {
        let lasts = match self.view.seen {
            NodeSeen::Walked { .. } => KEPT,
            NodeSeen::Skipped { .. } => KEPT_SKIPPED,
        };
        self.at.elapsed() < lasts
    }

    fn answers(&self, wanted: &Wanted<'_>) -> bool {
        let is_about = match &self.view.seen {
            NodeSeen::Walked { evidence } => {
                self.platform.as_ref() == wanted.platform && node::holds_for(evidence, wanted.image)
            }
            NodeSeen::Skipped { .. } => true,
        };
        is_about
            && self.as_identity == wanted.as_identity
            && wanted.since.is_none_or(|since| self.at >= since)
    }

    fn view_of(&self, image: &ImageRef) -> NodeView {
        let mut view = self.view.clone();
        if let NodeSeen::Walked { evidence } = &mut view.seen {
            evidence.image = image.clone();
        }
        view
    }
}

fn named(pod: &Pod) -> Made {
    Made {
        name: pod.metadata.name.clone().unwrap_or_default(),
        uid: pod.metadata.uid.clone().unwrap_or_default(),
    }
}

/// Whether nobody waits any more for a pod that was made by hand.
fn is_forgotten(pod: &Pod) -> bool {
    let made = pod.metadata.creation_timestamp.as_ref();
    made.is_some_and(|made| clock::between(made.0, clock::now()) > LONGEST_BY_HAND)
}
