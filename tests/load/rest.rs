//! At rest: what pods cost that do not fail.
//!
//! A pod is made by the API server for each namespace, and put into its storage again and again under
//! other names and uids of the same length: 100,000 requests would take longer than all that is
//! measured.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::apart::{Apart, HOME};
use crate::contender::{Contender, Who};
use crate::figures::Figure;

const NAMESPACES: usize = 100;
/// How many pods there are, one after the other.
const SIZES: [usize; 3] = [5_000, 20_000, 100_000];
/// How many objects are stored with one request; etcd takes 128.
const AT_ONCE: usize = 100;
const ETCD: &str = "http://127.0.0.1:2379/v3/kv";
/// How long each is left alone before it is measured.
const REST: Duration = Duration::from_secs(5);
/// The most that the controller may have, in MB, with the most pods.
const MOST_MEMORY: f64 = 35.0;

/// Measures all contenders, with the streaming list and with the paged one.
pub(crate) async fn rest() {
    let streaming = Apart::start("rest", 6452, &[]).await;
    streaming.open(HOME, &[]).await;
    let feature = ["--feature-gates=WatchList=false".to_owned()];
    let paged = Apart::start_at("rest-paged", "rest", 6453, &feature).await;
    let mut models = Vec::new();
    for number in 0..NAMESPACES {
        models.push(Model::make(&streaming, &format!("rest-{number:02}")).await);
    }
    let mut stored = NAMESPACES;
    for size in SIZES {
        store(&models, stored..size).await;
        stored = size;
        for (list, apart) in [("streaming", &streaming), ("paged", &paged)] {
            measure(size, list, apart).await;
        }
    }
}

/// What the API server has stored of a pod.
struct Model {
    key: String,
    name: String,
    uid: String,
    value: Vec<u8>,
}

impl Model {
    /// Makes the first pod of a namespace, which runs.
    async fn make(apart: &Apart, namespace: &str) -> Self {
        apart.make_namespace(namespace).await;
        let pods: Api<Pod> = Api::namespaced(apart.client.clone(), namespace);
        let name = pod_name(0);
        let pod: Pod = serde_json::from_value(pod(&name)).unwrap();
        let made = pods.create(&PostParams::default(), &pod).await.unwrap();
        let patch = Patch::Merge(json!({"status": status()}));
        pods.patch_status(&name, &PatchParams::default(), &patch).await.unwrap();
        let key = format!("/rest/pods/{namespace}/{name}");
        let answer = etcd("range", &json!({"key": STANDARD.encode(&key)})).await;
        let value = STANDARD.decode(answer["kvs"][0]["value"].as_str().unwrap()).unwrap();
        Self { key, name, uid: made.metadata.uid.unwrap(), value }
    }

    /// The same under another name, as etcd is asked to put it.
    fn put(&self, number: usize) -> Value {
        let (name, uid) = (pod_name(number), format!("{number:08}{}", &self.uid[8..]));
        let value = replaced(&self.value, self.name.as_bytes(), name.as_bytes());
        let value = replaced(&value, self.uid.as_bytes(), uid.as_bytes());
        let key = self.key.replace(&self.name, &name);
        json!({"requestPut": {"key": STANDARD.encode(key), "value": STANDARD.encode(value)}})
    }
}

fn pod_name(number: usize) -> String {
    format!("api-6d4cf56db6-{number:08}")
}

/// `with` is as long as `what`, so that the lengths that stand before them stay true.
fn replaced(bytes: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut from = 0;
    while let Some(at) = bytes[from..].windows(what.len()).position(|window| window == what) {
        bytes[from + at..from + at + what.len()].copy_from_slice(with);
        from += at + what.len();
    }
    bytes
}

async fn store(models: &[Model], numbers: std::ops::Range<usize>) {
    let numbers: Vec<usize> = numbers.collect();
    for numbers in numbers.chunks(AT_ONCE) {
        let puts = numbers.iter().map(|number| models[number % NAMESPACES].put(*number));
        etcd("txn", &json!({"success": puts.collect::<Vec<_>>()})).await;
    }
}

async fn etcd(what: &str, request: &Value) -> Value {
    let client = reqwest::Client::new();
    let sent = client.post(format!("{ETCD}/{what}")).body(request.to_string()).send().await;
    let answer = sent.unwrap().error_for_status().unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

async fn measure(size: usize, list: &str, apart: &Apart) {
    let mut seen = Vec::new();
    for who in [Who::Registrycheck, Who::Reflector, Who::Informer] {
        let contender = Contender::start(who, apart, &[]).await;
        let until_ready = contender.until_ready.as_secs_f64();
        tokio::time::sleep(REST).await;
        seen.push((
            who,
            [
                ("resident memory", "MB", contender.megabytes("VmRSS")),
                ("memory at most", "MB", contender.megabytes("VmHWM")),
                ("until all pods are read", "s", until_ready),
                ("processor", "s", contender.processor()),
                ("received from the API server", "MB", contender.received()),
            ],
        ));
        contender.end();
    }
    let part = format!("{size} pods, {list}");
    let is_all = size == SIZES[SIZES.len() - 1];
    for place in 0..seen[0].1.len() {
        let (what, unit, ours) = seen[0].1[place];
        if is_all && unit == "MB" && what.contains("memory") {
            Figure { part: &part, what, unit, ours, reference: None, most: Some(MOST_MEMORY) }
                .say();
        }
        for (who, figures) in &seen[1..] {
            let reference = Some((who.name(), figures[place].2));
            Figure { part: &part, what, unit, ours, reference, most: None }.say();
        }
    }
}

/// A pod as a Deployment's are: most of it is said by whoever made it.
fn pod(name: &str) -> Value {
    let variable = |number: usize| json!({"name": format!("SETTING_{number}"), "value": "a value of some length"});
    let probe = json!({"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10});
    json!({
        "metadata": {
            "name": name, "generateName": "api-6d4cf56db6-",
            "labels": {"app.kubernetes.io/name": "api", "app.kubernetes.io/instance": "shop", "pod-template-hash": "6d4cf56db6"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "api-6d4cf56db6",
                "uid": "3f2b6d1e-9d1f-4a57-9d34-0a4b8f0c6f11", "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "nodeName": "aks-nodepool1-12345678-vmss000000",
            "containers": [{
                "name": "api", "image": "shop.azurecr.io/shop/api:v1.2.3",
                "env": (0..12).map(variable).collect::<Vec<_>>(),
                "ports": [{"containerPort": 8080}],
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
                "livenessProbe": probe, "readinessProbe": probe,
            }],
            "imagePullSecrets": [{"name": "regcred"}],
        },
    })
}

fn status() -> Value {
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let conditions = ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition);
    json!({
        "phase": "Running", "podIP": "10.244.0.7", "hostIP": "10.224.0.4", "startTime": "2026-01-01T00:00:00Z",
        "conditions": conditions,
        "containerStatuses": [{
            "name": "api", "ready": true, "restartCount": 0, "started": true,
            "image": "shop.azurecr.io/shop/api:v1.2.3",
            "imageID": "shop.azurecr.io/shop/api@sha256:2eb2c5e56d87ac7d7e6a5f03d6a70eef2eb2c5e56d87ac7d7e6a5f03d6a70eef",
            "containerID": "containerd://2eb2c5e56d87ac7d7e6a5f03d6a70eef2eb2c5e56d87ac7d7e6a5f03d6a70eef",
            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        }],
    })
}
