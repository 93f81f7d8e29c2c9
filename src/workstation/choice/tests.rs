use super::{Choice, choose, passed_over, questions};
use crate::evidence::workstation::{Client, Why};
use crate::image::Host;
use crate::workstation::config::{self, Config};

const DOCKER: Client = Client::Docker;
const PODMAN: Client = Client::Podman;

fn config(text: &str) -> Config {
    config::read(DOCKER, text.as_bytes()).unwrap()
}

/// What is chosen: `entry NAME`, `FIELD HELPER SERVER`, or nothing.
#[track_caller]
fn check(client: Client, text: &str, registry: &str, expected: &str) {
    let config = config(text);
    let chosen = match choose(client, &config, &Host::parse(registry).unwrap()) {
        Choice::Entry { key, .. } => format!("entry {key}"),
        Choice::Helper(question) => {
            format!("{} {} {}", question.field, question.helper, question.server)
        }
        Choice::Nothing => String::new(),
    };
    assert_eq!(chosen, expected, "{client}, {registry}: {text}");
}

/// A file with entries of these names, each with a login.
fn entries(names: &[&str]) -> String {
    let entries: Vec<String> =
        names.iter().map(|name| format!("\"{name}\":{{\"auth\":\"dTpw\"}}")).collect();
    format!("{{\"auths\":{{{}}}}}", entries.join(","))
}

#[test]
fn docker_looks_for_one_name_letter_by_letter() {
    for (names, registry, expected) in [
        (&["r.test"][..], "r.test", "entry r.test"),
        (&["r.test:443"], "r.test", ""),
        (&["r.test"], "r.test:443", ""),
        (&["R.test"], "r.test", ""),
        (&["*.test"], "r.test", ""),
        (&["r.test/shop"], "r.test", "entry r.test/shop"),
        // As clients of long ago wrote them.
        (&["https://r.test/v1/"], "r.test", "entry https://r.test/v1/"),
        (&["http://r.test:5000"], "r.test:5000", "entry http://r.test:5000"),
        (&["https://r.test", "r.test"], "r.test", "entry r.test"),
        (&["docker.io"], "docker.io", ""),
        (&["index.docker.io"], "docker.io", ""),
        (&["https://index.docker.io/v1/"], "docker.io", "entry https://index.docker.io/v1/"),
    ] {
        check(DOCKER, &entries(names), registry, expected);
    }
}

#[test]
fn podman_knows_docker_hub_by_each_of_its_names() {
    for (names, registry, expected) in [
        (&["r.test"][..], "r.test", "entry r.test"),
        (&["r.test:443"], "r.test", ""),
        (&["docker.io"], "docker.io", "entry docker.io"),
        (&["https://index.docker.io/v1/"], "docker.io", "entry https://index.docker.io/v1/"),
        (&["registry-1.docker.io"], "docker.io", "entry registry-1.docker.io"),
    ] {
        check(PODMAN, &entries(names), registry, expected);
    }
}

#[test]
fn a_helper_comes_before_the_file() {
    let both = r#"{"auths":{"r.test":{"auth":"dTpw"}},"credsStore":"all","credHelpers":{"h.test":"one","docker.io":"hub"}}"#;
    check(DOCKER, both, "h.test", "credHelpers one h.test");
    check(DOCKER, both, "r.test", "credsStore all r.test");
    // The helper of Docker Hub is named by its address.
    check(DOCKER, both, "docker.io", "credsStore all https://index.docker.io/v1/");
    check(PODMAN, both, "h.test", "credHelpers one h.test");
    check(PODMAN, both, "r.test", "entry r.test");
    check(PODMAN, both, "docker.io", "credHelpers hub docker.io");
}

#[track_caller]
fn check_passed_over(text: &str, registry: &str, expected: &[(&str, &str)]) {
    let config = config(text);
    let found = passed_over(DOCKER, &config, &Host::parse(registry).unwrap());
    let shown: Vec<(&str, String)> =
        found.iter().map(|(key, why): &(String, Why)| (key.as_str(), why.to_string())).collect();
    let shown: Vec<(&str, &str)> = shown.iter().map(|(key, why)| (*key, why.as_str())).collect();
    assert_eq!(shown, expected, "{registry}: {text}");
}

#[test]
fn what_looks_like_the_registry_and_is_not_used_is_named() {
    let other = |wanted: &str| format!("has another name than {wanted}, which is looked for");
    check_passed_over(&entries(&["r.test"]), "r.test", &[]);
    check_passed_over(&entries(&["r.test.example"]), "r.test", &[]);
    check_passed_over(
        &entries(&["R.test", "r.test:443"]),
        "r.test",
        &[("R.test", &other("r.test")), ("r.test:443", &other("r.test"))],
    );
    check_passed_over(
        &entries(&["docker.io"]),
        "docker.io",
        &[("docker.io", &other("https://index.docker.io/v1/"))],
    );
    let empty = r#"{"auths":{"r.test":{}}}"#;
    check_passed_over(empty, "r.test", &[("r.test", "holds no login")]);
    // That is how an entry is left where a helper keeps the login.
    check_passed_over(r#"{"auths":{"r.test":{}},"credsStore":"x"}"#, "r.test", &[]);
    check_passed_over(
        r#"{"auths":{"r.test":{"auth":"dTpw"}},"credsStore":"x"}"#,
        "r.test",
        &[("r.test", "is not used, since docker-credential-x is asked in its place")],
    );
}

#[test]
fn without_a_registry_each_helper_has_something_to_answer() {
    let asked = |text: &str| {
        let config = config(text);
        let questions = questions(&config).into_iter();
        questions.map(|one| format!("{} {}", one.helper, one.server)).collect::<Vec<_>>()
    };
    assert_eq!(asked(&entries(&["r.test"])), Vec::<String>::new());
    let both =
        r#"{"auths":{"r.test":{},"h.test":{}},"credsStore":"all","credHelpers":{"h.test":"one"}}"#;
    assert_eq!(asked(both), ["one h.test", "all r.test"]);
    assert_eq!(asked(r#"{"credsStore":"all"}"#), ["all https://index.docker.io/v1/"]);
}
