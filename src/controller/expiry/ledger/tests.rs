use std::collections::BTreeMap;

use super::*;
use crate::resolve::keyring::{Dates, PullSecret};
use crate::target::workload::repositories;

/// Seconds since 1970.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn name(name: &str) -> Name {
    ("shop".to_owned(), name.to_owned())
}

/// A secret whose passwords are dates, for each of these keys.
fn secret(name: &str, version: &str, entries: &[(&str, i64)]) -> DatedSecret {
    let auths: BTreeMap<_, _> = entries
        .iter()
        .map(|(key, end)| (*key, serde_json::json!({"username": "u", "password": end.to_string()})))
        .collect();
    let document = serde_json::json!({"auths": auths}).to_string();
    let secret = PullSecret {
        name: name.to_owned(),
        kind: "kubernetes.io/dockerconfigjson".to_owned(),
        data: BTreeMap::from([(".dockerconfigjson".to_owned(), document.into_bytes())]),
    };
    let dates = Dates::of(&secret, |password| {
        let text = std::str::from_utf8(password.expose()).ok()?;
        Timestamp::from_second(text.parse().ok()?).ok()
    });
    DatedSecret { name: name.to_owned(), version: Some(version.to_owned()), dates }
}

fn missing(name: &str) -> DatedSecret {
    DatedSecret { name: name.to_owned(), version: None, dates: Dates::default() }
}

fn deployment(name: &str) -> WorkloadRef {
    WorkloadRef {
        api_version: "apps/v1",
        kind: "Deployment",
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        uid: format!("uid-{name}"),
    }
}

fn pulls(secrets: SecretSource, images: &[&str]) -> Pulls {
    Pulls { secrets, repositories: repositories(images.iter().copied()) }
}

fn listed(names: &[&str]) -> SecretSource {
    SecretSource::Listed(names.iter().map(|name| (*name).to_owned()).collect())
}

/// The series, as `secret@registry=end`.
#[track_caller]
fn check_series(ledger: &Ledger, expected: &[&str]) {
    let series = ledger.series().into_iter().map(|(series, end)| {
        assert_eq!(series.namespace, "shop");
        format!("{}@{}={}", series.secret, series.registry, end.as_second())
    });
    assert_eq!(series.collect::<Vec<_>>(), expected);
}

#[track_caller]
fn check_due(ledger: &Ledger, now: i64, accounts: &[&str], secrets: &[&str]) {
    let names = |names: &[&str]| names.iter().map(|one| name(one)).collect();
    let expected = Due { accounts: names(accounts), secrets: names(secrets) };
    assert_eq!(ledger.due(at(now)), expected, "at {now}");
}

#[test]
fn a_secret_is_read_at_once_and_then_every_ten_minutes() {
    let mut ledger = Ledger::default();
    check_due(&ledger, 0, &[], &[]);
    assert!(ledger.apply(deployment("api"), pulls(listed(&["one"]), &["r.test/a:1"])));
    check_due(&ledger, 100, &[], &["one"]);
    ledger.read_secret("shop", secret("one", "1", &[("r.test", 5_000)]), at(100));
    // Another one with the same secret is no reason to read it again.
    assert!(ledger.apply(deployment("web"), pulls(listed(&["one"]), &["r.test/b:1"])));
    check_due(&ledger, 699, &[], &[]);
    check_due(&ledger, 700, &[], &["one"]);
    check_due(&ledger, 99, &[], &["one"]);
}

#[test]
fn an_account_is_read_for_the_secrets_that_it_lists() {
    let mut ledger = Ledger::default();
    let robot = SecretSource::Account("robot".to_owned());
    ledger.apply(deployment("api"), pulls(robot, &["r.test/a:1"]));
    check_due(&ledger, 0, &["robot"], &[]);
    ledger.read_account(name("robot"), vec!["one".to_owned()], at(0));
    check_due(&ledger, 0, &[], &["one"]);
    ledger.read_secret("shop", secret("one", "1", &[("r.test", 5_000)]), at(0));
    check_series(&ledger, &["one@r.test=5000"]);
    check_due(&ledger, 600, &["robot"], &["one"]);
    ledger.read_account(name("robot"), Vec::new(), at(600));
    check_series(&ledger, &[]);
}

