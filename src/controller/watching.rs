//! Watching: the streaming list where the API server has it, the paged list elsewhere.
//!
//! The streaming list spares the server and this process a full copy of every object. A
//! server whose feature gate `WatchList` is off refuses it for ever, so one refusal settles
//! it (Kubernetes documentation, API concepts, "Streaming lists").
//!
//! Where only some namespaces are to be watched, each has a watch of its own, so that rights
//! in these namespaces are enough.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use futures::stream::{self, BoxStream, Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tracing::{info, warn};

pub(super) mod listings;
pub(super) mod merged;

use crate::api::RegistryCheck;

use listings::Scope;
use merged::Merged;

/// How many objects a page of a paged list has.
const PAGE: u32 = 200;

/// Watches all objects of these namespaces, or of the cluster where none is named: for ever,
/// with back-off, and each namespace for itself.
pub(crate) fn watch_each<K>(
    client: &Client,
    namespaces: &BTreeSet<String>,
) -> impl Stream<Item = (Scope, watcher::Result<Event<K>>)> + Send + use<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug
        + Send
        + 'static,
{
    let mut watches = Vec::new();
    if namespaces.is_empty() {
        watches.push((None, Api::all(client.clone())));
    }
    watches.extend(
        namespaces
            .iter()
            .map(|namespace| (Some(namespace.clone()), Api::namespaced(client.clone(), namespace))),
    );
    stream::select_all(
        watches
            .into_iter()
            .map(|(scope, api)| watch(api).map(move |event| (scope.clone(), event)).boxed()),
    )
}

/// All checks of these namespaces, as one watch for one store. `heard` is told of each namespace
/// that is listed, or refused.
pub(crate) fn checks<F>(
    client: &Client,
    namespaces: &BTreeSet<String>,
    heard: F,
) -> impl Stream<Item = watcher::Result<Event<RegistryCheck>>> + Send + use<F>
where
    F: Fn(&str, bool) + Send,
{
    let mut merged = Merged::new(namespaces);
    watch_each::<RegistryCheck>(client, namespaces).flat_map(move |(scope, event)| {
        let events = match (&scope, event) {
            (Some(namespace), Err(error)) if is_refusal(&error) => {
                heard(namespace, false);
                merged.refused(namespace).into_iter().map(Ok).collect()
            }
            (_, Err(error)) => vec![Err(error)],
            (_, Ok(event)) => {
                if let (Some(namespace), Event::InitDone) = (&scope, &event) {
                    heard(namespace, true);
                }
                merged.next(&scope, event).into_iter().map(Ok).collect()
            }
        };
        stream::iter(events)
    })
}

/// Watches all objects of `api`, for ever, with back-off.
fn watch<K>(api: Api<K>) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let streaming = watcher(api.clone(), Config::default().streaming_lists()).boxed();
    stream::unfold((streaming, Some(api)), next).default_backoff()
}

type State<K> = (BoxStream<'static, watcher::Result<Event<K>>>, Option<Api<K>>);

async fn next<K>((mut events, api): State<K>) -> Option<(watcher::Result<Event<K>>, State<K>)>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let event = events.next().await?;
    match (event, api) {
        (Err(error), Some(api)) if refuses_streaming(&error) => {
            info!(kind = %K::kind(&()), "the API server has no streaming lists; listing in pages");
            let mut events = watcher(api, Config::default().page_size(PAGE)).boxed();
            let event = events.next().await?;
            Some((event, (events, None)))
        }
        (event, api) => Some((event, (events, api))),
    }
}

fn refuses_streaming(error: &watcher::Error) -> bool {
    matches!(
        error,
        watcher::Error::WatchStartFailed(kube::Error::Api(status))
            if matches!(status.code, 400 | 422)
    )
}

/// Whether the API server will not have a namespace watched. With rights in namespaces alone
/// that is also what it says of a namespace that does not exist.
pub(super) fn is_refusal(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status.is_forbidden(),
        watcher::Error::InitialListFailed(_)
        | watcher::Error::WatchStartFailed(_)
        | watcher::Error::WatchFailed(_)
        | watcher::Error::NoResourceVersion => false,
    }
}

/// Which namespaces cannot be watched, and for which kinds: each is said once, and once more
/// when it can be.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<BTreeMap<String, BTreeSet<&'static str>>>);

impl Refusals {
    /// A namespace's objects of a kind cannot be watched.
    pub(super) fn refused(&self, namespace: &str, kind: &'static str) {
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kinds = refusals.entry(namespace.to_owned()).or_default();
        if kinds.is_empty() {
            warn!(%namespace, %kind, "this namespace cannot be watched yet: it does not exist, or this account may not list and watch there; it is tried again until it can be");
        }
        kinds.insert(kind);
    }

    /// Whether a namespace's objects of a kind cannot be watched.
    pub(super) fn are_refused(&self, namespace: &str, kind: &'static str) -> bool {
        let refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.get(namespace).is_some_and(|kinds| kinds.contains(kind))
    }

    /// A namespace's objects of a kind are watched.
    pub(super) fn watched(&self, namespace: &str, kind: &'static str) {
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kinds) = refusals.get_mut(namespace) else { return };
        kinds.remove(kind);
        if kinds.is_empty() {
            refusals.remove(namespace);
            info!(%namespace, "this namespace is watched now");
        }
    }
}
