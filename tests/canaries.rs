//! The last part of the end-to-end tests: whether a password of any of them is in anything that
//! was written while they ran. Every password has the word `canary` in it.
//!
//! Searched are all objects that the API servers have, but for Secrets; all that controllers and
//! kubelets ever sent to them, as their audit log has it, deleted or not; and all logs.
#![expect(clippy::print_stdout, reason = "it is there to be read")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "it ends where it fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

#[expect(dead_code, reason = "the integration tests use the rest")]
#[path = "ground.rs"]
mod ground;
#[path = "leaks.rs"]
mod leaks;

use ground::ground;
use leaks::forms;

/// The word that every password of the tests has in it.
const CANARY: &str = "canary";
/// What holds passwords on purpose: what a user writes into the cluster, and where.
const KEEPS_SECRETS: &[&str] = &["/secrets/"];

/// Something that was written.
struct Place {
    name: String,
    text: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let mut places = logs();
    let n_files = places.len();
    let objects = objects().await;
    let n_objects = objects.len();
    places.extend(objects);
    let mut wanted: BTreeSet<String> = forms(CANARY).into_iter().collect();
    let passwords: BTreeSet<String> = passwords();
    wanted.extend(passwords.iter().flat_map(|password| forms(password)));
    let audited = places.iter().find(|place| place.name.ends_with("audit.log"));
    let written = audited.map_or(0, |place| place.text.matches("\"requestObject\"").count());
    assert!(written > 0, "the audit log has nothing that was sent");
    assert!(n_objects > 0 && !passwords.is_empty(), "there is nothing to search");
    let mut hits = 0;
    for Place { name, text } in &places {
        for form in wanted.iter().filter(|form| text.contains(form.as_str())) {
            let at = text.find(form.as_str()).unwrap();
            let around = text.as_bytes()[at.saturating_sub(120)..].iter().take(240);
            let around = String::from_utf8_lossy(&around.copied().collect::<Vec<_>>()).into_owned();
            println!("{form} is in {name}: {around:?}");
            hits += 1;
        }
    }
    println!(
        "{} passwords in {} forms, searched in {n_objects} objects, {written} requests and {n_files} logs: {hits} found",
        passwords.len(),
        wanted.len()
    );
    if hits == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The passwords of the ground and of the tests' sources: each text between quotes that has the
/// word in it.
fn passwords() -> BTreeSet<String> {
    let mut passwords = BTreeSet::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let is_source = path.extension().is_some_and(|kind| kind == "rs" || kind == "go");
            if path.is_dir() {
                directories.push(path);
            } else if is_source {
                let text = fs::read_to_string(path).unwrap();
                let quoted = text.split('"').filter(|text| is_password(text));
                passwords.extend(quoted.map(str::to_owned));
            }
        }
    }
    passwords
}

fn is_password(text: &str) -> bool {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "-_.+/%".contains(character);
    text.contains(CANARY) && text.len() > CANARY.len() && text.chars().all(is_plain)
}

/// All logs of the ground: of Kubernetes, of the controllers and of the containers.
fn logs() -> Vec<Place> {
    let mut places = Vec::new();
    let mut directories = vec![ground().logs(), PathBuf::from("/var/log/pods")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if let Ok(bytes) = fs::read(&path) {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                places.push(Place { name: path.display().to_string(), text });
            }
        }
    }
    places
}

/// All objects of all API servers, as etcd has them.
async fn objects() -> Vec<Place> {
    // All keys (etcd documentation, "gRPC gateway": a range from zero to zero).
    let question = json!({"key": "AA==", "range_end": "AA=="}).to_string();
    let client = reqwest::Client::new();
    let answer = client.post("http://127.0.0.1:2379/v3/kv/range").body(question).send().await;
    let answer: Value = serde_json::from_slice(&answer.unwrap().bytes().await.unwrap()).unwrap();
    let text = |value: &Value| {
        let bytes = STANDARD.decode(value.as_str().unwrap_or_default()).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let all = answer["kvs"].as_array().unwrap().iter();
    let all = all.map(|one| Place { name: text(&one["key"]), text: text(&one["value"]) });
    all.filter(|place| !KEEPS_SECRETS.iter().any(|kind| place.name.contains(kind))).collect()
}
