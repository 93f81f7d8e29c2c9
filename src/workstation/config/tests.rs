use super::{Config, Fault, read};
use crate::evidence::workstation::Client;
use crate::properties::{check, edited_bytes};

const DOCKER: Client = Client::Docker;
const PODMAN: Client = Client::Podman;

/// The entries as `name=user:digest of the password:digest of the token`; no digest for nothing.
fn shown(config: &Config) -> Vec<String> {
    let digest = |secret: &crate::secret::Secret| {
        if secret.is_empty() { String::new() } else { secret.sha256()[..4].to_owned() }
    };
    let entries = config.entries.iter();
    let line = |(name, entry): (&String, &super::Entry)| {
        format!("{name}={}:{}:{}", entry.username, digest(&entry.password), digest(&entry.token))
    };
    entries.map(line).collect()
}

#[track_caller]
fn good(client: Client, document: &str, expected: &[&str]) -> Config {
    let config = read(client, document.as_bytes()).unwrap();
    assert_eq!(shown(&config), expected, "{document}");
    config
}

#[track_caller]
fn bad(client: Client, document: &str, expected: (&str, usize, usize)) {
    let Fault { problem, line, column } = read(client, document.as_bytes()).unwrap_err();
    assert_eq!((problem.as_str(), line, column), expected, "{document}");
    assert!(!problem.contains("canary"), "{problem}");
}

#[test]
fn what_the_clients_write_is_read() {
    // The SHA-256 of p begins with 148d, and that of t with e3b9.
    let written = r#"{
        "auths": {
            "r.test": {"auth": "dTpw"},
            "a.azurecr.io": {"auth": "MDAwOg==", "identitytoken": "t"},
            "kept.test": {}
        },
        "credsStore": "secretservice",
        "credHelpers": {"h.test": "pass"},
        "currentContext": "build",
        "HttpHeaders": {"User-Agent": "x"}
    }"#;
    let expected = ["a.azurecr.io=000::e3b9", "kept.test=::", "r.test=u:148d:"];
    let config = good(DOCKER, written, &expected);
    assert_eq!(config.store.as_deref(), Some("secretservice"));
    assert_eq!(config.helpers["h.test"], "pass");
    assert_eq!(config.context.as_deref(), Some("build"));
    assert!(config.entries["kept.test"].is_empty() && !config.entries["r.test"].is_empty());
    good(DOCKER, r#"{"AUTHS":{"r.test":{"Username":"u","password":"p"}}}"#, &["r.test=u:148d:"]);
    good(DOCKER, r#"{"auths":null,"credsStore":"","currentContext":null}"#, &[]);
    // What follows the password is what older clients padded it with.
    good(DOCKER, r#"{"auths":{"r.test":{"auth":"dTpwAAA="}}}"#, &["r.test=u:148d:"]);
}

#[test]
fn the_clients_differ_where_a_file_is_odd() {
    good(DOCKER, "", &[]);
    good(DOCKER, " \n", &[]);
    bad(PODMAN, "", ("it is empty", 1, 1));
    good(DOCKER, "{}\n}", &[]);
    bad(PODMAN, "{}\n}", ("it is no valid JSON: something follows its end", 2, 1));
    let without_colon = r#"{"auths":{"r.test":{"auth":"Y2FuYXJ5"}}}"#;
    let problem = "no colon stands in the base64 of the auth of entry r.test";
    bad(DOCKER, without_colon, (problem, 1, 28));
    good(PODMAN, without_colon, &["r.test=::"]);
    let without_user = r#"{"auths":{"r.test":{"auth":"OnA="}}}"#;
    let problem = "no user name stands in the base64 of the auth of entry r.test";
    bad(DOCKER, without_user, (problem, 1, 28));
    good(PODMAN, without_user, &["r.test=:148d:"]);
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_without_the_content() {
    let too_early = "it is no valid JSON: it ends too early";
    bad(DOCKER, "{\n  \"auths\": {\"r.test\": {\"auth\": \"canary", (too_early, 2, 39));
    bad(DOCKER, "{\n  \"auths\": {},\n}", ("it is no valid JSON", 3, 1));
    bad(DOCKER, "{\n  'auths': {}}", ("it is no valid JSON", 2, 3));
    bad(DOCKER, "canary", ("it is no valid JSON", 1, 1));
    bad(DOCKER, "[]", ("it is an array and must be an object", 1, 1));
    bad(
        DOCKER,
        "{\n\"auths\":\n  [\"canary\"]}",
        ("the field auths is an array and must be an object", 3, 3),
    );
    let problem = "the entry r.test is a string and must be an object";
    bad(DOCKER, "{\"auths\":{\"r.test\":\"canary\"}}", (problem, 1, 20));
    let problem = "the auth of entry r.test is a number and must be a string";
    bad(DOCKER, "{\"auths\":{\n\"é\":{},\"r.test\":{\"auth\":7}}}", (problem, 2, 25));
    let problem = "no valid base64 is the auth of entry r.test";
    bad(DOCKER, "{\"auths\":{\"r.test\":{\"auth\":\"canary!\"}}}", (problem, 1, 28));
    // It lacks its padding, which the kubelet would not mind.
    bad(DOCKER, "{\"auths\":{\"r.test\":{\"auth\":\"dTpwYQ\"}}}", (problem, 1, 28));
    let problem = "the helper of h.test is an object and must be a string";
    bad(DOCKER, "{\"credHelpers\":{\"h.test\":{}}}", (problem, 1, 26));
    bad(
        DOCKER,
        "{\"credsStore\":1}",
        ("the field credsStore is a number and must be a string", 1, 15),
    );
    // A password in the name of an entry is not shown.
    let problem = "the entry ****@r.test is a number and must be an object";
    bad(DOCKER, "{\"auths\":{\"u:canary@r.test\":1}}", (problem, 1, 29));
}

/// Whatever a file holds, it is read, or what is wrong with it is said with a place that is in it.
#[test]
fn any_file_has_an_answer() {
    let seeds: [&[u8]; 3] = [
        br#"{"auths":{"r.test":{"auth":"dTpw"},"a.test":{}},"credsStore":"x"}"#,
        b"{\n \"auths\": {\n  \"r.test\": {\"username\": \"u\", \"identitytoken\": \"t\"}}}\n",
        br#"{"credHelpers":{"r.test":"pass"},"currentContext":"build","HttpHeaders":{}}"#,
    ];
    let shards: [&[u8]; 12] =
        [b"{", b"}", b"[", b"]", b"\"", b":", b",", b"null", b"7", b"\n", b"\xff", b"\\u0000"];
    let seeds = seeds.map(<[u8]>::to_vec).to_vec();
    check(&edited_bytes(seeds, &shards), |document| {
        for client in [DOCKER, PODMAN] {
            let Err(Fault { line, column, .. }) = read(client, &document) else { continue };
            let lines: Vec<&[u8]> = document.split(|byte| *byte == b'\n').collect();
            let length = String::from_utf8_lossy(lines[line - 1]).chars().count();
            assert!((1..=length + 1).contains(&column), "{line}, {column}: {document:?}");
        }
    });
}
