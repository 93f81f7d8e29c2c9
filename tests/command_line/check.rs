//! `registrycheck check` against registries on this machine.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use registrycheck::record::Record;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{CANARY, NO_CLUSTER, Outcome, hold_no_canary, run};
use crate::loopback::{Request, Response, registry};

/// The answer to a request for a credential.
pub(super) fn unauthorized(challenge: &str) -> Response {
    Response::of(401).with("WWW-Authenticate", challenge).saying(
        json!({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]})
            .to_string(),
    )
}

/// A registry with one image, shop/api:v1, for alice and her password.
pub(super) fn basic(request: &Request) -> Response {
    let alice = format!("Basic {}", STANDARD.encode(format!("alice:{CANARY}")));
    if request.authorization.as_deref() != Some(alice.as_str()) {
        return unauthorized("Basic realm=\"test\"");
    }
    match request.target.as_str() {
        "/v2/" => Response::of(200),
        "/v2/shop/api/manifests/v1" => served(),
        target if target == format!("/v2/shop/api/blobs/{}", digest(CONFIG)) => {
            Response::of(200).saying(CONFIG)
        }
        "/v2/shop/api/tags/list?n=1" => Response::of(200).saying(r#"{"tags":["v1"]}"#),
        _ => Response::of(404)
            .saying(json!({"errors": [{"code": "MANIFEST_UNKNOWN", "message": ""}]}).to_string()),
    }
}

/// The configuration of an image without layers.
const CONFIG: &str = r#"{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":[]}}"#;

/// The manifest of that image.
fn served() -> Response {
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let config = json!({"digest": digest(CONFIG), "size": CONFIG.len()});
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": []});
    Response::of(200).with("Content-Type", manifest_type).saying(manifest.to_string())
}

pub(super) fn digest(text: &str) -> String {
    format!("sha256:{:x}", Sha256::digest(text))
}

/// A pull secret as a manifest.
fn secret(server: &str, password: &str) -> String {
    let auths = json!({"auths": {server: {"username": "alice", "password": password}}});
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "regcred"},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": auths.to_string()},
    })
    .to_string()
}

fn check(arguments: &[&str], input: &str) -> Outcome {
    run(NO_CLUSTER, &[&["check"], arguments].concat(), input)
}

/// What the program says of an image, by its exit status and the code of the cause.
#[track_caller]
fn answered(arguments: &[&str], input: &str, status: i32, code: &str) -> Value {
    let outcome = check(&[arguments, &["-o", "json"]].concat(), input);
    assert_eq!(outcome.status, status, "{arguments:?}: {}{}", outcome.out, outcome.err);
    assert_eq!(outcome.err, "", "who is no terminal sees no progress");
    let document: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(document["findings"][0]["code"], code, "{document}");
    document
}

#[track_caller]
fn refused(arguments: &[&str], input: &str, expected: &str) {
    let outcome = check(arguments, input);
    assert!(outcome.err.contains(expected), "{arguments:?}: {}", outcome.err);
    assert_eq!((outcome.status, outcome.out.as_str()), (2, ""), "{arguments:?}");
}

#[test]
fn the_exit_status_is_the_verdict() {
    let host = registry(basic);
    let image = format!("{host}/shop/api:v1");
    let right = secret(&host, CANARY);
    let pulled = answered(&[&image, "-f", "-"], &right, 0, "Pullable");
    assert_eq!(pulled["pullable"], true);
    let wrong = secret(&host, "wrong-canary");
    let rejected = answered(&[&image, "-f", "-"], &wrong, 1, "CredentialRejected");
    assert_eq!(rejected["pullable"], false);
    answered(&[&image, "--anonymous"], "", 1, "NoCredentials");
    answered(&[&image], "", 1, "NoCredentials");
    answered(&[&format!("{host}/shop/api:v2"), "-f", "-"], &right, 1, "TagNotFound");
    let strange = registry(|_| Response::of(418));
    let open = answered(&[&format!("{strange}/a")], "", 3, "Inconclusive");
    assert_eq!(open["pullable"], Value::Null);
}

