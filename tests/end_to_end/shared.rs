//! One cause in many namespaces: the registry is asked once, and all are told.

use futures::future::join_all;
use registrycheck::api::{ConditionStatus, REQUESTED_AT, RegistryCheck};

use super::crowd::failing;
use super::installed;
use crate::ground::{Namespace, eventually, kubectl, metrics, ready};

/// With its port, for no other test names it so.
const REGISTRY: &str = "anonymous.test:443";
const NAMESPACES: usize = 8;

/// How many requests the registry was sent.
fn requests() -> Option<u64> {
    let series = format!("registrycheck_registry_requests_total{{registry=\"{REGISTRY}\",");
    let metrics = metrics()?;
    let lines = metrics.lines().filter(|line| line.starts_with(&series));
    Some(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
}

async fn check(namespace: &Namespace) -> Option<RegistryCheck> {
    namespace.checks().await.into_iter().find(|check| check.spec.registry == REGISTRY)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_cause_in_many_namespaces_costs_one_probe() {
    installed();
    let mut namespaces = Vec::new();
    for number in 0..NAMESPACES {
        namespaces.push(Namespace::new(&format!("shared-{number}")).await);
    }
    let image = format!("{REGISTRY}/none/api:v1");
    let words = format!("failed to resolve reference \"{image}\": {image}: not found");
    join_all(namespaces.iter().map(|namespace| failing(namespace, "app", &image, &words))).await;
    for namespace in &namespaces {
        eventually(&format!("{} to be told", namespace.name), || async {
            let check = check(namespace).await?;
            (ready(&check)?.status == ConditionStatus::False).then_some(())
        })
        .await;
    }
    let of_all = eventually("metrics", || async { requests().filter(|count| *count > 0) }).await;
    // What is asked for by hand is asked anew.
    let name = check(&namespaces[0]).await.unwrap().metadata.name.unwrap();
    let asked = format!("{REQUESTED_AT}=now");
    kubectl(&["annotate", "registrycheck", &name, &asked, "-n", &namespaces[0].name]);
    eventually("the check to be asked anew", || async {
        let handled = check(&namespaces[0]).await?.status?.last_handled_reconcile_at?;
        (handled == "now").then_some(())
    })
    .await;
    let of_one = requests().unwrap() - of_all;
    assert!(of_one > 0, "it was not asked anew");
    assert_eq!(of_all, of_one, "{NAMESPACES} namespaces cost what one costs");
}
