//! What servers and tokens tell of themselves, and what is wrong with what was served.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::image::platform::Platform;

use super::{Attempt, End, Evidence, StepName};

/// A limit of pulls, as Docker Hub states it (`RateLimit-Limit: 100;w=21600`,
/// `RateLimit-Remaining`; Docker, "Docker Hub pull usage and limits").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PullLimit {
    /// Pulls in one window.
    pub limit: u64,
    /// Pulls that are left.
    pub remaining: u64,
    /// The window, in seconds.
    pub window: Option<u64>,
    /// Who is counted: an address, or an account's id.
    pub source: Option<String>,
}

/// What a token says that its holder may do. Not every token can be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The actions that it grants on the image's repository; empty where it grants none
    /// (`access[].actions`, Docker registry token specification, "JWT claim set").
    pub actions: Vec<String>,
    /// Whether it grants anything on another repository.
    pub has_others: bool,
}

/// Until when a credential is valid (RFC 7519, 4.1.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lifetime {
    /// Until when, RFC 3339.
    pub until: String,
    /// Whether that was over when the credential was tried.
    pub is_over: bool,
}

/// What is wrong with a credential by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flaw {
    /// It lacks its user name or its password, so that a runtime sends neither (containerd,
    /// core/remotes/docker/authorizer.go, `AddResponses`).
    Incomplete,
    /// Its password ends with a line break, as a file's last line does.
    LineBreak,
    /// Its password is a token of a registry of Azure, and its user not the one that such tokens
    /// go with (Azure Container Registry, docs/AAD-OAuth.md).
    TokenOfAnotherUser,
    /// Its user is the one that tokens of a registry of Azure go with, and its password none.
    UserWithoutToken,
}

/// The servers that a runtime asks in the registry's place (containerd, docs/hosts.md).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mirrors {
    /// The one of which the rest of the evidence is; `None` where that is of the registry.
    pub last: Option<String>,
    /// Those before it, none of which served the image, in their order.
    pub before: Vec<Mirror>,
}

/// A server that stands before the registry and did not serve the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mirror {
    /// Its host, with the port where it is not the scheme's own.
    pub host: String,
    /// What was tried: without a credential, then with each.
    pub attempts: Vec<Attempt>,
}

/// What is wrong with content that was served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Unfit {
    /// A web page stands in its place: a login page, a captive portal.
    WebPage,
    /// There is none for the node's platform.
    OtherPlatform {
        /// The node's; `None` where it is not known and there is none for any.
        wanted: Option<Platform>,
        /// Those there are, at most 10.
        offered: Vec<String>,
    },
    /// It is no image that a runtime takes.
    NotAnImage {
        /// What it is, in words that follow "it is".
        what: String,
        /// Whether older runtimes take it.
        is_only_old: bool,
    },
    /// Its bytes are not those that its name or its manifest promise.
    Corrupted {
        /// The digest or the size that was promised.
        promised: String,
        /// The one that was seen.
        seen: String,
    },
}

/// How a name was looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lookup {
    /// The name, without a port.
    pub host: String,
    /// The names to which it leads (CNAME), in order.
    pub aliases: Vec<String>,
    /// Its addresses; empty where it has none.
    pub addresses: Vec<IpAddr>,
}

/// The answer to `GET /v2/<name>/tags/list` (OCI distribution specification, 1.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Repository {
    /// It has tags: it exists.
    Exists,
    /// 404: the registry knows no such repository.
    Unknown,
    /// Something else, which decides nothing.
    NotTold {
        /// The status; 0 where there was no answer.
        status: u16,
    },
}

impl Evidence {
    /// Whether a pull that was served passed a step.
    pub fn has_read(&self, name: StepName) -> bool {
        self.served().any(|pull| pull.steps.iter().any(|step| step.name == name && step.passed))
    }

    /// Whether a pull was served of which nothing behind the manifest's name was read.
    pub fn is_skimmed(&self) -> bool {
        let passed = |step| self.has_read(step);
        (passed(StepName::Manifest) || passed(StepName::Challenge)) && !passed(StepName::Platform)
    }

    fn served(&self) -> impl Iterator<Item = &Attempt> {
        let pulls = self.attempts.iter().chain(&self.anonymous).chain([&self.opening]);
        pulls.filter(|pull| matches!(pull.end, End::Served { .. }))
    }
}
