//! The node's identity of Azure, asked for on the node: by the controller and by hand, with a
//! stand-in for Azure whose registries the real kubelet asks too.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use registrycheck::api::{ConditionStatus, RegistryCheckStatus};
use registrycheck::node;
use serde_json::{Value, json};

use super::{ALONE, NODE, none_is_left, say};
use crate::command_line::run;
use crate::end_to_end::check::kubeconfig;
use crate::end_to_end::installed;
use crate::ground::{Namespace, ground, ready};

const CLIENT: &str = "7c0a4c5e-35b6-4a43-9d5f-2d1c6b1f5b11";
const TENANT: &str = "3f0d5d2e-70a6-4f27-8b1c-6f6d2a9b1e01";
/// The identity may pull from the one, and has no right to the other.
const OPEN: &str = "nodeopen.azurecr.io";
const CLOSED: &str = "nodeclosed.azurecr.io";

/// Azure, for as long as it is held, and a node that has its file.
struct Azure(Child);

impl Azure {
    fn play() -> Self {
        let registry = |name: &str, fields: Value| {
            let mut azure = json!({"data": "nodedata.blob.core.windows.net"});
            azure.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            json!({
                "name": name, "case": "node", "images": {"shop/api:v1": "image"},
                "azure": {"registry": azure},
            })
        };
        let content = json!({
            "hosts": [
                {
                    "name": "169.254.169.254", "address": "169.254.169.254", "port": 80,
                    "transport": "plain", "azure": {"metadata": true},
                },
                {"name": "login.microsoftonline.com", "azure": {"login": true}},
                {
                    "name": "nodedata.blob.core.windows.net", "case": "node",
                    "images": {"shop/api:v1": "image"}, "azure": {"storage": true},
                },
                registry(OPEN, json!({})),
                registry(CLOSED, json!({"roles": {}})),
            ],
            "identities": [{"case": "node", "clientId": CLIENT, "tenant": TENANT, "node": true}],
        });
        let file = ground().logs().join("node-probe-azure.json");
        std::fs::write(&file, content.to_string()).unwrap();
        let mut child =
            Command::new("ground").arg("azure").arg(&file).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the stand-in did not start");
        let azure = json!({
            "cloud": "AzurePublicCloud", "tenantId": TENANT, "location": "eastus",
            "aadClientId": "msi", "aadClientSecret": "msi", "useManagedIdentityExtension": true,
            "userAssignedIdentityID": CLIENT,
        });
        for registry in ["nodeopen", "nodeclosed"] {
            let directory = ground().logs().parent().unwrap().join("azure").join(registry);
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("azure.json"), azure.to_string()).unwrap();
        }
        // The ground has a /etc/kubernetes of its own where its node is one of Azure.
        std::fs::write(node::AZURE_CONFIG, azure.to_string()).unwrap();
        set_private(node::AZURE_CONFIG);
        Self(child)
    }
}

/// As AKS has it: root's alone.
fn set_private(file: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

impl Drop for Azure {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(node::AZURE_CONFIG);
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn of_node(status: &RegistryCheckStatus) -> Option<&registrycheck::api::ProbeStatus> {
    status.probes.iter().find(|probe| probe.vantage == "Node")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_identity_of_the_node_is_asked_on_the_node() {
    installed();
    let _alone = ALONE.lock().await;
    let _azure = Azure::play();
    let namespace = Namespace::new("node-azure").await;
    let began = Instant::now();
    namespace.pod("closed", &format!("{CLOSED}/shop/api:v1"), &[]);
    let check = namespace.ready(CLOSED, ConditionStatus::False, "TokenExchangeDenied").await;
    say(&format!("from the pod to the node's verdict: {:.1} s", began.elapsed().as_secs_f64()));
    let status = check.status.as_ref().unwrap();
    let message = &ready(&check).unwrap().message;
    assert!(message.contains(CLIENT), "{message}");
    let probe = of_node(status).unwrap_or_else(|| panic!("{:?}", status.probes));
    assert!(probe.steps.contains("Identity") && probe.steps.contains("Exchange"), "{probe:?}");
    // The kubelet's pull is served, and so is ours from the node.
    namespace.pod("open", &format!("{OPEN}/shop/api:v1"), &[]);
    namespace.running("open").await;
    let spec = json!({"registry": OPEN, "images": [format!("{OPEN}/shop/api:v1")]});
    namespace.make_check("open", &spec);
    let check = namespace.ready("open", ConditionStatus::True, "Pullable").await;
    assert!(of_node(check.status.as_ref().unwrap()).is_some(), "{check:?}");
    by_hand();
    none_is_left().await;
}

/// `registrycheck check … --node NODE`: an image, and a registry as `az aks check-acr` takes it.
fn by_hand() {
    let asked = |what: &str, status: i32| {
        let ca = ground().ca();
        let arguments = ["check", what, "--node", NODE, "-o", "json", "-n", "node-azure"];
        let trusting = ["--ca-file", ca.to_str().unwrap()];
        let outcome = run(kubeconfig(), &[&arguments[..], &trusting].concat(), "");
        assert_eq!(outcome.status, status, "{what}: {}{}", outcome.out, outcome.err);
        let document: Value = serde_json::from_str(&outcome.out).unwrap();
        let vantages = document["probes"].as_array().unwrap().iter();
        assert!(vantages.clone().any(|probe| probe["vantage"] == "Node"), "{document}");
        document
    };
    let open = asked(&format!("{OPEN}/shop/api:v1"), 0);
    assert_eq!(open["pullable"], true, "{open}");
    let closed = asked(&format!("{CLOSED}/shop/api:v1"), 1);
    assert_eq!(closed["findings"][0]["code"], "TokenExchangeDenied", "{closed}");
    asked(OPEN, 0);
    asked(CLOSED, 1);
}
