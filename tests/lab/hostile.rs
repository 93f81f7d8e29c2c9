//! The hostile lab: every behaviour of `tests/hostile` through the installed controller, each
//! beside a check of a good registry. How long each takes, how much memory the controller takes
//! for it above what it has at rest, and whether the code is right.

#[expect(dead_code, reason = "the tests of the probe use the rest")]
#[path = "../hostile/registry.rs"]
mod registry;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures::future;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, Client};
use registrycheck::api::RegistryCheck;
use serde_json::{Value, json};

use crate::ground::{self, client, eventually};
use crate::played::{play, registry_issuer};
use crate::process::memory;
use crate::{chosen, make_namespaces};
use registry::{Behaviour, Hostile, behaviours};

/// How long a probe may take, in seconds, as the checks say it.
const TIMEOUT: u64 = 5;
/// How long the answer may take: that, and a second for all around it.
const LONGEST: Duration = Duration::from_secs(TIMEOUT + 1);
/// How much the controller may take for one probe above what it has at rest, in KiB.
const MOST: u64 = 16 << 10;
/// How many good checks stand beside all behaviours at once.
const GOOD_AT_ONCE: usize = 20;

/// What came of a check: when, its Ready, and all of it as JSON.
struct Answered {
    after: Duration,
    code: String,
    whole: String,
}

