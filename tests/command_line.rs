//! The command line as its users meet it: the program, its outputs and its exit statuses.

mod azure;
mod check;
pub(crate) mod doctor;
mod hosts;
mod node;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A password that no output may hold.
pub(crate) const CANARY: &str = "canary-5c8e+/%\"pass";
/// A kubeconfig that is not there.
pub(crate) const NO_CLUSTER: &str = "/nonexistent/kubeconfig";
const IMAGE: &str = "registry.shop.test/shop/api:v1";

/// What the program wrote, and how it ended.
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `registrycheck credentials` without any cluster within reach.
fn credentials(arguments: &[&str], input: &str) -> Outcome {
    credentials_of(NO_CLUSTER, arguments, input)
}

/// Runs `registrycheck credentials` with the cluster of a kubeconfig.
pub(crate) fn credentials_of(kubeconfig: &str, arguments: &[&str], input: &str) -> Outcome {
    run(kubeconfig, &[&["credentials"], arguments].concat(), input)
}

/// Runs the program with the cluster of a kubeconfig. What it writes holds no canary.
pub(crate) fn run(kubeconfig: &str, arguments: &[&str], input: &str) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_registrycheck"))
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .env_remove("KUBERNETES_SERVICE_HOST")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    hold_no_canary(&[&out, &err]);
    Outcome { status: output.status.code().unwrap(), out, err }
}

/// Neither [`CANARY`] nor another password that is called so, as it is or in base64.
#[track_caller]
pub(crate) fn hold_no_canary(written: &[&str]) {
    for written in written {
        for canary in ["canary", "Y2FuYXJ5", "OmNhbmFye", "pjYW5hcn"] {
            assert!(!written.contains(canary), "{canary} is in {written}");
        }
    }
}

#[track_caller]
fn refused(arguments: &[&str], input: &str, status: i32, expected: &str) {
    let outcome = credentials(arguments, input);
    assert_eq!(outcome.status, status, "{arguments:?}: {}", outcome.err);
    assert!(outcome.err.contains(expected), "{arguments:?}: {}", outcome.err);
    assert_eq!(outcome.out, "", "{arguments:?}");
}

fn secret(name: &str, entries: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": json!({ "auths": entries }).to_string()},
    })
}

/// Two secrets, of which the second has an entry for another port.
fn secrets() -> String {
    let first =
        secret("first", &json!({"registry.shop.test": {"username": "robot", "password": CANARY}}));
    let second = secret(
        "second",
        &json!({
            "registry.shop.test/shop": {"username": "deploy", "password": CANARY},
            "registry.shop.test:5000": {"username": "robot", "password": CANARY},
        }),
    );
    let opaque = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "opaque"},
        "stringData": {"password": CANARY},
    });
    json!({"apiVersion": "v1", "kind": "List", "items": [first, second, opaque]}).to_string()
}

fn digest() -> String {
    format!("{:x}", Sha256::digest(CANARY))
}

#[test]
fn a_person_is_told_what_is_tried_and_what_is_not() {
    let outcome = credentials(&[IMAGE, "-f", "-"], &secrets());
    assert_eq!(outcome.status, 0, "{}", outcome.err);
    let digest = digest();
    let expected = format!(
        "\
registry.shop.test/shop/api:v1 with the pull secrets in standard input
Entries are matched with registry.shop.test/shop/api.

Tried in this order, until one succeeds; never anonymously:
  1. secret second (key registry.shop.test/shop)
     user deploy
     password with SHA-256 {digest}
  2. secret first (key registry.shop.test)
     user robot
     password with SHA-256 {digest}

Not used:
  secret second (key registry.shop.test:5000) does not match, since it has port 5000 and the image no port (there are no default ports)
  secret opaque is passed over: its type is Opaque

A node may have credentials of its own, which are tried after these and are not seen from here.
"
    );
    assert_eq!(outcome.out, expected);
}

#[test]
fn a_program_is_told_the_same() {
    let json = credentials(&[IMAGE, "-f", "-", "-o", "json"], &secrets());
    let document: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(document["credentials"][0]["username"], "deploy");
    assert_eq!(document["credentials"][1]["passwordSha256"], digest());
    assert_eq!(document["anonymous"], false);
    assert_eq!(document["unused"].as_array().unwrap().len(), 2);
    let yaml = credentials(&[IMAGE, "-f", "-", "-o", "yaml"], &secrets());
    assert_eq!(serde_yaml_ng::from_str::<Value>(&yaml.out).unwrap(), document);
}

