//! helm, of the one version that `tests/chart/helm` has.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize as _;
use serde_json::Value;

/// The chart.
pub(crate) fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/registrycheck")
}

/// Runs helm; whether it succeeded, and its output and its errors.
pub(crate) fn try_helm(arguments: &[&str]) -> (bool, String, String) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chart/helm");
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// Runs helm, which must succeed; its output.
#[track_caller]
pub(crate) fn helm(arguments: &[&str]) -> String {
    let (succeeded, output, errors) = try_helm(arguments);
    assert!(succeeded, "helm {}: {output}{errors}", arguments.join(" "));
    output
}

/// The arguments of a command about the chart with these values. Labels and annotations are strings,
/// whatever they look like.
pub(crate) fn with_values<'text>(command: &[&'text str], values: &[&'text str]) -> Vec<&'text str> {
    let is_text =
        |value: &str| ["podLabels.", "annotations."].iter().any(|part| value.contains(part));
    let option = |value: &str| if is_text(value) { "--set-string" } else { "--set" };
    let values = values.iter().flat_map(|value| [option(value), value]);
    command.iter().copied().chain(values).collect()
}

/// The objects of a release `registrycheck` in a namespace of that name.
#[track_caller]
pub(crate) fn template(values: &[&str]) -> Vec<Value> {
    let chart = chart();
    let command = ["template", "registrycheck", chart.to_str().unwrap(), "-n", "registrycheck"];
    objects(&helm(&with_values(&command, values)))
}

/// The objects in a text of several documents.
#[track_caller]
pub(crate) fn objects(text: &str) -> Vec<Value> {
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    let objects = documents.map(|document| Value::deserialize(document).unwrap());
    objects.filter(|object| !object.is_null()).collect()
}
