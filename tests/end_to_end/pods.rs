//! Pods that differ from what is there now: whose account got its secrets after they were made,
//! of which the kubelet has forgotten the words, and whose node trusts less than the pod network.

use registrycheck::api::{ConditionStatus, Confidence};
use serde_json::json;

use super::check;
use super::installed;
use crate::ground::{Namespace, ground, kubectl, pod, ready};

/// Makes a pod whose service account gets its pull secret after the pod was admitted and
/// before it is placed on a node.
async fn admitted_too_early(name: &str) -> Namespace {
    let namespace = Namespace::new(name).await;
    namespace.secret("regcred", "basic.test", &ground().password("basic.test"));
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}});
    namespace.create(account.clone());
    let mut early = pod("app", "basic.test/shop/api:v1", &[]);
    early["spec"]["serviceAccountName"] = json!("robot");
    early["spec"]["schedulingGates"] = json!([{"name": "registrycheck.dev/account"}]);
    namespace.create(early);
    let mut attached = account;
    attached["imagePullSecrets"] = json!([{"name": "regcred"}]);
    namespace.create(attached);
    let open = json!([{"op": "remove", "path": "/spec/schedulingGates"}]).to_string();
    kubectl(&["patch", "pod", "app", "-n", name, "--type=json", "-p", &open]);
    namespace
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_its_account_got_too_late_is_named() {
    installed();
    let namespace = admitted_too_early("account-later").await;
    let check =
        namespace.ready("basic.test", ConditionStatus::False, "PullSecretNotAttached").await;
    let finding = &check.status.as_ref().unwrap().findings[0];
    assert_eq!(
        (finding.code.as_str(), finding.confidence),
        ("PullSecretNotAttached", Confidence::Certain)
    );
    assert!(finding.message.contains("regcred"), "{}", finding.message);
    let of_pod = ["-n", "account-later", "basic.test/shop/api:v1", "--pod", "app"];
    let document = check::answered(check::kubeconfig(), &of_pod, 1, "PullSecretNotAttached");
    assert_eq!(document["findings"][0]["confidence"], "Certain", "{document}");
}

/// A pod of a node that is gone, of which no kubelet says anything: its status and its Event are
/// written here, as a kubelet of before Kubernetes 1.33 writes them.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_kubelet_has_forgotten_is_read_from_events() {
    installed();
    let namespace = Namespace::new("forgotten").await;
    let image = "anonymous.test/shop/api:v1";
    let mut gone = pod("app", image, &[]);
    gone["spec"]["nodeName"] = json!("gone");
    namespace.create(gone);
    let path = "jsonpath={.metadata.uid} {.metadata.creationTimestamp}";
    let made = kubectl(&["get", "pod", "app", "-n", "forgotten", "-o", path]);
    let (uid, since) = made.split_once(' ').unwrap();
    namespace.create(json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "app.1"},
        "involvedObject": {"kind": "Pod", "namespace": "forgotten", "name": "app", "uid": uid},
        "type": "Warning", "reason": "Failed", "lastTimestamp": since,
        "source": {"component": "kubelet", "host": "gone"},
        "message": format!("Failed to pull image \"{image}\": failed to pull and unpack image \"{image}\": failed to extract layer sha256:0123: write /usr/bin/tool: no space left on device"),
    }));
    let waiting = json!({
        "reason": "ImagePullBackOff", "message": format!("Back-off pulling image \"{image}\""),
    });
    let status = json!({"status": {"phase": "Pending", "containerStatuses": [{
        "name": "main", "image": image, "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": waiting},
    }]}});
    let status = status.to_string();
    kubectl(&[
        "patch",
        "pod",
        "app",
        "-n",
        "forgotten",
        "--subresource=status",
        "--type=merge",
        "-p",
        &status,
    ]);
    let check = namespace.ready("anonymous.test", ConditionStatus::False, "NodeDiskFull").await;
    let message = &ready(&check).unwrap().message;
    assert!(message.contains("no space left on device"), "{message}");
}

/// The node is not told of the authority that signs for this host; the pod network is.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_trusts_less_is_told_from_a_bad_certificate() {
    installed();
    std::fs::remove_dir_all(ground().ca().with_file_name("certs.d").join("alias.test")).unwrap();
    let namespace = Namespace::new("node-trust").await;
    namespace.secret("regcred", "alias.test", &ground().password("basic.test"));
    namespace.pod("app", "alias.test/shop/api:v1", &["regcred"]);
    let check =
        namespace.ready("alias.test", ConditionStatus::False, "NodeTrustStoreOutdated").await;
    let message = &ready(&check).unwrap().message;
    let says = "the node does not trust the certificate of alias.test";
    assert!(message.contains(says), "{message}");
}
