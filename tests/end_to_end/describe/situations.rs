//! The situations that the texts of `kubectl describe` are written for.

use std::sync::Arc;

use registrycheck::complaint::Complaint;
use registrycheck::diagnose::{self, Subject};
use registrycheck::evidence::Evidence;
use registrycheck::image::ImageRef;
use registrycheck::report::Outcome;
use registrycheck::target::{PodRef, SecretSource, Target};
use serde_json::{Value, json};

use super::NAMESPACE;

/// A situation, and the name of its text.
pub(super) struct Situation {
    pub(super) name: &'static str,
    pub(super) registry: &'static str,
    /// What is found, probe after probe.
    pub(super) probes: Vec<Vec<Outcome>>,
}

impl Situation {
    fn new(name: &'static str, registry: &'static str, outcomes: Vec<Outcome>) -> Self {
        Self { name, registry, probes: vec![outcomes] }
    }
}

/// All of them.
pub(super) fn all() -> Vec<Situation> {
    vec![
        Situation::new("wrong-password", "registry.example.com", wrong_password()),
        Situation::new("secret-missing", "registry.example.com", secret_missing()),
        Situation::new("secret-for-another-host", "registry.example.com", another_host()),
        Situation::new("expired-certificate", "registry.example.com", expired_certificate()),
        Situation::new("firewall", "myreg.azurecr.io", firewall()),
        Situation::new("rate-limit", "docker.io", rate_limit()),
        Situation::new("tag-missing", "registry.example.com", tag_missing()),
        Situation::new("two-causes", "registry.example.com", two_causes()),
        Situation {
            name: "recovered",
            registry: "registry.example.com",
            probes: vec![tag_missing(), recovered()],
        },
        Situation::new("storm", "registry.example.com", storm()),
    ]
}

/// The longest that there can be. Nobody reads it as a text.
pub(super) fn worst() -> Situation {
    Situation::new("worst", "registry.example.com", long_names())
}

fn pods(workload: &str, n_pods: usize) -> Vec<PodRef> {
    let name = |n: usize| format!("{workload}-6d4cf56db6-{}", suffix(n));
    (0..n_pods)
        .map(|n| PodRef {
            name: name(n),
            uid: format!("{workload}-{n}"),
            workload: format!("replicaset/{workload}-6d4cf56db6"),
            node: String::new(),
        })
        .collect()
}

/// Five letters, as the names of pods have them.
fn suffix(n: usize) -> String {
    let letters = b"bcdfghjklm";
    let digit = |place: u32| char::from(letters[n / 10_usize.pow(place) % 10]);
    (0..5).rev().map(digit).collect()
}

/// What is made of an image's evidence, where the kubelet has failed in these words.
fn outcome(secrets: &[&str], pods: Vec<PodRef>, cause: &str, evidence: Value) -> Outcome {
    let evidence: Evidence = serde_json::from_value(evidence).unwrap();
    let complaint = Complaint::PullFailed { cause: cause.to_owned() };
    let complaint = (!pods.is_empty()).then_some(complaint);
    let subject =
        Subject { namespace: NAMESPACE, image: &evidence.image, complaint: complaint.as_ref() };
    let diagnosis = diagnose::diagnose(subject, &evidence);
    let target = Target {
        image: evidence.image.to_string(),
        secrets: SecretSource::Listed(secrets.iter().map(|&name| name.to_owned()).collect()),
        complaint,
        pods,
        fresh: false,
    };
    Outcome { target, diagnosis, evidence: Some(Arc::new(evidence)) }
}

/// Evidence of an image whose registry wants a token.
fn evidence(image: &str, attempts: &[Value]) -> Value {
    let image = ImageRef::parse(image).unwrap();
    json!({
        "image": image, "vantage": "Pod", "gaps": [], "attempts": attempts,
        "opening": {
            "credential": null,
            "steps": [
                passed("Dns", "10.1.2.4", 3_100),
                passed("Connect", "10.1.2.4:443", 900),
                passed("Tls", "issuer CN=Example CA, until 2027-03-01T00:00:00Z", 6_200),
                passed("Challenge", "401, Bearer", 4_000),
            ],
            "end": {"kind": "challenged", "scheme": "Bearer"},
        },
        "anonymous": null, "repository": null,
    })
}

fn passed(name: &str, detail: &str, micros: u64) -> Value {
    json!({"name": name, "passed": true, "detail": detail, "micros": micros})
}

fn failed(name: &str, detail: &str, micros: u64) -> Value {
    json!({"name": name, "passed": false, "detail": detail, "micros": micros})
}

