//! Install: the objects that an installation without Helm consists of.
//!
//! `registrycheck manifests` prints them; `deploy/registrycheck.yaml` is that output, and a
//! test fails when it is stale. The rights are here, beside the names that the code uses:
//! whatever is granted is used.

use kube::CustomResourceExt as _;
use serde_json::{Value, json};

use crate::api::RegistryCheck;
use crate::controller::AccountTokens;
use crate::node::Shape;
use crate::probe::targets::Targets;

mod account_tokens;
mod deployment;
pub mod node_probe;
mod rights;
mod spec_images;

/// The namespace, the name of every object, and the name of the service account.
pub const NAME: &str = "registrycheck";
/// The image of this version.
pub const IMAGE: &str = concat!("registrycheck.dev/registrycheck:", env!("CARGO_PKG_VERSION"));
/// The ConfigMap with authorities to trust for registries; it may be missing.
pub const CA_CONFIG_MAP: &str = "registrycheck-ca";

/// What an installation has beside what every one has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The node probe; `None` leaves out all that is for it.
    pub node_probe: Option<Shape>,
    /// What probes may ask.
    pub targets: Targets,
    /// The service accounts of which tokens may be made; `None` where there is none.
    pub account_tokens: Option<AccountTokens>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            node_probe: Some(node_probe::shape()),
            targets: Targets::default(),
            account_tokens: None,
        }
    }
}

/// Objects as one YAML text of several documents.
///
/// # Errors
///
/// Where an object cannot be written as YAML.
pub fn yaml(objects: &[Value]) -> Result<String, serde_yaml_ng::Error> {
    let documents: Result<Vec<String>, _> = objects.iter().map(serde_yaml_ng::to_string).collect();
    Ok(documents?.join("---\n"))
}

/// The definition of the custom resource.
pub fn crd() -> Value {
    json!(RegistryCheck::crd())
}

/// All objects, in the order in which they have to be created.
pub fn manifests(options: &Options) -> Vec<Value> {
    let mut objects = vec![
        namespace(),
        labelled(crd()),
        service_account(),
        rights::cluster_role(),
        rights::cluster_role_binding(),
        rights::role(),
        rights::role_binding(),
    ];
    objects.extend(rights::aggregate_roles());
    objects.extend(spec_images::objects());
    objects.extend(options.node_probe.iter().flat_map(node_probe::objects));
    objects.extend(options.account_tokens.iter().flat_map(account_tokens::objects));
    objects.push(deployment::deployment(options));
    objects
}

fn labels() -> Value {
    json!({
        "app.kubernetes.io/name": NAME,
        "app.kubernetes.io/version": env!("CARGO_PKG_VERSION"),
    })
}

fn labelled(mut object: Value) -> Value {
    object["metadata"]["labels"] = labels();
    object
}

fn metadata(namespaced: bool) -> Value {
    let mut metadata = json!({"name": NAME, "labels": labels()});
    if namespaced {
        metadata["namespace"] = json!(NAME);
    }
    metadata
}

fn namespace() -> Value {
    let mut metadata = metadata(false);
    for mode in ["enforce", "warn"] {
        metadata["labels"][format!("pod-security.kubernetes.io/{mode}")] = json!("restricted");
    }
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
}

fn service_account() -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(true)})
}

#[cfg(test)]
mod tests {
    use super::{Options, Targets, manifests, node_probe, yaml};
    use crate::node::{NAMESPACE, Opened, Shape};

    fn text(options: &Options) -> String {
        yaml(&manifests(options)).unwrap()
    }

    #[test]
    fn without_the_node_probe_nothing_of_it_is_there() {
        let text = text(&Options { node_probe: None, ..Options::default() });
        assert!(text.contains("- --node-probe=false\n"), "{text}");
        for part in [NAMESPACE, "hostPath", "privileged"] {
            assert!(!text.contains(part), "{part}");
        }
    }

    /// The controller and the policy are told the same of the pods.
    #[test]
    fn another_shape_is_the_controllers_and_the_policys() {
        let image = "own.test/registrycheck:2".to_owned();
        let opened = Opened {
            providers: Some("/var/lib/kubelet/p.yaml".to_owned()),
            hosts: Some("/etc/certs.d".to_owned()),
        };
        let shape = Shape { image, user: 1_000, host_network: true, opened, ..node_probe::shape() };
        let targets = Targets {
            allowed: vec!["*.example.com".parse().unwrap()],
            denied: vec!["10.0.0.0/8".parse().unwrap()],
        };
        let shape = Shape { targets: targets.clone(), ..shape };
        let text = text(&Options { node_probe: Some(shape), targets, ..Options::default() });
        for part in [
            "- --allow-target=*.example.com\n",
            "- --deny-target=10.0.0.0/8\n",
            r"|--allow-target=\\*\\.example\\.com|--deny-target=10\\.0\\.0\\.0/8|",
            "- --node-probe-image=own.test/registrycheck:2\n",
            "- --node-probe-user=1000\n",
            "- --node-probe-host-network=true\n",
            "variables.container.image == 'own.test/registrycheck:2'",
            "runAsUser in [1000, 65532]",
            "- --node-probe-credential-provider-config=/var/lib/kubelet/p.yaml\n",
            "- --node-probe-hosts-dir=/etc/certs.d\n",
        ] {
            assert!(text.contains(part), "{part}");
        }
        // The controller, the policy's volumes and its mounts.
        for path in ["/var/lib/kubelet/p.yaml", "/etc/certs.d"] {
            assert_eq!(text.matches(path).count(), 3, "{path}");
        }
        assert!(!text.contains("does not stand in the node's network"), "{text}");
    }
}
