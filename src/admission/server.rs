//! The server: an `AdmissionReview` over TLS, and its answer (Kubernetes documentation, "Dynamic
//! Admission Control").

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum_server::tls_rustls::RustlsConfig;
use futures::StreamExt as _;
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview};
use rustls::ServerConfig;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::known::Known;
use super::reviewed::Pods;

/// The path of the webhook.
const PATH: &str = "/warn";
/// The largest review that is read, in bytes. A larger one could be sent, and nothing is told of its
/// object: what is read takes some 20 times as much memory where somebody means harm.
const BODY_MAX: usize = 1 << 20;
/// How large all reviews together may be that are read, in bytes.
const ROOM: usize = 2 << 20;
/// How long a review may take to come. The API server waits 2 seconds for all of it.
const PATIENCE: Duration = Duration::from_millis(500);

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
    let desk = Desk { known, room: Arc::new(Semaphore::new(ROOM)) };
    let routes = Router::new().route(PATH, post(review)).with_state(desk);
    let serving = axum_server::from_tcp_rustls(listener, config)?.serve(routes.into_make_service());
    tokio::select! {
        served = serving => served,
        () = renew => Ok(()),
    }
}

/// What all reviews share.
#[derive(Clone)]
struct Desk {
    known: Arc<Known>,
    room: Arc<Semaphore>,
}

async fn review(State(desk): State<Desk>, body: Body) -> Response {
    let (body, taken) = match tokio::time::timeout(PATIENCE, collect(body, &desk.room)).await {
        Ok(Ok(collected)) => collected,
        Ok(Err(refusal)) => return refusal.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let request = match read(&body) {
        Ok(request) => request,
        Err(problem) => return (StatusCode::BAD_REQUEST, problem).into_response(),
    };
    let mut answer = AdmissionResponse::from(&request);
    let pods = pods(&request);
    drop((request, body, taken));
    if let Some(pods) = pods {
        answer.warnings = Some(desk.known.warnings(&pods).await);
    }
    Json(answer.into_review()).into_response()
}

/// All of a body, as it comes: one that is only announced takes no room from the others.
async fn collect(
    body: Body,
    room: &Semaphore,
) -> Result<(Vec<u8>, Vec<SemaphorePermit<'_>>), StatusCode> {
    let (mut collected, mut taken) = (Vec::new(), Vec::new());
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| StatusCode::BAD_REQUEST)?;
        if collected.len() + part.len() > BODY_MAX {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let size = u32::try_from(part.len()).map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
        let permit = room.try_acquire_many(size).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        taken.push(permit);
        collected.extend_from_slice(&part);
    }
    Ok((collected, taken))
}

/// The request of a review, or what to send instead; nothing of it is repeated.
fn read(body: &[u8]) -> Result<AdmissionRequest<DynamicObject>, String> {
    let review: AdmissionReview<DynamicObject> = serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!(
            "this is no AdmissionReview of admission.k8s.io/v1 (line {line}, column {column})\n"
        )
    })?;
    review.try_into().map_err(|_| "this AdmissionReview has no request\n".to_owned())
}

fn pods(request: &AdmissionRequest<DynamicObject>) -> Option<Pods> {
    let object = request.object.as_ref()?;
    Pods::read(request.namespace.as_deref()?, &request.kind.kind, &object.data)
}

#[cfg(test)]
mod tests;
