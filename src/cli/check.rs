//! `registrycheck check`: whether an image can be pulled from here with the credentials that
//! the kubelet would use, what stops it, and what to do.
//!
//! It asks and writes nothing but what it is told to write. What the answer looks like is for
//! [`answer`] to say.

mod answer;
mod asked;
mod on_node;
mod surroundings;
mod way;

pub(super) use answer::Source;
pub(super) use asked::Asked;
pub(super) use way::Way;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::diagnose::{Subject, Verdict};
use crate::evidence::login::Login;
use crate::evidence::{Evidence, Step, Vantage};
use crate::image::ImageRef;
use crate::image::platform::Platform;
use crate::probe::{Options, Prober};
use crate::record::{self, Record, Seen, Unprobed};
use crate::resolve::hosts::{self, Endpoint};

use super::Output;
use super::failure::Hinted;
use super::node::NodeArguments;
use answer::Answer;
use surroundings::Surroundings;

/// The arguments of the command.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    registrycheck check myreg.azurecr.io/shop/api:v1 -n shop --pod api-6d4cf56db6-x2x7z\n  \
    registrycheck check myreg.azurecr.io/shop/api:v1 -f secret.yaml -o json\n  \
    registrycheck check myreg.azurecr.io --node aks-np1-2\n\n\
    The pull secrets are those of a pod, of a service account, or those named with \
    --pull-secret, read from the cluster that KUBECONFIG names; or those in the manifests given \
    with -f, and then no cluster is asked. Without any of these they are those of the service \
    account default; where no cluster is at hand, the image is tried without a credential. On a node, \
    --node-config, --credential-provider-config and --azure-config add what the kubelet tries after \
    them; where neither -f nor anything in a cluster is named, these are all there is.\n\n\
    Exit status: 0 the image can be pulled; 1 it cannot; 2 the arguments, the image or a manifest \
    are wrong; 3 undecided.")]
pub(super) struct Arguments {
    /// The image, as it is written in the pod; or a registry's host, such as
    /// registry.example.com or localhost:5000, to try the login alone.
    #[arg(value_name = "IMAGE|REGISTRY")]
    image: String,
    /// The namespace of the pod. Left out, it is the one that kubectl would use.
    #[arg(short, long, conflicts_with_all = ["filename", "anonymous"])]
    namespace: Option<String>,
    /// The context of the kubeconfig to use. Left out, it is the current one.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["filename", "anonymous"])]
    context: Option<String>,
    /// The pod whose pull secrets are used, and whose failure is to be explained.
    #[arg(long, value_name = "NAME",
        conflicts_with_all = ["service_account", "pull_secrets", "filename", "anonymous"])]
    pod: Option<String>,
    /// The service account whose pull secrets are used.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["pull_secrets", "filename", "anonymous"])]
    service_account: Option<String>,
    /// A pull secret, in the order of the pod's imagePullSecrets; may be given several times.
    #[arg(long = "pull-secret", value_name = "NAME", conflicts_with_all = ["filename", "anonymous"])]
    pull_secrets: Vec<String>,
    /// A file with the Secrets, in the order of the pod's imagePullSecrets, and at most one
    /// ServiceAccount, as YAML or JSON; - is the standard input; may be given several times.
    #[arg(short, long, value_name = "FILE", conflicts_with = "anonymous")]
    filename: Vec<PathBuf>,
    #[command(flatten)]
    node: NodeArguments,
    #[command(flatten)]
    on_node: on_node::OnNode,
    /// Use no credential.
    #[arg(long, conflicts_with_all = ["files", "credential_provider_config", "azure_config"])]
    anonymous: bool,
    /// The platform of the node that is to run the image, such as linux/amd64 or linux/arm/v7.
    /// Left out, an image of any platform will do.
    #[arg(long, value_parser = parse_platform, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// A directory in the form of containerd's /etc/containerd/certs.d: the servers that its
    /// hosts.toml names for the registry are asked in their order.
    #[arg(long, value_name = "DIR")]
    hosts_dir: Option<PathBuf>,
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Write what was seen into this file: a report of a wrong answer needs nothing else. It
    /// holds no password.
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    #[command(flatten)]
    way: Way,
}

pub(super) fn parse_platform(text: &str) -> Result<Platform, Hinted> {
    Platform::parse(text).ok_or_else(|| {
        Hinted::new(
            format!("{text} is no platform"),
            "write for example linux/amd64, or with a variant linux/arm/v7",
        )
    })
}

/// Checks, answers, and says with which status to end.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let asked = Asked::parse(&arguments.image)?;
    super::install_cryptography()?;
    let (record, surroundings) = super::runtime()?.block_on(look(arguments, &asked))?;
    answer_with(
        Some(&asked),
        &record,
        &surroundings.origin,
        arguments.output,
        arguments.evidence.as_deref(),
    )
}

