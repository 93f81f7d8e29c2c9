//! Every form of the chart as the API server sees it: nothing is unknown to it, and nothing of it
//! violates restricted Pod Security.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::ground::{kubectl, try_kubectl};
use crate::helm::template;
use crate::matrix::{Form, MATRIX};

/// Renders and applies each, without any effect.
pub(crate) fn check_all() {
    let definitions = std::env::var_os("REGISTRYCHECK_CHART_DEFINITIONS")
        .expect("REGISTRYCHECK_CHART_DEFINITIONS names what tests/chart/definitions prints: run this by make");
    let definitions = Path::new(&definitions).to_str().unwrap();
    // Of the Prometheus operator and of cert-manager, whose kinds a release may have.
    kubectl(&["apply", "--server-side", "-f", definitions]);
    kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
    let objects: Vec<(&Form, Vec<Value>)> =
        MATRIX.iter().map(|form| (form, template(form.values))).collect();
    let namespaces: BTreeSet<&str> = objects
        .iter()
        .flat_map(|(_, objects)| objects)
        .filter_map(|object| object["metadata"]["namespace"].as_str())
        .collect();
    let namespaces: Vec<Value> = namespaces.iter().map(|name| namespace(name)).collect();
    // What kubectl apply made would be in the way of who applies on the server's side.
    let list = json!({"apiVersion": "v1", "kind": "List", "items": namespaces}).to_string();
    let (succeeded, output) = try_kubectl(&["create", "-f", "-"], &list);
    assert!(succeeded, "{output}");
    let width = MATRIX.iter().map(|form| form.name.len()).max().unwrap();
    for (form, objects) in &objects {
        let begun = Instant::now();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
        let apply = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
        let (succeeded, output) = try_kubectl(&apply, &list);
        assert!(succeeded, "{}: {output}", form.name);
        assert!(!output.contains("Warning"), "{}: {output}", form.name);
        let applied = output.lines().filter(|line| line.contains("serverside-applied")).count();
        assert_eq!(applied, objects.len(), "{}: {output}", form.name);
        println!(
            "{:>5.1} s  {:width$}  {applied:>2} objects  {}",
            begun.elapsed().as_secs_f64(),
            form.name,
            shortened(&form.values.join(" "))
        );
    }
    let names = namespaces.iter().map(|namespace| namespace["metadata"]["name"].as_str().unwrap());
    kubectl(&["delete", "namespace"].into_iter().chain(names).collect::<Vec<_>>());
}

fn shortened(values: &str) -> String {
    const LONGEST: usize = 90;
    if values.len() <= LONGEST { values.to_owned() } else { format!("{}…", &values[..LONGEST]) }
}

/// That of the controller is under restricted Pod Security; that of the node probe has labels of
/// the chart's own.
fn namespace(name: &str) -> Value {
    let labels = match name {
        "registrycheck" => json!({
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/warn": "restricted",
        }),
        _ => json!({}),
    };
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}