#[test]
fn files_count_in_the_order_in_which_they_are_given() {
    let folder = std::env::temp_dir().join(format!("registrycheck-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let files: Vec<PathBuf> = ["b", "a"].map(|name| folder.join(name)).into();
    for file in &files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let secret = secret(name, &json!({"registry.shop.test": {"password": CANARY}}));
        std::fs::write(file, secret.to_string()).unwrap();
    }
    let [first, second] = [0, 1].map(|place: usize| files[place].to_str().unwrap());
    let outcome = credentials(&[IMAGE, "-o", "json", "-f", first, "-f", second], "");
    std::fs::remove_dir_all(&folder).unwrap();
    let document: Value = serde_json::from_str(&outcome.out).unwrap();
    let secrets = [0, 1].map(|place| document["credentials"][place]["secret"].clone());
    assert_eq!(secrets, ["b", "a"]);
}

#[test]
fn a_secret_that_cannot_be_read_stops_every_pull() {
    let broken = secret("broken", &json!({"other.test": {"auth": CANARY}}));
    let outcome = credentials(&[IMAGE, "-f", "-"], &broken.to_string());
    assert_eq!(outcome.status, 1);
    assert!(outcome.out.contains("\nNothing is pulled: "), "{}", outcome.out);
    assert!(outcome.out.contains("secret broken cannot be read: the auth of entry other.test"));
}

#[test]
fn what_is_wrong_is_said_with_what_to_write() {
    refused(&["https://reg.test/App:1", "-f", "-"], &secrets(), 2, "; write reg.test/app:1");
    refused(&[IMAGE, "-f", "/nonexistent/file"], "", 2, "cannot read /nonexistent/file: ");
    refused(&[IMAGE, "-f", "-"], "", 2, "there is no Secret in it");
    refused(&[IMAGE, "-f", "-"], "a: [canary", 2, "it is neither YAML nor JSON");
    let sealed = "kind: SealedSecret\napiVersion: bitnami.com/v1alpha1\nmetadata: {name: s}";
    refused(&[IMAGE, "-f", "-"], sealed, 2, "SealedSecret s is no Secret\nhint: write the Secrets");
    refused(&[], "", 2, "<IMAGE>");
    refused(&[IMAGE, "--batch"], "", 2, "--batch");
    refused(&[IMAGE, "-n", "shop", "-f", "-"], "", 2, "cannot be used with");
    refused(&[IMAGE, "--service-account", "a", "--pull-secret", "b"], "", 2, "cannot be used with");
    refused(&[IMAGE, "-n", "shop"], "", 2, "set KUBECONFIG, or give the secrets with -f");
}

#[test]
fn a_batch_is_answered_line_by_line() {
    let data = secret("s", &json!({"registry.shop.test": {"username": "u", "password": CANARY}}));
    let document = data["stringData"][".dockerconfigjson"].as_str().unwrap();
    let document = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, document);
    let good = json!({"id": "1", "image": IMAGE, "secrets": [
        {"name": "s", "type": data["type"], "data": {".dockerconfigjson": document}}]});
    let outcome = credentials(&["--batch"], &format!("{good}\n{CANARY}\n{good}"));
    assert_eq!((outcome.status, outcome.err.as_str()), (0, ""));
    let answers: Vec<Value> =
        outcome.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [first, second, third] = answers.as_slice() else { panic!("{answers:?}") };
    let expected = json!({"id": "1", "error": null, "repository": "registry.shop.test/shop/api",
        "credentials": [{"username": "u", "passwordSha256": digest(), "secret": "s"}]});
    assert_eq!((first, third), (&expected, &expected));
    assert!(outcome.out.starts_with(r#"{"id":"1","error":null,"repository":"#));
    assert_eq!((&second["id"], &second["repository"]), (&Value::Null, &Value::Null));
    assert!(second["error"].is_string());
}

/// kubectl finds its plugins by their names in PATH.
#[test]
fn it_answers_to_its_name_as_a_plugin() {
    let folder = std::env::temp_dir().join(format!("registrycheck-plugin-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let plugin = folder.join("kubectl-registrycheck");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_registrycheck"), &plugin).unwrap();
    let help = Command::new(&plugin).args(["check", "--help"]).output().unwrap();
    let version = Command::new(&plugin).arg("--version").output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("Usage: kubectl registrycheck check [OPTIONS] <IMAGE"), "{help}");
    let version = String::from_utf8(version.stdout).unwrap();
    assert!(version.starts_with("kubectl-registrycheck "), "{version}");
}

#[test]
fn shells_learn_to_complete() {
    for shell in ["bash", "zsh", "fish"] {
        let outcome = run(NO_CLUSTER, &["completions", shell], "");
        assert_eq!((outcome.status, outcome.err.as_str()), (0, ""));
        assert!(outcome.out.contains("pull-secret"), "{shell}: {}", outcome.out);
    }
    assert_eq!(run(NO_CLUSTER, &["completions", "cmd"], "").status, 2);
}

/// All names of fields in a document.
fn fields(document: &Value, found: &mut BTreeSet<String>) {
    match document {
        Value::Object(object) => {
            for (name, value) in object {
                found.insert(name.clone());
                fields(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| fields(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What the page says of the forms for programs, and what the program writes.
#[test]
fn the_fields_of_the_page_are_those_of_the_answers() {
    let page = include_str!("../docs/command-line.md");
    let documented = |command: &str| -> BTreeSet<String> {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{command}`"))).unwrap();
        let cell = row.split(" | ").nth(1).unwrap();
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let answered = |text: &str| {
        let mut found = BTreeSet::new();
        fields(&serde_json::from_str(text).unwrap(), &mut found);
        found
    };
    let credentials = credentials(&[IMAGE, "-f", "-", "-o", "json"], &secrets());
    assert_eq!(answered(&credentials.out), documented("credentials"));
    let line = json!({"id": "1", "image": IMAGE, "secrets": []}).to_string();
    let batch = run(NO_CLUSTER, &["credentials", "--batch"], &line);
    assert!(answered(&batch.out).is_subset(&documented("credentials --batch")), "{}", batch.out);
    let explained = run(NO_CLUSTER, &["explain", "-"], "pull QPS exceeded");
    assert_eq!(answered(&explained.out), documented("explain -"));
    let checked = run(NO_CLUSTER, &["check", "127.0.0.1:1/a:1", "--anonymous", "-o", "json"], "");
    assert_eq!(answered(&checked.out), documented("check"));
}

/// What a real bash completes with the script.
#[test]
fn bash_completes_commands_and_options() {
    let script = r#"
        source <(registrycheck completions bash)
        COMP_WORDS=(registrycheck "$1" "$2"); COMP_CWORD=${3}
        _registrycheck registrycheck "${COMP_WORDS[COMP_CWORD]}" ""
        printf '%s\n' "${COMPREPLY[@]}""#;
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_registrycheck")).parent().unwrap();
    for (first, second, place, expected) in [
        ("cred", "", "1", "credentials"),
        ("check", "--pull-s", "2", "--pull-secret"),
        ("doc", "", "1", "doctor"),
    ] {
        let output = Command::new("bash")
            .args([
                "-c",
                &format!("PATH={}:$PATH; {script}", program.display()),
                "-",
                first,
                second,
                place,
            ])
            .output()
            .unwrap();
        let found = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(found.trim(), expected, "{first} {second}: {errors}");
    }
}

#[test]
fn a_typo_is_told_what_was_meant() {
    for (arguments, expected) in [
        (&["chek", "nginx"][..], "error: unrecognized subcommand 'chek'\n\nhint: "),
        (
            &["check", "nginx", "--anonymus"],
            "error: unexpected argument '--anonymus' found\n\nhint: ",
        ),
        (&["explain", "Tagnotfund"], "error: Tagnotfund is no code of a finding\nhint: there is "),
        (&["run", "--keep-recovered", "1 day"], "hint: write for example 30s, 10m or 1h30m"),
    ] {
        let outcome = run(NO_CLUSTER, arguments, "");
        assert_eq!((outcome.status, outcome.out.as_str()), (2, ""), "{arguments:?}");
        assert!(outcome.err.contains(expected), "{arguments:?}: {}", outcome.err);
        assert!(!outcome.err.contains('\u{1b}'), "no colours where there is no terminal");
    }
}

/// On a terminal it is the same with colours, unless its user wants none.
#[test]
fn a_terminal_is_told_the_same_in_colours() {
    let program = env!("CARGO_BIN_EXE_registrycheck");
    for (environment, coloured) in
        [("TERM=xterm", true), ("TERM=dumb", false), ("TERM=xterm NO_COLOR=1", false)]
    {
        let command = format!("env -u NO_COLOR {environment} {program} check nginx --anonymus");
        let output = Command::new("script").args(["-qec", &command, "/dev/null"]).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(shown.contains('\u{1b}'), coloured, "{environment}: {shown}");
        assert!(shown.contains("hint:") && !shown.contains("tip:"), "{environment}: {shown}");
    }
}
