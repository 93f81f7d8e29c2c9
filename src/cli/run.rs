//! `registrycheck run`: the controller as it is typed, and what it is made of.

use std::error::Error as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use kube::Config;
use tokio::net::TcpListener;
use tracing::info;

use crate::admission;
use crate::controller::{self, Clients, Settings};
use crate::probe::{self, Prober};
use crate::server::{self, Telemetry};

use super::account_tokens::AccountTokenArguments;
use super::failure::Hinted;
use super::installation::NodeProbeArguments;
use super::targets::TargetArguments;
use super::watching::WatchingArguments;
use super::webhook::WebhookArguments;
use super::{
    api_server_addresses, install_cryptography, log, parse_duration, proxies, read_certificates,
    shutdown,
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    registrycheck run --namespace registrycheck --watch-namespace shop\n  \
    KUBECONFIG=~/.kube/config registrycheck run --listen 127.0.0.1:8080")]
pub(super) struct Arguments {
    /// Where to serve /livez, /readyz and /metrics.
    #[arg(long, default_value = "0.0.0.0:8080", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The namespace of the Lease that the leader holds.
    #[arg(long, env = "POD_NAMESPACE", default_value = "registrycheck")]
    namespace: String,
    /// The name of the pod that this process runs in.
    #[arg(long, env = "POD_NAME")]
    pod_name: Option<String>,
    /// How long a check that nobody wrote is kept after its last pod recovered or went, such
    /// as 1h or 30m.
    #[arg(long, default_value = "1h", value_parser = parse_duration, value_name = "DURATION")]
    keep_recovered: std::time::Duration,
    /// How many probes of one registry begin in a second, at most, in the long run. A probe is
    /// up to ten requests. The turns go round the namespaces.
    #[arg(long, default_value = "10", value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "NUMBER")]
    probes_per_second: u32,
    /// A directory of files with certificates (PEM) to trust for registries, beside those of
    /// the system. It may be missing.
    #[arg(long, value_name = "DIRECTORY")]
    ca_directory: Option<PathBuf>,
    /// A token service outside its registry's own domain that may be sent credentials; may be
    /// given several times.
    #[arg(long = "token-host", value_name = "HOST")]
    token_hosts: Vec<String>,
    /// A registry (host or host:port) for which spec.insecure of a RegistryCheck is honoured;
    /// may be given several times.
    #[arg(long = "insecure-host", value_name = "HOST")]
    insecure_hosts: Vec<String>,
    #[command(flatten)]
    targets: TargetArguments,
    #[command(flatten)]
    watching: WatchingArguments,
    #[command(flatten)]
    node_probe: NodeProbeArguments,
    #[command(flatten)]
    account_tokens: AccountTokenArguments,
    #[command(flatten)]
    webhook: WebhookArguments,
    /// Log as JSON.
    #[arg(long)]
    log_json: bool,
}

/// Runs the controller until somebody asks it to end.
///
/// # Errors
///
/// Where it cannot start, or its server fails.
pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let limit = log::init(arguments.log_json);
    install_cryptography()?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(start(arguments, limit))
}

async fn start(arguments: Arguments, limit: log::Limit) -> anyhow::Result<()> {
    let ca_bundle_pem = match &arguments.ca_directory {
        Some(directory) => read_certificates(directory)?,
        None => Vec::new(),
    };
    let config = Config::infer().await.map_err(|error| {
        // Its own words repeat those of its source.
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        Hinted::new(
            format!("cannot find out how to reach the API server: {cause}"),
            "run it in a pod, or set KUBECONFIG",
        )
    })?;
    let prober = Prober::new(probe::Settings {
        ca_bundle_pem,
        token_hosts: arguments.token_hosts,
        forbidden: api_server_addresses(&config),
        targets: arguments.targets.targets(),
        proxies: proxies(),
        ..probe::Settings::default()
    })
    .context("cannot prepare to probe")?;
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let telemetry = Arc::new(Telemetry::new());
    let clients = Clients::new(config, telemetry.liveness())
        .context("cannot make a client of the API server")?;
    telemetry.counts_requests_of(prober.tally());
    let watched = arguments.watching.namespaces();
    let webhook = arguments.webhook.settings(&arguments.namespace, watched)?;
    let admission_clients = clients.clone();
    let admission = async move {
        match webhook {
            Some(webhook) => admission::run(&admission_clients, webhook).await,
            None => std::future::pending().await,
        }
    };
    let settings = Settings {
        node_probe: arguments.node_probe.settings(arguments.targets.targets()),
        namespace: arguments.namespace,
        watched: arguments.watching.namespaces(),
        expiry: arguments.watching.expiry(),
        identity: controller::identity(arguments.pod_name),
        keep_recovered: arguments.keep_recovered,
        probes_per_second: arguments.probes_per_second,
        insecure_hosts: arguments.insecure_hosts,
        account_tokens: arguments.account_tokens.settings(),
    };
    info!(version = env!("CARGO_PKG_VERSION"), listen = %arguments.listen, "starting");
    tokio::select! {
        served = server::serve(listener, Arc::clone(&telemetry)) => served.context("the server failed"),
        () = limit.tell() => Ok(()),
        ended = admission => ended.context("the webhook failed"),
        () = controller::run(clients, prober, settings, telemetry, shutdown()) => Ok(()),
    }
}
