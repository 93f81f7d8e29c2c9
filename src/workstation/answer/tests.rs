use super::{Login, of_engine, of_helper, of_program};
use crate::evidence::workstation::{Client, EngineFailure, EngineSeen, HelperFailure, ProgramSeen};
use crate::secret::Secret;

#[track_caller]
fn check_engine(server: Option<&str>, body: &str, expected: (Client, &str)) {
    let (product, version) = expected;
    let expected = EngineSeen::Answered { product, version: version.to_owned() };
    assert_eq!(of_engine(200, server, body.as_bytes()), expected, "{body}");
}

#[test]
fn an_engine_says_which_one_it_is() {
    let docker = r#"{"Platform":{"Name":"Docker Engine - Community"},"Components":[{"Name":"Engine","Version":"27.3.1"},{"Name":"containerd","Version":"1.7.22"}],"Version":"27.3.1","ApiVersion":"1.47"}"#;
    check_engine(Some("Docker/27.3.1 (linux)"), docker, (Client::Docker, "27.3.1"));
    let old = r#"{"Version":"1.13.1","ApiVersion":"1.26"}"#;
    check_engine(Some("Docker/1.13.1 (linux)"), old, (Client::Docker, "1.13.1"));
    let podman = r#"{"Components":[{"Name":"Podman Engine","Version":"4.3.1"}],"Version":"4.3.1"}"#;
    check_engine(None, podman, (Client::Podman, "4.3.1"));
    let bare = r#"{"Components":null,"Version":"5.2.2"}"#;
    check_engine(Some("Libpod/5.2.2 (linux)"), bare, (Client::Podman, "5.2.2"));
    check_engine(None, "{\"Version\":\"1\\u001b[31m\"}", (Client::Docker, "1[31m"));
}

#[test]
fn what_is_no_engine_is_known_by_its_answer() {
    for (status, body, expected) in [
        (404, r#"{"Version":"27.3.1"}"#, "status 404"),
        (200, "<html>", "something else than a version"),
        (200, r#"{"version":"27.3.1"}"#, "something else than a version"),
        (200, "", "something else than a version"),
    ] {
        let failure = EngineFailure::NoEngine { said: expected.to_owned() };
        let expected = EngineSeen::Unavailable { failure };
        assert_eq!(of_engine(status, None, body.as_bytes()), expected, "{body}");
    }
}

fn password(username: &str, password: &str) -> Login {
    Login::Password { username: username.to_owned(), password: Secret::new(password) }
}

#[test]
fn a_helper_gives_a_login_a_token_or_nothing() {
    for (said, expected) in [
        (r#"{"ServerURL":"r.test","Username":"u","Secret":"p"}"#, Some(password("u", "p"))),
        // Docker reads one value and no further.
        ("{\"Username\":\"u\",\"Secret\":\"p\"}\nbye", Some(password("u", "p"))),
        (r#"{"Username":"<token>","Secret":"t"}"#, Some(Login::Token(Secret::new("t")))),
        (r#"{"Username":"","Secret":""}"#, None),
        ("{}", None),
    ] {
        assert_eq!(of_helper(None, said.as_bytes()), Ok(expected), "{said}");
    }
    let said = b"credentials not found in native keychain\n";
    assert_eq!(of_helper(Some("exit status: 1".to_owned()), said), Ok(None));
}

#[test]
fn an_answer_that_no_client_takes_is_not_repeated() {
    let no_object = "it is not an object with Username and Secret as strings";
    for (said, expected) in [
        ("", "it is empty"),
        ("canary", "it is no valid JSON"),
        ("{\"Secret\":\"canary", "it is no valid JSON"),
        ("\"canary\"", no_object),
        (r#"{"Username":"u","Secret":["canary"]}"#, no_object),
    ] {
        let expected = HelperFailure::NotUnderstood { reason: expected.to_owned() };
        assert_eq!(of_helper(None, said.as_bytes()), Err(expected), "{said}");
    }
}

#[test]
fn a_helpers_words_are_shown_where_they_are_known() {
    for (said, expected) in [
        (
            "pass not initialized: exit status 1: Error: password store is empty",
            Some("pass is not initialized"),
        ),
        (
            "exit status 2: gpg: decryption failed: No secret key",
            Some("gpg: decryption failed: No secret key"),
        ),
        (
            "Cannot autolaunch D-Bus without X11 $DISPLAY",
            Some("Cannot autolaunch D-Bus without X11 $DISPLAY"),
        ),
        ("no credentials server URL", Some("no credentials server URL")),
        ("the password is canary", None),
        ("", None),
    ] {
        let words = expected.map(str::to_owned);
        let status = "exit status: 1".to_owned();
        let expected = HelperFailure::Ended { status: status.clone(), words };
        assert_eq!(of_helper(Some(status), said.as_bytes()), Err(expected), "{said}");
    }
}

#[test]
fn a_client_says_which_one_it_is() {
    for (said, product, version) in [
        ("Docker version 27.3.1, build ce12230\n", Client::Docker, "27.3.1"),
        ("Docker version 17.12.1-ce, build 7390fc6\n", Client::Docker, "17.12.1-ce"),
        ("podman version 4.3.1\n", Client::Podman, "4.3.1"),
        ("Emulate Docker CLI using podman.\npodman version 5.2.2\n", Client::Podman, "5.2.2"),
    ] {
        let expected = ProgramSeen::Answered { product, version: version.to_owned() };
        assert_eq!(of_program(said.as_bytes()), expected, "{said}");
    }
    let expected = ProgramSeen::Failed { reason: "says no version".to_owned() };
    assert_eq!(of_program(b"usage: canary"), expected);
}
