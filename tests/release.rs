//! What a release is made of beside the program: its notes, and the manifest of the kubectl plugin.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Runs a program of the project; whether it succeeded, and what it wrote.
fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(program);
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn the_notes_of_a_version_are_its_part_of_the_changelog() {
    let (found, notes) = run("deploy/release/notes", &["Unreleased"]);
    assert!(found && notes.contains("### Added"), "{notes}");
    assert!(!notes.contains("\n## "), "{notes}");
    let (found, error) = run("deploy/release/notes", &["99.0.0"]);
    assert!(!found && error.contains("error: CHANGELOG.md says nothing of 99.0.0"), "{error}");
}

/// The rules of krew's own check of a manifest (sigs.k8s.io/krew, internal/index/validation).
#[test]
fn the_plugins_manifest_is_one_that_krew_takes() {
    let (amd64, arm64) = ("a".repeat(64), "b".repeat(64));
    let repository = "https://github.example/owner/registrycheck";
    let arguments = [env!("CARGO_PKG_VERSION"), repository, &amd64, &arm64];
    let (filled, text) = run("deploy/krew/fill", &arguments);
    assert!(filled, "{text}");
    let manifest: Value = serde_yaml_ng::from_str(&text).unwrap();
    assert_eq!(manifest["apiVersion"], "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!(manifest["kind"], "Plugin");
    assert_eq!(manifest["metadata"]["name"], "registrycheck");
    let spec = &manifest["spec"];
    assert_eq!(spec["version"], concat!("v", env!("CARGO_PKG_VERSION")));
    let short = spec["shortDescription"].as_str().unwrap();
    assert!(!short.is_empty() && short.len() <= 50 && !short.contains('\n'), "{short}");
    for (platform, architecture, sum) in [(0, "amd64", &amd64), (1, "arm64", &arm64)] {
        let platform = &spec["platforms"][platform];
        assert_eq!(platform["selector"]["matchLabels"]["os"], "linux");
        assert_eq!(platform["selector"]["matchLabels"]["arch"], architecture);
        assert_eq!(platform["sha256"], sum.as_str());
        assert_eq!(platform["bin"], "kubectl-registrycheck");
        let uri = format!(
            "{repository}/releases/download/v{}/kubectl-registrycheck-linux-{architecture}.tar.gz",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(platform["uri"], uri);
    }
    for word in ["VERSION", "REPOSITORY", "SHA256_"] {
        assert!(!text.contains(word), "{word} is left in {text}");
    }
    let (filled, error) = run("deploy/krew/fill", &["1.0.0", repository, "short", &arm64]);
    assert!(
        !filled && error.contains("error: short is no SHA-256: write 64 hex digits"),
        "{error}"
    );
}