fn pull_secret(secret: &str, key: &str) -> Value {
    json!({"kind": "pullSecret", "secret": secret, "key": key})
}

fn hop(role: &str, host: &str) -> Value {
    json!({"role": role, "host": host, "address": "10.1.2.4"})
}

fn answered(hop: &Value, step: &str, status: u16, code: &str, message: &str) -> Value {
    json!({
        "kind": "answered", "hop": hop, "step": step,
        "answer": {
            "status": status, "errors": [{"code": code, "message": message}], "body": null,
            "retryAfter": null,
            "correlation": "5c8e0c2e-6b0a-4a29-9f4e-0d4d7c1b2a3f",
        },
    })
}

/// What the token service says to a wrong password.
fn refused(credential: &Value) -> Value {
    let said = answered(
        &hop("TokenService", "auth.example.com"),
        "Token",
        401,
        "UNAUTHORIZED",
        "authentication required",
    );
    json!({
        "credential": credential,
        "steps": [failed("Token", "401 UNAUTHORIZED", 9_000)],
        "end": said,
    })
}

/// What the registry says to somebody who may pull, of an image that is not there.
fn not_there(credential: &Value) -> Value {
    let said = answered(
        &hop("Registry", "registry.example.com"),
        "Manifest",
        404,
        "MANIFEST_UNKNOWN",
        "manifest unknown",
    );
    json!({
        "credential": credential,
        "steps": [passed("Token", "", 9_000), failed("Manifest", "404 MANIFEST_UNKNOWN", 5_000)],
        "end": said,
    })
}

const REFUSED: &str =
    "failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized";

fn refused_image(image: &str, secret: &str, pods: Vec<PodRef>) -> Outcome {
    let credential = pull_secret(secret, "registry.example.com");
    let mut seen = evidence(image, &[refused(&credential)]);
    seen["anonymous"] = refused(&Value::Null);
    outcome(&[secret], pods, REFUSED, seen)
}

fn wrong_password() -> Vec<Outcome> {
    let image = |name: &str| format!("registry.example.com/shop/{name}:v1.4.2");
    vec![
        refused_image(&image("api"), "regcred", [pods("api", 20), pods("worker", 10)].concat()),
        refused_image(&image("web"), "regcred", [pods("web", 5), pods("cron", 2)].concat()),
    ]
}

fn secret_missing() -> Vec<Outcome> {
    let mut seen = evidence("registry.example.com/shop/api:v1.4.2", &[]);
    seen["gaps"] = json!([{"kind": "secretMissing", "secret": "regcred"}]);
    seen["anonymous"] = refused(&Value::Null);
    let cause =
        "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized";
    vec![outcome(&["regcred"], pods("api", 3), cause, seen)]
}

fn another_host() -> Vec<Outcome> {
    let mut seen = evidence("registry.example.com/shop/api:v1.4.2", &[]);
    seen["gaps"] = json!([
        {"kind": "entryNotMatching", "secret": "regcred", "key": "registry.example.com:443",
            "rule": {"rule": "port", "entry": "443", "image": ""}},
        {"kind": "entryNotMatching", "secret": "regcred", "key": "*.example.org",
            "rule": {"rule": "label", "entry": "org", "image": "com"}},
    ]);
    seen["anonymous"] = refused(&Value::Null);
    let cause =
        "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized";
    vec![outcome(&["regcred"], pods("api", 3), cause, seen)]
}

fn expired_certificate() -> Vec<Outcome> {
    let mut seen = evidence("registry.example.com/shop/api:v1.4.2", &[]);
    let said = "certificate Expired, issuer CN=Example CA, until 2026-11-23T23:59:59Z";
    seen["opening"] = json!({
        "credential": null,
        "steps": [
            passed("Dns", "10.1.2.4", 3_100),
            passed("Connect", "10.1.2.4:443", 900),
            failed("Tls", said, 6_200),
        ],
        "end": {
            "kind": "unreachable", "hop": hop("Registry", "registry.example.com"),
            "failure": {
                "kind": "certificate", "problem": "Expired",
                "seen": {
                    "subject": "CN=registry.example.com", "issuer": "CN=Example CA",
                    "notBefore": "2025-11-24T00:00:00Z", "notAfter": "2026-11-23T23:59:59Z",
                    "names": ["registry.example.com"],
                },
            },
        },
    });
    let cause = "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-11-25T03:10:00Z is after 2026-11-23T23:59:59Z";
    vec![outcome(&[], pods("api", 12), cause, seen)]
}

