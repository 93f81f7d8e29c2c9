//! Pages for people, the rules of a registry, and statuses that stand by themselves.

use super::*;

const FORBIDDEN: &[(Code, Confidence)] =
    &[(Code::AccessForbidden, Likely), (Code::NetworkRuleDenied, Possible)];

#[test]
fn pages_that_forbid() {
    check_all(
        "error parsing HTTP 403 response body: invalid character '<' looking for beginning of value: \"<!DOCTYPE html>\\n<html lang=en>\\n  <title>Error 403 (Forbidden)!!1</title>\\n  <p><b>403.</b> <ins>That\\u2019s an error.</ins>\\n  <p>Your client does not have permission to get URL <code>/v2/pause/manifests/3.9</code> from this server.  <ins>That\\u2019s all we know.</ins>\\n\"",
        FORBIDDEN,
    );
    check_all(
        "pull access denied for library/x, repository does not exist or may require 'docker login': denied: <html><body><h1>403 Forbidden</h1> Since Docker is a US company, we must comply with US export control regulations. In an effort to comply with these, we now block all IP addresses that are located in Cuba, Iran, North Korea. </body></html>",
        FORBIDDEN,
    );
    // What is said before a page is not its word.
    check(
        "denied: Your authorization token has expired. Reauthenticate and try again. <html>403 Forbidden</html>",
        Code::CredentialExpired,
        Certain,
    );
    // The registry itself hides which it is.
    check(
        "pull access denied for library/x, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
        Code::NotFoundOrNotAuthorized,
        Likely,
    );
}

#[test]
fn a_pages_words_name_no_cause() {
    for words in [
        "no space left on device",
        "pull QPS exceeded",
        "manifest unknown",
        "x509: connection refused",
        "schema 1 images are disabled by default",
        "429 too many requests",
        "407 proxy authentication required",
    ] {
        check_all(
            &format!(
                "error parsing HTTP 403 response body: invalid character '<' looking for beginning of value: \"<html><body>{words}</body></html>\""
            ),
            FORBIDDEN,
        );
        check(
            &format!(
                "error parsing HTTP 404 response body: invalid character '<' looking for beginning of value: \"<html><body>{words}</body></html>\""
            ),
            Code::NotARegistry,
            Likely,
        );
    }
}

#[test]
fn rules_of_a_registry() {
    let harbor = |words: &str| {
        format!(
            "unexpected status from GET request to https://harbor.test/v2/a/b/manifests/1: 412 Precondition Failed: {words}"
        )
    };
    for words in [
        "The image is not signed in Notary.",
        "PROJECTPOLICYVIOLATION: The image is not signed by cosign.",
    ] {
        for message in [words.to_owned(), harbor(words)] {
            check_all(
                &message,
                &[(Code::AccessForbidden, Likely), (Code::SignatureRejected, Possible)],
            );
        }
    }
    let vulnerable = "current image with 23 vulnerabilities cannot be pulled due to configured policy in 'Prevent images with vulnerability severity of \"High\" or higher from running.'";
    check_all(vulnerable, &[(Code::AccessForbidden, Likely)]);
    check_all(&harbor(vulnerable), &[(Code::AccessForbidden, Likely)]);
    check(&harbor(""), Code::AccessForbidden, Possible);
    // The node's policy is another one.
    check(
        "SignatureValidationFailed: Source image rejected: the image is not signed by anybody",
        Code::SignatureRejected,
        Likely,
    );
}

#[test]
fn a_status_without_words() {
    for status in [500, 502, 503, 504] {
        check(
            &format!(
                "reading blob sha256:12: Invalid status code returned when fetching blob {status}"
            ),
            Code::RegistryUnavailable,
            Likely,
        );
    }
    check("Invalid status code returned when fetching blob 404", Code::LayerNotFound, Likely);
    check("Invalid status code returned when fetching blob 429", Code::RateLimited, Certain);
}
