//! Remedies: what to do, as the catalogue has it, with the names of the case at hand.
//!
//! A command stands after a colon and goes on to the end of its sentence. Names come from
//! whoever wrote a pod or runs a registry, and commands are pasted by an operator: what is
//! not plain is quoted for the shell.

use crate::access::azure;

use super::Subject;
use super::catalogue::Code;

/// The programs whose commands stand in remedies.
const PROGRAMS: &[&str] = &[
    "az",
    "crictl",
    "curl",
    "df",
    "docker",
    "echo",
    "grep",
    "helm",
    "journalctl",
    "kubectl",
    "nslookup",
    "openssl",
    "podman",
    "registrycheck",
    "stat",
    "systemctl",
];

/// The name of a pull secret that does not exist yet.
const NEW_SECRET: &str = "regcred";

/// A part of a remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'text> {
    /// Words to read.
    Words(&'text str),
    /// A command to paste.
    Command(&'text str),
}

/// The names that stand for the placeholders of a remedy.
#[derive(Clone, Copy)]
struct Names<'names> {
    subject: Subject<'names>,
    secret: &'names str,
    host: &'names str,
    /// Placeholders of one remedy alone, with what stands for them.
    own: &'names [(&'names str, &'names str)],
}

impl Subject<'_> {
    /// What the catalogue says to do about the image or about one of its pull secrets.
    pub(super) fn remedy(self, code: Code, secret: Option<&str>) -> String {
        let host = self.image.registry().as_str();
        filled(code, Names { subject: self, secret: secret.unwrap_or(NEW_SECRET), host, own: &[] })
    }

    /// What the catalogue says to do about a host on the way.
    pub(super) fn remedy_at(self, code: Code, host: &str) -> String {
        filled(code, Names { subject: self, secret: NEW_SECRET, host, own: &[] })
    }

    /// What the catalogue says, with names of the case beside the common ones.
    pub(super) fn remedy_with(self, code: Code, own: &[(&str, &str)]) -> String {
        let host = self.image.registry().as_str();
        filled(code, Names { subject: self, secret: NEW_SECRET, host, own })
    }

    /// The same of a host on the way.
    pub(super) fn fill_at(self, template: &str, host: &str) -> String {
        fill(template, Names { subject: self, secret: NEW_SECRET, host, own: &[] })
    }

    /// A remedy of one case, with its own names beside the common ones.
    pub(super) fn fill(self, template: &str, own: &[(&str, &str)]) -> String {
        let host = self.image.registry().as_str();
        fill(template, Names { subject: self, secret: NEW_SECRET, host, own })
    }
}

fn filled(code: Code, names: Names<'_>) -> String {
    let row = code.row();
    let registry = names.subject.image.registry().name();
    match row.azure.filter(|_| is_azure(registry)) {
        Some(azure) => fill(&either(azure, row.remedy), names),
        None => fill(row.remedy, names),
    }
}

/// Whether a host is a registry of Azure.
pub fn is_azure(host: &str) -> bool {
    let suffixes = [".azurecr.io", ".azurecr.cn", ".azurecr.us", ".azurecr.sovcloud-azure.fr"];
    suffixes.iter().any(|suffix| host.ends_with(suffix))
}

/// `Do this. Or do that.`
pub(super) fn either(first: &str, other: &str) -> String {
    let mut characters = other.chars();
    let begin: String = characters.next().into_iter().flat_map(char::to_lowercase).collect();
    format!("{first} Or {begin}{}", characters.as_str())
}

/// A template with the names in place of its placeholders, in one pass: a name that reads
/// like a placeholder stays as it is.
fn fill(template: &str, names: Names<'_>) -> String {
    let Names { subject, secret, host, own } = names;
    let registry = subject.image.registry().as_str();
    let mut text = String::new();
    let mut rest = template;
    while let Some(first) = rest.chars().next() {
        let is_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len()).max(first.len_utf8());
        let (word, after) = rest.split_at(end);
        rest = after;
        match word {
            "NAMESPACE" => text.push_str(&plain(subject.namespace)),
            "SECRET" => text.push_str(&plain(secret)),
            "IMAGE" => text.push_str(&plain(&subject.image.to_string())),
            "REPOSITORY" => text.push_str(&plain(subject.image.path())),
            "REGISTRYNAME" => {
                text.push_str(&plain(resource(subject.image.registry().name())));
            }
            "ZONE" => match domain(subject.image.registry().name()) {
                Some(domain) => text.push_str(&plain(&format!("privatelink.{domain}"))),
                None => text.push_str(word),
            },
            // Docker's own client logs in to Docker Hub under this name.
            "REGISTRY" if text.ends_with("--docker-server=") && registry == "docker.io" => {
                text.push_str("https://index.docker.io/v1/");
            }
            "REGISTRY" => text.push_str(&plain(registry)),
            "HOST" => match rest.strip_prefix(":PORT") {
                Some(after) => {
                    rest = after;
                    text.push_str(&plain(&with_port(host)));
                }
                None => text.push_str(&plain(host)),
            },
            word => match own.iter().find(|(name, _)| *name == word) {
                Some((_, value)) => text.push_str(&plain(value)),
                None => text.push_str(word),
            },
        }
    }
    text
}

/// The name of the registry as a resource. That of a host can have a hash behind it, which it is
/// kept apart from by a hyphen, of which no resource has one (Azure Container Registry, "Domain
/// name label").
fn resource(host: &str) -> &str {
    host.split(['.', '-']).next().unwrap_or(host)
}

/// The domain of Azure's registries in which a host is; its private zone has the same.
fn domain(host: &str) -> Option<&'static str> {
    azure::REGISTRY_DOMAINS
        .into_iter()
        .find(|domain| azure::is_registry(host) && host.to_ascii_lowercase().ends_with(domain))
}

fn with_port(host: &str) -> String {
    let has_port = host.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
    if has_port { host.to_owned() } else { format!("{host}:443") }
}

/// A name as a shell reads it: as it is where it is plain, else quoted, in one line.
pub(super) fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._/:@-".contains(c);
    if !name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain) {
        return name.to_owned();
    }
    let one_line: String = name.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    format!("'{}'", one_line.replace('\'', r"'\''"))
}

/// The sentences of a text: they end with a full stop before a capital.
pub fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .match_indices(". ")
            .find(|(at, _)| rest[at + 2..].chars().next().is_some_and(char::is_uppercase));
        let (sentence, remaining) = match end {
            Some((at, _)) => (&rest[..=at], &rest[at + 2..]),
            None => (rest, ""),
        };
        rest = remaining;
        Some(sentence)
    })
}

/// Words and commands of a remedy, in their order.
pub fn parts(remedy: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for sentence in sentences(remedy) {
        let is_command = |at: &usize| {
            let program = sentence[at + 2..].split(' ').next().unwrap_or_default();
            PROGRAMS.contains(&program)
        };
        match sentence.match_indices(": ").map(|(at, _)| at).find(is_command) {
            Some(at) => {
                parts.push(Part::Words(&sentence[..=at]));
                let command = &sentence[at + 2..];
                parts.push(Part::Command(command.strip_suffix('.').unwrap_or(command)));
            }
            None => parts.push(Part::Words(sentence)),
        }
    }
    parts
}

#[cfg(test)]
mod tests;
