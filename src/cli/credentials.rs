//! `registrycheck credentials`: which credentials the kubelet would use for an image, in which
//! order, and why not the others.
//!
//! The secrets come from manifests, from a cluster, or from the lines of a batch. No output
//! and no error holds a password, nor any part of what was read that could be one.

mod answer;
mod batch;
mod manifests;

use std::error::Error as _;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use clap::{Args, ValueEnum};
use kube::Config;

use crate::access::Access;
use crate::controller::Clients;
use crate::image::{self, ImageRef};
use crate::resolve::{self, keyring};
use crate::target::SecretSource;

use super::Undecided;
use answer::{Answer, Origin};

/// The service account of pods that name none.
const DEFAULT_ACCOUNT: &str = "default";

/// The arguments of the command.
#[derive(Debug, Args)]
#[command(
    after_help = "The secrets are those of a service account in a namespace, or those named \
    with --pull-secret, read from the cluster that KUBECONFIG names; or those in the manifests \
    given with -f, and then no cluster is asked.\n\nExit status: 0 the answer is certain; 1 the \
    kubelet pulls nothing, because a secret cannot be read; 2 the arguments, the image or a \
    manifest are wrong; 3 undecided, because a secret could not be had from the cluster."
)]
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
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t, conflicts_with = "batch")]
    output: Output,
    /// Answer each line of the standard input, {"id","image","secrets":[{"name","type",
    /// "data"}]}, with a line {"id","error","repository","credentials":[{"username",
    /// "passwordSha256","secret"}]}.
    #[arg(long)]
    batch: bool,
}

/// The form of the answer.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    /// For a person.
    #[default]
    Text,
    Json,
    Yaml,
}

/// Answers, and says with which status to end.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.batch {
        batch::answer_all(io::stdin().lock(), io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    let image = ImageRef::parse(arguments.image.as_deref().unwrap_or_default())?;
    let (origin, access) = if arguments.filename.is_empty() {
        from_cluster(arguments, &image)?
    } else {
        from_files(&arguments.filename, &image)?
    };
    let answer = Answer::new(&image, origin, access);
    super::print(&match arguments.output {
        Output::Text => answer.text(),
        Output::Json => serde_json::to_string_pretty(&answer.document())? + "\n",
        Output::Yaml => serde_yaml_ng::to_string(&answer.document())?,
    })?;
    Ok(answer.status())
}

fn from_files(files: &[PathBuf], image: &ImageRef) -> anyhow::Result<(Origin, Access)> {
    let mut secrets = Vec::new();
    for file in files {
        let shown = name_of(file);
        let mut content = Vec::new();
        if is_standard_input(file) {
            io::stdin().lock().read_to_end(&mut content).map(drop)
        } else {
            std::fs::read(file).map(|read| content = read)
        }
        .with_context(|| format!("cannot read {shown}"))?;
        let found = manifests::secrets(&content)
            .map_err(|problem| anyhow::anyhow!("cannot use {shown}: {problem}"))?;
        ensure!(!found.is_empty(), "cannot use {shown}: there is no Secret in it");
        secrets.extend(found);
    }
    let names = files.iter().map(|file| name_of(file)).collect();
    Ok((Origin::Files(names), keyring::lookup(&secrets, image)))
}

fn is_standard_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn name_of(file: &Path) -> String {
    if is_standard_input(file) { "standard input".to_owned() } else { file.display().to_string() }
}

fn from_cluster(arguments: &Arguments, image: &ImageRef) -> anyhow::Result<(Origin, Access)> {
    super::install_cryptography()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(fetch(arguments, image))
}

async fn fetch(arguments: &Arguments, image: &ImageRef) -> anyhow::Result<(Origin, Access)> {
    let config = Config::infer().await.map_err(|error| {
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        anyhow::anyhow!(
            "cannot find out how to reach the API server: set KUBECONFIG, or give the secrets \
             with -f: {cause}"
        )
    })?;
    let namespace = arguments.namespace.as_ref().unwrap_or(&config.default_namespace).clone();
    check_name("namespace", &namespace)?;
    let source = if arguments.pull_secrets.is_empty() {
        let account = arguments.service_account.as_deref().unwrap_or(DEFAULT_ACCOUNT);
        check_name("service account", account)?;
        SecretSource::Account(account.to_owned())
    } else {
        SecretSource::Listed(arguments.pull_secrets.clone())
    };
    let client = Clients::new(config).context("cannot make a client of the API server")?.requests;
    let fetched = resolve::fetch(&client, &namespace, &source).await.context(Undecided)?;
    if let SecretSource::Account(account) = &source
        && fetched.lacks_account()
    {
        return Err(anyhow::anyhow!(
            "service account {account} does not exist in namespace {namespace}, or may not be read"
        )
        .context(Undecided));
    }
    Ok((Origin::Cluster { namespace, source }, fetched.access(image)))
}

fn check_name(what: &str, name: &str) -> anyhow::Result<()> {
    if !image::is_object_name(name) {
        let name = answer::printable(name);
        bail!("no {what} can be called {name}: write lower-case letters, digits, - and .");
    }
    Ok(())
}

/// Base64 as the API server takes it (encoding/json of Go, `[]byte`): padded, line breaks and
/// what is left in the last bits count for nothing.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
    );
    let text: String = text.chars().filter(|character| !matches!(character, '\r' | '\n')).collect();
    LENIENT.decode(text).ok()
}
