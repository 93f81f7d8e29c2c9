//! What a text from outside is shown without: secrets that a server has sent back. Pure.
//!
//! A server repeats what it was sent in whatever form it likes. So a secret is looked for
//! character by character, each of which may be written as it is, as in a URL (RFC 3986, 2.1),
//! as in a form, as in a string of JSON (RFC 8259, 7) or as in HTML.

use crate::secret::Secret;

use super::printable;

/// Shorter secrets are not looked for in a text: they occur in it by chance.
const SECRET_MIN: usize = 4;
/// How much of a secret at the end of a text is taken for one that was cut.
const CUT_MIN: usize = 8;
/// Stands for what is not shown.
const HIDDEN: &str = "****";
/// What stands before a value of a URL's query with which anybody may ask: shared access
/// signatures of Azure, presigned URLs of others, tokens.
const BEFORE_VALUE: [&str; 5] = ["sig", "signature", "token", "secret", "password"];

/// A text that can be shown, without any of `secrets` and without the signatures of URLs.
pub(super) fn without(text: &str, secrets: &[Secret]) -> String {
    let text: Vec<char> = printable(text).chars().collect();
    let mut hidden = vec![false; text.len()];
    for secret in secrets {
        // What is no UTF-8 comes back as something else, so its readable parts are looked for.
        for part in secret.expose().utf8_chunks().map(|chunk| printable(chunk.valid())) {
            // What stands around it, such as a line break, may be taken away by a server.
            let part: Vec<char> = part.trim().chars().collect();
            if part.len() >= SECRET_MIN {
                hide(&part, &text, &mut hidden);
            }
        }
    }
    hide_values(&text, &mut hidden);
    let mut shown = String::new();
    let mut was_hidden = false;
    for (character, is_hidden) in text.iter().zip(hidden) {
        if is_hidden && !was_hidden {
            shown.push_str(HIDDEN);
        } else if !is_hidden {
            shown.push(*character);
        }
        was_hidden = is_hidden;
    }
    shown
}

/// Marks each place at which a secret is, so that those that lie one in the other, or one over
/// the other, are hidden as a whole.
fn hide(secret: &[char], text: &[char], hidden: &mut [bool]) {
    for start in 0..text.len() {
        if let Some(length) = length_of(secret, &text[start..]) {
            hidden[start..start + length].fill(true);
        }
    }
}

/// How much of the beginning of `text` is the secret, or all of it where it ends within the
/// secret.
fn length_of(secret: &[char], text: &[char]) -> Option<usize> {
    // One character may be written in several ways of which one is the beginning of another.
    let mut ends = vec![0];
    for (n_found, character) in secret.iter().enumerate() {
        let mut next = Vec::new();
        for end in ends {
            let rest = &text[end..];
            if rest.is_empty() && n_found >= CUT_MIN {
                return Some(text.len());
            }
            if rest.first() == Some(character) {
                next.push(end + 1);
            }
            for written in written(*character) {
                if is_written(&written, rest) {
                    next.push(end + written.len());
                } else if n_found >= CUT_MIN
                    && is_written(&written[..rest.len().min(written.len())], rest)
                {
                    return Some(text.len());
                }
            }
        }
        next.sort_unstable();
        next.dedup();
        ends = next;
        if ends.is_empty() {
            return None;
        }
    }
    ends.into_iter().max()
}

/// The other ways to write a character, in ASCII; letters and digits have none.
fn written(character: char) -> Vec<String> {
    if character.is_ascii_alphanumeric() {
        return Vec::new();
    }
    let mut bytes = [0; 4];
    let bytes = character.encode_utf8(&mut bytes).bytes();
    let mut units = [0; 2];
    let units = character.encode_utf16(&mut units).iter();
    let code = u32::from(character);
    let mut all = vec![
        bytes.map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat(),
        units.map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat(),
        format!("&#{code};"),
        format!("&#x{code:x};"),
    ];
    let short: &[&str] = match character {
        ' ' => &["+", "\\n", "\\t", "\\r", "%0a", "%0d", "%09"],
        '"' => &["\\\"", "&quot;"],
        '\\' => &["\\\\"],
        '/' => &["\\/"],
        '&' => &["&amp;"],
        '<' => &["&lt;"],
        '>' => &["&gt;"],
        '\'' => &["&apos;"],
        _ => &[],
    };
    all.extend(short.iter().map(ToString::to_string));
    all
}

/// Whether a text begins with these characters, whatever the case of its letters.
fn is_written(written: &str, text: &[char]) -> bool {
    written.len() <= text.len()
        && written.chars().zip(text).all(|(one, other)| one.eq_ignore_ascii_case(other))
}

/// Marks the values of queries with which anybody may ask.
fn hide_values(text: &[char], hidden: &mut [bool]) {
    for name in BEFORE_VALUE {
        for equals in ["=", "%3d"] {
            let before = format!("{name}{equals}");
            for start in 0..text.len() {
                if is_written(&before, &text[start..]) {
                    let from = start + before.len();
                    let value = text[from..].iter().take_while(|c| is_of_value(**c)).count();
                    hidden[from..from + value].fill(true);
                }
            }
        }
    }
}

