use super::*;

#[test]
fn tokens_refused() {
    let token = |who: &str, rest: &str| {
        resolving(
            "shop.azurecr.io/api:1",
            &format!("failed to authorize: failed to fetch {who} token: {rest}"),
        )
    };
    let url = "https://shop.azurecr.io/oauth2/token?scope=repository%3Aapi%3Apull&service=shop.azurecr.io";
    check_at(
        &token("oauth", &format!("unexpected status from GET request to {url}: 401 Unauthorized")),
        Code::CredentialRejected,
        Likely,
        "shop.azurecr.io",
    );
    check(
        &token(
            "anonymous",
            &format!("unexpected status from GET request to {url}: 401 Unauthorized"),
        ),
        Code::NoCredentials,
        Likely,
    );
    check(&token("anonymous", "unexpected status: 401 Unauthorized"), Code::NoCredentials, Likely);
    check(
        &token("anonymous", &format!("unexpected status from GET request to {url}: 403 Forbidden")),
        Code::NetworkRuleDenied,
        Likely,
    );
    check(&token("oauth", "unexpected status: 403 Forbidden"), Code::AccessForbidden, Likely);
    check(
        &token(
            "oauth",
            &format!(
                "unexpected status from GET request to {url}: 403 Forbidden: {{\"errors\":[{{\"code\":\"DENIED\",\"message\":\"client with IP \\u002720.1.2.3\\u0027 is not allowed access. Refer https://aka.ms/acr/firewall to grant access.\"}}]}}"
            ),
        ),
        Code::NetworkRuleDenied,
        Certain,
    );
    check(
        &token(
            "oauth",
            &format!("unexpected status from POST request to {url}: 429 Too Many Requests"),
        ),
        Code::RateLimited,
        Certain,
    );
    let regional = read(
        "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://shop.westeurope.geo.azurecr.io/oauth2/token?service=x: 401 Unauthorized",
    );
    assert_eq!(regional[1].code, Code::CredentialProviderNotMatched);
    check(
        &resolving(
            "ghcr.io/o/p:1",
            "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://ghcr.io/token?scope=repository%3Ao%2Fp%3Apull&service=ghcr.io: 403 Forbidden",
        ),
        Code::AccessForbidden,
        Likely,
    );
}

#[test]
fn nobody_says_whether_a_credential_was_sent() {
    for message in [
        "Error response from daemon: Head \"https://shop.azurecr.io/v2/api/manifests/1\": unauthorized: authentication required, visit https://aka.ms/acr/authorization for more information.",
        "Error response from daemon: Get https://reg.test/v2/a/manifests/1: unauthorized",
        "Error response from daemon: Head \"https://reg.test/v2/a/manifests/1\": no basic auth",
        "reading manifest 1 in reg.test/a: unauthorized: authentication required",
        "failed to resolve reference \"reg.test/a:1\": pull from host reg.test: unexpected status from HEAD request to https://reg.test/v2/a/manifests/1: 401 Unauthorized",
        "failed to resolve reference \"reg.test/a:1\": pulling from host reg.test failed with status code [manifests 1]: 401 Unauthorized",
    ] {
        let first = &read(message)[0];
        assert_ne!(first.confidence, Certain, "{message}: {first:?}");
        assert!(
            matches!(first.code, Code::CredentialRejected | Code::Inconclusive),
            "{message}: {first:?}"
        );
    }
}

#[test]
fn credentials_by_the_registrys_own_words() {
    let docker =
        |words: &str| format!("Error response from daemon: Get \"https://reg.test/v2/\": {words}");
    check(
        &docker("unauthorized: incorrect username or password"),
        Code::CredentialRejected,
        Likely,
    );
    check(&docker("no basic auth credentials"), Code::NoCredentials, Likely);
    check(
        &docker("unauthorized: Application not registered with AAD."),
        Code::UsernameUnknown,
        Certain,
    );
    check(
        &docker("unauthorized: Invalid clientid or client secret."),
        Code::ServicePrincipalSecretInvalid,
        Likely,
    );
    check(
        &docker("unauthorized: aad access token with sp failed client id must be guid"),
        Code::UsernameUnknown,
        Certain,
    );
    check(
        &docker("denied: Your authorization token has expired. Reauthenticate and try again."),
        Code::CredentialExpired,
        Certain,
    );
    check(&docker("unauthorized: HTTP Basic: Access denied"), Code::CredentialRejected, Likely);
    check(
        "initializing source docker://quay.io/o/p:1: unable to retrieve auth token: invalid username/password: unauthorized: Invalid Username or Password",
        Code::CredentialRejected,
        Likely,
    );
    check(
        &resolving(
            "1234.dkr.ecr.eu-west-1.amazonaws.com/a:1",
            "unexpected status from HEAD request to https://1234.dkr.ecr.eu-west-1.amazonaws.com/v2/a/manifests/1: 403 Forbidden",
        ),
        Code::AccessForbidden,
        Likely,
    );
    check(
        "Error response from daemon: pull access denied for 1234.dkr.ecr.eu-west-1.amazonaws.com/a, repository does not exist or may require 'docker login': denied: User: arn:aws:sts::1234:assumed-role/node/i-1 is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:1234:repository/a because no resource-based policy allows the ecr:BatchGetImage action",
        Code::PullNotAuthorized,
        Likely,
    );
}

