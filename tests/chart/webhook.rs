//! The webhook of a release: what is told at `kubectl apply`, and that nothing is lost by it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use registrycheck::api::ConditionStatus;
use serde_json::{Value, json};

use crate::ground::{Namespace, client, eventually, kubectl, pod, try_kubectl};
use crate::helm::{chart, helm};
use crate::release::{ACCOUNT, NAME, release, rights};
use crate::{leftovers, said};

const WEBHOOK: &str = "registrycheck-webhook";
/// How many creations are timed, and how many are made while the controller is killed.
const TIMED: usize = 1_000;

/// Installs with the one value, and tries all that could go wrong.
pub(crate) async fn live() {
    let shop = Namespace::new("warned").await;
    kubectl(&["create", "namespace", NAME]);
    eventually("the namespace to be filled", || async {
        let made = kubectl(&["get", "serviceaccounts,configmaps", "-n", NAME, "-o", "name"]);
        (made.lines().count() == 2).then_some(())
    })
    .await;
    let before = leftovers::everything();
    let chart = chart();
    let chart = chart.to_str().unwrap();

    let begun = Instant::now();
    release("install", NAME, NAME, chart, &["webhook.enabled=true", "crds.keep=false"]);
    warned("the first warning").await;
    said(begun, "install, webhook.enabled=true", "the API server asks, and trusts the certificate");

    let begun = Instant::now();
    tells(&shop).await;
    said(begun, "pods, Deployments, CronJobs", "are warned of, and a good pod is not");

    let begun = Instant::now();
    check_rights();
    said(begun, "the account's rights", "one Secret and one configuration more");

    let begun = Instant::now();
    keeps_what_others_write(chart).await;
    said(
        begun,
        "upgrade, rollback, AKS's selectors",
        "leave certificate, caBundle and selectors alone",
    );

    let begun = Instant::now();
    renews().await;
    said(begun, "a certificate that somebody breaks", "is made anew; no creation failed meanwhile");

    let begun = Instant::now();
    let (of_it, without) = latency().await;
    said(begun, "1,000 creations, and as many without", "by turns:");
    println!("{:51}with    {of_it}\n{:51}without {without}", "", "");

    let begun = Instant::now();
    let (made, slowest) = survives_kills().await;
    said(
        begun,
        "the controller killed and restarted",
        &format!("{made} creations, lost: 0, the slowest took {:.2} s", slowest.as_secs_f64()),
    );

    let begun = Instant::now();
    kubectl(&["scale", "deployment", NAME, "-n", NAME, "--replicas=0"]);
    kubectl(&[
        "wait",
        "--for=delete",
        "pod",
        "-n",
        NAME,
        "-l",
        "app.kubernetes.io/name=registrycheck",
    ]);
    let applied = Instant::now();
    let (taken, output) =
        try_kubectl(&["apply", "-f", "-"], &deployment("while-it-is-gone").to_string());
    assert!(taken && !output.contains("PullSecretMissing"), "{output}");
    let result = format!("kubectl apply works, in {:.2} s", applied.elapsed().as_secs_f64());
    said(begun, "the controller gone", &result);

    let begun = Instant::now();
    helm(&["uninstall", NAME, "-n", NAME, "--wait", "--timeout", "90s"]);
    let of_test =
        ["Pod warned ", "Deployment warned ", "ReplicaSet warned ", "ControllerRevision warned "];
    let of_test: Vec<&str> = of_test
        .into_iter()
        .filter(|start| {
            leftovers::everything().difference(&before).any(|row| row.starts_with(start))
        })
        .collect();
    leftovers::are(&before, &of_test).await;
    said(begun, "uninstall", "leaves nothing");
    kubectl(&["delete", "namespace", NAME, "warned"]);
}

/// What the API server says to an object that is not kept.
fn dry_run(object: &Value) -> String {
    let create = ["create", "--dry-run=server", "-n", "warned", "-f", "-"];
    let (taken, output) = try_kubectl(&create, &object.to_string());
    assert!(taken, "{output}");
    output
}

fn without_secret() -> Value {
    pod("no-secret", "basic.test/shop/api:v1", &["nowhere"])
}

fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "warned"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [{"name": "app", "image": "basic.test/shop/api:v1"}],
                    "imagePullSecrets": [{"name": "nowhere"}],
                },
            },
        },
    })
}

async fn warned(what: &str) {
    eventually(what, || async { dry_run(&without_secret()).contains("Warning: ").then_some(()) })
        .await;
}

async fn tells(shop: &Namespace) {
    let missing =
        "Warning: PullSecretMissing: pull secret nowhere does not exist in namespace warned";
    for object in [without_secret(), deployment("api")] {
        let output = dry_run(&object);
        assert!(output.contains(missing), "{output}");
    }
    let template = json!({"spec": {
        "containers": [{"name": "c", "image": "shop.azureacr.io/job:1"}], "restartPolicy": "Never",
    }});
    let cron = json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"},
        "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}},
    });
    let output = dry_run(&cron);
    let misspelt =
        "Warning: RegistryNameSuspicious: shop.azureacr.io, did you mean shop.azurecr.io";
    assert!(output.contains(misspelt), "{output}");

    // What a check of the namespace has found out.
    shop.pod("fails", "anonymous.test/shop/api:v9", &[]);
    shop.ready("anonymous.test", ConditionStatus::False, "TagNotFound").await;
    eventually("what the check says to be told", || async {
        let output = dry_run(&pod("another", "anonymous.test/shop/api:v9", &[]));
        output.contains("Warning: TagNotFound since ").then_some(())
    })
    .await;
    let output = dry_run(&pod("good", "anonymous.test/shop/api:v1", &[]));
    assert!(!output.contains("Warning"), "{output}");
}

