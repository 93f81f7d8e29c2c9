//! Two installations share a cluster: each watches namespaces of its own, both work at once, and
//! neither touches what is the other's.

use std::collections::BTreeSet;

use kube::Api;
use kube::api::ListParams;
use registrycheck::api::{ConditionStatus, RegistryCheck};

use super::apart::{self, Apart, HOME, Running, rules, rules_in_a_namespace};
use crate::ground::{eventually, ready};

const SECOND_HOME: &str = "home-too";

#[tokio::test(flavor = "multi_thread")]
async fn two_shards_work_side_by_side_without_overlap() {
    let apart = Apart::start("sharded", 6456, &[]).await;
    let rights = rules_in_a_namespace();
    apart.open(HOME, &rules("Role")).await;
    apart.open(SECOND_HOME, &[]).await;
    let (first, second) = (["a", "b"], ["c", "d"]);
    for namespace in [first, second].concat() {
        apart.open(namespace, &rights).await;
        apart.fail(namespace, "app", "missing.test/shop/api:v1", "no such host").await;
    }
    let arguments = |home: &str, namespaces: [&str; 2]| {
        let mut arguments = vec![format!("--namespace={home}"), "--listen=127.0.0.1:0".to_owned()];
        arguments.extend(namespaces.map(|namespace| format!("--watch-namespace={namespace}")));
        arguments
    };
    // The first one has rights in its namespaces alone, the second one those of the administrator.
    let of_first = arguments(HOME, first);
    let of_first: Vec<&str> = of_first.iter().map(String::as_str).collect();
    let _one = apart.controller(&apart.account().await, &of_first);
    let of_second = arguments(SECOND_HOME, second);
    let of_second: Vec<&str> = of_second.iter().map(String::as_str).collect();
    let mut command = apart::controller("sharded-too", &[], &apart.kubeconfig, &of_second);
    let _other = Running(command.spawn().unwrap());

    let checks: Api<RegistryCheck> = Api::all(apart.client.clone());
    let told = eventually("a verdict in each namespace", || async {
        let told = checks.list(&ListParams::default()).await.unwrap().items;
        let fails = |check: &&RegistryCheck| {
            ready(check).is_some_and(|ready| ready.status == ConditionStatus::False)
        };
        (told.iter().filter(fails).count() == 4).then_some(told)
    })
    .await;
    let namespaces: Vec<&str> =
        told.iter().filter_map(|check| check.metadata.namespace.as_deref()).collect();
    assert_eq!(namespaces, ["a", "b", "c", "d"], "one check each");

    let (mut by_first, mut by_second) = (BTreeSet::new(), BTreeSet::new());
    for event in apart.audited() {
        let agent = event["userAgent"].as_str().unwrap_or_default();
        let namespace = event["objectRef"]["namespace"].as_str().unwrap_or_default().to_owned();
        if !agent.starts_with("registrycheck/") || namespace.is_empty() {
            continue;
        }
        let is_first = event["user"]["username"] == format!("system:serviceaccount:{HOME}:narrow");
        if is_first {
            by_first.insert(namespace)
        } else {
            by_second.insert(namespace)
        };
    }
    assert_eq!(by_first, BTreeSet::from(["a", "b", HOME].map(str::to_owned)));
    assert_eq!(by_second, BTreeSet::from(["c", "d", SECOND_HOME].map(str::to_owned)));
}
