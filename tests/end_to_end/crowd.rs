//! A namespace whose pods name more registries than it gets checks by itself.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::DeleteParams;
use registrycheck::api::AUTOMATIC_LABEL;
use serde_json::json;

use super::installed;
use crate::ground::{Namespace, eventually, fail_to_pull, metrics, pod};

/// How many checks a namespace gets by itself.
const MOST: usize = 20;

/// A pod that no scheduler places, with what the kubelet would say of it.
pub(super) async fn failing(namespace: &Namespace, name: &str, image: &str, words: &str) {
    let mut object = pod(name, image, &[]);
    object["spec"]["schedulerName"] = json!("nobody");
    namespace.create(object);
    let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), &namespace.name);
    fail_to_pull(&pods, name, image, words).await;
}

/// How many pods without a check are told of.
fn unchecked(namespace: &Namespace) -> Option<String> {
    let series = format!("registrycheck_unchecked_pods{{namespace=\"{}\"}} ", namespace.name);
    let metrics = metrics()?;
    let line = metrics.lines().find_map(|line| line.strip_prefix(&series)).map(str::to_owned);
    Some(line.unwrap_or_default())
}

async fn automatic(namespace: &Namespace) -> usize {
    let checks = namespace.checks().await.into_iter();
    let labels = checks.filter_map(|check| check.metadata.labels);
    labels.filter(|labels| labels.contains_key(AUTOMATIC_LABEL)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_gets_so_many_checks_and_the_rest_is_counted_in_one() {
    installed();
    let namespace = Namespace::new("crowd").await;
    for number in 0..MOST + 3 {
        let image = format!("r{number}.missing.test/shop/api:v1");
        failing(&namespace, &format!("app-{number}"), &image, "no such host").await;
    }
    eventually("the rest to be counted", || async {
        (unchecked(&namespace)? == "3").then_some(())
    })
    .await;
    assert_eq!(automatic(&namespace).await, MOST);
    // Somebody writes a check for one of the rest, which takes no other's place.
    let checked: Vec<String> =
        namespace.checks().await.into_iter().map(|check| check.spec.registry).collect();
    let mut left = (0..MOST + 3).map(|number| format!("r{number}.missing.test"));
    let left: Vec<String> = left.by_ref().filter(|host| !checked.contains(host)).collect();
    namespace.make_check("mine", &json!({"registry": left[0]}));
    eventually("one less to be counted", || async {
        (unchecked(&namespace)? == "2").then_some(())
    })
    .await;
    // Pods go, their checks with them, and the others have room.
    let pods: Api<Pod> = Api::namespaced(namespace.client.clone(), &namespace.name);
    for host in &checked[..2] {
        let number = host.trim_start_matches('r').trim_end_matches(".missing.test");
        pods.delete(&format!("app-{number}"), &DeleteParams::default()).await.unwrap();
    }
    eventually("nothing to be left", || async {
        (unchecked(&namespace)?.is_empty() && automatic(&namespace).await == MOST).then_some(())
    })
    .await;
    let checks = namespace.checks().await;
    for host in &left {
        assert!(checks.iter().any(|check| check.spec.registry == *host), "{host}");
    }
}
