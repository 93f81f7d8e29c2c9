use super::*;

#[test]
fn the_kubelets_own_words() {
    check(
        "Container image \"reg.test/not-found/denied:1\" is not present with pull policy of Never",
        Code::ImageNeverPulled,
        Certain,
    );
    check("Error: ErrImageNeverPull", Code::ImageNeverPulled, Certain);
    check(
        "Back-off pulling image \"reg.test/a:1\": ErrImagePull: pull QPS exceeded",
        Code::PullQpsExceeded,
        Certain,
    );
    check(
        "Failed to apply default image tag \"Reg.test/A:1\": couldn't parse image name \"Reg.test/A:1\": invalid reference format: repository name must be lowercase",
        Code::InvalidImageReference,
        Certain,
    );
    check(
        "Failed to inspect image \"\": rpc error: code = Unavailable desc = connection error",
        Code::ImageInspectFailed,
        Likely,
    );
    check("Back-off pulling image \"reg.test/unauthorized/eof:403\"", Code::Inconclusive, Possible);
    check("Error: ImagePullBackOff", Code::Inconclusive, Possible);
    check(
        "Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.",
        Code::PullSecretMissing,
        Likely,
    );
    check("illegal base64 data at input byte 11", Code::PullSecretMalformed, Likely);
    check(
        "json: cannot unmarshal array into Go struct field DockerConfigJSON.auths of type credentialprovider.DockerConfig",
        Code::PullSecretMalformed,
        Certain,
    );
}

#[test]
fn disks_and_runtimes() {
    check(
        "failed to pull and unpack image \"reg.test/a:1\": failed to extract layer sha256:12: write /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/9/fs/usr/x: no space left on device: unknown",
        Code::NodeDiskFull,
        Certain,
    );
    check(
        "writing blob: storing blob to file \"/var/tmp/storage1/1\": write /var/tmp/storage1/1: no space left on device",
        Code::NodeDiskFull,
        Certain,
    );
    check(
        "rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: connection refused\"",
        Code::RuntimeFailure,
        Likely,
    );
    check(
        "SignatureValidationFailed: Source image rejected: A signature was required, but no signature exists",
        Code::SignatureRejected,
        Certain,
    );
    check(
        "open /etc/containers/policy.json: no such file or directory",
        Code::RuntimeFailure,
        Likely,
    );
    check(
        "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
        Code::PullTimedOut,
        Likely,
    );
    check(
        "rpc error: code = Canceled desc = failed to pull and unpack image \"r.test/a:1\": context canceled",
        Code::PullTimedOut,
        Possible,
    );
}

#[test]
fn identities_and_providers() {
    check(
        "AADSTS7000222: The provided client secret keys for app '1' are expired.",
        Code::ServicePrincipalSecretExpired,
        Certain,
    );
    check(
        "unauthorized: AADSTS7000215: Invalid client secret provided.",
        Code::ServicePrincipalSecretInvalid,
        Certain,
    );
    check(
        "AADSTS700016: Application with identifier '1' was not found in the directory 'x'.",
        Code::ServicePrincipalUnknown,
        Certain,
    );
    check("AADSTS90002: Tenant 'x' not found.", Code::ServicePrincipalUnknown, Certain);
    check(
        "AADSTS500011: The resource principal named https://x was not found in the tenant.",
        Code::TokenAudienceRefused,
        Certain,
    );
    check(
        "AADSTS70021: No matching federated identity record found for presented assertion.",
        Code::FederatedCredentialMismatch,
        Likely,
    );
    check(
        "AADSTS700212: No matching federated identity record found for presented assertion audience 'api://x'.",
        Code::FederatedCredentialMismatch,
        Likely,
    );
    check(
        "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request",
        Code::IdentityAmbiguous,
        Certain,
    );
    check(
        "Get \"http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01\": dial tcp 169.254.169.254:80: i/o timeout",
        Code::IdentityEndpointUnreachable,
        Certain,
    );
    check(
        "WorkloadIdentityCredential: no client ID specified. Check pod configuration or set ClientID in the options",
        Code::WorkloadIdentityNotConfigured,
        Certain,
    );
    check(
        "auth url https://r.azurecr.io/oauth2/exchange responded with status code 403",
        Code::TokenExchangeDenied,
        Likely,
    );
    check(
        "Failed getting credential from external registry credential provider: error execing credential provider plugin acr-credential-provider for image r.azurecr.io/a: exit status 1",
        Code::CredentialProviderFailed,
        Certain,
    );
    check(
        "error getting credentials - err: exec: \"docker-credential-desktop\": executable file not found in $PATH, out: ``",
        Code::CredentialHelperFailed,
        Certain,
    );
    check(
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        Code::DockerUnavailable,
        Certain,
    );
}

