use proptest::option;
use proptest::prelude::*;

use super::HEX;
use crate::image::{Host, ImageRef, check_name, guess_registry, is_object_name};
use crate::properties::{check, edited_text};

const SEEDS: &[&str] = &[
    "busybox",
    "acme/tool:1.2",
    "reg.test:5000/team/app:v1",
    "[2001:db8::5]:5000/app",
    "localhost/app",
    "F/app",
    "my_reg.test/a--b__c.d/e",
    "index.docker.io/a/b",
    "reg.test/app:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "https://Reg.Test/Team/App",
    "'reg.test/app'",
];

const SHARDS: &[&str] = &[
    ":",
    "@",
    "/",
    "//",
    "A",
    "z",
    "0",
    ".",
    "-",
    "_",
    "__",
    "[",
    "]",
    "sha256:",
    "latest",
    " ",
    "\n",
    "\t",
    "é",
    "İ",
    "\u{202e}",
    "\"",
    "%",
    "*",
    "https://",
    "library/",
    "docker.io",
    "",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![4 => edited_text(SEEDS, SHARDS), 1 => "\\PC{0,40}", 1 => any::<String>()]
}

#[test]
fn any_text_is_a_reference_or_is_told_what_to_be() {
    check(&texts(), |text| match ImageRef::parse(&text) {
        Ok(image) => {
            assert_eq!(image.to_string(), text);
            assert_eq!(image.as_written(), text);
            assert!(image.tag().is_some() || image.digest().is_some());
        }
        Err(error) => {
            let shown = error.to_string();
            assert!(!shown.contains(char::is_control), "{shown:?}");
            if let Some(suggestion) = error.suggestion() {
                assert!(ImageRef::parse(suggestion).is_ok(), "{suggestion:?} for {text:?}");
            }
        }
    });
}

#[test]
fn the_normal_form_means_the_same() {
    check(&texts(), |text| {
        let Ok(image) = ImageRef::parse(&text) else { return };
        let mut normal = image.repository();
        if let Some(tag) = image.tag() {
            normal = format!("{normal}:{tag}");
        }
        if let Some(digest) = image.digest() {
            normal = format!("{normal}@{digest}");
        }
        let again = ImageRef::parse(&normal).unwrap();
        assert_eq!(again.registry(), image.registry());
        assert_eq!(again.path(), image.path());
        assert_eq!((again.tag(), again.digest()), (image.tag(), image.digest()));
        let json = serde_json::to_string(&image).unwrap();
        assert_eq!(serde_json::from_str::<ImageRef>(&json).unwrap(), image);
    });
}

#[test]
fn what_the_grammar_makes_is_read_back_part_by_part() {
    let host = "([a-zA-Z0-9]([a-zA-Z0-9-]{0,6}[a-zA-Z0-9])?\\.){1,3}[a-z]{2,5}(:[0-9]{1,5})?";
    let component = "[a-z0-9]{1,5}((\\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}";
    let path = format!("{component}(/{component}){{0,3}}").leak();
    let tag = option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}");
    check(&(host, &*path, tag, any::<bool>()), |(host, path, tag, pinned)| {
        let digest = pinned.then(|| format!("sha256:{HEX}"));
        let suffix = |sign: &str, part: &Option<String>| {
            part.as_ref().map(|part| format!("{sign}{part}")).unwrap_or_default()
        };
        let text = format!("{host}/{path}{}{}", suffix(":", &tag), suffix("@", &digest));
        let image = ImageRef::parse(&text).unwrap();
        assert_eq!((image.registry().as_str(), image.path()), (&*host, &*path));
        let default = if pinned { None } else { Some("latest") };
        assert_eq!(image.tag(), tag.as_deref().or(default));
        assert_eq!(image.digest(), digest.as_deref());
    });
}

#[test]
fn every_text_has_a_registry_and_every_registry_a_name() {
    check(&texts(), |text| {
        let guessed = guess_registry(&text);
        assert_eq!(Host::try_from(guessed.to_string()).unwrap(), guessed);
        assert!(is_object_name(&check_name(&guessed)), "{guessed}");
        match Host::parse(&text) {
            Ok(host) => assert_eq!(host.to_string(), text),
            Err(error) => {
                let suggestion = error.suggestion();
                assert!(suggestion.is_none_or(|host| Host::parse(host).is_ok()), "{suggestion:?}");
            }
        }
        if let Ok(image) = ImageRef::parse(&text) {
            let host = image.registry();
            assert!(is_object_name(&check_name(host)), "{host}");
            assert_eq!(host.lowercase(), host.lowercase().lowercase());
        }
    });
}
