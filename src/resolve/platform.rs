//! What a node's object says of it: its platform, and its pool.

use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client};

use crate::image;
use crate::image::platform::Platform;

use super::Error;

/// The labels that name a node's pool, in the order in which they are looked for (AKS, "Use
/// labels in an AKS cluster").
const POOL_LABELS: [&str; 2] = ["kubernetes.azure.com/agentpool", "agentpool"];

/// What is known of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// For which platform it takes images (`status.nodeInfo`).
    pub platform: Option<Platform>,
    /// The pool that it is of, whose nodes are alike.
    pub pool: Option<String>,
}

/// Reads what is known of a node. `None` where it is gone, or may not be read, as where this
/// controller has rights in one namespace only.
///
/// # Errors
///
/// Where the API server does not answer, or answers with anything but the object, 404 or 403.
pub async fn facts(client: &Client, node: &str) -> Result<Option<NodeFacts>, Error> {
    if !image::is_object_name(node) {
        return Ok(None);
    }
    let api: Api<Node> = Api::all(client.clone());
    let found = match api.get_opt(node).await {
        Ok(found) => found,
        Err(kube::Error::Api(status)) if status.is_forbidden() => None,
        Err(source) => {
            return Err(Error::ReadNode { name: node.to_owned(), source: Box::new(source) });
        }
    };
    Ok(found.map(|node| {
        let labels = node.metadata.labels.unwrap_or_default();
        let information = node.status.and_then(|status| status.node_info);
        NodeFacts {
            platform: information.and_then(|told| {
                Platform::parse(&format!("{}/{}", told.operating_system, told.architecture))
            }),
            pool: POOL_LABELS.iter().find_map(|label| labels.get(*label).cloned()),
        }
    }))
}
