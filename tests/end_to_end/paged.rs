//! An API server without streaming lists (feature gate `WatchList` off, the default of some
//! releases that we support): the controller falls back to paged lists.

use kube::Api;
use registrycheck::api::{ConditionStatus, RegistryCheck};

use super::apart::Apart;
use crate::ground::{eventually, ready};

const IMAGE: &str = "missing.test/shop/api:v1";

#[tokio::test(flavor = "multi_thread")]
async fn without_streaming_lists_pages_do() {
    let gate = "--feature-gates=WatchList=false".to_owned();
    let apart = Apart::start("without-streaming-lists", 6444, &[gate]).await;
    apart.make_account("default").await;
    apart.fail("default", "listed", IMAGE, "no such host").await;
    let _controller =
        apart.controller(&apart.kubeconfig, &["--namespace=default", "--listen=127.0.0.1:0"]);
    let checks: Api<RegistryCheck> = Api::namespaced(apart.client.clone(), "default");
    let affected = |pods: i64| {
        let checks = checks.clone();
        move || {
            let checks = checks.clone();
            async move {
                let check = checks.get_opt("missing.test").await.unwrap()?;
                let failing = ready(&check)?.status == ConditionStatus::False;
                (failing && check.status?.affected_pods == pods).then_some(())
            }
        }
    };
    eventually("a pod of the list to be explained", affected(1)).await;
    apart.fail("default", "watched", IMAGE, "no such host").await;
    eventually("a pod of the watch to be explained", affected(2)).await;
    assert!(apart.log().contains("no streaming lists"), "the server did have streaming lists");
}
