//! The server: an `AdmissionReview` over TLS, and its answer (Kubernetes documentation, "Dynamic
//! Admission Control").

use std::net::TcpListener;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum_server::tls_rustls::RustlsConfig;
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview};
use rustls::ServerConfig;
use tokio::sync::watch;
use tower::limit::ConcurrencyLimitLayer;

use super::known::Known;
use super::reviewed::Pods;

/// The path of the webhook.
const PATH: &str = "/warn";
/// The largest review that is read, in bytes: the API server takes objects of 3 MiB (its
/// `--max-request-body-bytes`), and a review of an update holds two.
const BODY_MAX: usize = 8 << 20;
/// How many are answered at once.
const AT_ONCE: usize = 64;

/// Serves with the newest of `certificates`, which begins with `tls`.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    mut certificates: watch::Receiver<Option<Arc<ServerConfig>>>,
    known: Arc<Known>,
) -> std::io::Result<()> {
    let config = RustlsConfig::from_config(tls);
    let reloaded = config.clone();
    let renew = async move {
        while certificates.changed().await.is_ok() {
            let newest = certificates.borrow_and_update().clone();
            if let Some(tls) = newest {
                reloaded.reload_from_config(tls);
            }
        }
    };
    let routes = Router::new()
        .route(PATH, post(review))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(ConcurrencyLimitLayer::new(AT_ONCE))
        .with_state(known);
    let serving = axum_server::from_tcp_rustls(listener, config)?.serve(routes.into_make_service());
    tokio::select! {
        served = serving => served,
        () = renew => Ok(()),
    }
}

async fn review(State(known): State<Arc<Known>>, body: Bytes) -> Response {
    let request = match read(&body) {
        Ok(request) => request,
        Err(problem) => return (StatusCode::BAD_REQUEST, problem).into_response(),
    };
    let mut answer = AdmissionResponse::from(&request);
    if let Some(pods) = pods(&request) {
        answer.warnings = Some(known.warnings(&pods).await);
    }
    Json(answer.into_review()).into_response()
}

/// The request of a review, or what to send instead.
fn read(body: &[u8]) -> Result<AdmissionRequest<DynamicObject>, String> {
    let review: AdmissionReview<DynamicObject> = serde_json::from_slice(body)
        .map_err(|error| format!("this is no AdmissionReview of admission.k8s.io/v1: {error}\n"))?;
    review.try_into().map_err(|_| "this AdmissionReview has no request\n".to_owned())
}

fn pods(request: &AdmissionRequest<DynamicObject>) -> Option<Pods> {
    let object = request.object.as_ref()?;
    Pods::read(request.namespace.as_deref()?, &request.kind.kind, &object.data)
}

#[cfg(test)]
mod tests;
