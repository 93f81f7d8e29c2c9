//! What programs put around a message: logs, clients of Docker, second attempts.

use super::*;

/// A line of klog about a pull that failed, as the kubelet and crictl write it.
fn logged(words: &str) -> String {
    let image = "reg.test/shop/api:1";
    format!(
        "E0512 10:31:02.123456   1021 remote_image.go:242] \"PullImage from image service failed\" \
         err=\"rpc error: code = Unknown desc = {words}\" image=\"{image}\""
    )
}

#[test]
fn the_error_of_a_line_ends_before_what_stands_behind_it() {
    let asked = "pinging container registry reg.test: Get \\\"https://reg.test/v2/\\\":";
    check_all(
        &logged(&format!("{asked} Internal Server Error")),
        &[(Code::RegistryUnavailable, Likely), (Code::ProxyUnreachable, Possible)],
    );
    check(&logged(&format!("{asked} EOF")), Code::ConnectionReset, Likely);
    check(&logged(&format!("{asked} Forbidden")), Code::AccessForbidden, Likely);
    let resolve = "failed to resolve reference \\\"reg.test/shop/api:1\\\":";
    check(&logged(&format!("{resolve} reg.test/shop/api:1: not found")), Code::TagNotFound, Likely);
    let syncing = "\"Error syncing pod, skipping\" err=\"failed to \\\"StartContainer\\\" for \
        \\\"api\\\" with ErrImagePull: \\\"rpc error: code = NotFound desc = failed to pull and \
        unpack image \\\\\\\"reg.test/shop/api:1\\\\\\\": failed to resolve reference \
        \\\\\\\"reg.test/shop/api:1\\\\\\\": reg.test/shop/api:1: not found\\\"\" \
        pod=\"shop/api-1\" podUID=\"5f0e\"";
    check(syncing, Code::TagNotFound, Likely);
    let hosts = "time=\"2024-01-01T00:00:00Z\" level=error msg=\"failed to decode hosts.toml\" \
        error=\"invalid host tree\" host=reg.test";
    check(hosts, Code::RuntimeFailure, Likely);
}

#[test]
fn the_kubelets_reason_stands_behind_the_message() {
    for reason in ["ErrImagePull", "ImagePullBackOff"] {
        let cause = "failed to do request: Head \"https://reg.test/v2/shop/api/manifests/1\"";
        check(&format!("{cause}: EOF: {reason}"), Code::ConnectionReset, Likely);
        check(&format!("{cause}: Forbidden: {reason}"), Code::AccessForbidden, Likely);
        check(&format!("reg.test/shop/api:1: not found: {reason}"), Code::TagNotFound, Likely);
    }
}

/// What the engine answers to its clients, in two ways in which they say it.
fn by_the_engine(message: &str) -> [String; 2] {
    let body = format!("Status 500: {{\"message\":\"{}\"}}", message.replace('"', "\\\""));
    let call = format!(
        "Docker API call to 'localhost/v1.24/images/create?fromImage=reg.test%2Fapi' failed with \
         status code 500 \"Internal Server Error\" and message \"{message}\""
    );
    [body, call]
}

#[test]
fn the_engines_status_is_not_the_registrys() {
    let head = "Head \"https://reg.test/v2/shop/api/manifests/1\"";
    let table = [
        (format!("{head}: no basic auth credentials"), Code::NoCredentials, Likely),
        (
            "Get \"https://reg.test/v2/\": net/http: request canceled while waiting for connection \
             (Client.Timeout exceeded while awaiting headers)"
                .to_owned(),
            Code::ConnectionTimeout,
            Likely,
        ),
        (format!("{head}: toomanyrequests: too many failed login attempts"), Code::RateLimited, Certain),
        (
            format!("{head}: unauthorized: incorrect username or password"),
            Code::CredentialRejected,
            Likely,
        ),
        (
            "Get \"https://reg.test/v2/\": dial tcp: lookup reg.test: no such host".to_owned(),
            Code::DnsNameNotFound,
            Certain,
        ),
    ];
    for (message, code, confidence) in table {
        for said in by_the_engine(&message) {
            check(&said, code, confidence);
        }
    }
    let call = "Docker API call to 'localhost/v1.24/images/create?fromImage=reg.test%2Fapi' failed \
        with status code 500";
    check(&format!("{call} \"Internal Server Error\" -> [Help 1]"), Code::Inconclusive, Possible);
    let unreachable = "\"com.sun.jna.LastErrorException: [2] No such file or directory\"";
    check(&format!("{call} {unreachable}"), Code::DockerUnavailable, Likely);
    // A registry's own.
    let own = "unexpected status code 500 Internal Server Error: {\"message\":\"no\"}";
    check(own, Code::RegistryUnavailable, Certain);
}

#[test]
fn of_an_image_that_is_no_artifact_either_its_own_error_counts() {
    let image = "writing blob: storing blob to file: happened during read: unexpected EOF (while \
        reconnecting: Get \"https://cdn.reg.test/blob\": EOF)";
    let artifact = "get manifest: unauthorized: access to the requested resource is not authorized";
    let both = |image: &str, artifact: &str| {
        format!(
            "unable to pull image or OCI artifact: pull image err: {image}; artifact err: {artifact}"
        )
    };
    assert_eq!(
        read(&both(image, artifact)),
        read(&both(image, "provided artifact is a container image"))
    );
    let gone = "initializing source docker://reg.test/shop/api:1: reading manifest 1 in \
        reg.test/shop/api: manifest unknown";
    check(&both(gone, artifact), Code::TagNotFound, Likely);
}

#[test]
fn an_exit_status_is_no_answer_and_a_bare_number_behind_a_request_is() {
    let exit = "failed to register layer: re-exec error: exit status 255: output:";
    check(exit, Code::RuntimeFailure, Likely);
    let token = "failed to authorize: failed to fetch anonymous token: unexpected status from GET \
        request to https://reg.test/token?scope=repository%3Ashop%2Fapi%3Apull: 401 ";
    check(token, Code::NoCredentials, Likely);
    let head = "failed to resolve reference \"reg.test/shop/api:1\": unexpected status from HEAD \
        request to https://reg.test/v2/shop/api/manifests/1: 521 ";
    check(head, Code::RegistryUnavailable, Certain);
}
