use std::path::{Path, PathBuf};

use super::{Way, context, directories_of, files, of_context, places, way};
use crate::evidence::workstation::{Client, EngineFailure};
use crate::workstation::Environment;

fn environment() -> Environment {
    Environment { home: PathBuf::from("/home/u"), user: 1000, ..Environment::default() }
}

fn with_runtime() -> Environment {
    Environment { runtime: Some(PathBuf::from("/run/user/1000")), ..environment() }
}

/// The places as `CLIENT ADDRESS` or `CLIENT ADDRESS by NAME`.
fn shown(environment: &Environment, of_context: Option<(String, Way)>) -> Vec<String> {
    let places = places(environment, of_context).into_iter();
    let shown = places.map(|place| {
        let by = place.named_by.map(|name| format!(" by {name}")).unwrap_or_default();
        format!("{} {}{by}", place.client, place.way.address())
    });
    shown.collect()
}

#[test]
fn the_usual_places_are_looked_at_where_nothing_is_named() {
    let of_all = ["Docker unix:///var/run/docker.sock", "Podman unix:///run/podman/podman.sock"];
    assert_eq!(shown(&environment(), None), of_all);
    assert_eq!(
        shown(&with_runtime(), None),
        [
            of_all[0],
            "Docker unix:///run/user/1000/docker.sock",
            of_all[1],
            "Podman unix:///run/user/1000/podman/podman.sock",
        ]
    );
}

#[test]
fn what_is_named_stands_in_their_place() {
    let docker_host = Some("tcp://build.test".to_owned());
    let container_host = Some("unix:///p.sock".to_owned());
    let named = Environment { docker_host, container_host, ..with_runtime() };
    let expected =
        ["Docker tcp://build.test:2375 by DOCKER_HOST", "Podman unix:///p.sock by CONTAINER_HOST"];
    assert_eq!(shown(&named, None), expected);
    let of_context = ("currentContext build".to_owned(), way("unix:///c.sock", None));
    let expected =
        ["Docker unix:///c.sock by currentContext build", "Podman unix:///run/podman/podman.sock"];
    assert_eq!(shown(&environment(), Some(of_context)), expected);
}

#[test]
fn a_context_is_named_by_a_variable_or_by_the_file() {
    let plain = environment();
    assert_eq!(context(&plain, None), None);
    assert_eq!(context(&plain, Some("default")), None);
    assert_eq!(context(&plain, Some("build")), Some(("build", "currentContext")));
    let docker_context = Some("other".to_owned());
    let by_variable = Environment { docker_context, ..environment() };
    assert_eq!(context(&by_variable, Some("build")), Some(("other", "DOCKER_CONTEXT")));
    let by_host = Environment { docker_host: Some("unix:///d.sock".to_owned()), ..by_variable };
    assert_eq!(context(&by_host, Some("build")), None);
    let (meta, tls) = directories_of(Path::new("/d"), "build");
    // printf build | sha256sum
    let id = "44575cf5b28512d75644bf54a517dcef304ff809fd511747621b4d64f19aac66";
    assert_eq!(meta, Path::new("/d/contexts/meta").join(id));
    assert_eq!(tls, Path::new("/d/contexts/tls").join(id));
}

#[test]
fn a_contexts_engine_is_the_one_of_its_file() {
    let meta = br#"{"Name":"build","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://b.test:2376","SkipTLSVerify":false}}}"#;
    let certificates = Some(PathBuf::from("/tls/docker"));
    let expected =
        Way::Tcp { authority: "b.test:2376".to_owned(), certificates: certificates.clone() };
    assert_eq!(of_context("build", Some(meta), certificates.clone()), expected);
    let lax = br#"{"Endpoints":{"docker":{"Host":"tcp://b.test:2376","SkipTLSVerify":true}}}"#;
    assert!(matches!(of_context("build", Some(lax), certificates), Way::Skipped { .. }));
    let failure = EngineFailure::NoContext;
    let expected = Way::Broken { address: "context build".to_owned(), failure };
    assert_eq!(of_context("build", None, None), expected);
    assert!(matches!(of_context("build", Some(b"{}"), None), Way::Broken { .. }));
}

#[test]
fn an_address_is_a_socket_a_host_or_said_to_be_neither() {
    let tcp = |authority: &str, certificates: Option<&str>| Way::Tcp {
        authority: authority.to_owned(),
        certificates: certificates.map(PathBuf::from),
    };
    assert_eq!(way("unix:///d.sock", None), Way::Socket(PathBuf::from("/d.sock")));
    assert_eq!(way("tcp://10.0.0.1:2375", None), tcp("10.0.0.1:2375", None));
    assert_eq!(way("tcp://[::1]", None), tcp("[::1]:2375", None));
    assert_eq!(way("tcp://d.test", Some(PathBuf::from("/c"))), tcp("d.test:2376", Some("/c")));
    for (written, address) in [
        ("ssh://robot:canary@d.test:22", "ssh://d.test"),
        ("npipe:////./pipe/docker_engine", "npipe://"),
        ("fd://", "fd://"),
        ("tcp:///nowhere", "tcp://"),
    ] {
        let Way::Skipped { address: shown, reason } = way(written, None) else {
            panic!("{written}")
        };
        assert_eq!(shown, address, "{written}");
        assert!(!reason.contains("canary") && reason.contains("unix://"), "{reason}");
    }
    let Way::Broken { address, .. } = way("canary", None) else { panic!() };
    assert_eq!(address, "what it says");
}

#[test]
fn the_files_are_where_the_clients_look() {
    let paths = |environment: &Environment| {
        let files = files(environment).into_iter();
        files.map(|(client, path)| format!("{client} {}", path.display())).collect::<Vec<_>>()
    };
    assert_eq!(
        paths(&environment()),
        [
            "Podman /run/containers/1000/auth.json",
            "Podman /home/u/.config/containers/auth.json",
            "Docker /home/u/.docker/config.json",
        ]
    );
    let elsewhere = Environment {
        auth_file: Some(PathBuf::from("/a.json")),
        configuration: Some(PathBuf::from("/c")),
        docker_config: Some(PathBuf::from("/d")),
        ..with_runtime()
    };
    let expected = ["Podman /a.json", "Podman /c/containers/auth.json", "Docker /d/config.json"];
    assert_eq!(paths(&elsewhere), expected);
    assert_eq!(paths(&with_runtime())[0], "Podman /run/user/1000/containers/auth.json");
    assert_eq!(Client::Docker.to_string(), "Docker");
}