fn is_of_value(character: char) -> bool {
    !character.is_whitespace() && !"&\"'<>()[]{},;\\#".contains(character)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
    use proptest::sample::select;

    use super::without;
    use crate::access::{Credential, Provenance};
    use crate::probe::token::secrets_of;
    use crate::properties;
    use crate::secret::Secret;

    #[track_caller]
    fn check(text: &str, secrets: &[&str], expected: &str) {
        let secrets: Vec<_> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        assert_eq!(without(text, &secrets), expected, "{text}");
    }

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        for text in [
            "hunter+2/\"x y",
            r#"hunter\u002B2\/\"x y"#,
            r"hunter\u002b2\u002f\u0022x\u0020y",
            "hunter%2B2%2F%22x%20y",
            "hunter%2b2%2f%22x+y",
            "hunter&#43;2/&quot;x y",
        ] {
            check(&format!("you sent {text}!"), &["hunter+2/\"x y"], "you sent ****!");
        }
    }

    #[test]
    fn what_lies_over_another_is_hidden_as_a_whole() {
        check("abcdefgh", &["abcd", "abcdefgh"], "****");
        check("abcdefgh", &["cdef", "abcdefgh"], "****");
        check("abcdefgh!", &["abcdef", "defgh"], "****!");
        check("abcdefgh", &["abc"], "abcdefgh");
    }

    #[test]
    fn a_secret_that_is_cut_at_the_end_is_hidden_from_eight_characters_on() {
        let secret = "abcdefg+hijk";
        check("sent abcdefg+h", &[secret], "sent ****");
        check("sent abcdefg+", &[secret], "sent ****");
        check("sent abcdefg%2Bh%", &["abcdefg+h%ijk"], "sent ****");
        check("sent abcdefg", &[secret], "sent abcdefg");
        check("sent abcdefg+h, sorry", &[secret], "sent abcdefg+h, sorry");
    }

    #[test]
    fn the_signature_of_a_url_is_hidden() {
        for (text, expected) in [
            (
                "at https://a.test/b?se=1&sig=a%2Bb%3D&sp=r now",
                "at https://a.test/b?se=1&sig=****&sp=r now",
            ),
            ("<Url>/b?X-Amz-Signature=ab</Url>", "<Url>/b?X-Amz-Signature=****</Url>"),
            (r#"{"u":"/b?SIG=ab\u0026x=1"}"#, r#"{"u":"/b?SIG=****\u0026x=1"}"#),
            ("u=%2Fb%3Fsig%3Dab&access_token=cd", "u=%2Fb%3Fsig%3D****&access_token=****"),
            ("sig= is empty, and a signature", "sig= is empty, and a signature"),
        ] {
            check(text, &[], expected);
            check(expected, &[], expected);
        }
    }

    fn in_json(text: &str) -> String {
        serde_json::Value::from(text).to_string()
    }

    /// As the encoders of JSON do it that are careful of HTML.
    fn in_careful_json(text: &str) -> String {
        let escaped = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_string()
            } else {
                format!("\\u{:04X}", u32::from(c))
            }
        };
        text.chars().map(escaped).collect()
    }

    fn in_url(text: &str) -> String {
        let escaped = |byte: u8| {
            let is_plain = byte.is_ascii_alphanumeric();
            if is_plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
        };
        text.bytes().map(escaped).collect()
    }

    fn in_url_of_small_letters(text: &str) -> String {
        let escaped = |byte: u8| {
            let is_plain = byte.is_ascii_alphanumeric();
            if is_plain { char::from(byte).to_string() } else { format!("%{byte:02x}") }
        };
        text.bytes().map(escaped).collect()
    }

    fn in_form(text: &str) -> String {
        url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
    }

    fn basic(text: &str) -> String {
        STANDARD.encode(format!("robot:{text}"))
    }

    fn basic_without_padding(text: &str) -> String {
        STANDARD_NO_PAD.encode(format!("robot:{text}"))
    }

    #[test]
    fn no_form_of_a_secret_survives() {
        let forms: &[fn(&str) -> String] = &[
            str::to_owned,
            in_json,
            in_careful_json,
            in_url,
            in_url_of_small_letters,
            in_form,
            basic,
            basic_without_padding,
            |text| in_url(&basic(text)),
        ];
        let around = "[ a-z{}\"<>:,]{0,12}";
        let cases = ("[ -~é]{2,12}", select(forms), around, around);
        properties::check(&cases, |(ends, form, before, after)| {
            // No letter of it is elsewhere, so that none may be left.
            let password = format!("QQQQ{ends}QQQQ");
            let credential = Credential {
                provenance: Provenance::Strangers,
                username: "robot".to_owned(),
                password: Secret::new(password.clone()),
            };
            let text = format!("{before}{}{after}", form(&password));
            let shown = without(&text, &secrets_of(&credential));
            assert!(!shown.to_ascii_uppercase().contains("QQQQ"), "{text} -> {shown}");
            let of_basic = form(&password);
            assert!(of_basic.len() < 8 || !shown.contains(&of_basic), "{text} -> {shown}");
        });
    }
}
