use super::*;

#[test]
fn names() {
    check(
        "Get \"https://typo.azurecr.io/v2/\": dial tcp: lookup typo.azurecr.io on 168.63.129.16:53: no such host",
        Code::DnsNameNotFound,
        Likely,
    );
    let doubled = read("lookup shop.azurecr.io.azurecr.io on 10.0.0.10:53: no such host");
    assert_eq!(doubled[1].code, Code::RegistryNameSuspicious);
    let lookup = |words: &str| {
        resolving(
            "reg.corp.test/a/b:1",
            &format!(
                "failed to do request: Head \"https://reg.corp.test/v2/a/b/manifests/1\": dial tcp: lookup reg.corp.test{words}"
            ),
        )
    };
    check_at(
        &lookup(" on 10.96.0.10:53: no such host"),
        Code::DnsNameNotFound,
        Certain,
        "reg.corp.test",
    );
    check(&lookup(": no such host"), Code::DnsNameNotFound, Certain);
    check(&lookup(" on 10.96.0.10:53: server misbehaving"), Code::DnsFailure, Certain);
    check(&lookup(": i/o timeout"), Code::DnsFailure, Certain);
    check(&lookup(": Temporary failure in name resolution"), Code::DnsFailure, Certain);
    check(
        &lookup(" on [::1]:53: read udp [::1]:51911->[::1]:53: read: connection refused"),
        Code::DnsFailure,
        Certain,
    );
    check(
        &lookup(" on 8.8.8.8:53: dial udp 8.8.8.8:53: connect: network is unreachable"),
        Code::DnsFailure,
        Certain,
    );
    // A name that everybody knows exists: rather the resolver is wrong.
    check(
        "Error response from daemon: Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io on 10.0.2.3:53: no such host",
        Code::DnsNameNotFound,
        Likely,
    );
    check(
        "time=\"…\" msg=\"pinging container registry quay.corp.test: Get \\\"https://quay.corp.test/v2/\\\": dial tcp: lookup quay.corp.test on 172.30.0.10:53: no such host\"",
        Code::DnsNameNotFound,
        Certain,
    );
}

#[test]
fn connections() {
    let request = |cause: &str| {
        resolving(
            "10.2.3.4:5000/app:2",
            &format!(
                "failed to do request: Head \"https://10.2.3.4:5000/v2/app/manifests/2\": {cause}"
            ),
        )
    };
    check_at(
        &request("dial tcp 10.2.3.4:5000: connect: connection refused"),
        Code::ConnectionRefused,
        Certain,
        "10.2.3.4:5000",
    );
    check(&request("dial tcp 10.2.3.4:5000: i/o timeout"), Code::ConnectionTimeout, Certain);
    check(
        &request("dial tcp 10.2.3.4:5000: connect: connection timed out"),
        Code::ConnectionTimeout,
        Certain,
    );
    check(
        &request("dial tcp 10.2.3.4:5000: connect: no route to host"),
        Code::ConnectionTimeout,
        Likely,
    );
    check(&request("net/http: TLS handshake timeout"), Code::ConnectionTimeout, Likely);
    check(&request("context deadline exceeded"), Code::ConnectionTimeout, Likely);
    check(&request("EOF"), Code::ConnectionReset, Likely);
    check(
        &request("read tcp 10.9.0.1:5222->10.2.3.4:5000: read: connection reset by peer"),
        Code::ConnectionReset,
        Certain,
    );
    check(&request("http2: client connection lost"), Code::ConnectionReset, Likely);
    check(
        "Error response from daemon: Get \"https://ghcr.io/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
        Code::ConnectionTimeout,
        Likely,
    );
    check(
        "Back-off pulling image \"reg.test/a:1\": ErrImagePull: initializing source docker://reg.test/a:1: pinging container registry reg.test: Get \"https://reg.test/v2/\": dial tcp 192.0.2.4:443: connect: connection refused",
        Code::ConnectionRefused,
        Certain,
    );
    check(
        "Error response from daemon: Get https://reg.test/v2/: dial tcp 192.0.2.4:443: connectex: No connection could be made because the target machine actively refused it.",
        Code::ConnectionRefused,
        Certain,
    );
}