#[test]
fn denied_or_absent() {
    for cause in [
        "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
        "pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth",
    ] {
        check(&resolving("docker.io/me/typo:1", cause), Code::NotFoundOrNotAuthorized, Likely);
    }
    check(
        "Requesting bearer token: denied: requested access to the resource is denied",
        Code::NotFoundOrNotAuthorized,
        Likely,
    );
    check(
        "reading manifest v1 in quay.io/o/p: unauthorized: access to the requested resource is not authorized",
        Code::NotFoundOrNotAuthorized,
        Likely,
    );
    check(
        "reading manifest 1 in docker.io/me/typo: requested access to the resource is denied",
        Code::NotFoundOrNotAuthorized,
        Likely,
    );
    check(
        "Error response from daemon: Head \"https://europe-docker.pkg.dev/v2/p/r/i/manifests/1\": denied: Unauthenticated request. Unauthenticated requests do not have permission \"artifactregistry.repositories.downloadArtifacts\" on resource \"projects/p/locations/europe/repositories/r\" (or it may not exist)",
        Code::NotFoundOrNotAuthorized,
        Likely,
    );
    check(
        "initializing source docker://ghcr.io/o/p:1: Requesting bearer token: invalid status code from registry 403 (Forbidden)",
        Code::AccessForbidden,
        Likely,
    );
    check(
        "Error response from daemon: Head \"https://registry.gitlab.com/v2/g/p/manifests/1\": denied: access forbidden",
        Code::AccessForbidden,
        Likely,
    );
    check(
        "Error response from daemon: denied: permission_denied: The token provided does not match expected scopes.",
        Code::PullNotAuthorized,
        Likely,
    );
}

#[test]
fn absent() {
    check(
        "Error response from daemon: (Tag v2.0.0-bob not found in repository foo/bar)",
        Code::TagNotFound,
        Likely,
    );
    check(
        "Error response from daemon: unknown: artifact lib/app:9 not found",
        Code::TagNotFound,
        Likely,
    );
    check(
        "Error response from daemon: unknown: repository lib/typo not found",
        Code::RepositoryNotFound,
        Likely,
    );
    check_at(
        &resolving("ghcr.io/o/p:nope", "ghcr.io/o/p:nope: not found"),
        Code::TagNotFound,
        Likely,
        "ghcr.io",
    );
    check(
        "rpc error: code = NotFound desc = failed to pull and unpack image \"docker.io/library/nginx:1.99\": failed to resolve reference \"docker.io/library/nginx:1.99\": docker.io/library/nginx:1.99: not found",
        Code::TagNotFound,
        Likely,
    );
    check(
        "reading manifest 1.99 in docker.io/library/nginx: manifest unknown",
        Code::TagNotFound,
        Likely,
    );
    check(
        "Error response from daemon: manifest for shop.azurecr.io/api:9 not found: manifest unknown: manifest tagged by \"9\" is not found",
        Code::TagNotFound,
        Certain,
    );
    check(
        "Error response from daemon: manifest for reg.test/a:1 not found: manifest unknown: manifest sha256:1234 is not found",
        Code::ManifestDangling,
        Likely,
    );
    check(
        "Error response from daemon: manifest for reg.test/a@sha256:1234 not found: manifest unknown: manifest sha256:1234 is not found",
        Code::TagNotFound,
        Likely,
    );
    check(
        "Error response from daemon: repository shop.azurecr.io/typo not found: name unknown: repository name not known to registry",
        Code::RepositoryNotFound,
        Likely,
    );
    check(
        "reading manifest 1 in 1234.dkr.ecr.us-east-1.amazonaws.com/typo: name unknown: The repository with name 'typo' does not exist in the registry with id '1234'",
        Code::RepositoryNotFound,
        Likely,
    );
    check(
        &copying(
            "reg.test/a:1",
            "httpReadSeeker: failed open: content at https://reg.test/v2/a/manifests/sha256:1234 not found: not found",
        ),
        Code::ManifestDangling,
        Likely,
    );
    check(
        &copying(
            "reg.test/a:1",
            "httpReadSeeker: failed open: could not fetch content descriptor sha256:12 (application/vnd.oci.image.layer.v1.tar+gzip) from remote: not found",
        ),
        Code::LayerNotFound,
        Likely,
    );
    check(
        "copying system image from manifest list: reading blob sha256:12: fetching blob: blob unknown to registry",
        Code::LayerNotFound,
        Likely,
    );
    check(
        &resolving(
            "reg.test/a:1",
            "unexpected status from HEAD request to https://reg.test/v2/a/manifests/1: 404 Not Found",
        ),
        Code::TagNotFound,
        Likely,
    );
}

