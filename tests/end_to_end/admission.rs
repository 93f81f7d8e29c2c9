//! Warnings at `kubectl apply`, from the API server's own mouth.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use registrycheck::api::ConditionStatus;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use x509_parser::time::ASN1Time;

use super::installed;
use crate::chart::helm::{chart, helm, objects, with_values};
use crate::ground::{Namespace, apply, eventually, kubectl, pod, signal, try_kubectl};
use crate::warned::{self, RELEASE, VALUES, WARNED, WEBHOOK};

const PULLABLE: &str = "anonymous.test/public/tool:v1";
const CONFIGURATION: &str = "validatingwebhookconfiguration";

/// Applies an object without an effect; it has to be admitted. What kubectl says besides.
#[track_caller]
fn told(object: &Value) -> String {
    let apply = ["apply", "--dry-run=server", "-n", WARNED, "-f", "-"];
    let (admitted, output) = try_kubectl(&apply, &object.to_string());
    assert!(admitted, "{output}");
    let warnings = output.lines().filter(|line| line.starts_with("Warning: "));
    warnings.collect::<Vec<_>>().join("\n")
}

/// What makes pods like this one.
fn deployment(name: &str, image: &str, secrets: &[&str]) -> Value {
    let pod = pod(name, image, secrets);
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod["spec"]},
        },
    })
}

fn cron_job(name: &str, image: &str, secrets: &[&str]) -> Value {
    let mut spec = pod(name, image, secrets)["spec"].clone();
    spec["restartPolicy"] = json!("Never");
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name},
        "spec": {
            "schedule": "0 0 1 1 *", "suspend": true,
            "jobTemplate": {"spec": {"template": {"spec": spec}}},
        },
    })
}

fn bundle() -> Vec<u8> {
    let path = "jsonpath={.webhooks[0].clientConfig.caBundle}";
    STANDARD.decode(kubectl(&["get", CONFIGURATION, WEBHOOK, "-o", path])).unwrap()
}

fn secret(key: &str) -> Vec<u8> {
    let path = format!("jsonpath={{.data.{}}}", key.replace('.', "\\."));
    STANDARD.decode(kubectl(&["get", "secret", WEBHOOK, "-n", RELEASE, "-o", &path])).unwrap()
}

fn count(pem: &[u8]) -> usize {
    CertificateDer::pem_slice_iter(pem).flatten().count()
}

/// One story, since each part of it is about the same webhook.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_applies_what_cannot_be_pulled_is_warned_and_never_refused() {
    installed();
    let warned = Namespace::new(WARNED).await;
    Namespace::new(RELEASE).await;
    let chart = chart();
    let command = ["template", RELEASE, chart.to_str().unwrap(), "-n", RELEASE];
    warned::install(objects(&helm(&with_values(&command, VALUES))));
    may_do_what_it_does();

    let suspicious = pod("suspicious", "quey.io/shop/api:1", &[]);
    eventually("the webhook to be asked", || async {
        told(&suspicious)
            .contains("RegistryNameSuspicious: quey.io, did you mean quay.io")
            .then_some(())
    })
    .await;
    warns_of_secrets_and_names();
    warns_of_what_checks_say(&warned).await;
    leaves_the_selector_alone().await;
    renews_its_certificate(&suspicious).await;
    stops_nothing_when_it_is_gone(&suspicious).await;
}

