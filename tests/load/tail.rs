//! The long tail: many checks that go on, at an interval that is a fortieth of the usual one, so that
//! a day passes in 36 minutes.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::PostParams;
use registrycheck::api::RegistryCheck;
use serde_json::{Value, json};

use crate::apart::{Apart, HOME};
use crate::contender::{Contender, Who};
use crate::exact;
use crate::figures::Figure;
use crate::registry::{REGISTRIES, host};
use crate::storm::open_registries;

const CHECKS: usize = 2_000;
const NAMESPACES: usize = 100;
const INTERVAL: Duration = Duration::from_secs(15);
/// How long to wait until the API server takes so short an interval.
const PATIENCE: Duration = Duration::from_secs(30);
/// After how many intervals the checks have spread, and the first shared answers (90 s) are forgotten.
const SETTLED: u32 = 8;
/// How often the controller's size is read.
const LOOK: Duration = Duration::from_secs(5);

/// Lets so many intervals pass.
pub(crate) async fn tail(intervals: u32) {
    let part = format!("{CHECKS} checks, {intervals} intervals");
    let (_names, asked) = open_registries().await;
    let apart = Apart::start("tail", 6455, &[]).await;
    apart.open(HOME, &[]).await;
    allow_any_interval(&apart).await;
    make(&apart).await;
    let ours = Contender::start(Who::Registrycheck, &apart, &["--probes-per-second=1000"]).await;
    tokio::time::sleep(INTERVAL * SETTLED).await;
    let begun = Instant::now();
    let mut sizes = Vec::new();
    let sockets_before = ours.sockets();
    while begun.elapsed() < INTERVAL * intervals {
        sizes.push((begun.elapsed().as_secs_f64(), ours.megabytes("VmRSS")));
        tokio::time::sleep(LOOK).await;
    }
    let each = asked.probes_each_second(begun);
    let mean = each.iter().sum::<f64>() / exact(each.len());
    let worst = each.iter().copied().fold(0.0, f64::max);
    let figure = |what: &str, unit, ours, most| {
        Figure { part: &part, what, unit, ours, reference: None, most }.say();
    };
    let reference = Some(("the mean second", mean));
    let what = "probes in the worst second";
    Figure { part: &part, what, unit: "probes", ours: worst, reference, most: Some(2.0) }.say();
    let day = 144.0 * INTERVAL.as_secs_f64();
    figure("resident memory at the end", "MB", sizes[sizes.len() - 1].1, None);
    figure("its growth, for a day of such intervals", "MB", slope(&sizes) * day, None);
    figure("open sockets at the begin", "sockets", exact(sockets_before), None);
    figure("open sockets at the end", "sockets", exact(ours.sockets()), None);
}

/// Leaves out of the resource's schema that an interval is half a minute at least.
async fn allow_any_interval(apart: &Apart) {
    let definitions: Api<CustomResourceDefinition> = Api::all(apart.client.clone());
    let shipped = definitions.get("registrychecks.registrycheck.dev").await.unwrap();
    let shipped = serde_json::to_string(&shipped).unwrap();
    let lax = shipped.replace("duration('30s')", "duration('1s')");
    assert_ne!(lax, shipped);
    let lax: CustomResourceDefinition = serde_json::from_str(&lax).unwrap();
    definitions
        .replace(lax.metadata.name.as_deref().unwrap(), &PostParams::default(), &lax)
        .await
        .unwrap();
    let checks: Api<RegistryCheck> = Api::namespaced(apart.client.clone(), HOME);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let begun = Instant::now();
    while checks.create(&dry, &check("short", "a.test", &json!([]))).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the API server does not take the schema");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn check(name: &str, registry: &str, images: &Value) -> RegistryCheck {
    let interval = format!("{}s", INTERVAL.as_secs());
    let timeout = format!("{}s", INTERVAL.as_secs() * 2 / 3);
    serde_json::from_value(json!({
        "apiVersion": "registrycheck.dev/v1alpha1", "kind": "RegistryCheck", "metadata": {"name": name},
        "spec": {"registry": registry, "images": images, "interval": interval, "timeout": timeout},
    }))
    .unwrap()
}

async fn make(apart: &Apart) {
    for number in 0..NAMESPACES {
        apart.make_namespace(&format!("tail-{number}")).await;
    }
    stream::iter(0..CHECKS)
        .for_each_concurrent(16, |number| async move {
            let registry = host(number % REGISTRIES);
            let image = format!("{registry}/gone/api-{number}:v1");
            let check = check(&format!("check-{number}"), &registry, &json!([image]));
            let namespace = format!("tail-{}", number % NAMESPACES);
            let checks: Api<RegistryCheck> = Api::namespaced(apart.client.clone(), &namespace);
            checks.create(&PostParams::default(), &check).await.unwrap();
        })
        .await;
}

/// By how much the second of each pair grows for one of the first, as least squares have it.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = exact(points.len());
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let both: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    both / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}
