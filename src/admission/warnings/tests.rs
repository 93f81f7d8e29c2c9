use serde_json::{Value, json};

use super::*;
use crate::target::SecretSource;

const IMAGE: &str = "r.test/shop/api:v1";

fn pods(images: &[&str]) -> Pods {
    Pods {
        namespace: "shop".to_owned(),
        images: images.iter().map(|image| (*image).to_owned()).collect(),
        secrets: SecretSource::Listed(vec!["regcred".to_owned()]),
    }
}

/// A check of `r.test` that fails for one cause, with these changes to that.
fn failing(changes: &Value) -> Arc<RegistryCheck> {
    let mut finding = json!({
        "code": "CredentialExpired", "severity": "Error", "confidence": "Certain", "owner": "Workload",
        "message": "The token in pull secret regcred expired 2 h ago.", "credential": "secret regcred",
        "firstSeen": "2026-11-26T12:34:56Z", "lastSeen": "2026-11-26T12:34:56Z", "episode": "e",
    });
    for (key, value) in changes.as_object().unwrap() {
        finding[key] = value.clone();
    }
    let ready = json!({
        "type": "Ready", "status": "False", "reason": "CredentialExpired", "message": "m",
        "lastTransitionTime": "2026-11-26T12:34:56Z",
    });
    let check = json!({
        "apiVersion": "registrycheck.dev/v1alpha1", "kind": "RegistryCheck",
        "metadata": {"name": "r.test", "namespace": "shop"},
        "spec": {"registry": "r.test"},
        "status": {"conditions": [ready], "findings": [finding]},
    });
    Arc::new(serde_json::from_value(check).unwrap())
}

#[track_caller]
fn check(images: &[&str], gaps: &[Gap], checks: &[Arc<RegistryCheck>], expected: &[&str]) {
    let secrets = ["regcred".to_owned()];
    assert_eq!(warnings(&pods(images), &secrets, gaps, checks), expected, "{images:?}");
}

#[test]
fn a_secret_that_is_missing_or_broken_is_told() {
    let secret = || "regcred".to_owned();
    let reason = || "its type is Opaque".to_owned();
    check(
        &[IMAGE],
        &[Gap::SecretMissing { secret: secret() }],
        &[],
        &["PullSecretMissing: pull secret regcred does not exist in namespace shop"],
    );
    check(
        &[IMAGE],
        &[Gap::SecretIgnored { secret: secret(), reason: reason() }],
        &[],
        &["PullSecretMalformed: the kubelet passes over pull secret regcred: its type is Opaque"],
    );
    // What cannot be read says nothing.
    check(&[IMAGE], &[Gap::SecretForbidden { secret: secret() }], &[], &[]);
}

#[test]
fn a_name_that_is_wrong_or_misspelt_is_told() {
    check(
        &["r.test/Shop/api:v1", "shop.azureacr.io/api:v1"],
        &[],
        &[],
        &[
            "InvalidImageReference: image \"r.test/Shop/api:v1\" has capital letters in \"Shop\", and a path has none; write r.test/shop/api:v1",
            "RegistryNameSuspicious: shop.azureacr.io, did you mean shop.azurecr.io",
        ],
    );
    check(&[IMAGE, "nginx", "localhost:5000/a"], &[], &[], &[]);
}

