//! Many images: each pod wants one of its own, of one registry. How often the registry is asked, what
//! the checks say of what waits for its turn, and when each has had it.

use std::time::{Duration, Instant};

use kube::Api;
use kube::api::ListParams;
use registrycheck::api::RegistryCheck;

use crate::apart::{Apart, HOME};
use crate::contender::{Contender, Who};
use crate::exact;
use crate::figures::Figure;
use crate::played::Played;
use crate::registry::Count;
use crate::storm::{Fails, make, open_registries, within};

/// In how long the pods fail.
const STORM: Duration = Duration::from_secs(60);
/// How long after that what was asked is counted.
const AFTER: Duration = Duration::from_secs(60);
/// How many probes of one registry begin in a second, as `--help` says.
const RATE: f64 = 10.0;

/// In how long as many pods fail as can be waited for.
const FEW: Duration = Duration::from_secs(10);

/// A registry, an API server, and so many pods that want an image each and do not fail yet.
async fn stage(name: &'static str, port: u16, count: usize) -> (Played, Count, Apart, Vec<Fails>) {
    let (names, asked) = open_registries().await;
    let apart = Apart::start(name, port, &[]).await;
    apart.open(HOME, &[]).await;
    let pods: Vec<Fails> =
        (0..count).map(|number| Fails::new(number, 0, 0, &format!("api-{number}"))).collect();
    make(&apart, &pods).await;
    (names, asked, apart, pods)
}

/// Plays it with so many images, until each was asked for.
pub(crate) async fn turns(count: usize) {
    let part = format!("{count} images of a registry, to the last");
    let (_names, asked, apart, pods) = stage("turns", 6459, count).await;
    let ours = Contender::start(Who::Registrycheck, &apart, &[]).await;
    let begun = Instant::now();
    within(&apart, &pods, FEW).await;
    let ideal = exact(count) / RATE;
    while asked.images() < count && begun.elapsed().as_secs_f64() < 2.0 * ideal {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let took = begun.elapsed().as_secs_f64();
    let figure = |what: &str, unit, ours, most| {
        Figure { part: &part, what, unit, ours, reference: None, most }.say();
    };
    let never = exact(count - asked.images());
    figure("first failing pod to the last image asked for", "s", took, Some(ideal * 1.2));
    figure("images never asked for", "images", never, Some(0.0));
    figure("memory at most", "MB", ours.megabytes("VmHWM"), None);
}

/// Plays it with so many images.
pub(crate) async fn images(count: usize) {
    let part = format!("{count} images of a registry");
    let (_names, asked, apart, pods) = stage("images", 6454, count).await;
    let ours = Contender::start(Who::Registrycheck, &apart, &[]).await;
    within(&apart, &pods, STORM).await;
    let begun = Instant::now();
    tokio::time::sleep(AFTER).await;
    let each = asked.probes_each_second(begun);
    let mean = each.iter().sum::<f64>() / AFTER.as_secs_f64();
    let figure = |what: &str, unit, ours, most| {
        Figure { part: &part, what, unit, ours, reference: None, most }.say();
    };
    figure("probes of the registry, each second", "probes", mean, Some(RATE * 1.02));
    let worst = each.iter().copied().fold(0.0, f64::max);
    figure("probes of the registry, in the worst second", "probes", worst, Some(RATE * 1.5));
    let checks: Api<RegistryCheck> = Api::all(apart.client.clone());
    let checks = checks.list(&ListParams::default()).await.unwrap().items;
    let says = |check: &&RegistryCheck| {
        let findings = check.status.iter().flat_map(|status| &status.findings);
        findings.into_iter().any(|finding| finding.message.contains("wait"))
    };
    let silent = checks.len() - checks.iter().filter(says).count();
    figure("checks that do not say what waits", "checks", exact(silent), Some(0.0));
    figure("memory at most", "MB", ours.megabytes("VmHWM"), None);
}
