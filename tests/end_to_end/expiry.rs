//! Expiry: a pull secret whose token ends soon is told of before a pod fails, also of workloads
//! that have no pod at all.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use registrycheck::api::{ConditionStatus, Confidence, FindingStatus, RegistryCheck, Severity};
use serde_json::{Value, json};

use super::apart::{Apart, HOME, create, rules, rules_in_a_namespace};
use super::installed;
use crate::ground::{self, USER, eventually, kubectl, ready};
use crate::played::{self, Played};

const NAMESPACE: &str = "shop";
/// What no token may be known by afterwards.
const CANARY: &str = "signature-canary-4711";
const METRICS: &str = "http://127.0.0.1:18082/metrics";

/// A token that ends at that time.
fn token(end: Timestamp) -> String {
    let claims = json!({"aud": "basic.test", "exp": end.as_second()}).to_string();
    format!("eyJhbGciOiJIUzI1NiJ9.{}.{CANARY}", URL_SAFE_NO_PAD.encode(claims))
}

async fn secret(apart: &Apart, name: &str, registry: &str, end: Timestamp) {
    let auths = json!({"auths": {registry: {"username": USER, "password": token(end)}}});
    let secret = json!({
        "metadata": {"name": name}, "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": auths.to_string()},
    });
    create(&Api::<Secret>::namespaced(apart.client.clone(), NAMESPACE), secret).await;
}

fn template(image: &str, pod: Value) -> Value {
    let mut spec = pod;
    spec["containers"] = json!([{"name": "main", "image": image}]);
    json!({"metadata": {"labels": {"app": "any"}}, "spec": spec})
}

async fn metrics() -> String {
    let answer = reqwest::get(METRICS).await;
    match answer {
        Ok(answer) => answer.text().await.unwrap_or_default(),
        // It is not up yet.
        Err(_) => String::new(),
    }
}

fn series(namespace: &str, secret: &str, registry: &str) -> String {
    format!(
        "registrycheck_credential_expiry_timestamp_seconds{{namespace=\"{namespace}\",secret=\"{secret}\",registry=\"{registry}\"}}"
    )
}

/// The reasons of our Events about an object.
async fn told(apart: &Apart, kind: &str, name: &str) -> Vec<(String, String)> {
    let events: Api<Event> = Api::namespaced(apart.client.clone(), NAMESPACE);
    let events = events.list(&ListParams::default()).await.unwrap().items;
    let is_about = |event: &Event| {
        event.regarding.as_ref().is_some_and(|regarding| {
            regarding.kind.as_deref() == Some(kind) && regarding.name.as_deref() == Some(name)
        })
    };
    let about = events.into_iter().filter(is_about);
    let said = about.map(|event| {
        assert_eq!(event.type_.as_deref(), Some("Warning"), "{event:?}");
        (event.reason.unwrap_or_default(), event.note.unwrap_or_default())
    });
    said.collect()
}

async fn eventually_told(apart: &Apart, kind: &str, name: &str) -> String {
    let what = format!("{kind} {name} to be told");
    let said = || async {
        let told = told(apart, kind, name).await;
        told.into_iter().find(|(reason, _)| reason == "CredentialExpiring")
    };
    eventually(&what, said).await.1
}

/// The warning in a check that a credential ends.
async fn warning(apart: &Apart, check: &str, status: ConditionStatus) -> FindingStatus {
    let checks: Api<RegistryCheck> = Api::namespaced(apart.client.clone(), NAMESPACE);
    eventually(&format!("{check} to be {status:?} with a warning"), || async {
        let check = checks.get_opt(check).await.unwrap()?;
        let is_so = ready(&check)?.status == status;
        let mut findings = check.status?.findings.into_iter();
        let warning = findings.find(|finding| finding.code == "CredentialExpiring")?;
        is_so.then_some(warning)
    })
    .await
}

