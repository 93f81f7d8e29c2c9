//! What was seen of the machine on which somebody typed a command: its container engines, the
//! files in which their clients keep logins, and the programs that keep them in their place.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::access::Provenance;

use super::login::Login;

/// All that was seen of a machine, and of a registry from there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workstation {
    /// The clients' programs.
    pub programs: Vec<Program>,
    /// The engines that were looked for, those first that somebody has named.
    pub engines: Vec<Engine>,
    /// The clients' files, in the order in which they are read.
    pub files: Vec<ClientFile>,
    /// The credential helpers that were asked.
    pub helpers: Vec<Helper>,
    /// What each client would send to the registry; empty where none is asked.
    pub choices: Vec<Choice>,
    /// How the login went, where a registry was asked.
    pub login: Option<Box<Login>>,
}

/// A client of container engines, which keeps logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Client {
    /// Docker's own.
    Docker,
    /// Podman.
    Podman,
}

impl fmt::Display for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Docker => "Docker",
            Self::Podman => "Podman",
        })
    }
}

/// The program of a client, as it is found in `PATH`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Program {
    /// Its name.
    pub name: String,
    /// What came of asking it for its version.
    pub seen: ProgramSeen,
    /// How long that took, in microseconds.
    pub micros: u64,
}

/// What came of asking a client for its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum ProgramSeen {
    /// There is no such program.
    Absent,
    /// It said its version.
    Answered {
        /// Which client it is: Podman goes by the name of Docker's too.
        product: Client,
        /// Its version, as it says it.
        version: String,
    },
    /// It did not.
    Failed {
        /// Why, as part of a sentence whose subject is the program.
        reason: String,
    },
}

/// A place at which an engine may answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Engine {
    /// Whose client goes there.
    pub client: Client,
    /// Its address as a URL, without a user name or a password.
    pub address: String,
    /// What names it, such as `DOCKER_HOST`; `None` for a usual place.
    pub named_by: Option<String>,
    /// What came of asking.
    pub seen: EngineSeen,
    /// How long that took, in microseconds.
    pub micros: u64,
}

/// What came of asking for an engine's version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum EngineSeen {
    /// It answered.
    Answered {
        /// Which engine it is. Only a version of Docker's can be compared with one of Docker's.
        product: Client,
        /// Its version, as it says it.
        version: String,
    },
    /// Nothing is at this usual place.
    Absent,
    /// It was not asked.
    Skipped {
        /// Why, as a clause: `ssh:// is not spoken here`.
        reason: String,
    },
    /// It should be there, and does not answer.
    Unavailable {
        /// Why.
        failure: EngineFailure,
    },
}

/// Why an engine does not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum EngineFailure {
    /// Nothing is at the place that somebody has named.
    Missing,
    /// This user may not use its socket.
    Denied,
    /// Nobody listens.
    Refused,
    /// It did not answer in time.
    TimedOut {
        /// The time that it had, in seconds.
        seconds: u64,
    },
    /// What answers is no engine.
    NoEngine {
        /// What it answered, as part of a sentence.
        said: String,
    },
    /// There is no such context.
    NoContext,
    /// Something else went wrong on the way.
    Failed {
        /// The system's or the library's words.
        detail: String,
    },
}

/// The failure in words, as part of a sentence whose subject is the address.
impl fmt::Display for EngineFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => formatter.write_str("is not there"),
            Self::Denied => formatter.write_str("may not be used by this user"),
            Self::Refused => formatter.write_str("refuses the connection: no engine listens there"),
            Self::TimedOut { seconds } => {
                write!(formatter, "does not answer within {seconds} s")
            }
            Self::NoEngine { said } => write!(formatter, "is no engine: it answers {said}"),
            Self::NoContext => formatter.write_str("does not exist"),
            Self::Failed { detail } => write!(formatter, "cannot be reached: {detail}"),
        }
    }
}

/// A file in which a client keeps logins, or the names of programs that do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientFile {
    /// Whose it is; Podman reads Docker's too, after its own.
    pub client: Client,
    /// Its path.
    pub file: String,
    /// What came of reading it.
    pub seen: FileSeen,
}

