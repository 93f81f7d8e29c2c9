//! End to end, on the real kubelet: the controller is installed from `deploy/` and runs as a
//! pod; pods fail; what it says of them is compared with the truth.
//!
//! Each test has a namespace of its own, and all run side by side.

use std::sync::OnceLock;
use std::time::Duration;

use registrycheck::api::ConditionStatus;
use serde_json::json;

use crate::ground::{self, Namespace, container, eventually, ground, kubectl, pod, ready};

mod account_tokens;
mod admission;
mod apart;
mod check;
mod credentials;
mod crowd;
mod describe;
mod doctor;
mod events;
mod expiry;
mod image;
mod lifecycle;
mod named;
mod namespaced;
mod node_probe;
mod paged;
mod pods;
mod remedies;
mod resource;
mod rights;
mod rounds;
mod sharded;
mod shared;
mod survival;

/// The controller, installed once for all tests. A check that nobody wrote is kept for 15 s
/// after its last pod, so that a test can see it go.
fn installed() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        ground::install(&[
            "--keep-recovered=15s",
            "--insecure-host=plain.test:5000",
            "--node-probe-allow-node-selector=true",
            "--token-for=account-tokens/robot",
            "--token-for=account-tokens/barred",
        ]);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_secret_stops_all_pulls_and_is_named() {
    installed();
    let namespace = Namespace::new("broken-secret").await;
    let kind = "kubernetes.io/dockerconfigjson";
    let broken = r#"{"auths": {"other.test": {"auth": "!broken-canary!"}}}"#;
    namespace.secret_of("regcred", kind, ".dockerconfigjson", broken);
    namespace.pod("app", "anonymous.test/shop/api:v1", &["regcred"]);
    let check =
        namespace.ready("anonymous.test", ConditionStatus::False, "PullSecretMalformed").await;
    let message = &ready(&check).unwrap().message;
    assert!(message.contains("pull secret regcred cannot be read"), "{message}");
    assert!(!message.contains("broken-canary"), "{message}");
}

/// What the kubelet refuses by itself is nothing to ask a registry about.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_kubelet_itself_asks_no_registry() {
    installed();
    let namespace = Namespace::new("local").await;
    let mut never = pod("never", "anonymous.test/never/pulled:v1", &[]);
    never["spec"]["containers"][0]["imagePullPolicy"] = json!("Never");
    namespace.create(never);
    let check = namespace.ready("anonymous.test", ConditionStatus::False, "ImageNeverPulled").await;
    assert!(check.status.unwrap().probes.is_empty());
    let log = std::fs::read_to_string(ground().logs().join("anonymous.test.log")).unwrap();
    assert!(log.contains("/v2/") && !log.contains("never/pulled"), "the registry was asked");
}

/// The API server takes such names and hosts, and no object can have them.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_no_object_can_have_stop_nothing() {
    installed();
    let namespace = Namespace::new("odd-names").await;
    namespace.pod("hub", "hub.docker.com/r/library/nginx", &[]);
    namespace.pod("underscore", "my_reg.test/shop/api:v1", &[]);
    namespace.pod("secret", "basic.test/shop/api:v1", &["../..", "my secret"]);
    let hub = namespace.ready("docker.io", ConditionStatus::False, "DnsNameNotFound").await;
    let missing = namespace.ready("basic.test", ConditionStatus::False, "PullSecretMissing").await;
    assert!(ready(&missing).unwrap().message.contains("pull secret ../.. does not exist"));
    eventually("both pods in the row of Docker Hub", || async {
        let check = namespace.check(hub.metadata.name.as_deref().unwrap()).await?;
        (check.status?.affected_pods == 2).then_some(())
    })
    .await;
}

/// Init containers, ephemeral containers of a running pod, and image volumes.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_container_counts() {
    installed();
    let namespace = Namespace::new("kinds").await;
    let mut init = pod("init", "anonymous.test/shop/api:v1", &[]);
    init["spec"]["initContainers"] = json!([container("setup", "refused.test/shop/api:v1")]);
    namespace.create(init);
    let mut volume = pod("volume", "anonymous.test/shop/api:v1", &[]);
    volume["spec"]["volumes"] =
        json!([{"name": "data", "image": {"reference": "missing.test/shop/data:v1"}}]);
    volume["spec"]["containers"][0]["volumeMounts"] =
        json!([{"name": "data", "mountPath": "/data"}]);
    namespace.create(volume);
    namespace.pod("host", "anonymous.test/shop/api:v1", &[]);
    namespace.running("host").await;
    let debugger = container("debugger", "unavailable.test/shop/api:v1");
    let patch = json!({"spec": {"ephemeralContainers": [debugger]}}).to_string();
    kubectl(&[
        "patch",
        "pod",
        "host",
        "-n",
        &namespace.name,
        "--subresource=ephemeralcontainers",
        "--type=strategic",
        "-p",
        &patch,
    ]);
    namespace.ready("refused.test", ConditionStatus::False, "ConnectionRefused").await;
    namespace.ready("missing.test", ConditionStatus::False, "DnsNameNotFound").await;
    let check =
        namespace.ready("unavailable.test", ConditionStatus::False, "RegistryUnavailable").await;
    assert_eq!(check.status.unwrap().affected_pods, 1);
    assert!(namespace.check("anonymous.test").await.is_none(), "nobody fails there");
}

/// What a hundred pods have in common is one row, and one finding.
#[tokio::test(flavor = "multi_thread")]
async fn one_cause_is_one_row_however_many_pods() {
    installed();
    let namespace = Namespace::new("many").await;
    for n in 0..25 {
        namespace.pod(&format!("app-{n:02}"), "unavailable.test/shop/api:v1", &[]);
    }
    let check = eventually("25 pods in one row", || async {
        let checks = namespace.checks().await;
        let check = checks.into_iter().next()?;
        (check.status.as_ref()?.affected_pods == 25).then_some(check)
    })
    .await;
    assert_eq!(namespace.checks().await.len(), 1);
    let status = check.status.unwrap();
    assert_eq!(status.findings.len(), 1);
    assert_eq!((status.findings[0].total_pods, status.findings[0].pods.len()), (25, 5));
    let told = async || {
        let events = namespace.events().await;
        events.iter().filter(|event| event.involved_object.kind.as_deref() == Some("Pod")).count()
    };
    eventually("20 pods to be told", async || (told().await >= 20).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(told().await, 20, "at most 20 pods of a check are told");
}
