//! The messages of the protocol, as functions from value to value. Pure.
//!
//! Sources: the OCI distribution specification v1.1 (`/v2/…`, error bodies), RFC 9110 (11.6.1,
//! challenges), the Docker registry token specification, and what containerd makes of
//! them (core/remotes/docker/{resolver,authorizer}.go, auth/fetch.go).

pub(super) mod azure;
pub(super) mod challenge;
pub(super) mod jwt;
pub(super) mod manifest;
pub(super) mod realm;
mod redaction;

use hyper::header::{DATE, HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use url::Url;

use crate::evidence::told::PullLimit;
use crate::evidence::{Answer, RegistryError};
use crate::image::ImageRef;
use crate::secret::Secret;

/// What containerd says it takes (core/remotes/docker/resolver.go, `Resolve`), and Docker's
/// and OCI's types in its order.
pub(super) const ACCEPT: &str = "application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.oci.image.index.v1+json, */*";

/// Headers in which servers give the id of a request: Azure, AWS, GitHub, and the rest.
const CORRELATION: [&str; 5] = [
    "x-ms-correlation-request-id",
    "x-amzn-requestid",
    "x-github-request-id",
    "x-request-id",
    "x-correlation-id",
];

/// How much of a text from outside is kept, in characters.
const TEXT_MAX: usize = 200;
/// How much of it is looked at, in characters.
const LOOKED_AT_MAX: usize = 10 * TEXT_MAX;
/// The longest name that DNS has, with its dots, in octets (RFC 1035, 2.3.4).
const HOST_MAX: usize = 254;
/// The longest URL that the HTTP library sends, in bytes (http, `uri::MAX_LEN`); servers need not
/// take more than 8,000 (RFC 9110, 4.1).
const URL_MAX: usize = 65_534;
/// How many errors of an answer are kept.
const ERRORS_MAX: usize = 5;

/// Where the manifest of `image` is, at the registry whose base is `base`
/// (`/v2/<name>/manifests/<reference>`, OCI distribution specification, end-2).
pub(super) fn manifest_url(base: &Url, image: &ImageRef) -> Option<Url> {
    base.join(&format!("/v2/{}/manifests/{}", image.path(), image.reference())).ok()
}

/// Where a mirror below `base` has it, which is told for which registry it stands
/// (resolver.go, `request` and `addNamespace`).
pub(super) fn manifest_below(base: &Url, image: &ImageRef, registry: Option<&str>) -> Option<Url> {
    let path = base.path().trim_end_matches('/');
    let mut url =
        base.join(&format!("{path}/{}/manifests/{}", image.path(), image.reference())).ok()?;
    if let Some(registry) = registry {
        url.query_pairs_mut().append_pair("ns", registry);
    }
    Some(url)
}

/// Where the same repository has the manifest of a digest; `None` where it is no digest.
pub(super) fn by_digest(manifest: &Url, digest: &str) -> Option<Url> {
    beside(manifest, "manifests", digest)
}

/// Where the repository of a manifest has a blob (end-2); `None` where it is no digest.
pub(super) fn blob_url(manifest: &Url, digest: &str) -> Option<Url> {
    beside(manifest, "blobs", digest)
}

fn beside(manifest: &Url, kind: &str, digest: &str) -> Option<Url> {
    let (repository, _) = manifest.path().rsplit_once("/manifests/")?;
    let is_digest = crate::image::is_digest(digest);
    let mut url = manifest.join(&format!("{repository}/{kind}/{digest}")).ok()?;
    url.set_query(manifest.query());
    is_digest.then_some(url)
}

/// Where one learns whether a credential is good (`/v2/`, end-1).
pub(super) fn login_url(base: &Url) -> Option<Url> {
    base.join("/v2/").ok()
}

/// Where the tags of the repository of `image` are listed (end-8a, end-8b).
pub(super) fn tags_url(base: &Url, image: &ImageRef) -> Option<Url> {
    base.join(&format!("/v2/{}/tags/list?n=1", image.path())).ok()
}

/// The scopes of a token: those of the challenge and the right to pull from the repository,
/// sorted and each once, as containerd asks for them (`GetTokenScopes`,
/// core/remotes/docker/scope.go).
pub(super) fn scopes(challenged: Option<&str>, image: &ImageRef) -> Vec<String> {
    let mut scopes = vec![format!("repository:{}:pull", image.path())];
    scopes.extend(challenged.unwrap_or_default().split(' ').map(str::to_owned));
    scopes.retain(|scope| !scope.is_empty());
    scopes.sort();
    scopes.dedup();
    scopes
}

/// A text from outside that can be shown: without control characters and without blanks at
/// its ends, at most 200 characters.
pub(super) fn clean(text: &str) -> String {
    clean_without(text, &[])
}

/// The same without any of `secrets`, which a server may have sent back.
pub(super) fn clean_without(text: &str, secrets: &[Secret]) -> String {
    let end = text.char_indices().nth(LOOKED_AT_MAX).map_or(text.len(), |(end, _)| end);
    let text = redaction::without(&text[..end], secrets);
    text.trim().chars().take(TEXT_MAX).collect::<String>().trim_end().to_owned()
}

fn printable(text: &str) -> String {
    text.chars().map(|character| if is_shown(character) { character } else { ' ' }).collect()
}

/// No control characters, and none that turn or hide the text around them.
fn is_shown(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}'
                | '\u{feff}'
        )
}