#[test]
fn clients_on_a_workstation() {
    check(
        "An error occurred: CONNECTIVITY_REFRESH_TOKEN_ERROR Access to registry 'r.azurecr.io' was denied. Response code: 401. Please try running 'az login' again to refresh permissions.",
        Code::TokenExchangeDenied,
        Likely,
    );
    check(
        "DOCKER_COMMAND_ERROR Please verify if Docker client is installed and running.",
        Code::DockerUnavailable,
        Likely,
    );
    check(
        "Error response from daemon: login attempt to https://reg.test/v2/ failed with status: 401 Unauthorized",
        Code::CredentialRejected,
        Likely,
    );
    check(
        "WARNING: Error loading config file: /root/.docker/config.json: invalid character '}' looking for beginning of object key string",
        Code::DockerConfigMalformed,
        Likely,
    );
    check(
        "Error saving credentials: error storing credentials - err: exit status 1, out: `The stub received bad data.`",
        Code::CredentialHelperFailed,
        Likely,
    );
    check(
        "error during connect: this error may indicate that the docker daemon is not running: Get http://%2F%2F.%2Fpipe%2Fdocker_engine/v1.24/version: open //./pipe/docker_engine: The system cannot find the file specified.",
        Code::DockerUnavailable,
        Likely,
    );
}

#[test]
fn a_throttled_provider_is_no_limit_of_the_registry() {
    check(
        "Failed getting credential from external registry credential provider: error execing credential provider plugin ecr-credential-provider: exit status 1: ThrottlingException: Rate exceeded",
        Code::CredentialProviderFailed,
        Certain,
    );
    check(
        "ACR r.azurecr.io rejected token exchange: endpoint returned error status: 403. body: client with IP '20.1.2.3' is not allowed access",
        Code::NetworkRuleDenied,
        Certain,
    );
}

#[test]
fn a_full_disk_follows_only_where_the_cause_is_open() {
    let extract = |cause: &str| {
        format!(
            "failed to pull and unpack image \"reg.test/a:1\": failed to extract layer sha256:12: {cause}"
        )
    };
    for cause in [
        "mount callback failed on /var/lib/containerd/tmpmounts/containerd-mount12: failed to Lchown \"/var/lib/containerd/tmpmounts/containerd-mount12/x\" for UID 1000620000, GID 0: lchown /x: invalid argument (Hint: try increasing the number of subordinate IDs in /etc/subuid and /etc/subgid): unknown",
        "failed to mount: invalid argument: unknown",
        "operation not permitted",
        "mkdir /usr/bin: permission denied",
        "write /x: input/output error",
    ] {
        check_all(&extract(cause), &[(Code::RuntimeFailure, Likely)]);
    }
    for cause in ["signal: killed", "exit status 1: unpigz: abort"] {
        check_all(
            &extract(cause),
            &[(Code::RuntimeFailure, Likely), (Code::NodeDiskFull, Possible)],
        );
    }
}

#[test]
fn files_of_the_node_are_read_in_quotes_too() {
    for message in [
        "invalid policy in \"/etc/containers/policy.json\": Unknown key \"keyPaths\"",
        "open \"/etc/containers/policy.json\": no such file or directory",
        "failed to parse \"/etc/containerd/certs.d/reg.test/hosts.toml\": bad key",
        "transport: Error while dialing \"/run/containerd/containerd.sock\": no such file or directory",
    ] {
        check(message, Code::RuntimeFailure, Likely);
    }
    check(
        "error reading JSON file \"/run/containers/0/auth.json\": unexpected end of JSON input",
        Code::DockerConfigMalformed,
        Likely,
    );
}

