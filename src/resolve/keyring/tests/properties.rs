use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::super::{auth, glob, json, key_of};
use super::{EXAMPLES, JSON, secret, secret_of_example};
use crate::access::{Gap, Provenance};
use crate::image::ImageRef;
use crate::properties::{check, edited_bytes, edited_text};
use crate::resolve::keyring::{PullSecret, lookup};

const LEGACY: &str = "kubernetes.io/dockercfg";

const IMAGES: &[&str] = &[
    "busybox",
    "acme/tool:1",
    "reg.test/team/app",
    "reg.test:5000/team/app",
    "eu.reg.test/a",
    "localhost/app",
    "F/app",
    "[::1]:5000/app",
    "[1:2]/app",
    "reg.test/v1/app",
];

const NAMES: &[&str] = &[
    "https://index.docker.io/v1/",
    "index.docker.io",
    "docker.io",
    "reg.test",
    "reg.test/team",
    "reg.test:5000",
    "*.test",
    "*.reg.test",
    "http://u:p@reg.test/v2/team/",
    "reg.test/%74eam",
    "reg.test/te%3Fam",
    "[::1]:5000",
    "[F::1]",
    "localhost",
    "*",
    "a b",
    "%25ff",
];

const SHARDS: &[&str] = &[
    "%25", "%", "%2f", "*", "[", "]", "?", "#", ":", "::", "@", "/", "/v1/", "https://", ".", "é",
    "\u{0}", " ", "\\", "{", "}", "\"", "test", "reg", "",
];

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(NAMES).prop_map(str::to_owned),
        3 => edited_text(NAMES, SHARDS),
        1 => edited_text(IMAGES, SHARDS),
    ]
}

fn images() -> impl Strategy<Value = ImageRef> {
    select(IMAGES).prop_map(|image| ImageRef::parse(image).unwrap())
}

/// The names of the entries of a secret, and the secret, whose user names say which entry of
/// which secret they are.
fn good_secret(place: usize, names: &BTreeSet<String>, legacy: bool) -> PullSecret {
    let entries: serde_json::Map<String, serde_json::Value> = names
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let login = serde_json::json!({ "username": format!("{place} {number}") });
            (name.clone(), login)
        })
        .collect();
    let name = format!("s{place}");
    if legacy {
        secret(&name, LEGACY, ".dockercfg", &serde_json::Value::from(entries).to_string())
    } else {
        let document = serde_json::json!({ "auths": entries }).to_string();
        secret(&name, JSON, ".dockerconfigjson", &document)
    }
}

/// Secrets that can be read, as the names of their entries.
fn good_secrets() -> impl Strategy<Value = Vec<(BTreeSet<String>, bool)>> {
    let names = vec(names(), 0..6).prop_map(BTreeSet::from_iter);
    vec((names, any::<bool>()), 0..4)
}

fn made(secrets: &[(BTreeSet<String>, bool)]) -> Vec<PullSecret> {
    let secrets = secrets.iter().enumerate();
    secrets.map(|(place, (names, legacy))| good_secret(place, names, *legacy)).collect()
}

/// The name of the entry that a user name stands for.
fn entry<'a>(secrets: &'a [(BTreeSet<String>, bool)], username: &str) -> (usize, &'a String) {
    let (place, number) = username.split_once(' ').unwrap();
    let place: usize = place.parse().unwrap();
    (place, secrets[place].0.iter().nth(number.parse().unwrap()).unwrap())
}

/// What a secret's data may be: nearly good, or anything.
fn documents() -> impl Strategy<Value = Vec<u8>> {
    let seeds: Vec<Vec<u8>> = EXAMPLES
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .flat_map(|example| example["secrets"].as_array().unwrap().clone())
        .flat_map(|secret| secret_of_example(&secret).data.into_values())
        .filter(|document| document.len() < 4096)
        .collect();
    let shards: &[&[u8]] = &[
        b"\xff",
        b"\xe2\x82",
        b"\"",
        b"\\",
        b"\\u",
        b"\\ud800",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"null",
        b"1e",
        b"\"auths\":",
        b"\"auth\":\"dTpw\"",
        b"=",
        b"\n",
        b"\0",
        b"-",
    ];
    prop_oneof![4 => edited_bytes(seeds, shards), 1 => vec(any::<u8>(), 0..64)]
}

