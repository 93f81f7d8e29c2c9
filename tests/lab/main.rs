//! `make lab`: every case of `tests/lab/cases` through the real kubelet and through the
//! installed controller, and whether the two agree; with `azure` as its first argument, those
//! of `tests/azure/cases` through `registrycheck check`; with `hostile`, a registry that means
//! harm through the installed controller.
#![expect(clippy::print_stdout, reason = "it is there to be read")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "it ends where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::ListParams;
use kube::{Api, Client};
use registrycheck::api::ConditionStatus;
use serde_json::{Value, json};

mod azure;
mod case;
#[expect(dead_code, reason = "the integration tests use the rest")]
#[path = "../ground.rs"]
mod ground;
mod hostile;
mod judgement;
#[path = "../played.rs"]
mod played;
#[path = "../process.rs"]
mod process;
mod requests;
mod seen;

use case::Case;
use ground::{apply, client, eventually, ground, kubectl};
use judgement::Judgement;
use played::play;
use seen::{Answer, Seen, Sight};

/// How many cases run at once. Most of them wait for the back-off.
const AT_ONCE: usize = 32;
/// How long a case may take: two attempts at a registry that drops packets, and the back-off.
const PATIENCE: Duration = Duration::from_secs(110);

#[tokio::main]
async fn main() -> ExitCode {
    let begun = Instant::now();
    let wanted: Vec<String> = env::args().skip(1).collect();
    if let Some((first, wanted)) = wanted.split_first()
        && first == "azure"
    {
        return azure::run(wanted).await;
    }
    if let Some((first, wanted)) = wanted.split_first()
        && first == "hostile"
    {
        return hostile::run(wanted).await;
    }
    let mut cases = case::read_all();
    let hosts: Vec<Value> = cases.iter().flat_map(Case::hosts).collect();
    cases = chosen(cases, |case| case.name.as_str(), &wanted);
    if cases.is_empty() {
        println!("no case has such a name");
        return ExitCode::SUCCESS;
    }
    let registries = play("misbehave", "misbehave.json", &json!(hosts));
    let digests = std::fs::read(ground().logs().join("misbehave.digests")).unwrap();
    let digests: BTreeMap<String, String> = serde_json::from_slice(&digests).unwrap();
    for case in &mut cases {
        case.name_digest(&digests);
    }
    give_node_credentials(&cases);
    ground::install(&["--keep-recovered=10m"]);
    let client = client().await;
    let seen = Seen::default();
    let watching = tokio::spawn(seen.clone().watch(client.clone()));
    make_namespaces(&client, &cases.iter().map(Case::namespace).collect::<Vec<_>>()).await;
    println!("{}", Judgement::HEADER);
    let run = |case| run(case, &client, &seen);
    stream::iter(&cases).for_each_concurrent(AT_ONCE, run).await;
    println!("\nAs it is now that all are through:");
    let judged =
        cases.iter().map(|case| (case, judgement::judge(case, &seen.of(&case.namespace()))));
    let judged: Vec<(&Case, Judgement)> = judged.collect();
    let wrong = judgement::summarize(&judged);
    let greedy = requests::compare(&cases);
    watching.abort();
    drop(registries);
    println!("\n{} cases in {:.0} s", cases.len(), begun.elapsed().as_secs_f64());
    if wrong || greedy { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// All cases, or those whose name contains one of these parts.
fn chosen<T>(cases: Vec<T>, name: impl Fn(&T) -> &str, wanted: &[String]) -> Vec<T> {
    let names: BTreeSet<&str> = cases.iter().map(&name).collect();
    assert_eq!(names.len(), cases.len(), "two cases have the same name");
    let is_wanted = |case: &T| {
        wanted.is_empty() || wanted.iter().any(|part| name(case).contains(part.as_str()))
    };
    cases.into_iter().filter(is_wanted).collect()
}

/// Writes the node's own credentials, which the kubelet reads at its first pull and then
/// remembers (kubernetes 1.35, pkg/credentialprovider/config.go).
fn give_node_credentials(cases: &[Case]) {
    let auths: BTreeMap<&String, &Value> =
        cases.iter().flat_map(|case| &case.node_credentials).collect();
    let file = ground().logs().parent().unwrap().join("kubelet/config.json");
    std::fs::write(file, json!({"auths": auths}).to_string()).unwrap();
}

async fn make_namespaces(client: &Client, names: &[String]) {
    let namespace = |name: &String| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    apply(&names.iter().map(namespace).collect::<Vec<_>>());
    let accounts: Api<ServiceAccount> = Api::all(client.clone());
    eventually("a service account in each namespace", || async {
        let all = accounts.list(&ListParams::default()).await.unwrap().items;
        let made = all.iter().filter_map(|account| account.metadata.namespace.as_deref());
        (made.filter(|name| name.starts_with("lab-")).count() == names.len()).then_some(())
    })
    .await;
}

/// Runs one case until the kubelet and the controller have said what they have to say.
async fn run(case: &Case, client: &Client, seen: &Seen) {
    let namespace = case.namespace();
    let objects = case.objects();
    tokio::task::spawn_blocking(move || apply(&objects)).await.unwrap();
    if case.is_held_back() {
        let later = case.later();
        let release = r#"[{"op": "remove", "path": "/spec/schedulingGates"}]"#;
        tokio::task::spawn_blocking(move || apply(&later)).await.unwrap();
        kubectl(&["patch", "pod", "app", "-n", &namespace, "--type=json", "-p", release]);
    }
    if let Some(container) = case.ephemeral() {
        let namespaced = ground::Namespace { name: namespace.clone(), client: client.clone() };
        namespaced.running("app").await;
        let patch = json!({"spec": {"ephemeralContainers": [container]}}).to_string();
        let arguments = ["patch", "pod", "app", "-n", &namespace, "--type=strategic"];
        kubectl(&[&arguments[..], &["--subresource=ephemeralcontainers", "-p", &patch]].concat());
    }
    within_patience(|| is_settled(case, &seen.of(&namespace))).await;
    if let Some(mend) = &case.mend {
        let secrets = case.mending();
        if mend.registry {
            let directory = ground().logs().parent().unwrap().join("mended");
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join(&case.name), "").unwrap();
        }
        if !secrets.is_empty() {
            tokio::task::spawn_blocking(move || apply(&secrets)).await.unwrap();
        }
        within_patience(|| is_well(&seen.of(&namespace))).await;
    }
    println!("{}", judgement::judge(case, &seen.of(&namespace)));
}

/// Waits until something has come true, or for as long as a case may take.
async fn within_patience(is_true: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_true() && begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether the image is pulled by now, and the controller says so.
fn is_well(sight: &Sight) -> bool {
    let is_ready = |answer: &Answer| answer.status == ConditionStatus::True;
    sight.pulled && sight.last.as_ref().is_some_and(is_ready)
}

/// Whether the kubelet has tried for a second time where it tries again, and the controller
/// has answered.
fn is_settled(case: &Case, sight: &Sight) -> bool {
    let tries_again = sight.reason == "ErrImagePull";
    let told = if case.mend.is_some() {
        sight.failures > 0
    } else if case.expect.pulls {
        sight.pulled
    } else {
        sight.pulled || sight.failures >= if tries_again { 2 } else { 1 }
    };
    told && sight.first.is_some()
}