#[test]
fn images_named_like_files_are_none() {
    for image in ["policy.json", "reg.test/hosts.toml:invalid", "reg.test/a/containerd.sock:1"] {
        check(&resolving(image, "manifest unknown: manifest unknown"), Code::TagNotFound, Likely);
    }
    for name in ["policy.json", "hosts.toml", "containerd.sock"] {
        check(
            &format!(
                "initializing source docker://reg.test/{name}:invalid: reading manifest invalid in reg.test/{name}: manifest unknown"
            ),
            Code::TagNotFound,
            Likely,
        );
    }
}

#[test]
fn runtimes_in_disorder() {
    for message in [
        "rpc error: code = Unavailable desc = failed to pull and unpack image \"reg.test/a:1\": failed to copy: ref k8s.io/1/layer-sha256:12 locked for 234.5ms (since 2024-01-01 01:02:03.4 +0000 UTC m=+12.3): unavailable",
        "failed to copy: ref k8s.io/1/layer-sha256:12 locked: unavailable",
        "rpc error: code = Unavailable desc = grpc: the connection is unavailable",
        "reference \"[overlay@/var/lib/containers/storage+/run/containers/storage]reg.test/a:1\" does not resolve to an image ID",
    ] {
        check(message, Code::RuntimeFailure, Likely);
    }
}

#[test]
fn why_an_image_was_not_inspected() {
    check_all(
        "Failed to inspect image \"\": rpc error: code = Unknown desc = short name mode is enforcing, but image name nginx:1 returns ambiguous list",
        &[(Code::ImageInspectFailed, Likely), (Code::RegistryNameSuspicious, Likely)],
    );
    check_all(
        "Failed to inspect image \"\": rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: connection refused\"",
        &[(Code::ImageInspectFailed, Likely), (Code::RuntimeFailure, Likely)],
    );
}

#[test]
fn what_runtimes_say_of_themselves() {
    let table = [
        "parent snapshot sha256:47ce4b7c does not exist: not found",
        "failed to attach and mount for snapshot 218: failed to enable target for \
         /sys/kernel/config/target/core/user_1/dev_218",
        "rpc error: code = Unimplemented desc = unknown service runtime.v1alpha2.ImageService",
        "failed to create snapshot: missing parent bucket: not found",
        "failed to get image information: failed to get image diffIDs: manifest sha256:f784: not found",
        "hcsshim::ProcessBaseLayer C:\\\\layers: The specified module could not be found.",
        "snapshot 10056 is not ready, err: daemon socket /run/nydus/api.sock: not found: unknown",
        "reading image \"beb1cfa1\": locating image with ID \"beb1cfa1\": image not known",
        "ctr: failed to stat snapshot sha256:f999ae22: snapshotter not loaded: overlayfs: invalid argument",
    ];
    for words in table {
        check(words, Code::RuntimeFailure, Likely);
    }
    check("no valid SOCI index found: not found", Code::RuntimeFailure, Possible);
    let forbidden = "failed to resolve reference \"reg.test/shop/api:1\": unexpected status from HEAD \
        request to https://reg.test/v2/shop/api/manifests/1: 403 Forbidden";
    let prepared = "failed to pull and unpack image \"reg.test/shop/api:1\": failed to prepare \
        extraction snapshot \"extract-1\": layer \"551\" unavailable: unavailable";
    check(&format!("[{forbidden}, {prepared}]"), Code::RuntimeFailure, Likely);
    // A tag may have any name.
    let named =
        "repository reg.test/shop/api:1-snapshot does not exist or may require 'docker login'";
    assert_ne!(read(named)[0].code, Code::RuntimeFailure);
}

#[test]
fn verifiers_and_bare_names() {
    let verifier = "failed to pull and unpack image \"reg.test/shop/api:1\": image verifier bindir \
        blocked pull of reg.test/shop/api:1 with digest sha256:7b9a for reason: verifier cosign \
        rejected image (exit code 1): no signature";
    check(verifier, Code::SignatureRejected, Likely);
    let bare = "no registries configured while trying to pull an unqualified image";
    check(bare, Code::RegistryNameSuspicious, Likely);
}
