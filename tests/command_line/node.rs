//! `registrycheck credentials` with what a node has of its own.

use serde_json::Value;

use super::{credentials, refused};

const IMAGE: &str = "reg.test/app:v1";

fn data(path: &str) -> String {
    format!("{}/tests/data/node/{path}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_node_comes_after_the_pull_secrets() {
    let secret = r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},
        "type":"kubernetes.io/dockerconfigjson","stringData":{".dockerconfigjson":
        "{\"auths\":{\"reg.test\":{\"username\":\"secret\",\"password\":\"canary\"}}}"}}"#;
    let [file, configuration, programs] =
        ["good/config.json", "configuration", "providers"].map(data);
    let node = [
        "--node-config",
        &file,
        "--credential-provider-config",
        &configuration,
        "--credential-provider-bin-dir",
        &programs,
    ];
    let arguments = [&[IMAGE, "-f", "-"], &node[..]].concat();
    let outcome = credentials(&arguments, secret);
    assert_eq!(outcome.status, 0, "{}", outcome.err);
    let lines: Vec<&str> = outcome.out.lines().collect();
    assert_eq!(
        lines[0],
        "reg.test/app:v1 with the pull secrets in standard input, and what the node has"
    );
    for expected in [
        "  1. secret s (key reg.test)".to_owned(),
        format!("  2. node file {file} (key reg.test)"),
        "  3. credential provider example (key *.test)".to_owned(),
        "     user reg.test/app".to_owned(),
        format!("  node file {file} (key a b) is dropped, since its host holds ' ', which no host may"),
        "  credential provider other is not run, since no item of its matchImages matches: other.example".to_owned(),
    ] {
        assert!(lines.contains(&expected.as_str()), "{expected}\n{}", outcome.out);
    }
    let json = credentials(&[&[IMAGE, "-o", "json"], &node[..]].concat(), "");
    let document: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(document["credentials"][0]["nodeFile"], file.as_str());
    assert_eq!(document["credentials"][0]["secret"], Value::Null);
    assert_eq!(document["credentials"][1]["provider"], "example");
    assert_eq!(document["anonymous"], false);
}

#[test]
fn what_is_wrong_with_the_arguments_of_a_node_is_said() {
    let [file, programs] = ["good/config.json", "providers"].map(data);
    let providers = ["--credential-provider-config", &file];
    refused(&[&[IMAGE], &providers[..]].concat(), "", 2, "--credential-provider-bin-dir");
    let both = [&providers[..], &["--credential-provider-bin-dir", &programs]].concat();
    refused(&[&[IMAGE], &both[..]].concat(), "", 2, "as no kubelet could");
    refused(&["--batch", "--node-config", &file], "", 2, "for pull secrets alone");
    let none = credentials(&[IMAGE, "--node-config", "/nonexistent/config.json"], "");
    assert_eq!(none.status, 0, "{}", none.err);
    assert!(none.out.contains("No credential applies: the image is pulled anonymously."));
    assert!(
        none.out.contains("node file /nonexistent/config.json is passed over: it does not exist")
    );
}
