//! What belongs to an image: its pull secrets, and the pod that waits for it.

use std::net::IpAddr;

use anyhow::{Context as _, bail};
use kube::{Api, Client, Config};

use crate::access::{Access, Unattached};
use crate::cli::failure::Hinted;
use crate::cli::files::{self, Given};
use crate::cli::node::NodeArguments;
use crate::cli::words::{Origin, printable};
use crate::cli::{Undecided, api_server_addresses, cluster};
use crate::complaint::Complaint;
use crate::image::ImageRef;
use crate::resolve::Fetched;
use crate::resolve::azure::Account;
use crate::resolve::keyring::{self, PullSecret};
use crate::resolve::node::Node;
use crate::target;
use crate::target::pod::Pod;

use super::Arguments;
use super::answer::Source;

/// The namespace in commands to paste where nobody has said which.
const SOME_NAMESPACE: &str = "NAMESPACE";

/// What belongs to an image.
pub(super) struct Surroundings {
    /// The namespace, for commands to paste.
    pub(super) namespace: String,
    /// Where the secrets come from.
    pub(super) origin: Source,
    /// What the kubelet says of the pod.
    pub(super) complaint: Option<Complaint>,
    /// Whether these are the words of an attempt that has just failed.
    pub(super) fresh: bool,
    /// The addresses of the API server, which is no registry.
    pub(super) api_server: Vec<IpAddr>,
    secrets: Secrets,
    node: Option<Node>,
    /// The pod's service account, with its token where one is given.
    account: Option<Account>,
}

enum Secrets {
    Read(Vec<PullSecret>),
    Fetched(Fetched),
}

impl Surroundings {
    fn of_secrets(origin: Source, secrets: Vec<PullSecret>) -> Self {
        Self {
            namespace: SOME_NAMESPACE.to_owned(),
            origin,
            complaint: None,
            fresh: false,
            api_server: Vec::new(),
            secrets: Secrets::Read(secrets),
            node: None,
            account: None,
        }
    }

    /// The same with what a node has beside it, and a service account's token for that.
    fn with_node(self, arguments: &NodeArguments, node: Option<Node>) -> anyhow::Result<Self> {
        let origin = match node {
            Some(_) => Source::WithNode(Box::new(self.origin)),
            None => self.origin,
        };
        let account = match &self.secrets {
            Secrets::Read(_) => self.account,
            Secrets::Fetched(fetched) => fetched.account().cloned(),
        };
        let account = arguments.with_token(account)?;
        Ok(Self { origin, node, account, ..self })
    }

    /// The credentials for the image, in the kubelet's order.
    pub(super) async fn access(&self, image: &ImageRef) -> Access {
        let secrets = match &self.secrets {
            Secrets::Read(secrets) => keyring::lookup(secrets, image),
            Secrets::Fetched(fetched) => fetched.access(image),
        };
        match &self.node {
            Some(node) => node.access_after(secrets, image, self.account.as_ref()).await,
            None => secrets,
        }
    }

    /// What the pod's service account lists for the image and the pod does not.
    pub(super) fn unattached(&self, image: &ImageRef) -> Unattached {
        match &self.secrets {
            Secrets::Read(_) => Unattached::default(),
            Secrets::Fetched(fetched) => fetched.unattached(image),
        }
    }
}

/// Reads what belongs to an image, from where the arguments say.
pub(super) async fn read(arguments: &Arguments, image: &ImageRef) -> anyhow::Result<Surroundings> {
    let Arguments { namespace, context, pod, service_account, pull_secrets, filename, .. } =
        arguments;
    let node = arguments.node.read()?;
    if arguments.anonymous {
        return Ok(Surroundings::of_secrets(Source::Anonymous, Vec::new()));
    }
    if !filename.is_empty() {
        let Given { origin, secrets, account } =
            files::read(filename, arguments.node.wants_account())?;
        let given = Surroundings::of_secrets(Source::Secrets(origin), secrets);
        return Surroundings { account, ..given }.with_node(&arguments.node, node);
    }
    let asks_cluster = [namespace, context, pod, service_account].into_iter().any(Option::is_some)
        || !pull_secrets.is_empty();
    if node.is_some() && !asks_cluster {
        let account = arguments.node.with_token(None)?;
        let alone = Surroundings::of_secrets(Source::Node, Vec::new());
        return Ok(Surroundings { node, account, ..alone });
    }
    if !asks_cluster && !cluster::is_at_hand().await {
        return Ok(Surroundings::of_secrets(Source::NoCluster, Vec::new()));
    }
    let config = cluster::config(context.as_deref()).await?;
    in_cluster(arguments, image, config).await?.with_node(&arguments.node, node)
}

async fn in_cluster(
    arguments: &Arguments,
    image: &ImageRef,
    config: Config,
) -> anyhow::Result<Surroundings> {
    let namespace = cluster::namespace(arguments.namespace.as_deref(), &config)?;
    let api_server = api_server_addresses(&config);
    let client = cluster::client(config)?;
    let mut complaint = None;
    let mut fresh = false;
    let (origin, source) = if let Some(name) = &arguments.pod {
        cluster::check_name("pod", name)?;
        let state = target::read_pod(&pod(&client, &namespace, name).await?);
        let mut waits = state.failing.waits.iter().cloned();
        if let Some(wait) = waits.find(|wait| wait.image == image.as_written()) {
            complaint = Some(wait.complaint);
            fresh = wait.fresh;
        }
        let (namespace, pod) = (namespace.clone(), name.clone());
        (Source::Pod { namespace, pod }, state.failing.secrets())
    } else {
        let source =
            cluster::source(arguments.service_account.as_deref(), &arguments.pull_secrets)?;
        let origin = Origin::Cluster { namespace: namespace.clone(), source: source.clone() };
        (Source::Secrets(origin), source)
    };
    let fetched = cluster::fetch(&client, &namespace, &source).await?;
    let secrets = Secrets::Fetched(fetched);
    let given = Surroundings::of_secrets(origin, Vec::new());
    Ok(Surroundings { namespace, complaint, fresh, api_server, secrets, ..given })
}

async fn pod(client: &Client, namespace: &str, name: &str) -> anyhow::Result<Pod> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let read = api.get_opt(name).await;
    let read = read.with_context(|| format!("cannot read pod {namespace}/{name}"));
    match read.context(Undecided)? {
        Some(pod) => Ok(pod),
        None => bail!(Hinted::new(
            format!("pod {} does not exist in namespace {namespace}", printable(name)),
            format!("to see those that do: kubectl get pods -n {namespace}"),
        )),
    }
}
