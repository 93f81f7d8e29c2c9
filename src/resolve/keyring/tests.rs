use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{PullSecret, lookup, shown_key};
use crate::access::{Access, Gap, Mismatch};
use crate::image::ImageRef;

mod properties;

const EXAMPLES: &str = include_str!("../../../tests/data/keyring-examples.jsonl");
const JSON: &str = "kubernetes.io/dockerconfigjson";

fn secret(name: &str, kind: &str, key: &str, document: &str) -> PullSecret {
    let data = BTreeMap::from([(key.to_owned(), document.as_bytes().to_vec())]);
    PullSecret { name: name.to_owned(), kind: kind.to_owned(), data }
}

/// A secret whose entries have these names and user names.
fn entries(name: &str, entries: &[(&str, &str)]) -> PullSecret {
    let entries: serde_json::Map<String, Value> = entries
        .iter()
        .map(|(key, user)| ((*key).to_owned(), serde_json::json!({ "username": user })))
        .collect();
    let document = serde_json::json!({ "auths": entries }).to_string();
    secret(name, JSON, ".dockerconfigjson", &document)
}

fn look(secrets: &[PullSecret], image: &str) -> Access {
    lookup(secrets, &ImageRef::parse(image).unwrap())
}

fn users(access: &Access) -> Vec<&str> {
    access.credentials.iter().map(|credential| credential.username.as_str()).collect()
}

fn secret_of_example(value: &Value) -> PullSecret {
    let text = |field: &str| value[field].as_str().unwrap().to_owned();
    let data = value["data"].as_object().unwrap().iter();
    let decode = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    PullSecret {
        name: text("name"),
        kind: text("type"),
        data: data.map(|(key, value)| (key.clone(), decode(value))).collect(),
    }
}

/// One credential as the examples have it, behind its group.
fn expected(value: &Value) -> (u64, [String; 3]) {
    let text = |field: &str| value[field].as_str().unwrap().to_owned();
    let columns = [text("username"), text("passwordSha256"), text("secret")];
    (value["group"].as_u64().unwrap(), columns)
}

#[test]
fn the_examples_are_met() {
    for line in EXAMPLES.lines() {
        let example: Value = serde_json::from_str(line).unwrap();
        let expect = &example["expect"];
        let image = ImageRef::parse(example["image"].as_str().unwrap());
        assert_eq!(image.is_err(), expect["errorKind"] == "image", "{line}");
        let Ok(image) = image else { continue };
        assert_eq!(image.repository(), expect["repository"].as_str().unwrap());
        assert_eq!(image.tag().unwrap_or_default(), expect["tag"].as_str().unwrap());
        assert_eq!(image.digest().unwrap_or_default(), expect["digest"].as_str().unwrap());
        let secrets = example["secrets"].as_array().unwrap().iter();
        let secrets: Vec<PullSecret> = secrets.map(secret_of_example).collect();
        let access = lookup(&secrets, &image);
        let is_broken = |gap: &Gap| matches!(gap, Gap::KeyringBroken { .. });
        let broken = access.gaps.iter().any(is_broken);
        assert_eq!(broken, expect["errorKind"] == "keyring", "{line}");
        let wanted = expect["credentials"].as_array().unwrap().iter().map(expected);
        let mut wanted: Vec<(u64, [String; 3])> = wanted.collect();
        assert_eq!(access.credentials.len(), wanted.len(), "{line}");
        // Within a group the order is free.
        let found = access.credentials.iter().zip(&wanted).map(|(credential, (group, _))| {
            let secret = credential.provenance.pull_secret().unwrap().to_owned();
            let digest = credential.password.sha256();
            (*group, [credential.username.clone(), digest, secret])
        });
        let mut found: Vec<(u64, [String; 3])> = found.collect();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "{line}");
    }
}

