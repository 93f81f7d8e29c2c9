use super::*;

fn chain(cause: &str) -> String {
    format!(
        "rpc error: code = Unknown desc = failed to pull and unpack image \"r.test/a:1\": {cause}"
    )
}

const REFUSED: &str = "failed to resolve reference \"r.test/a:1\": failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized";
const ANONYMOUS: &str = "failed to resolve reference \"r.test/a:1\": failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized";

#[test]
fn of_a_list_the_furthest_counts() {
    let list = |causes: &[&str]| {
        let chains: Vec<_> = causes.iter().map(|cause| chain(cause)).collect();
        format!("Failed to pull image \"r.test/a:1\": [{}]", chains.join(", "))
    };
    check(&list(&[REFUSED, ANONYMOUS]), Code::CredentialRejected, Likely);
    check(
        &list(&["no match for platform in manifest: not found", ANONYMOUS]),
        Code::PlatformMismatch,
        Certain,
    );
    check(
        &list(&[REFUSED, "no match for platform in manifest: not found"]),
        Code::PlatformMismatch,
        Certain,
    );
    check(
        &list(&[
            REFUSED,
            "failed to resolve reference \"r.test/a:1\": r.test/a:1: not found",
            ANONYMOUS,
        ]),
        Code::TagNotFound,
        Likely,
    );
    check(
        &list(&[
            "failed to copy: httpReadSeeker: failed open: failed to do request: Get \"https://x.blob.core.windows.net/y\": dial tcp 1.2.3.4:443: i/o timeout",
            ANONYMOUS,
        ]),
        Code::DataEndpointUnreachable,
        Certain,
    );
    check(
        &list(&[REFUSED, "failed to extract layer sha256:12: write /x: no space left on device"]),
        Code::NodeDiskFull,
        Certain,
    );
}

#[test]
fn a_list_that_is_cut_is_not_certain() {
    let cut = format!(
        "[{}, rpc err",
        chain(
            "failed to do request: Head \"https://r.test/v2/a/manifests/1\": dial tcp 1.2.3.4:443: connect: connection refused"
        )
    );
    check(&cut, Code::ConnectionRefused, Likely);
}

#[test]
fn a_failure_of_an_unnamed_host_is_not_certain() {
    check("dial tcp 10.0.0.1:443: connect: connection refused", Code::ConnectionRefused, Likely);
    check("dial tcp 10.0.0.1:443: i/o timeout", Code::ConnectionTimeout, Likely);
    check("x509: certificate signed by unknown authority", Code::TlsCertificateUntrusted, Likely);
}

/// What containers/image says of a registry whose mirror failed too.
fn mirrored(mirror: &str, own: &str) -> String {
    format!(
        "Failed to pull image \"quay.io/a/b:1\": rpc error: code = Unknown desc = initializing source \
         docker://quay.io/a/b:1: (Mirrors also failed: [mirror.test:5000/a/b:1: {mirror}]): \
         quay.io/a/b:1: {own}"
    )
}

#[test]
fn of_a_registry_and_its_mirrors_the_furthest_counts_and_first_the_registry() {
    let refused = "pinging container registry mirror.test:5000: Get \"https://mirror.test:5000/v2/\": \
        dial tcp 10.0.0.9:5000: connect: connection refused";
    let unavailable = "pinging container registry mirror.test:5000: received unexpected HTTP status: \
        503 Service Unavailable";
    let unknown = "reading manifest 1 in mirror.test:5000/a/b: manifest unknown";
    let own_unknown = "reading manifest 1 in quay.io/a/b: manifest unknown";
    let own_timeout = "pinging container registry quay.io: Get \"https://quay.io/v2/\": dial tcp \
        1.2.3.4:443: i/o timeout";
    let blocked = "registry quay.io is blocked in /etc/containers/registries.conf";
    check_at(&mirrored(refused, own_unknown), Code::TagNotFound, Likely, "quay.io");
    check_at(&mirrored(unavailable, own_unknown), Code::TagNotFound, Likely, "quay.io");
    check_at(&mirrored(refused, own_timeout), Code::ConnectionTimeout, Likely, "quay.io");
    check_at(&mirrored(unknown, own_timeout), Code::TagNotFound, Likely, "mirror.test:5000");
    check_at(&mirrored(unknown, blocked), Code::TagNotFound, Likely, "mirror.test:5000");
    check(&mirrored(refused, blocked), Code::MirrorUnreachable, Likely);
    let two = format!("{refused}] [other.test/a/b:1: {unknown}");
    check(&mirrored(&two, own_timeout), Code::TagNotFound, Likely);
    let cut = mirrored(refused, own_unknown);
    let cut = cut.split("]):").next().unwrap();
    check(cut, Code::MirrorUnreachable, Likely);
}

#[test]
fn names_are_not_words() {
    for image in
        ["r.test/no/eof:503", "r.test/unauthorized/denied:toomanyrequests", "r.test/x509/imds:429"]
    {
        check(
            &resolving(
                image,
                "failed to do request: Head \"https://r.test/v2/unauthorized/manifest-unknown/manifests/429\": dial tcp 1.2.3.4:443: connect: connection refused",
            ),
            Code::ConnectionRefused,
            Certain,
        );
    }
}

#[test]
fn any_text_has_an_answer() {
    for text in [
        "",
        " ",
        "[",
        "[]",
        "[,",
        "\"",
        "\"\"",
        ": ",
        "https://",
        "http://[",
        "😀\u{0}\u{1b}[31m",
        "lookup ",
        "aadsts",
        "AADSTS",
        "AADSTS99999999999999999999 x",
        "[rpc error:",
        "[rpc error:]",
        "manifest for ",
        "400",
        "İ\"https://x?ns=y",
    ] {
        check(text, Code::Inconclusive, read(text)[0].confidence);
        assert_ne!(read(text)[0].confidence, Certain, "{text}");
    }
    assert_eq!(read(&"[rpc error: ".repeat(200_000)).len(), 1);
    assert!(!read(&"\"https://x ".repeat(200_000)).is_empty());
    assert!(!read(&"https://".repeat(200_000)).is_empty());
}

#[test]
fn an_address_without_a_host_names_none() {
    let meanings = read("Get https://]reg.test/v2/app/manifests/latest: unexpected status: 403");
    assert_eq!(meanings[0].host, None);
}