/// Runs the behaviours whose name contains one of these parts, or all.
pub(crate) async fn run(wanted: &[String]) -> ExitCode {
    let begun = Instant::now();
    let all = chosen(behaviours(), |behaviour| behaviour.name, wanted);
    let names: Vec<String> = all.iter().map(|behaviour| behaviour.name.to_owned()).collect();
    let expected: Vec<&str> = all.iter().map(|behaviour| behaviour.code).collect();
    let good_hosts = play("misbehave", "misbehave.json", &json!(hosts(&all)));
    let issuer = registry_issuer();
    let servers: Vec<Hostile> = all
        .into_iter()
        .enumerate()
        .map(|(place, behaviour)| Hostile::start(behaviour, address(place), &issuer))
        .collect();
    ground::install(&["--keep-recovered=10m"]);
    let client = client().await;
    let home = ["lab-hostile".to_owned(), "lab-hostile-at-once".to_owned()];
    make_namespaces(&client, &home).await;
    let controller = controller().await;
    // The first probe makes what all others use.
    let warm = answered(&client, &home[0], "warm", &good(names.len())).await;
    assert_eq!(warm.code, "Pullable", "the good registry is not");
    println!(
        "{:<36} {:<22} {:>7} {:>9} {:>9} {:>8}",
        "behaviour", "code", "time", "memory", "written", "beside"
    );
    let mut n_wrong = 0;
    for (place, name) in names.iter().enumerate() {
        let rest = memory(controller, "VmRSS");
        forget_peak(controller);
        let (hostile, beside) = future::join(
            answered(&client, &home[0], name, &format!("{name}.lab.test")),
            answered(&client, &home[0], &format!("beside-{name}"), &good(place)),
        )
        .await;
        let took = memory(controller, "VmHWM").saturating_sub(rest);
        let mut faults = Vec::new();
        if hostile.code != expected[place] {
            faults.push(format!("{} was expected", expected[place]));
        }
        if hostile.after > LONGEST {
            faults.push("too late".to_owned());
        }
        if took > MOST {
            faults.push("too much memory".to_owned());
        }
        if beside.code != "Pullable" || beside.after > LONGEST {
            faults.push(format!("the one beside it is {}", beside.code));
        }
        if hostile.whole.chars().any(|character| character.is_control() && character != '\n') {
            faults.push("a control character is in its status".to_owned());
        }
        n_wrong += usize::from(!faults.is_empty());
        println!(
            "{name:<36} {:<22} {:>5.1} s {took:>5} KiB {:>5} KiB {:>6.1} s  {}",
            hostile.code,
            hostile.after.as_secs_f64(),
            servers[place].written(),
            beside.after.as_secs_f64(),
            faults.join(", ")
        );
    }
    n_wrong += at_once(&client, controller, &home[1], &names).await;
    drop(good_hosts);
    let seconds = begun.elapsed().as_secs_f64();
    println!("\n{} behaviours, {n_wrong} wrong, in {seconds:.0} s", names.len());
    if n_wrong > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// All behaviours at once, and good checks in their midst; how many of these were not answered
/// in time.
async fn at_once(client: &Client, controller: u32, home: &str, names: &[String]) -> usize {
    let rest = memory(controller, "VmRSS");
    forget_peak(controller);
    let hostile = names
        .iter()
        .map(async |name| answered(client, home, name, &format!("{name}.lab.test")).await.after);
    let good = (0..GOOD_AT_ONCE.min(names.len()))
        .map(async |place| answered(client, home, &format!("beside-{place}"), &good(place)).await);
    let (hostile, good) = future::join(future::join_all(hostile), future::join_all(good)).await;
    let took = memory(controller, "VmHWM").saturating_sub(rest);
    let late = good.iter().filter(|good| good.code != "Pullable" || good.after > LONGEST).count();
    let slowest = |times: &mut dyn Iterator<Item = Duration>| times.max().unwrap_or_default();
    println!(
        "\nall at once: the last after {:.1} s, {took} KiB; of {} good checks beside them the last after {:.1} s, {late} late or wrong",
        slowest(&mut hostile.into_iter()).as_secs_f64(),
        good.len(),
        slowest(&mut good.iter().map(|good| good.after)).as_secs_f64(),
    );
    late
}

/// The good registry beside the behaviour at a place.
fn good(place: usize) -> String {
    format!("good-{place}.lab.test")
}

/// The address of the behaviour at a place, as the ground counts them.
fn address(place: usize) -> SocketAddr {
    let first = u32::from(Ipv4Addr::new(10, 0, 4, 1));
    (Ipv4Addr::from(first + u32::try_from(place).unwrap()), 443).into()
}

/// The hosts, as the ground plays them: of the hostile ones it has only name and address.
fn hosts(all: &[Behaviour]) -> Vec<Value> {
    let hostile = all.iter().map(|behaviour| {
        let lookup = if behaviour.name == "rebinding" { "then:169.254.169.254" } else { "" };
        json!({
            "name": behaviour.host(), "case": behaviour.name, "transport": "refused",
            "lookup": lookup,
        })
    });
    let good = (0..=all.len()).map(
        |place| json!({"name": good(place), "case": good(place), "images": {"shop/api:v1": "image"}}),
    );
    let metadata = json!({
        "name": "metadata.lab.test", "case": "metadata", "transport": "refused",
        "address": "169.254.169.254",
    });
    let elsewhere =
        json!({"name": "tokens.elsewhere.test", "case": "elsewhere", "transport": "refused"});
    hostile.chain(good).chain([metadata, elsewhere]).collect()
}

/// Makes a check of an image of a registry, with a pull secret for it, and waits for its answer.
async fn answered(client: &Client, namespace: &str, name: &str, host: &str) -> Answered {
    let auths = json!({"auths": {host: {"username": "alice", "password": "right-canary"}}});
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {".dockerconfigjson": auths.to_string()},
    });
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = serde_json::from_value(secret).unwrap();
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    let checks: Api<RegistryCheck> = Api::namespaced(client.clone(), namespace);
    let check = json!({
        "apiVersion": "registrycheck.dev/v1alpha1", "kind": "RegistryCheck",
        "metadata": {"name": name},
        "spec": {
            "registry": host, "images": [format!("{host}/shop/api:v1")],
            "imagePullSecrets": [{"name": name}], "timeout": format!("{TIMEOUT}s"),
        },
    });
    let check = serde_json::from_value(check).unwrap();
    let begun = Instant::now();
    checks.create(&PostParams::default(), &check).await.unwrap();
    eventually(&format!("an answer for {name}"), || async {
        let check = checks.get(name).await.ok()?;
        let status = check.status.as_ref()?;
        status.last_probe_time?;
        let code = status.ready()?.reason.clone();
        let whole = serde_json::to_value(status).unwrap();
        let mut texts = String::new();
        collect(&whole, &mut texts);
        Some(Answered { after: begun.elapsed(), code, whole: texts })
    })
    .await
}

/// All texts of a value, one after the other.
fn collect(value: &Value, texts: &mut String) {
    match value {
        Value::String(text) => texts.push_str(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The process id of the controller that leads, as the ground sees it.
async fn controller() -> u32 {
    eventually("the controller to run", || async {
        let processes = fs::read_dir("/proc").unwrap();
        let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        ids.into_iter().find(|id: &u32| {
            let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            command.starts_with(b"/usr/local/bin/registrycheck\0run\0")
        })
    })
    .await
}

/// Lets the peak of a process begin again (proc(5), `clear_refs`).
fn forget_peak(id: u32) {
    fs::write(format!("/proc/{id}/clear_refs"), "5").unwrap();
}