/// Workloads without a pod: a Deployment, a StatefulSet, and a CronJob with the secret of its
/// service account.
async fn make_workloads(apart: &Apart) {
    let client = || apart.client.clone();
    let accounts: Api<ServiceAccount> = Api::namespaced(client(), NAMESPACE);
    let robot = json!({"metadata": {"name": "robot"}, "imagePullSecrets": [{"name": "night"}]});
    create(&accounts, robot).await;
    let selector = json!({"matchLabels": {"app": "any"}});
    let pod = |secret: &str| json!({"imagePullSecrets": [{"name": secret}]});
    let deployments: Api<Deployment> = Api::namespaced(client(), NAMESPACE);
    let api = json!({
        "metadata": {"name": "api"},
        "spec": {
            "replicas": 0, "selector": selector,
            "template": template("basic.test/shop/api:v1", pod("regcred")),
        },
    });
    create(&deployments, api).await;
    let stateful_sets: Api<StatefulSet> = Api::namespaced(client(), NAMESPACE);
    let store = json!({
        "metadata": {"name": "store"},
        "spec": {
            "replicas": 0, "serviceName": "store", "selector": selector,
            "template": template("far.test/shop/store:v1", pod("far")),
        },
    });
    create(&stateful_sets, store).await;
    let cron_jobs: Api<CronJob> = Api::namespaced(client(), NAMESPACE);
    let mut of_robot = template("bearer.test/shop/web:v1", json!({"serviceAccountName": "robot"}));
    of_robot["spec"]["restartPolicy"] = json!("Never");
    let nightly = json!({
        "metadata": {"name": "nightly"},
        "spec": {
            "schedule": "0 3 * * *", "suspend": true,
            "jobTemplate": {"spec": {"template": of_robot}},
        },
    });
    create(&cron_jobs, nightly).await;
}

