//! Registries where nothing can be pulled, each repository for a reason of its own; they count what
//! they are asked.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
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

/// What all of them were asked. A probe begins with the one HEAD of the manifest without a credential.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    requests: usize,
    /// When each probe began, and its path.
    probes: Vec<(Instant, String)>,
}

impl Count {
    /// All requests.
    pub(crate) fn requests(&self) -> usize {
        self.0.lock().unwrap().requests
    }

    /// How many images were asked for.
    pub(crate) fn images(&self) -> usize {
        let asked = self.0.lock().unwrap();
        asked.probes.iter().map(|(_, path)| path).collect::<BTreeSet<_>>().len()
    }

    /// How many probes there were of images with such a name.
    pub(crate) fn probes_of(&self, name: &str) -> usize {
        let name = format!("/{name}/manifests/");
        self.0.lock().unwrap().probes.iter().filter(|(_, path)| path.contains(&name)).count()
    }

    /// How many probes began in each whole second after this moment, until now.
    pub(crate) fn probes_each_second(&self, after: Instant) -> Vec<f64> {
        let seconds = usize::try_from(after.elapsed().as_secs()).unwrap();
        let mut each = vec![0.0; seconds];
        for (probe, _) in &self.0.lock().unwrap().probes {
            let Some(since) = probe.checked_duration_since(after) else { continue };
            if let Some(second) = each.get_mut(usize::try_from(since.as_secs()).unwrap()) {
                *second += 1.0;
            }
        }
        each
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
    {
        let mut asked = count.0.lock().unwrap();
        asked.requests += 1;
        if request.method() == Method::HEAD && !has_credential {
            asked.probes.push((Instant::now(), path.to_owned()));
        }
    }
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
