//! Resolve: the pull secrets that a target names, read by name from the cluster, and the
//! credentials in them.
//!
//! A secret that is missing or may not be read is a fact ([`Gap`]); an API server that does
//! not answer is an error. Secrets are only ever fetched by name, never listed or watched.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Secret as KubernetesSecret, ServiceAccount};
use kube::{Api, Client};
use thiserror::Error;

use crate::access::{Access, Gap, Unattached};
use crate::image::{self, ImageRef};
use crate::secret::Secret;
use crate::target::SecretSource;

pub mod account_token;
pub mod keyring;
pub mod hosts;
pub mod azure;
pub mod node;
pub mod platform;

use azure::Account;
use keyring::{Dates, PullSecret};

/// The API server could not be asked.
#[derive(Debug, Error)]
pub enum Error {
    /// Reading a secret failed.
    #[error("cannot read secret {namespace}/{name}")]
    ReadSecret {
        /// The namespace.
        namespace: String,
        /// The secret.
        name: String,
        /// What went wrong.
        #[source]
        source: Box<kube::Error>,
    },
    /// Reading a node failed.
    #[error("cannot read node {name}")]
    ReadNode {
        /// The node.
        name: String,
        /// What went wrong.
        #[source]
        source: Box<kube::Error>,
    },
    /// Making a token of a service account failed.
    #[error("cannot make a token of service account {namespace}/{name}")]
    MakeToken {
        /// The namespace.
        namespace: String,
        /// The account.
        name: String,
        /// What went wrong.
        #[source]
        source: Box<kube::Error>,
    },
    /// Reading a service account failed.
    #[error("cannot read service account {namespace}/{name}")]
    ReadServiceAccount {
        /// The namespace.
        namespace: String,
        /// The account.
        name: String,
        /// What went wrong.
        #[source]
        source: Box<kube::Error>,
    },
}

/// Pull secrets as they were found.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    secrets: Vec<PullSecret>,
    gaps: Vec<Gap>,
    /// The service account, where one was asked for and is there.
    account: Option<Account>,
    /// What the service account of a pod lists and the pod does not.
    unattached: Vec<PullSecret>,
    /// The versions of all that was read: equal versions are equal secrets.
    pub versions: Versions,
}

/// The resource version of each object that was asked for, by kind and name; `None` where
/// it is missing or may not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions(BTreeMap<(&'static str, String), Option<String>>);

/// A pull secret of which only is known until when its entries are valid.
#[derive(Clone, PartialEq, Eq)]
pub struct DatedSecret {
    /// Its name.
    pub name: String,
    /// Its resource version; `None` where it is missing or may not be read.
    pub version: Option<String>,
    /// Until when its entries are valid.
    pub dates: Dates,
}

impl Fetched {
    /// The secrets that are used, and those that are missing, with what `until` reads of their
    /// passwords.
    pub fn dated(&self, until: impl Fn(&Secret) -> Option<Timestamp>) -> Vec<DatedSecret> {
        let Versions(versions) = &self.versions;
        let secrets = versions.iter().filter(|((kind, _), _)| *kind == "Secret");
        let dated = secrets.filter_map(|((_, name), version)| {
            let used = self.secrets.iter().find(|secret| secret.name == *name);
            let dates = match (used, version) {
                (Some(secret), _) => Dates::of(secret, &until),
                (None, None) => Dates::default(),
                // It is none of the pod's.
                (None, Some(_)) => return None,
            };
            Some(DatedSecret { name: name.clone(), version: version.clone(), dates })
        });
        dated.collect()
    }

    /// The credentials for `image`, in the kubelet's order.
    pub fn access(&self, image: &ImageRef) -> Access {
        let Access { credentials, azure, gaps } = keyring::lookup(&self.secrets, image);
        Access { credentials, azure, gaps: self.gaps.iter().cloned().chain(gaps).collect() }
    }

    /// What the pod's service account lists for `image` and the pod does not.
    pub fn unattached(&self, image: &ImageRef) -> Unattached {
        let Access { credentials, .. } = keyring::lookup(&self.unattached, image);
        let account = self.account.as_ref().map(|account| account.name.clone());
        Unattached { account: account.unwrap_or_default(), credentials }
    }

    /// The service account of the secrets or of the pod, without a token, where it could be read.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// Whether a service account was asked for and is missing or may not be read. New pods
    /// would then not even be made.
    pub fn lacks_account(&self) -> bool {
        let Versions(versions) = &self.versions;
        versions.iter().any(|((kind, _), version)| *kind == "ServiceAccount" && version.is_none())
    }
}

/// Reads the pull secrets that `source` names in `namespace`.
///
/// # Errors
///
/// Where the API server does not answer, or answers with anything but the object, 404 or 403.
pub async fn fetch(
    client: &Client,
    namespace: &str,
    source: &SecretSource,
) -> Result<Fetched, Error> {
    let mut fetched = Fetched::default();
    let names = match source {
        SecretSource::Listed(names) | SecretSource::Pod { listed: names, .. } => names.clone(),
        SecretSource::Account(account) => {
            secrets_of_account(client, namespace, account, &mut fetched).await?
        }
    };
    for name in &names {
        match read(client, namespace, name, &mut fetched.versions).await? {
            Read::Secret(secret) => fetched.secrets.push(secret),
            Read::Nothing(gap) => fetched.gaps.push(gap),
        }
    }
    if let SecretSource::Pod { account, .. } = source {
        let of_account = secrets_of_account(client, namespace, account, &mut fetched).await?;
        for name in of_account.iter().filter(|name| !names.contains(name)) {
            if let Read::Secret(secret) =
                read(client, namespace, name, &mut fetched.versions).await?
            {
                fetched.unattached.push(secret);
            }
        }
    }
    Ok(fetched)
}

