use proptest::prelude::*;

use crate::complaint::{self, Complaint};
use crate::diagnose::words::read;
use crate::properties::{check, edited_text};

const MESSAGES: &str = include_str!("../../../../tests/data/pull-errors.jsonl");

const SHARDS: &[&str] = &[
    ": ",
    "[",
    "]",
    "\"",
    "\\\"",
    ", ",
    "\n",
    "rpc error: code = Unknown desc = ",
    "failed to pull and unpack image \"reg.test/app:1\": ",
    "Head \"https://reg.test/v2/app/manifests/1\": ",
    "Back-off pulling image \"",
    "dial tcp 10.0.0.1:443: ",
    "unexpected status: 403 Forbidden",
    "not found",
    "https://",
    "é",
    "İ",
    "\u{0}",
    "\u{202e}",
    "",
];

fn messages() -> impl Strategy<Value = String> {
    let examples: Vec<String> = MESSAGES
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|example| example["message"].as_str().unwrap().to_owned())
        .collect();
    let seeds: Vec<&str> = examples.iter().map(String::as_str).collect();
    prop_oneof![6 => edited_text(&seeds, SHARDS), 1 => any::<String>()]
}

#[test]
fn any_message_has_a_meaning() {
    check(&messages(), |message| {
        let meanings = read(&message);
        assert!(!meanings.is_empty(), "{message:?}");
        for meaning in &meanings {
            let is_host = |host: &String| !host.is_empty() && !host.contains(char::is_whitespace);
            assert!(meaning.host.as_ref().is_none_or(is_host), "{message:?}: {meaning:?}");
        }
    });
}

/// What the kubelet wraps around a message after the first attempt changes nothing.
#[test]
fn the_words_of_a_back_off_hide_nothing() {
    let reasons = prop_oneof![
        Just("ErrImagePull"),
        Just("ImagePullBackOff"),
        Just("RegistryUnavailable"),
        Just("SignatureValidationFailed"),
        Just("CrashLoopBackOff"),
        Just("InvalidImageName"),
    ];
    check(&(reasons, messages()), |(reason, message)| {
        let _ = complaint::read(reason, &message);
        let _ = complaint::read(&message, &message);
        let wrapped = format!("Back-off pulling image \"reg.test/app\": ErrImagePull: {message}");
        if let Some(Complaint::PullFailed { cause }) = complaint::read("ImagePullBackOff", &wrapped)
        {
            assert_eq!(cause, message);
        }
    });
}
