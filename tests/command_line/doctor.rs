//! `registrycheck doctor` on machines that are made of a directory: its files, a small engine at
//! a socket, and helpers that are scripts.

mod machine;
mod tls;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use registrycheck::record::Record;
use serde_json::{Value, json};

use super::check::{basic, bearer, unauthorized};
use super::{CANARY, hold_no_canary};
use crate::loopback::{Request, Response, registry};

pub(crate) use machine::Machine;

/// The first thing of a name that was looked at.
fn looked_at<'document>(document: &'document Value, name: &str) -> &'document Value {
    let all = document["workstation"].as_array().unwrap();
    all.iter().find(|one| one["name"] == name).unwrap()
}

/// The message and the remedy of the first finding.
fn said(document: &Value) -> (String, String) {
    let text = |name: &str| document["findings"][0][name].as_str().unwrap().to_owned();
    (text("message"), text("remedy"))
}

fn auth(user: &str, password: &str) -> Value {
    json!({"auth": STANDARD.encode(format!("{user}:{password}"))})
}

#[test]
fn a_machine_in_order_is_said_to_be() {
    let machine = Machine::in_order();
    let document = machine.says(&[], 0, "");
    assert_eq!((&document["image"], &document["pullable"]), (&Value::Null, &json!(true)));
    assert_eq!(document["probes"], json!([]));
    let text = machine.doctor(&[]).out;
    assert!(
        text.starts_with("Nothing that was found on this machine stands in the way of a pull.\n"),
        "{text}"
    );
    let engine = format!("unix://{} (DOCKER_HOST): Docker 27.3.1", machine.path("docker.sock"));
    assert!(text.contains(&engine), "{text}");
    let engine = looked_at(&document, "Engine");
    assert!(engine["result"] == "passed" && engine["durationMs"].is_number(), "{engine}");
}

#[test]
fn an_engine_that_is_not_there_is_said_and_skipped() {
    let machine = Machine::new();
    let text = machine.doctor(&[]).out;
    let absent = format!("unix://{}", machine.path("run/podman/podman.sock"));
    let line = text.lines().find(|line| line.contains(&absent)).unwrap();
    assert!(line.contains("skipped: no engine is at "), "{line}");
    let by_ssh = machine.with("DOCKER_HOST", "ssh://robot:canary@build.test");
    let document = by_ssh.says(&[], 0, "");
    let first = looked_at(&document, "Engine");
    assert_eq!(first["result"], "skipped");
    let detail =
        "ssh://build.test (DOCKER_HOST): ssh:// is not spoken here, only unix:// and tcp://";
    assert_eq!(first["detail"], detail);
}

#[test]
fn an_engine_that_should_answer_and_does_not_is_a_finding() {
    let missing = Machine::new().with("DOCKER_HOST", "unix://HOME/docker.sock");
    let (message, remedy) = said(&missing.says(&[], 1, "DockerUnavailable"));
    let expected =
        format!("unix://{}, which DOCKER_HOST names, is not there.", missing.path("docker.sock"));
    assert_eq!(message, expected);
    assert!(remedy.ends_with("docker info"), "{remedy}");
    // A file where a socket was expected, and a socket that nobody listens at any more.
    let file = Machine::new().with_file("run/docker.sock", "");
    assert!(said(&file.says(&[], 1, "DockerUnavailable")).0.contains("refuses the connection"));
    let left = Machine::new();
    drop(UnixListener::bind(left.path("run/docker.sock")).unwrap());
    assert!(said(&left.says(&[], 1, "DockerUnavailable")).0.contains("refuses the connection"));
    let other = Machine::new()
        .with_engine("docker.sock", "{\"secret\":\"canary\"}")
        .with("DOCKER_HOST", "unix://HOME/docker.sock");
    assert!(
        said(&other.says(&[], 1, "DockerUnavailable")).0.contains("something else than a version")
    );
    let nowhere = Machine::new().with("DOCKER_CONTEXT", "build");
    assert!(
        said(&nowhere.says(&[], 1, "DockerUnavailable"))
            .0
            .starts_with("Context build, which DOCKER_CONTEXT names, does not exist")
    );
}

