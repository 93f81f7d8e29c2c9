//! What people read: `kubectl describe registrycheck`, against the real API server.
//!
//! `tests/describe/` has the text of each situation. `UPDATE=1` rewrites it, and whoever does
//! that reads it as somebody who was woken up.
//!
//! The controller would write a status of its own over the one of a test. So these checks are
//! of a second definition: the same schema, in another group, which no controller knows.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use kube::Client;
use registrycheck::api::{RegistryCheck, RegistryCheckStatus};
use registrycheck::install;
use registrycheck::publish;
use registrycheck::report::{About, News, Report, Times, report};
use serde_json::{Value, json};

use crate::ground::{Namespace, apply, eventually, kubectl, try_kubectl};

mod situations;

use situations::Situation;

const NAMESPACE: &str = "shop";
const GROUP: &str = "described.registrycheck.dev";
/// A name of its own, or kubectl means this one when the other tests say `registrycheck`.
const PLURAL: &str = "describedchecks";
/// The most lines that somebody reads through.
const MOST_LINES: usize = 120;
/// The most bytes of a status.
const MOST_BYTES: usize = 32 * 1024;

fn second_definition() -> Value {
    let mut definition = install::crd();
    definition["metadata"]["name"] = json!(format!("{PLURAL}.{GROUP}"));
    definition["spec"]["group"] = json!(GROUP);
    definition["spec"]["names"]["plural"] = json!(PLURAL);
    definition["spec"]["names"]["singular"] = json!("describedcheck");
    definition["spec"]["names"]["shortNames"] = json!([]);
    definition
}

/// The check as kubectl has it.
fn read(name: &str) -> RegistryCheck {
    let resource = format!("{PLURAL}.{GROUP}");
    let text = kubectl(&["get", &resource, name, "-n", NAMESPACE, "-o", "json"]);
    serde_json::from_str(&text.replace(GROUP, "registrycheck.dev")).unwrap()
}

/// Writes down what is found, probe after probe, and returns what kubectl says of it.
async fn described(client: &Client, situation: &Situation) -> (String, RegistryCheckStatus) {
    let name = situation.name;
    let resource = format!("{PLURAL}.{GROUP}");
    apply(&[json!({
        "apiVersion": format!("{GROUP}/v1alpha1"), "kind": "RegistryCheck",
        "metadata": {"name": name, "namespace": NAMESPACE,
            "labels": {registrycheck::api::AUTOMATIC_LABEL: "true"}},
        "spec": {"registry": situation.registry},
    })]);
    let check = read(name);
    let mut written = RegistryCheckStatus::default();
    for (n_probe, outcomes) in (0..).zip(&situation.probes) {
        let begun: Timestamp = "2026-11-25T03:10:00Z".parse().unwrap();
        let now = Timestamp::from_second(begun.as_second() + n_probe * 600).unwrap();
        let next = Timestamp::from_second(now.as_second() + 600).unwrap();
        let times = Times { now, probed: Some(now), next_probe: Some(next) };
        let mut known = check.clone();
        known.status = (n_probe > 0).then(|| written.clone());
        // Episodes are named after it.
        known.metadata.uid = Some(name.to_owned());
        let Report { status, announcements } = report(&known, News::Outcomes(outcomes), &[], times);
        for announcement in &announcements {
            if announcement.about == About::Check {
                publish::announce(client, &check, announcement, "test", now).await.unwrap();
            }
        }
        let patch = json!({"status": status}).to_string();
        let subresource = "--subresource=status";
        kubectl(&[
            "patch",
            &resource,
            name,
            "-n",
            NAMESPACE,
            subresource,
            "--type=merge",
            "-p",
            &patch,
        ]);
        written = status;
    }
    let text = kubectl(&["describe", &resource, name, "-n", NAMESPACE]);
    (without_chance(&text), written)
}

/// What kubectl says, which has to be short enough.
async fn short(client: &Client, situation: &Situation) -> String {
    let (text, status) = described(client, situation).await;
    let n_bytes = serde_json::to_vec(&status).unwrap().len();
    assert!(n_bytes <= MOST_BYTES, "{}: {n_bytes} bytes", situation.name);
    let n_lines = text.lines().count();
    assert!(n_lines <= MOST_LINES, "{}: {n_lines} lines\n{text}", situation.name);
    text
}

/// The text without what is different each time.
fn without_chance(text: &str) -> String {
    let text = text.replace(GROUP, "registrycheck.dev");
    let (object, events) = text.split_once("\nEvents:").unwrap();
    let mut lines = Vec::new();
    for line in object.lines() {
        let varies = ["Creation Timestamp:", "Resource Version:", "UID:"];
        let varying = varies.iter().find(|label| line.trim_start().starts_with(**label));
        lines.push(varying.map_or_else(|| line.to_owned(), |label| format!("  {label}  …")));
    }
    lines.push(format!("Events:{}", events.lines().next().unwrap()));
    // The width of the column depends on what kubectl takes for the age.
    for line in events.lines().skip(1) {
        let mut columns: Vec<&str> = line.split("  ").map(str::trim).collect();
        columns.retain(|column| !column.is_empty());
        if columns.len() == 5 && !matches!(columns[2], "Age" | "----") {
            columns[2] = "…";
        }
        lines.push(format!("  {}", columns.join("  ")));
    }
    lines.join("\n") + "\n"
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/describe").join(format!("{name}.txt"))
}

#[tokio::test(flavor = "multi_thread")]
async fn describe_reads_as_it_was_reviewed() {
    apply(&[second_definition()]);
    kubectl(&["wait", "--for=condition=Established", &format!("crd/{PLURAL}.{GROUP}")]);
    let namespace = Namespace::new(NAMESPACE).await;
    // The API server serves a new definition a moment after it calls it established.
    eventually("the second definition to be served", || async {
        let resource = format!("{PLURAL}.{GROUP}");
        try_kubectl(&["get", &resource, "-n", NAMESPACE], "").0.then_some(())
    })
    .await;
    let mut stale = Vec::new();
    for situation in situations::all() {
        let text = short(&namespace.client, &situation).await;
        let file = golden(situation.name);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, &text).unwrap();
        }
        if fs::read_to_string(&file).unwrap_or_default() != text {
            stale.push(format!("{}:\n{text}", file.display()));
        }
    }
    short(&namespace.client, &situations::worst()).await;
    assert!(
        stale.is_empty(),
        "these texts are not as reviewed; run with UPDATE=1 and read them:\n{}",
        stale.join("\n")
    );
}
