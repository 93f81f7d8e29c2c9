//! Findings about the machine on which a command was typed: its engines, the files and the
//! helpers of its clients, and what becomes of a login from there.

use crate::access::ClientSource;
use crate::api::{Confidence, Severity};
use crate::evidence::login::Login;
use crate::evidence::workstation::{
    Choice, Client, ClientFile, Engine, EngineFailure, EngineSeen, FileSeen, Helper, HelperSeen,
    Program, ProgramSeen, Workstation,
};

use super::catalogue::{Code, Stage};
use super::remedy::{either, is_azure, plain};
use super::{Diagnosis, Finding, Progress, Subject, Verdict, login, rank};

/// The version of Docker from which on one can log in at a registry of Azure (Azure Container
/// Registry, "Troubleshoot registry login": 18.03 or later).
const OLDEST: (u32, u32) = (18, 3);

/// Says what a machine lacks for a pull and, where a registry was asked, whether it takes the
/// login. The verdict is [`Verdict::Pullable`] where nothing was found that stops a pull.
pub fn diagnose(namespace: &str, workstation: &Workstation) -> Diagnosis {
    let Workstation { programs, engines, files, helpers, choices, login } = workstation;
    let mut findings: Vec<Finding> = programs.iter().filter_map(of_program).collect();
    findings.extend(of_engines(engines));
    let registry = login.as_deref().map(|login| login.registry.as_str());
    findings.extend(files.iter().filter_map(|file| of_file(file, registry)));
    findings.extend(helpers.iter().filter_map(of_helper));
    let explains = |finding: &Finding| {
        matches!(finding.code, Code::DockerConfigMalformed | Code::CredentialHelperFailed)
    };
    let is_explained = findings.iter().any(explains);
    let mut verdict = Verdict::Pullable;
    if let Some(login) = login.as_deref() {
        let image = login.registry.stand_in();
        let subject = Subject { namespace, image: &image, complaint: None };
        let of_login = login::diagnose(namespace, login);
        verdict = of_login.verdict;
        for finding in of_login.findings {
            if finding.code != Code::NoCredentials {
                findings.push(from_here(subject, login, finding));
            } else if !is_explained {
                findings.push(no_login(subject, choices));
            }
        }
    }
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        verdict = Verdict::NotPullable;
    }
    rank(&mut findings);
    Diagnosis { verdict, findings, progress: Progress::default() }
}

/// A client that is too old to log in.
fn of_program(program: &Program) -> Option<Finding> {
    match &program.seen {
        ProgramSeen::Answered { product: Client::Docker, version } if is_too_old(version) => {
            let message = format!(
                "Docker's client here has version {version}, and a login needs 18.03 or later"
            );
            let remedy = "Install a newer client. To see which one there is: docker --version";
            let code = Code::DockerTooOld;
            Some(Finding::new(code, Confidence::Certain, message, remedy.to_owned()))
        }
        ProgramSeen::Answered { .. } | ProgramSeen::Absent | ProgramSeen::Failed { .. } => None,
    }
}

/// What is wrong with the engines. Where another one answers, one at a usual place that does not
/// is worth a warning alone.
fn of_engines(engines: &[Engine]) -> Vec<Finding> {
    let answers = |engine: &Engine| matches!(engine.seen, EngineSeen::Answered { .. });
    let one_answers = engines.iter().any(answers);
    let mut findings = Vec::new();
    for engine in engines {
        let Engine { address, named_by, seen, .. } = engine;
        match seen {
            EngineSeen::Unavailable { failure } => {
                let finding = unavailable(engine, failure);
                let is_spare = named_by.is_none() && one_answers;
                findings.push(if is_spare { finding.into_warning() } else { finding });
            }
            EngineSeen::Answered { product: Client::Docker, version } if is_too_old(version) => {
                let message = format!(
                    "the Docker engine at {address} has version {version}, and a login needs 18.03 or later"
                );
                let code = Code::DockerTooOld;
                let remedy = code.row().remedy.to_owned();
                findings.push(Finding::new(code, Confidence::Certain, message, remedy));
            }
            // Podman counts in its own way, and all of its versions are younger.
            EngineSeen::Absent | EngineSeen::Skipped { .. } | EngineSeen::Answered { .. } => {}
        }
    }
    findings
}

