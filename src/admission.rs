//! Admission: what is known already of a pod's images and pull secrets is told at `kubectl apply`.
//!
//! It only ever warns. It asks no registry: what it tells comes from the RegistryChecks that are
//! there, from the pull secrets that are named, and from the image's name. The API server calls it
//! while somebody waits, so it answers within a second, with less where reading takes longer, and
//! every answer allows. Where it is down, the API server goes on without it (`failurePolicy: Ignore`).
//!
//! In: an `AdmissionReview`. Out: the same with warnings. Every replica answers, whoever leads.

mod certificate;
mod keeper;
mod known;
mod reviewed;
mod server;
mod warnings;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use crate::controller::Clients;

use known::Known;

/// What the webhook needs to know.
#[derive(Debug)]
pub struct Settings {
    /// Where the API server reaches it.
    pub listener: TcpListener,
    /// Where its certificate comes from.
    pub certificate: Certificate,
    /// The namespaces whose checks are watched; empty where all are.
    pub watched: BTreeSet<String>,
}

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Somebody puts it into this directory, as `tls.crt` and `tls.key`, and renews it there.
    Directory(PathBuf),
    /// It is made here and kept in the cluster.
    Own(Places),
}

/// Where a certificate of our own is kept and told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The namespace of the Secret and of the Service.
    pub namespace: String,
    /// The Secret that holds it.
    pub secret: String,
    /// The Service by which the API server reaches it.
    pub service: String,
    /// The `ValidatingWebhookConfiguration` that has to trust it.
    pub configuration: String,
}

/// The webhook ended.
#[derive(Debug, Error)]
pub enum Error {
    /// The listener failed.
    #[error("cannot serve the webhook")]
    Serve(#[source] std::io::Error),
}

/// Serves, and keeps its certificate, for ever.
///
/// # Errors
///
/// Where the listener fails.
pub async fn run(clients: &Clients, settings: Settings) -> Result<(), Error> {
    let Settings { listener, certificate, watched } = settings;
    let (known, watch) = Known::new(clients, &watched);
    let (served, mut certificates) = tokio::sync::watch::channel(None);
    let serve = async {
        loop {
            let first = certificates.borrow_and_update().clone();
            if let Some(tls) = first {
                let serving = server::serve(listener, tls, certificates, Arc::new(known));
                return serving.await.map_err(Error::Serve);
            }
            if certificates.changed().await.is_err() {
                return Ok(());
            }
        }
    };
    tokio::select! {
        served = serve => served,
        () = watch => Ok(()),
        () = keeper::keep(&clients.requests, certificate, served) => Ok(()),
    }
}
