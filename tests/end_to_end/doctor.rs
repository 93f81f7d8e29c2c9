//! `registrycheck doctor` beside a real Podman, at the registries of the ground.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::command_line::doctor::Machine;
use crate::ground::{USER, eventually, ground};

/// Podman's service, which ends with the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Podman with all that it keeps below the machine's directory.
fn podman(machine: &Machine) -> Command {
    let mut podman = Command::new("podman");
    podman
        .args(["--root", &machine.path("root"), "--runroot", &machine.path("runroot")])
        .args(["--storage-driver", "vfs"])
        .env("HOME", machine.path(""))
        .env("XDG_RUNTIME_DIR", machine.path("run"))
        .stdin(Stdio::null());
    podman
}

/// Logs in as a user of Podman would, which asks the registry.
#[track_caller]
fn log_in(machine: &Machine, registry: &str) {
    let password = ground().password(registry);
    let output = podman(machine)
        .args(["login", "--username", USER, "--password", &password])
        .args(["--cert-dir", &machine.path("certificates"), registry])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn engine(document: &Value, address: &str) -> Value {
    let looked_at = document["workstation"].as_array().unwrap();
    let of_address = |one: &&Value| one["detail"].as_str().unwrap().starts_with(address);
    looked_at.iter().find(of_address).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_podman_is_understood() {
    let ca = std::fs::read_to_string(ground().ca()).unwrap();
    let machine = Machine::new().with_file("certificates/ca.crt", &ca);
    let socket = machine.path("podman.sock");
    let address = format!("unix://{socket}");
    let machine = machine.with("CONTAINER_HOST", &address).with("DOCKER_HOST", &address);
    let service =
        podman(&machine).args(["system", "service", "--time=0", &address]).spawn().unwrap();
    let _service = Service(service);
    eventually("an answer of Podman's service", || async {
        UnixStream::connect(Path::new(&socket)).ok().map(drop)
    })
    .await;
    // By its version alone it would be older than any Docker that will do.
    let document = machine.says(&[], 0, "");
    let version = Command::new("podman").arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    let version = version.trim().rsplit(' ').next().unwrap();
    let engine = engine(&document, &address);
    assert_eq!(engine["detail"], format!("{address} (DOCKER_HOST): Podman {version}"));

    let ca = ground().ca().display().to_string();
    let way = ["--ca-file", ca.as_str(), "--token-host", "auth.test"];
    // The token service of the second gives strangers a token too, for what is public.
    for (registry, status, code) in
        [("basic.test", 1, "NoCredentials"), ("bearer.test", 0, "Pullable")]
    {
        machine.says(&[&[registry], &way[..]].concat(), status, code);
        log_in(&machine, registry);
        let document = machine.says(&[&[registry], &way[..]].concat(), 0, "Pullable");
        let file = machine.path("run/containers/auth.json");
        assert_eq!(document["probes"][0]["credential"], format!("{file} (key {registry})"));
        assert_eq!(document["probes"][0]["outcome"], "Accepted");
    }
}