fn unavailable(engine: &Engine, failure: &EngineFailure) -> Finding {
    let Engine { client, address, named_by, .. } = engine;
    let whose = named_by.as_ref().map(|name| format!(", which {name} names,"));
    let message = format!("{address}{} {failure}", whose.unwrap_or_default());
    let remedy = match (client, failure) {
        (Client::Docker, EngineFailure::Denied) => DENIED.to_owned(),
        (Client::Docker, EngineFailure::NoContext) => NO_CONTEXT.to_owned(),
        (Client::Docker, _) if named_by.is_some() => format!(
            "Start the engine, or correct what {} says. To see whether it answers: docker info",
            named_by.as_deref().unwrap_or_default()
        ),
        (Client::Docker, _) => Code::DockerUnavailable.row().remedy.to_owned(),
        (Client::Podman, _) => PODMAN_SERVICE.to_owned(),
    };
    Finding::new(Code::DockerUnavailable, Confidence::Certain, message, remedy)
}

/// Whether a version of Docker's is older than the oldest that will do; what is no version is
/// not judged.
fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split(['.', '-', '+']).map_while(|part| part.parse::<u32>().ok());
    matches!((numbers.next(), numbers.next()), (Some(major), Some(minor)) if (major, minor) < OLDEST)
}

fn of_file(file: &ClientFile, registry: Option<&str>) -> Option<Finding> {
    let ClientFile { client, file, seen } = file;
    let why = match seen {
        FileSeen::Absent | FileSeen::Read { .. } => return None,
        FileSeen::Unreadable { reason } => format!("cannot be read: {reason}"),
        FileSeen::Malformed { problem, line, column } => {
            format!("cannot be used: {problem} (line {line}, column {column})")
        }
    };
    let message = format!("{file} {why}, so {client} has none of the logins in it");
    let remedy = match seen {
        FileSeen::Unreadable { .. } => {
            format!("Let this user read it. To see whose it is: stat {}", plain(file))
        }
        FileSeen::Absent | FileSeen::Read { .. } | FileSeen::Malformed { .. } => {
            format!(
                "Mend the file at that place, or move it away and log in again: {} login {}",
                command(*client),
                registry.map_or_else(|| "REGISTRY".to_owned(), plain)
            )
        }
    };
    Some(Finding::new(Code::DockerConfigMalformed, Confidence::Certain, message, remedy))
}

fn of_helper(helper: &Helper) -> Option<Finding> {
    let Helper { client, program, file, field, server, seen, .. } = helper;
    let HelperSeen::Failed { failure } = seen else { return None };
    let message = format!(
        "{program}, which {field} in {file} names, {failure}; so {client} sends no login to {server}"
    );
    let remedy = format!(
        "Install or mend the helper, or take its name out of {field} in {file} and log in again: {} login {}. To see what the helper itself says: echo {} | {} get",
        command(*client),
        plain(server),
        plain(server),
        plain(program)
    );
    let finding = Finding::new(Code::CredentialHelperFailed, Confidence::Certain, message, remedy);
    let source = ClientSource::Helper { program: program.clone() };
    Some(finding.of_credential(Some(source.to_string())))
}

/// Nobody here has a login for a registry that wants one.
fn no_login(subject: Subject<'_>, choices: &[Choice]) -> Finding {
    let registry = subject.registry();
    let mut message =
        format!("{registry} wants a login, and neither Docker nor Podman has one for it here");
    let mut known = Vec::new();
    for entry in choices.iter().flat_map(|choice| &choice.passed_over) {
        let said = format!("the entry {} in {} {}", entry.key, entry.file, entry.reason);
        if !known.contains(&said) {
            message = format!("{message}; {said}");
            known.push(said);
        }
    }
    Finding::new(Code::NoCredentials, Confidence::Certain, message, log_in(subject))
}

/// A finding about the login, with what to do about it on this machine. The catalogue speaks of
/// pods and nodes.
fn from_here(subject: Subject<'_>, login: &Login, finding: Finding) -> Finding {
    let host = finding.hop.as_deref().unwrap_or_else(|| login.registry.as_str());
    if let Some((_, template)) = HERE.iter().find(|(code, _)| *code == finding.code) {
        return Finding { remedy: subject.fill_at(template, host), ..finding };
    }
    let is_of_login = finding.credential.is_some()
        && matches!(finding.code.row().stage, Stage::Credential | Stage::Authentication)
        && finding.code != Code::StaleCredential;
    if !is_of_login {
        return finding;
    }
    // That is what the code for a pull secret's flaw means of a client's own login.
    let is_flaw = finding.code == Code::PullSecretMalformed;
    let code = if is_flaw { Code::CredentialRejected } else { finding.code };
    Finding { code, remedy: log_in_again(subject), ..finding }
}

