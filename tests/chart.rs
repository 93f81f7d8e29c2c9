//! The chart, as far as helm alone can show it: it has what `registrycheck manifests` has, and
//! refuses what is wrong. `make chart-test` installs it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use registrycheck::install;
use serde_json::Value;

use crate::command_line::{NO_CLUSTER, run};

pub(crate) mod helm;
pub(crate) mod matrix;
mod values;

use helm::{chart, helm, objects, template, try_helm, with_values};
use matrix::{Form, MATRIX};

/// What helm adds to each object, and what a chart has for each release.
const OF_HELM: [&str; 3] =
    ["app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "helm.sh/chart"];
/// What a release has and the manifests have not: the Lease and the `NetworkPolicy`, which there
/// go and come with the namespace.
const OF_CHART: [&str; 2] = ["Lease", "NetworkPolicy"];

/// Objects by kind, namespace and name, without what is helm's.
fn comparable(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let mut named = BTreeMap::new();
    for mut object in objects {
        for place in
            ["/metadata/labels", "/spec/selector/matchLabels", "/spec/template/metadata/labels"]
        {
            let Some(labels) = object.pointer_mut(place).and_then(Value::as_object_mut) else {
                continue;
            };
            labels.retain(|label, _| !OF_HELM.contains(&label.as_str()));
        }
        let metadata = object["metadata"].as_object_mut().unwrap();
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("helm.sh/resource-policy");
        }
        metadata.retain(|_, value| value.as_object().is_none_or(|map| !map.is_empty()));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = [&object["kind"], &object["metadata"]["namespace"], &object["metadata"]["name"]]
            .map(text)
            .join(" ");
        let other = named.insert(name.clone(), object);
        assert!(other.is_none(), "{name} is there twice");
    }
    named
}

fn check_same(form: &Form, arguments: &[&str]) {
    let of_chart = template(form.values);
    let of_chart =
        of_chart.into_iter().filter(|object| !OF_CHART.contains(&object["kind"].as_str().unwrap()));
    let of_chart = comparable(of_chart.collect());
    let manifests = run(NO_CLUSTER, &[&["manifests"], arguments].concat(), "").out;
    let mut of_manifests = comparable(objects(&manifests));
    // helm has an option for it: --create-namespace.
    let own = of_manifests.remove(&format!("Namespace  {}", install::NAME));
    assert!(own.is_some(), "the manifests make the namespace");
    let names =
        |objects: &BTreeMap<String, Value>| objects.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&of_chart), names(&of_manifests), "{}", form.name);
    for (name, object) in &of_manifests {
        pretty_assert(form.name, name, object, &of_chart[name]);
    }
}