#[test]
fn certificates() {
    let request = |cause: &str| {
        resolving(
            "harbor.corp.test/lib/x:1",
            &format!(
                "failed to do request: Head \"https://harbor.corp.test/v2/lib/x/manifests/1\": tls: failed to verify certificate: {cause}"
            ),
        )
    };
    check(
        &request("x509: certificate signed by unknown authority"),
        Code::TlsCertificateUntrusted,
        Certain,
    );
    check(
        &request(
            "x509: certificate has expired or is not yet valid: current time 2026-01-02T03:04:05Z is after 2025-12-31T00:00:00Z",
        ),
        Code::TlsCertificateExpired,
        Likely,
    );
    check(
        &request("x509: certificate is valid for traefik.default, not harbor.corp.test"),
        Code::TlsNameMismatch,
        Certain,
    );
    check(
        &request(
            "x509: cannot validate certificate for 10.1.1.1 because it doesn't contain any IP SANs",
        ),
        Code::TlsNameMismatch,
        Certain,
    );
    check(
        &request("x509: certificate relies on legacy Common Name field, use SANs instead"),
        Code::TlsNameMismatch,
        Certain,
    );
    check(
        "pinging container registry harbor.corp.test: Get \"https://harbor.corp.test/v2/\": remote error: tls: handshake failure",
        Code::TlsHandshakeFailed,
        Likely,
    );
    check(
        "Error response from daemon: Get \"https://harbor.corp.test/v2/\": remote error: tls: certificate required",
        Code::TlsHandshakeFailed,
        Likely,
    );
    // A host that everybody trusts: the node's list of authorities, or a proxy.
    let hub = read(
        "Error response from daemon: Get \"https://mcr.microsoft.com/v2/\": x509: certificate signed by unknown authority",
    );
    assert_eq!(hub[0].code, Code::TlsCertificateUntrusted);
    assert_eq!(hub[1].code, Code::NodeTrustStoreOutdated);
    // A refused certificate keeps its code at every hop.
    check_at(
        &resolving(
            "r.test/a:1",
            "failed to authorize: failed to fetch anonymous token: Get \"https://login.r.test/token?scope=repository%3Aa%3Apull&service=r.test\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
        ),
        Code::TlsCertificateUntrusted,
        Certain,
        "login.r.test",
    );
    check(
        &copying(
            "r.test/a:1",
            "httpReadSeeker: failed open: failed to do request: Get \"https://acct.blob.core.windows.net/x?sig=REDACTED\": x509: certificate signed by unknown authority",
        ),
        Code::TlsCertificateUntrusted,
        Likely,
    );
}

#[test]
fn schemes() {
    let request = |cause: &str| {
        resolving(
            "registry.lan:5000/x:1",
            &format!(
                "failed to do request: Head \"https://registry.lan:5000/v2/x/manifests/1\": {cause}"
            ),
        )
    };
    check(
        &request("http: server gave HTTP response to HTTPS client"),
        Code::SchemeMismatch,
        Likely,
    );
    check(
        &request("tls: first record does not look like a TLS handshake"),
        Code::SchemeMismatch,
        Likely,
    );
    check(
        "Error response from daemon: Get \"http://registry.lan:5000/v2/\": net/http: HTTP/1.x transport connection broken: malformed HTTP response \"\\x15\\x03\\x01\\x00\\x02\\x02\"",
        Code::SchemeMismatch,
        Likely,
    );
    check(
        "Error response from daemon: Get \"https://registry.lan/v2/\": malformed HTTP status code \"banner\"",
        Code::NotARegistry,
        Likely,
    );
}

#[test]
fn proxies_and_mirrors() {
    check(
        &resolving(
            "shop.azurecr.io/a:1",
            "failed to do request: Head \"http://localhost:8578/v2/a/manifests/1\": dial tcp 127.0.0.1:8578: connect: connection refused",
        ),
        Code::MirrorUnreachable,
        Likely,
    );
    check(
        &resolving(
            "docker.io/library/nginx:1",
            "failed to do request: Head \"https://registry-1.docker.io/v2/library/nginx/manifests/1\": proxyconnect tcp: dial tcp: lookup proxy.corp.test on 10.0.0.10:53: no such host",
        ),
        Code::ProxyUnreachable,
        Certain,
    );
    check(
        "Error response from daemon: Get \"https://registry-1.docker.io/v2/\": proxyconnect tcp: tls: first record does not look like a TLS handshake",
        Code::ProxyUnreachable,
        Certain,
    );
    check(
        "Error response from daemon: Get \"https://registry-1.docker.io/v2/\": Proxy Authentication Required",
        Code::ProxyAuthenticationRequired,
        Certain,
    );
    check_at(
        &resolving(
            "docker.io/library/nginx:1",
            "failed to do request: Head \"http://127.0.0.1:30020/v2/library/nginx/manifests/1?ns=docker.io\": dial tcp 127.0.0.1:30020: connect: connection refused",
        ),
        Code::MirrorUnreachable,
        Likely,
        "127.0.0.1:30020",
    );
    check(
        &resolving(
            "quay.io/a/b:1",
            "unexpected status from HEAD request to https://mirror.lan/v2/a/b/manifests/1?ns=quay.io: 502 Bad Gateway",
        ),
        Code::RegistryUnavailable,
        Likely,
    );
}

