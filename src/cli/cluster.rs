//! The cluster that a command asks: the one that kubectl would ask.

use std::error::Error as _;

use anyhow::{Context as _, bail};
use kube::config::{KubeConfigOptions, KubeconfigError};
use kube::{Client, Config};

use crate::controller;
use crate::image;
use crate::resolve::{self, Fetched};
use crate::target::SecretSource;

use super::Undecided;
use super::failure::Hinted;
use super::words::printable;

/// The service account of pods that name none.
const DEFAULT_ACCOUNT: &str = "default";

/// How to reach the API server: by a context of the kubeconfig, or as kubectl does.
pub(super) async fn config(context: Option<&str>) -> anyhow::Result<Config> {
    let Some(context) = context else {
        return Config::infer().await.map_err(|error| {
            let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            anyhow::Error::new(Hinted::new(
                format!("cannot find out how to reach the API server: {cause}"),
                "set KUBECONFIG, or give the secrets with -f",
            ))
        });
    };
    let options =
        KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    match Config::from_kubeconfig(&options).await {
        Ok(config) => Ok(config),
        Err(KubeconfigError::LoadContext(_)) => bail!(Hinted::new(
            format!("the kubeconfig has no context {}", printable(context)),
            "to see those that it has: kubectl config get-contexts -o name",
        )),
        Err(error) => bail!("cannot use the kubeconfig: {error}"),
    }
}

/// Whether there is a cluster to ask: a kubeconfig, or that of the pod that this runs in. A
/// kubeconfig that cannot be used is at hand all the same, and is complained of.
pub(super) async fn is_at_hand() -> bool {
    let Err(error) = Config::infer().await else { return true };
    let cause = error.source().and_then(|cause| cause.downcast_ref::<KubeconfigError>());
    let is_missing = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    !matches!(cause, Some(KubeconfigError::FindPath))
        && !matches!(cause, Some(KubeconfigError::ReadConfig(error, _)) if is_missing(error))
}

/// The namespace that is meant: the one that is given, or the context's own.
pub(super) fn namespace(given: Option<&str>, config: &Config) -> anyhow::Result<String> {
    let namespace = given.unwrap_or(&config.default_namespace);
    check_name("namespace", namespace)?;
    Ok(namespace.to_owned())
}

/// Which secrets are meant: those that are listed, or those of a service account.
pub(super) fn source(account: Option<&str>, listed: &[String]) -> anyhow::Result<SecretSource> {
    if !listed.is_empty() {
        return Ok(SecretSource::Listed(listed.to_vec()));
    }
    let account = account.unwrap_or(DEFAULT_ACCOUNT);
    check_name("service account", account)?;
    Ok(SecretSource::Account(account.to_owned()))
}

/// A client for single requests.
pub(super) fn client(config: Config) -> anyhow::Result<Client> {
    controller::requests(config).context("cannot make a client of the API server")
}

/// Reads the secrets. A service account that is not there makes no pods, so that nothing can be
/// said of theirs.
pub(super) async fn fetch(
    client: &Client,
    namespace: &str,
    source: &SecretSource,
) -> anyhow::Result<Fetched> {
    let fetched = resolve::fetch(client, namespace, source).await.context(Undecided)?;
    match source {
        SecretSource::Account(account) if fetched.lacks_account() => Err(anyhow::anyhow!(
            "service account {account} does not exist in namespace {namespace}, or may not be read"
        )
        .context(Undecided)),
        SecretSource::Account(_) | SecretSource::Listed(_) | SecretSource::Pod { .. } => {
            Ok(fetched)
        }
    }
}

pub(super) fn check_name(what: &str, name: &str) -> anyhow::Result<()> {
    if !image::is_object_name(name) {
        let name = printable(name);
        bail!(Hinted::new(
            format!("no {what} can be called {name}"),
            "write lower-case letters, digits, - and .",
        ));
    }
    Ok(())
}
