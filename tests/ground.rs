//! The test ground as tests and the demo see it: the API, the installed controller, a
//! namespace for each test, and waiting for what must come true.

use std::env;
use std::fmt::Display;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use registrycheck::api::{Condition, ConditionStatus, RegistryCheck};
use registrycheck::{install, node};
use serde::Deserialize as _;
use serde_json::{Value, json};

/// The user of all registries that want one.
pub(crate) const USER: &str = "alice";
/// How long to wait for anything before it is given up.
const PATIENCE: Duration = Duration::from_secs(90);

/// The ground that this process runs in.
pub(crate) struct Ground {
    directory: PathBuf,
    /// What `ground.json` says.
    pub(crate) facts: Value,
}

/// The ground, or the end of the test where there is none.
pub(crate) fn ground() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| {
        let directory = env::var_os("REGISTRYCHECK_GROUND").unwrap_or_else(|| {
            panic!("this needs the test ground: run it by `make test`, or in the shell that `make cluster` gives")
        });
        let directory = PathBuf::from(directory);
        let facts = std::fs::read(directory.join("ground.json")).unwrap();
        Ground { directory, facts: serde_json::from_slice(&facts).unwrap() }
    })
}

impl Ground {
    /// The test CA, in PEM.
    pub(crate) fn ca(&self) -> PathBuf {
        self.directory.join("ca.crt")
    }

    /// Where the logs of the registries and of Kubernetes are.
    pub(crate) fn logs(&self) -> PathBuf {
        self.directory.join("logs")
    }

    /// The password of [`USER`] at a registry.
    pub(crate) fn password(&self, host: &str) -> String {
        let registries = self.facts["registries"].as_array().unwrap();
        let registry = registries.iter().find(|registry| registry["host"] == host);
        registry.unwrap()["credential"]["password"].as_str().unwrap().to_owned()
    }
}

/// A client of the API server, as its administrator.
pub(crate) async fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let path = ground().facts["kubeconfig"].as_str().unwrap();
    let kubeconfig = Kubeconfig::read_from(path).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    Client::try_from(config).unwrap()
}

/// Sends a signal, such as `-STOP`, to a process.
pub(crate) fn signal(name: &str, id: impl Display) {
    let status = Command::new("kill").args([name, &id.to_string()]).status();
    assert!(status.unwrap().success(), "kill {name} {id}");
}

/// Runs kubectl; its output and whether it succeeded.
pub(crate) fn try_kubectl(arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new("kubectl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Runs kubectl, which must succeed.
#[track_caller]
pub(crate) fn kubectl(arguments: &[&str]) -> String {
    apply_with(arguments, "")
}

/// Applies objects.
#[track_caller]
pub(crate) fn apply(objects: &[Value]) -> String {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    apply_with(&["apply", "-f", "-"], &list.to_string())
}

#[track_caller]
fn apply_with(arguments: &[&str], input: &str) -> String {
    let (succeeded, output) = try_kubectl(arguments, input);
    assert!(succeeded, "kubectl {}: {output}", arguments.join(" "));
    output
}

/// Gives the node the image that is tested.
pub(crate) fn load_image() {
    let image = env::var_os("REGISTRYCHECK_IMAGE_TAR")
        .expect("REGISTRYCHECK_IMAGE_TAR names the image to install: run this by make");
    let loaded = Command::new("ctr")
        .args(["--namespace", "k8s.io", "images", "import", "--snapshotter", "native"])
        .arg(image)
        .output()
        .unwrap();
    assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
}

/// Installs the controller from `deploy/`, once, as a user would, with what the ground needs
/// beside it: the test CA, and the token service that has a domain of its own. `extra` are
/// further arguments of the controller.
pub(crate) fn install(extra: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    load_image();
    let manifests = std::fs::read_to_string(root.join("deploy/registrycheck.yaml")).unwrap();
    let documents = serde_yaml_ng::Deserializer::from_str(&manifests);
    let mut objects: Vec<Value> =
        documents.map(|document| Value::deserialize(document).unwrap()).collect();
    let ca = std::fs::read_to_string(ground().ca()).unwrap();
    for (name, namespace) in
        [(install::CA_CONFIG_MAP, install::NAME), (node::CA_CONFIG_MAP, node::NAMESPACE)]
    {
        let is_namespace = |object: &Value| {
            object["kind"] == "Namespace" && object["metadata"]["name"] == namespace
        };
        let place = objects.iter().position(is_namespace).unwrap();
        let config_map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace},
            "data": {"test-ca.crt": ca},
        });
        objects.insert(place + 1, config_map);
    }
    let deployment = objects.iter_mut().find(|object| object["kind"] == "Deployment").unwrap();
    let container = &mut deployment["spec"]["template"]["spec"]["containers"][0];
    let arguments = container["args"].as_array_mut().unwrap();
    arguments.extend(["--token-host=auth.test"].iter().chain(extra).map(|extra| json!(extra)));
    apply(&objects);
    let deployment = format!("deployment/{}", install::NAME);
    kubectl(&["rollout", "status", &deployment, "-n", install::NAME, "--timeout=60s"]);
}

