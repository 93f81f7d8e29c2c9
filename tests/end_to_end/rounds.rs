//! More images of a registry than it may be asked for before the first of them are due again.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::ListParams;
use registrycheck::api::RegistryCheck;
use serde_json::json;

use super::apart::{Apart, create};
use crate::ground::eventually;

/// At one a second they take longer than the interval of their check.
const IMAGES: usize = 45;

#[tokio::test(flavor = "multi_thread")]
async fn each_image_is_asked_for_before_one_is_again() {
    let apart = Apart::start("rounds", 6457, &[]).await;
    apart.make_account("default").await;
    let images: Vec<String> =
        (0..IMAGES).map(|number| format!("missing.test/shop/api:v{number}")).collect();
    let checks: Api<RegistryCheck> = Api::namespaced(apart.client.clone(), "default");
    let spec = json!({"registry": "missing.test", "interval": "30s", "images": images});
    create(
        &checks,
        json!({
            "apiVersion": "registrycheck.dev/v1alpha1",
            "kind": "RegistryCheck",
            "metadata": {"name": "many"},
            "spec": spec,
        }),
    )
    .await;
    let arguments = ["--namespace=default", "--listen=127.0.0.1:0", "--probes-per-second=1"];
    let controller = apart.controller(&apart.kubeconfig, &arguments);
    let codes = async || -> Option<BTreeSet<String>> {
        let status = checks.get("many").await.ok()?.status?;
        Some(status.findings.into_iter().map(|finding| finding.code).collect())
    };
    let named = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
    let (some, all): (BTreeSet<_>, BTreeSet<_>) =
        (named(&["DnsNameNotFound", "ProbeSkipped"]), named(&["DnsNameNotFound"]));
    eventually("some to wait for their turn", || async { (codes().await? == some).then_some(()) })
        .await;
    eventually("each to have had its turn", || async { (codes().await? == all).then_some(()) })
        .await;
    // The next round has begun when as much time has passed again, and then another controller leads.
    let mut controller = Some(controller);
    for second in 0..40 {
        if second == 20 {
            drop(controller.take());
            controller = Some(apart.controller(&apart.kubeconfig, &arguments));
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        assert_eq!(codes().await, Some(all.clone()), "what was answered is not forgotten");
    }
    let events: Api<Event> = Api::namespaced(apart.client.clone(), "default");
    let said = events.list(&ListParams::default()).await.unwrap().items;
    let of_check = said.iter().filter(|event| event.type_.as_deref() == Some("Warning"));
    assert_eq!(of_check.count(), 1, "{said:?}");
}
