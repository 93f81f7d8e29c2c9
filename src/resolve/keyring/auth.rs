//! The `auth` field of an entry: the base64 of `USER:PASSWORD`.
//!
//! The rules are those of pkg/credentialprovider/config.go:267-313 of Kubernetes v1.35.4 and of
//! encoding/base64 of Go 1.25.9, down to the position in its errors.

/// Why an `auth` cannot be decoded. It holds nothing of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is no base64 at this byte, as Go counts.
    Base64(usize),
    /// What it decodes to has no colon.
    NoColon,
}

/// User name and password. A value that ends in `=` must be padded, any other must not;
/// line breaks count for nothing.
pub(crate) fn decode(field: &str) -> Result<(Vec<u8>, Vec<u8>), Fault> {
    let padded = field.trim_end().ends_with('=');
    let decoded = decode_base64(field.as_bytes(), padded).map_err(Fault::Base64)?;
    let colon = decoded.iter().position(|byte| *byte == b':').ok_or(Fault::NoColon)?;
    let (username, password) = decoded.split_at(colon);
    Ok((username.to_vec(), password.get(1..).unwrap_or_default().to_vec()))
}

/// Decodes group by group. The base64 crate is not used: it takes no line breaks, and its
/// errors have other positions.
fn decode_base64(source: &[u8], padded: bool) -> Result<Vec<u8>, usize> {
    let mut decoded = Vec::with_capacity(source.len() / 4 * 3 + 3);
    let mut at = 0;
    loop {
        let mut group: u32 = 0;
        let mut count = 0;
        let mut ends = false;
        while count < 4 && !ends {
            let Some(byte) = source.get(at) else {
                if count == 0 {
                    return Ok(decoded);
                }
                if count == 1 || padded {
                    return Err(at - count);
                }
                break;
            };
            at += 1;
            match value(*byte) {
                Some(value) => {
                    group = group << 6 | value;
                    count += 1;
                }
                None if matches!(byte, b'\n' | b'\r') => {}
                None if padded && *byte == b'=' && count >= 2 => {
                    at = end_of_padding(source, at, count)?;
                    ends = true;
                }
                None => return Err(at - 1),
            }
        }
        let bytes = (group << (6 * (4 - count))).to_be_bytes();
        decoded.extend(bytes.iter().skip(1).take(count - 1));
    }
}

/// Where the padding ends whose first `=` stands before `at`; nothing but line breaks may
/// follow it.
fn end_of_padding(source: &[u8], at: usize, count: usize) -> Result<usize, usize> {
    let skip = |mut at: usize| {
        while matches!(source.get(at), Some(b'\n' | b'\r')) {
            at += 1;
        }
        at
    };
    let mut at = at;
    if count == 2 {
        at = skip(at);
        match source.get(at) {
            None => return Err(source.len()),
            Some(b'=') => at += 1,
            Some(_) => return Err(at - 1),
        }
    }
    at = skip(at);
    if at < source.len() { Err(at) } else { Ok(at) }
}

fn value(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::{Fault, decode};

    #[test]
    fn padding_and_line_breaks_are_taken_as_go_takes_them() {
        let good: [(&str, &[u8], &[u8]); 8] = [
            ("dTpw", b"u", b"p"),
            ("dTpwYQ==", b"u", b"pa"),
            ("dTpwYQ", b"u", b"pa"),
            ("dT\r\npw\nYQ=\n=\n", b"u", b"pa"),
            ("dTpwYR==", b"u", b"pa"),
            ("Ojo6", b"", b"::"),
            ("dTo=", b"u", b""),
            ("/zr/AA", b"\xff", b"\xff\0"),
        ];
        for (field, username, password) in good {
            assert_eq!(decode(field), Ok((username.to_vec(), password.to_vec())), "{field}");
        }
        let bad = [
            ("not base64!", Fault::Base64(3)),
            ("dTpwY", Fault::Base64(4)),
            ("dTpwYQ=", Fault::Base64(7)),
            ("dTpwYQ= =", Fault::Base64(6)),
            ("dTpwYQ== ", Fault::Base64(8)),
            ("dTpw=", Fault::Base64(4)),
            ("dTpwYWI=x=", Fault::Base64(8)),
            ("dTpwYWJj ", Fault::Base64(8)),
            ("dTp-", Fault::Base64(3)),
            ("bm9jb2xvbg==", Fault::NoColon),
            ("\n", Fault::NoColon),
        ];
        for (field, fault) in bad {
            assert_eq!(decode(field), Err(fault), "{field}");
        }
    }
}
