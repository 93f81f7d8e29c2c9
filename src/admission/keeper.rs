//! The keeper: it has a certificate for the webhook, renews it, and tells the API server whom to
//! trust.
//!
//! The order keeps every call answered: whoever is to be trusted next is told before the
//! certificate that needs it is shown, and whoever was trusted before stays so.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret as KubernetesSecret;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use rustls::ServerConfig;
use serde_json::json;
use thiserror::Error;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::controller::{chain, clock};
use crate::secret::Secret;

use super::certificate::{self, Material};
use super::{Certificate, Places};

/// How often it is looked after.
const PAUSE: Duration = Duration::from_secs(10);
/// How long API servers take to hear whom to trust, before a certificate of theirs is shown.
const HEARING: Duration = Duration::from_secs(5);

/// The keys of the Secret, those of `kubernetes.io/tls` and of cert-manager.
const AUTHORITIES: &str = "ca.crt";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

/// The certificate could not be looked after; it is tried again.
#[derive(Debug, Error)]
enum Error {
    #[error("cannot read {0}")]
    ReadFile(String, #[source] std::io::Error),
    #[error("cannot read the Secret {0}")]
    ReadSecret(String, #[source] Box<kube::Error>),
    #[error("cannot write the Secret {0}")]
    WriteSecret(String, #[source] Box<kube::Error>),
    #[error("cannot read the ValidatingWebhookConfiguration {0}")]
    ReadConfiguration(String, #[source] Box<kube::Error>),
    #[error("cannot write the ValidatingWebhookConfiguration {0}")]
    WriteConfiguration(String, #[source] Box<kube::Error>),
    #[error("the certificate is of no use")]
    Certificate(#[source] certificate::Error),
}

/// Gives `served` each certificate to show, for ever.
pub(super) async fn keep(
    client: &Client,
    certificate: Certificate,
    served: watch::Sender<Option<Arc<ServerConfig>>>,
) {
    let mut shown: Option<String> = None;
    let mut is_told = false;
    loop {
        let looked_after = match &certificate {
            Certificate::Directory(directory) => read_directory(directory),
            Certificate::Own(places) => look_after(client, places).await,
        };
        let result = looked_after.and_then(|material| {
            let tls = material.server().map_err(Error::Certificate)?;
            Ok((material.certificate, tls))
        });
        match result {
            Ok((certificate, _)) if shown.as_ref() == Some(&certificate) => is_told = false,
            Ok((certificate, tls)) => {
                if shown.is_some() {
                    tokio::time::sleep(HEARING).await;
                }
                info!("the webhook shows a new certificate");
                shown = Some(certificate);
                // The receiver lives as long as the server.
                let _unheard = served.send(Some(tls));
                is_told = false;
            }
            Err(error) if !is_told => {
                warn!(error = %chain(&error), "cannot look after the webhook's certificate; trying again");
                is_told = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn read_directory(directory: &Path) -> Result<Material, Error> {
    let read = |name: &str| {
        let path = directory.join(name);
        std::fs::read(&path).map_err(|error| Error::ReadFile(path.display().to_string(), error))
    };
    Ok(Material {
        authorities: String::new(),
        certificate: String::from_utf8_lossy(&read(CERTIFICATE)?).into_owned(),
        key: Secret::new(read(KEY)?),
    })
}

/// The certificate in the Secret, renewed where that is due and trusted by the configuration.
async fn look_after(client: &Client, places: &Places) -> Result<Material, Error> {
    let material = kept(client, places).await?;
    trust(client, places, &material.authorities).await?;
    Ok(material)
}

/// Two replicas agree by the Secret's version: who is late takes what the other has made, at its
/// next look.
async fn kept(client: &Client, places: &Places) -> Result<Material, Error> {
    let Places { namespace, secret: name, service, .. } = places;
    let api: Api<KubernetesSecret> = Api::namespaced(client.clone(), namespace);
    let read = api.get(name).await;
    let mut secret = read.map_err(|error| Error::ReadSecret(name.clone(), Box::new(error)))?;
    let data = secret.data.take().unwrap_or_default();
    let text = |key: &str| {
        let value = data.get(key).map(|value| value.0.as_slice()).unwrap_or_default();
        String::from_utf8_lossy(value).into_owned()
    };
    let found = Material {
        authorities: text(AUTHORITIES),
        certificate: text(CERTIFICATE),
        key: Secret::new(text(KEY)),
    };
    let host = format!("{service}.{namespace}.svc");
    let now = clock::now();
    if !found.is_due(&host, now) {
        return Ok(found);
    }
    let made = Material::make(&host, &found.authorities, now).map_err(Error::Certificate)?;
    let bytes = |bytes: &[u8]| ByteString(bytes.to_vec());
    let values = [
        (AUTHORITIES, bytes(made.authorities.as_bytes())),
        (CERTIFICATE, bytes(made.certificate.as_bytes())),
        (KEY, bytes(made.key.expose())),
    ];
    secret.data = Some(values.map(|(key, value)| (key.to_owned(), value)).into());
    let written = api.replace(name, &PostParams::default(), &secret).await;
    written.map_err(|error| Error::WriteSecret(name.clone(), Box::new(error)))?;
    info!(secret = %name, "made a certificate for the webhook");
    Ok(made)
}

/// Writes `caBundle` and nothing else: selectors and the rest are whoever's they are.
async fn trust(client: &Client, places: &Places, authorities: &str) -> Result<(), Error> {
    let name = &places.configuration;
    let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let read = api.get(name).await;
    let configuration =
        read.map_err(|error| Error::ReadConfiguration(name.clone(), Box::new(error)))?;
    let bundle = ByteString(authorities.as_bytes().to_vec());
    let webhooks = configuration.webhooks.iter().flatten().enumerate();
    let changed: Vec<usize> = webhooks
        .filter(|(_, webhook)| webhook.client_config.ca_bundle.as_ref() != Some(&bundle))
        .map(|(place, _)| place)
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    // Places in a list mean something only for the version that was read.
    let version = json!({
        "op": "test", "path": "/metadata/resourceVersion",
        "value": configuration.metadata.resource_version,
    });
    let bundles = changed.iter().map(|place| {
        json!({"op": "add", "path": format!("/webhooks/{place}/clientConfig/caBundle"), "value": bundle})
    });
    let patch: Vec<_> = std::iter::once(version).chain(bundles).collect();
    let patch = serde_json::from_value(patch.into());
    let patch = patch.map_err(|error| {
        Error::WriteConfiguration(name.clone(), Box::new(kube::Error::SerdeError(error)))
    })?;
    let written = api.patch(name, &PatchParams::default(), &Patch::Json::<()>(patch)).await;
    written.map_err(|error| Error::WriteConfiguration(name.clone(), Box::new(error)))?;
    info!(configuration = %name, "told the API server whom the webhook's certificate is from");
    Ok(())
}
