//! Which login a client uses for a registry, and why not another that looks like it. Pure.
//!
//! Docker's client looks for one name, letter by letter: the host with its port, and
//! `https://index.docker.io/v1/` for Docker Hub. A helper of that very name comes first, then the
//! one that keeps everything, and only where there is neither the file's own entry
//! (github.com/docker/cli v28, cli/config/configfile/file.go, `GetCredentialsStore`, and
//! `cli/config/credentials/file_store.go`, `Get`). Podman asks the helper of the host, then takes
//! the entry of the host, under any of its names, and the first of its files that has one
//! (github.com/containers/image v5, pkg/docker/config/config.go, `findAuthentication`).

use crate::evidence::workstation::{Client, Why};
use crate::image::Host;
use crate::resolve::keyring::shown_key;

use super::config::{Config, Entry};

/// The name of Docker Hub in Docker's own file.
pub(super) const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// What a client's file says of a registry.
#[derive(Debug)]
pub(super) enum Choice<'config> {
    /// A helper is asked.
    Helper(Question<'config>),
    /// An entry is used.
    Entry {
        /// Its name.
        key: &'config str,
        /// What it holds.
        entry: &'config Entry,
    },
    /// Nothing is used.
    Nothing,
}

/// What a helper is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Question<'config> {
    /// The helper, without the beginning that all helpers' names have.
    pub(super) helper: &'config str,
    /// The field that names it.
    pub(super) field: &'static str,
    /// The server for which it is asked.
    pub(super) server: String,
}

/// The name under which a client looks for a registry.
pub(super) fn server(client: Client, registry: &Host) -> String {
    match (client, registry.as_str()) {
        (Client::Docker, "docker.io") => DOCKER_HUB.to_owned(),
        (Client::Docker | Client::Podman, host) => host.to_owned(),
    }
}

/// Chooses for a registry.
pub(super) fn choose<'config>(
    client: Client,
    config: &'config Config,
    registry: &Host,
) -> Choice<'config> {
    let server = server(client, registry);
    if let Some(helper) = config.helpers.get(&server) {
        return Choice::Helper(Question { helper, field: "credHelpers", server });
    }
    // Podman does not know this field.
    if let (Client::Docker, Some(helper)) = (client, &config.store) {
        return Choice::Helper(Question { helper, field: "credsStore", server });
    }
    let is_meant = |key: &str| match client {
        Client::Docker => host_of(key) == server,
        Client::Podman => of_hub(host_of(key)) == of_hub(&server),
    };
    let exact = config.entries.get_key_value(&server);
    let found = exact.or_else(|| config.entries.iter().find(|(key, _)| is_meant(key)));
    match found {
        Some((key, entry)) if !entry.is_empty() => Choice::Entry { key, entry },
        Some(_) | None => Choice::Nothing,
    }
}

/// All that the helpers of a file are to be asked where no registry is given: each for the
/// servers for which it is named, and the one that keeps everything for those that have an entry.
pub(super) fn questions(config: &Config) -> Vec<Question<'_>> {
    let of_one = config.helpers.iter().map(|(server, helper)| Question {
        helper,
        field: "credHelpers",
        server: server.clone(),
    });
    let mut questions: Vec<Question<'_>> = of_one.collect();
    if let Some(helper) = &config.store {
        let of_all =
            |server: &String| Question { helper, field: "credsStore", server: server.clone() };
        let servers: Vec<&String> =
            config.entries.keys().filter(|server| !config.helpers.contains_key(*server)).collect();
        questions.extend(servers.iter().map(|server| of_all(server)));
        if servers.is_empty() {
            // It answers, if only that it has none.
            questions.push(of_all(&DOCKER_HUB.to_owned()));
        }
    }
    questions
}

/// The entries that are for this registry, or for one of much the same name, and are not used.
pub(super) fn passed_over(client: Client, config: &Config, registry: &Host) -> Vec<(String, Why)> {
    let wanted = server(client, registry);
    let chosen = choose(client, config, registry);
    let bare = |host: &str| {
        let host = of_hub(host).to_ascii_lowercase();
        host.rsplit_once(':').map_or(host.clone(), |(name, _)| name.to_owned())
    };
    let is_near = |key: &str| bare(host_of(key)) == bare(host_of(&wanted));
    let mut found = Vec::new();
    for (key, entry) in config.entries.iter().filter(|(key, _)| is_near(key)) {
        let reason = match &chosen {
            Choice::Entry { key: used, .. } if used == key => continue,
            // What is left where a helper keeps the login.
            Choice::Helper(_) if entry.is_empty() => continue,
            Choice::Helper(Question { helper, .. }) => {
                Why::BehindHelper { program: super::helper_program(helper) }
            }
            Choice::Entry { .. } | Choice::Nothing if entry.is_empty() => Why::Empty,
            Choice::Entry { .. } | Choice::Nothing => Why::OtherName { wanted: wanted.clone() },
        };
        found.push((shown_key(key), reason));
    }
    found
}

/// The host of a name, which may be a URL as older clients wrote it (`file_store.go`,
/// `ConvertToHostname`).
fn host_of(name: &str) -> &str {
    let rest = name.split_once("://").map_or(name, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// One name for all of Docker Hub's (config.go, `normalizeRegistry`).
fn of_hub(host: &str) -> &str {
    match host {
        "docker.io" | "registry-1.docker.io" => "index.docker.io",
        other => other,
    }
}

#[cfg(test)]
mod tests;
