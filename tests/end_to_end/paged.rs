//! An API server without streaming lists (feature gate `WatchList` off, the default of some
//! releases that we support): the controller falls back to paged lists.
//!
//! The server is a second one of the ground's own Kubernetes, with an etcd prefix of its own.
//! There is no kubelet behind it, so the test writes what a kubelet would.

use std::fs;
use std::process::{Child, Command, Stdio};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use registrycheck::api::{ConditionStatus, RegistryCheck};
use registrycheck::install;
use serde_json::json;

use crate::ground::{eventually, ground, pod, ready};

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// The command line of the ground's API server.
fn api_server() -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap();
    let commands =
        processes.filter_map(|entry| fs::read(entry.unwrap().path().join("cmdline")).ok());
    let words = commands.map(|command| {
        let words = command.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        words.map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>()
    });
    words
        .into_iter()
        .find(|words| words.get(1).is_some_and(|word| word == "kube-apiserver"))
        .unwrap()
}

fn start(command: &mut Command, log: &str) -> Running {
    let log = fs::File::create(ground().logs().join(log)).unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    Running(command.spawn().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_streaming_lists_pages_do() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let words = api_server();
    let ours = ["--bind-address=", "--secure-port=", "--advertise-address="];
    let kept = words[1..].iter().filter(|word| !ours.iter().any(|flag| word.starts_with(flag)));
    let _server = start(
        Command::new(&words[0]).args(kept).args([
            "--bind-address=10.0.0.10",
            "--secure-port=6444",
            "--advertise-address=10.0.0.10",
            "--etcd-prefix=/without-streaming-lists",
            "--feature-gates=WatchList=false",
        ]),
        "kube-apiserver-without-streaming-lists.log",
    );
    let kubeconfig = fs::read_to_string(ground().facts["kubeconfig"].as_str().unwrap()).unwrap();
    let kubeconfig = Kubeconfig::from_yaml(&kubeconfig).unwrap();
    let mut changed = kubeconfig.clone();
    let cluster = changed.clusters[0].cluster.as_mut().unwrap();
    cluster.server = Some("https://10.0.0.10:6444".to_owned());
    cluster.certificate_authority = None;
    cluster.insecure_skip_tls_verify = Some(true);
    let path = ground().logs().join("without-streaming-lists.kubeconfig");
    fs::write(&path, serde_json::to_string(&changed).unwrap()).unwrap();
    let config =
        Config::from_custom_kubeconfig(changed, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    eventually("the second API server", || async { client.apiserver_version().await.ok() }).await;

    let crds = Api::all(client.clone());
    let crd = serde_json::from_value(install::crd()).unwrap();
    eventually("the CRD to be taken", || async {
        let crds: &Api<k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition> = &crds;
        crds.create(&PostParams::default(), &crd).await.ok()
    })
    .await;
    let checks: Api<RegistryCheck> = Api::namespaced(client.clone(), "default");
    eventually("the CRD to be served", || async {
        checks.list(&kube::api::ListParams::default()).await.ok()
    })
    .await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
    // No controller manager makes the account default, and admission wants one.
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> =
        Api::namespaced(client.clone(), "default");
    let account = serde_json::from_value(json!({"metadata": {"name": "default"}})).unwrap();
    eventually("the account default", || async {
        accounts.create(&PostParams::default(), &account).await.ok()
    })
    .await;
    let fail = |name: &'static str| {
        let pods = pods.clone();
        async move {
            let object =
                serde_json::from_value(pod(name, "missing.test/shop/api:v1", &[])).unwrap();
            pods.create(&PostParams::default(), &object).await.unwrap();
            let waiting = json!({"reason": "ErrImagePull", "message": "no such host"});
            let status = json!({"status": {"containerStatuses": [{
                "name": "main", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": waiting},
            }]}});
            let params = PatchParams::default();
            pods.patch_status(name, &params, &Patch::Merge(&status)).await.unwrap();
        }
    };
    fail("listed").await;

    let _controller = start(
        Command::new(env!("CARGO_BIN_EXE_registrycheck"))
            .args(["run", "--namespace=default", "--listen=127.0.0.1:18080"])
            .env("KUBECONFIG", &path),
        "controller-without-streaming-lists.log",
    );
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
    fail("watched").await;
    eventually("a pod of the watch to be explained", affected(2)).await;
    let log = fs::read_to_string(ground().logs().join("controller-without-streaming-lists.log"));
    assert!(log.unwrap().contains("no streaming lists"), "the server did have streaming lists");
}