#[test]
fn any_secret_has_an_answer() {
    let kinds = select(vec![JSON, JSON, LEGACY, "Opaque", ""]);
    let keys = select(vec![".dockerconfigjson", ".dockercfg", "config.json"]);
    let data = btree_map(keys.prop_map(str::to_owned), documents(), 0..3);
    let secrets = vec((kinds, data), 0..4);
    check(&(secrets, images()), |(secrets, image)| {
        let secrets: Vec<PullSecret> = secrets
            .into_iter()
            .map(|(kind, data)| PullSecret { name: "s".to_owned(), kind: kind.to_owned(), data })
            .collect();
        let access = lookup(&secrets, &image);
        let broken = access.gaps.iter().any(|gap| matches!(gap, Gap::KeyringBroken { .. }));
        assert!(!broken || access.credentials.is_empty());
        let dropped = access.gaps.iter().any(|gap| matches!(gap, Gap::EntryDropped { .. }));
        assert!(!broken || !dropped);
    });
}

#[test]
fn every_entry_is_used_or_explained_once() {
    check(&(good_secrets(), images()), |(secrets, image)| {
        let access = lookup(&made(&secrets), &image);
        for (place, (names, _)) in secrets.iter().enumerate() {
            let own = format!("s{place}");
            let used = access.credentials.iter().filter(|credential| {
                matches!(&credential.provenance, Provenance::PullSecret { secret, .. } if *secret == own)
            });
            let of_entry = |gap: &&Gap| {
                matches!(gap, Gap::EntryDropped { secret, .. } | Gap::EntryNotMatching { secret, .. }
                    if *secret == own)
            };
            let ignored =
                |gap: &&Gap| matches!(gap, Gap::SecretIgnored { secret, .. } if *secret == own);
            let explained = access.gaps.iter().filter(of_entry).count();
            assert_eq!(used.count() + explained, names.len(), "{access:?}");
            assert_eq!(access.gaps.iter().filter(ignored).count(), usize::from(names.is_empty()));
        }
    });
}

#[test]
fn credentials_are_in_descending_order_of_keys_and_then_in_that_of_secrets() {
    check(&(good_secrets(), images()), |(secrets, image)| {
        let access = lookup(&made(&secrets), &image);
        let places: Vec<(Vec<u8>, usize)> = access
            .credentials
            .iter()
            .map(|credential| {
                let (place, name) = entry(&secrets, &credential.username);
                (key_of(name).unwrap(), place)
            })
            .collect();
        for pair in places.windows(2) {
            let [(one, place), (other, next)] = pair else { unreachable!() };
            assert!(one > other || one == other && place <= next, "{places:?}");
        }
    });
}

#[test]
fn a_secret_that_does_not_match_changes_no_credential() {
    let other = vec(names(), 1..6).prop_map(BTreeSet::from_iter);
    check(&(good_secrets(), other, images()), |(secrets, other, image)| {
        let before = lookup(&made(&secrets), &image).credentials;
        let other = good_secret(9, &other, false);
        if lookup(std::slice::from_ref(&other), &image).credentials.is_empty() {
            let mut with_other = made(&secrets);
            with_other.insert(0, other);
            assert_eq!(lookup(&with_other, &image).credentials, before);
        }
    });
}

#[test]
fn secrets_named_twice_count_twice_and_are_explained_once() {
    check(&(good_secrets(), images()), |(secrets, image)| {
        let once = lookup(&made(&secrets), &image);
        let twice = lookup(&[made(&secrets), made(&secrets)].concat(), &image);
        assert_eq!(twice.credentials.len(), 2 * once.credentials.len());
        assert_eq!(twice.gaps, once.gaps);
    });
}

