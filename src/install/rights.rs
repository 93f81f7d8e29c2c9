//! What the controller may do: whatever is granted is used.

use kube::Resource as _;
use serde_json::{Value, json};

use crate::api::RegistryCheck;
use crate::controller::LEASE;

use super::{NAME, metadata};

/// Secrets are read by name and never listed; nothing else of a namespace is changed but
/// RegistryChecks and Events.
pub(super) fn cluster_role() -> Value {
    let group = RegistryCheck::group(&());
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": metadata(false),
        "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["secrets", "serviceaccounts"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
            {
                "apiGroups": [group],
                "resources": ["registrychecks"],
                "verbs": ["get", "list", "watch", "create", "delete"],
            },
            {"apiGroups": [group], "resources": ["registrychecks/status"], "verbs": ["patch"]},
            {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]},
        ],
    })
}

pub(super) fn cluster_role_binding() -> Value {
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
pub(super) fn role() -> Value {
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

pub(super) fn role_binding() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata(true),
        "roleRef": role_ref("Role"),
        "subjects": subjects(),
    })
}

/// Whoever has the cluster's own roles `view`, `edit` and `admin` of a namespace has them for its
/// RegistryChecks too (Kubernetes documentation, RBAC, "Aggregated `ClusterRoles`"). The status is
/// the controller's alone.
pub(super) fn aggregate_roles() -> [Value; 2] {
    let role = |part: &str, roles: &[&str], verbs: &[&str]| {
        let mut metadata = metadata(false);
        metadata["name"] = json!(format!("{NAME}-{part}"));
        for role in roles {
            metadata["labels"][format!("rbac.authorization.k8s.io/aggregate-to-{role}")] =
                json!("true");
        }
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": metadata,
            "rules": [{
                "apiGroups": [RegistryCheck::group(&())],
                "resources": ["registrychecks"],
                "verbs": verbs,
            }],
        })
    };
    [
        role("view", &["view"], &["get", "list", "watch"]),
        role(
            "edit",
            &["edit", "admin"],
            &["create", "update", "patch", "delete", "deletecollection"],
        ),
    ]
}

pub(super) fn role_ref(kind: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": NAME})
}

pub(super) fn subjects() -> Value {
    json!([{"kind": "ServiceAccount", "name": NAME, "namespace": NAME}])
}
