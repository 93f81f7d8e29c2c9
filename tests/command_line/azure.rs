//! What a node's identity of Azure adds to `check` and `credentials`, without any network.

use std::path::PathBuf;

use serde_json::Value;

use super::{NO_CLUSTER, Outcome, credentials, run};

const IMAGE: &str = "shop.azurecr.io/api:v1";
const ACCOUNT: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: robot\n  \
    annotations: {kubernetes.azure.com/acr-client-id: app}\n";

/// A file of the test data.
fn data(name: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/data/azure").join(name).display().to_string()
}

fn check(arguments: &[&str], input: &str) -> Outcome {
    run(NO_CLUSTER, &[&["check", IMAGE, "--timeout", "1s"], arguments].concat(), input)
}

#[track_caller]
fn refused(arguments: &[&str], input: &str, expected: &str) {
    let outcome = check(arguments, input);
    assert_eq!(outcome.status, 2, "{arguments:?}: {}", outcome.err);
    assert!(outcome.err.contains(expected), "{arguments:?}: {}", outcome.err);
    assert_eq!(outcome.out, "", "{arguments:?}");
}

#[test]
fn the_identity_stands_after_the_pull_secrets() {
    let secret = r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},
        "type":"kubernetes.io/dockerconfigjson","stringData":{".dockerconfigjson":
        "{\"auths\":{\"shop.azurecr.io\":{\"username\":\"u\",\"password\":\"canary\"}}}"}}"#;
    for (file, identity) in [
        ("managed.json", "kubelet identity 11111111-2222-3333-4444-555555555555"),
        ("principal.json", "service principal 66666666-7777-8888-9999-000000000000 of the node"),
    ] {
        let file = data(file);
        let outcome = credentials(&[IMAGE, "--azure-config", &file, "-f", "-"], secret);
        assert_eq!(outcome.status, 0, "{}", outcome.err);
        let lines: Vec<&str> = outcome.out.lines().collect();
        for expected in [
            "  1. secret s (key shop.azurecr.io)".to_owned(),
            format!("  2. {identity}, which logs in when the image is pulled"),
            "  3. nobody's credential of acr-credential-provider (key *.azurecr.*)".to_owned(),
        ] {
            assert!(lines.contains(&expected.as_str()), "{expected}\n{}", outcome.out);
        }
    }
    let file = data("managed.json");
    let alone = credentials(&[IMAGE, "--azure-config", &file, "-o", "json"], "");
    let document: Value = serde_json::from_str(&alone.out).unwrap();
    assert_eq!(document["identity"]["kind"], "managed");
    assert_eq!(document["anonymous"], false);
    assert_eq!(document["credentials"], Value::Array(Vec::new()));
}

#[test]
fn a_file_that_cannot_be_used_is_said_as_the_provider_would_fail() {
    let file = data("broken.json");
    let outcome = credentials(&[IMAGE, "--azure-config", &file], "");
    assert_eq!(outcome.status, 0, "{}", outcome.err);
    let expected = format!(
        "credential provider acr-credential-provider fails, since {file} cannot be used: its \
         aadClientSecret is a list, and must be a string"
    );
    assert!(outcome.out.contains(&expected), "{}", outcome.out);
    let outcome = credentials(&["nginx", "--azure-config", &data("managed.json")], "");
    assert!(
        outcome.out.contains("is not run, since no item of its matchImages matches: *.azurecr.io"),
        "{}",
        outcome.out
    );
}

#[test]
fn a_configuration_of_providers_says_for_which_hosts() {
    let configuration = data("providers.yaml");
    let arguments = ["--credential-provider-config", &configuration];
    let managed = data("managed.json");
    let azure = ["--azure-config", &managed];
    refused(&arguments, "", "--credential-provider-bin-dir");
    let all = [&["mcr.azurecr.cn/api"], &arguments[..], &azure].concat();
    let outcome = credentials(&all, "");
    assert!(outcome.out.contains("  1. kubelet identity 11111111-"), "{}", outcome.out);
    let all = [&["other.test/api"], &arguments[..], &azure].concat();
    let outcome = credentials(&all, "");
    assert_eq!(outcome.status, 3, "{}", outcome.out);
    let expected = "credential provider other is not run here, since the directory of the \
                    providers is not given, so what it would answer is not known";
    assert!(outcome.out.contains(expected), "{}", outcome.out);
}

