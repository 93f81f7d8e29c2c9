//! Registries that change their mind.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use rcgen::{Issuer, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::served;

/// What a registry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It serves the image to whoever has the password.
    Serves,
    /// It has no such tag.
    LacksTag,
    /// It is overloaded.
    Unavailable,
    /// Nothing listens.
    Closed,
}

/// A registry.
pub(crate) struct Registry {
    /// Its host.
    pub(crate) host: String,
    /// What it does now.
    pub(crate) mode: Mode,
    address: SocketAddr,
    tls: RustlsConfig,
    shared: Arc<Mutex<Mode>>,
    handle: Handle<SocketAddr>,
}

impl Registry {
    /// Opens the registry at a place of the ground's list of hosts.
    pub(crate) async fn open(place: usize, issuer: &Issuer<'static, KeyPair>) -> Self {
        let host = host(place);
        let (address, tls) = (served::address(place), served::tls(host.clone(), issuer).await);
        let mode = Mode::LacksTag;
        let shared = Arc::new(Mutex::new(mode));
        let registry = Self { host, mode, address, tls, shared, handle: Handle::new() };
        registry.listen().await;
        registry
    }

    /// Does something else from now on.
    pub(crate) async fn turn(&mut self, mode: Mode) {
        let was_closed = self.mode == Mode::Closed;
        self.mode = mode;
        *self.shared.lock().unwrap() = mode;
        if mode == Mode::Closed {
            self.handle.shutdown();
        } else if was_closed {
            self.handle = Handle::new();
            self.listen().await;
        }
    }

    async fn listen(&self) {
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&self.shared));
        let (address, tls, handle) = (self.address, self.tls.clone(), self.handle.clone());
        tokio::spawn(async move {
            loop {
                let server = axum_server::bind_rustls(address, tls.clone()).handle(handle.clone());
                // The one before it may not have let go of the address yet.
                if server.serve(routes.clone().into_make_service()).await.is_ok() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        self.handle.listening().await;
    }
}

/// The host at a place.
pub(crate) fn host(place: usize) -> String {
    format!("flap-{place}.lab.test")
}

fn digest(bytes: &str) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

/// The documents of the image: manifest, configuration and layer.
fn documents() -> [(String, &'static str); 3] {
    let layer = "a layer".to_owned();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
    })
    .to_string();
    let described = |content: &str, kind: &str| -> Value {
        let media_type = format!("application/vnd.oci.image.{kind}");
        json!({"mediaType": media_type, "digest": digest(content), "size": content.len()})
    };
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described(&config, "config.v1+json"),
        "layers": [described(&layer, "layer.v1.tar")],
    })
    .to_string();
    [
        (manifest, "application/vnd.oci.image.manifest.v1+json"),
        (config, "application/octet-stream"),
        (layer, "application/octet-stream"),
    ]
}

async fn answer(State(mode): State<Arc<Mutex<Mode>>>, request: Request) -> Response {
    let mode = *mode.lock().unwrap();
    if mode == Mode::Unavailable {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if !request.headers().contains_key(header::AUTHORIZATION) {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"flap\"")];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    }
    let path = request.uri().path();
    let all = documents();
    let wanted = all.iter().enumerate().find(|(place, (content, _))| {
        path.ends_with(&digest(content)) || (*place == 0 && path.ends_with("/manifests/v1"))
    });
    let (Some((_, (content, kind))), Mode::Serves) = (wanted, mode) else {
        let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
        return (StatusCode::NOT_FOUND, body).into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, (*kind).to_owned()),
        (header::CONTENT_LENGTH, content.len().to_string()),
        (HeaderName::from_static("docker-content-digest"), digest(content)),
    ];
    let body = if request.method() == Method::HEAD { String::new() } else { content.clone() };
    (headers, body).into_response()
}