fn check_rights() {
    let anywhere = rights(ACCOUNT, "default");
    let configuration = "validatingwebhookconfigurations.admissionregistration.k8s.io [] [registrycheck-webhook] [get patch]";
    assert!(anywhere.contains(configuration), "{anywhere:?}");
    let at_home = rights(ACCOUNT, NAME);
    let more: BTreeSet<&str> = at_home.difference(&anywhere).map(String::as_str).collect();
    assert_eq!(
        more,
        BTreeSet::from([
            "leases.coordination.k8s.io [] [] [create]",
            "leases.coordination.k8s.io [] [registrycheck] [get update]",
            "secrets [] [registrycheck-webhook] [get update]",
        ])
    );
}

fn of_configuration(path: &str) -> String {
    let path = format!("jsonpath={{.webhooks[0].{path}}}");
    kubectl(&["get", "validatingwebhookconfiguration", WEBHOOK, "-o", &path])
}

fn certificate() -> String {
    kubectl(&["get", "secret", WEBHOOK, "-n", NAME, "-o", r"jsonpath={.data.tls\.crt}"])
}

/// AKS's admissions enforcer writes selectors into every webhook.
async fn keeps_what_others_write(chart: &str) {
    let (bundle, shown) = (of_configuration("clientConfig.caBundle"), certificate());
    let selector = r#"[{"op": "add", "path": "/webhooks/0/namespaceSelector", "value":
        {"matchExpressions": [{"key": "control-plane", "operator": "DoesNotExist"}]}}]"#;
    kubectl(&[
        "patch",
        "validatingwebhookconfiguration",
        WEBHOOK,
        "--type=json",
        "--field-manager=admissionsenforcer",
        "-p",
        selector,
    ]);
    let values = ["webhook.enabled=true", "crds.keep=false", "keepRecovered=30m"];
    release("upgrade", NAME, NAME, chart, &values);
    helm(&["rollback", NAME, "1", "-n", NAME, "--wait", "--timeout", "90s"]);
    assert_eq!(of_configuration("namespaceSelector.matchExpressions[0].key"), "control-plane");
    assert_eq!(of_configuration("clientConfig.caBundle"), bundle);
    assert_eq!(certificate(), shown);
    warned("a warning after the rollback").await;
}

/// Whoever breaks the certificate does not break the webhook: what is shown stays until there is
/// another, and the authority before it stays trusted.
async fn renews() {
    let before = certificate();
    let bundle = of_configuration("clientConfig.caBundle");
    let broken = r#"{"data":{"tls.crt":"bm9uZQ=="}}"#;
    kubectl(&["patch", "secret", WEBHOOK, "-n", NAME, "--type=merge", "-p", broken]);
    eventually("another certificate", || async {
        assert!(
            dry_run(&without_secret()).contains("Warning"),
            "the API server is answered meanwhile"
        );
        let now = certificate();
        (now != before && now.len() > 100).then_some(())
    })
    .await;
    eventually("the new authority to be trusted", || async {
        (of_configuration("clientConfig.caBundle").len() > bundle.len()).then_some(())
    })
    .await;
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        assert!(
            dry_run(&without_secret()).contains("Warning"),
            "the API server is answered meanwhile"
        );
    }
}

/// How long creations take that are reviewed, and others that are not: those of `kube-system`.
async fn latency() -> (String, String) {
    let client = client().await;
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let (mut of_it, mut without) = (Vec::new(), Vec::new());
    for number in 0..TIMED {
        for (namespace, times) in [("warned", &mut of_it), ("kube-system", &mut without)] {
            let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
            let object = pod(&format!("timed-{number}"), "basic.test/shop/api:v1", &["nowhere"]);
            let object: Pod = serde_json::from_value(object).unwrap();
            let begun = Instant::now();
            api.create(&params, &object).await.unwrap();
            times.push(begun.elapsed());
        }
    }
    (spread(of_it), spread(without))
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1_000.0;
    format!(
        "median {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, worst {:.1} ms",
        at(50),
        at(90),
        at(99),
        at(100)
    )
}

/// Creates without a pause while the controller is killed again and again; each has to succeed.
async fn survives_kills() -> (usize, Duration) {
    let is_over = Arc::new(AtomicBool::new(false));
    let creates = tokio::task::spawn_blocking({
        let is_over = Arc::clone(&is_over);
        move || {
            let (mut made, mut slowest) = (0, Duration::ZERO);
            while !is_over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let object = deployment(&format!("lost-{made}")).to_string();
                let (taken, output) = try_kubectl(&["create", "-f", "-"], &object);
                assert!(taken, "creation {made}: {output}");
                slowest = slowest.max(begun.elapsed());
                made += 1;
            }
            (made, slowest)
        }
    });
    for _ in 0..5 {
        let of_it = ["delete", "pod", "-n", NAME, "-l", "app.kubernetes.io/name=registrycheck"];
        kubectl(&[&of_it[..], &["--grace-period=0", "--force", "--wait=false"]].concat());
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    kubectl(&["rollout", "status", "deployment", NAME, "-n", NAME, "--timeout=90s"]);
    warned("a warning after the kills").await;
    is_over.store(true, Ordering::Relaxed);
    let (made, slowest) = creates.await.unwrap();
    let kept = kubectl(&["get", "deployments", "-n", "warned", "-o", "name"]);
    assert_eq!(kept.lines().filter(|name| name.contains("lost-")).count(), made);
    (made, slowest)
}
