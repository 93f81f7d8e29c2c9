use super::*;
use Confidence::{Certain, Likely, Possible};

mod answers;
mod clients;
mod content;
mod frames;
mod network;
mod node;
mod pages;
mod properties;
mod proxies;
mod shape;

/// Checks the first finding of a message.
#[track_caller]
fn check(message: &str, code: Code, confidence: Confidence) {
    let meanings = read(message);
    let first = &meanings[0];
    assert_eq!((first.code, first.confidence), (code, confidence), "{message}\n{meanings:?}");
}

/// Checks all findings of a message.
#[track_caller]
fn check_all(message: &str, expected: &[(Code, Confidence)]) {
    let meanings = read(message);
    let found: Vec<_> = meanings.iter().map(|meaning| (meaning.code, meaning.confidence)).collect();
    assert_eq!(found, expected, "{message}");
}

/// Checks the first finding, and the host that it names.
#[track_caller]
fn check_at(message: &str, code: Code, confidence: Confidence, host: &str) {
    check(message, code, confidence);
    assert_eq!(read(message)[0].host.as_deref(), Some(host), "{message}");
}

/// As containerd wraps what happened while it resolved `image`.
fn resolving(image: &str, cause: &str) -> String {
    format!(
        "Failed to pull image \"{image}\": failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": {cause}"
    )
}

/// As containerd wraps what happened while it fetched the content of `image`.
fn copying(image: &str, cause: &str) -> String {
    format!(
        "Failed to pull image \"{image}\": rpc error: code = Unknown desc = failed to pull and unpack image \"{image}\": failed to copy: {cause}"
    )
}
