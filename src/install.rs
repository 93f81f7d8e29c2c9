//! Install: the objects that an installation without Helm consists of.
//!
//! `registrycheck manifests` prints them; `deploy/registrycheck.yaml` is that output, and a
//! test fails when it is stale. The rights are here, beside the names that the code uses:
//! whatever is granted is used.

use std::collections::BTreeMap;

use kube::{CustomResourceExt as _, Resource as _};
use serde_json::{Value, json};

use crate::api::RegistryCheck;
use crate::controller::LEASE;

/// The namespace, the name of every object, and the name of the service account.
pub const NAME: &str = "registrycheck";
/// The image of this version.
pub const IMAGE: &str = concat!("registrycheck.dev/registrycheck:", env!("CARGO_PKG_VERSION"));
/// The ConfigMap with authorities to trust for registries; it may be missing.
pub const CA_CONFIG_MAP: &str = "registrycheck-ca";
/// Where it is mounted.
const CA_DIRECTORY: &str = "/etc/registrycheck/ca";
/// The user of the image.
const USER: u32 = 65_532;
/// The port of the server.
const PORT: u16 = 8_080;

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
pub fn manifests() -> Vec<Value> {
    vec![
        namespace(),
        crd(),
        service_account(),
        cluster_role(),
        cluster_role_binding(),
        role(),
        role_binding(),
        deployment(),
    ]
}

fn labels() -> Value {
    json!({
        "app.kubernetes.io/name": NAME,
        "app.kubernetes.io/version": env!("CARGO_PKG_VERSION"),
    })
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

/// Secrets are read by name and never listed; nothing else of a namespace is changed but
/// RegistryChecks and Events.
fn cluster_role() -> Value {
    let group = RegistryCheck::group(&());
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": metadata(false),
        "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["secrets", "serviceaccounts"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]},
            {
                "apiGroups": [group],
                "resources": ["registrychecks"],
                "verbs": ["get", "list", "watch", "create", "delete"],
            },
            {"apiGroups": [group], "resources": ["registrychecks/status"], "verbs": ["patch"]},
            {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
        ],
    })
}

fn cluster_role_binding() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": metadata(false),
        "roleRef": role_ref("ClusterRole"),
        "subjects": subjects(),
    })
}

/// A lease can be created only without a name in the rule (Kubernetes documentation, RBAC,
/// "Referring to resources").
fn role() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": metadata(true),
        "rules": [
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
            {
                "apiGroups": ["coordination.k8s.io"],
                "resources": ["leases"],
                "resourceNames": [LEASE],
                "verbs": ["get", "update"],
            },
        ],
    })
}

fn role_binding() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata(true),
        "roleRef": role_ref("Role"),
        "subjects": subjects(),
    })
}

fn role_ref(kind: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": NAME})
}

fn subjects() -> Value {
    json!([{"kind": "ServiceAccount", "name": NAME, "namespace": NAME}])
}

fn deployment() -> Value {
    let selector = BTreeMap::from([("app.kubernetes.io/name", NAME)]);
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(true),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {"labels": labels()},
                "spec": {
                    "serviceAccountName": NAME,
                    "securityContext": {
                        "runAsNonRoot": true,
                        "runAsUser": USER,
                        "runAsGroup": USER,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [container()],
                    "volumes": [{
                        "name": "ca",
                        "configMap": {"name": CA_CONFIG_MAP, "optional": true},
                    }],
                },
            },
        },
    })
}

fn container() -> Value {
    let field = |path: &str| json!({"fieldRef": {"fieldPath": path}});
    let probe = |path: &str, seconds: u32| json!({"httpGet": {"path": path, "port": "http"}, "periodSeconds": seconds});
    json!({
        "name": NAME,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": ["run", format!("--ca-directory={CA_DIRECTORY}")],
        "env": [
            {"name": "POD_NAME", "valueFrom": field("metadata.name")},
            {"name": "POD_NAMESPACE", "valueFrom": field("metadata.namespace")},
        ],
        "ports": [{"name": "http", "containerPort": PORT}],
        "livenessProbe": probe("/livez", 10),
        "readinessProbe": probe("/readyz", 2),
        "resources": {
            "requests": {"cpu": "20m", "memory": "32Mi"},
            "limits": {"memory": "128Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "ca", "mountPath": CA_DIRECTORY, "readOnly": true}],
    })
}
