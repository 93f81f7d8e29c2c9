//! Answers that are HTTP, and are meant to do something to whoever reads them.

use super::{At, Behaviour, Says, answer, error};

/// Sixteen MiB of zeros, by gzip and by zstd.
const GZIP: &[u8] = include_bytes!("../data/hostile/zeros.gz");
const ZSTD: &[u8] = include_bytes!("../data/hostile/zeros.zst");
const MANIFEST: &str = "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";

pub(super) fn behaviours() -> Vec<Behaviour> {
    let once = |name, status, headers: &str, body: &[u8], code| {
        let says = Says::Once(answer(status, headers, body));
        Behaviour::new(name, At::Request, says, code)
    };
    let deep = "[".repeat(10_000);
    let deep_errors = format!(r#"{{"errors":{deep}"#);
    let encoded = |encoding: &str| format!("{MANIFEST}Content-Encoding: {encoding}\r\n");
    let controls = error(r"\u001b[2J\u001b]0;owned\u0007\u009b31m\u202egnp.exe\u2028 \u0000end");
    let century = "Retry-After: 3155760000\r\n";
    let year_9999 = "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\nLast-Modified: Fri, 31 Dec 9999 23:59:59 GMT\r\n";
    let negative = "Retry-After: -1\r\nRateLimit-Limit: -100;w=-1\r\nRateLimit-Remaining: -1\r\n";
    let beyond = "Retry-After: 18446744073709551615\r\nRateLimit-Limit: 18446744073709551615;w=18446744073709551615\r\nRateLimit-Remaining: 18446744073709551615\r\n";
    let turned =
        "X-Request-Id: \u{9b}31m\u{202e}drow\r\nX-Ms-Correlation-Request-Id: \u{9b}31m\r\n";
    let long = "a".repeat(300_000);
    vec![
        once("json-10000-deep", 200, MANIFEST, deep.as_bytes(), "ManifestUnsupported"),
        once("refusal-10000-deep", 403, "", deep_errors.as_bytes(), "AccessForbidden"),
        once("gzip-bomb", 200, &encoded("gzip"), GZIP, "ManifestUnsupported"),
        once("zstd-bomb", 200, &encoded("zstd"), ZSTD, "ManifestUnsupported"),
        once("control-characters", 403, turned, controls.as_bytes(), "NotFoundOrNotAuthorized"),
        once(
            "raw-escapes",
            403,
            turned,
            b"\x1b[2J\x1b]0;owned\x07\x9b31m\xff\xfe\x00end",
            "AccessForbidden",
        ),
        once(
            "invalid-utf-8",
            403,
            "X-Request-Id: \u{fffd}\r\n",
            b"{\"errors\":[{\"code\":\"\xff\xfe\",\"message\":\"\xc3\x28\"}]}",
            "AccessForbidden",
        ),
        once(
            "type-with-controls",
            200,
            "Content-Type: application/vnd.oci.image.manifest.v1+json; a=\u{9b}31m\u{202e}\r\n",
            b"{}",
            "ManifestUnsupported",
        ),
        once(
            "type-of-300-kilobytes",
            200,
            &format!("Content-Type: application/vnd.oci.image.manifest.v1+json; a={long}\r\n"),
            b"{}",
            "ManifestUnsupported",
        ),
        once(
            "digest-of-300-kilobytes",
            200,
            &format!("{MANIFEST}Docker-Content-Digest: sha256:{long}\r\n"),
            b"{}",
            "ContentCorrupted",
        ),
        once("retry-after-a-century", 429, century, b"", "RateLimited"),
        once("dates-of-the-year-9999", 429, year_9999, b"", "RateLimited"),
        once("retry-after-negative", 429, negative, b"", "RateLimited"),
        once("numbers-of-64-bits", 429, beyond, b"", "RateLimited"),
        once("unavailable-for-64-bits", 503, beyond, b"", "RegistryUnavailable"),
    ]
}
