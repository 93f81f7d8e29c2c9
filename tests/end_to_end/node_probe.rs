//! The node probe, on the real API server and the real kubelet: which pods get into its
//! namespace, what one says, and that none stays.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use registrycheck::api::ConditionStatus;
use registrycheck::controller::node::pod;
use registrycheck::image::ImageRef;
use registrycheck::install::node_probe::shape;
use registrycheck::node::{self, Place, Question, Shape};
use registrycheck::record::Seen;
use serde_json::{Value, json};
use tokio::sync::Mutex;

mod azure;
mod deviations;

use deviations::DEVIATIONS;

use super::installed;
use super::survival::{controllers, kill};
use crate::ground::{Namespace, apply, client, eventually, kubectl, ready, try_kubectl};

/// What a test changes in the one namespace is none of another test's business.
static ALONE: Mutex<()> = Mutex::const_new(());

const NODE: &str = "node-1";

/// A pod of the probe, as the controller makes it.
fn made(as_identity: bool) -> Value {
    let place = Place::Node(NODE.to_owned());
    let question = Question {
        asked: "anonymous.test/shop/api:v1",
        place: &place,
        platform: None,
        timeout: Duration::from_secs(20),
        as_identity,
    };
    let pod = serde_json::to_value(node::pod(&shape(), &node::manual_slot(9), &question)).unwrap();
    let mut pod = pod;
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod
}

/// A figure for whoever reads the output of the tests; nothing is judged by it.
#[expect(clippy::print_stdout, reason = "figures are to be read")]
fn say(text: &str) {
    println!("{text}");
}

/// What the API server says to a pod, which it does not keep.
fn offer(pod: &Value) -> (bool, String) {
    try_kubectl(&["create", "--dry-run=server", "-f", "-"], &pod.to_string())
}

/// The pod with one thing changed.
fn changed(pod: &Value, place: &str, value: &Value) -> Value {
    let mut pod = pod.clone();
    let (parent, last) = place.rsplit_once('/').unwrap();
    match pod.pointer_mut(parent).unwrap() {
        Value::Object(fields) if value.is_null() => {
            fields.remove(last);
        }
        Value::Object(fields) => {
            fields.insert(last.to_owned(), value.clone());
        }
        Value::Array(values) => {
            let index: usize = last.parse().unwrap();
            if index < values.len() {
                values[index] = value.clone();
            } else {
                values.push(value.clone());
            }
        }
        other => panic!("{other} has no {last}"),
    }
    pod
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_admits_the_shape_and_nothing_else() {
    installed();
    for as_identity in [true, false] {
        let pod = made(as_identity);
        eventually("the policy to be in force", || async {
            let foreign = changed(&pod, "/spec/hostPID", &json!(true));
            (!offer(&foreign).0).then_some(())
        })
        .await;
        let (admitted, said) = offer(&pod);
        assert!(admitted, "{said}");
    }
    // What a deviation names is there, so that the policy is what refuses it.
    apply(&[
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "other", "namespace": node::NAMESPACE},
        }),
        json!({
            "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass",
            "metadata": {"name": "other"}, "handler": "runc",
        }),
    ]);
    let mut wrong = Vec::new();
    for (name, place, value) in DEVIATIONS {
        let value = serde_json::from_str(value).unwrap();
        let (admitted, said) = offer(&changed(&made(true), place, &value));
        // Not by some other rule: the API server would have taken it elsewhere.
        let by_policy = said.contains("ValidatingAdmissionPolicy 'registrycheck-node-probe'");
        if admitted || !by_policy {
            wrong.push(format!("{name}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    say(&format!("{} deviations from the shape of the node probe are refused", DEVIATIONS.len()));
}

/// Nobody gets into a pod that runs, whatever his rights.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_enters_a_pod_that_runs() {
    installed();
    let mut pod = made(false);
    let name = node::manual_slot(8);
    pod["metadata"]["name"] = json!(name);
    // It waits for an answer that does not come.
    let arguments = pod["spec"]["containers"][0]["args"].as_array_mut().unwrap();
    *arguments.last_mut().unwrap() = json!("silent.test/shop/api:v1");
    apply(&[pod]);
    let api: Api<Pod> = Api::namespaced(client().await, node::NAMESPACE);
    eventually("the pod to run", || async {
        let status = api.get_opt(&name).await.unwrap()?.status?;
        (status.phase.as_deref() == Some("Running")).then_some(())
    })
    .await;
    let exec = try_kubectl(&["exec", "-n", node::NAMESPACE, &name, "--", "registrycheck"], "");
    let attach = try_kubectl(&["attach", "-n", node::NAMESPACE, &name], "");
    let container = json!({"name": "debug", "image": "localhost/tool:1"});
    let patch = json!({"spec": {"ephemeralContainers": [container]}}).to_string();
    let debug = try_kubectl(
        &[
            "patch",
            "pod",
            &name,
            "-n",
            node::NAMESPACE,
            "--subresource=ephemeralcontainers",
            "--type=strategic",
            "-p",
            &patch,
        ],
        "",
    );
    let image = json!({"spec": {"containers": [{"name": "node-probe", "image": "busybox"}]}});
    let other =
        try_kubectl(&["patch", "pod", &name, "-n", node::NAMESPACE, "-p", &image.to_string()], "");
    kubectl(&["delete", "pod", &name, "-n", node::NAMESPACE]);
    for (succeeded, said) in [exec, attach, debug, other] {
        assert!(!succeeded && said.contains("node probe"), "{said}");
    }
}

/// Which controls of the Pod Security Standards the shape fails: the mount, and root's user
/// where the file asks for it.
#[tokio::test(flavor = "multi_thread")]
async fn the_mount_is_all_that_pod_security_minds() {
    installed();
    let check = |level: &str, as_identity: bool| {
        let name = format!("security-{level}");
        let labels = json!({"pod-security.kubernetes.io/enforce": level});
        let metadata = json!({"name": name, "labels": labels});
        apply(&[json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})]);
        let mut pod = made(as_identity);
        pod["metadata"]["namespace"] = json!(name);
        pod
    };
    let said = |pod: Value| async move {
        eventually("the service account default", || async {
            let (admitted, said) = offer(&pod);
            (!said.contains("serviceaccount")).then_some((admitted, said))
        })
        .await
    };
    let (admitted, baseline) = said(check("baseline", true)).await;
    assert!(!admitted);
    let (_, controls) = baseline.split_once("violates PodSecurity \"baseline:latest\": ").unwrap();
    assert_eq!(controls.trim(), "hostPath volumes (volume \"azure\")", "one control");
    let (admitted, restricted) = said(check("restricted", true)).await;
    assert!(!admitted);
    for control in ["restricted volume types", "runAsNonRoot != true", "runAsUser=0"] {
        assert!(restricted.contains(control), "{restricted}");
    }
    let (admitted, without) = said(check("restricted", false)).await;
    assert!(admitted, "a probe that reads nothing of the node fails none: {without}");
}

