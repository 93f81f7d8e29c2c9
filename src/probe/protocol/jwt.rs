//! Tokens that can be read: JSON Web Tokens (RFC 7519), whose claims say what their holder may
//! do and until when. Nothing is verified, since nothing is granted by it. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::evidence::azure::PrincipalIds;
use crate::evidence::told::Grant;

use super::clean;

/// The claims that matter here.
#[derive(Clone, Debug, Default, Deserialize)]
pub(in crate::probe) struct Claims {
    /// Until when it is valid, in seconds since 1970 (RFC 7519, 4.1.4).
    exp: Option<f64>,
    /// What it grants (Docker registry token specification, "JWT claim set").
    access: Option<Vec<Access>>,
    /// For whom it is (RFC 7519, 4.1.3).
    #[serde(default, deserialize_with = "texts")]
    aud: Vec<String>,
    /// What a token of Azure's registries is (Azure Container Registry, docs/AAD-OAuth.md).
    #[serde(default, deserialize_with = "texts")]
    grant_type: Vec<String>,
    /// Who has a token of Entra ID (Microsoft identity platform, access token claims reference):
    /// the client id by version 1 and by version 2, the object id and the tenant.
    #[serde(default, deserialize_with = "texts")]
    appid: Vec<String>,
    #[serde(default, deserialize_with = "texts")]
    azp: Vec<String>,
    #[serde(default, deserialize_with = "texts")]
    oid: Vec<String>,
    #[serde(default, deserialize_with = "texts")]
    tid: Vec<String>,
}

/// A text, or a list of some; none where it is something else, which spoils no other claim.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => vec![text],
        Value::Array(items) => {
            items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    })
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

    /// Whose the token is, where it says anything of that.
    pub(in crate::probe) fn principal(&self) -> Option<PrincipalIds> {
        let ids = PrincipalIds {
            client_id: id(&self.appid).or_else(|| id(&self.azp)),
            object_id: id(&self.oid),
            tenant: id(&self.tid),
        };
        (ids != PrincipalIds::default()).then_some(ids)
    }

    /// Whether it is a registry's own token, with which one logs in at `host` like with a
    /// password.
    pub(in crate::probe) fn is_login_at(&self, host: &str) -> bool {
        self.aud.iter().any(|audience| audience.eq_ignore_ascii_case(host))
            || self.grant_type.iter().any(|kind| kind == "refresh_token")
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

/// An id as Entra ID writes them; anything else in its place is none.
fn id(texts: &[String]) -> Option<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '-';
    let is_id = |text: &&String| !text.is_empty() && text.len() <= 64 && text.chars().all(is_part);
    texts.first().filter(is_id).cloned()
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
    fn a_token_of_entra_says_whose_it_is() {
        let ids = |client: Option<&str>, object: Option<&str>, tenant: Option<&str>| PrincipalIds {
            client_id: client.map(str::to_owned),
            object_id: object.map(str::to_owned),
            tenant: tenant.map(str::to_owned),
        };
        for (text, expected) in [
            (
                r#"{"aud":"x","appid":"a-1","oid":"o-1","tid":"t-1"}"#,
                Some(ids(Some("a-1"), Some("o-1"), Some("t-1"))),
            ),
            (r#"{"aud":["x"],"azp":"a-2","tid":7}"#, Some(ids(Some("a-2"), None, None))),
            (r#"{"appid":"$(rm)","oid":"o"}"#, Some(ids(None, Some("o"), None))),
            (r#"{"appid":{},"oid":""}"#, None),
        ] {
            assert_eq!(claims(&token(text)).unwrap().principal(), expected, "{text}");
        }
    }

    #[test]
    fn a_registrys_own_token_is_known() {
        for (text, expected) in [
            (r#"{"aud":"Shop.azurecr.io"}"#, true),
            (r#"{"aud":"other.azurecr.io","grant_type":"refresh_token"}"#, true),
            (r#"{"aud":"other.azurecr.io","grant_type":"access_token"}"#, false),
            ("{}", false),
        ] {
            let claims = claims(&token(text)).unwrap();
            assert_eq!(claims.is_login_at("shop.azurecr.io"), expected, "{text}");
        }
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