/// No token is in what was written, and secrets were read by name alone: that of the CronJob once
/// by each of two starts.
async fn check_what_got_out(apart: &Apart) {
    let events: Api<Event> = Api::namespaced(apart.client.clone(), NAMESPACE);
    let events = events.list(&ListParams::default()).await.unwrap();
    let checks: Api<RegistryCheck> = Api::namespaced(apart.client.clone(), NAMESPACE);
    let checks = checks.list(&ListParams::default()).await.unwrap();
    let written = serde_json::to_string(&json!([events, checks])).unwrap();
    let log = apart.log();
    assert!(log.contains("ends") && written.contains("CredentialExpiring"));
    for text in [&written, &log, &metrics().await] {
        assert!(!text.contains(CANARY), "{text}");
    }
    let requests = apart.requests();
    let of_secrets: Vec<_> =
        requests.iter().filter(|(_, request, _)| request.contains("/secrets")).collect();
    assert!(of_secrets.iter().all(|(_, request, _)| request.starts_with("get ")), "{of_secrets:?}");
    let reads = of_secrets.iter().filter(|(_, request, _)| request.ends_with("/night"));
    assert_eq!(reads.count(), 2, "one for each start: {of_secrets:?}");
    assert!(requests.iter().all(|(_, _, status)| *status != 403), "{requests:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_ends_is_told_of_before_a_pod_fails() {
    let apart = Apart::start("expiry", 6446, &[]).await;
    let mut rights = rules_in_a_namespace();
    let verbs = json!(["list", "watch"]);
    rights.push(json!({
        "apiGroups": ["apps"], "resources": ["deployments", "statefulsets", "daemonsets"],
        "verbs": verbs,
    }));
    rights.push(json!({"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": verbs}));
    apart.open(HOME, &rules("Role")).await;
    apart.open(NAMESPACE, &rights).await;

    #[expect(clippy::disallowed_methods, reason = "tokens end at the real time")]
    let now = Timestamp::now();
    let after = |days: i64| now + SignedDuration::from_hours(24 * days);
    secret(&apart, "regcred", "basic.test", after(2)).await;
    secret(&apart, "night", "bearer.test", after(3)).await;
    secret(&apart, "far", "far.test", after(30)).await;
    make_workloads(&apart).await;
    let client = || apart.client.clone();
    let checks: Api<RegistryCheck> = Api::namespaced(client(), NAMESPACE);
    let idle = json!({
        "apiVersion": "registrycheck.dev/v1alpha1", "kind": "RegistryCheck",
        "metadata": {"name": "idle"}, "spec": {"registry": "bearer.test"},
    });
    create(&checks, idle).await;

    let kubeconfig = apart.account().await;
    let arguments = [
        "--namespace=home",
        "--listen=127.0.0.1:18082",
        "--watch-namespace=shop",
        "--watch-workloads",
    ];
    let controller = apart.controller(&kubeconfig, &arguments);
    for (name, registry, days) in
        [("regcred", "basic.test", 2), ("night", "bearer.test", 3), ("far", "far.test", 30)]
    {
        let expected = format!("{} {}", series(NAMESPACE, name, registry), after(days).as_second());
        eventually(&expected, || async { metrics().await.contains(&expected).then_some(()) }).await;
    }
    let note = eventually_told(&apart, "Deployment", "api").await;
    assert!(note.starts_with("The token in pull secret regcred is valid until "), "{note}");
    assert!(note.contains("kubectl create secret docker-registry regcred -n shop"), "{note}");
    let note = eventually_told(&apart, "CronJob", "nightly").await;
    assert!(note.starts_with("The token in pull secret night is valid until "), "{note}");
    assert_eq!(told(&apart, "StatefulSet", "store").await, [], "30 days are far");
    let finding = warning(&apart, "idle", ConditionStatus::Unknown).await;
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(finding.credential.as_deref(), Some("secret night"));
    assert_eq!(finding.images, ["bearer.test/shop/web"]);
    eventually_told(&apart, "RegistryCheck", "idle").await;

    // Another start says nothing twice.
    drop(controller);
    let _controller = apart.controller(&kubeconfig, &arguments);
    let night = series(NAMESPACE, "night", "bearer.test");
    eventually("the series after a restart", || async {
        metrics().await.contains(&night).then_some(())
    })
    .await;
    // A check that reads the same secret stands beside the workload.
    let probed = json!({
        "apiVersion": "registrycheck.dev/v1alpha1", "kind": "RegistryCheck",
        "metadata": {"name": "probed"},
        "spec": {
            "registry": "basic.test", "images": ["basic.test/shop/api:v1"],
            "imagePullSecrets": [{"name": "regcred"}],
        },
    });
    create(&checks, probed).await;
    warning(&apart, "probed", ConditionStatus::False).await;
    for (kind, name) in [("Deployment", "api"), ("CronJob", "nightly"), ("RegistryCheck", "idle")] {
        assert_eq!(told(&apart, kind, name).await.len(), 1, "{kind} {name}");
    }

    // A series goes with the last that pulls with it, and with its secret.
    let now = DeleteParams::default();
    let stateful_sets: Api<StatefulSet> = Api::namespaced(client(), NAMESPACE);
    stateful_sets.delete("store", &now).await.unwrap();
    Api::<Secret>::namespaced(client(), NAMESPACE).delete("regcred", &now).await.unwrap();
    for gone in [series(NAMESPACE, "far", "far.test"), series(NAMESPACE, "regcred", "basic.test")] {
        let what = format!("{gone} to go");
        eventually(&what, || async {
            let metrics = metrics().await;
            (metrics.contains(&night) && !metrics.contains(&gone)).then_some(())
        })
        .await;
    }
    check_what_got_out(&apart).await;
}

/// A registry that takes this password alone, for as long as the test goes on.
fn play(host: &str, password: &str) -> Played {
    let auth = json!({"scheme": "basic", "users": {USER: password}});
    let host =
        json!({"name": host, "case": host, "auth": auth, "images": {"shop/api:v1": "image"}});
    played::play("misbehave", "expiry.json", &json!([host]))
}

/// What can be pulled stays ready beside the warning, and the installed controller's series goes
/// with the secret.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_pulled_stays_ready_beside_the_warning() {
    const HOST: &str = "ending.lab.test";
    installed();
    #[expect(clippy::disallowed_methods, reason = "tokens end at the real time")]
    let end = Timestamp::now() + SignedDuration::from_hours(48);
    let _registry = play(HOST, &token(end));
    let namespace = ground::Namespace::new("expiry").await;
    namespace.secret("regcred", HOST, &token(end));
    let image = format!("{HOST}/shop/api:v1");
    let spec =
        json!({"registry": HOST, "images": [image], "imagePullSecrets": [{"name": "regcred"}]});
    namespace.make_check(HOST, &spec);
    let check = namespace.ready(HOST, ConditionStatus::True, "Pullable").await;
    let findings = check.status.unwrap().findings;
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["CredentialExpiring", "Pullable"]);
    assert_eq!(findings[0].severity, Severity::Warning);
    assert_eq!(findings[0].confidence, Confidence::Certain);
    assert_eq!(findings[0].images, [image]);
    let events = namespace.events_of(HOST).await;
    let reasons: Vec<_> = events.iter().map(|event| event.reason.as_deref()).collect();
    assert_eq!(reasons, [Some("CredentialExpiring")]);
    let series = format!("{} {}", series("expiry", "regcred", HOST), end.as_second());
    let has_series = |expected: bool| {
        let series = &series;
        move || async move { (ground::metrics()?.contains(series) == expected).then_some(()) }
    };
    eventually(&series, has_series(true)).await;

    kubectl(&["delete", "secret", "regcred", "-n", "expiry"]);
    let asked = "registrycheck.dev/requestedAt=now";
    kubectl(&["annotate", "registrycheck", HOST, "-n", "expiry", asked]);
    let check = namespace.ready(HOST, ConditionStatus::False, "PullSecretMissing").await;
    let findings = check.status.unwrap().findings;
    assert!(findings.iter().all(|finding| finding.code != "CredentialExpiring"), "{findings:?}");
    eventually("the series to go", has_series(false)).await;
}
