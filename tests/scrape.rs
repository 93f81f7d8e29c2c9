//! How long a scrape of the controller's metrics takes, beside one of as many plain gauges of the
//! library that writes both. It asserts nothing.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it ends where it fails, and prints a table"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::runtime::reflector;
use kube::runtime::watcher::Event;
use prometheus_client::encoding::text;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use registrycheck::api::RegistryCheck;
use registrycheck::server::{self, Telemetry};
use serde_json::json;
use tokio::net::TcpListener;

#[path = "figures.rs"]
mod figures;

use figures::Figure;

const CHECKS: usize = 2_000;
const NAMESPACES: usize = 100;
const SCRAPES: usize = 200;

fn check(number: usize) -> RegistryCheck {
    let (namespace, registry) =
        (format!("team-{}", number % NAMESPACES), format!("r{}.test", number / NAMESPACES));
    let check = json!({
        "apiVersion": "registrycheck.dev/v1alpha1", "kind": "RegistryCheck",
        "metadata": {"name": registry, "namespace": namespace},
        "spec": {"registry": registry, "interval": "10m"},
        "status": {
            "affectedPods": 5,
            "conditions": [{
                "type": "Ready", "status": "False", "reason": "TagNotFound", "message": "It is not there.",
                "lastTransitionTime": "2026-11-26T12:00:00Z",
            }],
            "lastProbeTime": "2026-11-26T12:00:00Z", "nextProbeTime": "2026-11-26T12:01:00Z",
        },
    });
    serde_json::from_value(check).unwrap()
}

#[tokio::main]
async fn main() {
    let _other = rustls::crypto::ring::default_provider().install_default();
    let (store, mut writer) = reflector::store();
    for number in 0..CHECKS {
        writer.apply_watcher_event(&Event::Apply(check(number)));
    }
    let telemetry = Arc::new(Telemetry::new());
    telemetry.leads(true);
    telemetry.reports_from(store);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap());
    tokio::spawn(server::serve(listener, telemetry));
    let client = reqwest::Client::new();
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    let mut body = String::new();
    let mut series = 0;
    for _ in 0..SCRAPES {
        let begun = Instant::now();
        body = client.get(&url).send().await.unwrap().text().await.unwrap();
        ours.push(begun.elapsed());
        series = body.lines().filter(|line| !line.starts_with('#')).count();
    }
    let registry = gauges(series);
    for _ in 0..SCRAPES {
        let begun = Instant::now();
        let mut body = String::new();
        text::encode(&mut body, &registry).unwrap();
        plain.push(begun.elapsed());
    }
    println!(
        "/metrics with {CHECKS} checks: {series} series, {} KiB, {SCRAPES} scrapes",
        body.len() / 1024
    );
    let (ours, plain) = (spread(ours), spread(plain));
    row("over HTTP, from the checks", ours);
    row("as many gauges of prometheus-client, in memory", plain);
    let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
    let reference = Some(("as many plain gauges", milliseconds(plain[0])));
    let (part, what) = (format!("/metrics of {CHECKS} checks"), "a scrape");
    Figure { part: &part, what, unit: "ms", ours: milliseconds(ours[0]), reference, most: None }
        .say();
}

fn gauges(series: usize) -> Registry {
    let family = Family::<Vec<(String, String)>, Gauge>::default();
    for number in 0..series {
        let label = |name: &str, value: String| (name.to_owned(), value);
        let labels = vec![
            label("namespace", format!("team-{}", number % NAMESPACES)),
            label("name", format!("r{number}.test")),
        ];
        family.get_or_create(&labels).set(1_764_158_400);
    }
    let mut registry = Registry::default();
    registry.register("registrycheck_plain_timestamp_seconds", "A gauge", family);
    registry
}

/// The median, the 99th percentile and the worst.
fn spread(mut times: Vec<Duration>) -> [Duration; 3] {
    times.sort();
    [times[times.len() / 2], times[times.len() * 99 / 100], times[times.len() - 1]]
}

fn row(what: &str, [median, high, worst]: [Duration; 3]) {
    let [median, high, worst] = [median, high, worst].map(|time| time.as_secs_f64() * 1_000.0);
    println!("{what:47} median {median:6.2} ms  p99 {high:6.2} ms  worst {worst:6.2} ms");
}
