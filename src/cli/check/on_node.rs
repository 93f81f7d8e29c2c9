//! The node's own view: the same pod as the controller's, made by whoever types the command.

use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use kube::Client;

use crate::cli::failure::Hinted;
use crate::cli::installation::NodeProbePods;
use crate::cli::words::printable;
use crate::cli::{Undecided, cluster, shutdown};
use crate::controller::node::pod::{self, Ended, Made, NotMade};
use crate::diagnose::remedy::is_azure;
use crate::evidence::node::{NodeSeen, NodeView};
use crate::image::ImageRef;
use crate::image::platform::Platform;
use crate::node::progress::{self, Skipped};
use crate::node::{self, Place, Question, Shape};
use crate::probe::targets::Targets;
use crate::record::Seen;
use crate::resolve::platform::facts;

use super::Asked;

/// The longest time that the admission policy lets a probe have, as for a RegistryCheck.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The arguments that name a node to ask.
#[derive(Debug, Args)]
pub(super) struct OnNode {
    /// A node to ask too, as the kubelet on it pulls: with what the node itself has, in a pod
    /// there. It takes the node probe's namespace, which the installation makes, and the right to
    /// create, get and delete pods in it. A registry is then asked from there alone.
    #[arg(long = "node", id = "on_node", value_name = "NODE", conflicts_with_all = ["anonymous", "azure_config"])]
    pub(super) node: Option<String>,
    /// The namespace of that pod.
    #[arg(long = "node-probe-namespace", id = "node_probe_namespace", default_value = node::NAMESPACE, value_name = "NAMESPACE",
        requires = "on_node")]
    namespace: String,
    #[command(flatten)]
    pods: NodeProbePods,
}

impl OnNode {
    /// What the node sees; `None` where none is to be asked.
    pub(super) async fn ask(
        &self,
        context: Option<&str>,
        asked: &Asked,
        timeout: Duration,
        shows_progress: bool,
    ) -> anyhow::Result<Option<OfNode>> {
        let Some(node) = &self.node else { return Ok(None) };
        cluster::check_name("node", node)?;
        let client = cluster::client(cluster::config(context).await?)?;
        let platform = facts(&client, node).await.context(Undecided)?.and_then(|it| it.platform);
        let image = asked.image();
        let result = if platform.as_ref().is_some_and(|platform| platform.os == "windows") {
            Err(progress::windows(node))
        } else {
            let place = Place::Node(node.clone());
            let question = Question {
                asked: asked.as_written(),
                place: &place,
                platform: platform.as_ref(),
                timeout: timeout.min(LONGEST_TIMEOUT),
                as_identity: is_azure(image.registry().name()),
            };
            let shape = self.pods.shape(&self.namespace, Targets::default());
            run(&client, &shape, &question, &image, shows_progress).await?
        };
        let host_network = self.pods.host_network();
        Ok(Some(OfNode { node: node.clone(), host_network, platform, result }))
    }
}

/// What came of asking a node.
pub(super) struct OfNode {
    /// The node.
    pub(super) node: String,
    /// Its platform, where it is known.
    pub(super) platform: Option<Platform>,
    host_network: bool,
    result: Result<Seen, Skipped>,
}

impl OfNode {
    /// As a part of the evidence about an image.
    pub(super) fn view(self) -> NodeView {
        let seen = match self.result {
            Ok(Seen::Evidence(evidence)) => NodeSeen::Walked { evidence },
            Ok(Seen::Login(_) | Seen::Unprobed(_) | Seen::Workstation(_)) => {
                Skipped::because("the node probe answers another question").into()
            }
            Err(skipped) => skipped.into(),
        };
        NodeView { node: self.node, host_network: self.host_network, seen }
    }

    /// By itself, for a registry.
    pub(super) fn seen(self) -> anyhow::Result<Seen> {
        self.result.map_err(|Skipped { reason, remedy }| skipped(reason, remedy).context(Undecided))
    }
}

async fn run(
    client: &Client,
    shape: &Shape,
    question: &Question<'_>,
    image: &ImageRef,
    shows_progress: bool,
) -> anyhow::Result<Result<Seen, Skipped>> {
    let made = match make(client, shape, question).await? {
        Ok(made) => made,
        Err(skipped) => return Ok(Err(skipped)),
    };
    let observer: &(dyn Fn(&str) + Sync) = if shows_progress { &show } else { &|_| {} };
    let ended = tokio::select! {
        Ended { result, .. } = pod::wait(client, shape, &made, question, image, observer) => Some(result),
        () = shutdown() => None,
    };
    if !pod::remove(client, &shape.namespace, &made).await {
        let Made { name, .. } = &made;
        show(&format!("for nothing more; pod {name} stays in namespace {}", shape.namespace));
    }
    match ended {
        Some(result) => Ok(result),
        None => Err(anyhow!("interrupted; the pod on the node was removed").context(Undecided)),
    }
}

/// Makes the pod in the first slot that nobody uses. Others' pods are theirs.
async fn make(
    client: &Client,
    shape: &Shape,
    question: &Question<'_>,
) -> anyhow::Result<Result<Made, Skipped>> {
    for name in (0..node::MOST_SLOTS).map(node::manual_slot) {
        match pod::make(client, shape, &name, question).await {
            Ok(made) => return Ok(Ok(made)),
            Err(NotMade::Taken) => {}
            Err(NotMade::Refused(skipped)) => return Ok(Err(skipped)),
            Err(NotMade::NotInstalled(Skipped { reason, remedy })) => {
                return Err(skipped(reason, remedy));
            }
        }
    }
    let message = format!("{} probes of nodes are under way by hand", node::MOST_SLOTS);
    Err(anyhow::Error::new(Hinted::new(message, "try again in a minute")).context(Undecided))
}

/// Why a node was not asked, and what would change that, where anything would.
fn skipped(reason: String, remedy: String) -> anyhow::Error {
    if remedy.is_empty() { anyhow!(reason) } else { Hinted::new(reason, remedy).into() }
}

/// Shows what is waited for. A terminal that has gone away stops nothing.
fn show(what: &str) {
    let _ = writeln!(io::stderr(), "Node        waiting {}", printable(what));
}
