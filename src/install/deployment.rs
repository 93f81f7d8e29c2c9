//! The controller itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{CA_CONFIG_MAP, IMAGE, NAME, Options, account_tokens, labels, metadata, node_probe};

/// Where the authorities are mounted.
const CA_DIRECTORY: &str = "/etc/registrycheck/ca";
/// The user of the image.
const USER: u32 = 65_532;
/// The port of the server.
const PORT: u16 = 8_080;

pub(super) fn deployment(options: &Options) -> Value {
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
                    "containers": [container(options)],
                    "volumes": [{
                        "name": "ca",
                        "configMap": {"name": CA_CONFIG_MAP, "optional": true},
                    }],
                },
            },
        },
    })
}

fn container(options: &Options) -> Value {
    let mut arguments = vec!["run".to_owned(), format!("--ca-directory={CA_DIRECTORY}")];
    arguments.extend(options.targets.arguments());
    arguments.extend(node_probe::arguments(options.node_probe.as_ref()));
    arguments.extend(options.account_tokens.iter().flat_map(account_tokens::arguments));
    let field = |path: &str| json!({"fieldRef": {"fieldPath": path}});
    let probe = |path: &str, seconds: u32| json!({"httpGet": {"path": path, "port": "http"}, "periodSeconds": seconds});
    json!({
        "name": NAME,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
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
