//! `registrycheck node-probe`: what the pod on a node runs.
//!
//! It asks as the node does, with what the node has and with no pull secret, and leaves what it
//! saw where the kubelet takes a container's last words from. It decides nothing.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use crate::access::Access;
use crate::evidence::Evidence;
use crate::evidence::Vantage;
use crate::evidence::login::Login;
use crate::image::platform::Platform;
use crate::node::payload;
use crate::probe::{self, Options, Prober};
use crate::record::Seen;

use super::check::{Asked, endpoints, parse_platform, time_of_day};
use super::node::NodeArguments;
use super::targets::TargetArguments;

/// The arguments of the command.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The image; or a registry's host, for the login alone.
    #[arg(value_name = "IMAGE|REGISTRY")]
    image: String,
    #[command(flatten)]
    node: NodeArguments,
    #[command(flatten)]
    targets: TargetArguments,
    /// The platform of the node. Left out, an image of any platform will do.
    #[arg(long, value_parser = parse_platform, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// How long it may take, such as 20s.
    #[arg(long, default_value = "20s", value_parser = super::parse_duration, value_name = "DURATION")]
    timeout: Duration,
    /// A directory of files with certificates (PEM) to trust for registries, beside those of the
    /// system. It may be missing.
    #[arg(long, value_name = "DIRECTORY")]
    ca_directory: Option<PathBuf>,
    /// A directory in the form of containerd's /etc/containerd/certs.d: the servers that its
    /// hosts.toml names for the registry are asked in their order.
    #[arg(long, value_name = "DIR")]
    hosts_dir: Option<PathBuf>,
    /// Where to leave the result.
    #[arg(long, default_value = "/dev/termination-log", value_name = "FILE")]
    output: PathBuf,
    /// The address of the API server, to which no probe goes.
    #[arg(long, env = "KUBERNETES_SERVICE_HOST", hide = true)]
    api_server: Option<String>,
}

/// Asks, and leaves what was seen.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let asked = Asked::parse(&arguments.image)?;
    super::install_cryptography()?;
    let seen = super::runtime()?.block_on(look(arguments, &asked))?;
    let payload = payload::write(seen)?;
    std::fs::write(&arguments.output, payload)
        .with_context(|| format!("cannot write the result to {}", arguments.output.display()))?;
    Ok(ExitCode::SUCCESS)
}

async fn look(arguments: &Arguments, asked: &Asked) -> anyhow::Result<Seen> {
    let ca_bundle_pem = match &arguments.ca_directory {
        Some(directory) => super::read_certificates(directory)?,
        None => Vec::new(),
    };
    let api_server = arguments.api_server.as_deref().and_then(|host| host.parse::<IpAddr>().ok());
    let prober = Prober::new(probe::Settings {
        ca_bundle_pem,
        forbidden: api_server.into_iter().collect(),
        targets: arguments.targets.targets(),
        proxies: super::proxies(),
        ..probe::Settings::default()
    })
    .context("cannot prepare to probe")?;
    let image = asked.image();
    let access = match arguments.node.read()? {
        Some(node) => node.access_after(Access::default(), &image, None).await,
        None => Access::default(),
    };
    let endpoints = endpoints(arguments.hosts_dir.as_deref(), &image, &prober)?;
    let basic = Options::within(arguments.timeout, time_of_day());
    let platform = arguments.platform.as_ref();
    let options = Options { platform, endpoints: &endpoints, ..basic };
    Ok(match asked {
        Asked::Image(image) => {
            let evidence = prober.probe(image, &access, options).await;
            Seen::Evidence(Box::new(Evidence { vantage: Vantage::Node, ..evidence }))
        }
        Asked::Registry(registry) => {
            let login = prober.log_in(registry, &access, options).await;
            Seen::Login(Box::new(Login { vantage: Vantage::Node, ..login }))
        }
    })
}
