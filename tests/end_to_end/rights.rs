//! What the controller may do, and what gets out of it.

use std::collections::BTreeSet;
use std::fs;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use registrycheck::api::{ConditionStatus, RegistryCheck};
use registrycheck::{install, node};
use serde_json::json;

use super::apart::{Apart, create};
use super::installed;
use super::survival::controllers;
use crate::ground::{Namespace, USER, eventually, ground, kubectl, metrics, ready, try_kubectl};
use crate::leaks::forms;

const ACCOUNT: &str = "system:serviceaccount:registrycheck:registrycheck";

/// Every right of the account, beyond those that everybody has.
#[tokio::test(flavor = "multi_thread")]
async fn the_account_may_do_what_it_does_and_nothing_else() {
    installed();
    let listed = |account: &str, namespace: &str| -> BTreeSet<String> {
        let list = kubectl(&["auth", "can-i", "--list", "--as", account, "-n", namespace]);
        let rows =
            list.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "));
        rows.collect()
    };
    let everybody = listed("system:serviceaccount:default:default", "default");
    let anywhere: BTreeSet<String> =
        listed(ACCOUNT, "default").difference(&everybody).cloned().collect();
    let expected = [
        "events [] [] [list]",
        "events.events.k8s.io [] [] [create patch]",
        "nodes [] [] [get]",
        "pods [] [] [get list watch]",
        "registrychecks.registrycheck.dev [] [] [get list watch create delete]",
        "registrychecks.registrycheck.dev/status [] [] [patch]",
        "secrets [] [] [get]",
        "serviceaccounts [] [] [get]",
    ];
    assert_eq!(anywhere, expected.map(str::to_owned).into());
    let at_home: BTreeSet<String> =
        listed(ACCOUNT, install::NAME).difference(&everybody).cloned().collect();
    let more: Vec<&String> = at_home.difference(&anywhere).collect();
    assert_eq!(
        more,
        [
            "leases.coordination.k8s.io [] [] [create]",
            "leases.coordination.k8s.io [] [registrycheck] [get update]"
        ],
    );
    let at_the_probes: BTreeSet<String> =
        listed(ACCOUNT, node::NAMESPACE).difference(&everybody).cloned().collect();
    let more: Vec<&String> = at_the_probes.difference(&anywhere).collect();
    // Together with the right to watch pods everywhere.
    assert_eq!(more, ["pods [] [] [get list watch create delete]"]);
    for forbidden in
        [["list", "secrets"], ["watch", "secrets"], ["create", "pods"], ["list", "nodes"]]
    {
        let arguments = ["auth", "can-i", forbidden[0], forbidden[1], "-A", "--as", ACCOUNT];
        assert!(!try_kubectl(&arguments, "").0, "it must not {}", forbidden.join(" "));
    }
}

