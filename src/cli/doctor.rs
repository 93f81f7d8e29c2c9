//! `registrycheck doctor`: whether the machine on which it is typed has what a login at a registry
//! takes, and what comes of that login from there.
//!
//! It asks and writes nothing but what it is told to write. The login is that of
//! [`check`], and so is the answer.

mod environment;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;

use crate::evidence::Vantage;
use crate::evidence::login::Login;
use crate::evidence::workstation::Workstation;
use crate::image::Host;
use crate::probe::Options;
use crate::record::{self, Record, Seen};
use crate::workstation::{self, Found};

use super::Output;
use super::check::{self, Asked, Source, Way};
use super::failure::Hinted;
use environment::EnvironmentArguments;

/// The arguments of the command.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    registrycheck doctor\n  \
    registrycheck doctor myreg.azurecr.io\n\n\
    It asks the container engines of this machine for their versions, reads the \
    files in which Docker's client and Podman keep logins, and asks their credential helpers. With \
    a registry it says which login each of the two sends there, and tries these: the registry's \
    name, the connection, the certificate, the challenge, and a token.\n\n\
    Exit status: 0 nothing stands in the way; 1 something does; 2 the arguments are wrong; 3 \
    undecided.")]
pub(super) struct Arguments {
    /// The registry's host, such as registry.example.com or localhost:5000. Left out, only this
    /// machine is looked at.
    registry: Option<String>,
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Write what was seen into this file: a report of a wrong answer needs nothing else. It
    /// holds no password.
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    #[command(flatten)]
    way: Way,
    #[command(flatten)]
    environment: EnvironmentArguments,
}

/// Looks, answers, and says with which status to end.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let asked = arguments.registry.as_deref().map(parse).transpose()?;
    super::install_cryptography()?;
    let workstation = super::runtime()?.block_on(look(arguments, asked.as_ref()))?;
    let record = Record {
        version: record::VERSION,
        namespace: "NAMESPACE".to_owned(),
        complaint: None,
        fresh: false,
        laxity: arguments.way.laxity(),
        seen: Seen::Workstation(Box::new(workstation)),
    };
    let asked = asked.map(Asked::Registry);
    let evidence = arguments.evidence.as_deref();
    check::answer_with(asked.as_ref(), &record, &Source::Workstation, arguments.output, evidence)
}

/// A registry; an image's name is a mistake that is easily made.
fn parse(text: &str) -> anyhow::Result<Host> {
    match Asked::parse(text).with_context(|| format!("{text} is no registry"))? {
        Asked::Registry(registry) => Ok(registry),
        Asked::Image(image) => bail!(Hinted::new(
            format!("{text} is an image, and this command asks about a registry"),
            format!(
                "write: registrycheck doctor {}. To try to pull the image: registrycheck check {text}",
                image.registry()
            ),
        )),
    }
}

async fn look(arguments: &Arguments, registry: Option<&Host>) -> anyhow::Result<Workstation> {
    let environment = arguments.environment.read()?;
    let patience = arguments.way.timeout;
    let Found { mut workstation, access } =
        workstation::look(&environment, registry, patience).await;
    if let Some(registry) = registry {
        let prober = arguments.way.prober(registry, &[])?;
        let observer = check::observer(arguments.output);
        let basic = Options::within(arguments.way.timeout, check::time_of_day());
        let login = prober.log_in(registry, &access, Options { observer, ..basic }).await;
        workstation.login = Some(Box::new(Login { vantage: Vantage::Here, ..login }));
    }
    Ok(workstation)
}
