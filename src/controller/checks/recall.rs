//! Recall: what a kubelet has forgotten is read from the Events that it wrote.
//!
//! A kubelet that was restarted says only that it waits, and one before Kubernetes 1.33 never
//! says more in a back-off. Its Events last an hour. They are read only where the cause is
//! missing, once in the time of the longest back-off, and for a few pods at a time.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::ListParams;

use crate::api::RegistryCheck;
use crate::complaint::{self, Complaint};
use crate::target::{FailingPod, Wait};

use super::super::{Context, clock};
use super::Error;
use super::memory::uid_of;

/// For how many pods Events are read in one look at a check.
const MOST_PODS: usize = 10;
/// How many Events of a pod are read.
const MOST_EVENTS: u32 = 200;
/// The longest back-off of a kubelet: after that it has written a new Event
/// (`MaxContainerBackOff`, `pkg/kubelet/kubelet.go` of Kubernetes 1.35).
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

/// What was read of pods that wait for images, by uid and image.
pub(super) type Recalled = HashMap<(String, String), Recollection>;

/// What the Events of a pod said, and when they were read.
#[derive(Clone, Debug)]
pub(super) struct Recollection {
    read_at: Timestamp,
    complaint: Option<Complaint>,
}

/// Puts what Events say in place of what the kubelet has forgotten.
pub(super) async fn recall(
    context: &Context,
    check: &RegistryCheck,
    mut failing: Vec<FailingPod>,
) -> Result<Vec<FailingPod>, Error> {
    let uid = uid_of(check);
    let mut known = context.memory().get(&uid).map(|memory| memory.recalled.clone());
    let mut recalled = known.take().unwrap_or_default();
    recalled.retain(|(uid, _), _| failing.iter().any(|pod| pod.pod.uid == *uid));
    let mut left = MOST_PODS;
    for pod in &mut failing {
        let (uid, forgotten) = (pod.pod.uid.clone(), pod.waits.iter_mut().filter(is_forgotten));
        let mut events = None;
        for wait in forgotten {
            let key = (uid.clone(), wait.image.clone());
            let now = clock::now();
            let is_known = recalled
                .get(&key)
                .is_some_and(|known| clock::between(known.read_at, now) < LONGEST_BACK_OFF);
            if !is_known && (events.is_some() || left > 0) {
                if events.is_none() {
                    left -= 1;
                    events = Some(read(context, &pod.namespace, &uid).await?);
                }
                let complaint = events.as_deref().and_then(|events| newest(events, &wait.image));
                recalled.insert(key.clone(), Recollection { read_at: now, complaint });
            }
            if let Some(complaint) = recalled.get(&key).and_then(|known| known.complaint.clone()) {
                wait.complaint = complaint;
            }
        }
    }
    context.memory().entry(uid).or_default().recalled = recalled;
    Ok(failing)
}

fn is_forgotten(wait: &&mut Wait) -> bool {
    wait.complaint.is_forgotten()
}

/// The Events about a pod; none where this controller may not read them.
async fn read(context: &Context, namespace: &str, uid: &str) -> Result<Vec<Event>, Error> {
    let api: Api<Event> = Api::namespaced(context.client.clone(), namespace);
    let of_pod =
        ListParams::default().fields(&format!("involvedObject.uid={uid}")).limit(MOST_EVENTS);
    match api.list(&of_pod).await {
        Ok(events) => Ok(events.items),
        Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(Vec::new()),
        Err(source) => Err(Error::Read { what: "the Events of a pod", source: Box::new(source) }),
    }
}

/// What the newest Event about a failed pull of `image` says.
fn newest(events: &[Event], image: &str) -> Option<Complaint> {
    let about = events.iter().filter_map(|event| {
        let (reason, message) = (event.reason.as_deref()?, event.message.as_deref()?);
        Some((seen_at(event), complaint::read_event(reason, message, image)?))
    });
    about.max_by_key(|(seen_at, _)| *seen_at).map(|(_, complaint)| complaint)
}

/// When an Event was seen last: a repeated one counts from its last time.
fn seen_at(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref());
    let series = series.map(|time| time.0);
    series
        .or_else(|| event.last_timestamp.as_ref().map(|time| time.0))
        .or_else(|| event.event_time.as_ref().map(|time| time.0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(message: &str, last: &str) -> Event {
        serde_json::from_value(json!({
            "metadata": {}, "involvedObject": {}, "reason": "Failed",
            "message": format!("Failed to pull image \"r.test/a:1\": {message}"),
            "lastTimestamp": last,
        }))
        .unwrap()
    }

    #[test]
    fn the_newest_event_counts() {
        let events = [
            event("first", "2026-01-01T00:00:01Z"),
            event("last", "2026-01-01T00:00:03Z"),
            event("second", "2026-01-01T00:00:02Z"),
        ];
        let last = Complaint::PullFailed { cause: "last".to_owned() };
        assert_eq!(newest(&events, "r.test/a:1"), Some(last));
        assert_eq!(newest(&events, "r.test/b:1"), None);
        assert_eq!(newest(&[], "r.test/a:1"), None);
    }
}
