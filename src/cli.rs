//! The command line: what is typed, what it starts, and with which status it ends.

mod account_tokens;
mod check;
mod cluster;
mod credentials;
mod doctor;
mod explain;
mod failure;
mod files;
mod installation;
mod log;
mod manifests;
mod node;
mod node_probe;
mod run;
mod targets;
mod watching;
mod webhook;
mod words;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use kube::Config;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::controller;
use crate::install;
use crate::probe::proxy::Proxies;

use failure::Hinted;

/// Explains why a pod cannot pull its image, and what to do about it.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the controller. Outside a cluster it uses KUBECONFIG as kubectl does.
    Run(Box<run::Arguments>),
    /// Say whether an image can be pulled from here, what stops it, and what to do.
    Check(Box<check::Arguments>),
    /// Say what this machine lacks for a login at a registry, and for a pull with Docker or Podman.
    Doctor(Box<doctor::Arguments>),
    /// Say which credentials the kubelet would use for an image, in which order, and why not
    /// the others.
    Credentials(Box<credentials::Arguments>),
    /// Print the CustomResourceDefinition of RegistryCheck.
    #[command(after_help = "Example:\n  registrycheck crd | kubectl apply --server-side -f -")]
    Crd,
    /// Print everything that an installation without Helm consists of.
    Manifests(Box<installation::Arguments>),
    /// Try an image as the node does that this runs on; the controller starts it in a pod there.
    NodeProbe(Box<node_probe::Arguments>),
    /// Say what a code means, or what the message of a failed pull says.
    Explain(explain::Explain),
    /// Print what a shell needs to complete this command line.
    #[command(after_help = "Example:\n  source <(registrycheck completions bash)")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    /// For a person.
    #[default]
    Text,
    Json,
    Yaml,
}

fn parse_duration(text: &str) -> Result<std::time::Duration, Hinted> {
    let hint = "write for example 30s, 10m or 1h30m";
    controller::duration(text).ok_or_else(|| Hinted::new(format!("{text} is no duration"), hint))
}

/// The world's state could not be read, so the question is neither answered nor wrong.
#[derive(Debug, thiserror::Error)]
#[error("undecided")]
struct Undecided;

/// Parses the arguments and runs.
pub fn main() -> ExitCode {
    let matches = command().try_get_matches();
    match matches.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(typed) => execute(typed.command).unwrap_or_else(|error| failure::tell(&error)),
        Err(error) => failure::tell_usage(&error),
    }
}

/// The name under which kubectl finds a plugin; `kubectl registrycheck` starts it.
const PLUGIN: &str = "kubectl-registrycheck";

/// The command line under the name by which it was called.
fn command() -> clap::Command {
    let called = std::env::args_os().next().unwrap_or_default();
    let is_plugin = Path::new(&called).file_stem().is_some_and(|name| name == PLUGIN);
    let command = Arguments::command();
    if is_plugin {
        command.name(PLUGIN).display_name(PLUGIN).bin_name("kubectl registrycheck")
    } else {
        command
    }
}

/// Completions are for the name that is typed first: kubectl completes its plugins itself.
fn completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut command = command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    print(&String::from_utf8_lossy(&script))
}

fn execute(command: Command) -> anyhow::Result<ExitCode> {
    leave_no_core_dump();
    match command {
        Command::Run(arguments) => run::run(*arguments)?,
        Command::Check(arguments) => return check::run(&arguments),
        Command::Doctor(arguments) => return doctor::run(&arguments),
        Command::Credentials(arguments) => return credentials::run(&arguments),
        Command::Crd => print(&install::yaml(&[install::crd()])?)?,
        Command::Manifests(arguments) => {
            print(&install::yaml(&install::manifests(&arguments.options()))?)?;
        }
        Command::NodeProbe(arguments) => return node_probe::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments)?,
        Command::Completions { shell } => completions(shell)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Whoever reads our output may stop reading.
fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}

/// The runtime of a command that asks a few things, one after the other.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

fn install_cryptography() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another cryptography provider is installed already"))
}

/// Secrets are not left on a disk by a process that ends in an error (setrlimit(2)).
fn leave_no_core_dump() {
    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    // Whoever may not lower a limit has none to lower.
    let _refused = setrlimit(Resource::Core, nothing);
}

/// The proxies of this program's environment, which are those of a container runtime with the
/// same one.
fn proxies() -> Proxies {
    #[expect(
        clippy::disallowed_methods,
        reason = "variables in two spellings that every program reads, and that may hold passwords"
    )]
    Proxies::from_variables(|name| std::env::var(name).ok())
}

/// No probe goes to the API server, whatever a pod calls its registry.
fn api_server_addresses(config: &Config) -> Vec<std::net::IpAddr> {
    let host = config.cluster_url.host().unwrap_or_default();
    host.trim_matches(['[', ']']).parse().into_iter().collect()
}

/// All certificates of a directory, file by file. A missing directory is an empty one, for
/// the ConfigMap that is mounted there is optional.
fn read_certificates(directory: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let unreadable = || format!("cannot read the directory {}", directory.display());
    let mut certificates = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        // A mounted ConfigMap has links and directories whose names begin with two dots.
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden || path.is_dir() {
            continue;
        }
        certificates.push(certificates_of(&path)?);
    }
    Ok(certificates)
}

/// The certificates of a file.
fn certificates_of(path: &Path) -> anyhow::Result<Vec<u8>> {
    let pem = std::fs::read(path)
        .with_context(|| format!("cannot read the certificates in {}", path.display()))?;
    if !pem.windows(b"BEGIN CERTIFICATE".len()).any(|window| window == b"BEGIN CERTIFICATE") {
        bail!(Hinted::new(
            format!("{} holds no certificate in PEM form", path.display()),
            "write a file that has -----BEGIN CERTIFICATE-----",
        ));
    }
    Ok(pem)
}

/// Completes when somebody asks this process to end.
async fn shutdown() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt as _;

    use super::*;
    use crate::api::RegistryCheck;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_resource_has_the_name_of_the_contract() {
        assert_eq!(RegistryCheck::crd_name(), "registrychecks.registrycheck.dev");
    }
}
