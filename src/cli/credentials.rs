//! `registrycheck credentials`: which credentials the kubelet would use for an image, in which
//! order, and why not the others.
//!
//! The secrets come from manifests, from a cluster, or from the lines of a batch. No output
//! and no error holds a password, nor any part of what was read that could be one.

mod answer;
mod batch;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::ensure;
use clap::Args;

use crate::access::Access;
use crate::image::ImageRef;
use crate::resolve::{Fetched, keyring};

use super::files::{self, Given};
use super::node::NodeArguments;
use super::words::Origin;
use super::{Output, cluster};
use answer::Answer;

/// The arguments of the command.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    registrycheck credentials myreg.azurecr.io/shop/api:v1 -n shop --service-account runner\n  \
    registrycheck credentials myreg.azurecr.io/shop/api:v1 -f secret.yaml\n\n\
    The secrets are those of a service account in a namespace, or those named \
    with --pull-secret, read from the cluster that KUBECONFIG names; or those in the manifests \
    given with -f, and then no cluster is asked. On a node, --node-config, --credential-provider-config \
    and --azure-config add what the kubelet tries after them; where neither -f nor anything in a \
    cluster is named, these are all there is. An identity of Azure is named and not asked for a \
    token.\n\nExit status: 0 the answer is certain; 1 the \
    kubelet pulls nothing, because a secret cannot be read; 2 the arguments, the image or a \
    manifest are wrong; 3 undecided, because a secret could not be had from the cluster.")]
pub(super) struct Arguments {
    /// The image, as it is written in the pod.
    #[arg(required_unless_present = "batch", conflicts_with = "batch")]
    image: Option<String>,
    /// The namespace of the pod. Left out, it is the one that kubectl would use.
    #[arg(short, long, conflicts_with_all = ["filename", "batch"])]
    namespace: Option<String>,
    /// The service account whose pull secrets are used.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["pull_secrets", "filename", "batch"])]
    service_account: Option<String>,
    /// A pull secret, in the order of the pod's imagePullSecrets; may be given several times.
    #[arg(long = "pull-secret", value_name = "NAME", conflicts_with_all = ["filename", "batch"])]
    pull_secrets: Vec<String>,
    /// A file with the Secrets, in the order of the pod's imagePullSecrets, as YAML or JSON; -
    /// is the standard input; may be given several times.
    #[arg(short, long, value_name = "FILE", conflicts_with = "batch")]
    filename: Vec<PathBuf>,
    #[command(flatten)]
    node: NodeArguments,
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t, conflicts_with = "batch")]
    output: Output,
    /// Answer each line of the standard input, {"id","image","secrets":[{"name","type",
    /// "data"}]}, with a line {"id","error","repository","credentials":[{"username",
    /// "passwordSha256","secret"}]}.
    #[arg(long)]
    batch: bool,
}

impl Arguments {
    /// Whether something in a cluster is asked for by its name.
    fn names_cluster(&self) -> bool {
        self.namespace.is_some() || self.service_account.is_some() || !self.pull_secrets.is_empty()
    }
}

/// Answers, and says with which status to end.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let node = arguments.node.read()?;
    if arguments.batch {
        ensure!(node.is_none(), "--batch answers for pull secrets alone, not for a node");
        batch::answer_all(io::stdin().lock(), io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    let image = ImageRef::parse(arguments.image.as_deref().unwrap_or_default())?;
    let (origin, secrets, account) = if !arguments.filename.is_empty() {
        let Given { origin, secrets, account } =
            files::read(&arguments.filename, arguments.node.wants_account())?;
        (Some(origin), keyring::lookup(&secrets, &image), account)
    } else if node.is_none() || arguments.names_cluster() {
        let (origin, fetched) = from_cluster(arguments)?;
        (Some(origin), fetched.access(&image), fetched.account().cloned())
    } else {
        (None, Access::default(), None)
    };
    let account = arguments.node.with_token(account)?;
    let with_node = node.is_some();
    let access = match node {
        Some(node) => {
            let access = node.access_after(secrets, &image, account.as_ref());
            super::runtime()?.block_on(access)
        }
        None => secrets,
    };
    let answer = Answer::new(&image, origin, with_node, access);
    super::print(&match arguments.output {
        Output::Text => answer.text(),
        Output::Json => serde_json::to_string_pretty(&answer.document())? + "\n",
        Output::Yaml => serde_yaml_ng::to_string(&answer.document())?,
    })?;
    Ok(answer.status())
}

fn from_cluster(arguments: &Arguments) -> anyhow::Result<(Origin, Fetched)> {
    super::install_cryptography()?;
    super::runtime()?.block_on(fetch(arguments))
}

async fn fetch(arguments: &Arguments) -> anyhow::Result<(Origin, Fetched)> {
    let config = cluster::config(None).await?;
    let namespace = cluster::namespace(arguments.namespace.as_deref(), &config)?;
    let source = cluster::source(arguments.service_account.as_deref(), &arguments.pull_secrets)?;
    let client = cluster::client(config)?;
    let fetched = cluster::fetch(&client, &namespace, &source).await?;
    Ok((Origin::Cluster { namespace, source }, fetched))
}
