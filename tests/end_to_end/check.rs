//! `registrycheck check` with the secrets, the pods and the registries of the real thing.

use std::path::Path;

use serde_json::{Value, json};

use crate::command_line::{NO_CLUSTER, Outcome, run};
use crate::ground::{Namespace, apply, eventually, ground, kubectl};

const IMAGE: &str = "basic.test/shop/api:v1";

fn check_of(kubeconfig: &str, arguments: &[&str]) -> Outcome {
    let ca = ground().ca();
    let trusting = ["check", "--ca-file", ca.to_str().unwrap(), "--token-host", "auth.test"];
    run(kubeconfig, &[&trusting, arguments].concat(), "")
}

/// What is said of an image, with which status.
#[track_caller]
pub(super) fn answered(kubeconfig: &str, arguments: &[&str], status: i32, code: &str) -> Value {
    let outcome = check_of(kubeconfig, &[arguments, &["-o", "json"]].concat());
    assert_eq!(outcome.status, status, "{arguments:?}: {}{}", outcome.out, outcome.err);
    let document: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(document["findings"][0]["code"], code, "{document}");
    document
}

pub(super) fn kubeconfig() -> &'static str {
    ground().facts["kubeconfig"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_checked_with_the_secrets_of_the_cluster() {
    let namespace = Namespace::new("check").await;
    namespace.secret("right", "basic.test", &ground().password("basic.test"));
    namespace.secret("wrong", "basic.test", "wrong-canary");
    namespace.secret("tokens", "bearer.test", &ground().password("bearer.test"));
    apply(&[json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "robot", "namespace": "check"},
        "imagePullSecrets": [{"name": "right"}],
    })]);
    let here = |more: &[&'static str]| [&["-n", "check"], more].concat();
    let document =
        answered(kubeconfig(), &here(&[IMAGE, "--service-account", "robot"]), 0, "Pullable");
    assert_eq!(document["probes"][0]["credential"], "secret right (key basic.test)");
    let tokens = here(&["bearer.test/shop/api:v1", "--pull-secret", "tokens"]);
    answered(kubeconfig(), &tokens, 0, "Pullable");
    let default = answered(kubeconfig(), &here(&[IMAGE]), 1, "NoCredentials");
    assert_eq!(default["pullable"], false);
    let missing = here(&[IMAGE, "--pull-secret", "gone"]);
    let missing = answered(kubeconfig(), &missing, 1, "PullSecretMissing");
    let remedy = missing["findings"][0]["remedy"].as_str().unwrap();
    assert!(remedy.contains("kubectl create secret docker-registry gone -n check"), "{remedy}");
    let both = here(&[IMAGE, "--pull-secret", "wrong", "--pull-secret", "right"]);
    let both = answered(kubeconfig(), &both, 0, "CredentialRejected");
    assert_eq!(both["pullable"], true);
    answered(kubeconfig(), &["anonymous.test/shop/api:v1", "--anonymous"], 0, "Pullable");
    answered(NO_CLUSTER, &["anonymous.test/shop/api:v9"], 1, "TagNotFound");
    let nobody = check_of(kubeconfig(), &here(&[IMAGE, "--service-account", "nobody"]));
    assert_eq!((nobody.status, nobody.out.as_str()), (3, ""), "{}", nobody.err);
    assert!(nobody.err.contains("service account nobody does not exist"), "{}", nobody.err);
    let context = check_of(kubeconfig(), &[IMAGE, "--context", "nowhere"]);
    assert_eq!(context.status, 2);
    assert!(context.err.contains("the kubeconfig has no context nowhere"), "{}", context.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_is_checked_with_its_own_secrets_and_words() {
    let namespace = Namespace::new("check-pod").await;
    namespace.secret("wrong", "basic.test", "wrong-canary");
    namespace.pod("api", IMAGE, &["wrong"]);
    eventually("the kubelet's words", || async {
        let path = "jsonpath={.status.containerStatuses[0].state.waiting.message}";
        kubectl(&["get", "pod", "api", "-n", "check-pod", "-o", path]).contains("401").then_some(())
    })
    .await;
    let arguments = ["-n", "check-pod", IMAGE, "--pod", "api"];
    answered(kubeconfig(), &arguments, 1, "CredentialRejected");
    let text = check_of(kubeconfig(), &arguments).out;
    for expected in
        ["with the pull secrets of pod api in namespace check-pod", "The kubelet says: failed to"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let gone = check_of(kubeconfig(), &["-n", "check-pod", IMAGE, "--pod", "web"]);
    assert_eq!((gone.status, gone.out.as_str()), (2, ""));
    assert!(gone.err.contains("pod web does not exist in namespace check-pod"), "{}", gone.err);
}

/// Whoever may read nothing gets no verdict.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_read_leaves_it_undecided() {
    let namespace = Namespace::new("check-rights").await;
    namespace.secret("right", "basic.test", &ground().password("basic.test"));
    let view = kubectl(&["config", "view", "--raw", "-o", "json"]);
    let mut config: Value = serde_json::from_str(&view).unwrap();
    config["users"][0]["user"]["as"] = json!("nobody-in-particular");
    let file = ground().logs().join("nobody.kubeconfig");
    std::fs::write(&file, config.to_string()).unwrap();
    let kubeconfig = Path::to_str(&file).unwrap();
    let secret = ["-n", "check-rights", IMAGE, "--pull-secret", "right"];
    let document = answered(kubeconfig, &secret, 3, "PullSecretUnreadable");
    assert_eq!(document["pullable"], Value::Null);
    let pod = check_of(kubeconfig, &["-n", "check-rights", IMAGE, "--pod", "api"]);
    assert_eq!((pod.status, pod.out.as_str()), (3, ""), "{}", pod.err);
}
