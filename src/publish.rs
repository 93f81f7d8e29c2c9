//! Publish: a report becomes Events and a status. It decides nothing.
//!
//! Events are created under names that a second attempt computes again: what is said already is
//! refused by the API server, and that is success.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde_json::json;
use thiserror::Error;

use crate::api::{FIELD_MANAGER, RegistryCheck, RegistryCheckStatus};
use crate::report::{About, Announcement, EventKind, Notice};
use crate::target::workload::WorkloadRef;

/// The API server did not take what was written.
#[derive(Debug, Error)]
pub enum Error {
    /// Creating or renewing an Event failed.
    #[error("cannot write Event {name}")]
    WriteEvent {
        /// The Event.
        name: String,
        /// What went wrong.
        #[source]
        source: Box<kube::Error>,
    },
    /// Writing the status failed.
    #[error("cannot write the status of RegistryCheck {namespace}/{name}")]
    WriteStatus {
        /// The namespace.
        namespace: String,
        /// The check.
        name: String,
        /// What went wrong.
        #[source]
        source: Box<kube::Error>,
    },
}

impl Error {
    /// Whether the API server understood and will not have it, so that trying again is vain.
    pub fn is_refusal(&self) -> bool {
        let (Self::WriteEvent { source, .. } | Self::WriteStatus { source, .. }) = self;
        matches!(source.as_ref(), kube::Error::Api(status) if matches!(status.code, 403 | 422))
    }
}

/// Creates the Event of an announcement about `check` or a pod of its namespace; one that is
/// there already is left alone.
///
/// # Errors
///
/// Where the API server does not take it, other than because it is there or because the
/// namespace is ending.
pub async fn announce(
    client: &Client,
    check: &RegistryCheck,
    announcement: &Announcement,
    instance: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
    create(client, namespace, event_of(check, announcement, instance, now)).await
}

/// Creates the Event of a notice about a workload; one that is there already is left alone.
///
/// # Errors
///
/// Where the API server does not take it, other than because it is there or because the
/// namespace is ending.
pub async fn notify(
    client: &Client,
    workload: &WorkloadRef,
    notice: &Notice,
    instance: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let regarding = ObjectReference {
        api_version: Some(workload.api_version.to_owned()),
        kind: Some(workload.kind.to_owned()),
        name: Some(workload.name.clone()),
        namespace: Some(workload.namespace.clone()),
        uid: Some(workload.uid.clone()),
        ..ObjectReference::default()
    };
    let event = event(regarding, notice.clone(), instance, now);
    create(client, &workload.namespace, event).await
}

async fn create(client: &Client, namespace: &str, event: Event) -> Result<(), Error> {
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    let params =
        PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    match api.create(&params, &event).await {
        Ok(_) => Ok(()),
        // Another conflict, as of a quota, is one to try again.
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        Err(error) if is_namespace_ending(&error) => Ok(()),
        Err(source) => {
            let (name, source) = (event.metadata.name.unwrap_or_default(), Box::new(source));
            Err(Error::WriteEvent { name, source })
        }
    }
}

/// Says again that what an Event says still lasts, in the Event's own series, so that it
/// does not fade while the failure lasts. One that has faded is made anew.
///
/// # Errors
///
/// Where the API server does not take it.
pub async fn renew(
    client: &Client,
    check: &RegistryCheck,
    announcement: &Announcement,
    instance: &str,
    now: Timestamp,
    count: i32,
) -> Result<(), Error> {
    let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    let now = MicroTime(now);
    let patch = json!({"series": {"count": count, "lastObservedTime": now}});
    let params =
        PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let patched = api.patch(&announcement.name, &params, &Patch::Merge(&patch)).await;
    let written = match patched {
        Err(kube::Error::Api(status)) if status.code == 404 => {
            let series = EventSeries { count, last_observed_time: now.clone() };
            let event = event_of(check, announcement, instance, now.0);
            let event = Event { series: Some(series), ..event };
            api.create(&PostParams::default(), &event).await
        }
        other => other,
    };
    match written {
        Ok(_) => Ok(()),
        Err(error) if is_namespace_ending(&error) => Ok(()),
        Err(source) => {
            let (name, source) = (announcement.name.clone(), Box::new(source));
            Err(Error::WriteEvent { name, source })
        }
    }
}

fn event_of(
    check: &RegistryCheck,
    announcement: &Announcement,
    instance: &str,
    now: Timestamp,
) -> Event {
    let regarding = match &announcement.about {
        About::Check => check.object_ref(&()),
        About::Pod(pod) => ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(pod.name.clone()),
            namespace: check.metadata.namespace.clone(),
            uid: Some(pod.uid.clone()),
            ..ObjectReference::default()
        },
    };
    let Announcement { kind, reason, note, name, .. } = announcement.clone();
    event(regarding, Notice { kind, reason, note: note.to_string(), name }, instance, now)
}

fn event(regarding: ObjectReference, notice: Notice, instance: &str, now: Timestamp) -> Event {
    let kind = match notice.kind {
        EventKind::Normal => "Normal",
        EventKind::Warning => "Warning",
    };
    Event {
        metadata: ObjectMeta {
            name: Some(notice.name),
            namespace: regarding.namespace.clone(),
            ..ObjectMeta::default()
        },
        action: Some("Probe".to_owned()),
        event_time: Some(MicroTime(now)),
        note: Some(notice.note),
        reason: Some(notice.reason),
        regarding: Some(regarding),
        reporting_controller: Some("registrycheck.dev/registrycheck".to_owned()),
        reporting_instance: Some(instance.to_owned()),
        type_: Some(kind.to_owned()),
        ..Event::default()
    }
}

/// Applies the status, if `check` is still as it was when the status was computed from it.
/// Returns the check as it is now; `None` where it has changed or gone, so that the status
/// has to be computed anew.
///
/// # Errors
///
/// Where the API server does not take it for another reason.
pub async fn write_status(
    client: &Client,
    check: &RegistryCheck,
    status: &RegistryCheckStatus,
) -> Result<Option<RegistryCheck>, Error> {
    let namespace = check.metadata.namespace.clone().unwrap_or_default();
    let name = check.metadata.name.clone().unwrap_or_default();
    let api: Api<RegistryCheck> = Api::namespaced(client.clone(), &namespace);
    let patch = json!({
        "apiVersion": RegistryCheck::api_version(&()),
        "kind": RegistryCheck::kind(&()),
        "metadata": {
            "name": name,
            "uid": check.metadata.uid,
            "resourceVersion": check.metadata.resource_version,
        },
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch_status(&name, &params, &Patch::Apply(&patch)).await {
        Ok(check) => Ok(Some(check)),
        Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => Ok(None),
        Err(source) => Err(Error::WriteStatus { namespace, name, source: Box::new(source) }),
    }
}

/// Whether the API server refuses to create something because its namespace is ending.
pub fn is_namespace_ending(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let ending = causes.into_iter().any(|cause| cause.reason == "NamespaceTerminating");
    ending || (status.code == 404 && status.message.contains("namespaces"))
}