#[test]
fn the_document_has_the_fields_that_are_promised() {
    let host = registry(basic);
    let image = format!("{host}/shop/api:v1");
    let document = answered(&[&image, "-f", "-"], &secret(&host, CANARY), 0, "Pullable");
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&document), ["findings", "image", "probes", "pullable"]);
    let finding = &document["findings"][0];
    assert_eq!(keys(finding), ["code", "confidence", "message", "owner", "remedy", "severity"]);
    let probe = &document["probes"][0];
    assert_eq!(keys(probe), ["credential", "image", "outcome", "steps", "vantage"]);
    assert_eq!(probe["credential"], format!("secret regcred (key {host})"));
    assert_eq!((&probe["outcome"], &probe["vantage"]), (&json!("Pullable"), &json!("Here")));
    let steps = probe["steps"].as_array().unwrap();
    for step in steps {
        assert_eq!(keys(step), ["detail", "durationMs", "name", "result"]);
        assert!(step["durationMs"].is_number() && step["result"] == "passed", "{step}");
    }
    let names: Vec<&str> = steps.iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(&names[..3], ["Connect", "Challenge", "Manifest"]);
}

/// A registry with a token service of its own, which knows alice.
pub(super) fn bearer(request: &Request) -> Response {
    let alice = format!("Basic {}", STANDARD.encode(format!("alice:{CANARY}")));
    match (request.target.starts_with("/token"), &request.authorization) {
        (true, Some(sent)) if *sent == alice => Response::of(200).saying(r#"{"token":"t-canary"}"#),
        (true, _) => Response::of(401),
        (false, _) => unauthorized("Bearer realm=\"http://127.0.0.1:PORT/token\""),
    }
}

#[test]
fn a_registry_is_asked_for_the_login_alone() {
    for (kind, name) in [(basic as fn(&Request) -> Response, "Challenge"), (bearer, "Token")] {
        let host = registry(kind);
        let taken = answered(&[&host, "-f", "-"], &secret(&host, CANARY), 0, "Pullable");
        assert_eq!((&taken["image"], &taken["pullable"]), (&json!(host), &json!(true)));
        assert_eq!(taken["probes"][0]["outcome"], "Accepted");
        let steps = taken["probes"][0]["steps"].as_array().unwrap();
        assert_eq!(steps.last().unwrap()["name"], name);
        let wrong = secret(&host, "wrong-canary");
        let refused = answered(&[&host, "-f", "-"], &wrong, 1, "CredentialRejected");
        assert_eq!(refused["pullable"], false);
        answered(&[&host, "--anonymous"], "", 1, "NoCredentials");
    }
    let open = registry(|_| Response::of(200));
    answered(&[&open], "", 0, "Pullable");
    let text = check(&[&open], "").out;
    assert!(
        text.starts_with(&format!("One can log in at {open}: {open} asks for no login")),
        "{text}"
    );
    answered(&[&registry(|_| Response::of(404))], "", 1, "NotARegistry");
}

#[test]
fn yaml_says_the_same_as_json() {
    let image = format!("{}/a", registry(|_| Response::of(503)));
    let forget_times = |mut document: Value| {
        for step in document["probes"][0]["steps"].as_array_mut().unwrap() {
            step["durationMs"] = Value::Null;
        }
        document
    };
    let json = answered(&[&image], "", 1, "RegistryUnavailable");
    let yaml = check(&[&image, "-o", "yaml"], "");
    let yaml: Value = serde_yaml_ng::from_str(&yaml.out).unwrap();
    assert_eq!(forget_times(yaml), forget_times(json));
}

#[test]
fn a_person_is_told_what_is_wrong_what_to_do_and_what_was_seen() {
    let host = registry(basic);
    let image = format!("{host}/shop/api:v1");
    let outcome = check(&[&image, "-f", "-"], &secret(&host, "wrong-canary"));
    let lines: Vec<&str> = outcome.out.lines().collect();
    let verdict = format!("{image} cannot be pulled: {host} refuses the user name or password");
    assert!(lines[0].starts_with(&verdict), "{}", outcome.out);
    assert!(lines[1].contains("kubectl create secret docker-registry regcred"), "{}", outcome.out);
    for expected in [
        "Tried from here, with the pull secrets in standard input, for any platform:",
        "  without a credential, as every pull begins",
        &format!("  secret regcred (key {host}): CredentialRejected"),
    ] {
        assert!(lines.contains(&expected), "{expected}: {}", outcome.out);
    }
    let without = check(&[&image], "").out;
    assert!(without.contains("without a credential, for no cluster is at hand"), "{without}");
}

#[test]
fn what_is_wrong_on_the_command_line_is_said_with_what_to_write() {
    let image = "r.test/a:1";
    refused(&["https://r.test/App:1"], "", "; write r.test/app:1");
    refused(&[image, "-f", "/nonexistent/file"], "", "cannot read /nonexistent/file: ");
    refused(&[image, "-f", "-"], "", "there is no Secret in it");
    refused(&[image, "-f", "-"], "a: [canary", "it is neither YAML nor JSON");
    let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: d}\n";
    refused(&[image, "-f", "-"], account, "ServiceAccount d is no Secret\nhint: write the Secrets");
    let accounts = format!("{account}---\n{account}---\n{}", secret("r.test", CANARY));
    refused(&[image, "-f", "-"], &accounts, "write at most one ServiceAccount");
    refused(&[image, "-n", "shop"], "", "set KUBECONFIG, or give the secrets with -f");
    refused(&[image, "-n", "shop", "-f", "-"], "", "cannot be used with");
    refused(&[image, "--pod", "p", "--pull-secret", "s"], "", "cannot be used with");
    refused(&[image, "--anonymous", "-f", "-"], "", "cannot be used with");
    refused(
        &[image, "--timeout", "soon"],
        "",
        "soon is no duration\n\nhint: write for example 30s",
    );
    refused(
        &[image, "--platform", "amd64"],
        "",
        "is no platform\n\nhint: write for example linux/amd64",
    );
    refused(&[image, "--platform", "a/b/c/d"], "", "with a variant linux/arm/v7");
    refused(&[image, "--anonymous", "--node-config", "f"], "", "cannot be used with");
    refused(&[image, "--ca-file", "/etc/hostname"], "", "holds no certificate in PEM form");
    refused(&[image, "-o", "jsn"], "", "[possible values: text, json, yaml]");
    refused(&[image, "--nodes", "n"], "", "unexpected argument '--nodes'");
    refused(&[image, "--node", "n"], "", "set KUBECONFIG");
    refused(&[image, "--node", "n/../m"], "", "no node can be called n/../m");
    refused(&[image, "--node", "n", "--anonymous"], "", "cannot be used with");
    refused(&[image, "--node-probe-namespace", "n"], "", "--node <NODE>");
}

