//! The resource: the real API server takes good objects and refuses wrong ones, each with a
//! sentence that says what to write.

use serde_json::{Value, json};

use super::installed;
use crate::ground::{Namespace, eventually, kubectl, try_kubectl};

fn check(namespace: &str, spec: &Value) -> String {
    json!({
        "apiVersion": "registrycheck.dev/v1alpha1", "kind": "RegistryCheck",
        "metadata": {"name": "tried", "namespace": namespace},
        "spec": spec,
    })
    .to_string()
}

fn apply(namespace: &str, spec: &Value) -> (bool, String) {
    try_kubectl(&["apply", "--dry-run=server", "-f", "-"], &check(namespace, spec))
}

fn apply_for_real(namespace: &str, spec: &Value) -> (bool, String) {
    let arguments = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    try_kubectl(&arguments, &check(namespace, spec))
}

#[tokio::test(flavor = "multi_thread")]
async fn good_objects_are_taken() {
    installed();
    let namespace = Namespace::new("good-objects").await;
    let good = [
        json!({"registry": "myreg.azurecr.io"}),
        json!({"registry": "localhost:5000", "images": ["localhost:5000/a/b:1"]}),
        json!({"registry": "myreg.azurecr.io", "images": ["MyReg.azurecr.io/shop/api:v1"]}),
        json!({"registry": "docker.io", "images": ["nginx", "index.docker.io/library/nginx:1"]}),
        json!({"registry": "[::1]:5000", "interval": "1h30m", "timeout": "1m"}),
        json!({"registry": "r.test", "suspend": true, "insecure": true, "vantage": "Node",
            "imagePullSecrets": [{"name": "a"}], "certSecretRef": {"name": "b"},
            "serviceAccountName": "c", "nodeSelector": {"d": "e"}}),
    ];
    for spec in good {
        let (taken, said) = apply(&namespace.name, &spec);
        assert!(taken, "{spec}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_objects_are_refused_with_what_to_write() {
    installed();
    let namespace = Namespace::new("wrong-objects").await;
    let wrong = [
        (json!({"registry": "MyReg.azurecr.io"}), "write myreg.azurecr.io"),
        (json!({"registry": "https://r.test"}), "a host without a scheme: write"),
        (json!({"registry": "r.test/shop"}), "a host without a path: write"),
        (json!({"registry": "r.test:99999"}), "a number from 1 to 65535: write"),
        (json!({"registry": "r.test:http"}), "a number from 1 to 65535: write"),
        (json!({"registry": "r.test:"}), "a number from 1 to 65535: write"),
        (json!({"registry": "my reg"}), "must be a host name such as"),
        (json!({"registry": "index.docker.io"}), "write docker.io"),
        (
            json!({"registry": "r.test", "images": ["other.test/a:1"]}),
            "write r.test/repository:tag",
        ),
        (json!({"registry": "docker.io", "images": ["ghcr.io/a:1"]}), "write nginx:1.27 or"),
        (json!({"registry": "r.test", "images": ["https://r.test/a:1"]}), "without a scheme"),
        (json!({"registry": "r.test", "images": ["r.test/{{a}}"]}), "template marks: write"),
        (json!({"registry": "r.test", "interval": "10s"}), "at least 30s"),
        (json!({"registry": "r.test", "interval": "1d"}), "for a day write 24h"),
        (
            json!({"registry": "r.test", "interval": "30s", "timeout": "45s"}),
            "not be longer than interval: write",
        ),
        (json!({"registry": "r.test", "timeout": "0s"}), "from 1s to 1m: write"),
        (json!({"registry": "r.test", "timeout": "2m"}), "from 1s to 1m: write"),
        (json!({"registry": "r.test", "timeout": "soon"}), "such as 20s or 1m"),
        (json!({"registry": "r.test", "vantage": "Moon"}), "\"Auto\", \"Pod\", \"Node\""),
        (json!({}), "spec.registry: Required value"),
    ];
    for (spec, sentence) in wrong {
        let (taken, said) = apply(&namespace.name, &spec);
        assert!(!taken, "{spec} was taken");
        assert!(said.contains(sentence), "{spec}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registry_of_a_check_cannot_be_changed() {
    installed();
    let namespace = Namespace::new("immutable").await;
    namespace.make_check("fixed", &json!({"registry": "anonymous.test"}));
    let patch = r#"{"spec":{"registry":"basic.test"}}"#;
    let arguments =
        ["patch", "registrycheck", "fixed", "-n", &namespace.name, "--type=merge", "-p", patch];
    let (taken, said) = try_kubectl(&arguments, "");
    assert!(!taken && said.contains("make another RegistryCheck"), "{said}");
}

/// Whoever may write checks and no pods gets no use of the namespace's secrets, accounts or nodes.
#[tokio::test(flavor = "multi_thread")]
async fn images_take_the_right_to_make_pods() {
    installed();
    let namespace = Namespace::new("spec-images").await;
    let name = namespace.name.as_str();
    let in_it = |arguments: &[&str]| kubectl(&[arguments, &["-n", name]].concat());
    in_it(&["create", "role", "writer", "--verb=create,patch,get", "--resource=registrychecks"]);
    in_it(&["create", "rolebinding", "writer", "--role=writer", "--user=writer"]);
    let write = |spec: &Value| {
        try_kubectl(&["apply", "--server-side", "--as=writer", "-f", "-"], &check(name, spec))
    };
    let (plain, with_images) =
        (json!({"registry": "r.test"}), json!({"registry": "r.test", "images": ["r.test/a:1"]}));
    eventually("the writer's right", || async { write(&plain).0.then_some(()) }).await;
    let (taken, said) = write(&with_images);
    assert!(!taken && said.contains("takes the right to create pods in it"), "{said}");

    // What somebody else has written with images may still be probed at once, and not changed.
    let (taken, said) = apply_for_real(name, &with_images);
    assert!(taken, "{said}");
    let patch = |patch: &str| {
        let arguments = ["patch", "registrycheck", "tried", "-n", name, "--as=writer"];
        try_kubectl(&[&arguments[..], &["--type=merge", "-p", patch]].concat(), "")
    };
    let (taken, said) =
        patch(r#"{"metadata":{"annotations":{"registrycheck.dev/requestedAt":"1"}}}"#);
    assert!(taken, "{said}");
    let (taken, said) = patch(r#"{"spec":{"imagePullSecrets":[{"name":"another"}]}}"#);
    assert!(!taken && said.contains("takes the right to create pods in it"), "{said}");

    in_it(&["create", "role", "maker", "--verb=create", "--resource=pods"]);
    in_it(&["create", "rolebinding", "maker", "--role=maker", "--user=writer"]);
    eventually("the right to create pods to count", || async {
        patch(r#"{"spec":{"imagePullSecrets":[{"name":"another"}]}}"#).0.then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_shows_the_columns_of_the_contract() {
    installed();
    let namespace = Namespace::new("columns").await;
    namespace.pod("app", "refused.test/shop/api:v1", &[]);
    let status = registrycheck::api::ConditionStatus::False;
    namespace.ready("refused.test", status, "ConnectionRefused").await;
    let table = kubectl(&["get", "rchk", "-n", &namespace.name]);
    let heads: Vec<&str> = table.lines().next().unwrap().split("  ").map(str::trim).collect();
    let heads: Vec<&str> = heads.into_iter().filter(|head| !head.is_empty()).collect();
    assert_eq!(heads, ["NAME", "REGISTRY", "READY", "REASON", "PODS", "LAST PROBE", "AGE"]);
    let wide = kubectl(&["get", "rchk", "-n", &namespace.name, "-o", "wide"]);
    assert!(wide.contains("nothing accepts connections"), "{wide}");
}