/// What came of a pod that is made by hand, and how long that took.
async fn ask(shape: &Shape, place: &Place, as_identity: bool) -> Result<Seen, String> {
    let asked = "anonymous.test/shop/api:v1";
    let timeout = Duration::from_secs(5);
    let question = Question { asked, place, platform: None, timeout, as_identity };
    let (client, name, began) = (client().await, node::manual_slot(0), Instant::now());
    let made = match pod::make(&client, shape, &name, &question).await {
        Ok(made) => made,
        Err(pod::NotMade::Taken) => panic!("{name} is in use"),
        Err(pod::NotMade::Refused(skipped) | pod::NotMade::NotInstalled(skipped)) => {
            return Err(skipped.reason);
        }
    };
    let image = ImageRef::parse(asked).unwrap();
    let ended = pod::wait(&client, shape, &made, &question, &image, &|_| {}).await;
    assert!(pod::remove(&client, &shape.namespace, &made).await);
    say(&format!("a probe on {place:?}: {:.1} s", began.elapsed().as_secs_f64()));
    ended.result.map_err(|skipped| skipped.reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_probe_from_its_node_is_said() {
    installed();
    let _alone = ALONE.lock().await;
    // A namespace of its own, where the policy of the installation does not hold.
    apply(&[json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "node-probe-elsewhere"},
    })]);
    eventually("the service account default", || async {
        try_kubectl(&["get", "sa", "default", "-n", "node-probe-elsewhere"], "").0.then_some(())
    })
    .await;
    let shape = Shape { namespace: "node-probe-elsewhere".to_owned(), ..shape() };
    let here = Place::Node(NODE.to_owned());
    let elsewhere = Place::Node("node-2".to_owned());
    let labelled = Place::Any(BTreeMap::from([("pool".to_owned(), "none".to_owned())]));
    let ill = Shape { image: "missing.test/registrycheck:1".to_owned(), ..shape.clone() };
    let nowhere = Shape { namespace: "no-such-namespace".to_owned(), ..shape.clone() };
    for (shape, place, as_identity, expected) in [
        (&shape, &elsewhere, false, "cannot be scheduled to node node-2"),
        (&shape, &labelled, false, "cannot be scheduled to a node with pool=none"),
        (&ill, &here, false, "cannot pull the node probe's own image missing.test/registrycheck:1"),
        (&nowhere, &here, false, "there is no namespace no-such-namespace"),
        (&shape, &here, true, "node node-1 has no file /etc/kubernetes/azure.json"),
    ] {
        let reason = ask(shape, place, as_identity).await.unwrap_err();
        assert!(reason.contains(expected), "{reason}");
    }
    let seen = ask(&shape, &here, false).await.unwrap();
    assert!(matches!(seen, Seen::Evidence(_)), "{seen:?}");
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "none", "namespace": "node-probe-elsewhere"},
        "spec": {"hard": {"pods": "0"}},
    });
    apply(&[quota]);
    let reason = ask(&shape, &here, false).await.unwrap_err();
    assert!(reason.contains("a quota of namespace node-probe-elsewhere"), "{reason}");
}