fn may_do_what_it_does() {
    let account = format!("system:serviceaccount:{RELEASE}:{RELEASE}-registrycheck");
    let list = kubectl(&["auth", "can-i", "--list", "--as", &account, "-n", RELEASE]);
    let everybody = kubectl(&[
        "auth",
        "can-i",
        "--list",
        "--as",
        "system:serviceaccount:default:default",
        "-n",
        RELEASE,
    ]);
    let rows = |list: &str| -> Vec<String> {
        list.lines().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let everybody = rows(&everybody);
    let mut own: Vec<String> =
        rows(&list).into_iter().filter(|row| !everybody.contains(row)).collect();
    own.sort();
    let expected = [
        "leases.coordination.k8s.io [] [] [create]".to_owned(),
        "leases.coordination.k8s.io [] [registrycheck] [get update]".to_owned(),
        format!("secrets [] [{WEBHOOK}] [get update]"),
        format!(
            "validatingwebhookconfigurations.admissionregistration.k8s.io [] [{WEBHOOK}] [get patch]"
        ),
    ];
    assert_eq!(own, expected);
}

fn warns_of_secrets_and_names() {
    let missing = "Warning: PullSecretMissing: pull secret gone does not exist in namespace warned";
    for object in [
        pod("app", PULLABLE, &["gone"]),
        deployment("app", PULLABLE, &["gone"]),
        cron_job("app", PULLABLE, &["gone"]),
    ] {
        assert_eq!(told(&object), missing, "{}", object["kind"]);
    }
    for object in [
        pod("app", PULLABLE, &[]),
        deployment("app", PULLABLE, &[]),
        cron_job("app", PULLABLE, &[]),
    ] {
        assert_eq!(told(&object), "", "{}", object["kind"]);
    }
    let invalid = told(&deployment("app", "anonymous.test/Public/tool:v1", &[]));
    assert!(invalid.starts_with("Warning: InvalidImageReference: image "), "{invalid}");
    // Those of its account count for what lists none.
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": WARNED},
        "imagePullSecrets": [{"name": "gone"}],
    });
    apply(&[account]);
    let mut robot = deployment("app", PULLABLE, &[]);
    robot["spec"]["template"]["spec"]["serviceAccountName"] = json!("robot");
    assert_eq!(told(&robot), missing);
}

async fn warns_of_what_checks_say(warned: &Namespace) {
    let password = "wrong-password-canary-1147";
    warned.secret("regcred", "basic.test", password);
    assert_eq!(told(&deployment("web", "basic.test/shop/web:v1", &["regcred"])), "");
    warned.pod("failing", "basic.test/shop/api:v1", &["regcred"]);
    warned.ready("basic.test", ConditionStatus::False, "CredentialRejected").await;
    let again = deployment("web", "basic.test/shop/web:v1", &["regcred"]);
    let said = eventually("the check to be known", || async {
        Some(told(&again)).filter(|said| !said.is_empty())
    })
    .await;
    assert!(said.starts_with("Warning: CredentialRejected since 20"), "{said}");
    assert!(said.contains("pull secret regcred") && !said.contains(password), "{said}");
    // Another credential, and another registry, are none of its business.
    assert_eq!(told(&deployment("web", "basic.test/shop/web:v1", &[])), "");
    assert_eq!(told(&deployment("web", PULLABLE, &["regcred"])), "");
}

/// AKS adds to the selectors of webhooks, and would do so again and again.
async fn leaves_the_selector_alone() {
    let selector = || {
        kubectl(&["get", CONFIGURATION, WEBHOOK, "-o", "jsonpath={.webhooks[0].namespaceSelector}"])
    };
    let added = json!([
        {"op": "add", "path": "/webhooks/0/namespaceSelector", "value": {"matchExpressions":
            [{"key": "control-plane", "operator": "DoesNotExist"}]}},
        {"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"},
    ]);
    kubectl(&[
        "patch",
        CONFIGURATION,
        WEBHOOK,
        "--type=json",
        "--field-manager=admissionsenforcer",
        "-p",
        &added.to_string(),
    ]);
    let after = selector();
    assert!(after.contains("control-plane"), "{after}");
    eventually("the authority to be written again", || async {
        (count(&bundle()) == 1).then_some(())
    })
    .await;
    assert_eq!(selector(), after);
    let managers = kubectl(&["get", CONFIGURATION, WEBHOOK, "--show-managed-fields", "-o", "json"]);
    let managers: Value = serde_json::from_str(&managers).unwrap();
    let fields = managers["metadata"]["managedFields"].as_array().unwrap();
    let expected = json!({"f:webhooks": {r#"k:{"name":"warn.registrycheck.dev"}"#: {
        "f:clientConfig": {"f:caBundle": {}}}}});
    // Whoever wrote the bundle owns that, and nothing else.
    assert!(fields.iter().any(|field| field["fieldsV1"] == expected), "{fields:?}");
}