#[test]
fn a_service_account_counts_with_its_annotations() {
    let [managed, token] = ["managed.json", "token"].map(data);
    let azure = ["--azure-config", &managed];
    let with_token = [&azure[..], &["--service-account-token-file", &token]].concat();
    refused(&with_token, "", "goes with a service account, whose annotations name the identity");
    let all = [&[IMAGE], &with_token[..], &["-f", "-"]].concat();
    let outcome = credentials(&all, ACCOUNT);
    let expected = "service account robot has no annotation kubernetes.azure.com/acr-tenant-id";
    assert!(outcome.out.contains(expected), "{}", outcome.out);
    let both = ACCOUNT.replace("app}", "app, kubernetes.azure.com/acr-tenant-id: tenant}");
    let outcome = credentials(&all, &both);
    assert!(outcome.out.contains("  1. identity app of service account robot"), "{}", outcome.out);
    // Without a token it depends on what the node is configured for.
    let outcome = credentials(&[&[IMAGE], &azure[..], &["-f", "-"]].concat(), &both);
    assert_eq!(outcome.status, 3, "{}", outcome.out);
    assert!(outcome.out.contains("wants a token of service account robot"), "{}", outcome.out);
    refused(&["-f", "-"], &both, "is no Secret\nhint: write the Secrets that the pod names");
}

#[test]
fn what_is_wrong_with_the_arguments_is_said() {
    let managed = data("managed.json");
    refused(&["--azure-config", "/nonexistent"], "", "AKS has at /etc/kubernetes/azure.json");
    refused(&["--azure-confg", &managed], "", "a similar argument exists: '--azure-config'");
    refused(&["--anonymous", "--azure-config", &managed], "", "cannot be used with");
    refused(&["--service-account-token-file", &managed], "", "--azure-config");
    let token = ["--azure-config", &managed, "-f", "-", "--service-account-token-file"];
    refused(&[&token[..], &["/nonexistent"]].concat(), ACCOUNT, "kubectl create token");
    refused(&[&token[..], &[managed.as_str()]].concat(), ACCOUNT, "holds no token of a service");
}

#[test]
fn a_right_to_make_tokens_is_for_an_account_by_its_name() {
    for (arguments, expected) in [
        (&["run", "--token-for", "shop/*"][..], "shop/* is more than one service account"),
        (
            &["manifests", "--token-for", "robot"],
            "robot names no service account: write NAMESPACE/",
        ),
        (&["run", "--azure-cloud", "AzureStackCloud"], "write one of AzureCloud, AzureUSGovern"),
    ] {
        let outcome = run(NO_CLUSTER, arguments, "");
        assert_eq!(outcome.status, 2, "{arguments:?}: {}", outcome.err);
        assert!(outcome.err.contains(expected), "{arguments:?}: {}", outcome.err);
    }
    let plain = run(NO_CLUSTER, &["manifests"], "").out;
    assert!(!plain.contains("serviceaccounts/token"), "{plain}");
    let with = run(NO_CLUSTER, &["manifests", "--token-for=shop/robot"], "").out;
    let of_cluster = with.split("\n---\n").filter(|text| text.contains("\nkind: ClusterRole\n"));
    for role in of_cluster {
        assert!(!role.contains("serviceaccounts/token"), "{role}");
    }
    let mut roles = with.split("\n---\n").filter(|text| text.contains("serviceaccounts/token"));
    let role = roles.next().unwrap();
    for expected in ["kind: Role\n", "namespace: shop", "- robot", "- create"] {
        assert!(role.contains(expected), "{expected}: {role}");
    }
    assert_eq!(roles.next(), None);
    assert!(with.contains("- --token-for=shop/robot"), "{with}");
}
