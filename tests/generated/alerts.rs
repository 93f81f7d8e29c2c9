//! The alerts: Prometheus' rules, with what the catalogue says of each code.

use registrycheck::api::{Owner, Severity};
use registrycheck::diagnose::catalogue::{Code, Stage};
use serde_json::{Value, json};

/// What stands for the place of the pages in the file; the chart puts its value there.
const PAGES: &str = "https://registrycheck.dev/docs";

/// How many pods an alert is about.
const PODS: &str = "{{ $value }} {{ if eq $value 1.0 }}pod{{ else }}pods{{ end }}";

/// An alert, for the rules and for the page.
pub(super) struct Alert {
    pub(super) name: &'static str,
    /// What it says, in a sentence.
    pub(super) meaning: &'static str,
    pub(super) severity: &'static str,
    /// How long it has to be so, as Prometheus writes it.
    pub(super) after: &'static str,
    expression: String,
    annotations: Value,
}

/// The file, for whoever has no Prometheus operator too.
pub(super) fn file() -> String {
    let rules: Vec<Value> = alerts().into_iter().map(Alert::rule).collect();
    let groups = json!({"groups": [{"name": "registrycheck", "rules": rules}]});
    let rules = serde_yaml_ng::to_string(&groups).unwrap();
    format!("# Made from tests/generated/alerts.rs and the catalogue by `make update`.\n{rules}")
}

impl Alert {
    fn rule(self) -> Value {
        json!({
            "alert": format!("RegistryCheck{}", self.name),
            "expr": self.expression,
            "for": self.after,
            "labels": {"severity": self.severity},
            "annotations": self.annotations,
        })
    }
}

/// Codes that say that something else than the workload is at fault wake somebody up sooner.
fn is_urgent(code: Code) -> bool {
    let row = code.row();
    row.severity == Severity::Error && row.owner != Owner::Workload
}

fn is_about_identities(code: Code) -> bool {
    code.row().stage == Stage::Identity && code.row().severity == Severity::Error
}

fn one_of(wanted: impl Fn(Code) -> bool) -> String {
    let codes: Vec<&str> =
        Code::ALL.iter().filter(|code| wanted(**code)).map(|code| code.as_str()).collect();
    codes.join("|")
}

pub(super) fn alerts() -> Vec<Alert> {
    let in_namespace = |matcher: &str| {
        format!("max by (namespace, registry, code) (registrycheck_affected_pods{{{matcher}}}) > 0")
    };
    let at_registry = |matcher: &str| {
        format!(
            "sum by (registry, code) (max by (namespace, registry, code) (registrycheck_affected_pods{{{matcher}}})) > 0"
        )
    };
    let urgent = one_of(is_urgent);
    let identities = one_of(is_about_identities);
    vec![
        Alert {
            name: "PullFailing",
            meaning: "Pods of a namespace cannot pull from a registry, and what is at fault is not of their making.",
            severity: "critical",
            after: "5m",
            expression: in_namespace(&format!("code=~\"{urgent}\"")),
            annotations: of_pods(&|code| is_urgent(code)),
        },
        Alert {
            name: "PullFailing",
            meaning: "The same, where the workload is at fault (its image, its secrets), or nothing certain is known.",
            severity: "warning",
            after: "15m",
            expression: in_namespace(&format!("code!~\"{urgent}\"")),
            annotations: of_pods(&|code| !is_urgent(code)),
        },
        Alert {
            name: "RegistryRateLimited",
            meaning: "A registry limits this cluster's pulls.",
            severity: "critical",
            after: "10m",
            expression: at_registry("code=\"RateLimited\""),
            annotations: of_registry("limits pulls", &|code| code == Code::RateLimited),
        },
        Alert {
            name: "NetworkRuleDenied",
            meaning: "A registry's firewall keeps this cluster out.",
            severity: "critical",
            after: "5m",
            expression: at_registry("code=\"NetworkRuleDenied\""),
            annotations: of_registry("keeps this cluster out by a network rule", &|code| {
                code == Code::NetworkRuleDenied
            }),
        },
        Alert {
            name: "IdentityBroken",
            meaning: "The identity of nodes or of a service account gets no login at a registry.",
            severity: "critical",
            after: "5m",
            expression: at_registry(&format!("code=~\"{identities}\"")),
            annotations: of_registry("gives no login to an identity", &is_about_identities),
        },
        expiring("critical", "15m", 24),
        expiring("warning", "1h", 7 * 24),
        Alert {
            name: "CheckStale",
            meaning: "A check should have been probed again, and has not been: what it says is old.",
            severity: "warning",
            after: "10m",
            expression: "time() - max by (namespace, name) (registrycheck_next_probe_timestamp_seconds) > 300"
                .to_owned(),
            annotations: json!({
                "summary": "RegistryCheck {{ $labels.name }} in namespace {{ $labels.namespace }} is {{ $value | humanizeDuration }} overdue.",
                "description": "What it says is older than its interval.",
                "remedy": "Look at what the controller logs: kubectl logs -n registrycheck deployment/registrycheck | grep {{ $labels.name }}",
                "runbook_url": format!("{PAGES}/troubleshooting.md#the-controller-is-not-ready"),
            }),
        },
        Alert {
            name: "ControllerDown",
            meaning: "No controller leads, or none is scraped.",
            severity: "critical",
            after: "5m",
            expression: "absent(registrycheck_leader == 1)".to_owned(),
            annotations: json!({
                "summary": "No controller of registrycheck leads.",
                "description": "Nothing is said of pods that cannot pull, and the alerts about them are silent.",
                "remedy": "Look whether it runs and what it logs: kubectl get pods -A -l app.kubernetes.io/name=registrycheck",
                "runbook_url": format!("{PAGES}/troubleshooting.md#the-controller-is-not-ready"),
            }),
        },
    ]
}

