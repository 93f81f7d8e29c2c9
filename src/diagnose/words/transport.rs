//! Transport: how a request got no answer.

use super::frame;

/// How a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// The name does not exist.
    NoSuchName,
    /// The name could not be looked up.
    LookupFailed,
    /// No connection in time.
    NotConnected,
    /// There is no way to the address.
    NoRoute,
    /// A connection, or the wish for one, and no answer in time.
    Silent,
    /// Nothing listens.
    Refused,
    /// The connection was cut.
    Reset,
    /// The connection ended early.
    Closed,
    /// Something ended early, and nothing says that it was a request.
    Ended,
    /// The certificate is signed by nobody trusted.
    Untrusted,
    /// The certificate is not valid at this time.
    OutOfTime,
    /// The certificate is for another name.
    OtherName,
    /// The certificate was refused; the text does not go on.
    Certificate,
    /// No TLS that suits both.
    Handshake,
    /// HTTP where TLS was spoken.
    PlainHttp,
    /// TLS where HTTP was spoken.
    TlsForHttp,
    /// No HTTP.
    Malformed,
    /// A proxy refused to connect.
    ProxyRefused,
    /// A proxy wants a login.
    ProxyLogin,
    /// A proxy refused, with a word of its own.
    ProxyWord,
    /// A proxy could not connect.
    ProxyFault,
}

/// What kind of failure it is, as far as that matters away from the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A certificate was refused.
    Certificate,
    /// A proxy answered for the host.
    OfProxy,
    /// HTTP where TLS was spoken.
    PlainHttp,
    /// Any other.
    Other,
}

impl Transport {
    /// What kind it is.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Untrusted | Self::OutOfTime | Self::OtherName | Self::Certificate => {
                Kind::Certificate
            }
            Self::ProxyRefused | Self::ProxyLogin | Self::ProxyWord | Self::ProxyFault => {
                Kind::OfProxy
            }
            Self::PlainHttp => Kind::PlainHttp,
            Self::NoSuchName
            | Self::LookupFailed
            | Self::NotConnected
            | Self::NoRoute
            | Self::Silent
            | Self::Refused
            | Self::Reset
            | Self::Closed
            | Self::Ended
            | Self::Handshake
            | Self::TlsForHttp
            | Self::Malformed => Kind::Other,
        }
    }
}

/// Words, all of which are there, and what they mean; the more exact first.
const PHRASES: &[(&[&str], Transport)] = &[
    (&["x509:", "unknown authority"], Transport::Untrusted),
    (&["x509:", "not trusted"], Transport::Untrusted),
    (&["x509:", "has expired or is not yet valid"], Transport::OutOfTime),
    (&["x509:", "certificate is valid for"], Transport::OtherName),
    (&["x509:", "not valid for any names"], Transport::OtherName),
    (&["x509:", "any ip sans"], Transport::OtherName),
    (&["x509:", "common name"], Transport::OtherName),
    (&["certificate has exp"], Transport::OutOfTime),
    (&["self-signed certificate"], Transport::Untrusted),
    (&["self signed certificate"], Transport::Untrusted),
    (&["certificate signed by unknown authority"], Transport::Untrusted),
    (&["unable to get local issuer certificate"], Transport::Untrusted),
    (&["x509:"], Transport::Certificate),
    (&["gave http resp"], Transport::PlainHttp),
    (&["http: server gave h"], Transport::PlainHttp),
    (&["http response to https client"], Transport::PlainHttp),
    (&["http request to an https server"], Transport::TlsForHttp),
    (&["http request was sent to https port"], Transport::TlsForHttp),
    (&["malformed http", "\\x15\\x03"], Transport::TlsForHttp),
    (&["malformed http"], Transport::Malformed),
    (&["first record does not look like a tls handshake"], Transport::PlainHttp),
    (&["tls: oversized record"], Transport::PlainHttp),
    (&["tls handshake timeout"], Transport::Silent),
    (&["no such host"], Transport::NoSuchName),
    (&["nxdomain"], Transport::NoSuchName),
    (&["name or service not known"], Transport::NoSuchName),
    (&["no address associated with hostname"], Transport::NoSuchName),
    (&["server misbehaving"], Transport::LookupFailed),
    (&["temporary failure in name resolution"], Transport::LookupFailed),
    (&["temporary failure resolving"], Transport::LookupFailed),
    (&["servfail"], Transport::LookupFailed),
    (&["cannot unmarshal dns message"], Transport::LookupFailed),
    (&["lookup ", "read udp"], Transport::LookupFailed),
    (&["lookup ", "write udp"], Transport::LookupFailed),
    (&["lookup ", "dial udp"], Transport::LookupFailed),
    (&["lookup ", "i/o timeout"], Transport::LookupFailed),
    (&["lookup ", "connection refused"], Transport::LookupFailed),
    (&["lookup ", "unreachable"], Transport::LookupFailed),
    (&["lookup ", "try again"], Transport::LookupFailed),
    (&["could not resolve host"], Transport::NoSuchName),
    (&["connection refused"], Transport::Refused),
    (&["actively refused it"], Transport::Refused),
    (&["connection reset"], Transport::Reset),
    (&["forcibly closed"], Transport::Reset),
    (&["broken pipe"], Transport::Reset),
    (&["connection timed out"], Transport::NotConnected),
    (&["did not properly respond after a period of time"], Transport::NotConnected),
    (&["dial tcp", "i/o timeout"], Transport::NotConnected),
    (&["no route to host"], Transport::NoRoute),
    (&["network is unreachable"], Transport::NoRoute),
    (&["unreachable network"], Transport::NoRoute),
    (&["unreachable host"], Transport::NoRoute),
    (&["host is down"], Transport::NoRoute),
    (&["cannot assign requested address"], Transport::NoRoute),
    (&["client.timeout"], Transport::Silent),
    (&["timeout awaiting response headers"], Transport::Silent),
    (&["request canceled while waiting for connection"], Transport::Silent),
    (&["network timed out while trying to connect"], Transport::NotConnected),
    (&["failed to connect to", "timed out"], Transport::NotConnected),
    (&["i/o timeout"], Transport::Silent),
    (&["server sent goaway"], Transport::Closed),
    (&["client connection lost"], Transport::Closed),
    (&["client connection force closed"], Transport::Closed),
    (&["stream error: stream id"], Transport::Closed),
    (&["server closed idle connection"], Transport::Closed),
    (&["transport connection broken"], Transport::Closed),
    (&["use of closed network connection"], Transport::Closed),
    (&["remote error: tls:"], Transport::Handshake),
    (&["tls: "], Transport::Handshake),
    (&["handshake failure"], Transport::Handshake),
    (&["failed to receive handshake"], Transport::Handshake),
    (&["tlsv1 alert"], Transport::Handshake),
    (&["unexpected eof"], Transport::Closed),
];