#[test]
fn an_old_engine_is_too_old_and_podman_is_not() {
    let version = |version: &str, product: &str| {
        json!({"Version": version, "Components": [{"Name": product, "Version": version}]})
            .to_string()
    };
    for (version, status, code) in [
        (r#"{"Version":"17.12.1-ce"}"#.to_owned(), 1, "DockerTooOld"),
        (r#"{"Version":"1.13.1"}"#.to_owned(), 1, "DockerTooOld"),
        (version("18.02.0-ce", "Engine"), 1, "DockerTooOld"),
        (version("18.03.0-ce", "Engine"), 0, ""),
        (version("dev", "Engine"), 0, ""),
        (version("4.3.1", "Podman Engine"), 0, ""),
    ] {
        let machine = Machine::new()
            .with_engine("docker.sock", &version)
            .with("DOCKER_HOST", "unix://HOME/docker.sock");
        let document = machine.says(&[], status, code);
        if status == 1 {
            assert!(said(&document).0.ends_with("a login needs 18.03 or later."), "{document}");
        }
    }
}

#[test]
fn a_client_is_asked_for_its_version() {
    let client = |script: &str| {
        let machine =
            Machine::in_order().with_file("bin/docker", &format!("#!/bin/sh\n{script}\n"));
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(machine.path("bin/docker"), mode).unwrap();
        machine
    };
    let document = client("echo 'Docker version 27.3.1, build ce12230'").says(&[], 0, "");
    assert_eq!(looked_at(&document, "Client")["detail"], "docker: Docker 27.3.1");
    let old = client("echo 'Docker version 17.12.1-ce, build 7390fc6'");
    let (message, remedy) = said(&old.says(&[], 1, "DockerTooOld"));
    assert!(message.starts_with("Docker's client here has version 17.12.1-ce"), "{message}");
    assert!(remedy.ends_with("docker --version"), "{remedy}");
    let broken = client("echo canary; exit 1").says(&[], 0, "");
    let detail = "docker, asked for its version, fails (exit status: 1)";
    assert_eq!(looked_at(&broken, "Client")["detail"], detail);
}

#[test]
fn an_engine_is_found_by_the_current_context_and_by_tcp() {
    let host = registry(|request| {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/version"));
        Response::of(200)
            .with("Server", "Docker/20.10.24 (linux)")
            .saying(r#"{"Version":"20.10.24"}"#)
    });
    // printf build | sha256sum
    let id = "44575cf5b28512d75644bf54a517dcef304ff809fd511747621b4d64f19aac66";
    let meta = json!({"Name": "build", "Endpoints": {"docker": {"Host": format!("tcp://{host}")}}});
    let machine = Machine::new()
        .with_config(&json!({"currentContext": "build"}))
        .with_file(&format!(".docker/contexts/meta/{id}/meta.json"), &meta.to_string());
    let document = machine.says(&[], 0, "");
    let detail = format!("tcp://{host} (currentContext build): Docker 20.10.24");
    assert_eq!(looked_at(&document, "Engine")["detail"], detail);
}

#[test]
fn a_broken_file_is_said_with_its_place_and_without_its_content() {
    for (content, problem) in [
        (
            "{\n  \"auths\": {\"r.test\": {\"auth\": \"canary",
            "it is no valid JSON: it ends too early (line 2, column 39)",
        ),
        (
            "{\"auths\":{\n\"r.test\":{\"auth\":\"Y2FuYXJ5\"}}}",
            "no colon stands in the base64 of the auth of entry r.test (line 2, column 18)",
        ),
        (
            "{\"auths\":[\"canary\"]}",
            "the field auths is an array and must be an object (line 1, column 10)",
        ),
    ] {
        let machine = Machine::in_order().with_file(".docker/config.json", content);
        let (message, remedy) = said(&machine.says(&[], 1, "DockerConfigMalformed"));
        let file = machine.path(".docker/config.json");
        let expected =
            format!("{file} cannot be used: {problem}, so Docker has none of the logins in it.");
        assert_eq!(message, expected);
        assert!(remedy.ends_with("docker login REGISTRY"), "{remedy}");
    }
    let of_podman = Machine::in_order().with_file("run/containers/auth.json", "");
    let (message, remedy) = said(&of_podman.says(&[], 1, "DockerConfigMalformed"));
    assert!(
        message.contains("it is empty") && remedy.ends_with("podman login REGISTRY"),
        "{message}"
    );
    let elsewhere = Machine::in_order()
        .with("DOCKER_CONFIG", "HOME/elsewhere")
        .with_file(".docker/config.json", "not read")
        .with_file("elsewhere/config.json", "{}");
    elsewhere.says(&[], 0, "");
}

#[test]
fn helpers_are_asked_and_their_failures_are_findings() {
    let config = json!({"auths": {"r.test": {}}, "credsStore": "x"});
    let machine = |script: &str| Machine::in_order().with_config(&config).with_helper("x", script);
    let works = format!("printf '{{\"Username\":\"alice\",\"Secret\":\"%s\"}}' '{CANARY}'");
    let works = works.replace(CANARY, "canary-pass");
    let document = machine(&works).says(&[], 0, "");
    let asked = looked_at(&document, "Helper");
    assert_eq!(
        asked["detail"],
        "docker-credential-x (credsStore), asked for r.test: gives a login"
    );
    let none = "echo 'credentials not found in native keychain'; exit 1";
    machine(none).says(&[], 0, "");
    for (script, expected) in [
        ("echo 'pass not initialized'; exit 1", "fails (exit status: 1): pass is not initialized"),
        (
            "echo 'it is canary'; echo canary >&2; exit 3",
            "fails (exit status: 3); its words are not shown",
        ),
        ("echo canary", "gives an answer that no client takes: it is no valid JSON"),
        ("exec yes canary", "gives an answer that no client takes: it is longer than 65536 bytes"),
    ] {
        let (message, remedy) = said(&machine(script).says(&[], 1, "CredentialHelperFailed"));
        assert!(message.contains(expected), "{script}: {message}");
        assert!(message.ends_with("so Docker sends no login to r.test."), "{message}");
        assert!(remedy.ends_with("echo r.test | docker-credential-x get"), "{remedy}");
    }
    let hangs = machine("exec tail -f /dev/null");
    let (message, _) = said(&hangs.says(&["--timeout", "1s"], 1, "CredentialHelperFailed"));
    assert!(message.contains("gives no answer within 1 s and was ended"), "{message}");
    let missing = Machine::in_order().with_config(&json!({"credHelpers": {"r.test": "gone"}}));
    let (message, _) = said(&missing.says(&[], 1, "CredentialHelperFailed"));
    assert!(message.contains("credHelpers in") && message.contains("is not in PATH"), "{message}");
}

#[test]
fn the_login_of_the_file_is_tried() {
    for kind in [basic as fn(&Request) -> Response, bearer] {
        let host = registry(kind);
        let right = json!({"auths": {&host: auth("alice", CANARY)}});
        let taken = Machine::in_order().with_config(&right);
        let document = taken.says(&[&host], 0, "Pullable");
        assert_eq!((&document["image"], &document["pullable"]), (&json!(host), &json!(true)));
        let probe = &document["probes"][0];
        let file = taken.path(".docker/config.json");
        assert_eq!(probe["credential"], format!("{file} (key {host})"));
        assert_eq!((&probe["outcome"], &probe["vantage"]), (&json!("Accepted"), &json!("Here")));
        // Podman reads Docker's file too, and the same login is tried once.
        assert_eq!(document["probes"].as_array().unwrap().len(), 1);
        let wrong = json!({"auths": {&host: auth("alice", "wrong-canary")}});
        let refused =
            Machine::in_order().with_config(&wrong).says(&[&host], 1, "CredentialRejected");
        let (message, remedy) = said(&refused);
        assert!(message.contains("refuses the user name or password of /"), "{message}");
        assert!(remedy.ends_with(&format!("docker login {host}")), "{remedy}");
        let none = Machine::in_order().says(&[&host], 1, "NoCredentials");
        let expected =
            format!("{host} wants a login, and neither Docker nor Podman has one for it here.");
        assert_eq!(said(&none), (expected, format!("Log in: docker login {host}")));
        let text = Machine::in_order().doctor(&[&host]).out;
        assert!(text.contains("This is NoCredentials, for you to mend."), "{text}");
    }
}

#[test]
fn the_login_of_a_helper_is_tried() {
    let host = registry(bearer);
    let script = format!(
        "[ \"$server\" = '{host}' ] || exit 8\ncat <<'END'\n{}\nEND",
        json!({"ServerURL": host, "Username": "alice", "Secret": CANARY})
    );
    let config =
        json!({"auths": {&host: auth("alice", "old-canary")}, "credHelpers": {&host: "x"}});
    let machine = Machine::in_order().with_config(&config).with_helper("x", &script);
    let document = machine.says(&[&host], 0, "Pullable");
    let credential = format!("credential helper docker-credential-x (key {host})");
    assert_eq!(document["probes"][0]["credential"], credential);
    let text = machine.doctor(&[&host]).out;
    let passed_over = "is not used, since docker-credential-x is asked in its place";
    assert!(text.contains(passed_over), "{text}");
    let broken = Machine::in_order().with_config(&config).with_helper("x", "exit 1");
    broken.says(&[&host], 1, "CredentialHelperFailed");
}

#[test]
fn an_identity_token_is_sent_as_one() {
    let host = registry(|request| {
        let is_token = request.target.starts_with("/token");
        let form: Vec<&str> = request.body.split('&').collect();
        let is_known = form.contains(&"grant_type=refresh_token")
            && form.contains(&"refresh_token=canary-token")
            && request.method == "POST";
        match (is_token, is_known) {
            (true, true) => Response::of(200).saying(r#"{"access_token":"t-canary"}"#),
            (true, false) => Response::of(401),
            (false, _) => unauthorized("Bearer realm=\"http://127.0.0.1:PORT/token\""),
        }
    });
    let entry = json!({"auth": STANDARD.encode("00000000-0000-0000-0000-000000000000:"),
        "identitytoken": "canary-token"});
    let machine = Machine::in_order().with_config(&json!({"auths": {&host: entry}}));
    machine.says(&[&host], 0, "Pullable");
    let script = r#"echo '{"Username":"<token>","Secret":"canary-token"}'"#;
    let config = json!({"credsStore": "x"});
    let by_helper = Machine::in_order().with_config(&config).with_helper("x", script);
    by_helper.says(&[&host], 0, "Pullable");
}

#[test]
fn a_login_that_stands_in_the_way_of_what_is_public_is_taken_out() {
    let host = registry(|request| match request.authorization {
        None if request.target.starts_with("/token") && request.method == "GET" => {
            Response::of(200).saying(r#"{"token":"t-canary"}"#)
        }
        _ if request.target.starts_with("/token") => Response::of(401),
        _ => unauthorized("Bearer realm=\"http://127.0.0.1:PORT/token\""),
    });
    let old = json!({"auths": {&host: auth("alice", "old-canary")}});
    let machine = Machine::in_order().with_config(&old);
    let document = machine.says(&[&host], 1, "StaleCredential");
    let (message, remedy) = said(&document);
    assert!(message.contains("lets in whoever sends none"), "{message}");
    assert!(remedy.contains(&format!("docker logout {host}")), "{remedy}");
    let outcomes: Vec<&str> = document["probes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|probe| probe["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["StaleCredential", "Accepted"]);
    Machine::in_order().says(&[&host], 0, "Pullable");
}

#[test]
fn podman_has_its_own_file_first() {
    let host = registry(basic);
    let machine = Machine::in_order()
        .with_config(&json!({"auths": {&host: auth("alice", CANARY)}}))
        .with_file(
            "run/containers/auth.json",
            &json!({"auths": {&host: auth("alice", "wrong-canary")}}).to_string(),
        );
    // One of the two is taken, so that it is a warning that the other is not.
    let document = machine.says(&[&host], 0, "CredentialRejected");
    assert_eq!(document["findings"][0]["severity"], "Warning");
    let credentials: Vec<&str> = document["probes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|probe| probe["credential"].as_str().unwrap())
        .collect();
    let name = |file: &str| format!("{} (key {host})", machine.path(file));
    assert_eq!(credentials, [name(".docker/config.json"), name("run/containers/auth.json")]);
}

#[test]
fn an_entry_of_another_name_is_named() {
    let host = registry(basic);
    let other = format!("http://{}/", host.replace("127.0.0.1:", "127.0.0.1:1"));
    let machine =
        Machine::in_order().with_config(&json!({"auths": {&other: auth("alice", CANARY)}}));
    let (message, _) = said(&machine.says(&[&host], 1, "NoCredentials"));
    let expected = format!("has another name than {host}, which is looked for");
    assert!(message.contains(&other) && message.contains(&expected), "{message}");
}

#[test]
fn what_was_seen_can_be_kept() {
    let host = registry(bearer);
    let machine = Machine::in_order()
        .with_config(&json!({"auths": {&host: auth("alice", "wrong-canary")}, "credsStore": ""}));
    let file = machine.path("evidence.yaml");
    machine.says(&[&host, "--evidence", &file], 1, "CredentialRejected");
    let text = fs::read_to_string(Path::new(&file)).unwrap();
    hold_no_canary(&[&text]);
    let record = Record::from_yaml(&text).unwrap();
    assert_eq!(record.diagnose().findings[0].code.as_str(), "CredentialRejected");
    assert_eq!(record.to_yaml().unwrap(), text);
}

#[test]
fn an_image_is_told_apart_from_a_registry() {
    let outcome = Machine::in_order().doctor(&["r.test/shop/api:v1"]);
    assert_eq!((outcome.status, outcome.out.as_str()), (2, ""));
    let expected = "registrycheck doctor r.test. To try to pull the image: registrycheck check r.test/shop/api:v1";
    assert!(outcome.err.contains(expected), "{}", outcome.err);
}
