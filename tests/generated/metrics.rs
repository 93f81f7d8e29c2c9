//! `docs/metrics.md`: the metrics, the alerts and what they cost.

use std::fmt::Write as _;

use registrycheck::server::METRICS;

use super::alerts;

const INTRODUCTION: &str = "\
<!-- Made from src/server/table.rs, tests/generated/alerts.rs and tests/generated/metrics.rs by `make update`. -->

# Metrics, alerts, dashboard

The controller serves `/metrics` on port 8080 in the OpenMetrics form. The chart makes what scrapes it:

    helm upgrade registrycheck charts/registrycheck -n registrycheck --reuse-values \\
      --set metrics.podMonitor.enabled=true --set metrics.prometheusRule.enabled=true --set metrics.dashboard.enabled=true

`metrics.serviceMonitor.enabled` is the other way to scrape, by a Service. What chooses them is in the values'
`labels`, such as `--set metrics.podMonitor.labels.release=prometheus`. Without the Prometheus operator, scrape
the pods with the label `app.kubernetes.io/name: registrycheck` and `honor_labels: true` (the labels `namespace` and
`registry` are those of the pods that fail), and load
[alerts.yaml](../charts/registrycheck/files/alerts.yaml) as it is into Prometheus and
[dashboard.json](../charts/registrycheck/files/dashboard.json) into Grafana.

## Metrics

| metric | type | labels | what it is | what it is for |
|---|---|---|---|---|
";

const CARDINALITY: &str = "
Only the replica that leads has series of checks, and a series goes with its check, its secret or its pods. No
label holds an image, a pod or a message. At most 200 registries have a label of their own; what is about others
is added up as `other`.

| metric | series at most |
|---|---|
| `registrycheck_affected_pods` | checks with failing pods, each with the one code of its Ready |
| `registrycheck_check_ready`, `…_check_transition…`, `…_last_probe…`, `…_next_probe…` | one each for a check |
| `registrycheck_credential_expiry_timestamp_seconds` | pull secrets in use that have a date × their registries |
| `registrycheck_registry_requests_total` | 201 registries × 18 statuses and classes |
| `registrycheck_probe_duration_seconds` | 11 steps × 18 |
| `registrycheck_reconcile_errors_total` | one for each kind of failure, some 20 |

With 2,000 checks of which each fails this is some 10,000 series. `make bench` shows how long they take to be
served.

## Alerts

All begin with `RegistryCheck`. Their annotations have the registry, the namespace, how many pods wait, the
remedy of the code, and a link to its page (`metrics.prometheusRule.pages`).

| alert | severity | for | what it says |
|---|---|---|---|
";

const ALERTS: &str = "
`RegistryRateLimited`, `NetworkRuleDenied` and `IdentityBroken` say once for the whole cluster what `PullFailing`
says of each namespace. Who wants one page for one cause inhibits the latter in Alertmanager:

```yaml
inhibit_rules:
  - source_matchers: ['alertname=~\"RegistryCheck(RegistryRateLimited|NetworkRuleDenied|IdentityBroken)\"']
    target_matchers: ['alertname=\"RegistryCheckPullFailing\"']
    equal: [registry, code]
```

`promtool` checks and tests them: `make monitoring-test`.

## Dashboard

What fails now and why, since when, and how many pods, by registry and namespace; which credentials end next; how
long each step of a probe takes; what probes cost each registry; and whether the controller itself works. It asks
for nothing but the metrics above, which a test shows. `since when` is when Ready changed last, to the second; what
a check said before that is in its Events.
";

pub(super) fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let _ = writeln!(
            page,
            "| `{}` | {kind} | {} | {}. | {} |",
            metric.name(),
            labels.join(", "),
            metric.help,
            metric.reading
        );
    }
    page.push_str(CARDINALITY);
    for alert in alerts::alerts() {
        let alerts::Alert { name, severity, after, meaning, .. } = alert;
        let _ = writeln!(page, "| `{name}` | {severity} | {after} | {meaning} |");
    }
    page + ALERTS
}