/// A registry whose token service, or which itself, says all that it was sent.
fn echoing(scheme: &'static str, status: u16) -> String {
    registry(move |request| {
        let Request { target, authorization, body, .. } = request;
        let is_token = target.starts_with("/token");
        if authorization.is_none() && !is_token {
            let realm = "http://127.0.0.1:PORT/token";
            return match scheme {
                "Basic" => unauthorized("Basic realm=\"test\""),
                _ => unauthorized(&format!("Bearer realm=\"{realm}\",service=\"test\"")),
            };
        }
        let sent = format!("{} {body} {CANARY}", authorization.as_deref().unwrap_or_default());
        let basic = STANDARD.encode(format!("alice:{CANARY}"));
        let message = format!("{sent} {basic} alice:{CANARY}");
        let errors = json!({"errors": [{"code": "DENIED", "message": message}]});
        Response::of(status).with("X-Request-Id", message).saying(errors.to_string())
    })
}

/// What was typed, what was answered and what was written down hold no password, in whatever
/// form and whoever sends it back.
#[test]
fn no_output_holds_a_password() {
    let evidence =
        std::env::temp_dir().join(format!("registrycheck-canary-{}.yaml", std::process::id()));
    let file = evidence.to_str().unwrap();
    for (scheme, status) in [("Basic", 401), ("Basic", 403), ("Basic", 500), ("Bearer", 401)] {
        let host = echoing(scheme, status);
        let image = format!("{host}/shop/api:v1");
        for output in ["text", "json", "yaml"] {
            let arguments = [&image, "-f", "-", "-o", output, "--evidence", file];
            let outcome = check(&arguments, &secret(&host, CANARY));
            assert!(matches!(outcome.status, 1 | 3), "{}{}", outcome.out, outcome.err);
            assert!(outcome.out.contains("regcred"), "{}", outcome.out);
            hold_no_canary(&[&std::fs::read_to_string(&evidence).unwrap()]);
        }
    }
    let broken = secret("h.test", CANARY).replace("auths", CANARY);
    check(&["h.test/a", "-f", "-", "--evidence", file], &broken);
    hold_no_canary(&[&std::fs::read_to_string(&evidence).unwrap()]);
    std::fs::remove_file(&evidence).unwrap();
}

