//! `/metrics` as a scraper reads it.

use std::collections::{BTreeMap, BTreeSet};

use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::Event;
use serde_json::json;

use super::*;
use crate::api::RegistryCheck;
use crate::evidence::{Attempt, End, Evidence, Step, StepName, Vantage};
use crate::image::ImageRef;
use crate::probe::tally::{OTHER, REGISTRIES_MAX, Tally};

/// A check as the controller leaves it while a pull fails.
fn check(namespace: &str, registry: &str, changes: &serde_json::Value) -> RegistryCheck {
    let mut check = json!({
        "apiVersion": "registrycheck.dev/v1alpha1", "kind": "RegistryCheck",
        "metadata": {"name": registry, "namespace": namespace},
        "spec": {"registry": registry, "interval": "10m"},
        "status": {
            "affectedPods": 3,
            "conditions": [{
                "type": "Ready", "status": "False", "reason": "TagNotFound", "message": "m",
                "lastTransitionTime": "1970-01-01T00:01:00Z",
            }],
            "lastProbeTime": "1970-01-01T00:10:00Z",
            "nextProbeTime": "1970-01-01T00:11:00Z",
        },
    });
    for (pointer, value) in changes.as_object().unwrap() {
        *check.pointer_mut(pointer).unwrap() = value.clone();
    }
    serde_json::from_value(check).unwrap()
}

fn store(checks: Vec<RegistryCheck>) -> Store<RegistryCheck> {
    let (store, mut writer) = reflector::store();
    for check in checks {
        writer.apply_watcher_event(&Event::Apply(check));
    }
    store
}

fn served(checks: Vec<RegistryCheck>) -> Telemetry {
    let telemetry = Telemetry::new();
    telemetry.leads(true);
    telemetry.reports_from(store(checks));
    telemetry
}

