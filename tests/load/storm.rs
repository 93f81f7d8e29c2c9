//! The storm: many pods of many namespaces fail within a minute, for few causes. Requests at the
//! registries, writes at the API server, how long until all is told, and memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{ListParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use registrycheck::api::{ConditionStatus, RegistryCheck};
use serde_json::{Value, json};

use crate::apart::{self, Apart, HOME};
use crate::contender::{Contender, Who};
use crate::figures::Figure;
use crate::ground::{fail_to_pull, pod, ready};
use crate::played::{self, Played};
use crate::registry::{self, CAUSES, Count, REGISTRIES, host};
use crate::{exact, served};

const NAMESPACES: usize = 100;
/// In how long the pods fail.
const STORM: Duration = Duration::from_secs(60);
/// How many requests to the API server are under way at once.
const AT_ONCE: usize = 48;
/// How long to wait until all is told.
const PATIENCE: Duration = Duration::from_secs(120);
/// The name of all their images.
const IMAGE: &str = "api";
/// How many pods fail one by one before the storm.
const ALONE: usize = 30;
/// How long after one of them the next one fails.
const APART: Duration = Duration::from_millis(400);

/// A pod of the storm: its namespace, its name, its image, and what the kubelet says of it.
pub(crate) struct Fails {
    namespace: String,
    name: String,
    image: String,
    words: String,
}

impl Fails {
    /// One of these at a place of the registries, in a repository that answers for a cause.
    pub(crate) fn new(number: usize, place: usize, cause: usize, name: &str) -> Self {
        let host = host(place);
        let (repository, words) = CAUSES[cause];
        let image = format!("{host}/{repository}/{name}:v1");
        Self {
            namespace: namespace(number % NAMESPACES),
            name: format!("app-{number}"),
            words: words.replace("IMAGE", &image).replace("HOST", &host),
            image,
        }
    }

    /// Has it fail, as a kubelet says it.
    async fn fail(&self, apart: &Apart) {
        let pods = api(apart, &self.namespace);
        fail_to_pull(&pods, &self.name, &self.image, &self.words).await;
    }
}

fn namespace(number: usize) -> String {
    format!("storm-{number}")
}

fn pods(count: usize) -> Vec<Fails> {
    let one = |number: usize| {
        let cause = number / NAMESPACES;
        Fails::new(number, cause % REGISTRIES, cause / REGISTRIES % CAUSES.len(), IMAGE)
    };
    (0..count).map(one).collect()
}

/// Pods of namespaces of their own.
fn pods_alone() -> Vec<Fails> {
    let one = |number: usize| Fails {
        namespace: namespace(NAMESPACES + number),
        ..Fails::new(number, number % REGISTRIES, 0, "alone")
    };
    (0..ALONE).map(one).collect()
}

/// When each image was first told of by a check, and how many pods each counts.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<BTreeMap<(String, String), Said>>>);

/// What a check said.
#[derive(Default)]
struct Said {
    affected: i64,
    images: BTreeMap<String, Instant>,
}

impl Told {
    /// Listens to all checks until the end.
    async fn listen(self, apart: &Apart) {
        let checks: Api<RegistryCheck> = Api::all(apart.client.clone());
        let watch = watcher(checks, watcher::Config::default()).default_backoff();
        let mut checks = watch.applied_objects().boxed();
        while let Some(check) = checks.next().await {
            if let Ok(check) = check {
                self.hear(&check);
            }
        }
    }

    fn hear(&self, check: &RegistryCheck) {
        let Some(status) = &check.status else { return };
        let fails = ready(check).is_some_and(|ready| ready.status == ConditionStatus::False);
        let metadata = &check.metadata;
        let key = (metadata.namespace.clone().unwrap(), check.spec.registry.clone());
        let mut all = self.0.lock().unwrap();
        let said = all.entry(key).or_default();
        said.affected = if fails { status.affected_pods } else { 0 };
        for image in status.findings.iter().flat_map(|finding| &finding.images) {
            said.images.entry(image.clone()).or_insert_with(Instant::now);
        }
    }