#[test]
fn what_could_not_be_read_rests_for_a_while() {
    let mut ledger = Ledger::default();
    let robot = SecretSource::Account("robot".to_owned());
    ledger.apply(deployment("api"), pulls(robot, &["r.test/a:1"]));
    ledger.apply(deployment("web"), pulls(listed(&["one", "two"]), &["r.test/a:1"]));
    ledger.failed(Object::Account(name("robot")), at(100));
    ledger.failed(Object::Secret(name("one")), at(100));
    check_due(&ledger, 114, &[], &["two"]);
    check_due(&ledger, 115, &["robot"], &["one", "two"]);
    // Once it could be read, its failure is forgotten.
    ledger.read_secret("shop", missing("one"), at(115));
    check_due(&ledger, 715, &["robot"], &["one", "two"]);
    ledger.failed(Object::Secret(name("two")), at(715));
    ledger.delete(&("Deployment", "shop".to_owned(), "web".to_owned()));
    ledger.tidy();
    ledger.apply(deployment("web"), pulls(listed(&["two"]), &["r.test/a:1"]));
    check_due(&ledger, 716, &["robot"], &["two"]);
}

#[test]
fn a_series_is_a_secret_for_a_registry_and_has_the_first_end() {
    let mut ledger = Ledger::default();
    let images = ["r.test/team/a:1", "r.test/b:1", "R.test/c:2", "other.test/d", "busybox"];
    ledger.apply(deployment("api"), pulls(listed(&["one", "two", "none"]), &images));
    let one = secret("one", "1", &[("r.test", 500), ("r.test/team", 300), ("unused.test", 1)]);
    ledger.read_secret("shop", one, at(0));
    ledger.read_secret("shop", secret("two", "1", &[("other.test", 700)]), at(0));
    ledger.read_secret("shop", missing("none"), at(0));
    check_series(&ledger, &["one@r.test=300", "two@other.test=700"]);
}

#[test]
fn a_series_goes_with_its_secret_and_with_the_last_that_pulls_with_it() {
    let mut ledger = Ledger::default();
    for workload in ["api", "web"] {
        ledger.apply(deployment(workload), pulls(listed(&["one"]), &["r.test/a:1"]));
    }
    ledger.read_secret("shop", secret("one", "1", &[("r.test", 500)]), at(0));
    check_series(&ledger, &["one@r.test=500"]);
    ledger.read_secret("shop", missing("one"), at(600));
    check_series(&ledger, &[]);
    ledger.read_secret("shop", secret("one", "2", &[("r.test", 900)]), at(1_200));
    check_series(&ledger, &["one@r.test=900"]);
    let id = |name: &str| ("Deployment", "shop".to_owned(), name.to_owned());
    assert!(ledger.delete(&id("api")));
    check_series(&ledger, &["one@r.test=900"]);
    assert!(ledger.delete(&id("web")) && !ledger.delete(&id("web")));
    check_series(&ledger, &[]);
    ledger.tidy();
    assert!(ledger.secrets.is_empty());
}

#[test]
fn what_a_check_reads_counts_for_workloads_too() {
    let mut ledger = Ledger::default();
    ledger.apply(deployment("api"), pulls(listed(&["one"]), &["r.test/a:1"]));
    ledger.read_secret("shop", secret("one", "1", &[("r.test", 500)]), at(0));
    let images = || repositories(["r.test/b:1"].into_iter());
    let read = |version, end| vec![secret("one", version, &[("r.test", end)])];
    assert!(ledger.check("uid", "shop", images(), read("2", 800)));
    assert!(!ledger.check("uid", "shop", images(), read("2", 800)), "no news");
    check_series(&ledger, &["one@r.test=800"]);
    check_due(&ledger, 599, &[], &[]);
    assert!(ledger.check("uid", "shop", images(), vec![missing("one")]));
    check_series(&ledger, &[]);
    // A check's secrets are its own affair.
    ledger.delete(&("Deployment", "shop".to_owned(), "api".to_owned()));
    ledger.check("uid", "shop", images(), read("3", 900));
    check_series(&ledger, &["one@r.test=900"]);
    check_due(&ledger, 10_000, &[], &[]);
    assert!(ledger.forget_check("uid") && !ledger.forget_check("uid"));
    check_series(&ledger, &[]);
}

#[test]
fn a_use_names_the_workload_and_the_version() {
    let mut ledger = Ledger::default();
    ledger.apply(deployment("api"), pulls(listed(&["one"]), &["r.test/a:1"]));
    ledger.read_secret("shop", secret("one", "7", &[("r.test", 500)]), at(0));
    let [used] = ledger.uses(Some("shop")).collect::<Vec<_>>().try_into().unwrap();
    assert_eq!((used.secret, used.version, used.until), ("one", "7", at(500)));
    assert_eq!(used.workload.name, "api");
    assert_eq!(used.key().registry.as_str(), "r.test");
    assert_eq!(ledger.uses(Some("data")).count(), 0);
}
