//! What is no HTTP/1.1, or is so without end.

use super::{At, Behaviour, Says, answer, content};

/// A frame of HTTP/2 (RFC 9113, 4.1): its type, flags, stream and content.
fn frame(kind: u8, flags: u8, stream: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], content].concat()
}

const SETTINGS: u8 = 4;
const RESET: u8 = 3;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

/// HTTP/2, to whom has not asked for it.
fn http2() -> Vec<Behaviour> {
    let settings = frame(SETTINGS, 0, 0, &[]);
    let opened = |more: Vec<u8>| [settings.clone(), more].concat();
    let floods = [
        ("http2-settings", settings.clone(), frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 1])),
        ("http2-pings", settings.clone(), frame(PING, 0, 0, &[7; 8])),
        ("http2-resets", settings.clone(), frame(RESET, 0, 1, &[0, 0, 0, 8])),
        (
            "http2-continuations",
            opened(frame(HEADERS, 0, 1, &[0x88])),
            frame(CONTINUATION, 0, 1, &[0; 64]),
        ),
    ];
    let mut all: Vec<_> = floods
        .into_iter()
        .map(|(name, head, again)| {
            Behaviour::new(name, At::Request, Says::Endless(head, again), "NotARegistry")
        })
        .collect();
    let leaving = Says::Once(opened(frame(GO_AWAY, 0, 0, &[0; 8])));
    all.push(Behaviour::new("http2-leaving", At::Request, leaving, "NotARegistry"));
    all
}

pub(super) fn behaviours() -> Vec<Behaviour> {
    let ok = b"HTTP/1.1 200 OK\r\n".as_slice();
    let type_ = b"Content-Type: application/vnd.oci.image.manifest.v1+json\r\n".as_slice();
    let with = |more: &[u8]| [ok, type_, more].concat();
    let chunked = with(b"Transfer-Encoding: chunked\r\n\r\n");
    let refused: &[u8] = b"HTTP/1.1 403 X\r\nTransfer-Encoding: chunked\r\n\r\n";
    let endless = |name, head: &[u8], again: &[u8], code| {
        Behaviour::new(name, At::Request, Says::Endless(head.to_vec(), again.repeat(64)), code)
    };
    let once = |name, text: &[u8], code| {
        Behaviour::new(name, At::Request, Says::Once(text.to_vec()), code)
    };
    let slowly = |name, head: &[u8], rest: &[u8], code| {
        Behaviour::new(name, At::Request, Says::Slowly(head.to_vec(), rest.to_vec()), code)
            .takes_all()
    };
    let mut all = vec![
        slowly("no-byte-of-http", b"", b"", "Inconclusive"),
        slowly("byte-a-second", b"", &answer(200, "", ""), "Inconclusive"),
        slowly(
            "body-byte-a-second",
            &with(b"Content-Length: 9999\r\n\r\n"),
            b"{{{{",
            "Inconclusive",
        ),
        endless("endless-status", b"HTTP/1.1 200 ", b"aaaaaaaa", "NotARegistry"),
        endless("endless-header", b"HTTP/1.1 200 OK\r\nX: ", b"aaaaaaaa", "NotARegistry"),
        endless("endless-headers", ok, b"X-More: a\r\n", "NotARegistry"),
        endless("endless-early-hints", b"", b"HTTP/1.1 103 X\r\n\r\n", "Inconclusive")
            .takes_all()
            .at_most(u64::MAX),
        endless("endless-json", &with(b"\r\n"), b"[1,2,3],", "ManifestUnsupported")
            .at_most(12 << 10),
        endless("endless-refusal", b"HTTP/1.1 403 X\r\n\r\n", b"[1,2,3],", "AccessForbidden"),
        endless("endless-chunks", &chunked, b"8\r\n[1,2,3]\n\r\n", "ManifestUnsupported")
            .at_most(16 << 10),
        endless("endless-small-chunks", refused, b"1\r\n[\r\n", "AccessForbidden"),
        endless(
            "endless-chunk-extension",
            &[&chunked, &b"1;"[..]].concat(),
            b"aaaaaaaa",
            "NotARegistry",
        ),
        endless("endless-chunk-size", &chunked, b"00000000", "Inconclusive")
            .takes_all()
            .at_most(u64::MAX),
        endless(
            "endless-trailers",
            &[&chunked, &b"0\r\n"[..]].concat(),
            b"X-More: a\r\n",
            "NotARegistry",
        ),
        once("chunk-without-end", &[&chunked, &b"ffff\r\n{"[..]].concat(), "ConnectionReset"),
        once(
            "length-too-long",
            &with(b"Content-Length: 5000000000\r\n\r\n{\"a\":"),
            "ConnectionReset",
        ),
        once(
            "length-too-short",
            &with(b"Content-Length: 2\r\n\r\n{}{}{}{}{}{}"),
            "ManifestUnsupported",
        ),
        once("length-negative", &with(b"Content-Length: -1\r\n\r\n{}"), "NotARegistry"),
        once(
            "length-beyond-64-bits",
            &with(b"Content-Length: 99999999999999999999\r\n\r\n"),
            "NotARegistry",
        ),
        once(
            "length-twice",
            &with(b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}"),
            "NotARegistry",
        ),
        once(
            "status-of-three-nines",
            b"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n",
            "Inconclusive",
        ),
        once("status-negative", b"HTTP/1.1 -1 X\r\n\r\n", "NotARegistry"),
        once("cut-in-the-header", b"HTTP/1.1 200 OK\r\nContent-", "ConnectionReset"),
        once(
            "control-character-in-a-header",
            b"HTTP/1.1 200 OK\r\nX: \x1b[2J\r\n\r\n",
            "NotARegistry",
        ),
    ];
    all.extend(http2());
    all.extend(before_http());
    all.extend(certificates());
    all
}

/// What comes in the place of TLS.
fn before_http() -> [Behaviour; 3] {
    [
        Behaviour::new(
            "no-byte",
            At::Connection,
            Says::Slowly(Vec::new(), Vec::new()),
            "ConnectionTimeout",
        )
        .takes_all(),
        Behaviour::new(
            "plain-flood",
            At::Connection,
            Says::Endless(Vec::new(), vec![b'a'; 1024]),
            "NotARegistry",
        ),
        Behaviour::new(
            "tls-fragments",
            At::Connection,
            Says::Endless(Vec::new(), vec![0x16, 3, 3, 0, 1, 2]),
            "TlsHandshakeFailed",
        ),
    ]
}

/// More names than anybody has.
fn certificates() -> [Behaviour; 2] {
    let named = |name, more_names, code| Behaviour {
        more_names,
        ..Behaviour::new(name, At::Content, Says::Documents(content::good()), code)
    };
    [
        named("certificate-of-2000-names", 2_000, "Pullable"),
        named("certificate-of-20000-names", 20_000, "TlsHandshakeFailed"),
    ]
}
