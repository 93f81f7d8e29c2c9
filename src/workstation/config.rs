//! The files in which Docker's client and Podman keep logins. Pure.
//!
//! Docker reads its own with `LoadFromReader` (github.com/docker/cli v28,
//! cli/config/configfile/file.go): the first value of JSON, an empty file being as good as none.
//! Podman reads its own, and Docker's after it, with `readJSONFile` (github.com/containers/image
//! v5, pkg/docker/config/config.go). Both match the names of fields without regard to case, as
//! Go does. What is wrong is said with its place and without the content.

use std::collections::BTreeMap;

use crate::evidence::workstation::Client;
use crate::resolve::keyring::json::{self, Value};
use crate::resolve::keyring::{auth, shown_key};
use crate::secret::Secret;

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Config {
    /// The entries of `auths`, by their names.
    pub(super) entries: BTreeMap<String, Entry>,
    /// `credsStore`, without the beginning that all helpers' names have.
    pub(super) store: Option<String>,
    /// `credHelpers`: the helpers of single registries.
    pub(super) helpers: BTreeMap<String, String>,
    /// `currentContext`.
    pub(super) context: Option<String>,
}

/// A login.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) username: String,
    pub(super) password: Secret,
    /// A token in the password's place (`identitytoken`); empty where there is none.
    pub(super) token: Secret,
}

impl Entry {
    /// Whether there is nothing to log in with.
    pub(super) fn is_empty(&self) -> bool {
        self.username.is_empty() && self.password.is_empty() && self.token.is_empty()
    }
}

/// What is wrong with a file, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// As part of a sentence.
    pub(super) problem: String,
    /// The line, counted from 1.
    pub(super) line: usize,
    /// The character in that line, counted from 1.
    pub(super) column: usize,
}

/// Reads a file.
pub(super) fn read(client: Client, document: &[u8]) -> Result<Config, Fault> {
    let reader = Reader { client, document };
    if document.iter().all(u8::is_ascii_whitespace) {
        return match client {
            Client::Docker => Ok(Config::default()),
            Client::Podman => Err(reader.fault(0, "it is empty".to_owned())),
        };
    }
    let document = match json::check(document) {
        Ok(()) => document,
        // Docker's client reads one value and looks no further.
        Err(json::Fault::Trailing(at)) if client == Client::Docker => &document[..at],
        Err(fault) => return Err(reader.no_json(fault)),
    };
    let mut config = Config::default();
    for (name, raw) in reader.object("it", document)? {
        if json::names_field(&name, "auths") {
            for (name, raw) in reader.object("the field auths", raw)? {
                let entry = reader.entry(&name, raw)?;
                config.entries.insert(name, entry);
            }
        } else if json::names_field(&name, "credsStore") {
            let store = reader.text("the field credsStore", raw)?;
            config.store = Some(store).filter(|store| !store.is_empty());
        } else if json::names_field(&name, "credHelpers") {
            for (name, raw) in reader.object("the field credHelpers", raw)? {
                let what = format!("the helper of {}", shown_key(&name));
                let helper = reader.text(&what, raw)?;
                config.helpers.insert(name, helper);
            }
        } else if json::names_field(&name, "currentContext") {
            let context = reader.text("the field currentContext", raw)?;
            config.context = Some(context).filter(|context| !context.is_empty());
        }
    }
    Ok(config)
}

struct Reader<'document> {
    client: Client,
    document: &'document [u8],
}

impl<'document> Reader<'document> {
    fn object(
        &self,
        what: &str,
        raw: &'document [u8],
    ) -> Result<Vec<(String, &'document [u8])>, Fault> {
        match json::read(raw) {
            Value::Null => Ok(Vec::new()),
            Value::Object(members) => Ok(members),
            other => Err(self.wrong_type(what, &other, "an object", raw)),
        }
    }

