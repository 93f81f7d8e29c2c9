//! End to end, on the real kubelet: the controller is installed from `deploy/` and runs as a
//! pod; pods fail; what it says of them is compared with the truth.
//!
//! Each test has a namespace of its own, and all run side by side.

use std::sync::OnceLock;

use futures::future::join_all;
use registrycheck::api::ConditionStatus;
use serde_json::json;

use crate::ground::{self, Namespace, container, eventually, ground, kubectl, pod, ready};

mod account_tokens;
mod admission;
mod apart;
mod check;
mod credentials;
mod crowd;
mod describe;
mod doctor;
mod events;
mod expiry;
mod image;
mod lifecycle;
mod namespaced;
mod node_probe;
mod paged;
mod pods;
mod remedies;
mod resource;
mod rights;
mod survival;

/// The controller, installed once for all tests. A check that nobody wrote is kept for 15 s
/// after its last pod, so that a test can see it go.
fn installed() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        ground::install(&[
            "--keep-recovered=15s",
            "--insecure-host=plain.test:5000",
            "--node-probe-allow-node-selector=true",
            "--token-for=account-tokens/robot",
            "--token-for=account-tokens/barred",
        ]);
    });
}

/// A way to fail, and what has to be said of it.
struct Case {
    /// The namespace.
    name: &'static str,
    image: &'static str,
    /// The server in the pull secret `regcred`, and whether its password is right; `None`
    /// where the pod names a secret that does not exist.
    secret: Option<(&'static str, bool)>,
    /// Whether the pod names the secret.
    named: bool,
    /// The check's name.
    check: &'static str,
    code: &'static str,
    /// What the message has to contain.
    says: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "secret-missing",
        image: "basic.test/shop/api:v1",
        secret: None,
        named: true,
        check: "basic.test",
        code: "PullSecretMissing",
        says: "regcred does not exist",
    },
    Case {
        name: "wrong-password",
        image: "basic.test/shop/api:v1",
        secret: Some(("basic.test", false)),
        named: true,
        check: "basic.test",
        code: "CredentialRejected",
        says: "pull secret regcred",
    },
    Case {
        name: "wrong-password-bearer",
        image: "bearer.test/shop/api:v1",
        secret: Some(("bearer.test", false)),
        named: true,
        check: "bearer.test",
        code: "CredentialRejected",
        says: "pull secret regcred",
    },
    Case {
        name: "other-host",
        image: "basic.test/shop/api:v1",
        secret: Some(("bearer.test", true)),
        named: true,
        check: "basic.test",
        code: "PullSecretHostMismatch",
        says: "bearer.test does not match",
    },
    Case {
        name: "other-port",
        image: "basic.test/shop/api:v1",
        secret: Some(("basic.test:443", true)),
        named: true,
        check: "basic.test",
        code: "PullSecretHostMismatch",
        says: "no default ports",
    },
    Case {
        name: "no-secret",
        image: "bearer.test/shop/api:v1",
        secret: None,
        named: false,
        check: "bearer.test",
        code: "NoCredentials",
        says: "no pull secret",
    },
    Case {
        name: "no-secret-basic",
        image: "basic.test/shop/api:v1",
        secret: None,
        named: false,
        check: "basic.test",
        code: "NoCredentials",
        says: "no pull secret",
    },
    Case {
        name: "wrong-tag",
        image: "basic.test/shop/api:v9",
        secret: Some(("basic.test", true)),
        named: true,
        check: "basic.test",
        code: "TagNotFound",
        says: "no tag v9",
    },
    Case {
        name: "wrong-tag-bearer",
        image: "bearer.test/shop/api:v9",
        secret: Some(("bearer.test", true)),
        named: true,
        check: "bearer.test",
        code: "TagNotFound",
        says: "no tag v9",
    },
    Case {
        name: "wrong-repository",
        image: "anonymous.test/shop/nothing:v1",
        secret: None,
        named: false,
        check: "anonymous.test",
        code: "RepositoryNotFound",
        says: "no repository shop/nothing",
    },
    Case {
        name: "hidden",
        image: "bearer.test/secret/plans:v1",
        secret: Some(("bearer.test", true)),
        named: true,
        check: "bearer.test",
        code: "PullNotAuthorized",
        says: "no right to pull secret/plans",
    },
    Case {
        name: "unknown-host",
        image: "missing.test/shop/api:v1",
        secret: None,
        named: false,
        check: "missing.test",
        code: "DnsNameNotFound",
        says: "missing.test does not exist",
    },
    Case {
        name: "refused",
        image: "refused.test/shop/api:v1",
        secret: None,
        named: false,
        check: "refused.test",
        code: "ConnectionRefused",
        says: "nothing accepts connections",
    },
    Case {
        name: "silent",
        image: "silent.test/shop/api:v1",
        secret: None,
        named: false,
        check: "silent.test",
        code: "ConnectionTimeout",
        says: "does not answer",
    },
    Case {
        name: "expired",
        image: "expired.test/shop/api:v1",
        secret: None,
        named: false,
        check: "expired.test",
        code: "TlsCertificateExpired",
        says: "expired at",
    },
    Case {
        name: "wrong-name",
        image: "wrongname.test/shop/api:v1",
        secret: None,
        named: false,
        check: "wrongname.test",
        code: "TlsNameMismatch",
        says: "not for wrongname.test",
    },
    Case {
        name: "untrusted",
        image: "untrusted.test/shop/api:v1",
        secret: None,
        named: false,
        check: "untrusted.test",
        code: "TlsCertificateUntrusted",
        says: "is not trusted",
    },
    Case {
        name: "plain-http",
        image: "plain.test:5001/shop/api:v1",
        secret: None,
        named: false,
        check: "plain.test-",
        code: "SchemeMismatch",
        says: "speaks HTTP",
    },
    Case {
        name: "unavailable",
        image: "unavailable.test/shop/api:v1",
        secret: None,
        named: false,
        check: "unavailable.test",
        code: "RegistryUnavailable",
        says: "status 503",
    },
    Case {
        name: "invalid-name",
        image: "Basic.test/Shop/API:v1",
        secret: None,
        named: false,
        check: "basic.test",
        code: "InvalidImageReference",
        says: "",
    },
    Case {
        name: "template",
        image: "basic.test/shop/{{image}}",
        secret: None,
        named: false,
        check: "basic.test",
        code: "InvalidImageReference",
        says: "",
    },
];

