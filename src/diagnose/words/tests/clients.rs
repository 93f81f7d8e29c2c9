//! What clients say of the engine, the API server or Azure, and not of a registry.

use super::*;

#[test]
fn a_client_that_does_not_reach_its_engine() {
    let table = [
        "error during connect: Get \"https://docker:2376/v1.24/info\": tls: failed to verify \
         certificate: x509: certificate signed by unknown authority",
        "error during connect: Post http://docker:2375/v1.24/auth: dial tcp: lookup docker on \
         169.254.169.254:53: no such host",
        "An error occurred trying to connect: Get https://127.0.0.1:2376/v1.20/containers/json: dial \
         tcp 127.0.0.1:2376: connectex: No connection could be made because the target machine \
         actively refused it",
        "This command requires running the docker daemon, which is not supported in Azure Cloud Shell",
    ];
    for words in table {
        check(words, Code::DockerUnavailable, Likely);
    }
}

#[test]
fn the_resolver_of_google_cloud_is_no_metadata_service() {
    let looked_up = "Get \"https://reg.test/v2/\": dial tcp: lookup reg.test on 169.254.169.254:53: \
        no such host";
    check(looked_up, Code::DnsNameNotFound, Certain);
    let asked = "Get \"http://169.254.169.254/metadata/identity/oauth2/token\": dial tcp \
        169.254.169.254:80: connect: connection refused";
    check(asked, Code::IdentityEndpointUnreachable, Certain);
    let other = "dial tcp 169.254.169.254:5353: connect: connection refused";
    assert_eq!(read(other)[0].code, Code::IdentityEndpointUnreachable);
}

#[test]
fn the_webhooks_of_the_api_server_are_no_pull() {
    let words = "failed calling webhook \"validation.gatekeeper.sh\": Post \
        \"https://gatekeeper.gatekeeper.svc:443/v1/admit\": dial tcp 10.0.0.7:443: connect: \
        connection refused";
    check(words, Code::Inconclusive, Possible);
}

#[test]
fn what_the_tools_of_azure_say() {
    let workload = "client id annotation azure.workload.identity/client-id is not found or the value \
        is empty";
    check(workload, Code::WorkloadIdentityNotConfigured, Certain);
    let table = [
        (
            "Www-Authenticate: failed to reach auth url https://reg.azurecr.io/oauth2/exchange",
            Code::TokenServiceUnreachable,
        ),
        (
            "CONNECTIVITY_SSL_ERROR Unable to establish a secure connection to the registry",
            Code::TlsHandshakeFailed,
        ),
        ("Unable to get admin user credentials: Admin user is disabled", Code::UsernameUnknown),
        (
            "ecr: Failed to get authorization token: NoCredentialProviders: no valid providers in chain",
            Code::CredentialProviderFailed,
        ),
    ];
    for (words, code) in table {
        check(words, code, Likely);
    }
    let management = "api call to https://management.azure.com/subscriptions/s/containerGroups/g: got \
        HTTP response status code 500: InternalServerError";
    check(management, Code::Inconclusive, Possible);
    let storage = "unexpected status from GET request to https://reg1.blob.core.windows.net/layer: 403 \
        This request is not authorized to perform this operation.";
    assert_eq!(read(storage)[0].code, Code::AccessForbidden, "{:?}", read(storage));
}

#[test]
fn words_of_other_clients_for_a_refusal() {
    check(
        "Error response from daemon: error from registry: denied denied",
        Code::NotFoundOrNotAuthorized,
        Likely,
    );
    check(
        "DockerApiException: response={\"message\":\"denied\"}",
        Code::NotFoundOrNotAuthorized,
        Likely,
    );
    check("reg.test/shop/api:1: credential required for basic auth", Code::NoCredentials, Likely);
    check("failed to authenticate user:robot$ci", Code::CredentialRejected, Likely);
    let listed = "403 Forbidden: Although you appear to have the correct authorization credentials, the \
        organization has an IP allow list enabled, and your IP address is not permitted";
    check(listed, Code::NetworkRuleDenied, Certain);
}

#[test]
fn identities_and_exchanges() {
    let table = [
        (
            "failed to create provider access token for the controller: ManagedIdentityCredential: \
             context deadline exceeded",
            Code::IdentityEndpointUnreachable,
        ),
        (
            "DefaultAzureCredential: failed to acquire a token. ManagedIdentityCredential: no default \
             identity is assigned to this resource",
            Code::IdentityNotAssigned,
        ),
        (
            "error exchanging token: unexpected status code 401 from exchange request",
            Code::TokenExchangeDenied,
        ),
        ("Error syncing pod, skipping: secrets \"regcred\" not found", Code::PullSecretMissing),
    ];
    for (words, code) in table {
        check(words, code, Likely);
    }
}

#[test]
fn other_words_for_a_network_that_fails() {
    let table = [
        (
            "[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version",
            Code::TlsHandshakeFailed,
        ),
        (
            "schannel: failed to receive handshake, SSL/TLS connection failed",
            Code::TlsHandshakeFailed,
        ),
        (
            "read tcp 10.0.0.5:5000->10.0.0.9:443: wsarecv: An existing connection was forcibly closed",
            Code::ConnectionReset,
        ),
        (
            "Network timed out while trying to connect to https://index.docker.io/v1/repositories/api",
            Code::ConnectionTimeout,
        ),
    ];
    for (words, code) in table {
        assert_eq!(read(words)[0].code, code, "{words}");
    }
}
