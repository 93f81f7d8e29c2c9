//! Evidence files as tests: each file in `cases/` means what the text beside it says.
//!
//! A file is what `registrycheck check IMAGE --evidence tests/cases/NAME.yaml` wrote of a real
//! registry. `UPDATE=1 cargo test cases` writes again what it means, and the file in the form of
//! today.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use registrycheck::diagnose::{Diagnosis, Finding};
use registrycheck::record::Record;

fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "yaml")).collect();
    files.sort();
    files
}

fn record(file: &Path) -> Record {
    let text = fs::read_to_string(file).unwrap();
    Record::from_yaml(&text).unwrap_or_else(|error| panic!("{}: {error:?}", file.display()))
}

fn in_words(diagnosis: &Diagnosis) -> String {
    let mut text = format!("{:?}\n", diagnosis.verdict);
    for finding in &diagnosis.findings {
        let Finding { code, severity, confidence, owner, message, remedy, credential, hop } =
            finding;
        write!(text, "\n{code}: {severity:?}, {confidence:?}, {owner:?}").unwrap();
        for (name, value) in [("credential", credential), ("hop", hop)] {
            let shown = value.as_ref().map(|value| format!(", {name} {value}"));
            text.push_str(&shown.unwrap_or_default());
        }
        writeln!(text, "\n  {message}").unwrap();
        if !remedy.is_empty() {
            writeln!(text, "  {remedy}").unwrap();
        }
    }
    text
}

/// Compares a file with what it should hold, and says how to bring it up to date.
fn stale(file: &Path, fresh: &str) -> Option<String> {
    if std::env::var_os("UPDATE").is_some() {
        // Other tests read the file meanwhile.
        let written = PathBuf::from(format!("{}.new", file.display()));
        fs::write(&written, fresh).unwrap();
        fs::rename(&written, file).unwrap();
    }
    let committed = fs::read_to_string(file).unwrap_or_default();
    (committed != fresh).then(|| {
        format!("{} differs (UPDATE=1 cargo test cases writes it):\n{fresh}", file.display())
    })
}

#[test]
fn what_was_seen_means_what_it_did() {
    let differences: Vec<String> = files()
        .iter()
        .filter_map(|file| stale(&file.with_extension("txt"), &in_words(&record(file).diagnose())))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// What is read and written again is the same, so no field of the evidence is lost.
#[test]
fn a_file_keeps_all_that_was_seen() {
    let differences: Vec<String> =
        files().iter().filter_map(|file| stale(file, &record(file).to_yaml().unwrap())).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The files are made with passwords that are called so.
#[test]
fn no_file_holds_a_password() {
    for file in files() {
        let text = fs::read_to_string(&file).unwrap();
        for canary in ["canary", "Y2FuYXJ5", "OmNhbmFye", "pjYW5hcn", "NhbmFyeQ"] {
            assert!(!text.contains(canary), "{canary} is in {}", file.display());
        }
    }
}

#[test]
fn the_cases_are_many_and_differ() {
    let codes: BTreeSet<&str> = files()
        .iter()
        .filter_map(|file| Some(record(file).diagnose().findings.first()?.code.as_str()))
        .collect();
    assert!(codes.len() >= 20, "{codes:?}");
}