/// What came of reading a client's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum FileSeen {
    /// There is none, which is as good as an empty one.
    Absent,
    /// It is in order.
    Read {
        /// How many entries it has.
        entries: usize,
        /// The helper that keeps all logins (`credsStore`).
        store: Option<String>,
        /// How many registries have helpers of their own (`credHelpers`).
        helpers: usize,
    },
    /// It cannot be read.
    Unreadable {
        /// The system's words.
        reason: String,
    },
    /// It is not what such a file must be.
    Malformed {
        /// What is wrong, as part of a sentence; nothing of its content but names of fields and
        /// entries.
        problem: String,
        /// The line, counted from 1.
        line: usize,
        /// The character in that line, counted from 1.
        column: usize,
    },
}

/// A credential helper that was asked for one server's login
/// (github.com/docker/docker-credential-helpers).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Helper {
    /// Whose client would ask it.
    pub client: Client,
    /// The program: `docker-credential-` and its name.
    pub program: String,
    /// The file that names it.
    pub file: String,
    /// The field of that file: `credsStore` or `credHelpers`.
    pub field: String,
    /// The server for which it was asked.
    pub server: String,
    /// What came of it.
    pub seen: HelperSeen,
    /// How long that took, in microseconds.
    pub micros: u64,
}

/// What came of asking a credential helper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum HelperSeen {
    /// It gave a login.
    Answered,
    /// It answered that it keeps none for this server.
    Nothing,
    /// It failed.
    Failed {
        /// How.
        failure: HelperFailure,
    },
}

/// How a credential helper failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum HelperFailure {
    /// There is no such program in `PATH`.
    Missing,
    /// The program cannot be started.
    NotStarted {
        /// The system's words.
        reason: String,
    },
    /// It did not end in time and was ended.
    TimedOut {
        /// The time that it had, in seconds.
        seconds: u64,
    },
    /// It ended with a failure.
    Ended {
        /// How: `exit status: 1`.
        status: String,
        /// Its words, where they are known ones: others may be a password.
        words: Option<String>,
    },
    /// It gave an answer that no client takes.
    NotUnderstood {
        /// What is wrong, as part of a sentence; it holds nothing of the answer.
        reason: String,
    },
}

/// The failure in words, as part of a sentence whose subject is the program.
impl fmt::Display for HelperFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => formatter.write_str("is not in PATH"),
            Self::NotStarted { reason } => write!(formatter, "cannot be started: {reason}"),
            Self::TimedOut { seconds } => {
                write!(formatter, "gives no answer within {seconds} s and was ended")
            }
            Self::Ended { status, words: Some(words) } => {
                write!(formatter, "fails ({status}): {words}")
            }
            Self::Ended { status, words: None } => write!(
                formatter,
                "fails ({status}); its words are not shown, for they may hold what it keeps"
            ),
            Self::NotUnderstood { reason } => {
                write!(formatter, "gives an answer that no client takes: {reason}")
            }
        }
    }
}

/// What a client would send to the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// The client.
    pub client: Client,
    /// Where its credential comes from; `None` where it has none.
    pub used: Option<Provenance>,
    /// What is there for this registry, or for one of much the same name, and is not used.
    pub passed_over: Vec<PassedOver>,
}

/// An entry of a client's file that it does not use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PassedOver {
    /// The file.
    pub file: String,
    /// The entry's name.
    pub key: String,
    /// Why it is not used.
    pub reason: Why,
}

/// Why a client does not use an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Why {
    /// It has another name than the one that the client looks for.
    OtherName {
        /// That name.
        wanted: String,
    },
    /// It holds no login.
    Empty,
    /// A helper is asked in its place.
    BehindHelper {
        /// The program.
        program: String,
    },
}

/// The reason in words, as part of a sentence whose subject is the entry.
impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherName { wanted } => {
                write!(formatter, "has another name than {wanted}, which is looked for")
            }
            Self::Empty => formatter.write_str("holds no login"),
            Self::BehindHelper { program } => {
                write!(formatter, "is not used, since {program} is asked in its place")
            }
        }
    }
}