#[test]
fn token_services() {
    let token = |cause: &str| {
        resolving(
            "docker.io/library/redis:7",
            &format!(
                "failed to authorize: failed to fetch anonymous token: Get \"https://auth.docker.io/token?scope=repository%3Alibrary%2Fredis%3Apull&service=registry.docker.io\": {cause}"
            ),
        )
    };
    check_at(
        &token("dial tcp 44.208.254.194:443: i/o timeout"),
        Code::TokenServiceUnreachable,
        Certain,
        "auth.docker.io",
    );
    check(&token("EOF"), Code::TokenServiceUnreachable, Likely);
    check(
        &token("dial tcp: lookup auth.docker.io on 10.0.0.2:53: server misbehaving"),
        Code::TokenServiceUnreachable,
        Certain,
    );
    check(&token("net/http: TLS handshake timeout"), Code::TokenServiceUnreachable, Likely);
    check(
        "Error response from daemon: Head \"https://registry-1.docker.io/v2/library/redis/manifests/7\": Get \"https://auth.docker.io/token?scope=repository%3Alibrary%2Fredis%3Apull&service=registry.docker.io\": read tcp 10.0.0.1:1->44.2.2.2:443: read: connection reset by peer",
        Code::TokenServiceUnreachable,
        Certain,
    );
    check(
        &resolving(
            "gitlab.corp.test:5050/a/b:1",
            "failed to authorize: failed to fetch oauth token: Post \"https://gitlab.corp.test/jwt/auth\": dial tcp 10.4.4.4:443: connect: connection refused",
        ),
        Code::TokenServiceUnreachable,
        Certain,
    );
    check(
        &resolving(
            "r.test/a:1",
            "failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://r.test/service/token: 503 Service Unavailable",
        ),
        Code::RegistryUnavailable,
        Certain,
    );
}

#[test]
fn data_hosts() {
    let blob = |url: &str, cause: &str| {
        copying(
            "myreg.azurecr.io/a:1",
            &format!("httpReadSeeker: failed open: failed to do request: Get \"{url}\": {cause}"),
        )
    };
    check_at(
        &blob(
            "https://weumanaged12.blob.core.windows.net/3f-reg/docker/registry/v2/blobs/sha256/ab/abcd/data?se=2026&sig=REDACTED",
            "dial tcp 20.60.1.1:443: i/o timeout",
        ),
        Code::DataEndpointUnreachable,
        Certain,
        "weumanaged12.blob.core.windows.net",
    );
    check(
        &blob(
            "https://myreg.westeurope.data.azurecr.io/3f//docker/registry/v2/blobs/sha256/ab/abcd/data?regid=1",
            "dial tcp: lookup myreg.westeurope.data.azurecr.io on 10.0.0.10:53: no such host",
        ),
        Code::DataEndpointUnreachable,
        Likely,
    );
    check(
        &blob(
            "https://prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com/x?X-Amz-Security-Token=REDACTED",
            "EOF",
        ),
        Code::DataEndpointUnreachable,
        Likely,
    );
    check(
        "error pulling image configuration: download failed after attempts=6: dial tcp 104.16.99.215:443: i/o timeout",
        Code::DataEndpointUnreachable,
        Likely,
    );
    check(
        "copying system image from manifest list: parsing image configuration: Get \"https://cdn03.quay.io/sha256/ab/abcd?Expires=1&Signature=REDACTED\": dial tcp 18.1.1.1:443: connect: connection refused",
        Code::DataEndpointUnreachable,
        Certain,
    );
    check(
        &copying(
            "ghcr.io/a/b:1",
            "httpReadSeeker: failed open: failed to do request: Get \"https://pkg-containers.githubusercontent.com/ghcr1/blobs/sha256:abcd?se=2026\": net/http: TLS handshake timeout",
        ),
        Code::DataEndpointUnreachable,
        Likely,
    );
    check(
        &copying(
            "r.test/a:1",
            "read tcp 10.0.0.5:40000->192.0.2.9:443: read: connection reset by peer",
        ),
        Code::DataEndpointUnreachable,
        Likely,
    );
    // The registry itself serves the layers here.
    check_at(
        &blob(
            "https://registry-1.docker.io/v2/a/b/blobs/sha256:abcd",
            "dial tcp: lookup registry-1.docker.io: i/o timeout",
        ),
        Code::DnsFailure,
        Certain,
        "registry-1.docker.io",
    );
}