/// The first place where two values differ is what a reader wants to see.
#[track_caller]
fn pretty_assert(form: &str, place: &str, expected: &Value, seen: &Value) {
    match (expected, seen) {
        (Value::Object(one), Value::Object(other)) if one.keys().eq(other.keys()) => {
            for (key, value) in one {
                pretty_assert(form, &format!("{place}.{key}"), value, &other[key]);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (number, value) in one.iter().enumerate() {
                pretty_assert(form, &format!("{place}[{number}]"), value, &other[number]);
            }
        }
        _ => assert_eq!(expected, seen, "{form}: {place}, of the manifests and of the chart"),
    }
}

#[test]
fn the_chart_has_what_the_manifests_have() {
    let both = MATRIX.iter().filter_map(|form| Some((form, form.manifests?)));
    let mut count = 0;
    for (form, arguments) in both {
        check_same(form, arguments);
        count += 1;
    }
    assert!(count >= 10, "{count} forms");
}

#[test]
fn every_form_passes_the_linter() {
    let chart = chart();
    for form in MATRIX {
        let lint = ["lint", "--strict", "--quiet", chart.to_str().unwrap(), "-n", "registrycheck"];
        helm(&with_values(&lint, form.values));
    }
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let text = fs::read_to_string(chart().join("Chart.yaml")).unwrap();
    let description = &objects(&text)[0];
    for field in ["version", "appVersion"] {
        assert_eq!(description[field], env!("CARGO_PKG_VERSION"), "{field}");
    }
}

/// A release under another name has no object of the first one's names but those that the
/// program itself looks for: the Lease and the authorities.
#[test]
fn two_releases_do_not_meet() {
    let chart = chart();
    let render = |release: &str, probe: &str| {
        let command = ["template", release, chart.to_str().unwrap(), "-n", release];
        let values = [probe, "crds.install=false", "watchNamespaces={shop}"];
        comparable(objects(&helm(&with_values(&command, &values))))
    };
    let one = render("registrycheck", "nodeProbe.namespace=registrycheck-node-probe");
    let other = render("blue", "nodeProbe.namespace=blue-node-probe");
    assert_eq!(one.len(), other.len());
    let shared: Vec<_> = one.keys().filter(|name| other.contains_key(*name)).collect();
    assert!(shared.is_empty(), "{shared:?}");
}

/// What helm says of wrong values, by what has to be in it.
#[test]
fn wrong_values_are_refused_with_their_place() {
    let chart = chart();
    for (value, expected) in [
        ("nodeprobe.enabled=false", "additional properties 'nodeprobe' not allowed"),
        ("nodeProbe.enabld=false", "at '/nodeProbe': additional properties 'enabld' not allowed"),
        ("image.repo=x", "at '/image': additional properties 'repo' not allowed"),
        ("replicas=two", "at '/replicas': got string, want integer"),
        ("replicas=-1", "at '/replicas': minimum: got -1, want 0"),
        ("nodeProbe.limit=11", "at '/nodeProbe/limit': maximum: got 11, want 10"),
        ("nodeProbe.enabled=yes", "at '/nodeProbe/enabled': got string, want boolean"),
        ("nodeProbe.hostsDirectory=etc/certs.d", "at '/nodeProbe/hostsDirectory'"),
        ("nodeProbe.hostsDirectory=/etc/../root", "at '/nodeProbe/hostsDirectory'"),
        ("nodeProbe.image=a' || true || '", "at '/nodeProbe/image'"),
        ("keepRecovered=1 hour", "at '/keepRecovered': '1 hour' does not match pattern"),
        ("watchNamespaces=shop", "at '/watchNamespaces': got string, want array"),
        ("watchNamespaces={Shop}", "at '/watchNamespaces/0': 'Shop' does not match pattern"),
        ("tokenHosts={https://auth.test}", "at '/tokenHosts/0'"),
        ("targets.deny={https://evil.test}", "at '/targets/deny/0'"),
        ("targets.allow={r.test:5000}", "at '/targets/allow/0'"),
        ("accountTokens.accounts={runner}", "at '/accountTokens/accounts/0'"),
        ("accountTokens.azureCloud=Azure", "at '/accountTokens/azureCloud': value must be one of"),
        ("image.pullPolicy=always", "at '/image/pullPolicy': value must be one of"),
        ("image.digest=sha256:12", "at '/image/digest'"),
        ("webhook.port=443", "at '/webhook/port': minimum: got 443, want 1,024"),
        ("metrics.serviceMonitor.enable=true", "at '/metrics/serviceMonitor'"),
        ("nodeSelector.zone=1", "at '/nodeSelector/zone': got number, want string"),
        ("nodeProbe.namespace=registrycheck", "write a namespace that is for the node probe alone"),
        ("trustedCertificates.bundle=ca.crt", "write --set-file trustedCertificates.bundle=ca.crt"),
    ] {
        let command = ["template", "registrycheck", chart.to_str().unwrap(), "-n", "registrycheck"];
        let (succeeded, output, errors) = try_helm(&with_values(&command, &[value]));
        assert!(!succeeded, "{value}: {output}");
        assert!(errors.contains(expected), "{value}: {errors}");
    }
}