/// The controller asks the node where the spec wants it, and concludes nothing where it cannot.
#[tokio::test(flavor = "multi_thread")]
async fn the_controller_asks_a_node() {
    installed();
    let _alone = ALONE.lock().await;
    let namespace = Namespace::new("node-probe").await;
    let images = json!(["anonymous.test/shop/api:v1"]);
    let began = Instant::now();
    let spec = json!({"registry": "anonymous.test", "vantage": "Node", "images": images});
    namespace.make_check("asked", &spec);
    namespace.ready("asked", ConditionStatus::True, "Pullable").await;
    say(&format!("from demand to the node's verdict: {:.1} s", began.elapsed().as_secs_f64()));
    let spec = json!({
        "registry": "anonymous.test", "vantage": "Node", "images": images,
        "nodeSelector": {"pool": "none"},
    });
    namespace.make_check("unschedulable", &spec);
    let check = namespace.ready("unschedulable", ConditionStatus::Unknown, "ProbeSkipped").await;
    let message = &ready(&check).unwrap().message;
    assert!(message.contains("cannot be scheduled to a node with pool=none"), "{message}");
    none_is_left().await;
}

/// Registries that serve no such image and say so at once.
const FAILING: [&str; 10] = [
    "alias.test",
    "anonymous.test",
    "basic.test",
    "bearer.test",
    "expired.test",
    "missing.test",
    "refused.test",
    "unavailable.test",
    "untrusted.test",
    "wrongname.test",
];

/// A controller that nobody saw coming to its end leaves no pod for long.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_probes_and_five_kills_leave_no_pod() {
    installed();
    let _alone = ALONE.lock().await;
    let namespace = Namespace::new("node-kills").await;
    let api: Api<Pod> = Api::namespaced(client().await, node::NAMESPACE);
    for round in 0..5 {
        for registry in FAILING {
            let images = json!([format!("{registry}/shop/api:none-{round}")]);
            let spec = json!({"registry": registry, "vantage": "Node", "images": images});
            namespace.make_check(&format!("{registry}-{round}"), &spec);
        }
        // In the middle of a probe, as far as its pod shows that.
        eventually("a probe to be under way", || async {
            let pods = api.list(&kube::api::ListParams::default()).await.unwrap();
            (!pods.items.is_empty()).then_some(())
        })
        .await;
        let running = eventually("the controller to run", || async { controllers().pop() }).await;
        kill(running);
    }
    for check in (0..5).flat_map(|round| FAILING.map(|registry| format!("{registry}-{round}"))) {
        eventually(&format!("what a node sees for {check}"), || async {
            let status = namespace.check(&check).await?.status?;
            status.probes.iter().any(|probe| probe.vantage == "Node").then_some(())
        })
        .await;
    }
    // What fails is asked for again and again; each of those is a pod for a moment.
    kubectl(&["delete", "registrychecks", "--all", "-n", &namespace.name]);
    none_is_left().await;
    say("50 probes of a node, 5 kills of the controller, no pod left");
}

/// Waits until no pod of the probe is there.
async fn none_is_left() {
    let api: Api<Pod> = Api::namespaced(client().await, node::NAMESPACE);
    eventually("no pod of the node probe to be left", || async {
        let pods = api.list(&kube::api::ListParams::default()).await.unwrap();
        let names = pods.items.iter().filter_map(|pod| pod.metadata.name.as_deref());
        let by_hand = |name: &&str| !name.starts_with("node-probe-manual");
        (names.filter(by_hand).count() == 0).then_some(())
    })
    .await;
}
