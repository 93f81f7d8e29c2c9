//! What a storm costs: many pods of many namespaces fail within a minute, for few causes. Requests at
//! the registries, writes at the API server, how long until every pod is counted, and memory, beside a plain
//! reflector of pods. It asserts nothing: the table is for whoever reads it.
#![expect(clippy::print_stdout, reason = "it is there to be read")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "it ends where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream;
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use kube::api::{ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use kube::{Api, Client, Config};
use registrycheck::api::{ConditionStatus, RegistryCheck};
use serde_json::{Value, json};

#[expect(dead_code, reason = "the end-to-end tests use the rest")]
#[path = "../end_to_end/apart.rs"]
mod apart;
#[expect(dead_code, reason = "the integration tests use the rest")]
#[path = "../ground.rs"]
mod ground;
#[path = "../played.rs"]
mod played;
#[path = "../process.rs"]
mod process;
mod registry;
#[path = "../served.rs"]
mod served;

use apart::{Apart, HOME, Running};
use ground::{fail_to_pull, pod, ready};
use process::memory;
use registry::{CAUSES, Count, REGISTRIES, host};

const NAMESPACES: usize = 100;
/// In how long the pods fail.
const STORM: Duration = Duration::from_secs(60);
/// How many requests to the API server are under way at once.
const AT_ONCE: usize = 32;
/// How long to wait until all is told.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["storm", pods] => storm(pods.parse().unwrap()).await,
        ["reflector", kubeconfig] => reflect(kubeconfig).await,
        _ => panic!("usage: storm PODS"),
    }
}

/// The reference: what kube's own documentation shows to keep all pods at hand.
async fn reflect(kubeconfig: &str) {
    let _other = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    let pods: Api<Pod> = Api::all(Client::try_from(config).unwrap());
    let (store, writer) = reflector::store();
    let watch = watcher(pods, watcher::Config::default()).default_backoff();
    let mut events = watch.reflect(writer).applied_objects().boxed();
    let reads = async { while events.next().await.is_some() {} };
    let says = async {
        store.wait_until_ready().await.unwrap();
        println!("ready");
    };
    tokio::join!(reads, says);
}

fn namespace(number: usize) -> String {
    format!("storm-{number}")
}

/// A pod of the storm: its namespace, its name, its image, and what the kubelet says of it.
struct Fails {
    namespace: String,
    name: String,
    image: String,
    words: String,
}

fn pods(count: usize) -> Vec<Fails> {
    let one = |number: usize| {
        let cause = number / NAMESPACES;
        let host = host(cause % REGISTRIES);
        let (repository, words) = CAUSES[cause / REGISTRIES % CAUSES.len()];
        let image = format!("{host}/{repository}/api:v1");
        Fails {
            namespace: namespace(number % NAMESPACES),
            name: format!("app-{number}"),
            words: words.replace("IMAGE", &image).replace("HOST", &host),
            image,
        }
    };
    (0..count).map(one).collect()
}

async fn storm(count: usize) {
    let _names = served::name((0..REGISTRIES).map(host));
    let (issuer, asked) = (played::registry_issuer(), Count::default());
    for place in 0..REGISTRIES {
        registry::open(place, &issuer, &asked).await;
    }
    let apart = Apart::start("storm", 6451, &[]).await;
    apart.open(HOME, &[]).await;
    let pods = pods(count);
    let begun = Instant::now();
    make(&apart, &pods).await;
    println!(
        "{count} pods in {NAMESPACES} namespaces made in {:.0} s",
        begun.elapsed().as_secs_f64()
    );

    let (controller, until_ready) = start_controller(&apart).await;
    let (reference, until_listed) = start_reflector(&apart);
    tokio::time::sleep(Duration::from_secs(5)).await;
    println!("\nat rest\n{:34} {:>14} {:>14}", "", "registrycheck", "kube reflector");
    let (ours, plain) = (megabytes(&controller.0, "VmRSS"), megabytes(&reference.0, "VmRSS"));
    row("until all pods are read, s", until_ready.as_secs_f64(), until_listed.as_secs_f64());
    row("resident memory, MB", ours, plain);
    let used = [processor(controller.0.id()), processor(reference.0.id())];

    let begun = Instant::now();
    let pause = STORM / u32::try_from(count).unwrap();
    stream::iter(pods.iter().enumerate())
        .for_each_concurrent(AT_ONCE, |(place, pod)| {
            let due = pause * u32::try_from(place).unwrap();
            let apart = &apart;
            async move {
                tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
                let pods = api(apart, &pod.namespace);
                fail_to_pull(&pods, &pod.name, &pod.image, &pod.words).await;
            }
        })
        .await;
    let ended = Instant::now();
    let checks = told(&apart, count).await;
    let (took, late) = (ended - begun, ended.elapsed());
    println!("\nthe storm: {count} pods failed within {:.0} s", took.as_secs_f64());
    println!("from the last failing pod until every one was counted: {:.2} s", late.as_secs_f64());
    println!("{:34} {:>14} {:>14}", "", "registrycheck", "kube reflector");
    let (ours, plain) = (megabytes(&controller.0, "VmHWM"), megabytes(&reference.0, "VmHWM"));
    row("memory at most, MB", ours, plain);
    let processor_of = |child: &Child, before: f64| processor(child.id()) - before;
    row("processor, s", processor_of(&controller.0, used[0]), processor_of(&reference.0, used[1]));
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    let statuses = checks.iter().filter_map(|check| check.status.as_ref());
    for finding in statuses.flat_map(|status| &status.findings) {
        *codes.entry(&finding.code).or_default() += 1;
    }
    println!("findings: {codes:?}");
    let (requests, probes) = asked.requests_and_probes();
    let different = pods.iter().map(|pod| &pod.image).collect::<BTreeSet<_>>().len();
    println!(
        "at the registries: {requests} requests of {probes} probes, of {different} images with one credential"
    );
    written(&apart);
}