/// The value of each series.
fn series(telemetry: &Telemetry) -> BTreeMap<String, String> {
    let text = telemetry.metrics().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let series = lines.map(|line| line.rsplit_once(' ').unwrap());
    series.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[track_caller]
fn has(series: &BTreeMap<String, String>, name: &str, value: Option<&str>) {
    let found = series.get(&format!("registrycheck_{name}")).map(String::as_str);
    assert_eq!(found, value, "{name} in {series:#?}");
}

#[test]
fn a_check_is_read_when_somebody_scrapes() {
    let none = json!({});
    let well = json!({
        "/status/conditions/0/status": "True", "/status/affectedPods": 0,
        "/status/nextProbeTime": "1970-01-01T05:00:00Z",
    });
    let idle = json!({"/status/nextProbeTime": null, "/status/affectedPods": 0});
    let series = series(&served(vec![
        check("shop", "r.test", &none),
        check("infra", "r.test", &well),
        check("data", "r.test", &idle),
        check("bare", "r.test", &json!({"/status": null})),
    ]));
    let affected = |namespace| {
        format!(
            "affected_pods{{namespace=\"{namespace}\",registry=\"r.test\",code=\"TagNotFound\"}}"
        )
    };
    has(&series, &affected("shop"), Some("3"));
    has(&series, &affected("infra"), None);
    let of = |name, namespace| format!("{name}{{namespace=\"{namespace}\",name=\"r.test\"}}");
    has(&series, &of("check_ready", "shop"), Some("0"));
    has(&series, &of("check_ready", "infra"), Some("1"));
    has(&series, &of("check_ready", "bare"), None);
    has(&series, &of("check_transition_timestamp_seconds", "shop"), Some("60"));
    has(&series, &of("last_probe_timestamp_seconds", "shop"), Some("600"));
    // 10 minutes after the last one and a tenth, although it is asked again before that.
    has(&series, &of("next_probe_timestamp_seconds", "shop"), Some("1260"));
    has(&series, &of("next_probe_timestamp_seconds", "infra"), Some("18000"));
    has(&series, &of("next_probe_timestamp_seconds", "data"), None);
}

#[test]
fn series_go_with_their_check_and_with_the_lead() {
    let telemetry = served(vec![check("shop", "r.test", &json!({}))]);
    telemetry.credentials_end([(["shop", "regcred", "r.test"].map(str::to_owned), 4_711)]);
    let all = series(&telemetry);
    assert!(all.keys().any(|name| name.contains("check_ready")), "{all:?}");
    let end = "credential_expiry_timestamp_seconds{namespace=\"shop\",secret=\"regcred\",registry=\"r.test\"}";
    has(&all, end, Some("4711"));
    telemetry.reports_from(store(Vec::new()));
    telemetry.credentials_end([]);
    let left = series(&telemetry);
    assert!(left.keys().all(|name| !name.contains("namespace")), "{left:?}");
    telemetry.reports_from(store(vec![check("shop", "r.test", &json!({}))]));
    telemetry.unchecked_pods([("shop".to_owned(), 3)]);
    telemetry.leads(false);
    let left = series(&telemetry);
    assert!(left.keys().all(|name| !name.contains("namespace")), "{left:?}");
}

#[test]
fn labels_are_bounded() {
    let registry = |number: usize| format!("r{number:03}.test");
    let many = (0..REGISTRIES_MAX + 2).map(registry);
    let telemetry = served(many.clone().map(|name| check("shop", &name, &json!({}))).collect());
    telemetry.credentials_end(many.enumerate().map(|(number, registry)| {
        (
            ["shop".to_owned(), "regcred".to_owned(), registry],
            1_000 - i64::try_from(number).unwrap(),
        )
    }));
    let series = series(&telemetry);
    let affected: Vec<_> = series.keys().filter(|name| name.contains("affected_pods")).collect();
    assert_eq!(affected.len(), REGISTRIES_MAX + 1);
    let other =
        format!("affected_pods{{namespace=\"shop\",registry=\"{OTHER}\",code=\"TagNotFound\"}}");
    has(&series, &other, Some("6"));
    let first = format!(
        "credential_expiry_timestamp_seconds{{namespace=\"shop\",secret=\"regcred\",registry=\"{OTHER}\"}}"
    );
    has(&series, &first, Some("799"));
}

/// Something of everything.
fn whole() -> Telemetry {
    let telemetry = served(vec![check("shop", "r.test", &json!({}))]);
    telemetry.credentials_end([(["shop", "regcred", "r.test"].map(str::to_owned), 4_711)]);
    telemetry.unchecked_pods([("shop".to_owned(), 3)]);
    telemetry.reconcile_failed("WriteStatus");
    let step = |name| Step { name, host: None, passed: true, detail: String::new(), micros: 1_500 };
    let end = End::Served { digest: None, platform: None };
    let opening = Attempt::new(None, vec![step(StepName::Dns), step(StepName::Tls)], end);
    let image = ImageRef::parse("r.test/a:1").unwrap();
    telemetry.probed(&Evidence::begun(image.clone(), Vantage::Pod, opening));
    let tally = Tally::default();
    tally.count(image.registry(), Some(401));
    telemetry.counts_requests_of(&tally);
    telemetry
}

/// What is served is in the table, and what is in the table is served: with its type, its help and
/// its labels.
#[test]
fn the_table_is_what_is_served() {
    let text = whole().metrics().unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let words = |start: &str| -> BTreeMap<&str, &str> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(start));
        lines.map(|line| line.split_once(' ').unwrap()).collect()
    };
    let (types, helps) = (words("# TYPE "), words("# HELP "));
    let names: BTreeSet<String> =
        METRICS.iter().map(|metric| format!("registrycheck_{}", metric.short)).collect();
    assert_eq!(types.keys().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), names);
    for metric in METRICS {
        let short = format!("registrycheck_{}", metric.short);
        let kind = format!("{:?}", metric.kind).to_lowercase();
        assert_eq!(types[short.as_str()], kind, "{short}");
        assert_eq!(helps[short.as_str()], format!("{}.", metric.help), "{short}");
        let suffix = if metric.kind == Kind::Histogram { "_sum" } else { "" };
        let name = format!("{}{suffix}", metric.name());
        let of_it =
            |line: &&str| line.strip_prefix(&name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let line =
            text.lines().find(of_it).unwrap_or_else(|| panic!("{name} is not served: {text}"));
        let labels = line.split_once('{').map_or("", |(_, rest)| rest.split_once('}').unwrap().0);
        let labels: Vec<&str> =
            labels.split(',').filter_map(|label| Some(label.split_once('=')?.0)).collect();
        assert_eq!(labels, metric.labels, "{line}");
    }
}
