//! The architecture as a test: modules use those before them, and the pure ones are pure.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules in reading order, as `lib.rs` lists them.
fn reading_order() -> Vec<String> {
    let text = fs::read_to_string(source().join("lib.rs")).unwrap();
    let modules = text.lines().filter_map(|line| line.strip_prefix("pub mod "));
    modules.map(|line| line.trim_end_matches(';').to_owned()).collect()
}

/// Modules that are functions from value to value.
const PURE: &[&str] = &[
    "api.rs",
    "secret.rs",
    "image.rs",
    "image",
    "complaint.rs",
    "target.rs",
    "target",
    "access.rs",
    "evidence.rs",
    "evidence",
    "resolve/keyring.rs",
    "resolve/keyring",
    "resolve/hosts",
    "resolve/node",
    "resolve/azure",
    "probe/address.rs",
    "probe/protocol.rs",
    "probe/proxy.rs",
    "probe/targets.rs",
    "workstation/answer.rs",
    "workstation/choice.rs",
    "workstation/config.rs",
    "workstation/places.rs",
    "diagnose.rs",
    "diagnose",
    "record.rs",
    "node.rs",
    "node",
    "report.rs",
    "report",
    "controller/by_namespace.rs",
    "controller/checks/pace.rs",
    "controller/checks/round.rs",
    "controller/due.rs",
    "controller/expiry/ledger.rs",
    "controller/ownership.rs",
    "controller/pods.rs",
    "controller/watching/listings.rs",
    "controller/watching/merged.rs",
    "admission/reviewed.rs",
    "admission/warnings.rs",
    "admission/certificate.rs",
    "cli/credentials/answer.rs",
    "cli/credentials/batch.rs",
    "cli/check/answer.rs",
    "cli/check/answer",
    "cli/check/asked.rs",
    "cli/manifests.rs",
    "cli/words.rs",
];

/// What a pure module does not touch.
const IMPURE: &[&str] = &[
    "async fn",
    ".await",
    "tokio::",
    "reqwest::",
    "kube::Client",
    "kube::Api",
    "std::env",
    "std::fs",
    "std::net::Tcp",
    "std::thread",
    "Timestamp::now",
    "SystemTime",
    "Instant::now",
    "RandomState",
    "tracing::",
    "println!",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The code of a file: without comments, and without tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_test(path: &Path) -> bool {
    path.iter().any(|part| part == "tests" || part == "tests.rs")
}

#[test]
fn modules_use_only_those_before_them() {
    let order = reading_order();
    assert!(order.len() > 10, "lib.rs lists its modules as `pub mod name;`: {order:?}");
    let place = |module: &str| order.iter().position(|other| other == module);
    let mut wrong = Vec::new();
    for path in rust_files(&source()) {
        let relative = path.strip_prefix(source()).unwrap();
        let module = relative.iter().next().unwrap().to_string_lossy().replace(".rs", "");
        let Some(own) = place(&module) else { continue };
        for used in code(&path).split("crate::").skip(1) {
            let used: String =
                used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if place(&used).is_some_and(|used| used > own) {
                wrong.push(format!("{} uses {used}, which comes after it", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_module_is_in_the_reading_order() {
    let order = reading_order();
    for entry in fs::read_dir(source()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().replace(".rs", "");
        let outside = ["lib", "main", "properties"];
        let known = outside.contains(&name.as_str()) || order.contains(&name);
        assert!(known, "src/{name} is not in lib.rs");
    }
}

#[test]
fn pure_modules_are_pure() {
    let mut wrong = Vec::new();
    for pure in PURE {
        let path = source().join(pure);
        let files = if path.is_dir() { rust_files(&path) } else { vec![path] };
        for file in files.iter().filter(|file| !is_test(file)) {
            assert!(file.exists(), "{} is gone: mend the list of pure modules", file.display());
            let code = code(file);
            let found = IMPURE.iter().filter(|word| code.contains(**word));
            wrong.extend(found.map(|word| format!("{} has {word}", file.display())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_are_short_enough_to_read() {
    for path in rust_files(&source()) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 400, "{} has {lines} lines: split it by idea", path.display());
    }
}

#[test]
fn every_file_says_what_it_is() {
    for path in rust_files(&source()) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("//!") || is_test(&path),
            "{} has no module comment",
            path.display()
        );
    }
}

/// What a secret holds is looked at only where it is sent or understood.
#[test]
fn secrets_are_exposed_only_where_they_are_used() {
    for path in rust_files(&source()) {
        let relative = path.strip_prefix(source()).unwrap().to_string_lossy().into_owned();
        let may = [
            "secret.rs",
            "probe/",
            "resolve/keyring",
            "probe.rs",
            // The key of the webhook's own certificate.
            "admission/certificate.rs",
            "admission/keeper.rs",
        ];
        if may.iter().any(|allowed| relative.starts_with(allowed)) || is_test(&path) {
            continue;
        }
        assert!(!code(&path).contains(".expose()"), "{relative} looks into a secret");
    }
}
