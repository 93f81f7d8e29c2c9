//! What the same probe saw from the node of a failing pod.

use serde::{Deserialize, Serialize};

use super::Evidence;

/// The node's view of a pull, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeView {
    /// The node; empty where any would do and none was found.
    pub node: String,
    /// Whether the probe stood in the node's own network.
    pub host_network: bool,
    /// What came of it.
    pub seen: NodeSeen,
}

/// What came of a probe on a node. None of the pull secrets is tried there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum NodeSeen {
    /// It was made.
    Walked {
        /// What it saw.
        evidence: Box<Evidence>,
    },
    /// It was not made, or said nothing.
    Skipped {
        /// Why, as a clause: `the node probe is off`.
        reason: String,
        /// What would decide it, in sentences; it may be empty.
        remedy: String,
    },
}