/// Reads one pull secret by its name, and keeps only until when its entries are valid.
///
/// # Errors
///
/// Where the API server does not answer, or answers with anything but the object, 404 or 403.
pub async fn dated(
    client: &Client,
    namespace: &str,
    name: &str,
    until: impl Fn(&Secret) -> Option<Timestamp>,
) -> Result<DatedSecret, Error> {
    let listed = SecretSource::Listed(vec![name.to_owned()]);
    let fetched = fetch(client, namespace, &listed).await?;
    let missing = || DatedSecret { name: name.to_owned(), version: None, dates: Dates::default() };
    Ok(fetched.dated(until).pop().unwrap_or_else(missing))
}

/// The names of the secrets that a service account lists; none where it is missing or may not be
/// read.
///
/// # Errors
///
/// Where the API server does not answer, or answers with anything but the object, 404 or 403.
pub async fn listed_by(
    client: &Client,
    namespace: &str,
    account: &str,
) -> Result<Vec<String>, Error> {
    secrets_of_account(client, namespace, account, &mut Fetched::default()).await
}

/// What reading a secret gave.
enum Read {
    Secret(PullSecret),
    Nothing(Gap),
}

async fn read(
    client: &Client,
    namespace: &str,
    name: &str,
    versions: &mut Versions,
) -> Result<Read, Error> {
    let missing = || Read::Nothing(Gap::SecretMissing { secret: name.to_owned() });
    let mut version = None;
    // Others are no secret's name, and in a URL they could mean something else.
    let read = if image::is_object_name(name) {
        let api: Api<KubernetesSecret> = Api::namespaced(client.clone(), namespace);
        match api.get_opt(name).await {
            Ok(Some(secret)) => {
                version.clone_from(&secret.metadata.resource_version);
                Read::Secret(pull_secret(name, secret))
            }
            Ok(None) => missing(),
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                Read::Nothing(Gap::SecretForbidden { secret: name.to_owned() })
            }
            Err(source) => {
                let (namespace, name) = (namespace.to_owned(), name.to_owned());
                return Err(Error::ReadSecret { namespace, name, source: Box::new(source) });
            }
        }
    } else {
        missing()
    };
    versions.0.insert(("Secret", name.to_owned()), version);
    Ok(read)
}

/// The certificates of a secret's `ca.crt`, and the secret's version for [`Versions`]; `None`
/// where there is no such secret, or no such key in it, or it may not be read.
///
/// # Errors
///
/// Where the API server does not answer, or answers with anything but the object, 404 or 403.
pub async fn certificates(
    client: &Client,
    namespace: &str,
    name: &str,
    versions: &mut Versions,
) -> Result<Option<Vec<u8>>, Error> {
    if !image::is_object_name(name) {
        return Ok(None);
    }
    let api: Api<KubernetesSecret> = Api::namespaced(client.clone(), namespace);
    let secret = match api.get_opt(name).await {
        Ok(secret) => secret,
        Err(kube::Error::Api(status)) if status.is_forbidden() => None,
        Err(source) => {
            let (namespace, name) = (namespace.to_owned(), name.to_owned());
            return Err(Error::ReadSecret { namespace, name, source: Box::new(source) });
        }
    };
    let version = secret.as_ref().and_then(|secret| secret.metadata.resource_version.clone());
    versions.0.insert(("Secret", name.to_owned()), version);
    let data = secret.and_then(|secret| secret.data).unwrap_or_default();
    Ok(data.into_iter().find(|(key, _)| key == "ca.crt").map(|(_, value)| value.0))
}

/// The secrets that a service account lists. The account itself is kept.
async fn secrets_of_account(
    client: &Client,
    namespace: &str,
    account: &str,
    fetched: &mut Fetched,
) -> Result<Vec<String>, Error> {
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    if !image::is_object_name(account) {
        return Ok(Vec::new());
    }
    let found = match api.get_opt(account).await {
        Ok(found) => found,
        Err(kube::Error::Api(status)) if status.is_forbidden() => None,
        Err(source) => {
            return Err(Error::ReadServiceAccount {
                namespace: namespace.to_owned(),
                name: account.to_owned(),
                source: Box::new(source),
            });
        }
    };
    let version = found.as_ref().and_then(|found| found.metadata.resource_version.clone());
    fetched.versions.0.insert(("ServiceAccount", account.to_owned()), version);
    fetched.account = found.as_ref().map(|found| Account {
        name: account.to_owned(),
        annotations: found.metadata.annotations.clone().unwrap_or_default(),
        token: None,
    });
    let references = found.and_then(|found| found.image_pull_secrets).unwrap_or_default();
    let names = references.into_iter().map(|reference| reference.name);
    Ok(names.filter(|name| !name.is_empty()).collect())
}

fn pull_secret(name: &str, secret: KubernetesSecret) -> PullSecret {
    let data = secret.data.unwrap_or_default();
    PullSecret {
        name: name.to_owned(),
        kind: secret.type_.unwrap_or_default(),
        data: data.into_iter().map(|(key, value)| (key, value.0)).collect(),
    }
}
