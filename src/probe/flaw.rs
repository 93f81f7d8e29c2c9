//! What a credential tells by itself: a flaw, and until when it is valid.

use jiff::Timestamp;
use url::Url;

use crate::access::azure::TOKEN_USER;
use crate::access::{Credential, Provenance};
use crate::evidence::told::{Flaw, Lifetime};
use crate::secret::Secret;

use super::protocol::{azure, jwt};

/// What is wrong with a credential for the registry at `registry`; `domains` are those of Azure's
/// registries.
pub(super) fn flaw(credential: &Credential, registry: &Url, domains: &[String]) -> Option<Flaw> {
    // containerd holds a user name without a password, or the reverse, for no credential
    // (core/remotes/docker/authorizer.go, `AddResponses`; CRI's `ParseAuth`).
    if !is_whole(credential) {
        return Some(Flaw::Incomplete);
    }
    let password = credential.password.expose();
    if password.ends_with(b"\n") {
        return Some(Flaw::LineBreak);
    }
    // What an identity was given is as the registry gave it.
    let is_given = matches!(credential.provenance, Provenance::Azure { .. });
    if is_given || !azure::is_within(registry, domains) {
        return None;
    }
    let host = registry.host_str().unwrap_or_default();
    match (jwt::claims(password), credential.username == TOKEN_USER) {
        (Some(claims), false) if claims.is_login_at(host) => Some(Flaw::TokenOfAnotherUser),
        (None, true) => Some(Flaw::UserWithoutToken),
        (Some(_) | None, _) => None,
    }
}

/// Whether there is anything to send.
pub(super) fn is_whole(credential: &Credential) -> bool {
    !credential.username.is_empty() && !credential.password.is_empty()
}

/// Until when a password is valid that is a token itself and says so.
pub fn expires(password: &Secret) -> Option<Timestamp> {
    Timestamp::from_second(jwt::claims(password.expose())?.expires()?).ok()
}

/// Until when a credential is valid, and whether that is over.
pub(super) fn lifetime(credential: &Credential, now: Timestamp) -> Option<Lifetime> {
    let until = expires(&credential.password)?;
    Some(Lifetime { until: until.to_string(), is_over: until <= now })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{"aud":"shop.azurecr.io"}` and `{"aud":"api://x"}`.
    const OWN: &str = "eyJ9.eyJhdWQiOiJzaG9wLmF6dXJlY3IuaW8ifQ.c2ln";
    const OTHER: &str = "eyJ9.eyJhdWQiOiJhcGk6Ly94In0.c2ln";

    #[test]
    fn a_token_and_its_user_belong_together() {
        let domains = ["azurecr.io".to_owned()];
        for (host, username, password, expected) in [
            ("shop.azurecr.io", "robot", OWN, Some(Flaw::TokenOfAnotherUser)),
            ("shop.azurecr.io", TOKEN_USER, OWN, None),
            ("shop.azurecr.io", "robot", OTHER, None),
            ("shop.azurecr.io", TOKEN_USER, OTHER, None),
            ("shop.azurecr.io", TOKEN_USER, "hunter2", Some(Flaw::UserWithoutToken)),
            ("shop.azurecr.io", "robot", "hunter2", None),
            ("shop.azurecr.io", TOKEN_USER, "hunter2\n", Some(Flaw::LineBreak)),
            ("shop.azurecr.io", TOKEN_USER, "", Some(Flaw::Incomplete)),
            ("shop.azurecr.io.example.com", TOKEN_USER, "hunter2", None),
            ("shop.example.com", "robot", OWN, None),
        ] {
            let credential = Credential {
                provenance: Provenance::Strangers,
                username: username.to_owned(),
                password: Secret::new(password),
            };
            let registry = Url::parse(&format!("https://{host}/")).unwrap();
            assert_eq!(flaw(&credential, &registry, &domains), expected, "{host} {username}");
        }
    }
}
