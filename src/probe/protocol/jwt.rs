//! Tokens that can be read: JSON Web Tokens (RFC 7519), whose claims say what their holder may
//! do and until when. Nothing is verified, since nothing is granted by it. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::evidence::told::Grant;

use super::clean;

/// The claims that matter here.
#[derive(Clone, Debug, Default, Deserialize)]
pub(in crate::probe) struct Claims {
    /// Until when it is valid, in seconds since 1970 (RFC 7519, 4.1.4).
    exp: Option<f64>,
    /// What it grants (Docker registry token specification, "JWT claim set").
    access: Option<Vec<Access>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Access {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    /// `null` where a service written in Go grants nothing.
    actions: Option<Vec<String>>,
}

/// The claims of a token; `None` where it is no such token.
pub(in crate::probe) fn claims(token: &[u8]) -> Option<Claims> {
    let token = std::str::from_utf8(token).ok()?;
    let mut parts = token.split('.');
    let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    // The header of each begins with `{"` (RFC 7515, 3.1).
    if parts.next().is_some() || !header.starts_with("eyJ") {
        return None;
    }
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&claims).ok()
}

impl Claims {
    /// Until when the token is valid, in seconds since 1970.
    #[expect(clippy::cast_possible_truncation, reason = "a cast of f64 saturates")]
    pub(in crate::probe) fn expires(&self) -> Option<i64> {
        self.exp.map(|seconds| seconds as i64)
    }

    /// What the token grants on `repository`; `None` where it does not say.
    pub(in crate::probe) fn grant(&self, repository: &str) -> Option<Grant> {
        let access = self.access.as_ref()?;
        let repositories = || access.iter().filter(|access| access.kind == "repository");
        let own = repositories().filter(|access| is_same(&access.name, repository));
        let mut actions: Vec<String> = own
            .flat_map(|access| access.actions.iter().flatten().map(|action| clean(action)))
            .collect();
        actions.sort();
        actions.dedup();
        actions.truncate(10);
        let has_others = repositories().any(|access| {
            let grants = access.actions.as_ref().is_some_and(|actions| !actions.is_empty());
            grants && !is_same(&access.name, repository)
        });
        Some(Grant { actions, has_others })
    }
}

/// Whether a token means the repository. Behind a proxy that rewrites paths the registry knows it
/// by a longer name or by a shorter one, and some write all names in lower case.
fn is_same(name: &str, repository: &str) -> bool {
    let (name, repository) = (name.to_ascii_lowercase(), repository.to_ascii_lowercase());
    let ends_so = |long: &str, short: &str| {
        !short.is_empty()
            && long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    ends_so(&name, &repository) || ends_so(&repository, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> Vec<u8> {
        format!("eyJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)).into_bytes()
    }

    #[track_caller]
    fn grants(claims_: &str, expected: Option<(&[&str], bool)>) {
        let grant = claims(&token(claims_)).unwrap().grant("shop/api");
        let expected = expected.map(|(actions, has_others)| Grant {
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            has_others,
        });
        assert_eq!(grant, expected);
    }

    #[test]
    fn what_a_token_grants_is_read() {
        grants(
            r#"{"access":[{"type":"repository","name":"shop/api","actions":["push","pull","pull"]}]}"#,
            Some((&["pull", "push"], false)),
        );
        grants(
            r#"{"access":[{"type":"repository","name":"shop/web","actions":["pull"]}]}"#,
            Some((&[], true)),
        );
        for name in ["mirror/shop/api", "api", "Shop/API"] {
            let claims = format!(
                r#"{{"access":[{{"type":"repository","name":"{name}","actions":["pull"]}}]}}"#
            );
            grants(&claims, Some((&["pull"], false)));
        }
        grants(
            r#"{"access":[{"type":"repository","name":"","actions":["pull"]},{"type":"repository","name":"myshop/api","actions":["pull"]}]}"#,
            Some((&[], true)),
        );
        grants(
            r#"{"access":[{"type":"repository","name":"shop/api","actions":null}]}"#,
            Some((&[], false)),
        );
        grants(r#"{"access":[]}"#, Some((&[], false)));
        grants(r#"{"access":null}"#, None);
        grants("{}", None);
    }

    #[test]
    fn what_is_no_token_is_none() {
        for text in ["", "a", "a.b", "a.b.c", "a.e30.c.d", "....", "\u{e9}.e30.c"] {
            let read = claims(text.as_bytes());
            assert!(read.is_none(), "{text}: {read:?}");
        }
        assert!(claims(b"eyJ\xff.e30.c").is_none());
        assert_eq!(
            claims(&token(r#"{"exp":1700000000.9}"#)).unwrap().expires(),
            Some(1_700_000_000)
        );
        assert_eq!(claims(&token(r#"{"exp":1e300}"#)).unwrap().expires(), Some(i64::MAX));
    }
}
