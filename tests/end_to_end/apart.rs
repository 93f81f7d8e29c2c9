//! An API server apart from the ground's: another start of the same program with storage of its
//! own. No kubelet and no controller is at it, so that a test has it for itself, and plays them.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use registrycheck::api::RegistryCheck;
use registrycheck::install;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::ground::{eventually, fail_to_pull, ground, pod};

/// The namespace of the controller, of its account and of its Lease.
pub(super) const HOME: &str = "home";
const ACCOUNT: &str = "narrow";

/// The rules of the installation's Role or ClusterRole.
pub(super) fn rules(kind: &str) -> Vec<Value> {
    let objects = install::manifests(&install::Options::default());
    let is_it =
        |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == install::NAME;
    objects.iter().find(is_it).unwrap()["rules"].as_array().unwrap().clone()
}

/// The rights that the installation needs in a namespace that it watches, where it may read no
/// nodes.
pub(super) fn rules_in_a_namespace() -> Vec<Value> {
    let mut rules = rules("ClusterRole");
    rules.retain(|rule| rule["resources"] != json!(["nodes"]));
    rules
}

/// Makes an object.
pub(super) async fn create<K>(api: &Api<K>, object: Value)
where
    K: Clone + DeserializeOwned + Debug + Serialize,
{
    api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
}

/// A process that ends with the test.
pub(super) struct Running(pub(super) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// The server.
pub(super) struct Apart {
    /// A client, as its administrator.
    pub(super) client: Client,
    /// How its administrator reaches it.
    pub(super) kubeconfig: Kubeconfig,
    name: &'static str,
    server: Mutex<Running>,
    /// How the server is started.
    words: Vec<String>,
}

/// The program that is tested: what cargo built beside the tests, or what is named.
fn program() -> OsString {
    let named = env::var_os("REGISTRYCHECK_BINARY");
    let built = option_env!("CARGO_BIN_EXE_registrycheck").map(OsString::from);
    built.or(named).expect("REGISTRYCHECK_BINARY names the program to test")
}

/// The command line of a program of the ground's Kubernetes.
pub(super) fn command_line(name: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap();
    let commands =
        processes.filter_map(|entry| fs::read(entry.unwrap().path().join("cmdline")).ok());
    let words = commands.map(|command| {
        let words = command.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        words.map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>()
    });
    words.into_iter().find(|words| words.get(1).is_some_and(|word| word == name)).unwrap()
}

/// Has a command write what it writes into a log of the ground.
fn log_into<'command>(command: &'command mut Command, log: &str) -> &'command mut Command {
    let log = fs::File::create(ground().logs().join(log)).unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log)
}

fn start(command: &mut Command, log: &str) -> Running {
    Running(log_into(command, log).spawn().unwrap())
}

/// The command that runs a controller of this name, as whoever the kubeconfig is of, with
/// `before` in front of the program, such as `env` and variables. It logs into a file.
pub(super) fn controller(
    name: &str,
    before: &[&str],
    kubeconfig: &impl Serialize,
    arguments: &[&str],
) -> Command {
    let file = |what: &str| ground().logs().join(format!("{what}-{name}"));
    let (path, authorities) = (file("kubeconfig"), file("authorities"));
    fs::write(&path, serde_json::to_string(kubeconfig).unwrap()).unwrap();
    fs::create_dir_all(&authorities).unwrap();
    fs::copy(ground().ca(), authorities.join("ca.crt")).unwrap();
    let program = program();
    let mut words = before.iter().map(OsStr::new).chain([program.as_os_str()]);
    let mut command = Command::new(words.next().unwrap());
    command
        .args(words)
        .arg("run")
        .arg(format!("--ca-directory={}", authorities.display()))
        .args(arguments)
        .env("KUBECONFIG", &path);
    log_into(&mut command, &format!("controller-{name}"));
    command
}

