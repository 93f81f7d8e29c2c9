//! Rights in a few namespaces are enough: the controller watches those and asks for nothing
//! else. An API server of its own writes down every request.

use std::collections::BTreeSet;

use kube::Api;
use kube::api::ListParams;
use registrycheck::api::{ConditionStatus, RegistryCheck};

use super::apart::{Apart, HOME, rules, rules_in_a_namespace};
use crate::ground::{eventually, ready};

#[tokio::test(flavor = "multi_thread")]
async fn rights_in_the_watched_namespaces_are_enough() {
    let apart = Apart::start("namespaced", 6445, &[]).await;
    let rights = rules_in_a_namespace();
    apart.open(HOME, &rules("Role")).await;
    for namespace in ["seen", "seen-too"] {
        apart.open(namespace, &rights).await;
    }
    apart.open("unseen", &[]).await;
    for namespace in ["seen", "seen-too", "unseen"] {
        apart.fail(namespace, "app", "missing.test/shop/api:v1", "no such host").await;
    }
    let served = "anonymous.test/public/tool:v1";
    apart.fail("seen-too", "served", served, "no match for platform in manifest").await;

    let arguments = [
        "--namespace=home",
        "--listen=127.0.0.1:0",
        "--watch-namespace=seen",
        "--watch-namespace=seen-too",
        "--watch-namespace=later",
    ];
    let controller = apart.controller(&apart.account().await, &arguments);
    let says = |namespace: &'static str, name: &'static str, part: &'static str| {
        let api: Api<RegistryCheck> = Api::namespaced(apart.client.clone(), namespace);
        eventually(name, move || {
            let api = api.clone();
            async move {
                let check = api.get_opt(name).await.unwrap()?;
                let is_told = |text: &str| text.contains(part);
                let ready = ready(&check)?;
                let findings = &check.status.as_ref()?.findings;
                let is_said = is_told(&ready.reason)
                    || findings.iter().any(|finding| is_told(&finding.message));
                (ready.status == ConditionStatus::False && is_said).then_some(())
            }
        })
    };
    says("seen", "missing.test", "DnsNameNotFound").await;
    says("seen-too", "missing.test", "DnsNameNotFound").await;
    says("seen-too", "anonymous.test", "no node is read").await;
    let refused = "this namespace cannot be watched yet";
    assert_eq!(apart.log().matches(refused).count(), 1, "{}", apart.log());

    apart.open("later", &rights).await;
    apart.fail("later", "app", "missing.test/shop/api:v1", "no such host").await;
    says("later", "missing.test", "DnsNameNotFound").await;
    // What fails after the lists is seen in each namespace.
    for namespace in ["seen", "later"] {
        apart.fail(namespace, "more", "refused.test/a:1", "connection refused").await;
        says(namespace, "refused.test", "ConnectionRefused").await;
    }
    drop(controller);

    let checks: Api<RegistryCheck> = Api::all(apart.client.clone());
    let checks = checks.list(&ListParams::default()).await.unwrap().items;
    let namespaces: BTreeSet<_> =
        checks.iter().filter_map(|check| check.metadata.namespace.as_deref()).collect();
    assert_eq!(namespaces, BTreeSet::from(["seen", "seen-too", "later"]));
    let log = apart.log();
    assert_eq!(log.matches(refused).count(), 1, "{log}");
    assert_eq!(log.matches("this namespace is watched now").count(), 1, "{log}");
    assert!(!log.to_lowercase().contains("forbidden") && !log.contains(" 403"), "{log}");
    let requests = apart.requests();
    assert!(requests.len() > 20, "{requests:?}");
    for (namespace, request, status) in &requests {
        let known = ["seen", "seen-too", "later", HOME].contains(&namespace.as_str());
        assert!(known, "{request} is about no namespace that is watched");
        assert!(*status != 403 || namespace == "later", "{request} is refused");
    }
}
