//! What is known: the RegistryChecks that are there, and the pull secrets that are named.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::Client;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{self, Store};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use crate::access::Gap;
use crate::api::RegistryCheck;
use crate::controller::{self, Clients};
use crate::image::ImageRef;
use crate::resolve;
use crate::target::SecretSource;

use super::reviewed::Pods;
use super::warnings::warnings;

/// How long reading may take. The API server waits 2 seconds for all of it.
const PATIENCE: Duration = Duration::from_secs(1);
/// For how many objects pull secrets are read at once.
const READS: usize = 16;
/// How many pull secrets are read for one object.
const SECRETS_MAX: usize = 8;

/// What is known, and where the rest is asked for.
pub(super) struct Known {
    client: Client,
    checks: Store<RegistryCheck>,
    reads: Semaphore,
}

impl Known {
    /// What keeps the checks is to be polled beside it, for ever.
    pub(super) fn new(
        clients: &Clients,
        watched: &BTreeSet<String>,
    ) -> (Self, impl Future<Output = ()> + use<>) {
        let (checks, writer) = reflector::store();
        let events = controller::watching::checks(&clients.watches, watched, |_, _| {});
        let keep = events.reflect(writer).for_each(|event| async move {
            if let Err(error) = event {
                warn!(error = %controller::chain(&error), "the webhook's watch of RegistryChecks failed; trying again");
            }
        });
        let client = clients.requests.clone();
        (Self { client, checks, reads: Semaphore::new(READS) }, keep)
    }

    /// One of a cluster without any check.
    #[cfg(test)]
    pub(super) fn without_checks(client: Client) -> Self {
        Self { client, checks: reflector::store().0, reads: Semaphore::new(READS) }
    }

    /// What is to be told of `pods`.
    pub(super) async fn warnings(&self, pods: &Pods) -> Vec<String> {
        let read = tokio::time::timeout(PATIENCE, self.read(pods)).await;
        let (secrets, gaps) = read.unwrap_or_else(|_| {
            debug!(namespace = %pods.namespace, "the pull secrets could not be read in time");
            (listed(&pods.secrets), Vec::new())
        });
        let checks: Vec<Arc<RegistryCheck>> = self
            .checks
            .state()
            .into_iter()
            .filter(|check| check.metadata.namespace.as_ref() == Some(&pods.namespace))
            .collect();
        warnings(pods, &secrets, &gaps, &checks)
    }

    /// The names of the pull secrets, and what is wrong with these.
    async fn read(&self, pods: &Pods) -> (Vec<String>, Vec<Gap>) {
        // It is never closed.
        let _permit = self.reads.acquire().await;
        let Some(image) = pods.images.iter().find_map(|image| ImageRef::parse(image).ok()) else {
            return (listed(&pods.secrets), Vec::new());
        };
        let mut names = match &pods.secrets {
            SecretSource::Listed(_) | SecretSource::Pod { .. } => listed(&pods.secrets),
            SecretSource::Account(account) => {
                let read = resolve::listed_by(&self.client, &pods.namespace, account).await;
                read.unwrap_or_else(|error| unread(&error))
            }
        };
        names.truncate(SECRETS_MAX);
        let source = SecretSource::Listed(names.clone());
        let gaps = match resolve::fetch(&self.client, &pods.namespace, &source).await {
            Ok(fetched) => fetched.access(&image).gaps,
            Err(error) => unread(&error),
        };
        (names, gaps)
    }
}

fn listed(secrets: &SecretSource) -> Vec<String> {
    match secrets {
        SecretSource::Listed(names) | SecretSource::Pod { listed: names, .. } => names.clone(),
        SecretSource::Account(_) => Vec::new(),
    }
}

/// What cannot be read is not told: whoever waits has no use for it.
fn unread<T: Default>(error: &resolve::Error) -> T {
    debug!(error = %controller::chain(error), "the webhook could not read");
    T::default()
}