/// Whether a URL can be asked at all: what is longer was made to be long.
pub(super) fn can_be_asked(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    (1..=HOST_MAX).contains(&host.len()) && url.as_str().len() <= URL_MAX
}

/// A URL as it may be shown: without user, query and fragment, which may hold credentials.
/// It is shown without any of `secrets` either.
pub(super) fn shown(url: &Url, secrets: &[Secret]) -> String {
    let mut url = url.clone();
    // Both fail only where a URL has no host, and then there is nothing to hide.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    clean_without(url.as_str(), secrets)
}

/// A text that is to be a URL and is none, with what of it may be shown.
pub(super) fn shown_text(text: &str, secrets: &[Secret]) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = match text.find("//") {
        Some(slashes) => text.split_at(slashes + 2),
        None => ("", text),
    };
    let host = rest.rsplit('@').next().unwrap_or_default();
    clean_without(&format!("{scheme}{host}"), secrets)
}

/// An answer that is no success, with nothing of `secrets` in it.
pub(super) fn answer(status: u16, headers: &HeaderMap, body: &[u8], secrets: &[Secret]) -> Answer {
    let text = String::from_utf8_lossy(body);
    let errors = errors(&text, secrets);
    let rest = clean_without(&text, secrets);
    Answer {
        status,
        body: if errors.is_empty() && !rest.is_empty() { Some(rest) } else { None },
        errors,
        problem: None,
        retry_after: retry_after(headers),
        correlation: CORRELATION
            .iter()
            .find_map(|name| header(headers, name))
            .map(|id| clean_without(&id, secrets)),
    }
}

/// `Retry-After` in seconds (RFC 9110, 10.2.3). A date is counted from the answer's own, so that
/// no clock but the server's matters.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let value = header(headers, RETRY_AFTER.as_str())?;
    if let Ok(seconds) = value.parse() {
        return Some(seconds);
    }
    let until = httpdate::parse_http_date(&value).ok()?;
    let now = httpdate::parse_http_date(&header(headers, DATE.as_str())?).ok()?;
    Some(until.duration_since(now).map_or(0, |wait| wait.as_secs()))
}

/// The limit of pulls that an answer states: `100;w=21600` pulls in a window of so many
/// seconds.
pub(super) fn pull_limit(headers: &HeaderMap, secrets: &[Secret]) -> Option<PullLimit> {
    let read = |name| {
        let text = header(headers, name)?;
        let (number, rest) = text.split_once(';').unwrap_or((&text, ""));
        let window = rest.split(';').find_map(|part| part.trim().strip_prefix("w=")?.parse().ok());
        Some((number.trim().parse::<u64>().ok()?, window))
    };
    let (limit, window) = read("ratelimit-limit")?;
    let (remaining, _) = read("ratelimit-remaining")?;
    let source = header(headers, "docker-ratelimit-source");
    let source = source.map(|source| clean_without(&source, secrets));
    Some(PullLimit { limit, remaining, window, source })
}

/// A header's value as text.
pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
}

/// The errors of a body: those of a registry (OCI distribution specification, "Error codes"),
/// or the one of a token service (RFC 6749, 5.2).
fn errors(body: &str, secrets: &[Secret]) -> Vec<RegistryError> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        errors: Vec<serde_json::Value>,
        error: Option<String>,
        error_description: Option<String>,
    }
    let Ok(body) = serde_json::from_str::<Body>(body) else { return Vec::new() };
    let of_registry = body.errors.iter().filter_map(|error| {
        let text = |key| error.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
        let error = RegistryError {
            code: clean_without(text("code"), secrets),
            message: clean_without(text("message"), secrets),
        };
        (!error.code.is_empty() || !error.message.is_empty()).then_some(error)
    });
    let of_token_service = body.error.map(|code| RegistryError {
        code: clean_without(&code, secrets),
        message: clean_without(&body.error_description.unwrap_or_default(), secrets),
    });
    of_registry.chain(of_token_service).take(ERRORS_MAX).collect()
}

/// Which answers of a token service hold a token where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// The answer to a POST: `access_token` only (auth/fetch.go, `FetchTokenWithOAuth`).
    Password,
    /// The answer to a GET: `access_token`, else `token` (auth/fetch.go, `FetchToken`).
    Get,
}

/// The token of an answer, or in a few words why there is none. These words repeat nothing of
/// the answer.
pub(super) fn token(body: &[u8], grant: Grant) -> Result<Secret, &'static str> {
    #[derive(Deserialize)]
    struct Body {
        token: Option<String>,
        access_token: Option<String>,
    }
    let body: Body = serde_json::from_slice(body)
        .map_err(|_| "the answer is no JSON object of the token specification")?;
    let filled = |token: Option<String>| token.filter(|token| !token.is_empty());
    let (token, missing) = match grant {
        Grant::Password => (filled(body.access_token), "the answer has no access_token"),
        Grant::Get => {
            (filled(body.access_token).or_else(|| filled(body.token)), "the answer has no token")
        }
    };
    token.map(Secret::new).ok_or(missing)
}

/// Whether a list of tags names any; `None` where it is no such list.
pub(super) fn has_tags(body: &[u8]) -> Option<bool> {
    #[derive(Deserialize)]
    struct Body {
        tags: Option<Vec<String>>,
    }
    let body: Body = serde_json::from_slice(body).ok()?;
    Some(body.tags.is_some_and(|tags| !tags.is_empty()))
}

#[cfg(test)]
mod tests;
