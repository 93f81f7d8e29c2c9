//! Faults in rounds. At the end of each round nothing is broken any more, and what the checks say
//! has to become true; and each of their transitions has exactly one Event.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use kube::Api;
use kube::api::ListParams;
use registrycheck::api::RegistryCheck;

use crate::apart::{Apart, HOME, Running};
use crate::faults::{self, Fault, Random};
use crate::ground::ground;
use crate::played;
use crate::registry::{self, Registry};
use crate::replica::Replica;
use crate::served;
use crate::told::Told;
use crate::world::{NAMESPACES, REGISTRIES, World};

/// How many faults a round has.
const IN_A_ROUND: usize = 10;
/// How long after a round all may take to become true: a registry that heals is asked again after
/// a minute, and a watch that failed often after half of one.
const LONGEST: Duration = Duration::from_secs(120);

/// Runs so many faults.
pub(crate) async fn run(seed: u64, count: usize) -> ExitCode {
    let begun = Instant::now();
    println!("seed {seed}, {count} faults");
    let names = served::name((0..REGISTRIES).map(registry::host));
    let issuer = played::registry_issuer();
    let mut registries = Vec::new();
    for place in 0..REGISTRIES {
        registries.push(Registry::open(place, &issuer).await);
    }
    let apart = Apart::start("chaos", 6447, &[]).await;
    apart.open(HOME, &[]).await;
    let _namespaces = namespace_controller(&apart);
    let mut world = World::new(&apart, registries);
    for number in 0..NAMESPACES {
        world.make(number).await;
    }
    let told = Told::default();
    let watching = tokio::spawn(told.clone().watch(apart.client.clone()));
    let mut replica = Replica::start(&apart, "chaos", 18_095, &[], &["--keep-recovered=1h"]).await;
    let mut random = Random::new(seed);
    let mut times: BTreeMap<Fault, usize> = BTreeMap::new();
    let (mut happened, mut longest) = (0, Duration::ZERO);
    let mut transitions: BTreeMap<String, usize> = BTreeMap::new();
    while happened < count {
        let mut words = Vec::new();
        for _ in 0..IN_A_ROUND.min(count - happened) {
            let fault = faults::next(&mut random);
            words.push(faults::happen(fault, &mut random, &mut world, &mut replica).await);
            *times.entry(fault).or_default() += 1;
            happened += 1;
            let pause = u64::try_from(random.below(1_000)).unwrap();
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        replica.wire.mend();
        world.kubelet_tries_again().await;
        let ended = Instant::now();
        let judged = become_true(&apart, &world, &replica, &told).await;
        let took = ended.elapsed();
        longest = longest.max(took);
        println!(
            "{happened:>4} faults, true after {:>5.1} s: {}",
            took.as_secs_f64(),
            words.join("; ")
        );
        match judged {
            Ok(counts) => transitions.extend(counts),
            Err(wrong) => {
                println!("\nwrong with seed {seed} after {happened} faults:\n{}", wrong.join("\n"));
                return ExitCode::FAILURE;
            }
        }
    }
    watching.abort();
    drop(names);
    println!();
    for (fault, times) in times {
        println!("{times:>5}  {fault:?}");
    }
    println!(
        "\nseed {seed}: {happened} faults in {:.0} s; 0 statuses wrong at the end of a round, the last true after {:.1} s; {} transitions of {} checks, 0 without an Event, 0 Events too many",
        begun.elapsed().as_secs_f64(),
        longest.as_secs_f64(),
        transitions.values().sum::<usize>(),
        transitions.len()
    );
    ExitCode::SUCCESS
}

/// Waits until all that is said is true, and each transition was said once: how many each check
/// made. Or else what is wrong.
async fn become_true(
    apart: &Apart,
    world: &World<'_>,
    replica: &Replica,
    told: &Told,
) -> Result<BTreeMap<String, usize>, Vec<String>> {
    let begun = Instant::now();
    let checks: Api<RegistryCheck> = Api::all(apart.client.clone());
    loop {
        let mut wrong = Vec::new();
        if let Ok(list) = checks.list(&ListParams::default()).await {
            wrong = world.wrong(&list.items);
            if wrong.is_empty() {
                let uids: BTreeSet<String> =
                    list.items.into_iter().filter_map(|check| check.metadata.uid).collect();
                let writes = replica.wire.writes().clone();
                told.see_writes(&writes);
                let judged = told.judge(&apart.client, &writes, &uids).await;
                wrong.extend(judged.lost.into_iter().map(|words| format!("lost: {words}")));
                wrong.extend(judged.doubled.into_iter().map(|words| format!("doubled: {words}")));
                if wrong.is_empty() {
                    return Ok(judged.transitions);
                }
            }
        }
        if begun.elapsed() > LONGEST {
            return Err(wrong);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The part of the controller manager that empties namespaces, for the server apart.
fn namespace_controller(apart: &Apart) -> Running {
    let words = crate::apart::command_line("kube-controller-manager");
    let kubeconfig = ground().logs().join("kubeconfig-namespaces");
    fs::write(&kubeconfig, serde_json::to_string(&apart.kubeconfig).unwrap()).unwrap();
    let log = fs::File::create(ground().logs().join("namespaces.log")).unwrap();
    let kept = words[1..].iter().filter(|word| !word.starts_with("--kubeconfig="));
    let child = Command::new(&words[0])
        .args(kept)
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .arg("--controllers=namespace-controller")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn();
    Running(child.unwrap())
}