/// Writes the evidence and the answer, and says with which status to end.
pub(super) fn answer_with(
    asked: Option<&Asked>,
    record: &Record,
    origin: &Source,
    output: Output,
    evidence: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    if let Some(file) = evidence {
        write_evidence(file, record)?;
    }
    let diagnosis = record.diagnose();
    let answer = Answer { asked, record, diagnosis: &diagnosis, origin };
    super::print(&match output {
        Output::Text => answer.text(),
        Output::Json => serde_json::to_string_pretty(&answer.document())? + "\n",
        Output::Yaml => serde_yaml_ng::to_string(&answer.document())?,
    })?;
    Ok(match diagnosis.verdict {
        Verdict::Pullable => ExitCode::SUCCESS,
        Verdict::NotPullable => ExitCode::from(1),
        Verdict::Undecided => ExitCode::from(3),
    })
}

/// Reads what belongs to the image, and asks its registry where that has not decided.
async fn look(arguments: &Arguments, asked: &Asked) -> anyhow::Result<(Record, Surroundings)> {
    let image = &asked.image();
    let mut surroundings = surroundings::read(arguments, image).await?;
    let prober = arguments.way.prober(asked.registry(), &surroundings.api_server)?;
    let mut record = Record {
        version: record::VERSION,
        namespace: surroundings.namespace.clone(),
        complaint: surroundings.complaint.clone(),
        fresh: surroundings.fresh,
        laxity: arguments.way.laxity(),
        seen: Seen::Unprobed(Unprobed { image: image.clone(), gaps: Vec::new() }),
    };
    let access = surroundings.access(image).await;
    let complaint = surroundings.complaint.as_ref();
    let subject = Subject { namespace: &surroundings.namespace, image, complaint };
    let observer = observer(arguments.output);
    let of_node = if record::explained(subject, &access.gaps).is_some() {
        None
    } else {
        let (context, shows) = (arguments.context.as_deref(), shows_progress(arguments.output));
        arguments.on_node.ask(context, asked, arguments.way.timeout, shows).await?
    };
    let of_the_node = of_node.as_ref().and_then(|of_node| of_node.platform.clone());
    let platform = arguments.platform.as_ref().or(of_the_node.as_ref());
    let endpoints = endpoints(arguments.hosts_dir.as_deref(), image, &prober)?;
    let basic = Options::within(arguments.way.timeout, time_of_day());
    let options = Options { platform, endpoints: &endpoints, observer, ..basic };
    record.seen = if record::explained(subject, &access.gaps).is_some() {
        Seen::Unprobed(Unprobed { image: image.clone(), gaps: access.gaps })
    } else {
        match (asked, of_node) {
            (Asked::Registry(_), Some(of_node)) => {
                surroundings.origin = Source::OnNode(of_node.node.clone());
                of_node.seen()?
            }
            (Asked::Registry(registry), None) => {
                let login = prober.log_in(registry, &access, options).await;
                Seen::Login(Box::new(Login { vantage: Vantage::Here, ..login }))
            }
            (Asked::Image(image), of_node) => {
                let unattached = surroundings.unattached(image);
                let (evidence, _) = prober.probe_for_pod(image, &access, unattached, options).await;
                let node = of_node.map(|of_node| Box::new(of_node.view()));
                Seen::Evidence(Box::new(Evidence { vantage: Vantage::Here, node, ..evidence }))
            }
        }
    };
    Ok((record, surroundings))
}

/// The servers that a directory of hosts.toml files names for the image, where one is given.
pub(super) fn endpoints(
    directory: Option<&Path>,
    image: &ImageRef,
    prober: &Prober,
) -> anyhow::Result<Vec<Endpoint>> {
    let Some(directory) = directory else { return Ok(Vec::new()) };
    let endpoints = hosts::read(directory, image)?;
    prober
        .takes(&endpoints)
        .context("cannot use the certificates that the hosts directory names")?;
    Ok(endpoints)
}

#[expect(clippy::disallowed_methods, reason = "whoever types a command means now")]
pub(super) fn time_of_day() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

fn shows_progress(output: Output) -> bool {
    matches!(output, Output::Text) && io::stderr().is_terminal()
}

/// Who is told of each step: a person at a terminal.
pub(super) fn observer(output: Output) -> &'static (dyn Fn(&Step) + Sync) {
    if shows_progress(output) { &show } else { &|_| {} }
}

/// Shows a step as it happens. A terminal that has gone away stops nothing.
fn show(step: &Step) {
    let _ = writeln!(io::stderr(), "{}", answer::step_line(step));
}

fn write_evidence(file: &Path, record: &Record) -> anyhow::Result<()> {
    let text = record.to_yaml().context("cannot write the evidence as YAML")?;
    std::fs::write(file, text)
        .with_context(|| format!("cannot write the evidence to {}", file.display()))
}
