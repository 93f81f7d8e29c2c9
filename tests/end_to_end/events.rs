//! Events as the API server keeps them: made once, and renewed while a failure lasts.

use jiff::SignedDuration;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{Patch, PatchParams};
use registrycheck::api::{ConditionStatus, REQUESTED_AT, RegistryCheck};
use registrycheck::{publish, report};
use serde_json::json;

use super::apart::{Apart, HOME, create, rules, rules_in_a_namespace};
use super::installed;
use crate::ground::{Namespace, eventually, ready};

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_lasts_is_said_again_in_the_same_event() {
    installed();
    let namespace = Namespace::new("lasting").await;
    namespace.pod("app", "refused.test/shop/api:v1", &[]);
    let check = namespace.ready("refused.test", ConditionStatus::False, "ConnectionRefused").await;
    let lasting = report::lasting(&check, check.status.as_ref().unwrap()).unwrap();
    let api: Api<Event> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let said = api.get(&lasting.name).await.expect("the Event that the controller wrote");
    assert_eq!(said.note.as_deref(), Some(&*lasting.note));
    let now = check.status.as_ref().unwrap().last_probe_time.unwrap();
    let announce = || publish::announce(&namespace.client, &check, &lasting, "test", now);
    announce().await.expect("what is said already is success");
    for count in [2, 3] {
        publish::renew(&namespace.client, &check, &lasting, "test", now, count).await.unwrap();
        assert_eq!(api.get(&lasting.name).await.unwrap().series.unwrap().count, count);
    }
    // Events live an hour: one that has faded is made anew.
    api.delete(&lasting.name, &kube::api::DeleteParams::default()).await.unwrap();
    publish::renew(&namespace.client, &check, &lasting, "test", now, 4).await.unwrap();
    assert_eq!(api.get(&lasting.name).await.unwrap().series.unwrap().count, 4);
    assert_eq!(namespace.events_of("refused.test").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_may_not_be_renewed_holds_up_no_status() {
    let apart = Apart::start("mute", 6458, &[]).await;
    apart.open(HOME, &rules("Role")).await;
    let mut rights = rules_in_a_namespace();
    rights.retain(|rule| rule["apiGroups"] != json!(["events.k8s.io"]));
    apart.open("mute", &rights).await;
    let checks: Api<RegistryCheck> = Api::namespaced(apart.client.clone(), "mute");
    let object = json!({
        "apiVersion": "registrycheck.dev/v1alpha1",
        "kind": "RegistryCheck",
        "metadata": {"name": "long"},
        "spec": {"registry": "missing.test", "images": ["missing.test/shop/api:v1"]},
    });
    create(&checks, object).await;
    let account = apart.account().await;
    let arguments = ["--namespace=home", "--listen=127.0.0.1:0", "--watch-namespace=mute"];
    let controller = apart.controller(&account, &arguments);
    let status = eventually("the check to fail", || async {
        let check = checks.get("long").await.ok()?;
        let is_failing = ready(&check)?.status == ConditionStatus::False;
        check.status.filter(|_| is_failing)
    })
    .await;
    drop(controller);
    // It has failed for an hour, and whoever said so had no right to either.
    let mut status = status;
    let begun = status.last_probe_time.unwrap() - SignedDuration::from_hours(1);
    status.conditions.iter_mut().for_each(|condition| condition.last_transition_time = begun);
    status.findings.iter_mut().for_each(|finding| finding.first_seen = begun);
    let (params, status) = (PatchParams::default(), Patch::Merge(json!({"status": status})));
    checks.patch_status("long", &params, &status).await.unwrap();
    let _controller = apart.controller(&account, &arguments);
    let asks = json!({"metadata": {"annotations": {REQUESTED_AT: "now"}}});
    checks.patch("long", &params, &Patch::Merge(asks)).await.unwrap();
    eventually("what was asked for to be done", || async {
        let handled = checks.get("long").await.ok()?.status?.last_handled_reconcile_at?;
        (handled == "now").then_some(())
    })
    .await;
    assert!(apart.log().contains("cannot renew an Event"), "{}", apart.log());
}