#[test]
fn what_a_check_says_of_the_image_is_told() {
    let expired = "CredentialExpired since 2026-11-26T12:34Z: The token in pull secret regcred expired 2 h ago.";
    check(&[IMAGE], &[], &[failing(&json!({}))], &[expired]);
    // Once, however many images and checks say it.
    check(&[IMAGE, "r.test/b:1"], &[], &[failing(&json!({})), failing(&json!({}))], &[expired]);
    for (changes, is_told) in [
        (json!({"credential": "secret regcred (key r.test)"}), true),
        (json!({"credential": "secret regcred (key r.test)", "code": "CredentialRejected"}), true),
        // What another secret met need not meet this one, though the image is the same.
        (json!({"credential": "secret another (key r.test)"}), false),
        (json!({"credential": "secret another (key r.test)", "images": [IMAGE]}), false),
        (json!({"code": "RateLimited", "credential": "secret another (key r.test)"}), false),
        (json!({"code": "RateLimited", "credential": "secret regcred (key r.test)"}), true),
        (
            json!({"code": "TagNotFound", "credential": "secret another (key r.test)", "images": [IMAGE]}),
            false,
        ),
        (
            json!({"code": "RepositoryNotAuthorized", "credential": "secret regcred (key r.test)", "images": [IMAGE]}),
            true,
        ),
        (
            json!({"code": "RepositoryNotAuthorized", "credential": "secret regcred (key r.test)", "images": ["r.test/b:1"]}),
            false,
        ),
        // Nor what others met who had none.
        (json!({"code": "NotFoundOrNotAuthorized", "credential": null, "images": [IMAGE]}), false),
        (json!({"code": "IdentityNotAssigned", "credential": null, "images": [IMAGE]}), false),
        (json!({"code": "NoCredentials", "credential": null, "images": [IMAGE]}), false),
        // The secrets and the name are looked at themselves: they may have changed since.
        (
            json!({"code": "PullSecretMissing", "credential": "secret regcred", "images": [IMAGE]}),
            false,
        ),
        (
            json!({"code": "PullSecretMalformed", "credential": "secret regcred", "images": [IMAGE]}),
            false,
        ),
        (json!({"code": "InvalidImageReference", "credential": null, "images": [IMAGE]}), false),
        (json!({"code": "NodeDiskFull", "credential": null, "images": [IMAGE]}), false),
        (json!({"code": "OfANewerVersion", "credential": null, "images": [IMAGE]}), false),
        (json!({"severity": "Warning"}), false),
        (json!({"code": "TagNotFound", "images": ["r.test/shop/api:v2"]}), false),
        (json!({"code": "TagNotFound", "credential": null, "images": [IMAGE]}), true),
        (json!({"code": "ConnectionRefused", "credential": null}), true),
        (json!({"code": "RateLimited", "credential": null}), true),
        (json!({"code": "PullNotAuthorized", "images": ["r.test/other:1"]}), false),
    ] {
        let found = warnings(&pods(&[IMAGE]), &["regcred".to_owned()], &[], &[failing(&changes)]);
        assert_eq!(!found.is_empty(), is_told, "{changes}: {found:?}");
    }
    check(&["other.test/a:1"], &[], &[failing(&json!({"code": "ConnectionRefused"}))], &[]);
}

/// Whoever names no secret is in the place of those who had none.
#[test]
fn what_is_found_without_a_secret_is_told_where_there_is_none() {
    for code in ["NoCredentials", "NotFoundOrNotAuthorized", "IdentityNotAssigned"] {
        for (image, is_told) in [(IMAGE, true), ("r.test/b:1", false)] {
            let changes = json!({"code": code, "credential": null, "images": [image]});
            let found = warnings(&pods(&[IMAGE]), &[], &[], &[failing(&changes)]);
            assert_eq!(!found.is_empty(), is_told, "{changes}: {found:?}");
        }
    }
}

#[test]
fn a_check_that_is_ready_says_nothing() {
    let mut check_of_it = Arc::unwrap_or_clone(failing(&json!({})));
    let status = check_of_it.status.as_mut().unwrap();
    status.conditions[0].status = ConditionStatus::Unknown;
    check(&[IMAGE], &[], &[Arc::new(check_of_it)], &[]);
}

#[test]
fn warnings_are_few_and_short() {
    let long = json!({"message": "word ".repeat(100)});
    let [warning] = &warnings(&pods(&[IMAGE]), &["regcred".to_owned()], &[], &[failing(&long)])[..]
    else {
        panic!()
    };
    assert!(warning.len() <= LONGEST && warning.ends_with("word …"), "{warning}");
    let images: Vec<String> = (0..20).map(|number| format!("r.test/A{number}:1")).collect();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    assert_eq!(warnings(&pods(&images), &[], &[], &[]).len(), MOST);
    assert_eq!(shortened(&"ü".repeat(200)), format!("{} …", "ü".repeat(126)));
}
