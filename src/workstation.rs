//! Workstation: the machine on which somebody types a command, as far as a client of container
//! engines there needs it to log in at a registry.
//!
//! It asks the engines for their versions, reads the clients' files, and asks their credential
//! helpers. In: an [`Environment`] and perhaps a registry. Out: what was seen, and the
//! credentials that the clients would send to that registry. It writes nothing, and decides
//! nothing: which login a client uses is for `choice.rs` to say, what it means for
//! [`crate::diagnose`].

mod answer;
mod choice;
mod config;
mod engine;
mod places;
mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::access::{Access, ClientSource, Credential, Provenance};
use crate::evidence::workstation::{
    Choice as Chosen, Client, ClientFile, Engine, FileSeen, Helper, HelperFailure, HelperSeen,
    PassedOver, Program, Workstation,
};
use crate::image::Host;
use crate::resolve::keyring::shown_key;

use answer::Login;
use choice::{Choice, Question};
use config::Config;
use places::{Place, Way};

/// How many questions are put to helpers where no registry is given.
const MOST_QUESTIONS: usize = 10;
/// What the names of all helpers begin with.
const HELPER_PREFIX: &str = "docker-credential-";
/// How much of a client's file is read, in bytes.
const FILE_MAX: u64 = 8 << 20;

/// What of a process's environment says where things are. An empty variable is as good as none.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// The home of this user.
    pub home: PathBuf,
    /// The number of this user.
    pub user: u32,
    /// `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub docker_context: Option<String>,
    /// `DOCKER_CONFIG`: the directory of Docker's client.
    pub docker_config: Option<PathBuf>,
    /// Whether `DOCKER_TLS_VERIFY` is set, and a `tcp://` address is one of TLS.
    pub docker_tls: bool,
    /// `DOCKER_CERT_PATH`: where the certificates for that are.
    pub docker_certificates: Option<PathBuf>,
    /// `CONTAINER_HOST`: Podman's service.
    pub container_host: Option<String>,
    /// `REGISTRY_AUTH_FILE`: Podman's file of logins.
    pub auth_file: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub configuration: Option<PathBuf>,
}

impl Environment {
    /// The directory of Docker's client.
    fn docker_directory(&self) -> PathBuf {
        self.docker_config.clone().unwrap_or_else(|| self.home.join(".docker"))
    }

    /// Where the certificates for an engine behind TLS are; `None` where it is none.
    fn certificates(&self) -> Option<PathBuf> {
        let directory =
            || self.docker_certificates.clone().unwrap_or_else(|| self.docker_directory());
        self.docker_tls.then(directory)
    }
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// What was seen.
    pub workstation: Workstation,
    /// The credentials that the clients would send to the registry; Docker's first.
    pub access: Access,
}

/// Looks at this machine, and for the credentials for a registry where one is given. An engine and
/// a credential helper may each take as long as `patience`.
pub async fn look(environment: &Environment, registry: Option<&Host>, patience: Duration) -> Found {
    let mut files = Vec::new();
    let mut configs = Vec::new();
    for (client, path) in places::files(environment) {
        let (seen, config) = read(client, &path);
        let file = path.display().to_string();
        configs.push(ClientConfig { client, file: file.clone(), config });
        files.push(ClientFile { client, file, seen });
    }
    let programs = programs(patience).await;
    let engines = engines(environment, &configs, patience).await;
    let mut helpers =
        Helpers { patience, asked: BTreeMap::new(), broken: BTreeSet::new(), seen: Vec::new() };
    let mut choices = Vec::new();
    let mut credentials: Vec<Credential> = Vec::new();
    if let Some(registry) = registry {
        for client in [Client::Docker, Client::Podman] {
            let (choice, credential) = chosen(client, &configs, registry, &mut helpers).await;
            // Podman reads Docker's file as well.
            let is_known = |credential: &Credential| {
                credentials.iter().any(|other| other.provenance == credential.provenance)
            };
            credentials.extend(credential.filter(|credential| !is_known(credential)));
            choices.push(choice);
        }
    } else {
        for ClientConfig { client, file, config } in &configs {
            for question in choice::questions(config).iter().take(MOST_QUESTIONS) {
                helpers.ask(*client, file, question).await;
            }
        }
    }
    let helpers = helpers.seen;
    let workstation = Workstation { programs, engines, files, helpers, choices, login: None };
    Found { workstation, access: Access { credentials, ..Access::default() } }
}

/// A client's file, as far as it could be read.
struct ClientConfig {
    client: Client,
    file: String,
    config: Config,
}

/// Reads a client's file. One that cannot be read holds nothing.
fn read(client: Client, path: &Path) -> (FileSeen, Config) {
    let content = match content(path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return (FileSeen::Absent, Config::default());
        }
        Err(error) => {
            return (FileSeen::Unreadable { reason: error.to_string() }, Config::default());
        }
    };
    match config::read(client, &content) {
        Ok(config) => {
            let store = config.store.as_deref().map(helper_program);
            let (entries, helpers) = (config.entries.len(), config.helpers.len());
            (FileSeen::Read { entries, store, helpers }, config)
        }
        Err(config::Fault { problem, line, column }) => {
            (FileSeen::Malformed { problem, line, column }, Config::default())
        }
    }
}

fn content(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut content = Vec::new();
    std::fs::File::open(path)?.take(FILE_MAX).read_to_end(&mut content)?;
    Ok(content)
}