fn start_server(words: &[String], name: &str) -> Running {
    start(Command::new(&words[0]).args(&words[1..]), &format!("kube-apiserver-{name}.log"))
}

impl Apart {
    /// Starts one on a port of its own, with further arguments, and with the custom resource. It
    /// writes down every request.
    pub(super) async fn start(name: &'static str, port: u16, extra: &[String]) -> Self {
        Self::start_at(name, name, port, extra).await
    }

    /// The same at a storage that another one may share.
    pub(super) async fn start_at(
        name: &'static str,
        storage: &str,
        port: u16,
        extra: &[String],
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let policy = json!({
            "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
            "omitStages": ["RequestReceived"], "rules": [{"level": "Metadata"}],
        });
        let (directory, file) = (ground().logs(), |what: &str| format!("{what}-{name}"));
        let policy_file = directory.join(file("audit-policy"));
        fs::write(&policy_file, policy.to_string()).unwrap();
        let words = command_line("kube-apiserver");
        let ours = ["--bind-address=", "--secure-port=", "--advertise-address="];
        let kept = words[1..].iter().filter(|word| !ours.iter().any(|flag| word.starts_with(flag)));
        let mut started = vec![words[0].clone()];
        started.extend(kept.cloned());
        started.extend([
            "--bind-address=10.0.0.10".to_owned(),
            "--advertise-address=10.0.0.10".to_owned(),
            format!("--secure-port={port}"),
            format!("--etcd-prefix=/{storage}"),
            format!("--audit-policy-file={}", policy_file.display()),
            format!("--audit-log-path={}", directory.join(file("audit")).display()),
        ]);
        started.extend_from_slice(extra);
        let server = start_server(&started, name);
        let kubeconfig =
            fs::read_to_string(ground().facts["kubeconfig"].as_str().unwrap()).unwrap();
        let mut kubeconfig = Kubeconfig::from_yaml(&kubeconfig).unwrap();
        let cluster = kubeconfig.clusters[0].cluster.as_mut().unwrap();
        cluster.server = Some(format!("https://10.0.0.10:{port}"));
        cluster.certificate_authority = None;
        cluster.insecure_skip_tls_verify = Some(true);
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig.clone(), &options).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let version = || async { client.apiserver_version().await.ok() };
        eventually("the second API server", version).await;
        let crds = Api::<CustomResourceDefinition>::all(client.clone());
        let crd = serde_json::from_value(install::crd()).unwrap();
        eventually("the CRD to be taken", || async {
            match crds.create(&PostParams::default(), &crd).await {
                Ok(_) => Some(()),
                Err(kube::Error::Api(status)) if status.is_already_exists() => Some(()),
                Err(_) => None,
            }
        })
        .await;
        let checks = Api::<RegistryCheck>::all(client.clone());
        let listed = || async { checks.list(&ListParams::default()).await.ok() };
        eventually("the CRD to be served", listed).await;
        Self { client, kubeconfig, name, server: Mutex::new(server), words: started }
    }

    /// Kills the server, and starts it again after a while.
    pub(super) async fn restart(&self, after: Duration) {
        let _ended = self.server.lock().unwrap().0.kill();
        tokio::time::sleep(after).await;
        let mut server = self.server.lock().unwrap();
        *server = start_server(&self.words, self.name);
    }

    /// Makes the account default, which no controller manager makes here and admission wants.
    pub(super) async fn make_account(&self, namespace: &str) {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let account = serde_json::from_value(json!({"metadata": {"name": "default"}})).unwrap();
        eventually("the account default", || async {
            accounts.create(&PostParams::default(), &account).await.ok()
        })
        .await;
    }

    /// Makes a namespace in which there can be pods.
    pub(super) async fn make_namespace(&self, namespace: &str) {
        let made = json!({"metadata": {"name": namespace}});
        create(&Api::<Namespace>::all(self.client.clone()), made).await;
        self.make_account(namespace).await;
    }

    /// Makes a namespace, and gives the account these rights in it.
    pub(super) async fn open(&self, namespace: &str, rules: &[Value]) {
        self.make_namespace(namespace).await;
        let client = &self.client;
        let metadata = json!({"name": ACCOUNT});
        let role = json!({"metadata": metadata, "rules": rules});
        create(&Api::<Role>::namespaced(client.clone(), namespace), role).await;
        let group = "rbac.authorization.k8s.io";
        let binding = json!({
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": ACCOUNT},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": HOME}],
        });
        create(&Api::<RoleBinding>::namespaced(client.clone(), namespace), binding).await;
    }

    /// Makes the account, which has the rights that were given with [`Self::open`] and no
    /// others; how it reaches the server.
    pub(super) async fn account(&self) -> Kubeconfig {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), HOME);
        create(&accounts, json!({"metadata": {"name": ACCOUNT}})).await;
        let request: TokenRequest =
            serde_json::from_value(json!({"spec": {"audiences": []}})).unwrap();
        let made = accounts.create_token_request(ACCOUNT, &PostParams::default(), &request).await;
        let token = made.unwrap().status.unwrap().token;
        let mut kubeconfig = serde_json::to_value(&self.kubeconfig).unwrap();
        kubeconfig["users"][0]["user"] = json!({"token": token});
        serde_json::from_value(kubeconfig).unwrap()
    }

    /// Every request, as the server wrote it down.
    pub(super) fn audited(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.file("audit")).unwrap();
        // The last line may still be written.
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// What the account asked for: namespace, request and status.
    pub(super) fn requests(&self) -> Vec<(String, String, u64)> {
        let events = self.audited().into_iter();
        let user = format!("system:serviceaccount:{HOME}:{ACCOUNT}");
        let ours = events.filter(|event| event["user"]["username"] == user.as_str());
        ours.map(|event| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let request = format!("{} {}", text(&event["verb"]), text(&event["requestURI"]));
            let status = event["responseStatus"]["code"].as_u64().unwrap_or_default();
            (text(&event["objectRef"]["namespace"]), request, status)
        })
        .collect()
    }

    /// Makes a pod that waits for an image, with these words.
    pub(super) async fn fail(&self, namespace: &str, name: &str, image: &str, words: &str) {
        self.fail_with(namespace, name, image, words, &[]).await;
    }

    /// The same with pull secrets.
    pub(super) async fn fail_with(
        &self,
        namespace: &str,
        name: &str,
        image: &str,
        words: &str,
        secrets: &[&str],
    ) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let object = serde_json::from_value(pod(name, image, secrets)).unwrap();
        pods.create(&PostParams::default(), &object).await.unwrap();
        fail_to_pull(&pods, name, image, words).await;
    }

    /// A file of the ground's logs that has this server's name.
    fn file(&self, what: &str) -> PathBuf {
        ground().logs().join(format!("{what}-{}", self.name))
    }

    /// Runs the controller, as whoever the kubeconfig is of.
    pub(super) fn controller(&self, kubeconfig: &Kubeconfig, arguments: &[&str]) -> Running {
        Running(controller(self.name, &[], kubeconfig, arguments).spawn().unwrap())
    }

    /// The same, and all that anything in it can log is logged.
    pub(super) fn traced_controller(&self, kubeconfig: &Kubeconfig, arguments: &[&str]) -> Running {
        let mut command = controller(self.name, &[], kubeconfig, arguments);
        Running(command.env("RUST_LOG", "trace").spawn().unwrap())
    }

    /// The same, and there is no room for what it writes.
    pub(super) fn controller_on_a_full_disk(
        &self,
        kubeconfig: &Kubeconfig,
        arguments: &[&str],
    ) -> Running {
        let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = controller(self.name, &[], kubeconfig, arguments);
        Running(command.env("RUST_LOG", "trace").stdout(full()).stderr(full()).spawn().unwrap())
    }

    /// What the controller has logged.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.file("controller")).unwrap()
    }
}
