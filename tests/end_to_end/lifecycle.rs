//! What happens to a check over time: it comes, it is mended, it goes, somebody takes it over.

use registrycheck::api::{AUTOMATIC_LABEL, ConditionStatus, REQUESTED_AT};
use serde_json::{Value, json};

use super::installed;
use crate::ground::{Namespace, eventually, ground, kubectl, ready};

#[tokio::test(flavor = "multi_thread")]
async fn a_mended_secret_turns_the_check_ready_and_then_the_check_goes() {
    installed();
    let namespace = Namespace::new("mended").await;
    namespace.pod("app", "basic.test/shop/api:v1", &["regcred"]);
    let before = namespace.ready("basic.test", ConditionStatus::False, "PullSecretMissing").await;
    namespace.secret("regcred", "basic.test", &ground().password("basic.test"));
    let after = namespace.ready("basic.test", ConditionStatus::True, "Pullable").await;
    let times = [&before, &after].map(|check| ready(check).unwrap().last_transition_time);
    assert!(times[0] <= times[1]);
    assert_eq!(after.status.unwrap().affected_pods, 0);
    let said: Vec<(String, String)> = namespace
        .events_of("basic.test")
        .await
        .into_iter()
        .map(|event| (event.type_.unwrap(), event.reason.unwrap()))
        .collect();
    let expected = [("Warning", "PullSecretMissing"), ("Normal", "Pullable")];
    for (kind, reason) in expected {
        let times = said.iter().filter(|said| (said.0.as_str(), said.1.as_str()) == (kind, reason));
        assert_eq!(times.count(), 1, "{kind} {reason} in {said:?}");
    }
    namespace.running("app").await;
    eventually("the automatic check to go", || async {
        namespace.check("basic.test").await.is_none().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_last_pod_is_deleted_nothing_is_announced() {
    installed();
    let namespace = Namespace::new("deleted").await;
    namespace.pod("app", "refused.test/shop/api:v1", &[]);
    namespace.ready("refused.test", ConditionStatus::False, "ConnectionRefused").await;
    kubectl(&["delete", "pod", "app", "-n", &namespace.name]);
    let check = namespace.ready("refused.test", ConditionStatus::Unknown, "NoTargets").await;
    assert_eq!(check.status.unwrap().affected_pods, 0);
    let events = namespace.events_of("refused.test").await;
    assert_eq!(events.len(), 1, "only the failure was announced: {events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_takes_over_and_their_check_stays() {
    installed();
    let namespace = Namespace::new("takeover").await;
    namespace.pod("app", "refused.test/shop/api:v1", &[]);
    let automatic =
        namespace.ready("refused.test", ConditionStatus::False, "ConnectionRefused").await;
    assert!(automatic.metadata.labels.unwrap().contains_key(AUTOMATIC_LABEL));
    namespace.make_check("mine", &json!({"registry": "refused.test"}));
    let mine = namespace.ready("mine", ConditionStatus::False, "ConnectionRefused").await;
    assert_eq!(mine.status.unwrap().affected_pods, 1);
    eventually("the automatic check to go", || async {
        namespace.check("refused.test").await.is_none().then_some(())
    })
    .await;
    kubectl(&["delete", "pod", "app", "-n", &namespace.name]);
    namespace.ready("mine", ConditionStatus::Unknown, "NoTargets").await;
    // Longer than an automatic check would be kept.
    tokio::time::sleep(std::time::Duration::from_secs(20)).await;
    assert!(namespace.check("mine").await.is_some(), "a user's check is never deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_automatic_check_that_somebody_deleted_comes_back() {
    installed();
    let namespace = Namespace::new("comeback").await;
    namespace.pod("app", "refused.test/shop/api:v1", &[]);
    let first = namespace.ready("refused.test", ConditionStatus::False, "ConnectionRefused").await;
    kubectl(&["delete", "registrycheck", "refused.test", "-n", &namespace.name]);
    eventually("another check", || async {
        let second = namespace.check("refused.test").await?;
        let ready = ready(&second)?.status == ConditionStatus::False;
        (ready && second.metadata.uid != first.metadata.uid).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_the_spec_are_probed_without_any_pod_and_again_when_asked() {
    installed();
    let namespace = Namespace::new("images").await;
    namespace.secret("regcred", "bearer.test", &ground().password("bearer.test"));
    namespace.make_check(
        "bearer",
        &json!({
            "registry": "bearer.test",
            "images": ["bearer.test/shop/api:v1"],
            "imagePullSecrets": [{"name": "regcred"}],
        }),
    );
    let first = namespace.ready("bearer", ConditionStatus::True, "Pullable").await;
    // Answers are dated to the second.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    kubectl(&[
        "annotate",
        "registrycheck",
        "bearer",
        "-n",
        &namespace.name,
        &format!("{REQUESTED_AT}=now"),
    ]);
    let before = first.status.unwrap().last_probe_time.unwrap();
    eventually("the probe that was asked for", || async {
        let status = namespace.check("bearer").await?.status?;
        let handled = status.last_handled_reconcile_at.as_deref() == Some("now");
        (handled && status.last_probe_time? > before).then_some(())
    })
    .await;
    kubectl(&[
        "patch",
        "registrycheck",
        "bearer",
        "-n",
        &namespace.name,
        "--type=merge",
        "-p",
        r#"{"spec":{"images":["bearer.test/shop/api:v9"]}}"#,
    ]);
    namespace.ready("bearer", ConditionStatus::False, "TagNotFound").await;
    kubectl(&[
        "patch",
        "registrycheck",
        "bearer",
        "-n",
        &namespace.name,
        "--type=merge",
        "-p",
        r#"{"spec":{"suspend":true}}"#,
    ]);
    namespace.ready("bearer", ConditionStatus::Unknown, "Suspended").await;
}

/// The account's secrets are what a new pod would get; a change of the account is seen.
#[tokio::test(flavor = "multi_thread")]
async fn images_of_the_spec_use_the_secrets_of_the_account() {
    installed();
    let namespace = Namespace::new("account").await;
    namespace.secret("regcred", "basic.test", &ground().password("basic.test"));
    namespace.make_check(
        "basic",
        &json!({"registry": "basic.test", "images": ["basic.test/shop/api:v1"]}),
    );
    // Nobody fails, and the node may have a credential of its own.
    namespace.ready("basic", ConditionStatus::Unknown, "NoCredentials").await;
    kubectl(&[
        "patch",
        "serviceaccount",
        "default",
        "-n",
        &namespace.name,
        "-p",
        r#"{"imagePullSecrets":[{"name":"regcred"}]}"#,
    ]);
    namespace.ready("basic", ConditionStatus::True, "Pullable").await;
}

/// What makes a check laxer than the node is for the images of the spec alone, and what cannot
/// be done is said and not passed over.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_spec_allows_is_used_or_refused_with_a_reason() {
    installed();
    let namespace = Namespace::new("lax").await;
    let make = |name: &str, spec: Value| namespace.make_check(name, &spec);
    make(
        "node",
        json!({
            "registry": "anonymous.test", "images": ["anonymous.test/shop/api:v1"], "vantage": "Node",
            "nodeSelector": {"pool": "none"},
        }),
    );
    make(
        "plain",
        json!({
            "registry": "plain.test:5000", "images": ["plain.test:5000/shop/api:v1"], "insecure": true,
        }),
    );
    make(
        "refused",
        json!({
            "registry": "plain.test:5001", "images": ["plain.test:5001/shop/api:v1"], "insecure": true,
        }),
    );
    make(
        "certified",
        json!({
            "registry": "anonymous.test", "images": ["anonymous.test/shop/api:v1"],
            "certSecretRef": {"name": "authority"},
        }),
    );
    let unknown = ConditionStatus::Unknown;
    let node = namespace.ready("node", unknown, "ProbeSkipped").await;
    assert!(ready(&node).unwrap().message.contains("spec.vantage is Node"));
    let refused = namespace.ready("refused", unknown, "ProbeSkipped").await;
    assert!(refused.status.unwrap().findings[0].remedy.contains("--insecure-host plain.test:5001"));
    let plain = namespace.ready("plain", ConditionStatus::True, "Pullable").await;
    assert!(plain.status.unwrap().findings[0].message.contains("over plain HTTP"));
    namespace.ready("certified", unknown, "ProbeSkipped").await;
    let authority = std::fs::read_to_string(ground().ca()).unwrap();
    namespace.secret_of("authority", "Opaque", "ca.crt", &authority);
    let certified = namespace.ready("certified", ConditionStatus::True, "Pullable").await;
    assert!(certified.status.unwrap().findings[0].message.contains("trusting secret authority"));
}