#[expect(clippy::disallowed_methods, reason = "a certificate that ends soon ends after now")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// A certificate with an hour to live, of a host, as an earlier start would have left it; it is
/// trusted beside what is trusted now.
fn ending(host: &str) -> Value {
    let end = now().as_second() + 3_600;
    let params = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = ASN1Time::from_timestamp(end).unwrap().to_datetime();
        params
    };
    let mut authority = params(&[]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = authority.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let certificate = params(&[host]).signed_by(&key, &issuer).unwrap().pem();
    let trusted = format!("{}{pem}", String::from_utf8(secret("ca.crt")).unwrap());
    json!({"stringData": {"tls.crt": certificate, "tls.key": key.serialize_pem(), "ca.crt": trusted}})
}

#[expect(clippy::print_stdout, reason = "how much was asked meanwhile is for whoever reads it")]
async fn renews_its_certificate(suspicious: &Value) {
    let first = secret("tls.crt");
    let patch = ending(&format!("{WEBHOOK}.{RELEASE}.svc")).to_string();
    kubectl(&["patch", "secret", WEBHOOK, "-n", RELEASE, "-p", &patch]);
    let replaced = secret("tls.crt");
    assert_ne!(first, replaced);
    // All the while each question is answered.
    let (mut asked, begun) = (0, Instant::now());
    let address =
        kubectl(&["get", "pods", "-n", RELEASE, "-o", "jsonpath={.items[0].status.podIP}"]);
    let host = format!("{WEBHOOK}.{RELEASE}.svc");
    loop {
        assert!(
            told(suspicious).contains("RegistryNameSuspicious"),
            "question {asked} was not answered"
        );
        asked += 1;
        let trusted = bundle();
        let is_renewed = secret("tls.crt") != replaced && count(&trusted) == 2;
        // Whoever trusts its own authority alone sees the new one.
        if is_renewed && shows(&host, &address, &secret("ca.crt")).await {
            assert_eq!(trusted, secret("ca.crt"));
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(90), "no other certificate is shown");
    }
    assert!(asked > 10, "{asked}");
    println!("renewed: {asked} questions asked meanwhile, all answered");
}

/// Whether what is shown at an address is signed by the first of these authorities.
async fn shows(host: &str, address: &str, authorities: &[u8]) -> bool {
    let first = reqwest::Certificate::from_pem_bundle(authorities).unwrap().remove(0);
    let address = format!("{address}:8443").parse().unwrap();
    let client =
        reqwest::Client::builder().no_proxy().resolve(host, address).tls_certs_only([first]);
    let asked = client.build().unwrap().post(format!("https://{host}/warn")).send().await;
    asked.is_ok_and(|answer| answer.status().as_u16() == 400)
}

#[expect(clippy::print_stdout, reason = "how slow is for whoever reads it: it is asserted nowhere")]
async fn stops_nothing_when_it_is_gone(suspicious: &Value) {
    let (mut applied, mut slowest) = (0, Duration::ZERO);
    let mut apply = |count: usize| {
        for _ in 0..count {
            let begun = Instant::now();
            // Another one each time: of what is there already nothing is asked.
            let mut object = deployment(&format!("app-{applied}"), PULLABLE, &["gone"]);
            applied += 1;
            object["metadata"]["namespace"] = json!(WARNED);
            crate::ground::apply(&[object]);
            slowest = slowest.max(begun.elapsed());
        }
    };
    // Killed, in the middle of it.
    let id = warned::process().await;
    signal("-9", id);
    apply(5);
    // Alive, and silent.
    let id = warned::process().await;
    eventually("the webhook to be asked again", || async {
        told(suspicious).contains("RegistryNameSuspicious").then_some(())
    })
    .await;
    signal("-STOP", id);
    apply(3);
    signal("-CONT", id);
    // Gone for good.
    let scale = |replicas: &str| {
        kubectl(&[
            "scale",
            "deployment",
            &format!("{RELEASE}-registrycheck"),
            "-n",
            RELEASE,
            replicas,
        ]);
    };
    scale("--replicas=0");
    apply(5);
    scale("--replicas=1");
    eventually("the webhook to be asked again", || async {
        told(suspicious).contains("RegistryNameSuspicious").then_some(())
    })
    .await;
    println!("gone: {applied} objects applied, the slowest in {slowest:.1?}");
}
