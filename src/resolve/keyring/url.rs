//! `url.Parse` of Go 1.25.9 (net/url/url.go), for texts that start with `http://` or
//! `https://`: only the host and the path are wanted.
//!
//! Nothing is lower-cased or cleaned. After decoding, host and path may hold any byte.

use std::net::Ipv6Addr;

/// A URL's host, with its port, and its path, both decoded.
pub(super) struct Url {
    pub(super) host: Vec<u8>,
    pub(super) path: Vec<u8>,
}

/// Parses; the error says what is wrong, as part of a sentence.
pub(super) fn parse(url: &[u8]) -> Result<Url, String> {
    let (url, fragment) = cut(url, b'#');
    if url.iter().any(u8::is_ascii_control) {
        return Err("it holds a control character".to_owned());
    }
    let (url, _query) = cut(url, b'?');
    let start = url.windows(2).position(|pair| pair == b"//").map_or(url.len(), |at| at + 2);
    let rest = url.get(start..).unwrap_or_default();
    let slash = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(slash);
    let at_sign = authority.iter().rposition(|byte| *byte == b'@');
    let host = parse_host(at_sign.map_or(authority, |at| &authority[at + 1..]))?;
    let user = at_sign.map_or(&b""[..], |at| &authority[..at]);
    if !user.iter().all(|byte| is_user_byte(*byte)) {
        return Err("it has an @, and what stands before that is no user name".to_owned());
    }
    unescape(user, "user name")?;
    let path = unescape(path, "path")?;
    unescape(fragment, "part after the #")?;
    Ok(Url { host, path })
}

fn cut(text: &[u8], separator: u8) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == separator) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}

fn is_user_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte)
}

fn parse_host(host: &[u8]) -> Result<Vec<u8>, String> {
    match host.iter().rposition(|byte| *byte == b'[') {
        Some(0) => parse_bracketed(host),
        Some(_) => Err("its host has a [ that is not its first character".to_owned()),
        None => {
            if let Some(colon) = host.iter().rposition(|byte| *byte == b':') {
                check_port(&host[colon..])?;
            }
            unescape_host(host)
        }
    }
}

/// A host that starts with a bracket: an IPv6 address, perhaps with a zone (RFC 6874), and
/// perhaps a port.
fn parse_bracketed(host: &[u8]) -> Result<Vec<u8>, String> {
    let Some(end) = host.iter().rposition(|byte| *byte == b']') else {
        return Err("its host has a [ without a ]".to_owned());
    };
    let (inside, port) = (&host[1..end], &host[end + 1..]);
    check_port(port)?;
    let zone = inside.windows(3).position(|three| three == b"%25").unwrap_or(inside.len());
    let mut address = unescape_host(&inside[..zone])?;
    address.extend(unescape_zone(&inside[zone..])?);
    if !is_ipv6(&address) {
        return Err("what its host has in brackets is no IPv6 address".to_owned());
    }
    Ok([b"[", &address[..], b"]", port].concat())
}

/// A colon and digits, of which there may be none; or nothing at all.
fn check_port(port: &[u8]) -> Result<(), String> {
    match port {
        [] => Ok(()),
        [b':', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => Ok(()),
        _ => Err("what follows the colon in its host is no port".to_owned()),
    }
}

/// netip.ParseAddr: an IPv6 address, and behind a `%` a zone of any bytes, but not of none.
fn is_ipv6(text: &[u8]) -> bool {
    let (address, has_good_zone) = match text.iter().position(|byte| *byte == b'%') {
        Some(at) => (&text[..at], at + 1 < text.len()),
        None => (text, true),
    };
    has_good_zone && std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte)
}

fn check_host_byte(byte: u8) -> Result<(), String> {
    if byte == b'%' || !byte.is_ascii() || is_host_byte(byte) {
        return Ok(());
    }
    Err(format!("its host holds {:?}, which no host may", char::from(byte)))
}

/// In a host only bytes that are not ASCII may be escaped, and `%` itself.
fn unescape_host(text: &[u8]) -> Result<Vec<u8>, String> {
    text.iter().try_for_each(|byte| check_host_byte(*byte))?;
    unescape_if(text, "host", |escaped| !escaped.is_ascii() || escaped == b'%')
}

/// In a zone only bytes may be escaped that could stand there as they are, `%` and the space.
fn unescape_zone(text: &[u8]) -> Result<Vec<u8>, String> {
    text.iter().try_for_each(|byte| check_host_byte(*byte))?;
    unescape_if(text, "host", |escaped| is_host_byte(escaped) || matches!(escaped, b'%' | b' '))
}

fn unescape(text: &[u8], part: &str) -> Result<Vec<u8>, String> {
    unescape_if(text, part, |_| true)
}

fn unescape_if(text: &[u8], part: &str, allowed: impl Fn(u8) -> bool) -> Result<Vec<u8>, String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            decoded.push(*first);
            continue;
        }
        let Some((byte, tail)) = hex2(tail) else {
            return Err(format!("its {part} has a % without two hex digits"));
        };
        if !allowed(byte) {
            return Err(format!("its {part} has an escape, %{byte:02X}, that may not stand there"));
        }
        decoded.push(byte);
        rest = tail;
    }
    Ok(decoded)
}

fn hex2(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = text.split_at_checked(2)?;
    let byte = digits.iter().try_fold(0, |byte, digit| {
        char::from(*digit).to_digit(16).map(|digit| byte * 16 + digit)
    })?;
    Some((u8::try_from(byte).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn host_and_path_are_those_of_go() {
        let good: [(&str, &[u8], &[u8]); 13] = [
            ("https://h", b"h", b""),
            ("http://u:p@x@H.example:50/a%20b/../?q#f", b"H.example:50", b"/a b/../"),
            ("https://HTTPS://h", b"HTTPS:", b"//h"),
            ("https://h:", b"h:", b""),
            ("https://a:b:1/", b"a:b:1", b"/"),
            ("https://?x", b"", b""),
            ("https:///p", b"", b"/p"),
            ("https://%80%ff%25", b"\x80\xff%", b""),
            ("https://h<>\"]", b"h<>\"]", b""),
            ("https://[::1]:7/", b"[::1]:7", b"/"),
            ("https://[fe80::1%25e%20n]", b"[fe80::1%e n]", b""),
            ("https://[::ffff:1.2.3.4]", b"[::ffff:1.2.3.4]", b""),
            ("https://h#\u{1}", b"h", b""),
        ];
        for (url, host, path) in good {
            let parsed = parse(url.as_bytes()).unwrap();
            assert_eq!((&parsed.host[..], &parsed.path[..]), (host, path), "{url}");
        }
        let bad = [
            "https://a b",
            "https://a\\b",
            "https://a%41",
            "https://a%2",
            "https://h/%zz",
            "https://h/\u{7f}",
            "https://h:x",
            "https://h:1:x",
            "https://r[0]",
            "https://[::1",
            "https://[::1]x",
            "https://[1.2.3.4]",
            "https://[]",
            "https://[::1%25]",
            "https://[::1%25%41%80]",
            "https://[::1%en0]",
            "https://u/x@[h]",
            "https://u\"@h",
            "https://%4@h",
            "https://h#%",
            "https://{{x}}",
        ];
        for url in bad {
            assert!(parse(url.as_bytes()).is_err() || url.contains("u/x"), "{url}");
        }
    }
}
