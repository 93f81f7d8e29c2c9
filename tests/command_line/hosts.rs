//! `registrycheck check --hosts-dir` with mirrors on this machine.

use std::net::TcpListener;
use std::path::PathBuf;

use registrycheck::record::Record;
use serde_json::{Value, json};

use super::{CANARY, NO_CLUSTER, Outcome, run};
use crate::loopback::{Request, Response, registry};

const CONFIG: &str = r#"{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":[]}}"#;

/// A server with the image shop/api:v1 of a registry, below a path of its own, for whoever
/// shows the key and says for which registry.
fn mirror(stands_for: &'static str) -> String {
    registry(move |request: &Request| {
        let config = super::check::digest(CONFIG);
        let manifest = json!({
            "schemaVersion": 2,
            "config": {"digest": config, "size": CONFIG.len()},
            "layers": [],
        });
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        if query != format!("ns={stands_for}") {
            Response::of(400)
        } else if path == "/proxy/v2/shop/api/manifests/v1" {
            Response::of(200)
                .with("Content-Type", "application/vnd.oci.image.manifest.v1+json")
                .saying(manifest.to_string())
        } else if path == format!("/proxy/v2/shop/api/blobs/{config}") {
            Response::of(200).saying(CONFIG)
        } else {
            Response::of(404)
        }
    })
}

/// A directory of hosts with one hosts.toml, for a registry or for all.
fn directory(name: &str, registry: &str, text: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("hosts-{name}"));
    let below = root.join(registry);
    std::fs::create_dir_all(&below).unwrap();
    std::fs::write(below.join("hosts.toml"), text).unwrap();
    root
}

fn check(image: &str, root: &std::path::Path, more: &[&str]) -> Outcome {
    let root = root.to_str().unwrap();
    let arguments = ["check", image, "--anonymous", "--timeout", "5s", "--hosts-dir", root];
    run(NO_CLUSTER, &[&arguments, more].concat(), "")
}

fn document(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.out).unwrap_or_else(|_| panic!("{}", outcome.err))
}

/// A port on which nothing listens.
fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn the_first_server_that_serves_the_image_decides() {
    let (down, up) = (nobody(), mirror("r.test"));
    let text = format!(
        "[host.\"http://{down}\"]\n[host.\"http://{up}/proxy\"]\n[host.\"http://{up}/proxy\".header]\n\
         x-key = \"{}\"\n",
        CANARY.replace('"', "\\\"")
    );
    let root = directory("first", "r.test", &text);
    let file = root.join("evidence.yaml");
    let evidence = ["-o", "json", "--evidence", file.to_str().unwrap()];
    let outcome = check("r.test/shop/api:v1", &root, &evidence);
    assert_eq!(outcome.status, 0, "{}{}", outcome.out, outcome.err);
    let answer = document(&outcome);
    let found: Vec<(&str, &str)> = answer["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| (found["code"].as_str().unwrap(), found["severity"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [("MirrorUnreachable", "Warning"), ("Pullable", "Info")]);
    let said = answer["findings"][1]["message"].as_str().unwrap();
    assert!(said.contains(&format!("he mirror {up}, asked in place of r.test, serves")), "{said}");
    let steps = answer["probes"][0]["steps"].as_array().unwrap();
    let details: Vec<&str> = steps.iter().map(|step| step["detail"].as_str().unwrap()).collect();
    assert!(details[0].starts_with(&down) && details[1].starts_with(&up), "{details:?}");
    let written = std::fs::read_to_string(&file).unwrap();
    super::hold_no_canary(&[&written]);
    let record = Record::from_yaml(&written).unwrap();
    assert_eq!(record.diagnose().findings.len(), 2);
    let text = check("r.test/shop/api:v1", &root, &[]).out;
    assert!(text.contains(&format!("  at the mirror {down}, before the registry\n")), "{text}");
}

/// The directory `_default` is for each registry without one of its own; the registry itself
/// comes last, and a mirror that lacks the image is none that fails.
#[test]
fn the_registry_comes_last() {
    let empty = registry(|_| Response::of(404));
    let itself = registry(|_| Response::of(404));
    let root = directory("last", "_default", &format!("[host.\"http://{empty}\"]\n"));
    let outcome = check(&format!("{itself}/shop/api:v1"), &root, &["-o", "json"]);
    assert_eq!(outcome.status, 1, "{}{}", outcome.out, outcome.err);
    let answer = document(&outcome);
    assert_eq!(answer["findings"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(answer["findings"][0]["code"], "NotFoundOrNotAuthorized");
    let steps = answer["probes"][0]["steps"].to_string();
    assert!(steps.contains(&format!("{empty}: 404")), "{steps}");
}

/// Where nothing serves the image, a mirror that is down may be the cause.
#[test]
fn a_mirror_that_is_down_may_be_the_cause() {
    let (down, itself) = (nobody(), nobody());
    let root = directory("down", "_default", &format!("[host.\"http://{down}\"]\n"));
    let answer = document(&check(&format!("{itself}/a:v1"), &root, &["-o", "json"]));
    let found: Vec<Value> = answer["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| json!([found["code"], found["severity"], found["confidence"]]))
        .collect();
    let registry = json!(["ConnectionRefused", "Error", "Certain"]);
    assert_eq!(found, [registry, json!(["MirrorUnreachable", "Error", "Likely"])], "{answer}");
}

#[test]
fn what_containerd_would_not_use_is_said() {
    for (name, text, expected) in [
        ("broken", "server = 1\n", "server is no text; containerd passes over such a file"),
        ("empty", "capabilities = [\"push\"]\n", "no host in "),
        ("absent", "ca = \"absent.crt\"\n", "absent.crt"),
        ("wrong", "client = \"hosts.toml\"\n", "cannot use the certificates"),
    ] {
        let outcome = check("r.test/a:1", &directory(name, "r.test", text), &[]);
        assert!(outcome.err.contains(expected), "{name}: {}", outcome.err);
        assert_eq!((outcome.status, outcome.out.as_str()), (2, ""), "{name}");
    }
}
