//! Asks an engine for its version: `GET /version` over its socket, or over TCP.

use std::error::Error as _;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Client, ClientBuilder, redirect};
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

use crate::evidence::workstation::{Engine, EngineFailure, EngineSeen};

use super::answer;
use super::places::{Place, Way};

/// How much of an answer is read, in bytes.
const ANSWER_MAX: usize = 64 << 10;

/// Asks at a place, for at most `limit`.
pub(super) async fn ask(place: Place, limit: Duration) -> Engine {
    let begin = Instant::now();
    let seen = match &place.way {
        Way::Socket(path) => {
            let seen = match plain() {
                Ok(builder) => {
                    over(builder.unix_socket(path.as_path()), "http://localhost", limit).await
                }
                Err(failure) => Err(failure),
            };
            match seen {
                Err(failure) => absent(failure, path, place.named_by.is_some()),
                Ok(seen) => seen,
            }
        }
        Way::Tcp { authority, certificates: None } => {
            let seen = match plain() {
                Ok(builder) => over(builder, &format!("http://{authority}"), limit).await,
                Err(failure) => Err(failure),
            };
            seen.unwrap_or_else(unavailable)
        }
        Way::Tcp { authority, certificates: Some(directory) } => match tls(directory) {
            Ok(tls) => {
                let builder = Client::builder().tls_backend_preconfigured(tls);
                over(builder, &format!("https://{authority}"), limit)
                    .await
                    .unwrap_or_else(unavailable)
            }
            Err(detail) => unavailable(EngineFailure::Failed { detail }),
        },
        Way::Skipped { reason, .. } => EngineSeen::Skipped { reason: reason.clone() },
        Way::Broken { failure, .. } => unavailable(failure.clone()),
    };
    let Place { client, named_by, way } = place;
    let micros = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
    Engine { client, address: way.address(), named_by, seen, micros }
}

/// A client that speaks no TLS, for which the system's authorities need not be read.
fn plain() -> Result<ClientBuilder, EngineFailure> {
    let failed = |error: rustls::Error| EngineFailure::Failed { detail: error.to_string() };
    let tls = believing(RootCertStore::empty()).map_err(failed)?.with_no_client_auth();
    Ok(Client::builder().tls_backend_preconfigured(tls))
}

fn unavailable(failure: EngineFailure) -> EngineSeen {
    EngineSeen::Unavailable { failure }
}

/// What a failure at a socket means: at a usual place there need be none, and one in a directory
/// that this user may not look into is another user's.
fn absent(failure: EngineFailure, path: &Path, is_named: bool) -> EngineSeen {
    match failure {
        EngineFailure::Missing if !is_named => EngineSeen::Absent,
        EngineFailure::Denied if !is_named && std::fs::symlink_metadata(path).is_err() => {
            let reason = "this user may not look into its directory".to_owned();
            EngineSeen::Skipped { reason }
        }
        failure => unavailable(failure),
    }
}

async fn over(
    builder: ClientBuilder,
    base: &str,
    limit: Duration,
) -> Result<EngineSeen, EngineFailure> {
    let failed = |error: reqwest::Error| failure(&error, limit);
    let client = builder
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .http1_only()
        .timeout(limit)
        .build()
        .map_err(failed)?;
    let mut response = client.get(format!("{base}/version")).send().await.map_err(failed)?;
    let status = response.status().as_u16();
    let server = response.headers().get(reqwest::header::SERVER);
    let server = server.and_then(|server| server.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&part);
        if body.len() > ANSWER_MAX {
            let said = format!("more than {ANSWER_MAX} bytes");
            return Err(EngineFailure::NoEngine { said });
        }
    }
    Ok(answer::of_engine(status, server.as_deref(), &body))
}

/// What an error of the HTTP library means, by what is at the bottom of it.
fn failure(error: &reqwest::Error, limit: Duration) -> EngineFailure {
    if error.is_timeout() {
        return EngineFailure::TimedOut { seconds: limit.as_secs() };
    }
    let mut cause = error.source();
    let mut detail = "the request failed".to_owned();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            match error.kind() {
                io::ErrorKind::NotFound => return EngineFailure::Missing,
                io::ErrorKind::PermissionDenied => return EngineFailure::Denied,
                io::ErrorKind::ConnectionRefused => return EngineFailure::Refused,
                _ => {}
            }
        }
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return EngineFailure::NoEngine { said: "something else than HTTP".to_owned() };
        }
        detail = error.to_string();
        cause = error.source();
    }
    EngineFailure::Failed { detail }
}

/// TLS as Docker's client does it with a directory of certificates: its authority alone is
/// believed, and its own certificate is shown where there is one (github.com/docker/go-connections,
/// tlsconfig, `ExclusiveRootPools`).
fn tls(directory: &Path) -> Result<ClientConfig, String> {
    let failed = |file: &Path, error: &dyn std::fmt::Display| {
        format!("{} cannot be used: {error}", file.display())
    };
    let (ca, cert, key) =
        (directory.join("ca.pem"), directory.join("cert.pem"), directory.join("key.pem"));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&ca).map_err(|error| failed(&ca, &error))? {
        let certificate = certificate.map_err(|error| failed(&ca, &error))?;
        roots.add(certificate).map_err(|error| failed(&ca, &error))?;
    }
    let builder = believing(roots).map_err(|error| error.to_string())?;
    if !cert.exists() {
        return Ok(builder.with_no_client_auth());
    }
    let chain = CertificateDer::pem_file_iter(&cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(&cert, &error))?;
    let private = PrivateKeyDer::from_pem_file(&key).map_err(|error| failed(&key, &error))?;
    builder.with_client_auth_cert(chain, private).map_err(|error| failed(&cert, &error))
}

/// TLS that believes these authorities.
fn believing(
    roots: RootCertStore,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots))
}