    fn text(&self, what: &str, raw: &'document [u8]) -> Result<String, Fault> {
        match json::read(raw) {
            Value::Null => Ok(String::new()),
            Value::Text(text) => Ok(text),
            other => Err(self.wrong_type(what, &other, "a string", raw)),
        }
    }

    fn entry(&self, name: &str, raw: &'document [u8]) -> Result<Entry, Fault> {
        let shown = shown_key(name);
        let [mut username, mut password, mut token, mut auth] = [const { String::new() }; 4];
        let mut auth_at = raw;
        for (name, raw) in self.object(&format!("the entry {shown}"), raw)? {
            let fields = [
                ("username", &mut username),
                ("password", &mut password),
                ("identitytoken", &mut token),
                ("auth", &mut auth),
            ];
            let found = fields.into_iter().find(|(field, _)| json::names_field(&name, field));
            let Some((field, target)) = found else { continue };
            *target = self.text(&format!("the {field} of entry {shown}"), raw)?;
            if field == "auth" {
                auth_at = raw;
            }
        }
        let token = Secret::new(token);
        if auth.is_empty() {
            return Ok(Entry { username, password: Secret::new(password), token });
        }
        let (username, password) = self
            .login(&auth)
            .map_err(|problem| self.fault(self.place(auth_at), format!("{problem} {shown}")))?;
        Ok(Entry { username, password: Secret::new(password), token })
    }

    /// Decodes an `auth` as both clients do, with Go's `base64.StdEncoding`, which wants its
    /// padding. The error is a clause that the entry's name ends.
    fn login(&self, auth: &str) -> Result<(String, Vec<u8>), &'static str> {
        let n_digits = auth.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).count();
        let (username, password) = match auth::decode(auth) {
            Ok(login) if n_digits % 4 == 0 => login,
            Err(auth::Fault::NoColon) if n_digits % 4 == 0 => match self.client {
                Client::Docker => return Err("no colon stands in the base64 of the auth of entry"),
                // It passes over such an entry.
                Client::Podman => return Ok((String::new(), Vec::new())),
            },
            Ok(_) | Err(auth::Fault::NoColon | auth::Fault::Base64(_)) => {
                return Err("no valid base64 is the auth of entry");
            }
        };
        if username.is_empty() && self.client == Client::Docker {
            return Err("no user name stands in the base64 of the auth of entry");
        }
        let start = password.iter().position(|byte| *byte != 0).unwrap_or(password.len());
        let end = password.iter().rposition(|byte| *byte != 0).map_or(start, |last| last + 1);
        Ok((String::from_utf8_lossy(&username).into_owned(), password[start..end].to_vec()))
    }

    fn no_json(&self, fault: json::Fault) -> Fault {
        let (at, problem) = match fault {
            json::Fault::Ends | json::Fault::Cut => {
                (self.document.len(), "it is no valid JSON: it ends too early")
            }
            json::Fault::Unexpected(at) => (at, "it is no valid JSON"),
            json::Fault::Trailing(at) => (at, "it is no valid JSON: something follows its end"),
            json::Fault::TooDeep(at) => (at, "it is JSON of more than 10000 levels"),
        };
        self.fault(at, problem.to_owned())
    }

    fn wrong_type(&self, what: &str, value: &Value<'_>, wanted: &str, raw: &[u8]) -> Fault {
        let problem = format!("{what} is {} and must be {wanted}", value.kind());
        self.fault(self.place(raw), problem)
    }

    /// Where a part of the document begins.
    fn place(&self, part: &[u8]) -> usize {
        part.as_ptr().addr().saturating_sub(self.document.as_ptr().addr())
    }

    fn fault(&self, at: usize, problem: String) -> Fault {
        let before = &self.document[..at.min(self.document.len())];
        let mut lines = before.split(|byte| *byte == b'\n');
        let last = lines.next_back().unwrap_or_default();
        let (line, column) = (lines.count() + 1, String::from_utf8_lossy(last).chars().count() + 1);
        Fault { problem, line, column }
    }
}

#[cfg(test)]
mod tests;
