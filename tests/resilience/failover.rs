//! Two controllers, of which the one that leads is lost: who takes over, and when.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::ListParams;
use registrycheck::api::{ConditionStatus, RegistryCheck};
use registrycheck::controller::LEASE;

use crate::apart::{Apart, HOME};
use crate::ground::{eventually, ready};
use crate::replica::Replica;
use crate::wire::Trouble;

/// What is lost, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// The process is killed, as where its node dies.
    Killed,
    /// The process stands still for a minute, and goes on.
    Stopped,
    /// Nothing gets from it to the API server and back, for half a minute.
    CutOff,
    /// The process is killed, and its clock was an hour before or behind all others.
    Skewed,
}

/// What came of one loss.
struct Outcome {
    /// Until another had the Lease.
    led: Duration,
    /// Until a pod that failed at the moment of the loss was explained.
    explained: Duration,
    /// What the lost one wrote after another had the Lease.
    late: Vec<String>,
}

const IMAGE: &str = "missing.test/shop/api:v1";
/// How a process gets another clock; the program `faketime` would stay between it and its signals.
const FAKETIME: &str = "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
/// How long a takeover may take.
const LONGEST: Duration = Duration::from_secs(15);

/// Runs `rounds` of each loss.
pub(crate) async fn run(rounds: usize) -> ExitCode {
    let begun = Instant::now();
    let apart = Apart::start("failover", 6446, &[]).await;
    apart.open(HOME, &[]).await;
    let all = [Loss::Killed, Loss::Stopped, Loss::CutOff, Loss::Skewed];
    let mut outcomes = Vec::new();
    println!(
        "{:>4}  {:<8} {:>8} {:>10}  written late by the lost one",
        "run", "loss", "lease", "explained"
    );
    for round in 0..rounds {
        for loss in all {
            let number = outcomes.len() + 1;
            let outcome = lose(&apart, number, round, loss).await;
            println!(
                "{number:>4}  {:<8} {:>6.1} s {:>8.1} s  {}",
                format!("{loss:?}"),
                outcome.led.as_secs_f64(),
                outcome.explained.as_secs_f64(),
                if outcome.late.is_empty() {
                    "nothing".to_owned()
                } else {
                    outcome.late.join(", ")
                },
            );
            outcomes.push(outcome);
        }
    }
    let doubled = said_otherwise_than_once(&apart, outcomes.len()).await;
    summary(&outcomes, doubled, begun)
}

fn summary(outcomes: &[Outcome], doubled: usize, begun: Instant) -> ExitCode {
    println!();
    for (what, time) in [
        ("lease", (|outcome: &Outcome| outcome.led) as fn(&Outcome) -> Duration),
        ("explained", |outcome| outcome.explained),
    ] {
        let mut times: Vec<Duration> = outcomes.iter().map(time).collect();
        times.sort();
        println!(
            "{what:<10} median {:.1} s, worst {:.1} s",
            times[times.len() / 2].as_secs_f64(),
            times[times.len() - 1].as_secs_f64()
        );
    }
    let late: usize = outcomes.iter().map(|outcome| outcome.late.len()).sum();
    let slow = outcomes.iter().filter(|outcome| outcome.led > LONGEST).count();
    println!(
        "{} losses in {:.0} s: {slow} takeovers after more than {LONGEST:?}, {late} late writes, {doubled} transitions said otherwise than once",
        outcomes.len(),
        begun.elapsed().as_secs_f64()
    );
    if late + slow + doubled == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One loss, with a pod that fails at its moment.
async fn lose(apart: &Apart, number: usize, round: usize, loss: Loss) -> Outcome {
    let namespace = format!("run-{number}");
    apart.open(&namespace, &[]).await;
    let clock = if round.is_multiple_of(2) { "FAKETIME=+1h" } else { "FAKETIME=-1h" };
    // Only the time of day is another one, as on a node whose clock is wrong.
    let skewed = ["env", FAKETIME, "FAKETIME_DONT_FAKE_MONOTONIC=1", clock];
    let before: &[&str] = if loss == Loss::Skewed { &skewed } else { &[] };
    let names = [format!("first-{number}"), format!("next-{number}")];
    let mut first = Replica::start(apart, &names[0], 18_090, before, &[]).await;
    leads(apart, &first.name).await;
    let next = Replica::start(apart, &names[1], 18_091, &[], &[]).await;
    eventually("the other to serve", || async { next.served("/readyz").await }).await;
    // Long enough for a candidate that trusts a clock to take the Lease away.
    if loss == Loss::Skewed {
        tokio::time::sleep(Duration::from_secs(12)).await;
        assert_eq!(holder(apart).await, Some(first.name.clone()), "the Lease was taken away");
    }
    apart.fail(&namespace, "app", IMAGE, "no such host").await;
    let begun = Instant::now();
    match loss {
        Loss::Killed | Loss::Skewed => first.kill(),
        Loss::Stopped => first.signal("STOP"),
        Loss::CutOff => first.wire.trouble(Trouble::Cut, Duration::from_secs(30)),
    }
    leads(apart, &next.name).await;
    let taken = Instant::now();
    let checks: Api<RegistryCheck> = Api::namespaced(apart.client.clone(), &namespace);
    eventually("the pod to be explained", || async {
        let check = checks.get_opt("missing.test").await.unwrap()?;
        (ready(&check)?.status == ConditionStatus::False).then_some(())
    })
    .await;
    let explained = begun.elapsed();
    match loss {
        Loss::Killed | Loss::Skewed => {}
        Loss::Stopped => {
            tokio::time::sleep(Duration::from_secs(60).saturating_sub(begun.elapsed())).await;
            // Something to do for whoever goes on.
            apart.fail(&namespace, "another", IMAGE, "no such host").await;
            first.signal("CONT");
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        Loss::CutOff => {
            tokio::time::sleep(Duration::from_secs(28).saturating_sub(begun.elapsed())).await;
            apart.fail(&namespace, "another", IMAGE, "no such host").await;
            tokio::time::sleep(Duration::from_secs(7)).await;
        }
    }
    let late = first.wrote_after(taken);
    assert_eq!(holder(apart).await, Some(next.name.clone()), "the Lease came back");
    Outcome { led: taken - begun, explained, late }
}

/// The name of whoever has the Lease.
async fn holder(apart: &Apart) -> Option<String> {
    let leases: Api<Lease> = Api::namespaced(apart.client.clone(), HOME);
    let holder = leases.get_opt(LEASE).await.unwrap()?.spec?.holder_identity?;
    Some(holder.rsplit_once('_')?.0.to_owned())
}

/// Waits until this one leads.
async fn leads(apart: &Apart, name: &str) {
    eventually(&format!("{name} to lead"), || async {
        (holder(apart).await.as_deref() == Some(name)).then_some(())
    })
    .await;
}

/// How many checks have not exactly the one Event of their one transition.
async fn said_otherwise_than_once(apart: &Apart, runs: usize) -> usize {
    let mut otherwise = 0;
    for number in 1..=runs {
        let events: Api<Event> = Api::namespaced(apart.client.clone(), &format!("run-{number}"));
        let events = events.list(&ListParams::default()).await.unwrap().items;
        let of_check = events
            .iter()
            .filter(|event| event.involved_object.kind.as_deref() == Some("RegistryCheck"));
        let reasons: Vec<&str> = of_check.filter_map(|event| event.reason.as_deref()).collect();
        if reasons != ["DnsNameNotFound"] {
            println!("run {number}: {reasons:?}");
            otherwise += 1;
        }
    }
    otherwise
}