#[test]
fn the_registrys_own_state() {
    check(
        &resolving(
            "reg.test/a:1",
            "unexpected status from HEAD request to https://reg.test/v2/a/manifests/1: 500 Internal Server Error",
        ),
        Code::RegistryUnavailable,
        Certain,
    );
    check(
        "reading manifest 1 in reg.test/a: received unexpected HTTP status: 504 Gateway Timeout",
        Code::RegistryUnavailable,
        Certain,
    );
    check(
        "writing blob: initiating layer upload: StatusCode: 503, <html>",
        Code::RegistryUnavailable,
        Likely,
    );
    check(
        "error parsing HTTP 502 response body: invalid character '<' looking for beginning of value: \"<html>no space left on device</html>\"",
        Code::RegistryUnavailable,
        Certain,
    );
    check(
        "error parsing HTTP 404 response body: invalid character '<' looking for beginning of value: \"<!DOCTYPE html>\"",
        Code::NotARegistry,
        Likely,
    );
    check(
        "error parsing HTTP 403 response body: invalid character '<' looking for beginning of value: \"<html>\"",
        Code::AccessForbidden,
        Likely,
    );
    check(
        &copying(
            "docker.io/a/b:1",
            "httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/a/b/manifests/sha256:12: 429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
        ),
        Code::RateLimited,
        Certain,
    );
    check(
        "reading manifest 1 in docker.io/a/b: toomanyrequests: You have reached your pull rate limit.",
        Code::RateLimited,
        Certain,
    );
    check(
        &copying(
            "reg.azurecr.io/a:1",
            "httpReadSeeker: failed open: unexpected status code https://reg.azurecr.io/v2/a/blobs/sha256:12: 403 Forbidden",
        ),
        Code::AccessForbidden,
        Likely,
    );
    check(
        "image pull failed for reg.test/a:1 because the registry is unavailable: pinging container registry reg.test: Get \"https://reg.test/v2/\": dial tcp 192.0.2.1:443: connect: connection refused",
        Code::ConnectionRefused,
        Certain,
    );
}

#[test]
fn other_words_for_what_is_hidden_or_refused() {
    let hidden = [
        "repository 1.dkr.ecr.eu-west-1.amazonaws.com/topic not found: does not exist or no pull access",
        "image pull failed for reg.test/shop/api, this may be because there are no credentials on this \
         request. details: (Error: image shop/api:latest not found)",
        "Error response from daemon: unauthorized: {\"errors\":[{\"code\":\"DENIED\",\"message\":\"you do \
         not have the permission\",\"detail\":\"\"}]}",
    ];
    for words in hidden {
        check(words, Code::NotFoundOrNotAuthorized, Likely);
    }
    check("no user/password was provided for basic authentication", Code::NoCredentials, Likely);
    check("no such manifest: reg.test/shop/api:1", Code::TagNotFound, Likely);
    let resolved =
        "failed to resolve image \"reg.test/api@sha256:4bdd\": reg.test/api@sha256:4bdd not found";
    check(resolved, Code::TagNotFound, Likely);
    let policy =
        "failed to extract image: PROJECT_POLICY_VIOLATION: \"Cannot get the image severity.\"";
    check(policy, Code::AccessForbidden, Likely);
}

#[test]
fn any_refusal_of_a_token_is_called_an_invalid_username() {
    let words = "unable to retrieve auth token: invalid username/password: unauthorized: \
        authentication required";
    check(words, Code::CredentialRejected, Possible);
    let own = "unable to retrieve auth token: invalid username/password: unauthorized: incorrect \
        username or password";
    check(own, Code::CredentialRejected, Likely);
}
