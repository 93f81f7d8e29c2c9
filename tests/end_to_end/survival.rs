//! What survives: the controller is killed, and what it wrote stays right and is said once.

use std::collections::HashMap;
use std::fs;

use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::ListParams;
use registrycheck::api::{ConditionStatus, RegistryCheck};

use super::apart::Apart;
use super::installed;
use crate::ground::{Namespace, eventually, ground, ready, signal};
use crate::warned::warns;

/// The process ids of the controller, as the ground sees them; the one that only warns is none.
pub(super) fn controllers() -> Vec<i32> {
    let processes = fs::read_dir("/proc").unwrap();
    let ids = processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    ids.filter(|id: &i32| {
        let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        command.starts_with(b"/usr/local/bin/registrycheck\0run\0") && !warns(&command)
    })
    .collect()
}

pub(super) fn kill(id: i32) {
    signal("-9", id);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_kills_while_pods_fail_double_nothing_and_lose_nothing() {
    installed();
    let namespace = Namespace::new("survival").await;
    let ways: [(&str, &str, &str); 5] = [
        ("refused.test", "refused.test/shop/api:v1", "ConnectionRefused"),
        ("missing.test", "missing.test/shop/api:v1", "DnsNameNotFound"),
        ("unavailable.test", "unavailable.test/shop/api:v1", "RegistryUnavailable"),
        ("expired.test", "expired.test/shop/api:v1", "TlsCertificateExpired"),
        ("basic.test", "basic.test/shop/api:v1", "PullSecretMissing"),
    ];
    for round in 0..10 {
        let (_, image, _) = ways[round % ways.len()];
        namespace.pod(&format!("app-{round}"), image, &["regcred"]);
        // At another point of the work each time: right after the pod, or some way into it.
        tokio::time::sleep(std::time::Duration::from_millis(300 * (round as u64 % 5))).await;
        let id = eventually("the controller to run", || async { controllers().pop() }).await;
        kill(id);
        eventually("the controller to be another", || async {
            controllers().iter().any(|other| *other != id).then_some(())
        })
        .await;
    }
    for (check, _, code) in ways {
        eventually(&format!("{check} to be {code} with 2 pods"), || async {
            let check = namespace.check(check).await?;
            let is = ready(&check)?;
            let right = is.status == ConditionStatus::False && is.reason == code;
            (right && check.status.as_ref()?.affected_pods == 2).then_some(())
        })
        .await;
    }
    // Mended, so that the other transition is counted too.
    namespace.secret("regcred", "basic.test", &ground().password("basic.test"));
    namespace.ready("basic.test", ConditionStatus::True, "Pullable").await;
    for (check, _, code) in ways {
        let mut times: HashMap<String, usize> = HashMap::new();
        for event in namespace.events_of(check).await {
            *times.entry(event.reason.unwrap()).or_default() += 1;
        }
        let mut expected = HashMap::from([(code.to_owned(), 1)]);
        if check == "basic.test" {
            expected.insert("Pullable".to_owned(), 1);
        }
        assert_eq!(times, expected, "{check}");
    }
    for round in 0..10 {
        let events = namespace.told(&format!("app-{round}")).await;
        let code = ways[round % ways.len()].2;
        let times = events.iter().filter(|event| event.reason.as_deref() == Some(code)).count();
        assert_eq!(times, 1, "app-{round}: {events:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_restarts_loses_and_doubles_nothing() {
    let apart = Apart::start("restarted", 6448, &[]).await;
    apart.make_account("default").await;
    let image = "missing.test/shop/api:v1";
    apart.fail("default", "before", image, "no such host").await;
    let _controller =
        apart.controller(&apart.kubeconfig, &["--namespace=default", "--listen=127.0.0.1:0"]);
    let checks: Api<RegistryCheck> = Api::namespaced(apart.client.clone(), "default");
    let affected = async |pods: i64| {
        eventually(&format!("{pods} pods to be explained"), || async {
            let check = checks.get_opt("missing.test").await.ok()??;
            let failing = ready(&check)?.status == ConditionStatus::False;
            (failing && check.status?.affected_pods == pods).then_some(())
        })
        .await;
    };
    affected(1).await;
    apart.restart(std::time::Duration::from_secs(2)).await;
    eventually("the API server to be back", || async {
        apart.client.apiserver_version().await.ok()
    })
    .await;
    apart.fail("default", "after", image, "no such host").await;
    affected(2).await;
    let events: Api<Event> = Api::namespaced(apart.client.clone(), "default");
    let events = events.list(&ListParams::default()).await.unwrap().items;
    let of_check =
        events.iter().filter(|event| event.involved_object.name.as_deref() == Some("missing.test"));
    assert_eq!(of_check.count(), 1, "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_below_the_log_takes_nothing_away() {
    let apart = Apart::start("full", 6450, &[]).await;
    apart.make_account("default").await;
    let arguments = ["--namespace=default", "--listen=127.0.0.1:0"];
    let mut controller = apart.controller_on_a_full_disk(&apart.kubeconfig, &arguments);
    apart.fail("default", "app", "missing.test/shop/api:v1", "no such host").await;
    let checks: Api<RegistryCheck> = Api::namespaced(apart.client.clone(), "default");
    eventually("the pod to be explained", || async {
        let check = checks.get_opt("missing.test").await.ok()??;
        (ready(&check)?.status == ConditionStatus::False).then_some(())
    })
    .await;
    assert!(controller.0.try_wait().unwrap().is_none(), "it ended");
}