/// What the installed controller's pod says at `/metrics`; `None` while it says nothing.
pub(crate) fn metrics() -> Option<String> {
    let pods = kubectl(&["get", "pods", "-n", install::NAME, "-o", "name"]);
    let pod = pods.lines().next()?.trim_start_matches("pod/").to_owned();
    let path = format!("/api/v1/namespaces/{}/pods/{pod}:8080/proxy/metrics", install::NAME);
    let (answered, metrics) = try_kubectl(&["get", "--raw", &path], "");
    answered.then_some(metrics)
}

/// A namespace of its own for one test.
pub(crate) struct Namespace {
    /// Its name.
    pub(crate) name: String,
    /// A client.
    pub(crate) client: Client,
}

impl Namespace {
    /// Makes a namespace under restricted Pod Security.
    pub(crate) async fn new(name: &str) -> Self {
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        let metadata = json!({"name": name, "labels": labels});
        apply(&[json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})]);
        let namespace = Self { name: name.to_owned(), client: client().await };
        let account = || async {
            let api: Api<k8s_openapi::api::core::v1::ServiceAccount> =
                Api::namespaced(namespace.client.clone(), name);
            api.get_opt("default").await.unwrap()
        };
        eventually("the service account default", account).await;
        namespace
    }

    /// Makes a pull secret of the ordinary kind.
    pub(crate) fn secret(&self, name: &str, server: &str, password: &str) {
        let auths = json!({"auths": {server: {"username": USER, "password": password}}});
        self.secret_of(
            name,
            "kubernetes.io/dockerconfigjson",
            ".dockerconfigjson",
            &auths.to_string(),
        );
    }

    /// Makes a secret of any kind.
    pub(crate) fn secret_of(&self, name: &str, kind: &str, key: &str, value: &str) {
        apply(&[json!({
            "apiVersion": "v1", "kind": "Secret", "type": kind,
            "metadata": {"name": name, "namespace": self.name},
            "stringData": {key: value},
        })]);
    }

    /// Makes a pod with one container.
    pub(crate) fn pod(&self, name: &str, image: &str, secrets: &[&str]) {
        self.create(pod(name, image, secrets));
    }

    /// Makes an object of this namespace.
    pub(crate) fn create(&self, mut object: Value) {
        object["metadata"]["namespace"] = json!(self.name);
        apply(&[object]);
    }

    /// Makes a RegistryCheck, as a user does.
    pub(crate) fn make_check(&self, name: &str, spec: &Value) {
        self.create(json!({
            "apiVersion": "registrycheck.dev/v1alpha1", "kind": "RegistryCheck",
            "metadata": {"name": name},
            "spec": spec,
        }));
    }

    /// The checks of this namespace.
    pub(crate) async fn checks(&self) -> Vec<RegistryCheck> {
        let api: Api<RegistryCheck> = Api::namespaced(self.client.clone(), &self.name);
        api.list(&kube::api::ListParams::default()).await.unwrap().items
    }

    /// One check, if it is there.
    pub(crate) async fn check(&self, name: &str) -> Option<RegistryCheck> {
        let api: Api<RegistryCheck> = Api::namespaced(self.client.clone(), &self.name);
        api.get_opt(name).await.unwrap()
    }

    /// Waits until a check's Ready has this status and reason.
    pub(crate) async fn ready(
        &self,
        name: &str,
        status: ConditionStatus,
        reason: &str,
    ) -> RegistryCheck {
        let what = format!("{}/{name} to be {status:?} {reason}", self.name);
        eventually(&what, || async {
            let check = self.check(name).await?;
            let ready = ready(&check)?;
            (ready.status == status && ready.reason == reason).then_some(check)
        })
        .await
    }

    /// The Events of this namespace that this controller wrote.
    pub(crate) async fn events(&self) -> Vec<Event> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.name);
        let mut events = api.list(&kube::api::ListParams::default()).await.unwrap().items;
        let ours = Some("registrycheck.dev/registrycheck");
        events.retain(|event| event.reporting_component.as_deref() == ours);
        events
    }

    /// Those of them about one object, by its name.
    pub(crate) async fn events_of(&self, object: &str) -> Vec<Event> {
        let mut events = self.events().await;
        events.retain(|event| event.involved_object.name.as_deref() == Some(object));
        events
    }

    /// The same, waiting for the first: those on a failing pod follow the status of its check.
    pub(crate) async fn told(&self, object: &str) -> Vec<Event> {
        eventually(&format!("{}/{object} to be told", self.name), || async {
            let events = self.events_of(object).await;
            (!events.is_empty()).then_some(events)
        })
        .await
    }

    /// Waits until a pod runs.
    pub(crate) async fn running(&self, name: &str) {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.name);
        eventually(&format!("pod {}/{name} to run", self.name), || async {
            let status = api.get_opt(name).await.unwrap()?.status?;
            (status.phase.as_deref() == Some("Running")).then_some(())
        })
        .await;
    }
}

