//! `registrycheck credentials` with the secrets of the real API server.

use serde_json::json;

use crate::command_line::credentials_of;
use crate::ground::{Namespace, apply, ground};

const IMAGE: &str = "registry.shop.test/shop/api:v1";

/// What is printed, with which status.
#[track_caller]
fn check(namespace: &str, arguments: &[&str], status: i32, expected: &str) {
    let kubeconfig = ground().facts["kubeconfig"].as_str().unwrap();
    let outcome = credentials_of(kubeconfig, &[&[IMAGE, "-n", namespace], arguments].concat(), "");
    let written = outcome.out + &outcome.err;
    assert!(written.contains(expected), "{arguments:?}: {written}");
    assert_eq!(outcome.status, status, "{arguments:?}: {written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_read_from_the_cluster() {
    let namespace = Namespace::new("credentials").await;
    check("credentials", &[], 0, "No pull secret is given: the image is pulled anonymously.");
    namespace.secret("good", "registry.shop.test", "canary-5c8e");
    namespace.secret("other", "other.test", "canary-5c8e");
    let document = r#"{"auths":{"registry.shop.test":{"auth":"canary"}}}"#;
    namespace.secret_of("bad", "kubernetes.io/dockerconfigjson", ".dockerconfigjson", document);
    apply(&[json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "robot", "namespace": "credentials"},
        "imagePullSecrets": [{"name": "gone"}, {"name": "other"}, {"name": "good"}],
    })]);
    let robot = ["--service-account", "robot"];
    check(
        "credentials",
        &robot,
        0,
        "\n  1. secret good (key registry.shop.test)\n     user alice\n",
    );
    check(
        "credentials",
        &robot,
        0,
        "\nNot used:\n  secret gone does not exist\n  secret other (key",
    );
    let other = ["--pull-secret", "other"];
    check("credentials", &other, 0, "No pull secret applies: the image is pulled anonymously.");
    let bad = ["--pull-secret", "good", "--pull-secret", "bad"];
    check("credentials", &bad, 1, "\n  secret bad cannot be read: the auth of entry");
    let nobody = ["--service-account", "nobody"];
    check("credentials", &nobody, 3, "service account nobody does not exist in namespace");
    check("Wrong/name", &[], 2, "no namespace can be called Wrong/name");
}
