//! The arguments that say where a node's own credentials are.

use std::path::PathBuf;

use clap::Args;

use crate::resolve::node::{Node, Places, ProviderPlaces};

/// Where a node's own credentials are. Without any of these no node is looked at.
#[derive(Debug, Args)]
pub(super) struct NodeArguments {
    /// A file of the node with credentials, called .dockercfg or in the form of Docker's
    /// config.json; may be given several times, in the kubelet's order: /var/lib/kubelet, its
    /// working directory, the home of its user, /.
    #[arg(long = "node-config", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The kubelet's --image-credential-provider-config: the providers that match the image are
    /// run from here.
    #[arg(long, value_name = "FILE", requires = "credential_provider_bin_dir")]
    credential_provider_config: Option<PathBuf>,
    /// The kubelet's --image-credential-provider-bin-dir.
    #[arg(long, value_name = "DIR", requires = "credential_provider_config")]
    credential_provider_bin_dir: Option<PathBuf>,
}

impl NodeArguments {
    /// The node that they describe, if they do.
    pub(super) fn read(&self) -> anyhow::Result<Option<Node>> {
        let providers =
            self.credential_provider_config.clone().zip(self.credential_provider_bin_dir.clone());
        if self.files.is_empty() && providers.is_none() {
            return Ok(None);
        }
        let providers =
            providers.map(|(configuration, directory)| ProviderPlaces { configuration, directory });
        Ok(Some(Node::read(Places { files: self.files.clone(), providers })?))
    }
}