    /// Waits until so many failing pods are counted; whether they are.
    async fn count(&self, pods: usize) -> bool {
        let begun = Instant::now();
        let wanted = i64::try_from(pods).unwrap();
        loop {
            let counted: i64 = self.0.lock().unwrap().values().map(|said| said.affected).sum();
            if counted == wanted {
                return true;
            }
            if begun.elapsed() > PATIENCE {
                println!("NOT TOLD: {counted} of {pods} pods");
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Milliseconds from when an image failed first in a check until it told of it, in order: of the
    /// first image of each check, for a status has no room for the names of all.
    fn delays(&self, failed: &BTreeMap<(String, String), Instant>) -> Vec<f64> {
        let all = self.0.lock().unwrap();
        let mut first: BTreeMap<(&str, &str), (&Instant, &String)> = BTreeMap::new();
        for ((namespace, image), at) in failed {
            let key = (namespace.as_str(), image.split('/').next().unwrap());
            let first = first.entry(key).or_insert((at, image));
            *first = (*first).min((at, image));
        }
        let told = first.iter().filter_map(|((namespace, registry), (at, image))| {
            let said = all.get(&((*namespace).to_owned(), (*registry).to_owned()))?;
            Some(said.images.get(*image)?.saturating_duration_since(**at).as_secs_f64() * 1_000.0)
        });
        let mut told: Vec<f64> = told.collect();
        told.sort_by(f64::total_cmp);
        told
    }
}

/// Plays it with so many pods.
pub(crate) async fn storm(count: usize) {
    let part = format!("storm of {count} pods");
    let (_names, asked) = open_registries().await;
    let apart = Apart::start("storm", 6451, &[]).await;
    apart.open(HOME, &[]).await;
    let (pods, alone) = (pods(count), pods_alone());
    make(&apart, &pods).await;
    make(&apart, &alone).await;
    let ours = Contender::start(Who::Registrycheck, &apart, &[]).await;
    let others = [
        Contender::start(Who::Reflector, &apart, &[]).await,
        Contender::start(Who::Informer, &apart, &[]).await,
    ];
    tokio::time::sleep(Duration::from_secs(5)).await;
    let used = [&ours, &others[0], &others[1]].map(Contender::processor);

    let told = Told::default();
    let play = async {
        let failed_alone = one_by_one(&apart, &alone).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (part, delays) = ("failure to finding, at rest", told.delays(&failed_alone));
        say_delays(part, "a pod alone", &delays);
        let processor = (ours.processor() - used[0]) * 1_000.0 / exact(ALONE);
        let reference = Some(("the median", delays[delays.len() / 2]));
        let what = "processor of the controller, for each";
        Figure { part, what, unit: "ms", ours: processor, reference, most: None }.say();
        let begun = Instant::now();
        let before = asked.requests();
        let failed = within(&apart, &pods, STORM).await;
        let ended = Instant::now();
        let asked_for = (asked.probes_of(IMAGE), asked.requests() - before);
        let is_told = told.count(count + ALONE).await;
        (ended - begun, ended.elapsed(), is_told, failed, asked_for)
    };
    let (took, late, is_told, failed, (probes, requests)) = tokio::select! {
        played = play => played,
        () = told.clone().listen(&apart) => unreachable!("a watch does not end"),
    };
    println!("{count} pods failed within {:.0} s; all told: {is_told}", took.as_secs_f64());
    let figure = |what: &'static str, unit, ours, most| {
        Figure { part: &part, what, unit, ours, reference: None, most }.say();
    };
    let late = if is_told { late.as_secs_f64() } else { f64::INFINITY };
    figure("last failing pod to last right status", "s", late, Some(5.0));
    say_delays("failure to finding, storm", "the first image of a check", &told.delays(&failed));
    figure("memory at most", "MB", ours.megabytes("VmHWM"), Some(80.0));
    for (who, other, used_before) in
        [(Who::Reflector, &others[0], used[1]), (Who::Informer, &others[1], used[2])]
    {
        let compare = |what, unit, ours, value| {
            let reference = Some((who.name(), value));
            Figure { part: &part, what, unit, ours, reference, most: None }.say();
        };
        compare("memory at most", "MB", ours.megabytes("VmHWM"), other.megabytes("VmHWM"));
        compare("processor", "s", ours.processor() - used[0], other.processor() - used_before);
    }
    let images = pods.iter().map(|pod| &pod.image).collect::<BTreeSet<_>>().len();
    let what = "probes of images with one credential";
    figure(what, "probes", exact(probes), Some(exact(images)));
    figure("requests at the registries", "requests", exact(requests), None);
    written(&apart, &part);
    told_pods(&apart, pods.iter().chain(&alone), &part).await;
}

/// Opens all registries; their names, for as long as they are kept, and what they will be asked.
pub(crate) async fn open_registries() -> (Played, Count) {
    let names = served::name((0..REGISTRIES).map(host));
    let (issuer, asked) = (played::registry_issuer(), Count::default());
    for place in 0..REGISTRIES {
        registry::open(place, &issuer, &asked).await;
    }
    (names, asked)
}

async fn one_by_one(apart: &Apart, pods: &[Fails]) -> BTreeMap<(String, String), Instant> {
    let mut failed = BTreeMap::new();
    for pod in pods {
        pod.fail(apart).await;
        failed.insert((pod.namespace.clone(), pod.image.clone()), Instant::now());
        tokio::time::sleep(APART).await;
    }
    failed
}

/// Has pods fail, evenly within a time. Returns when each image failed first in its namespace.
pub(crate) async fn within(
    apart: &Apart,
    pods: &[Fails],
    time: Duration,
) -> BTreeMap<(String, String), Instant> {
    let begun = Instant::now();
    let pause = time / u32::try_from(pods.len()).unwrap();
    let failed = Mutex::new(BTreeMap::new());
    stream::iter(pods.iter().enumerate())
        .for_each_concurrent(AT_ONCE, |(place, pod)| {
            let (due, failed) = (pause * u32::try_from(place).unwrap(), &failed);
            async move {
                tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
                pod.fail(apart).await;
                let key = (pod.namespace.clone(), pod.image.clone());
                failed.lock().unwrap().entry(key).or_insert_with(Instant::now);
            }
        })
        .await;
    failed.into_inner().unwrap()
}

fn say_delays(part: &str, what: &str, delays: &[f64]) {
    let Some(last) = delays.len().checked_sub(1) else { return };
    let at = |share: usize| delays[last * share / 100];
    for (name, ours) in [("median", at(50)), ("99th percentile", at(99))] {
        let what = format!("{what}, {name} of {}", delays.len());
        Figure { part, what: &what, unit: "ms", ours, reference: None, most: None }.say();
    }
}

/// Makes all namespaces, their secrets and their pods, of which none fails yet.
pub(crate) async fn make(apart: &Apart, pods: &[Fails]) {
    let auth = json!({"username": "alice", "password": "storm-canary-0815"});
    let auths: serde_json::Map<String, Value> =
        (0..REGISTRIES).map(|place| (host(place), auth.clone())).collect();
    let secret = json!({
        "type": "kubernetes.io/dockerconfigjson", "metadata": {"name": "regcred"},
        "stringData": {".dockerconfigjson": json!({"auths": auths}).to_string()},
    });
    let names: BTreeSet<&String> = pods.iter().map(|pod| &pod.namespace).collect();
    for name in names {
        apart.make_namespace(name).await;
        let secrets: Api<Secret> = Api::namespaced(apart.client.clone(), name);
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

/// What the controller wrote of each check, as the API server's audit log has it.
fn written(apart: &Apart, part: &str) {
    let mut each: BTreeMap<&str, BTreeMap<String, u32>> = BTreeMap::new();
    let mut requests = 0_u32;
    for event in apart.audited() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (verb, of) = (text(&event["verb"]), &event["objectRef"]);
        let is_ours = text(&event["userAgent"]).starts_with("registrycheck");
        requests += u32::from(is_ours);
        let what = match (text(&of["resource"]).as_str(), verb.as_str(), text(&of["subresource"])) {
            ("registrychecks", "create", _) => "creates of a check, at most",
            ("registrychecks", "patch" | "update", sub) if sub == "status" => {
                "status writes of a check, at most"
            }
            _ => continue,
        };
        let name = format!("{}/{}", text(&of["namespace"]), text(&of["name"]));
        *each.entry(what).or_default().entry(name).or_default() += 1;
    }
    for (what, counts) in &each {
        let ours = f64::from(*counts.values().max().unwrap());
        let most = if what.starts_with("creates") { 1.0 } else { 4.0 };
        Figure { part, what, unit: "writes", ours, reference: None, most: Some(most) }.say();
        println!("{}: {} in all, of {} checks", what, counts.values().sum::<u32>(), counts.len());
    }
    let ours = f64::from(requests);
    let what = "requests to the API server";
    Figure { part, what, unit: "requests", ours, reference: None, most: None }.say();
}

/// On how many pods of a check there are Events.
async fn told_pods(apart: &Apart, pods: impl Iterator<Item = &Fails>, part: &str) {
    let hosts: BTreeMap<(&str, &str), &str> = pods
        .map(|pod| {
            ((&pod.namespace as &str, &pod.name as &str), pod.image.split('/').next().unwrap())
        })
        .collect();
    let events: Api<Event> = Api::all(apart.client.clone());
    let mut told: BTreeMap<(String, &str), BTreeSet<String>> = BTreeMap::new();
    for event in events.list(&ListParams::default()).await.unwrap().items {
        let Some(pod) = event.regarding.filter(|object| object.kind.as_deref() == Some("Pod"))
        else {
            continue;
        };
        let (namespace, name) = (pod.namespace.unwrap(), pod.name.unwrap());
        let host = hosts[&(namespace.as_str(), name.as_str())];
        told.entry((namespace, host)).or_default().insert(name);
    }
    let most = told.values().map(BTreeSet::len).max().unwrap_or_default();
    let ours = exact(most);
    let what = "pods of a check with Events, at most";
    Figure { part, what, unit: "pods", ours, reference: None, most: Some(20.0) }.say();
}
