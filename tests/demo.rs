//! `make demo`: what an operator types and sees, on the real cluster of `tests/cluster`, and
//! how long it took.
#![expect(clippy::print_stdout, reason = "it is there to be read")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "it ends where it fails")]

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::future::join_all;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use registrycheck::api::{ConditionStatus, RegistryCheck};

#[expect(dead_code, reason = "the integration tests use the rest")]
mod ground;

use ground::{Namespace, client, eventually, ground, kubectl};

/// How many pods are timed.
const TIMED_PODS: usize = 20;

#[tokio::main]
async fn main() {
    step("Installing the controller from deploy/, as a pod on this cluster");
    ground::install(&[]);
    print!("{}", kubectl(&["get", "pods", "-n", "registrycheck", "-o", "wide"]));

    let client = client().await;
    let seen = Seen::default();
    let watching = tokio::spawn(watch(client, seen.clone()));

    step("Creating five pods that cannot pull, each for another reason, and one that can");
    let shop = Namespace::new("shop").await;
    let data = Namespace::new("data").await;
    let infra = Namespace::new("infra").await;
    data.secret("regcred", "basic.test", "not-the-password");
    infra.secret("regcred", "bearer.test", &ground().password("bearer.test"));
    shop.pod("missing-secret", "basic.test/shop/api:v1", &["regcred"]);
    data.pod("wrong-password", "basic.test/shop/api:v1", &["regcred"]);
    infra.pod("wrong-tag", "bearer.test/shop/api:v7", &["regcred"]);
    infra.pod("unknown-host", "missing.test/shop/api:v1", &[]);
    infra.pod("expired-certificate", "expired.test/shop/api:v1", &[]);
    infra.pod("good", "bearer.test/shop/api:v1", &["regcred"]);
    let failing = ConditionStatus::False;
    shop.ready("basic.test", failing, "PullSecretMissing").await;
    data.ready("basic.test", failing, "CredentialRejected").await;
    infra.ready("bearer.test", failing, "TagNotFound").await;
    infra.ready("missing.test", failing, "DnsNameNotFound").await;
    infra.ready("expired.test", failing, "TlsCertificateExpired").await;
    infra.running("good").await;

    for namespace in ["shop", "data", "infra"] {
        show(&["get", "pods", "-n", namespace]);
    }
    show(&["get", "registrychecks", "-A"]);
    show(&["describe", "registrycheck", "basic.test", "-n", "shop"]);
    show(&["events", "-n", "shop", "--for", "pod/missing-secret"]);

    step("Mending one: the secret that was missing is created");
    let mended = Instant::now();
    shop.secret("regcred", "basic.test", &ground().password("basic.test"));
    shop.ready("basic.test", ConditionStatus::True, "Pullable").await;
    println!("Ready=True after {:.1} s, without touching the pod", mended.elapsed().as_secs_f64());
    show(&["get", "registrychecks", "-n", "shop"]);
    show(&["events", "-n", "shop", "--for", "registrycheck/basic.test"]);
    shop.running("missing-secret").await;
    show(&["get", "pods", "-n", "shop"]);

    step("From the kubelet's first ErrImagePull to our status and Event");
    println!(
        "{TIMED_PODS} more pods, each in a namespace of its own; times as a third client sees both"
    );
    time_pods().await;
    seen.wait_for_all().await;
    seen.print();
    println!("\nThe controller's memory now: {}", memory());
    watching.abort();
}

fn step(what: &str) {
    println!("\n== {what}");
}

fn show(arguments: &[&str]) {
    println!("\n$ kubectl {}\n{}", arguments.join(" "), kubectl(arguments).trim_end());
}

/// The pods that are timed: all of them at once.
async fn time_pods() {
    let ways = [
        "basic.test/shop/api:v1",
        "missing.test/shop/api:v1",
        "expired.test/shop/api:v1",
        "anonymous.test/shop/api:v7",
    ];
    join_all((0..TIMED_PODS).map(|n| async move {
        let namespace = Namespace::new(&format!("timed-{n:02}")).await;
        namespace.pod("app", ways[n % ways.len()], &[]);
    }))
    .await;
}

/// What was seen of each failing pod, and when.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<(String, String), Times>>>);

#[derive(Clone, Copy, Default)]
struct Times {
    failed: Option<Instant>,
    status: Option<Instant>,
    event: Option<Instant>,
}

impl Times {
    fn to_status(self) -> Option<Duration> {
        Some(self.status?.saturating_duration_since(self.failed?))
    }

