//! Watching: the streaming list where the API server has it, the paged list elsewhere.
//!
//! The streaming list spares the server and this process a full copy of every object. A
//! server whose feature gate `WatchList` is off refuses it for ever, so one refusal settles
//! it (Kubernetes documentation, API concepts, "Streaming lists").

use std::fmt::Debug;

use futures::stream::{self, BoxStream, Stream, StreamExt};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tracing::info;

/// How many objects a page of a paged list has.
const PAGE: u32 = 500;

/// Watches all objects of `api`, for ever, with back-off.
pub(crate) fn watch<K>(api: Api<K>) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
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