fn expiring(severity: &'static str, after: &'static str, hours: u32) -> Alert {
    let (meaning, from) = match hours {
        24 => ("A credential in a pull secret ends within a day, or has ended.", None),
        _ => ("A credential in a pull secret ends within a week.", Some(24)),
    };
    let left = "min by (namespace, secret, registry) (registrycheck_credential_expiry_timestamp_seconds) - time()";
    let lower = from.map_or_else(String::new, |from| format!(" >= {from} * 3600"));
    Alert {
        name: "CredentialExpiringSoon",
        meaning,
        severity,
        after,
        expression: format!("({left}{lower}) < {hours} * 3600"),
        annotations: json!({
            "summary": "What pull secret {{ $labels.secret }} in namespace {{ $labels.namespace }} has for {{ $labels.registry }} {{ if lt $value 0.0 }}has ended{{ else }}ends in {{ $value | humanizeDuration }}{{ end }}.",
            "description": "Pods that start after that cannot pull with it.",
            "remedy": remedies(&|code| code == Code::CredentialExpiring).replace("SECRET", "{{ $labels.secret }}"),
            "runbook_url": format!("{PAGES}/findings.md#credentialexpiring"),
        }),
    }
}

fn of_pods(wanted: &dyn Fn(Code) -> bool) -> Value {
    json!({
        "summary": format!("{PODS} in namespace {{{{ $labels.namespace }}}} cannot pull from {{{{ $labels.registry }}}}: {{{{ $labels.code }}}}."),
        "description": format!("{} Ask for the evidence: kubectl describe registrychecks -n {{{{ $labels.namespace }}}}", chain(wanted, &|code| code.row().title.to_owned())),
        "remedy": remedies(wanted),
        "runbook_url": runbook(),
    })
}

fn of_registry(what: &str, wanted: &dyn Fn(Code) -> bool) -> Value {
    json!({
        "summary": format!("{{{{ $labels.registry }}}} {what}: {{{{ $labels.code }}}}. {PODS} cannot pull."),
        "description": format!("{} Ask for the evidence: kubectl describe registrychecks -A", chain(wanted, &|code| code.row().title.to_owned())),
        "remedy": remedies(wanted).replace("{{ $labels.namespace }}", "NAMESPACE"),
        "runbook_url": runbook(),
    })
}

fn runbook() -> String {
    format!("{PAGES}/findings.md#{{{{ $labels.code | toLower }}}}")
}

/// What to do, with the names that the labels have.
fn remedies(wanted: &dyn Fn(Code) -> bool) -> String {
    chain(wanted, &|code| {
        let row = code.row();
        match row.azure {
            Some(azure) => format!(
                "{{{{ if match `\\.azurecr\\.` $labels.registry }}}}{}{{{{ else }}}}{}{{{{ end }}}}",
                filled(azure),
                filled(row.remedy)
            ),
            None => filled(row.remedy),
        }
    })
}

/// The text for the alert's code.
fn chain(wanted: &dyn Fn(Code) -> bool, text: &dyn Fn(Code) -> String) -> String {
    let codes: Vec<Code> = Code::ALL.iter().copied().filter(|code| wanted(*code)).collect();
    if let [code] = codes[..] {
        return text(code);
    }
    let mut chain = String::new();
    for (place, code) in codes.iter().enumerate() {
        let otherwise = if place == 0 { "" } else { "else " };
        chain.push_str("{{ ");
        chain.push_str(otherwise);
        chain.push_str("if eq $labels.code \"");
        chain.push_str(code.as_str());
        chain.push_str("\" }}");
        chain.push_str(&text(*code));
    }
    chain + "{{ end }}"
}

/// A remedy with the labels in place of the words that stand for them.
fn filled(remedy: &str) -> String {
    let mut text = String::new();
    let mut rest = remedy;
    while let Some(first) = rest.chars().next() {
        // A command's own marks of a template are none of Prometheus'.
        if let Some(after) = rest.strip_prefix("{{") {
            text.push_str("{{ `{{` }}");
            rest = after;
            continue;
        }
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len())
            .max(first.len_utf8());
        let (word, after) = rest.split_at(end);
        rest = after;
        text.push_str(match word {
            "NAMESPACE" => "{{ $labels.namespace }}",
            "REGISTRY" => "{{ $labels.registry }}",
            "REGISTRYNAME" => "{{ reReplaceAll `[.-].*` `` $labels.registry }}",
            word => word,
        });
    }
    text
}
