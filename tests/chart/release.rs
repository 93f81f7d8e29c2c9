//! One release, from its installation to its end.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use registrycheck::api::ConditionStatus;

use crate::ground::{Namespace, eventually, ground, kubectl, pod, try_kubectl};
use crate::helm::{chart, helm, try_helm};
use crate::{leftovers, said};

pub(crate) const NAME: &str = "registrycheck";
pub(crate) const ACCOUNT: &str = "system:serviceaccount:registrycheck:registrycheck";

/// The rights of an account in a namespace beyond those that everybody has.
pub(crate) fn rights(account: &str, namespace: &str) -> BTreeSet<String> {
    let listed = |account: &str| -> BTreeSet<String> {
        let list = kubectl(&["auth", "can-i", "--list", "--as", account, "-n", namespace]);
        let rows =
            list.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "));
        rows.collect()
    };
    let everybody = listed("system:serviceaccount:kube-system:default");
    listed(account).difference(&everybody).cloned().collect()
}

/// What the ground needs: its authority, and its token service that has a domain of its own.
pub(crate) fn of_ground() -> Vec<String> {
    let bundle = format!("trustedCertificates.bundle={}", ground().ca().display());
    vec!["--set-file".to_owned(), bundle, "--set".to_owned(), "tokenHosts={auth.test}".to_owned()]
}

/// Installs or upgrades a release `NAME` of a namespace, and waits until it is ready.
pub(crate) fn release(
    command: &str,
    name: &str,
    namespace: &str,
    chart: &str,
    values: &[&str],
) -> String {
    let ground = of_ground();
    let values = values.iter().flat_map(|value| ["--set", value]);
    let arguments: Vec<&str> =
        [command, name, chart, "-n", namespace, "--wait", "--timeout", "90s"]
            .into_iter()
            .chain(ground.iter().map(String::as_str))
            .chain(values)
            .collect();
    helm(&arguments)
}

/// There is no release before this one yet: the chart itself, packaged as an older version, stands
/// for it. From the second release on this is the last one's chart.
fn older_chart() -> PathBuf {
    let directory =
        std::env::temp_dir().join(format!("registrycheck-chart-{}", std::process::id()));
    let chart = chart();
    helm(&[
        "package",
        chart.to_str().unwrap(),
        "--version",
        "0.0.1",
        "-d",
        directory.to_str().unwrap(),
    ]);
    directory.join("registrycheck-0.0.1.tgz")
}

fn field(path: &str) -> String {
    kubectl(&["get", "deployment", NAME, "-n", NAME, "-o", &format!("jsonpath={{{path}}}")])
}

const ARGUMENTS: &str = ".spec.template.spec.containers[0].args";
const READY: &str = ".status.readyReplicas";