    fn to_event(self) -> Option<Duration> {
        Some(self.event?.saturating_duration_since(self.failed?))
    }
}

/// Watches pods, checks and Events as anybody may, and notes when it first saw each.
async fn watch(client: Client, seen: Seen) {
    let pods = objects::<Pod>(&client).for_each(|pod| {
        let waiting =
            pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        let mut reasons =
            waiting.filter_map(|status| status.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
        if reasons.any(|reason| reason == "ErrImagePull") {
            let metadata = pod.metadata;
            seen.note(metadata.namespace, metadata.name, |times| &mut times.failed);
        }
        std::future::ready(())
    });
    let checks = objects::<RegistryCheck>(&client).for_each(|check| {
        let fails =
            ground::ready(&check).is_some_and(|ready| ready.status == ConditionStatus::False);
        let findings = check.status.into_iter().flat_map(|status| status.findings);
        for pod in findings.flat_map(|finding| finding.pods).filter(|_| fails) {
            seen.note(check.metadata.namespace.clone(), Some(pod), |times| &mut times.status);
        }
        std::future::ready(())
    });
    let events = objects::<Event>(&client).for_each(|event| {
        let ours = event.reporting_component.as_deref() == Some("registrycheck.dev/registrycheck");
        let object = event.involved_object;
        if ours && object.kind.as_deref() == Some("Pod") {
            seen.note(object.namespace, object.name, |times| &mut times.event);
        }
        std::future::ready(())
    });
    tokio::join!(pods, checks, events);
}

fn objects<K>(client: &Client) -> impl futures::Stream<Item = K> + Send + use<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + Send + 'static,
    K: serde::de::DeserializeOwned,
{
    let watched = watcher(Api::<K>::all(client.clone()), watcher::Config::default());
    watched.applied_objects().filter_map(|object| std::future::ready(object.ok()))
}

impl Seen {
    fn note(
        &self,
        namespace: Option<String>,
        name: Option<String>,
        time: impl Fn(&mut Times) -> &mut Option<Instant>,
    ) {
        let key = (namespace.unwrap_or_default(), name.unwrap_or_default());
        let mut seen = self.0.lock().unwrap();
        time(seen.entry(key).or_default()).get_or_insert_with(Instant::now);
    }

    async fn wait_for_all(&self) {
        eventually("a status and an Event for each timed pod", || async {
            let seen = self.0.lock().unwrap();
            let timed = seen.iter().filter(|((namespace, _), _)| namespace.starts_with("timed-"));
            let done = timed
                .filter(|(_, times)| times.to_status().is_some() && times.to_event().is_some());
            (done.count() == TIMED_PODS).then_some(())
        })
        .await;
    }

    fn print(&self) {
        let seen = self.0.lock().unwrap();
        println!("{:<12} {:<22} {:>10} {:>10}", "NAMESPACE", "POD", "STATUS", "EVENT");
        for ((namespace, pod), times) in seen.iter() {
            if let (Some(status), Some(event)) = (times.to_status(), times.to_event()) {
                println!(
                    "{namespace:<12} {pod:<22} {:>7} ms {:>7} ms",
                    status.as_millis(),
                    event.as_millis()
                );
            }
        }
        let timed = seen.iter().filter(|((namespace, _), _)| namespace.starts_with("timed-"));
        let timed: Vec<&Times> = timed.map(|(_, times)| times).collect();
        for (what, of) in
            [("status", Times::to_status as fn(Times) -> _), ("Event", Times::to_event)]
        {
            let mut all: Vec<Duration> = timed.iter().filter_map(|times| of(**times)).collect();
            all.sort_unstable();
            let (Some(worst), median) = (all.last(), all.get(all.len() / 2)) else { continue };
            let median = median.map_or(0, Duration::as_millis);
            println!(
                "first ErrImagePull to {what}, {} pods: median {median} ms, worst {} ms",
                all.len(),
                worst.as_millis()
            );
        }
    }
}

/// The resident memory of the controller's process, which is visible in the ground.
fn memory() -> String {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let controller = processes.map(|entry| entry.path()).find(|path| {
        let command = fs::read(path.join("cmdline")).unwrap_or_default();
        command.starts_with(b"/usr/local/bin/registrycheck\0run\0")
    });
    let status = controller.map(|path| fs::read_to_string(path.join("status")).unwrap_or_default());
    let status = status.unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.map_or_else(|| "unknown".to_owned(), |line| line["VmRSS:".len()..].trim().to_owned())
}