async fn fails_as_told(case: &Case) -> Result<(), String> {
    let namespace = Namespace::new(&format!("case-{}", case.name)).await;
    if let Some((server, right)) = case.secret {
        let password = if right {
            ground().password(server.trim_end_matches(":443"))
        } else {
            "wrong-canary".to_owned()
        };
        namespace.secret("regcred", server, &password);
    }
    let secrets: &[&str] = if case.named { &["regcred"] } else { &[] };
    namespace.pod("app", case.image, secrets);
    let check = eventually(&format!("{} to be {}", case.name, case.code), || async {
        let checks = namespace.checks().await;
        let check = checks
            .into_iter()
            .find(|check| check.metadata.name.as_deref().unwrap().starts_with(case.check))?;
        // The first answer counts: a wrong one that is put right later is wrong.
        let said = ready(&check)?.status == ConditionStatus::False;
        said.then_some(check)
    })
    .await;
    let ready = ready(&check).unwrap();
    let events = namespace.events_of("app").await;
    let event = events.iter().find(|event| event.reason.as_deref() == Some(case.code));
    let status = check.status.as_ref().unwrap();
    let right = ready.reason == case.code
        && ready.message.contains(case.says)
        && status.affected_pods == 1
        && event.is_some();
    let seen = format!(
        "{}: {} ({} pods, event {}) {}",
        case.name,
        ready.reason,
        status.affected_pods,
        event.is_some(),
        ready.message
    );
    if right { Ok(()) } else { Err(seen) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_is_called_by_its_name() {
    installed();
    let results = join_all(CASES.iter().map(fails_as_told)).await;
    let wrong: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_secret_stops_all_pulls_and_is_named() {
    installed();
    let namespace = Namespace::new("broken-secret").await;
    let kind = "kubernetes.io/dockerconfigjson";
    let broken = r#"{"auths": {"other.test": {"auth": "!broken-canary!"}}}"#;
    namespace.secret_of("regcred", kind, ".dockerconfigjson", broken);
    namespace.pod("app", "anonymous.test/shop/api:v1", &["regcred"]);
    let check =
        namespace.ready("anonymous.test", ConditionStatus::False, "PullSecretMalformed").await;
    let message = &ready(&check).unwrap().message;
    assert!(message.contains("pull secret regcred cannot be read"), "{message}");
    assert!(!message.contains("broken-canary"), "{message}");
}

/// What the kubelet refuses by itself is nothing to ask a registry about.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_kubelet_itself_asks_no_registry() {
    installed();
    let namespace = Namespace::new("local").await;
    let mut never = pod("never", "anonymous.test/never/pulled:v1", &[]);
    never["spec"]["containers"][0]["imagePullPolicy"] = json!("Never");
    namespace.create(never);
    let check = namespace.ready("anonymous.test", ConditionStatus::False, "ImageNeverPulled").await;
    assert!(check.status.unwrap().probes.is_empty());
    let log = std::fs::read_to_string(ground().logs().join("anonymous.test.log")).unwrap();
    assert!(log.contains("/v2/") && !log.contains("never/pulled"), "the registry was asked");
}

/// The API server takes such names and hosts, and no object can have them.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_no_object_can_have_stop_nothing() {
    installed();
    let namespace = Namespace::new("odd-names").await;
    namespace.pod("hub", "hub.docker.com/r/library/nginx", &[]);
    namespace.pod("underscore", "my_reg.test/shop/api:v1", &[]);
    namespace.pod("secret", "basic.test/shop/api:v1", &["../..", "my secret"]);
    let hub = namespace.ready("docker.io", ConditionStatus::False, "DnsNameNotFound").await;
    let missing = namespace.ready("basic.test", ConditionStatus::False, "PullSecretMissing").await;
    assert!(ready(&missing).unwrap().message.contains("pull secret ../.. does not exist"));
    eventually("both pods in the row of Docker Hub", || async {
        let check = namespace.check(hub.metadata.name.as_deref().unwrap()).await?;
        (check.status?.affected_pods == 2).then_some(())
    })
    .await;
}

/// Init containers, ephemeral containers of a running pod, and image volumes.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_container_counts() {
    installed();
    let namespace = Namespace::new("kinds").await;
    let mut init = pod("init", "anonymous.test/shop/api:v1", &[]);
    init["spec"]["initContainers"] = json!([container("setup", "refused.test/shop/api:v1")]);
    namespace.create(init);
    let mut volume = pod("volume", "anonymous.test/shop/api:v1", &[]);
    volume["spec"]["volumes"] =
        json!([{"name": "data", "image": {"reference": "missing.test/shop/data:v1"}}]);
    volume["spec"]["containers"][0]["volumeMounts"] =
        json!([{"name": "data", "mountPath": "/data"}]);
    namespace.create(volume);
    namespace.pod("host", "anonymous.test/shop/api:v1", &[]);
    namespace.running("host").await;
    let debugger = container("debugger", "unavailable.test/shop/api:v1");
    let patch = json!({"spec": {"ephemeralContainers": [debugger]}}).to_string();
    kubectl(&[
        "patch",
        "pod",
        "host",
        "-n",
        &namespace.name,
        "--subresource=ephemeralcontainers",
        "--type=strategic",
        "-p",
        &patch,
    ]);
    namespace.ready("refused.test", ConditionStatus::False, "ConnectionRefused").await;
    namespace.ready("missing.test", ConditionStatus::False, "DnsNameNotFound").await;
    let check =
        namespace.ready("unavailable.test", ConditionStatus::False, "RegistryUnavailable").await;
    assert_eq!(check.status.unwrap().affected_pods, 1);
    assert!(namespace.check("anonymous.test").await.is_none(), "nobody fails there");
}

/// What a hundred pods have in common is one row, and one finding.
#[tokio::test(flavor = "multi_thread")]
async fn one_cause_is_one_row_however_many_pods() {
    installed();
    let namespace = Namespace::new("many").await;
    for n in 0..25 {
        namespace.pod(&format!("app-{n:02}"), "unavailable.test/shop/api:v1", &[]);
    }
    let check = eventually("25 pods in one row", || async {
        let checks = namespace.checks().await;
        let check = checks.into_iter().next()?;
        (check.status.as_ref()?.affected_pods == 25).then_some(check)
    })
    .await;
    assert_eq!(namespace.checks().await.len(), 1);
    let status = check.status.unwrap();
    assert_eq!(status.findings.len(), 1);
    assert_eq!((status.findings[0].total_pods, status.findings[0].pods.len()), (25, 5));
    let mut told = 0;
    for n in 0..25 {
        told += namespace.events_of(&format!("app-{n:02}")).await.len();
    }
    assert_eq!(told, 20, "at most 20 pods of a check are told");
}