/// Installs, upgrades, rolls back, uninstalls and installs again.
pub(crate) async fn live() {
    let shop = Namespace::new("shop").await;
    kubectl(&["create", "namespace", NAME]);
    let restricted = "pod-security.kubernetes.io/enforce=restricted";
    kubectl(&["label", "namespace", NAME, restricted]);
    // Its account and its ConfigMap come by themselves.
    eventually("the namespace to be filled", || async {
        let made = kubectl(&["get", "serviceaccounts,configmaps", "-n", NAME, "-o", "name"]);
        (made.lines().count() == 2).then_some(())
    })
    .await;
    let before = leftovers::everything();
    let older = older_chart();
    let chart = chart();
    let chart = chart.to_str().unwrap();

    let begun = Instant::now();
    let notes = release("install", NAME, NAME, older.to_str().unwrap(), &[]);
    assert!(notes.contains("What this installation cannot decide"), "{notes}");
    assert_eq!(field(READY), "1");
    said(begun, "install (as version 0.0.1)", "the controller is ready");

    let begun = Instant::now();
    shop.pod("app", "anonymous.test/shop/api:v9", &[]);
    shop.ready("anonymous.test", ConditionStatus::False, "TagNotFound").await;
    said(begun, "a pod that cannot pull", "has its row, TagNotFound");

    let begun = Instant::now();
    check_rights();
    said(begun, "the account's rights", "secrets: get alone; no more than is used");

    let begun = Instant::now();
    check_people();
    said(begun, "the roles view, edit and admin", "read, write and write RegistryChecks");

    let begun = Instant::now();
    let (admitted, refusal) = try_kubectl(
        &["create", "--dry-run=server", "-n", "registrycheck-node-probe", "-f", "-"],
        &pod("node-probe-0", "anonymous.test/public/tool:v1", &[]).to_string(),
    );
    assert!(!admitted && refusal.contains("ValidatingAdmissionPolicy"), "{refusal}");
    said(begun, "another pod beside the node probe's", "is refused by the admission policy");

    let begun = Instant::now();
    let values = ["replicas=2", "podDisruptionBudget.enabled=true", "keepRecovered=30m"];
    release("upgrade", NAME, NAME, chart, &values);
    assert_eq!(field(READY), "2");
    assert!(field(ARGUMENTS).contains("--keep-recovered=30m"), "{}", field(ARGUMENTS));
    kubectl(&["get", "poddisruptionbudget", NAME, "-n", NAME]);
    shop.pod("late", "refused.test/shop/api:v1", &[]);
    shop.ready("refused.test", ConditionStatus::False, "ConnectionRefused").await;
    said(begun, "upgrade (2 replicas, a budget)", "both are ready, and another pod has its row");

    let begun = Instant::now();
    let (failed, _, errors) = try_helm(&["upgrade", NAME, chart, "-n", NAME, "--set", "replica=3"]);
    assert!(!failed && errors.contains("additional properties 'replica' not allowed"), "{errors}");
    said(
        begun,
        "upgrade with a misspelt value",
        "is refused: additional properties 'replica' not allowed",
    );

    let begun = Instant::now();
    helm(&["rollback", NAME, "1", "-n", NAME, "--wait", "--timeout", "90s"]);
    assert_eq!(field(READY), "1");
    assert!(!field(ARGUMENTS).contains("--keep-recovered"), "{}", field(ARGUMENTS));
    assert!(!try_kubectl(&["get", "poddisruptionbudget", NAME, "-n", NAME], "").0);
    shop.pod("later", "unavailable.test/shop/api:v1", &[]);
    shop.ready("unavailable.test", ConditionStatus::False, "RegistryUnavailable").await;
    said(begun, "rollback to the first", "one replica, and another pod has its row");

    let begun = Instant::now();
    helm(&["uninstall", NAME, "-n", NAME, "--wait", "--timeout", "90s"]);
    let kept = [
        "CustomResourceDefinition <none> registrychecks.registrycheck.dev",
        "APIService <none> v1alpha1.registrycheck.dev",
        "RegistryCheck shop ",
        "Pod shop ",
    ];
    let left = leftovers::are(&before, &kept).await;
    assert_eq!(left.iter().filter(|row| row.starts_with("RegistryCheck")).count(), 3);
    said(begun, "uninstall", "leaves the definition and its 3 RegistryChecks, and nothing else");

    let begun = Instant::now();
    release("install", NAME, NAME, chart, &["crds.keep=false"]);
    eventually("the rows to be kept up", || async {
        let rows = shop.checks().await;
        (rows.len() == 3).then_some(())
    })
    .await;
    said(begun, "install again, crds.keep=false", "takes the definition over, with its rows");

    let begun = Instant::now();
    helm(&["uninstall", NAME, "-n", NAME, "--wait", "--timeout", "90s"]);
    leftovers::are(&before, &["Pod shop "]).await;
    said(begun, "uninstall", "leaves nothing");
    kubectl(&["delete", "namespace", NAME, "shop"]);
    std::fs::remove_dir_all(older.parent().unwrap()).unwrap();
}

fn check_rights() {
    let anywhere = rights(ACCOUNT, "default");
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
    let at_home = rights(ACCOUNT, NAME);
    let more: Vec<_> = at_home.difference(&anywhere).collect();
    let lease = [
        "leases.coordination.k8s.io [] [] [create]",
        "leases.coordination.k8s.io [] [registrycheck] [get update]",
    ];
    assert_eq!(more, lease);
}

/// What the cluster's own roles may do with RegistryChecks.
fn check_people() {
    for role in ["view", "edit", "admin"] {
        kubectl(&[
            "create",
            "rolebinding",
            role,
            "-n",
            "shop",
            "--clusterrole",
            role,
            "--user",
            role,
        ]);
        for (verb, least) in [("list", "view"), ("create", "edit"), ("delete", "edit")] {
            let may = role != "view" || least == "view";
            let asked = [
                "auth",
                "can-i",
                verb,
                "registrychecks.registrycheck.dev",
                "-n",
                "shop",
                "--as",
                role,
            ];
            assert_eq!(try_kubectl(&asked, "").0, may, "{role} {verb}");
        }
        kubectl(&["delete", "rolebinding", role, "-n", "shop"]);
    }
}
