//! The pod of one probe: it is made, waited for, and removed.
//!
//! Whatever the cluster does with it is data: a probe of a node never holds back what is known
//! without it.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::{Api, Client};
use tracing::warn;

use crate::image::ImageRef;
use crate::node::progress::{self, Progress, Refusal, Skipped};
use crate::node::{self, Question, Shape};
use crate::record::Seen;

use super::super::chain;

/// The first pause between two looks at a pod; nobody may watch them.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// For how long a pod starts before the kubelet's Events say what it waits for.
const USUAL_START: Duration = Duration::from_secs(1);
/// How many Events of a pod are read.
const MOST_EVENTS: u32 = 50;

/// A pod that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// Why no pod was made.
#[derive(Debug)]
pub enum NotMade {
    /// There is one of that name.
    Taken,
    /// There is no namespace for it.
    NotInstalled(Skipped),
    /// The cluster does not allow it.
    Refused(Skipped),
}

/// Makes the pod.
///
/// # Errors
///
/// [`NotMade`] where there is one already, or where none may be made.
pub async fn make(
    client: &Client,
    shape: &Shape,
    name: &str,
    question: &Question<'_>,
) -> Result<Made, NotMade> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &shape.namespace);
    let pod = node::pod(shape, name, question);
    match api.create(&PostParams::default(), &pod).await {
        Ok(pod) => Ok(Made { name: name.to_owned(), uid: pod.metadata.uid.unwrap_or_default() }),
        Err(kube::Error::Api(status)) if status.is_already_exists() => Err(NotMade::Taken),
        Err(kube::Error::Api(status)) => {
            let refusal =
                Refusal { code: status.code, reason: &status.reason, message: &status.message };
            let skipped = progress::refused(shape, refusal);
            Err(if refusal.is_not_installed() {
                NotMade::NotInstalled(skipped)
            } else {
                NotMade::Refused(skipped)
            })
        }
        Err(error) => Err(NotMade::Refused(unanswered(&error))),
    }
}

fn unanswered(error: &kube::Error) -> Skipped {
    let error = chain(error);
    Skipped::because(format!("the API server gives no answer about the node probe: {error}"))
}

/// What came of a probe, and the node that it ran on.
#[derive(Debug)]
pub struct Ended {
    /// The node; `None` where the pod came to none.
    pub node: Option<String>,
    /// What it saw.
    pub result: Result<Seen, Skipped>,
}

/// Waits for what the pod leaves, telling `observer` what it waits for whenever that changes.
pub async fn wait(
    client: &Client,
    shape: &Shape,
    made: &Made,
    question: &Question<'_>,
    image: &ImageRef,
    observer: &(dyn Fn(&str) + Sync),
) -> Ended {
    let api: Api<Pod> = Api::namespaced(client.clone(), &shape.namespace);
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut waits_for = String::new();
    let mut node = None;
    while began.elapsed() < question.deadline() + LONGEST_PAUSE {
        tokio::time::sleep(pause).await;
        pause = pause.mul_f64(1.5).min(LONGEST_PAUSE);
        let pod = match api.get_opt(&made.name).await {
            Ok(Some(pod)) if pod.metadata.uid.as_deref() == Some(made.uid.as_str()) => pod,
            Ok(_) => {
                let gone = Skipped::because("somebody removed the pod of the node probe");
                return Ended { node, result: Err(gone) };
            }
            // One look less: it is looked at again.
            Err(error) => {
                waits_for = format!("for the API server: {}", chain(&error));
                continue;
            }
        };
        node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
        let has_started = pod.status.as_ref().is_some_and(|status| {
            let containers = status.container_statuses.iter().flatten();
            containers
                .filter_map(|container| container.state.as_ref())
                .any(|state| state.running.is_some() || state.terminated.is_some())
        });
        let events = if node.is_some() && !has_started && began.elapsed() > USUAL_START {
            events(client, shape, &made.uid).await
        } else {
            Vec::new()
        };
        match progress::read(&pod, &events, shape, question, image) {
            Progress::Seen(seen) => return Ended { node, result: Ok(seen) },
            Progress::Skipped(skipped) => return Ended { node, result: Err(skipped) },
            Progress::Waits(what) if what != waits_for => {
                observer(&what);
                waits_for = what;
            }
            Progress::Waits(_) => {}
        }
    }
    Ended { node, result: Err(progress::overdue(question, &waits_for)) }
}

/// The Events about a pod, each a reason and a message; none where they may not be read.
async fn events(client: &Client, shape: &Shape, uid: &str) -> Vec<(String, String)> {
    let api: Api<Event> = Api::namespaced(client.clone(), &shape.namespace);
    let of_pod =
        ListParams::default().fields(&format!("involvedObject.uid={uid}")).limit(MOST_EVENTS);
    let events = api.list(&of_pod).await.map(|list| list.items).unwrap_or_default();
    let pairs = events
        .into_iter()
        .map(|event| (event.reason.unwrap_or_default(), event.message.unwrap_or_default()));
    pairs.collect()
}

/// Removes a pod, if it is still that one, at once. One that is gone is no failure.
pub async fn remove(client: &Client, namespace: &str, made: &Made) -> bool {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = DeleteParams {
        grace_period_seconds: Some(0),
        preconditions: Some(Preconditions { uid: Some(made.uid.clone()), resource_version: None }),
        ..DeleteParams::default()
    };
    match api.delete(&made.name, &params).await {
        Ok(_) => true,
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => true,
        Err(error) => {
            warn!(pod = %made.name, error = %chain(&error), "a pod of the node probe could not be removed; it is tried again");
            false
        }
    }
}

/// The pod of that name, if there is one.
pub(super) async fn find(client: &Client, namespace: &str, name: &str) -> Option<Pod> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    api.get_opt(name).await.ok().flatten()
}
