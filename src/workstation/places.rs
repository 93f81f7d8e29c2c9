//! Where engines answer and where clients keep their files, by the environment. Pure.
//!
//! Docker's client takes `DOCKER_HOST`, else the context that `DOCKER_CONTEXT` or the field
//! `currentContext` of its file names, else its usual socket (github.com/docker/cli v28,
//! cli/command/cli.go, `resolveContextName`). Podman's files are those of containers-auth.json(5).

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::evidence::workstation::{Client, EngineFailure};

use super::Environment;

/// The context that means Docker's usual socket, or `DOCKER_HOST`.
const DEFAULT_CONTEXT: &str = "default";
/// Docker's usual socket.
const DOCKER_SOCKET: &str = "/var/run/docker.sock";
/// The socket of Podman's service, of which each user may have one as well.
const PODMAN_SOCKET: &str = "/run/podman/podman.sock";

/// A place at which an engine may answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Whose client goes there.
    pub(super) client: Client,
    /// What names it; `None` for a usual place.
    pub(super) named_by: Option<String>,
    /// How it is reached.
    pub(super) way: Way,
}

/// How an engine is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By a socket in the file system.
    Socket(PathBuf),
    /// By TCP.
    Tcp {
        /// Host and port.
        authority: String,
        /// Where `ca.pem`, `cert.pem` and `key.pem` are; `None` for plain HTTP.
        certificates: Option<PathBuf>,
    },
    /// In a way that is not gone here.
    Skipped {
        /// The address, without a user name or a password.
        address: String,
        /// Why, as a clause.
        reason: String,
    },
    /// In no way.
    Broken {
        /// What was written.
        address: String,
        /// What is wrong with it.
        failure: EngineFailure,
    },
}

impl Way {
    /// The address as it is shown.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Socket(path) => format!("unix://{}", path.display()),
            Self::Tcp { authority, .. } => format!("tcp://{authority}"),
            Self::Skipped { address, .. } | Self::Broken { address, .. } => address.clone(),
        }
    }
}

/// The context that Docker's client uses, and what says so; `None` for the default one.
pub(super) fn context<'name>(
    environment: &'name Environment,
    current: Option<&'name str>,
) -> Option<(&'name str, &'static str)> {
    if environment.docker_host.is_some() {
        return None;
    }
    let of_variable = environment.docker_context.as_deref().map(|name| (name, "DOCKER_CONTEXT"));
    let named = of_variable.or_else(|| current.map(|name| (name, "currentContext")));
    named.filter(|(name, _)| *name != DEFAULT_CONTEXT)
}

/// The directories of a context below that of Docker's client: of what it is, and of its
/// certificates. They are called by the SHA-256 of its name (cli/context/store, `contextdirOf`).
pub(super) fn directories_of(docker: &Path, context: &str) -> (PathBuf, PathBuf) {
    let id = format!("{:x}", Sha256::digest(context));
    (docker.join("contexts/meta").join(&id), docker.join("contexts/tls").join(&id))
}

/// The engine of a context, by its `meta.json`; `certificates` is where those are that it has.
pub(super) fn of_context(name: &str, meta: Option<&[u8]>, certificates: Option<PathBuf>) -> Way {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Meta {
        endpoints: Endpoints,
    }
    #[derive(Deserialize)]
    struct Endpoints {
        docker: Endpoint,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Endpoint {
        #[serde(default)]
        host: String,
        #[serde(default, rename = "SkipTLSVerify")]
        skip_tls_verify: bool,
    }
    let broken = |failure| Way::Broken { address: format!("context {name}"), failure };
    let Some(meta) = meta else { return broken(EngineFailure::NoContext) };
    let Ok(Meta { endpoints: Endpoints { docker } }) = serde_json::from_slice(meta) else {
        let detail = "its meta.json names no engine".to_owned();
        return broken(EngineFailure::Failed { detail });
    };
    match way(&docker.host, certificates) {
        Way::Tcp { authority, certificates: Some(_) } if docker.skip_tls_verify => Way::Skipped {
            address: format!("tcp://{authority}"),
            reason: "its certificate is not to be checked (SkipTLSVerify)".to_owned(),
        },
        way => way,
    }
}

/// The way to an engine that is written as `DOCKER_HOST` is.
pub(super) fn way(written: &str, certificates: Option<PathBuf>) -> Way {
    if let Some(path) = written.strip_prefix("unix://") {
        return Way::Socket(PathBuf::from(path));
    }
    let Ok(url) = Url::parse(written) else {
        return Way::Broken {
            // What is no URL may be anything.
            address: "what it says".to_owned(),
            failure: EngineFailure::Failed {
                detail: "it is no address such as unix:///var/run/docker.sock".to_owned(),
            },
        };
    };
    let scheme = url.scheme();
    let host = url.host_str().unwrap_or_default();
    if scheme != "tcp" || host.is_empty() {
        return Way::Skipped {
            address: format!("{scheme}://{host}"),
            reason: format!("{scheme}:// is not spoken here, only unix:// and tcp://"),
        };
    }
    let usual = if certificates.is_some() { 2376 } else { 2375 };
    Way::Tcp { authority: format!("{host}:{}", url.port().unwrap_or(usual)), certificates }
}

/// All places at which an engine may answer. `of_context` is the one that a context names.
pub(super) fn places(environment: &Environment, of_context: Option<(String, Way)>) -> Vec<Place> {
    let Environment { docker_host, container_host, runtime, .. } = environment;
    let docker = Client::Docker;
    let podman = Client::Podman;
    let usual = |client, path: PathBuf| Place { client, named_by: None, way: Way::Socket(path) };
    let mut places = Vec::new();
    if let Some(host) = docker_host {
        let named_by = Some("DOCKER_HOST".to_owned());
        let way = way(host, environment.certificates());
        places.push(Place { client: docker, named_by, way });
    } else if let Some((named_by, way)) = of_context {
        places.push(Place { client: docker, named_by: Some(named_by), way });
    } else {
        places.push(usual(docker, PathBuf::from(DOCKER_SOCKET)));
        let own = runtime.iter().map(|runtime| usual(docker, runtime.join("docker.sock")));
        places.extend(own);
    }
    if let Some(host) = container_host {
        let named_by = Some("CONTAINER_HOST".to_owned());
        places.push(Place { client: podman, named_by, way: way(host, None) });
    } else {
        places.push(usual(podman, PathBuf::from(PODMAN_SOCKET)));
        let own = runtime.iter().map(|runtime| usual(podman, runtime.join("podman/podman.sock")));
        places.extend(own);
    }
    places
}

/// The files of the clients, in the order in which Podman reads them; Docker reads its own alone.
pub(super) fn files(environment: &Environment) -> Vec<(Client, PathBuf)> {
    let Environment { home, auth_file, runtime, configuration, user, .. } = environment;
    let own = auth_file.clone().unwrap_or_else(|| {
        let usual = || PathBuf::from(format!("/run/containers/{user}"));
        runtime.as_ref().map_or_else(usual, |runtime| runtime.join("containers")).join("auth.json")
    });
    let of_home = configuration.clone().unwrap_or_else(|| home.join(".config"));
    vec![
        (Client::Podman, own),
        (Client::Podman, of_home.join("containers/auth.json")),
        (Client::Docker, environment.docker_directory().join("config.json")),
    ]
}

#[cfg(test)]
mod tests;