#[test]
fn an_entry_called_as_the_repository_is_used() {
    let host = "[a-z0-9]{1,8}(\\.[a-z0-9]{1,8}){1,3}(:[0-9]{1,5})?";
    let path = "[a-uw-z][a-z0-9]{0,8}(/[a-z0-9]{1,8}){0,3}";
    let length = 0..40_usize;
    check(&(host, path, length), |(host, path, length)| {
        let image = ImageRef::parse(&format!("{host}/{path}")).unwrap();
        // Any part of the path that is its beginning will do.
        let path = &path[..length.min(path.len())];
        for name in [format!("{host}/{path}"), format!("https://{host}/v1/{path}"), host.clone()] {
            let secret = good_secret(0, &BTreeSet::from([name.clone()]), false);
            assert_eq!(lookup(&[secret], &image).credentials.len(), 1, "{name} for {image}");
        }
    });
}

#[test]
fn base64_of_any_login_is_decoded_wherever_its_lines_break() {
    let breaks = vec((any::<proptest::sample::Index>(), select(vec!["\n", "\r\n", "\r"])), 0..4);
    let login = (vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..40), any::<bool>(), breaks);
    check(&login, |(user, password, padded, breaks)| {
        let user: Vec<u8> = user.into_iter().filter(|byte| *byte != b':').collect();
        let login = [&user[..], b":", &password[..]].concat();
        let mut field =
            if padded { STANDARD.encode(&login) } else { STANDARD_NO_PAD.encode(&login) };
        for (place, line_break) in breaks {
            field.insert_str(place.index(field.len() + 1), line_break);
        }
        assert_eq!(auth::decode(&field), Ok((user, password)));
    });
}

/// What a star stands for, said in another way.
fn stands_for(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|skipped| stands_for(rest, &name[skipped..])),
        Some((first, rest)) => name.first() == Some(first) && stands_for(rest, &name[1..]),
    }
}

#[test]
fn a_star_stands_for_any_run_of_characters() {
    check(&("[ab*]{0,8}", "[ab]{0,10}"), |(pattern, name)| {
        let expected = stands_for(pattern.as_bytes(), name.as_bytes());
        assert_eq!(glob::matches(pattern.as_bytes(), name.as_bytes()), Ok(expected));
    });
}

#[test]
fn any_pattern_and_any_name_have_an_answer() {
    let text = || vec(select(b"ab*?[]^-\\\xff\xc3\xa9!".to_vec()), 0..24);
    check(&(text(), text()), |(pattern, name)| {
        let stars_only = !pattern.iter().any(|byte| b"?[]\\".contains(byte));
        assert!(glob::matches(&pattern, &name).is_ok() || !stars_only);
    });
}

#[test]
fn json_is_taken_where_it_is_good_and_opened_without_loss() {
    let text = || prop_oneof!["\\PC{0,6}", "[\"\\\\\u{0}\u{1f}/a-c]{0,6}"];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f32>().prop_map(Into::into),
        text().prop_map(Into::into),
    ];
    let value = leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Into::into),
            btree_map(text(), inner, 0..6)
                .prop_map(|members| { serde_json::Value::Object(members.into_iter().collect()) }),
        ]
    });
    check(&(value, any::<bool>()), |(value, pretty)| {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        assert_eq!(json::check(text.as_bytes()), Ok(()));
        same(text.as_bytes(), &value);
    });
}

#[track_caller]
fn same(raw: &[u8], expected: &serde_json::Value) {
    match (json::read(raw), expected) {
        (json::Value::Null, serde_json::Value::Null)
        | (json::Value::Other("a boolean"), serde_json::Value::Bool(_))
        | (json::Value::Other("a number"), serde_json::Value::Number(_))
        | (json::Value::Other("an array"), serde_json::Value::Array(_)) => {}
        (json::Value::Text(text), serde_json::Value::String(expected)) => {
            assert_eq!(text, *expected);
        }
        (json::Value::Object(members), serde_json::Value::Object(expected)) => {
            let members: BTreeMap<String, &[u8]> = members.into_iter().collect();
            assert_eq!(members.len(), expected.len());
            for (name, value) in expected {
                same(members[name], value);
            }
        }
        (read, expected) => panic!("{} for {expected}", read.kind()),
    }
}