/// Ready of a check.
pub(crate) fn ready(check: &RegistryCheck) -> Option<&Condition> {
    check.status.as_ref()?.ready()
}

/// A pod with one container, as restricted Pod Security wants it.
pub(crate) fn pod(name: &str, image: &str, secrets: &[&str]) -> Value {
    let secrets: Vec<Value> = secrets.iter().map(|name| json!({"name": name})).collect();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65_532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "imagePullSecrets": secrets,
            "containers": [container("main", image)],
        },
    })
}

/// A container, as restricted Pod Security wants it.
pub(crate) fn container(name: &str, image: &str) -> Value {
    json!({
        "name": name, "image": image,
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
        },
    })
}

/// The status of a pod with one container, as a kubelet writes it.
pub(crate) fn pod_status(image: &str, state: &Value) -> Value {
    json!({"status": {"phase": "Pending", "containerStatuses": [{
        "name": "main", "image": image, "imageID": "", "ready": false, "restartCount": 0,
        "state": state,
    }]}})
}

/// Has a pod with one container wait for its image, with these words of the kubelet.
pub(crate) async fn fail_to_pull(pods: &Api<Pod>, name: &str, image: &str, words: &str) {
    let waiting = json!({"reason": "ErrImagePull", "message": words});
    let status = Patch::Merge(pod_status(image, &json!({"waiting": waiting})));
    pods.patch_status(name, &PatchParams::default(), &status).await.unwrap();
}

/// Waits until `look` sees something, and returns it.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    look: impl Fn() -> F,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
