//! Workloads: what makes pods is watched, and only what it pulls and with whose secrets is kept.

use std::fmt::Debug;
use std::future::Future;

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use kube::runtime::watcher::Event;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tracing::warn;

use crate::target::workload::{Pulls, WorkloadRef};

use super::super::watching::listings::{self, Listings, Scope};
use super::super::watching::{is_refusal, watch_each};
use super::super::{Context, chain};
use super::ledger::WorkloadId;

/// A kind of workload.
struct Kind<K> {
    api_version: &'static str,
    name: &'static str,
    template: fn(&K) -> Option<&PodTemplateSpec>,
}

/// Keeps the ledger's workloads, for ever, where the operator allows it.
pub(in crate::controller) async fn watch(context: &Context, client: &Client) {
    if !context.settings.expiry.workloads {
        return;
    }
    let deployments = Kind::<Deployment> {
        api_version: "apps/v1",
        name: "Deployment",
        template: |workload| workload.spec.as_ref().map(|spec| &spec.template),
    };
    let stateful_sets = Kind::<StatefulSet> {
        api_version: "apps/v1",
        name: "StatefulSet",
        template: |workload| workload.spec.as_ref().map(|spec| &spec.template),
    };
    let daemon_sets = Kind::<DaemonSet> {
        api_version: "apps/v1",
        name: "DaemonSet",
        template: |workload| workload.spec.as_ref().map(|spec| &spec.template),
    };
    let cron_jobs = Kind::<CronJob> {
        api_version: "batch/v1",
        name: "CronJob",
        template: |workload| {
            let job = workload.spec.as_ref()?.job_template.spec.as_ref()?;
            Some(&job.template)
        },
    };
    tokio::join!(
        watch_kind(context, client, deployments),
        watch_kind(context, client, stateful_sets),
        watch_kind(context, client, daemon_sets),
        watch_kind(context, client, cron_jobs)
    );
}

fn watch_kind<K>(context: &Context, client: &Client, kind: Kind<K>) -> impl Future<Output = ()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug
        + Send
        + 'static,
{
    let events = watch_each::<K>(client, &context.settings.watched);
    async move {
        let mut events = std::pin::pin!(events);
        let mut listings = Listings::default();
        while let Some((scope, event)) = events.next().await {
            match (&scope, event) {
                (_, Ok(event)) => {
                    if keep(context, &kind, &mut listings, &scope, &event) {
                        context.ledger_changed.notify_one();
                    }
                }
                (Some(namespace), Err(error)) if is_refusal(&error) => {
                    context.refusals.refused(namespace, kind.name);
                }
                (_, Err(error)) => {
                    context.telemetry.reconcile_failed("WatchWorkloads");
                    warn!(kind = kind.name, error = %chain(&error), "the watch of workloads failed; trying again");
                }
            }
        }
    }
}

/// Keeps what an event says. Returns whether that is news.
fn keep<K>(
    context: &Context,
    kind: &Kind<K>,
    listings: &mut Listings,
    scope: &Scope,
    event: &Event<K>,
) -> bool
where
    K: Resource<DynamicType = ()>,
{
    match event {
        Event::Init => {
            listings.begins(scope);
            false
        }
        Event::InitApply(workload) | Event::Apply(workload) => {
            let of = reference(kind, workload);
            listings.saw(&of.namespace, &path(&of.namespace, &of.name));
            let id = id(&of);
            match (kind.template)(workload).and_then(Pulls::of_template) {
                Some(pulls) => context.ledger().apply(of, pulls),
                None => context.ledger().delete(&id),
            }
        }
        Event::Delete(workload) => context.ledger().delete(&id(&reference(kind, workload))),
        Event::InitDone => {
            if let Some(namespace) = scope {
                context.refusals.watched(namespace, kind.name);
            }
            let Some(seen) = listings.ends(scope) else { return false };
            let mut ledger = context.ledger();
            let is_gone = |(_, namespace, name): &&WorkloadId| {
                listings::covers(scope, namespace) && !seen.contains(&path(namespace, name))
            };
            let gone: Vec<WorkloadId> =
                ledger.of_kind(kind.name).filter(is_gone).cloned().collect();
            gone.iter().filter(|id| ledger.delete(id)).count() > 0
        }
    }
}

fn reference<K: Resource<DynamicType = ()>>(kind: &Kind<K>, workload: &K) -> WorkloadRef {
    let metadata = workload.meta();
    WorkloadRef {
        api_version: kind.api_version,
        kind: kind.name,
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
    }
}

fn path(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

fn id(of: &WorkloadRef) -> WorkloadId {
    (of.kind, of.namespace.clone(), of.name.clone())
}
