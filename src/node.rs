//! Node: the same probe on a node, in a pod of one shape, and the result that it leaves.
//!
//! Pure. [`pod`](fn@pod) is the shape, which the installation's admission policy spells out
//! again; [`payload`] is what such a pod writes into its termination message; [`progress`] is
//! what its status says. Making and removing pods is the business of [`crate::controller`].
//!
//! No secret is ever in such a pod: what it is told is an image, and what it reads is the one
//! file of the node that says as whom the kubelet logs in, and what else an operator opens to it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::image::platform::Platform;
use crate::probe::targets::Targets;

pub mod payload;
mod pod;
pub mod progress;
mod share;

pub use pod::{container_keys, pod, pod_keys};
pub use share::holds_for;

/// The namespace of the pods, which the installation makes and nothing else is in.
pub const NAMESPACE: &str = "registrycheck-node-probe";
/// The name of the one container.
pub const CONTAINER: &str = "node-probe";
/// The file of a node of AKS that says as whom its kubelet logs in at registries of Azure.
pub const AZURE_CONFIG: &str = "/etc/kubernetes/azure.json";
/// The ConfigMap with authorities to trust, in the pods' own namespace; it may be missing.
pub const CA_CONFIG_MAP: &str = "registrycheck-ca";
/// Where it is mounted.
pub const CA_DIRECTORY: &str = "/etc/registrycheck/ca";
/// The user of the image, for a probe that reads nothing of the node.
pub const USER: i64 = 65_532;
/// As whom a node's file can be read: AKS makes it root's, with mode 0600 (`AgentBaker`,
/// parts/linux/cloud-init/artifacts/cse_config.sh, `configureAzureJson`).
pub const OWNER_OF_THE_FILE: i64 = 0;
/// How many pods there may be at once, whatever the settings say.
pub const MOST_SLOTS: usize = 10;
/// How long a node may take to start a pod, its image's pull included.
pub const STARTING: Duration = Duration::from_secs(45);

/// How the pods of an installation look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Their namespace.
    pub namespace: String,
    /// Their image, which is this program's.
    pub image: String,
    /// As whom they read the node's file.
    pub user: i64,
    /// Whether they stand in the node's own network, as where its metadata service is closed
    /// to pods.
    pub host_network: bool,
    /// What else of the node they read.
    pub opened: Opened,
    /// What they may ask.
    pub targets: Targets,
}

/// What a node has beside its azure.json that decides a pull, by its paths on the node: nothing of
/// it is read unless an operator wants it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// The kubelet's configuration of its credential providers, a file.
    pub providers: Option<String>,
    /// The container runtime's directory of `hosts.toml` files.
    pub hosts: Option<String>,
}

/// What a node is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'question> {
    /// The image, or the registry for its login alone.
    pub asked: &'question str,
    /// On which node.
    pub place: &'question Place,
    /// For which platform the image is, where it is known.
    pub platform: Option<&'question Platform>,
    /// How long the probe may take once it runs.
    pub timeout: Duration,
    /// Whether it is asked as the node's identity; nothing of the node is read otherwise.
    pub as_identity: bool,
}

impl Question<'_> {
    /// How long all of it may take.
    pub fn deadline(&self) -> Duration {
        self.timeout + STARTING
    }
}

/// On which node a pod is to run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// On this one, whatever keeps other pods away from it.
    Node(String),
    /// On any that is for Linux, takes pods, and has these labels.
    Any(BTreeMap<String, String>),
}

impl Place {
    /// The node, as the subject of a sentence.
    pub fn in_words(&self) -> String {
        match self {
            Self::Node(name) => format!("node {name}"),
            Self::Any(labels) if labels.is_empty() => "a node".to_owned(),
            Self::Any(labels) => {
                let labels = labels.iter().map(|(key, value)| format!("{key}={value}"));
                format!("a node with {}", labels.collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// The name of a slot of the controller: there are a few, so that at most so many pods run, and
/// what is left over is found without a list.
pub fn slot(number: usize) -> String {
    format!("node-probe-{number}")
}

/// The name of a slot of whoever types a command.
pub fn manual_slot(number: usize) -> String {
    format!("node-probe-manual-{number}")
}
