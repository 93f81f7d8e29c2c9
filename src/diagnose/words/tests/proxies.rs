//! What Go says of a proxy that makes no tunnel: the words behind the status, and no number.

use super::*;

fn asked(words: &str) -> String {
    format!("pinging container registry reg.test: Get \"https://reg.test/v2/\": {words}")
}

#[test]
fn words_behind_a_status() {
    check_all(
        &asked("Internal Server Error"),
        &[(Code::RegistryUnavailable, Likely), (Code::ProxyUnreachable, Possible)],
    );
    check_all(&asked("authenticationrequired"), &[(Code::ProxyAuthenticationRequired, Likely)]);
    for words in ["AuthorizedOnly", "urlblocked"] {
        check_all(
            &asked(words),
            &[(Code::AccessForbidden, Possible), (Code::ProxyUnreachable, Possible)],
        );
    }
}

#[test]
fn words_of_a_registry_and_of_programs_are_none() {
    check(&asked("EOF"), Code::ConnectionReset, Likely);
    check(&asked("unauthorized"), Code::CredentialRejected, Possible);
    check(&asked("unknown"), Code::Inconclusive, Possible);
    check(&asked("unsupported"), Code::Inconclusive, Possible);
    check("Error response from daemon: Internal Server Error", Code::Inconclusive, Possible);
    check(
        "failed to pull image \"reg.test/a:1\": authenticationrequired",
        Code::Inconclusive,
        Possible,
    );
}

#[test]
fn an_end_without_a_request() {
    check(
        "Failed to pull image \"reg.test/a:1\": rpc error: code = Unknown desc = EOF",
        Code::ConnectionReset,
        Possible,
    );
    check(
        "Failed to pull image \"reg.test/eof:eof\": rpc error: code = Unknown desc = something",
        Code::Inconclusive,
        Possible,
    );
}