/// How a client gets a login.
fn log_in(subject: Subject<'_>) -> String {
    let template = if is_azure(subject.registry().name()) {
        either(
            "Log in: az acr login -n REGISTRYNAME.",
            "With a user name and a password: docker login REGISTRY",
        )
    } else {
        "Log in: docker login REGISTRY".to_owned()
    };
    subject.fill(&template, &[])
}

/// How a login is replaced that is refused.
pub(super) fn log_in_again(subject: Subject<'_>) -> String {
    let template = if is_azure(subject.registry().name()) {
        either(
            "Log in again, which is for 3 hours: az acr login -n REGISTRYNAME.",
            "With a user name and a password that it accepts: docker login REGISTRY",
        )
    } else {
        "Log in again, with a user name and a password that it accepts: docker login REGISTRY"
            .to_owned()
    };
    subject.fill(&template, &[])
}

/// How a login is taken out that stands in the way of what is public (Azure Container Registry,
/// "Troubleshoot registry login").
pub(super) fn take_out(subject: Subject<'_>) -> String {
    subject.fill(
        "Log out, so that no credential is sent: docker logout REGISTRY. For what is not public, log in again: docker login REGISTRY",
        &[],
    )
}

fn command(client: Client) -> &'static str {
    match client {
        Client::Docker => "docker",
        Client::Podman => "podman",
    }
}

const DENIED: &str = "Let this user use the socket, by the group that has it, and start a new session. To see whether the engine answers then: docker info";

const NO_CONTEXT: &str = "Choose a context that there is: docker context use default. To see those that there are: docker context ls";

const PODMAN_SERVICE: &str =
    "Start Podman's service, where something needs it: systemctl --user start podman.socket";

/// What is done on a machine about what the catalogue has a cluster's remedy for.
const HERE: &[(Code, &str)] = &[
    (
        Code::DnsNameNotFound,
        "Correct the registry's name, or make it known to this machine's resolver. To see what that says: nslookup HOST",
    ),
    (
        Code::DnsFailure,
        "Look at this machine's resolver, and at the one that it asks. To see what it says: nslookup HOST",
    ),
    (
        Code::ConnectionTimeout,
        "Open the way from this machine to HOST in firewalls, proxies and routes. To test it: curl -v --max-time 10 https://HOST/v2/",
    ),
    (
        Code::ConnectionReset,
        "Look for a firewall or proxy between this machine and HOST, and at the log of the registry. To test it: curl -v https://HOST/v2/",
    ),
    (
        Code::TlsCertificateUntrusted,
        "If it is signed by your own authority, give that to the engine, as /etc/docker/certs.d/REGISTRY/ca.crt for Docker and as /etc/containers/certs.d/REGISTRY/ca.crt for Podman. If it is signed by a proxy's, let traffic to the registry pass the proxy by. To look at it: openssl s_client -connect HOST:PORT -showcerts",
    ),
    (
        Code::SchemeMismatch,
        "Put the registry behind TLS, or name REGISTRY among the insecure-registries in /etc/docker/daemon.json. To see what answers: curl -v http://HOST/v2/",
    ),
    (
        Code::ProxyUnreachable,
        "Correct HTTPS_PROXY in the environment and in the engine's configuration, mend the proxy, or name HOST in NO_PROXY. To see what the engine uses: docker info",
    ),
    (
        Code::ProxyAuthenticationRequired,
        "Give HTTPS_PROXY the proxy's user and password in the environment and in the engine's configuration, or name HOST in NO_PROXY. To see what the engine uses: docker info",
    ),
    (
        Code::TokenServiceUnreachable,
        "Open the way from this machine to HOST, where REGISTRY sends clients for a login. To test it: curl -v --max-time 10 https://HOST/",
    ),
    (
        Code::RateLimited,
        "Wait until the limit ends, or log in with an account that has a higher one: docker login REGISTRY",
    ),
];
