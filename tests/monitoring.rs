//! The alerts and the dashboard ask for what is there: each metric is one that the controller serves,
//! each label one that the metric has.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use registrycheck::server::{Kind, METRICS};
use serde_json::Value;

/// What else than metrics and labels may stand in a query.
const WORDS: &[&str] = &[
    "absent",
    "and",
    "bottomk",
    "by",
    "count",
    "histogram_quantile",
    "max",
    "min",
    "on",
    "rate",
    "sum",
    "time",
];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn dashboard() -> Value {
    serde_json::from_str(&read("charts/registrycheck/files/dashboard.json")).unwrap()
}

/// The labels of a series; `None` where there is no such series.
fn labels_of(series: &str) -> Option<BTreeSet<&'static str>> {
    METRICS.iter().find_map(|metric| {
        let name = metric.name();
        let mut labels: BTreeSet<&str> = metric.labels.iter().copied().collect();
        match metric.kind {
            Kind::Histogram => match series.strip_prefix(&name)? {
                "_bucket" => labels.insert("le"),
                "_sum" | "_count" => true,
                _ => return None,
            },
            Kind::Gauge | Kind::Counter | Kind::Info if name == series => true,
            Kind::Gauge | Kind::Counter | Kind::Info => return None,
        };
        Some(labels)
    })
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text,
    Sign(char),
}

fn tokens(query: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let is_of_word = |c: char| c.is_ascii_alphanumeric() || "_:$.".contains(c);
        let length = if first == '"' {
            tokens.push(Token::Text);
            rest[1..].find('"').unwrap() + 2
        } else if is_of_word(first) {
            let length = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..length].to_owned()));
            length
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Sign(first));
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// What is wrong with a query, if anything is; `shown` are labels that its legend has.
fn fault(query: &str, shown: &BTreeSet<String>) -> Option<String> {
    let tokens = tokens(query);
    let mut allowed: Option<BTreeSet<&str>> = None;
    for token in &tokens {
        let Token::Word(word) = token else { continue };
        if !word.starts_with("registrycheck_") {
            continue;
        }
        let Some(labels) = labels_of(word) else { return Some(format!("{word} is no metric")) };
        allowed = Some(match allowed {
            Some(before) => before.intersection(&labels).copied().collect(),
            None => labels,
        });
    }
    let Some(allowed) = allowed else { return Some("it asks for nothing of ours".to_owned()) };
    let mut grouped: Option<BTreeSet<&str>> = None;
    let (mut is_list, mut opened) = (false, None);
    for (place, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign(sign @ ('(' | '{' | '[')) => {
                let before = place.checked_sub(1).map(|before| &tokens[before]);
                is_list = matches!(before, Some(Token::Word(word)) if word == "by" || word == "on");
                opened = Some(*sign);
            }
            Token::Sign(')' | '}' | ']') => (is_list, opened) = (false, None),
            Token::Word(word) => {
                let is_matched = opened == Some('{');
                let is_number = word.starts_with(|c: char| c.is_ascii_digit());
                if is_list || is_matched {
                    if !allowed.contains(word.as_str()) {
                        return Some(format!("{word} is no label of it"));
                    }
                    if is_list {
                        grouped.get_or_insert_default().insert(word);
                    }
                } else if opened == Some('[') {
                    if word != "$__rate_interval" && !is_number {
                        return Some(format!("{word} is no time"));
                    }
                } else if !(is_number
                    || WORDS.contains(&word.as_str())
                    || word.starts_with("registrycheck_"))
                {
                    return Some(format!("{word} is nothing that is known here"));
                }
            }
            Token::Sign(_) | Token::Text => {}
        }
    }
    let left = grouped.unwrap_or(allowed);
    let lost = shown.iter().find(|label| !left.contains(label.as_str()))?;
    Some(format!("its result has no label {lost}"))
}

/// The labels between double braces.
fn shown(legend: &str) -> BTreeSet<String> {
    let starts = legend.split("{{").skip(1);
    starts.map(|rest| rest.split("}}").next().unwrap().trim().to_owned()).collect()
}

#[test]
fn every_query_of_the_dashboard_asks_for_what_is_there() {
    let dashboard = dashboard();
    let mut count = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            let legend = target["legendFormat"].as_str().unwrap();
            let fault = fault(query, &shown(legend));
            assert_eq!(fault, None, "{}: {query} ({legend})", panel["title"]);
            count += 1;
        }
    }
    assert!(count >= 14, "{count} queries");
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if variable["type"] == "query" {
            let query = variable["definition"].as_str().unwrap();
            let inner = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
            let (metric, label) = inner.split_once(", ").unwrap();
            assert!(labels_of(metric).unwrap().contains(label), "{query}");
            assert_eq!(variable["query"]["query"], query);
        }
    }
}

/// What is on the dashboard stands beside and not upon each other, and each has its own number.
#[test]
fn the_panels_fit_together() {
    let dashboard = dashboard();
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = &panel["title"];
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        assert!(!panel["description"].as_str().unwrap().is_empty(), "{title}");
        let of = |field: &str| panel["gridPos"][field].as_u64().unwrap();
        assert!(of("x") + of("w") <= 24, "{title}");
        for (x, y) in (of("x")..of("x") + of("w"))
            .flat_map(|x| (of("y")..of("y") + of("h")).map(move |y| (x, y)))
        {
            assert!(taken.insert((x, y)), "{title} stands upon another");
        }
    }
}

#[test]
fn every_alert_asks_for_what_is_there() {
    let rules: Value =
        serde_yaml_ng::from_str(&read("charts/registrycheck/files/alerts.yaml")).unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    let mut names = BTreeSet::new();
    for rule in rules {
        let query = rule["expr"].as_str().unwrap();
        assert_eq!(fault(query, &BTreeSet::new()), None, "{query}");
        names.insert(rule["alert"].as_str().unwrap());
        for annotation in ["summary", "description", "remedy", "runbook_url"] {
            let text = rule["annotations"][annotation].as_str().unwrap();
            assert!(!text.is_empty(), "{}: {annotation}", rule["alert"]);
        }
    }
    let expected = [
        "PullFailing",
        "CredentialExpiringSoon",
        "RegistryRateLimited",
        "NetworkRuleDenied",
        "IdentityBroken",
        "CheckStale",
        "ControllerDown",
    ];
    assert_eq!(
        names,
        expected.map(|name| format!("RegistryCheck{name}")).iter().map(String::as_str).collect()
    );
    // Whatever the code is, some alert tells of it.
    let pulls = rules.iter().filter(|rule| rule["alert"] == "RegistryCheckPullFailing");
    let queries: Vec<&str> = pulls.map(|rule| rule["expr"].as_str().unwrap()).collect();
    let [one, other] = queries[..] else { panic!("{queries:?}") };
    assert_eq!(one.replace("code=~", "code!~"), other);
}

#[test]
fn a_query_that_asks_for_something_else_is_found() {
    for (query, expected) in [
        ("sum(registrycheck_pods)", "registrycheck_pods is no metric"),
        ("sum(registrycheck_probe_duration_seconds)", "is no metric"),
        ("sum(up)", "nothing of ours"),
        ("sum by (pod) (registrycheck_affected_pods)", "pod is no label"),
        ("registrycheck_affected_pods{image=\"x\"}", "image is no label"),
        ("avg(registrycheck_affected_pods)", "avg is nothing that is known"),
        ("sum by (code) (registrycheck_affected_pods)", "no label registry"),
    ] {
        let fault = fault(query, &shown("{{registry}}"));
        assert!(fault.as_ref().is_some_and(|fault| fault.contains(expected)), "{query}: {fault:?}");
    }
}
