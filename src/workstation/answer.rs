//! What an engine and a credential helper answer. Pure.

use serde::Deserialize;

use crate::evidence::workstation::{Client, EngineFailure, EngineSeen, HelperFailure, ProgramSeen};
use crate::secret::Secret;

/// The user of a login that is a token (github.com/docker/cli v28,
/// `cli/config/credentials/native_store.go`, `tokenUsername`).
const TOKEN_USER: &str = "<token>";
/// How a helper says that it keeps nothing for a server
/// (github.com/docker/docker-credential-helpers, credentials/error.go).
const NOT_FOUND: &str = "credentials not found in native keychain";
/// How long a version may be that is shown.
const VERSION_MAX: usize = 60;

/// Beginnings of what helpers say where they fail, and how that is shown. Other words are not
/// shown: a helper may say anything, and what it keeps are passwords.
const WORDS: &[(&str, &str)] = &[
    ("no credentials server url", "no credentials server URL"),
    ("no credentials username", "no credentials username"),
    ("pass not initialized", "pass is not initialized"),
    ("pass store is uninitialized", "pass store is uninitialized"),
    ("gpg: decryption failed: no secret key", "gpg: decryption failed: No secret key"),
    ("gpg: decryption failed", "gpg: decryption failed"),
    ("cannot autolaunch d-bus", "Cannot autolaunch D-Bus without X11 $DISPLAY"),
    ("error spawning command line", "D-Bus cannot be started"),
    ("the name org.freedesktop.secrets was not provided", "no secret service runs"),
    ("object does not exist at path", "the secret service has no such collection"),
    ("user interaction is not allowed", "User interaction is not allowed"),
    ("the user name or passphrase you entered is not correct", "the keychain is locked"),
    ("the specified item could not be found in the keychain", "the keychain has no such item"),
    ("nocredentialproviders", "NoCredentialProviders: no valid providers in chain"),
    ("expiredtoken", "ExpiredToken"),
    ("not implemented", "not implemented"),
];

/// What somebody who was asked for `GET /version` said (Docker Engine API v1.24 and later,
/// `SystemVersion`; Podman answers the same and calls its component "Podman Engine").
pub(super) fn of_engine(status: u16, server: Option<&str>, body: &[u8]) -> EngineSeen {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Version {
        version: String,
        #[serde(default)]
        components: Option<Vec<Component>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Component {
        name: String,
    }
    let no_engine =
        |said: String| EngineSeen::Unavailable { failure: EngineFailure::NoEngine { said } };
    if status != 200 {
        return no_engine(format!("status {status}"));
    }
    let Ok(Version { version, components }) = serde_json::from_slice(body) else {
        return no_engine("something else than a version".to_owned());
    };
    let is_podman = |name: &str| name.to_ascii_lowercase().contains("podman");
    let named = components.iter().flatten().any(|component| is_podman(&component.name));
    let is_libpod = server.is_some_and(|server| server.starts_with("Libpod/"));
    let product = if named || is_libpod { Client::Podman } else { Client::Docker };
    EngineSeen::Answered { product, version: shown(&version) }
}

/// What a client said that was asked for its version: `Docker version 27.3.1, build ce12230` or
/// `podman version 4.3.1`.
pub(super) fn of_program(said: &[u8]) -> ProgramSeen {
    let text = String::from_utf8_lossy(said);
    let products = [("Docker version ", Client::Docker), ("podman version ", Client::Podman)];
    let found = products.into_iter().find_map(|(words, product)| {
        let (_, rest) = text.split_once(words)?;
        let version = rest.split([',', ' ', '\r', '\n']).next().unwrap_or_default();
        Some(ProgramSeen::Answered { product, version: shown(version) })
    });
    found.unwrap_or_else(|| ProgramSeen::Failed { reason: "says no version".to_owned() })
}

/// A version as it may be shown.
fn shown(version: &str) -> String {
    version.chars().filter(|c| !c.is_control()).take(VERSION_MAX).collect()
}

/// What a helper gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// A user and a password.
    Password {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token in a password's place.
    Token(Secret),
}

/// What a helper said that was asked to `get`; `None` where it keeps nothing for the server.
/// `ended` is how it ended where that was no success.
pub(super) fn of_helper(
    ended: Option<String>,
    said: &[u8],
) -> Result<Option<Login>, HelperFailure> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "Username", default)]
        username: String,
        #[serde(rename = "Secret", default)]
        secret: String,
    }
    if let Some(status) = ended {
        let text = String::from_utf8_lossy(said);
        let text = text.trim();
        if text == NOT_FOUND {
            return Ok(None);
        }
        return Err(HelperFailure::Ended { status, words: known(text) });
    }
    let not_understood = |reason: &str| HelperFailure::NotUnderstood { reason: reason.to_owned() };
    let first = serde_json::Deserializer::from_slice(said).into_iter::<Answer>().next();
    let Answer { username, secret } = match first {
        Some(Ok(answer)) => answer,
        Some(Err(error)) if error.is_data() => {
            return Err(not_understood("it is not an object with Username and Secret as strings"));
        }
        Some(Err(_)) => return Err(not_understood("it is no valid JSON")),
        None => return Err(not_understood("it is empty")),
    };
    let secret = Secret::new(secret);
    Ok(match username.as_str() {
        _ if secret.is_empty() && username.is_empty() => None,
        TOKEN_USER => Some(Login::Token(secret)),
        _ => Some(Login::Password { username, password: secret }),
    })
}

/// The words of a failed helper, where they are known.
fn known(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let found = WORDS.iter().find(|(words, _)| text.contains(words));
    found.map(|(_, shown)| (*shown).to_owned())
}

#[cfg(test)]
mod tests;