/// Makes all namespaces, their secrets and their pods, of which none fails yet.
async fn make(apart: &Apart, pods: &[Fails]) {
    let auth = json!({"username": "alice", "password": "storm-canary-0815"});
    let auths: serde_json::Map<String, Value> =
        (0..REGISTRIES).map(|place| (host(place), auth.clone())).collect();
    let secret = json!({
        "type": "kubernetes.io/dockerconfigjson", "metadata": {"name": "regcred"},
        "stringData": {".dockerconfigjson": json!({"auths": auths}).to_string()},
    });
    for number in 0..NAMESPACES {
        let name = namespace(number);
        let namespaces: Api<Namespace> = Api::all(apart.client.clone());
        apart::create(&namespaces, json!({"metadata": {"name": name}})).await;
        apart.make_account(&name).await;
        let secrets: Api<Secret> = Api::namespaced(apart.client.clone(), &name);
        apart::create(&secrets, secret.clone()).await;
    }
    stream::iter(pods)
        .for_each_concurrent(AT_ONCE, |fails| async move {
            let object =
                serde_json::from_value(pod(&fails.name, &fails.image, &["regcred"])).unwrap();
            api(apart, &fails.namespace).create(&PostParams::default(), &object).await.unwrap();
        })
        .await;
}

fn api(apart: &Apart, namespace: &str) -> Api<Pod> {
    Api::namespaced(apart.client.clone(), namespace)
}

async fn start_controller(apart: &Apart) -> (Running, Duration) {
    let begun = Instant::now();
    let arguments = [&format!("--namespace={HOME}") as &str, "--listen=127.0.0.1:18096"];
    let running = apart.controller(&apart.kubeconfig, &arguments);
    while !leads_and_is_ready().await.unwrap_or_default() {
        assert!(begun.elapsed() < PATIENCE, "the controller is not ready");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (running, begun.elapsed())
}

async fn leads_and_is_ready() -> reqwest::Result<bool> {
    let get = |path: &str| reqwest::get(format!("http://127.0.0.1:18096{path}"));
    let metrics = get("/metrics").await?.text().await?;
    let leads = metrics.contains("\nregistrycheck_leader 1\n");
    Ok(leads && get("/readyz").await?.status().is_success())
}

fn start_reflector(apart: &Apart) -> (Running, Duration) {
    use std::io::BufRead as _;
    let begun = Instant::now();
    let file = ground::ground().logs().join("reflector.kubeconfig");
    std::fs::write(&file, serde_json::to_string(&apart.kubeconfig).unwrap()).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("reflector")
        .arg(&file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (Running(child), begun.elapsed())
}

/// Waits until the checks that say that something fails count every failing pod.
async fn told(apart: &Apart, count: usize) -> Vec<RegistryCheck> {
    let checks: Api<RegistryCheck> = Api::all(apart.client.clone());
    let begun = Instant::now();
    loop {
        let listed = checks.list(&ListParams::default()).await.unwrap().items;
        let affected: i64 = listed
            .iter()
            .filter(|check| {
                ready(check).is_some_and(|ready| ready.status == ConditionStatus::False)
            })
            .filter_map(|check| check.status.as_ref())
            .map(|status| status.affected_pods)
            .sum();
        if affected == i64::try_from(count).unwrap() {
            return listed;
        }
        if begun.elapsed() > PATIENCE {
            println!("NOT TOLD: {affected} of {count} pods in {} checks", listed.len());
            return listed;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What the controller wrote, as the API server's audit log has it.
fn written(apart: &Apart) {
    let mut each: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for event in apart.audited() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (verb, of) = (text(&event["verb"]), &event["objectRef"]);
        let resource = text(&of["resource"]);
        let is_write = ["create", "patch", "update", "delete"].contains(&verb.as_str());
        if !is_write || !["registrychecks", "events"].contains(&resource.as_str()) {
            continue;
        }
        let status = event["responseStatus"]["code"].as_u64().unwrap_or_default();
        let what = format!("{verb} {resource} {} {status}", text(&of["subresource"]));
        let place = match resource.as_str() {
            "events" => text(&of["namespace"]),
            _ => format!("{}/{}", text(&of["namespace"]), text(&of["name"])),
        };
        *each.entry(what).or_default().entry(place).or_default() += 1;
    }
    for (what, counts) in &each {
        let (all, most) = (counts.values().sum::<u64>(), counts.values().max().unwrap());
        println!("{what:40} {all:>7}, at most {most} of one object (Events: namespace)");
    }
}

/// A size of a process, in MB.
fn megabytes(child: &Child, what: &str) -> f64 {
    f64::from(u32::try_from(memory(child.id(), what)).unwrap()) * 1_024.0 / 1e6
}

/// Seconds of processor that a process has used (proc(5): utime and stime, of 1/100 s).
fn processor(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let after_name = stat.rsplit(") ").next().unwrap();
    after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>()
        / 100.0
}

fn row(what: &str, ours: f64, reference: f64) {
    println!("{what:34} {ours:>14.2} {reference:>14.2}   ratio {:.2}", ours / reference);
}