/// Reads how a request got no answer, where the words say so.
pub(super) fn read(prose: &str) -> Option<Transport> {
    let found = PHRASES.iter().find(|(words, _)| words.iter().all(|word| prose.contains(word)));
    found.map(|(_, transport)| *transport).or_else(|| ending(prose))
}

/// What only counts as the last word.
fn ending(prose: &str) -> Option<Transport> {
    let prose = frame::end(prose);
    let (front, last) = prose.rsplit_once(": ").unwrap_or(("", prose));
    match last.trim_matches(['"', ' ']) {
        "eof" => Some(Transport::Closed),
        "code = unknown desc = eof" | "code = unavailable desc = eof" => Some(Transport::Ended),
        "context deadline exceeded"
            if prose.contains("\"\": ") || prose.contains("failed to do request") =>
        {
            Some(Transport::Silent)
        }
        // What Go says of a proxy's refusal to make a tunnel.
        "forbidden" => Some(Transport::ProxyRefused),
        "bad gateway" | "service unavailable" | "gateway timeout" => Some(Transport::ProxyFault),
        word if is_asked(front) => of_a_proxy(word),
        _ => None,
    }
}

/// Whether the words end with a request, whose address is left out of the prose.
fn is_asked(front: &str) -> bool {
    let front = front.trim_end_matches('"');
    let is_verb = |verb: &str| {
        // `failed to get "reg.test/app:1"` asks for no address.
        front.strip_suffix(verb).is_some_and(|before| {
            !before.ends_with(char::is_alphanumeric) && !before.ends_with("to ")
        })
    };
    ["get ", "head ", "post "].into_iter().any(is_verb)
}

/// What Go or a registry says in one word, whole or cut off, that is as long as a proxy's.
const WORDS: &[&str] =
    &["connection", "proxyconnect", "unauthorized", "unavailable", "unexpected", "unsupported"];

/// Of a proxy that refuses to make a tunnel, Go says what stands behind the status: its name
/// in the standard, or whatever the proxy calls it, which is one word that nobody else says.
fn of_a_proxy(last: &str) -> Option<Transport> {
    match last {
        "internal server error" => Some(Transport::ProxyFault),
        "authenticationrequired" => Some(Transport::ProxyLogin),
        word => {
            let is_word =
                word.len() >= 10 && word.chars().all(|letter| letter.is_ascii_alphabetic());
            (is_word && !WORDS.contains(&word)).then_some(Transport::ProxyWord)
        }
    }
}
