//! What an installation consists of, as it is typed: for its manifests, and for the controller
//! that runs in it.

use clap::Args;

use crate::controller::node::NodeProbe;
use crate::image::{ImageError, ImageRef};
use crate::install;
use crate::node::{NAMESPACE, OWNER_OF_THE_FILE, Opened, Shape};
use crate::probe::targets::Targets;

use super::account_tokens::AccountTokenArguments;
use super::failure::Hinted;
use super::targets::TargetArguments;

/// The arguments of `registrycheck manifests`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    registrycheck manifests | kubectl apply -f -\n  \
    registrycheck manifests --no-node-probe --deny-target=10.0.0.0/8 | kubectl apply -f -")]
pub(super) struct Arguments {
    /// Leave out the node probe: its namespace, its right to make pods there and its admission
    /// policies.
    #[arg(long, conflicts_with_all = ["node_probe_image", "node_probe_host_network",
        "node_probe_user", "node_probe_credential_provider_config", "node_probe_hosts_dir"])]
    no_node_probe: bool,
    #[command(flatten)]
    pods: NodeProbePods,
    #[command(flatten)]
    targets: TargetArguments,
    #[command(flatten)]
    account_tokens: AccountTokenArguments,
}

/// How the pods of the node probe look. The admission policy admits no other.
#[derive(Debug, Args)]
pub(super) struct NodeProbePods {
    /// The image of the node probe's pods, which is this program's.
    #[arg(long = "node-probe-image", id = "node_probe_image", default_value = install::IMAGE, value_parser = parse_image,
        value_name = "IMAGE")]
    image: String,
    /// Whether they stand in the node's own network, as where its metadata service is closed to
    /// pods.
    #[arg(long = "node-probe-host-network", id = "node_probe_host_network", value_name = "BOOL", default_value = "false",
        default_missing_value = "true", num_args = 0..=1, require_equals = true,
        action = clap::ArgAction::Set)]
    host_network: bool,
    /// As whom they read the node's azure.json; AKS lets only root read it.
    #[arg(long = "node-probe-user", id = "node_probe_user", default_value_t = OWNER_OF_THE_FILE, value_name = "UID",
        value_parser = clap::value_parser!(i64).range(0..=i64::from(i32::MAX)))]
    user: i64,
    /// A file of each node that they read too, which is the kubelet's
    /// --image-credential-provider-config, such as
    /// /var/lib/kubelet/credential-provider-config.yaml: for which registries the node's identity
    /// counts. No program that it names is run.
    #[arg(long = "node-probe-credential-provider-config", id = "node_probe_credential_provider_config",
        value_parser = parse_path, value_name = "FILE")]
    providers: Option<String>,
    /// A directory of each node that they read too, with the hosts.toml files of its container
    /// runtime, such as /etc/containerd/certs.d.
    #[arg(long = "node-probe-hosts-dir", id = "node_probe_hosts_dir", value_parser = parse_path,
        value_name = "DIR")]
    hosts: Option<String>,
}

impl NodeProbePods {
    pub(super) fn host_network(&self) -> bool {
        self.host_network
    }

    pub(super) fn shape(&self, namespace: &str, targets: Targets) -> Shape {
        Shape {
            namespace: namespace.to_owned(),
            image: self.image.clone(),
            user: self.user,
            host_network: self.host_network,
            opened: Opened { providers: self.providers.clone(), hosts: self.hosts.clone() },
            targets,
        }
    }
}

impl Arguments {
    pub(super) fn options(&self) -> install::Options {
        let targets = self.targets.targets();
        let shape = || self.pods.shape(NAMESPACE, targets.clone());
        let tokens = self.account_tokens.settings();
        install::Options {
            node_probe: (!self.no_node_probe).then(shape),
            targets,
            account_tokens: (!tokens.accounts.is_empty()).then_some(tokens),
        }
    }
}

/// How the controller asks nodes.
#[derive(Debug, Args)]
pub(super) struct NodeProbeArguments {
    /// Ask nodes too, each in a pod of its own, where what they themselves have could decide.
    #[arg(long = "node-probe", id = "node_probe", value_name = "BOOL", default_value = "false",
        default_missing_value = "true", num_args = 0..=1, require_equals = true,
        action = clap::ArgAction::Set)]
    is_on: bool,
    /// The namespace of these pods, which the installation makes.
    #[arg(long = "node-probe-namespace", id = "node_probe_namespace", default_value = NAMESPACE, value_name = "NAMESPACE")]
    namespace: String,
    /// How many of them may run at once, at most 10.
    #[arg(long = "node-probe-limit", id = "node_probe_limit", default_value_t = 3, value_name = "NUMBER",
        value_parser = clap::value_parser!(u8).range(1..=10))]
    limit: u8,
    /// Whether spec.nodeSelector of a RegistryCheck chooses the node that is asked about
    /// spec.images.
    #[arg(long = "node-probe-allow-node-selector", id = "node_probe_allow_node_selector", value_name = "BOOL", default_value = "false",
        default_missing_value = "true", num_args = 0..=1, require_equals = true,
        action = clap::ArgAction::Set)]
    allow_node_selector: bool,
    #[command(flatten)]
    pods: NodeProbePods,
}

impl NodeProbeArguments {
    /// The settings; `None` where no node is asked.
    pub(super) fn settings(&self, targets: Targets) -> Option<NodeProbe> {
        self.is_on.then(|| NodeProbe {
            shape: self.pods.shape(&self.namespace, targets),
            limit: self.limit.into(),
            allow_node_selector: self.allow_node_selector,
        })
    }
}

/// A path of a node. It stands in a policy as it is.
fn parse_path(text: &str) -> Result<String, Hinted> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    let names_one = !text.split('/').any(|part| part == "..");
    if text.starts_with('/') && text.len() > 1 && names_one && text.bytes().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err(Hinted::new(
            format!("{text} is no path of a node"),
            "write it from / on, of letters, digits, dots, hyphens and underscores",
        ))
    }
}

/// What no reference of an image is would be no text of a policy either.
fn parse_image(text: &str) -> Result<String, ImageError> {
    ImageRef::parse(text).map(|_| text.to_owned())
}