fn firewall() -> Vec<Outcome> {
    let mut seen = evidence("myreg.azurecr.io/shop/api:v1.4.2", &[]);
    let steps = seen["opening"]["steps"].as_array_mut().unwrap();
    steps.pop();
    steps.push(failed("Challenge", "403 DENIED", 4_000));
    seen["opening"]["end"] = answered(
        &hop("Registry", "myreg.azurecr.io"),
        "Challenge",
        403,
        "DENIED",
        "client with IP '20.82.1.17' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.",
    );
    vec![outcome(&[], pods("api", 12), "unexpected status: 403 Forbidden", seen)]
}

fn rate_limit() -> Vec<Outcome> {
    let mut seen = evidence("docker.io/library/nginx:1.27", &[]);
    let mut said = answered(
        &hop("Registry", "registry-1.docker.io"),
        "Manifest",
        429,
        "TOOMANYREQUESTS",
        "You have reached your unauthenticated pull rate limit.",
    );
    said["answer"]["retryAfter"] = json!(3_600);
    seen["anonymous"] = json!({
        "credential": null,
        "steps": [passed("Token", "", 30_000), failed("Manifest", "429 TOOMANYREQUESTS", 12_000)],
        "end": said,
    });
    vec![outcome(&[], pods("web", 4), "unexpected status: 429 Too Many Requests", seen)]
}

fn tag_missing() -> Vec<Outcome> {
    let credential = pull_secret("regcred", "registry.example.com");
    let mut seen = evidence("registry.example.com/shop/api:v1.4.3", &[not_there(&credential)]);
    seen["repository"] = json!({"kind": "exists"});
    let cause = "registry.example.com/shop/api:v1.4.3: not found";
    vec![outcome(&["regcred"], pods("api", 6), cause, seen)]
}

fn two_causes() -> Vec<Outcome> {
    let mut outcomes = tag_missing();
    let image = "registry.example.com/pay/ledger:2026.11";
    outcomes.push(refused_image(image, "pay-registry", pods("ledger", 4)));
    outcomes
}

fn recovered() -> Vec<Outcome> {
    let credential = pull_secret("regcred", "registry.example.com");
    let digest = format!("sha256:{}", "3f9a".repeat(16));
    let served = json!({
        "credential": credential,
        "steps": [
            passed("Token", "", 9_000),
            passed("Manifest", &digest, 5_000),
            passed("Platform", "linux/amd64", 5_000),
            passed("Config", "linux/amd64, 1471 bytes", 6_000),
            passed("Layer", "first of 2811478 bytes, 3 more", 9_000),
        ],
        "end": {"kind": "served", "digest": digest},
    });
    let seen = evidence("registry.example.com/shop/api:v1.4.3", &[served]);
    vec![outcome(
        &["regcred"],
        pods("api", 6),
        "registry.example.com/shop/api:v1.4.3: not found",
        seen,
    )]
}

/// 5,000 pods and 50 images: 30 behind one wrong password, 10 behind another, 10 without tag.
fn storm() -> Vec<Outcome> {
    let service = |n: usize| format!("service-{n:02}");
    let image = |n: usize| format!("registry.example.com/shop/{}:v1", service(n));
    (0..50)
        .map(|n| match n {
            0..30 => refused_image(&image(n), "regcred", pods(&service(n), 100)),
            30..40 => refused_image(&image(n), "pay-registry", pods(&service(n), 100)),
            _ => {
                let credential = pull_secret("robot", "registry.example.com");
                let mut seen = evidence(&image(n), &[not_there(&credential)]);
                seen["repository"] = json!({"kind": "exists"});
                outcome(&["robot"], pods(&service(n), 100), "not found", seen)
            }
        })
        .collect()
}

/// The same numbers, with names as long as Kubernetes takes them, and a secret for each.
fn long_names() -> Vec<Outcome> {
    let workload = |n: usize| format!("{}{n:02}", "w".repeat(230));
    let image =
        |n: usize| format!("registry.example.com/{}p:{}{n:02}", "p/".repeat(115), "t".repeat(126));
    let secret = |n: usize| format!("{}{n:02}", "s".repeat(251));
    (0..50)
        .map(|n| {
            let key = format!("registry.example.com/{}", "p/".repeat(115));
            let seen = evidence(&image(n), &[not_there(&pull_secret(&secret(n), &key))]);
            outcome(&[&secret(n)], pods(&workload(n), 100), &"long ".repeat(400), seen)
        })
        .collect()
}