/// The clients that are to be found here.
async fn programs(patience: Duration) -> Vec<Program> {
    let mut programs = Vec::new();
    for name in ["docker", "podman"] {
        let begin = Instant::now();
        let seen = program::version(name, patience).await;
        programs.push(Program { name: name.to_owned(), seen, micros: micros(begin) });
    }
    programs
}

/// The time since then, in microseconds.
fn micros(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX)
}

async fn engines(
    environment: &Environment,
    configs: &[ClientConfig],
    patience: Duration,
) -> Vec<Engine> {
    let docker = configs.iter().find(|config| config.client == Client::Docker);
    let current = docker.and_then(|docker| docker.config.context.as_deref());
    let of_context = places::context(environment, current).map(|(name, named_by)| {
        let (meta, tls) = places::directories_of(&environment.docker_directory(), name);
        let certificates = Some(tls.join("docker")).filter(|directory| directory.is_dir());
        let meta = content(&meta.join("meta.json")).ok();
        let way = places::of_context(name, meta.as_deref(), certificates);
        match way {
            // What is wrong with a context is said with its name.
            Way::Broken { .. } => (named_by.to_owned(), way),
            way => (format!("{named_by} {name}"), way),
        }
    });
    let mut engines = Vec::new();
    let mut known = BTreeSet::new();
    for place in places::places(environment, of_context) {
        // Two places can be one, by a link or by a variable.
        if known.insert(canonical(&place)) {
            engines.push(engine::ask(place, patience).await);
        }
    }
    engines
}

fn canonical(place: &Place) -> String {
    match &place.way {
        Way::Socket(path) => {
            let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
            real.display().to_string()
        }
        Way::Tcp { .. } | Way::Skipped { .. } | Way::Broken { .. } => place.way.address(),
    }
}

/// What a client would send to a registry.
async fn chosen(
    client: Client,
    configs: &[ClientConfig],
    registry: &Host,
    helpers: &mut Helpers,
) -> (Chosen, Option<Credential>) {
    let mut passed_over = Vec::new();
    let is_read = |config: &&ClientConfig| client == Client::Podman || config.client == client;
    for ClientConfig { file, config, .. } in configs.iter().filter(is_read) {
        let found = match choice::choose(client, config, registry) {
            Choice::Entry { key, entry } => {
                let source = ClientSource::File { file: file.clone() };
                let login = if entry.token.is_empty() {
                    Login::Password {
                        username: entry.username.clone(),
                        password: entry.password.clone(),
                    }
                } else {
                    Login::Token(entry.token.clone())
                };
                let key = shown_key(key);
                Some((source, key, login))
            }
            Choice::Helper(question) => {
                let login = helpers.ask(client, file, &question).await;
                let source = ClientSource::Helper { program: helper_program(question.helper) };
                login.map(|login| (source, question.server, login))
            }
            Choice::Nothing => None,
        };
        let not_used = choice::passed_over(client, config, registry);
        let not_used = not_used.into_iter();
        passed_over.extend(not_used.map(|(key, reason)| PassedOver {
            file: file.clone(),
            key,
            reason,
        }));
        if let Some((source, key, login)) = found {
            let provenance = Provenance::Client { source, key };
            let used = Some(provenance.clone());
            let credential = credential(provenance, login);
            return (Chosen { client, used, passed_over }, Some(credential));
        }
    }
    (Chosen { client, used: None, passed_over }, None)
}

/// A token in a password's place is one without a user, as a runtime takes it (containerd,
/// core/remotes/docker/auth/fetch.go, `FetchTokenWithOAuth`).
fn credential(provenance: Provenance, login: Login) -> Credential {
    match login {
        Login::Password { username, password } => Credential { provenance, username, password },
        Login::Token(token) => Credential { provenance, username: String::new(), password: token },
    }
}

/// The program of a helper.
fn helper_program(helper: &str) -> String {
    format!("{HELPER_PREFIX}{helper}")
}

/// The helpers that were asked, each once for a server.
struct Helpers {
    patience: Duration,
    asked: BTreeMap<(String, String), Option<Login>>,
    /// Those that would fail again, whatever the question.
    broken: BTreeSet<String>,
    seen: Vec<Helper>,
}

impl Helpers {
    async fn ask(&mut self, client: Client, file: &str, question: &Question<'_>) -> Option<Login> {
        let program = helper_program(question.helper);
        let key = (program.clone(), question.server.clone());
        if let Some(known) = self.asked.get(&key) {
            return known.clone();
        }
        if self.broken.contains(&program) {
            return None;
        }
        let begin = Instant::now();
        let answer = if question.helper.contains(['/', '\0']) {
            let reason = "no helper has such a name".to_owned();
            Err(HelperFailure::NotStarted { reason })
        } else {
            program::ask(&program, &question.server, self.patience).await
        };
        let (seen, login) = match answer {
            Ok(Some(login)) => (HelperSeen::Answered, Some(login)),
            Ok(None) => (HelperSeen::Nothing, None),
            Err(failure) => {
                if !matches!(failure, HelperFailure::Ended { .. }) {
                    self.broken.insert(program.clone());
                }
                (HelperSeen::Failed { failure }, None)
            }
        };
        self.seen.push(Helper {
            client,
            program,
            file: file.to_owned(),
            field: question.field.to_owned(),
            server: shown_key(&question.server),
            seen,
            micros: micros(begin),
        });
        self.asked.insert(key, login.clone());
        login
    }
}
