//! The platform of a node, as its kubelet reports it.

use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client};

use crate::image;
use crate::image::platform::Platform;

use super::Error;

/// Reads for which platform a node takes images (`status.nodeInfo`). `None` where the node is
/// gone, or may not be read, as where this controller has rights in one namespace only: its
/// platform is then unknown.
///
/// # Errors
///
/// Where the API server does not answer, or answers with anything but the object, 404 or 403.
pub async fn platform(client: &Client, node: &str) -> Result<Option<Platform>, Error> {
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
    let information = found.and_then(|node| node.status?.node_info);
    Ok(information.and_then(|told| {
        Platform::parse(&format!("{}/{}", told.operating_system, told.architecture))
    }))
}