/// No password of the tests is in anything that the controller wrote, in any form in which
/// it could have been written.
#[tokio::test(flavor = "multi_thread")]
async fn no_password_gets_out() {
    installed();
    let namespace = Namespace::new("leaks").await;
    let right = ground().password("bearer.test");
    let wrong = "wrong-password-canary-4711";
    namespace.secret("right", "bearer.test", &right);
    namespace.secret("wrong", "basic.test", wrong);
    namespace.pod("hidden", "bearer.test/secret/plans:v1", &["right"]);
    namespace.pod("tag", "bearer.test/shop/api:none", &["right"]);
    namespace.pod("rejected", "basic.test/shop/api:v1", &["wrong"]);
    let broken = r#"{"auths": {"plain.test:5000": {"auth": "bm8tY29sb24tY2FuYXJ5"}}}"#;
    namespace.secret_of("broken", "kubernetes.io/dockerconfigjson", ".dockerconfigjson", broken);
    namespace.pod("broken", "plain.test:5000/shop/api:v1", &["broken"]);
    namespace.ready("basic.test", ConditionStatus::False, "CredentialRejected").await;
    for check in ["bearer.test", "plain.test"] {
        let wait = || async {
            let checks = namespace.checks().await;
            checks.into_iter().find(|found| {
                found.metadata.name.as_deref().unwrap().starts_with(check) && ready(found).is_some()
            })
        };
        eventually(check, wait).await;
    }
    let kinds = "registrychecks,events,events.v1.events.k8s.io,leases,pods,configmaps,deployments";
    let objects = kubectl(&["get", kinds, "-A", "-o", "json"]);
    // Another test kills the controller now and then: what it said before counts too.
    let everything =
        ["logs", "-n", install::NAME, "-l", "app.kubernetes.io/name=registrycheck", "--tail=-1"];
    let logs =
        kubectl(&everything) + &try_kubectl(&[&everything[..], &["--previous"]].concat(), "").1;
    let metrics = eventually("the metrics", || async {
        metrics().filter(|metrics| {
            metrics.contains("registrycheck_affected_pods{")
                && metrics
                    .contains("registrycheck_registry_requests_total{registry=\"bearer.test\"")
        })
    })
    .await;
    for (what, text, expected) in [
        ("objects", &objects, "RegistryCheck"),
        ("logs", &logs, "starting"),
        ("metrics", &metrics, "registrycheck_affected_pods"),
    ] {
        assert!(text.contains(expected), "the {what} are there to be searched: {text}");
        for canary in [right.as_str(), wrong, "no-colon-canary"] {
            for form in forms(canary) {
                assert!(!text.contains(&form), "{canary} is in the {what}");
            }
        }
    }
    // The registries did see the passwords' owner, so the probes were real.
    let log = fs::read_dir(ground().logs()).unwrap();
    assert!(log.count() > 5);
}

/// Nor is one in the log when everything is logged, nor the token for the API server.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_traced_is_a_secret() {
    let apart = Apart::start("traced", 6449, &[]).await;
    apart.make_account("default").await;
    let right = ground().password("basic.test");
    let wrong = "wrong-canary-2718";
    let secrets: Api<Secret> = Api::namespaced(apart.client.clone(), "default");
    let broken = r#"{"auths": {"expired.test": {"auth": "bm8tY29sb24tY2FuYXJ5"}}}"#.to_owned();
    let auths = |host: &str, password: &str| {
        json!({"auths": {host: {"username": USER, "password": password}}}).to_string()
    };
    for (name, document) in [
        ("right", auths("basic.test", &right)),
        ("wrong", auths("bearer.test", wrong)),
        ("broken", broken),
    ] {
        let secret = json!({
            "type": "kubernetes.io/dockerconfigjson", "metadata": {"name": name},
            "stringData": {".dockerconfigjson": document},
        });
        create(&secrets, secret).await;
    }
    let controller = ["--namespace=default", "--listen=127.0.0.1:0", "--token-host=auth.test"];
    let _controller = apart.traced_controller(&apart.kubeconfig, &controller);
    let cases = [
        ("basic.test/shop/api:none", "right", "TagNotFound"),
        ("bearer.test/shop/api:v1", "wrong", "CredentialRejected"),
        ("expired.test/shop/api:v1", "broken", "PullSecretMalformed"),
    ];
    for (image, secret, code) in cases {
        let words = "failed to pull and unpack image";
        apart.fail_with("default", secret, image, words, &[secret]).await;
        let checks: Api<RegistryCheck> = Api::namespaced(apart.client.clone(), "default");
        let name = image.split('/').next().unwrap();
        eventually(&format!("{name} to be {code}"), || async {
            let check = checks.get_opt(name).await.unwrap()?;
            (ready(&check)?.reason == code).then_some(())
        })
        .await;
    }
    let log = apart.log();
    assert!(log.contains("TRACE"), "nothing is traced");
    for secret in [right.as_str(), wrong, "no-colon-canary", "admin-token"] {
        for form in forms(secret) {
            let line = log.lines().find(|line| line.contains(&form));
            assert_eq!(line, None, "{secret} is in the log");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_holds_secrets_leaves_no_core_dump() {
    installed();
    // Another test kills the controller now and then.
    let limits = eventually("the controller to run", || async {
        let id = controllers().pop()?;
        fs::read_to_string(format!("/proc/{id}/limits")).ok()
    })
    .await;
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let words: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core}");
}