#[test]
fn every_secret_and_entry_that_is_not_used_is_explained() {
    let names = [("reg.test", "u"), ("a b", ""), ("reg.test/%25", ""), ("reg.test:1", "")];
    let used = entries("used", &names);
    let secrets = [
        secret("opaque", "Opaque", ".dockerconfigjson", "{}"),
        secret("crossed", JSON, ".dockercfg", "{}"),
        secret("empty", JSON, ".dockerconfigjson", ""),
        secret("hollow", JSON, ".dockerconfigjson", r#"{"reg.test":{}}"#),
        used.clone(),
        entries("other", &[("x.reg.test", ""), ("reg.test/b", ""), ("*.best", "")]),
        used,
    ];
    let access = look(&secrets, "reg.test/app");
    assert_eq!(users(&access), ["u", "u"]);
    let ignored = |secret: &str, reason: &str| Gap::SecretIgnored {
        secret: secret.to_owned(),
        reason: reason.to_owned(),
    };
    let other = |secret: &str, key: &str, rule: Mismatch| Gap::EntryNotMatching {
        secret: secret.to_owned(),
        key: key.to_owned(),
        rule,
    };
    let [reason, port, path, entry, image] =
        ["its host holds ' ', which no host may", "1", "/b", "best", "test"].map(str::to_owned);
    let expected = [
        ignored("opaque", "its type is Opaque"),
        ignored("crossed", &format!("its type is {JSON} and it has no key .dockerconfigjson")),
        ignored("empty", "its .dockerconfigjson is empty"),
        ignored("hollow", "its .dockerconfigjson has no entries in the field auths"),
        Gap::EntryDropped { secret: "used".to_owned(), key: "a b".to_owned(), reason },
        other("used", "reg.test:1", Mismatch::Port { entry: port, image: String::new() }),
        other("used", "reg.test/%25", Mismatch::NotAUrl),
        other("other", "x.reg.test", Mismatch::LabelCount { entry: 3, image: 2 }),
        other("other", "reg.test/b", Mismatch::Path { entry: path }),
        other("other", "*.best", Mismatch::Label { entry, image }),
    ];
    assert_eq!(access.gaps, expected);
}

#[test]
fn the_fallback_for_docker_hub_counts_only_alone() {
    let hub = entries("hub", &[("https://index.docker.io/v1/", "hub")]);
    assert_eq!(users(&look(std::slice::from_ref(&hub), "busybox")), ["hub"]);
    assert_eq!(users(&look(std::slice::from_ref(&hub), "localhost/app")), ["hub"]);
    assert!(look(std::slice::from_ref(&hub), "localhost:1/app").credentials.is_empty());
    let access = look(&[hub, entries("plain", &[("docker.io", "plain")])], "busybox");
    assert_eq!(users(&access), ["plain"]);
    let rule = Mismatch::FallbackSuppressed;
    let key = "https://index.docker.io/v1/".to_owned();
    assert_eq!(access.gaps, [Gap::EntryNotMatching { secret: "hub".to_owned(), key, rule }]);
}

#[test]
fn addresses_are_globs_like_any_host() {
    assert_eq!(users(&look(&[entries("s", &[("[F::1]", "class")])], "F/app")), ["class"]);
    // The grammar of images takes this host, a URL does not.
    assert!(look(&[entries("s", &[("*", "u")])], "[1:2]/app").credentials.is_empty());
}

#[test]
fn a_broken_secret_leaves_no_credential_and_shows_nothing() {
    let bad = secret("bad", JSON, ".dockerconfigjson", r#"{"auths":{"h":{"auth":"hunter2!"}}}"#);
    let worse = secret("worse", JSON, ".dockerconfigjson", "hunter2");
    let access = look(&[entries("s", &[("reg.test", "u")]), bad, worse], "reg.test/app");
    assert!(access.credentials.is_empty());
    let names = access.gaps.iter().map(|gap| match gap {
        Gap::KeyringBroken { secret, .. } => secret.as_str(),
        other => panic!("{other:?}"),
    });
    assert_eq!(names.collect::<Vec<_>>(), ["bad", "worse"]);
    assert!(!format!("{access:?}").contains("hunter"));
}

#[test]
fn a_password_keeps_its_bytes() {
    let auth = STANDARD.encode(b"\xe9:\xff\xfe");
    let document = serde_json::json!({ "auths": { "reg.test": { "auth": auth } } }).to_string();
    let access = look(&[secret("s", JSON, ".dockerconfigjson", &document)], "reg.test/app");
    assert_eq!(users(&access), ["\u{fffd}"]);
    assert_eq!(access.credentials[0].password.expose(), b"\xff\xfe");
}

#[test]
fn another_secret_of_the_same_name_is_explained_too() {
    let bad = secret("s", JSON, ".dockerconfigjson", "x");
    let access = look(&[entries("s", &[("reg.test", "u")]), bad.clone(), bad], "reg.test/app");
    assert!(access.credentials.is_empty());
    assert!(matches!(access.gaps.as_slice(), [Gap::KeyringBroken { .. }]), "{access:?}");
}

#[test]
fn entry_names_are_shown_without_passwords() {
    let cases = [
        ("reg.test:5000/app", "reg.test:5000/app"),
        ("https://u:p@reg.test/v1/", "https://****@reg.test/v1/"),
        ("u:p/q@reg.test", "****@reg.test"),
        ("token@reg.test", "****@reg.test"),
        ("reg.test/app@sha256:00", "reg.test/app@sha256:00"),
        ("reg.test/?token=x", "reg.test/?****"),
        ("r?.test", "r?.test"),
        ("a\nb", "a\\nb"),
    ];
    for (name, expected) in cases {
        assert_eq!(shown_key(name), expected);
    }
    assert_eq!(shown_key(&"é".repeat(1000)).chars().count(), 254);
}

#[test]
fn debug_shows_no_data() {
    let shown = format!("{:?}", secret("s", JSON, ".dockercfg", "hunter2"));
    assert_eq!(
        shown,
        format!("PullSecret {{ name: \"s\", kind: \"{JSON}\", data: [\".dockercfg\"] }}")
    );
}
