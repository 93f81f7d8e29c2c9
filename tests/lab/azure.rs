//! The lab of Azure: every case of `tests/azure/cases` through the real kubelet, whose
//! credential provider asks a stand-in for Azure, and through `registrycheck check` on the
//! same node. The kubelet is the judge.

mod answer;
mod case;
mod confinement;
mod judgement;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::ground::{apply, client, ground, kubectl};
use crate::seen::{Seen, Sight};
use crate::{chosen, make_namespaces, play, within_patience};
use answer::Answer;
use case::{AUDIENCE, Case};
use judgement::Judgement;

/// How many cases run at once: those that wait for a timeout are few.
const AT_ONCE: usize = 16;

/// Runs the cases whose name contains one of these parts, or all.
pub(crate) async fn run(wanted: &[String]) -> ExitCode {
    let begun = Instant::now();
    let cases = case::read_all();
    let hosts = stand_in(&cases);
    let cases = chosen(cases, |case| case.name.as_str(), wanted);
    if cases.is_empty() {
        println!("no case has such a name");
        return ExitCode::SUCCESS;
    }
    let azure = play("azure", "azure.json", &hosts);
    cases.iter().for_each(write_node);
    let client = client().await;
    let seen = Seen::default();
    let watching = tokio::spawn(seen.clone().watch_pods(client.clone()));
    permit_audience();
    make_namespaces(&client, &cases.iter().map(Case::namespace).collect::<Vec<_>>()).await;
    println!("{}", Judgement::HEADER);
    let judged = Mutex::new(BTreeMap::new());
    let run = async |case: &Case| {
        let judgement = run_case(case, &seen).await;
        println!("{judgement}");
        judged.lock().unwrap().insert(case.name.clone(), judgement);
    };
    let (alone, together): (Vec<&Case>, Vec<&Case>) =
        cases.iter().partition(|case| case.runs_alone());
    stream::iter(together).for_each_concurrent(AT_ONCE, &run).await;
    for case in alone {
        std::fs::write(node_directory("alone"), &case.name).unwrap();
        run(case).await;
        kubectl(&["delete", "pod", "--all", "--now", "-n", &case.namespace()]);
    }
    let judged = judged.into_inner().unwrap();
    let wrong = judgement::summarize(&cases, &judged);
    let escaped = confinement::report(&cases);
    watching.abort();
    drop(azure);
    println!("\n{} cases in {:.0} s", cases.len(), begun.elapsed().as_secs_f64());
    if wrong || escaped { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What the stand-in plays: the hosts of all cases, those that all cases share, and the
/// identities.
fn stand_in(cases: &[Case]) -> Value {
    let login = |name: &str| json!({"name": name, "azure": {"login": true}});
    let mut hosts = vec![
        json!({
            "name": "169.254.169.254", "address": "169.254.169.254", "port": 80,
            "transport": "plain", "azure": {"metadata": true},
        }),
        login("login.microsoftonline.com"),
        login("login.microsoftonline.us"),
        login("login.chinacloudapi.cn"),
    ];
    hosts.extend(cases.iter().flat_map(Case::hosts));
    let identities: Vec<Value> = cases.iter().flat_map(Case::identities).collect();
    json!({"hosts": hosts, "identities": identities})
}

/// Lets the kubelet get tokens of service accounts for Entra ID, as AKS does (KEP-4412: a
/// node needs this right since Kubernetes 1.33).
fn permit_audience() {
    let name = "lab-federation";
    apply(&[
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [{
                "apiGroups": [""], "resources": [AUDIENCE],
                "verbs": ["request-serviceaccounts-token-audience"],
            }],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"}],
        }),
    ]);
}

/// Where the credential provider looks for what the node of a registry has.
fn node_directory(registry: &str) -> PathBuf {
    ground().logs().parent().unwrap().join("azure").join(registry)
}

/// Writes what the node of a case has, for the credential provider and for us.
fn write_node(case: &Case) {
    let directory = node_directory(&case.registry_name());
    std::fs::create_dir_all(&directory).unwrap();
    for (name, content) in case.node_files() {
        std::fs::write(directory.join(name), content).unwrap();
    }
}

/// Runs one case until the kubelet and we have said what there is to say.
async fn run_case(case: &Case, seen: &Seen) -> Judgement {
    let objects = case.objects();
    tokio::task::spawn_blocking(move || apply(&objects)).await.unwrap();
    let namespace = case.namespace();
    let node = node_directory(&case.registry_name());
    let asking = Answer::ask(case, &node);
    let pulling = within_patience(|| is_settled(&seen.of(&namespace)));
    let (answer, ()) = tokio::join!(asking, pulling);
    judgement::judge(case, &seen.of(&namespace), answer)
}

/// Whether the kubelet has pulled, or has failed to.
fn is_settled(sight: &Sight) -> bool {
    sight.pulled || sight.failures > 0
}
