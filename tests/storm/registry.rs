//! Registries where nothing can be pulled, each repository for a reason of its own; they count what
//! they are asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum_server::Handle;
use rcgen::{Issuer, KeyPair};

use crate::served;

/// How many there are.
pub(crate) const REGISTRIES: usize = 5;
/// The repositories, with what a node's containerd says of an image in each.
pub(crate) const CAUSES: [(&str, &str); 4] = [
    ("gone", "failed to resolve reference \"IMAGE\": IMAGE: not found"),
    (
        "denied",
        "failed to resolve reference \"IMAGE\": unexpected status from HEAD request to \
         https://HOST/v2/denied/api/manifests/v1: 403 Forbidden",
    ),
    (
        "limited",
        "failed to resolve reference \"IMAGE\": unexpected status from HEAD request to \
         https://HOST/v2/limited/api/manifests/v1: 429 Too Many Requests",
    ),
    (
        "broken",
        "failed to resolve reference \"IMAGE\": unexpected status from HEAD request to \
         https://HOST/v2/broken/api/manifests/v1: 500 Internal Server Error",
    ),
];

/// How often all of them were asked, by method, repository, kind and user. A probe begins with the one
/// HEAD of the manifest without a credential.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count(Arc<Mutex<BTreeMap<String, u64>>>);

impl Count {
    /// All requests, and the probes among them.
    pub(crate) fn requests_and_probes(&self) -> (u64, u64) {
        let count = self.0.lock().unwrap();
        let begins = |what: &&String| what.starts_with("HEAD ") && what.ends_with(" as nobody");
        let probes = count.iter().filter(|(what, _)| begins(what)).map(|(_, times)| times).sum();
        (count.values().sum(), probes)
    }
}

/// The host at a place.
pub(crate) fn host(place: usize) -> String {
    format!("storm-{place}.lab.test")
}

/// Opens the registry at a place of the ground's list of hosts.
pub(crate) async fn open(place: usize, issuer: &Issuer<'static, KeyPair>, count: &Count) {
    let (address, tls) = (served::address(place), served::tls(host(place), issuer).await);
    let routes = Router::new().fallback(answer).with_state(count.clone());
    let handle = Handle::new();
    let server = axum_server::bind_rustls(address, tls).handle(handle.clone());
    tokio::spawn(server.serve(routes.into_make_service()));
    handle.listening().await.unwrap();
}

async fn answer(State(count): State<Count>, request: Request) -> Response {
    let has_credential = request.headers().contains_key(header::AUTHORIZATION);
    let path = request.uri().path();
    let repository = path.strip_prefix("/v2/").and_then(|path| path.split('/').next());
    let repository = repository.unwrap_or_default();
    let who = if has_credential { "alice" } else { "nobody" };
    let kind = path.rsplit('/').nth(1).unwrap_or_default();
    let what = format!("{} {repository} {kind} as {who}", request.method());
    *count.0.lock().unwrap().entry(what).or_default() += 1;
    if !has_credential {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"storm\"")];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    }
    let (status, code) = match repository {
        "gone" => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
        "denied" => (StatusCode::FORBIDDEN, "DENIED"),
        "limited" => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
        "broken" => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
        _ => return StatusCode::OK.into_response(),
    };
    (status, format!(r#"{{"errors":[{{"code":"{code}","message":"no"}}]}}"#)).into_response()
}
