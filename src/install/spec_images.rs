//! Who may have images probed that no pod has.
//!
//! A probe of `spec.images` uses what a pod of that namespace could use: its pull secrets, its
//! service accounts, the node's identity. So it takes the right that would give these anyway,
//! which is to create pods there; the API server asks its own authorizer (Kubernetes
//! documentation, "Validating Admission Policy", "Authorization check").

use kube::Resource as _;
use serde_json::{Value, json};

use crate::api::RegistryCheck;

use super::{NAME, labels};

/// The policy and its binding.
pub(super) fn objects() -> [Value; 2] {
    let name = format!("{NAME}-spec-images");
    let metadata = json!({"name": name, "labels": labels()});
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": metadata,
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{
                "apiGroups": [RegistryCheck::group(&())],
                "apiVersions": [RegistryCheck::version(&())],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["registrychecks"],
            }]},
            "validations": [{
                "expression":
                    "!has(object.spec.images) || object.spec.images.size() == 0 || \
                     (oldObject != null && object.spec == oldObject.spec) || \
                     authorizer.group('').resource('pods').namespace(request.namespace)\
                     .check('create').allowed()",
                "message":
                    "spec.images is probed with the pull secrets of this namespace, which takes the \
                     right to create pods in it: ask for that right, or write the check without images",
                "reason": "Forbidden",
            }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata,
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    });
    [policy, binding]
}
