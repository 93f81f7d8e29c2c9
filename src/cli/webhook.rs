//! The arguments of the webhook that warns at `kubectl apply`.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::admission::{Certificate, Places, Settings};

/// Whether and how the webhook is served.
#[derive(Debug, Args)]
#[expect(clippy::struct_field_names, reason = "they are the options' names")]
pub(super) struct WebhookArguments {
    /// Where to answer the API server, which asks what is to be told at kubectl apply. Left out,
    /// nothing is told there.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "webhook_certificate")]
    webhook_listen: Option<SocketAddr>,
    /// The directory in which somebody keeps the webhook's certificate: tls.crt and tls.key.
    #[arg(
        long,
        value_name = "DIRECTORY",
        group = "webhook_certificate",
        requires = "webhook_listen"
    )]
    webhook_certificate_directory: Option<PathBuf>,
    /// The Secret of the own namespace, which has to be there, in which the controller keeps a
    /// certificate that it makes.
    #[arg(long, value_name = "NAME", group = "webhook_certificate",
        requires_all = ["webhook_listen", "webhook_service", "webhook_configuration"])]
    webhook_certificate_secret: Option<String>,
    /// The Service of the own namespace by which the API server reaches the webhook.
    #[arg(long, value_name = "NAME", requires = "webhook_certificate_secret")]
    webhook_service: Option<String>,
    /// The `ValidatingWebhookConfiguration` in which the certificate's authority is told.
    #[arg(long, value_name = "NAME", requires = "webhook_certificate_secret")]
    webhook_configuration: Option<String>,
}

impl WebhookArguments {
    /// The settings; `None` where nothing is served.
    pub(super) fn settings(
        self,
        namespace: &str,
        watched: BTreeSet<String>,
    ) -> anyhow::Result<Option<Settings>> {
        let Self {
            webhook_listen: listen,
            webhook_certificate_directory: directory,
            webhook_certificate_secret: secret,
            webhook_service: service,
            webhook_configuration: configuration,
        } = self;
        let Some(listen) = listen else { return Ok(None) };
        let own =
            secret.zip(service).zip(configuration).map(|((secret, service), configuration)| {
                Certificate::Own(Places {
                    namespace: namespace.to_owned(),
                    secret,
                    service,
                    configuration,
                })
            });
        let Some(certificate) = directory.map(Certificate::Directory).or(own) else {
            return Ok(None);
        };
        let listener =
            TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
        listener.set_nonblocking(true).context("cannot prepare to listen")?;
        Ok(Some(Settings { listener, certificate, watched }))
    }
}
