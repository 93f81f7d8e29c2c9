use serde_json::{Value, json};

use super::*;

/// A check as this controller makes it, with the status that it wrote.
fn automatic() -> Value {
    json!({
        "apiVersion": "registrycheck.dev/v1alpha1",
        "kind": "RegistryCheck",
        "metadata": {
            "name": "r.test",
            "namespace": "shop",
            "creationTimestamp": "2026-01-02T00:00:00Z",
            "labels": {AUTOMATIC_LABEL: "true"},
            "managedFields": [
                manager(FIELD_MANAGER, "Update", &json!({
                    "f:metadata": {"f:labels": {".": {}, "f:registrycheck.dev/automatic": {}}},
                    "f:spec": {".": {}, "f:registry": {}},
                })),
                manager(FIELD_MANAGER, "Apply", &json!({"f:status": {"f:conditions": {}}})),
            ],
        },
        "spec": {"registry": "r.test"},
    })
}

fn manager(name: &str, operation: &str, fields: &Value) -> Value {
    json!({
        "manager": name,
        "operation": operation,
        "apiVersion": "registrycheck.dev/v1alpha1",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    })
}

fn parsed(check: Value) -> RegistryCheck {
    serde_json::from_value(check).unwrap()
}

/// A user-made check.
fn user_made(name: &str, created: &str) -> RegistryCheck {
    let mut check = automatic();
    check["metadata"]["labels"] = json!({});
    check["metadata"]["name"] = json!(name);
    check["metadata"]["creationTimestamp"] = json!(created);
    parsed(check)
}

/// Whether the automatic check is still one after another manager wrote these fields.
#[track_caller]
fn check(name: &str, fields: &Value, expected: bool) {
    let mut check = automatic();
    let managers = check["metadata"]["managedFields"].as_array_mut().unwrap();
    managers.push(manager(name, "Update", fields));
    assert_eq!(is_automatic(&parsed(check)), expected, "{name}");
}

/// Which of these checks the failing pods belong to, in whatever order they are listed.
#[track_caller]
fn check_owner(checks: &[&RegistryCheck], expected: Option<&str>) {
    let name = |check: &RegistryCheck| check.metadata.name.clone().unwrap();
    let forwards = owner(checks.iter().copied()).map(name);
    assert_eq!(forwards.as_deref(), expected);
    assert_eq!(owner(checks.iter().rev().copied()).map(name), forwards, "in another order");
}

#[test]
fn a_check_that_only_this_controller_wrote_is_automatic() {
    assert!(is_automatic(&parsed(automatic())));
}

#[test]
fn a_check_without_our_label_is_user_made() {
    assert!(!is_automatic(&user_made("r.test", "2026-01-01T00:00:00Z")));
    let mut unlabelled = automatic();
    unlabelled["metadata"]["labels"] = Value::Null;
    assert!(!is_automatic(&parsed(unlabelled)));
}

#[test]
fn a_hand_on_spec_or_labels_makes_a_check_user_made() {
    let spec = json!({"f:spec": {"f:interval": {}}});
    check("kubectl-client-side-apply", &spec, false);
    check("kubectl", &spec, false);
    check("kubectl-edit", &spec, false);
    check("argocd-controller", &spec, false);
    check("kubectl-label", &json!({"f:metadata": {"f:labels": {"f:team": {}}}}), false);
}

#[test]
fn annotations_and_status_leave_a_check_automatic() {
    let annotation =
        json!({"f:metadata": {"f:annotations": {"f:registrycheck.dev/requestedAt": {}}}});
    check("kubectl-annotate", &annotation, true);
    check("kubectl-edit", &json!({"f:status": {"f:affectedPods": {}}}), true);
    check("other-controller", &json!({"f:metadata": {"f:finalizers": {}}}), true);
    check("registrycheck-old", &json!({}), true);
}

#[test]
fn a_manager_without_fields_lays_no_hand_on_a_check() {
    let mut check = automatic();
    check["metadata"]["managedFields"] = json!([{"manager": "kubectl"}]);
    assert!(is_automatic(&parsed(check)));
}

#[test]
fn the_oldest_user_made_check_owns_the_pods() {
    let automatic = parsed(automatic());
    let early = user_made("zebra", "2026-01-03T00:00:00Z");
    let late = user_made("aardvark", "2026-01-04T00:00:00Z");
    check_owner(&[], None);
    check_owner(&[&automatic], Some("r.test"));
    check_owner(&[&automatic, &late], Some("aardvark"));
    check_owner(&[&automatic, &early, &late], Some("zebra"));
}

#[test]
fn of_two_checks_of_one_age_the_first_by_name_owns_the_pods() {
    let one = user_made("a", "2026-01-03T00:00:00Z");
    let two = user_made("b", "2026-01-03T00:00:00Z");
    check_owner(&[&two, &one], Some("a"));
}
