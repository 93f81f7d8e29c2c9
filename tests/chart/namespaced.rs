//! A release that watches listed namespaces alone.

use std::time::Instant;

use registrycheck::api::ConditionStatus;

use crate::ground::{Namespace, eventually, kubectl, try_kubectl};
use crate::helm::{chart, helm};
use crate::release::{release, rights};
use crate::said;

const ACCOUNT: &str = "system:serviceaccount:ops:registrycheck";

/// A row where it watches and none where it does not, and no right across the cluster.
pub(crate) async fn live() {
    let (inside, outside) = (Namespace::new("inside").await, Namespace::new("outside").await);
    kubectl(&["create", "namespace", "ops"]);
    let chart = chart();
    let values = ["watchNamespaces={inside}", "nodeProbe.namespace=ops-node-probe"];
    let begun = Instant::now();
    let notes = release("install", "registrycheck", "ops", chart.to_str().unwrap(), &values);
    assert!(notes.contains("A pod in another namespace gets no row"), "{notes}");
    said(begun, "install for namespace inside", "the controller is ready");

    let begun = Instant::now();
    outside.pod("app", "anonymous.test/shop/api:v9", &[]);
    eventually("the pod outside to fail", || async {
        let path = "jsonpath={.status.containerStatuses[0].state.waiting.reason}";
        let reason = kubectl(&["get", "pod", "app", "-n", "outside", "-o", path]);
        reason.contains("Image").then_some(())
    })
    .await;
    // It fails after the one outside does, so that had that one been seen, it would have its row.
    inside.pod("app", "anonymous.test/shop/api:v9", &[]);
    inside.ready("anonymous.test", ConditionStatus::False, "TagNotFound").await;
    assert!(outside.checks().await.is_empty(), "it must not see the namespace outside");
    said(begun, "a pod that cannot pull in each", "inside has its row, outside none");

    let begun = Instant::now();
    let elsewhere = rights(ACCOUNT, "outside");
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
    let expected = [
        "events [] [] [list]",
        "events.events.k8s.io [] [] [create patch]",
        "pods [] [] [get list watch]",
        "registrychecks.registrycheck.dev [] [] [get list watch create delete]",
        "registrychecks.registrycheck.dev/status [] [] [patch]",
        "secrets [] [] [get]",
        "serviceaccounts [] [] [get]",
    ];
    assert_eq!(rights(ACCOUNT, "inside"), expected.map(str::to_owned).into());
    for right in [
        ["get", "nodes"],
        ["get", "secrets"],
        ["list", "pods"],
        ["list", "registrychecks.registrycheck.dev"],
    ] {
        let asked = ["auth", "can-i", right[0], right[1], "-A", "--as", ACCOUNT];
        assert!(!try_kubectl(&asked, "").0, "it must not {} everywhere", right.join(" "));
    }
    said(begun, "the account's rights", "none outside, none across the cluster");

    let begun = Instant::now();
    helm(&["uninstall", "registrycheck", "-n", "ops", "--wait", "--timeout", "90s"]);
    kubectl(&["delete", "namespace", "ops", "inside", "outside"]);
    said(begun, "uninstall", "done");
}