/// On a terminal each step is told, and there too no password.
#[test]
fn a_terminal_sees_each_step() {
    let host = registry(basic);
    let manifest = std::env::temp_dir().join(format!("registrycheck-tty-{}", std::process::id()));
    std::fs::write(&manifest, secret(&host, CANARY)).unwrap();
    let program = env!("CARGO_BIN_EXE_registrycheck");
    let line = format!("{program} check {host}/shop/api:v1 -f {} >/dev/null", manifest.display());
    // script gives the program a terminal, of which only the standard error is left.
    let output = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env("KUBECONFIG", NO_CLUSTER)
        .output()
        .unwrap();
    std::fs::remove_file(&manifest).unwrap();
    let seen = String::from_utf8(output.stdout).unwrap();
    let steps = ["Connect ", "Challenge ", "Manifest "];
    let places = steps.map(|step| seen.find(step).unwrap_or_else(|| panic!("{step}: {seen}")));
    assert!(places.is_sorted(), "{seen}");
    hold_no_canary(&[&seen]);
}

/// What `check` wrote is what `tests/cases` reads.
#[test]
fn what_the_node_has_comes_after_the_pull_secrets() {
    let host = registry(basic);
    let image = format!("{host}/shop/api:v1");
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("node-of-check.json");
    let login = json!({"auths": {&host: {"username": "alice", "password": CANARY}}});
    std::fs::write(&file, login.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let wrong = secret(&host, "wrong-canary");
    let both =
        answered(&[&image, "-f", "-", "--node-config", file], &wrong, 0, "CredentialRejected");
    assert_eq!(both["probes"][0]["credential"], format!("secret regcred (key {host})"));
    assert_eq!(both["probes"][1]["credential"], format!("node file {file} (key {host})"));
    answered(&[&image, "--node-config", file], "", 0, "Pullable");
    for (arguments, input, place) in [
        (
            &["-f", "-"][..],
            wrong.as_str(),
            "the pull secrets in standard input and what the node has",
        ),
        (&[], "", "what the node has"),
    ] {
        let arguments = [&[image.as_str(), "--node-config", file], arguments].concat();
        let outcome = check(&arguments, input);
        let heading = format!("Tried from here, with {place}, for any platform:");
        assert!(outcome.out.lines().any(|line| line == heading), "{heading}: {}", outcome.out);
    }
}

#[test]
fn an_image_is_for_the_platform_that_is_asked_for() {
    let host = registry(basic);
    let image = format!("{host}/shop/api:v1");
    let right = secret(&host, CANARY);
    let of = |platform| ["-f", "-", "--platform", platform];
    // An image of one platform alone is pulled whatever its platform is.
    answered(&[&[image.as_str()], &of("linux/amd64")[..]].concat(), &right, 0, "Pullable");
    answered(&[&[image.as_str()], &of("linux/arm64")[..]].concat(), &right, 0, "PlatformMismatch");
    let outcome = check(&[&[image.as_str()], &of("Linux/x86_64")[..]].concat(), &right);
    assert!(outcome.out.contains("in standard input, for linux/amd64:"), "{}", outcome.out);
}

#[test]
fn evidence_can_be_read_again() {
    let file = std::env::temp_dir().join(format!("registrycheck-read-{}.yaml", std::process::id()));
    let path = file.to_str().unwrap();
    let host = registry(basic);
    let image = format!("{host}/shop/api:v9");
    let arguments = [&image, "-f", "-", "--evidence", path];
    let document = answered(&arguments, &secret(&host, CANARY), 1, "TagNotFound");
    let record = Record::from_yaml(&std::fs::read_to_string(&file).unwrap()).unwrap();
    std::fs::remove_file(&file).unwrap();
    let codes: Vec<String> =
        record.diagnose().findings.iter().map(|finding| finding.code.to_string()).collect();
    let told: Vec<&str> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, told);
    refused(
        &["r.test/a", "--evidence", "/nonexistent/e.yaml", "--anonymous", "--timeout", "1s"],
        "",
        "cannot write the evidence to /nonexistent/e.yaml",
    );
}
