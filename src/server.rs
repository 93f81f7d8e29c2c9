//! The controller's own HTTP server: `/livez`, `/readyz` and `/metrics`, and what stands
//! behind them.
//!
//! What the checks say is read from them when somebody scrapes, so that a series goes with
//! its check. No label holds an image, a pod or a message.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

mod checks;
mod expiry;
mod liveness;
mod requests;
mod table;
mod telemetry;
mod unchecked;

pub use liveness::{Liveness, Work};
pub use table::{Kind, METRICS, Metric};
pub use telemetry::Telemetry;

/// Serves until the listener fails.
///
/// # Errors
///
/// Where the listener fails.
pub async fn serve(
    listener: tokio::net::TcpListener,
    telemetry: Arc<Telemetry>,
) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/livez", get(liveness))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .with_state(telemetry);
    axum::serve(listener, routes).await
}

async fn liveness(State(telemetry): State<Arc<Telemetry>>) -> impl IntoResponse {
    answer("not alive", telemetry.liveness().trouble())
}

async fn readiness(State(telemetry): State<Arc<Telemetry>>) -> impl IntoResponse {
    answer("not ready", telemetry.trouble().map(str::to_owned))
}

fn answer(not: &str, trouble: Option<String>) -> (StatusCode, String) {
    match trouble {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("{not}: {trouble}\n")),
    }
}

async fn metrics(State(telemetry): State<Arc<Telemetry>>) -> impl IntoResponse {
    match telemetry.metrics() {
        Ok(body) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], body).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests;
