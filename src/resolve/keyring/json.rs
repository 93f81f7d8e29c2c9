//! JSON as Go's encoding/json takes it (Go 1.25.9, scanner.go and decode.go).
//!
//! `serde_json` differs where it matters here: Go matches field names without regard to case,
//! lets the last of two equal fields win, turns what is not UTF-8 and lone surrogates into
//! U+FFFD, and stops at 10000 levels. [`check`] looks at the syntax of a whole document, without
//! recursion; [`read`] then opens one level of it.

use std::iter;

/// The number of levels that Go allows (scanner.go, `maxNestingDepth`).
const DEPTH_MAX: usize = 10_000;

/// Why a text is no JSON. It holds nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It ends too early, between two words or inside a string.
    Ends,
    /// It ends inside a word, a number or an escape; Go has other words for that.
    Cut,
    /// Something stands where it may not.
    Unexpected(usize),
    /// Something follows the value.
    Trailing(usize),
    /// It is nested too deep.
    TooDeep(usize),
}

/// A value, opened by one level. What is inside it is raw.
pub(crate) enum Value<'a> {
    Null,
    Text(String),
    /// Names and values in the order in which they are written, with all duplicates.
    Object(Vec<(String, &'a [u8])>),
    /// A value that nothing here wants, and what it is called.
    Other(&'static str),
}

impl Value<'_> {
    /// What the value is called in a message.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Text(_) => "a string",
            Self::Object(_) => "an object",
            Self::Other(kind) => kind,
        }
    }
}

/// Whether a field's name is meant by a name in the document: without regard to case, by
/// Unicode's simple folding. Of all letters only these two fold to an ASCII one (fold.go).
pub(crate) fn names_field(name: &str, field: &str) -> bool {
    let folded = name.chars().map(|character| match character {
        'ſ' => 's',
        '\u{212A}' => 'k',
        other => other.to_ascii_lowercase(),
    });
    folded.eq(field.chars().map(|character| character.to_ascii_lowercase()))
}

/// Bytes as text, with U+FFFD for **each** byte that is not part of UTF-8 (Rust's own
/// conversion has one for a whole sequence).
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        match std::str::from_utf8(rest) {
            Ok(good) => {
                text.push_str(good);
                return text;
            }
            Err(error) => {
                let (good, bad) = rest.split_at(error.valid_up_to());
                text.extend(good.utf8_chunks().map(|chunk| chunk.valid()));
                text.push(char::REPLACEMENT_CHARACTER);
                rest = bad.get(1..).unwrap_or_default();
            }
        }
    }
}

/// Checks the syntax of a document.
pub(crate) fn check(document: &[u8]) -> Result<(), Fault> {
    let mut scanner = Scanner { bytes: document, at: 0 };
    // The closing brackets that are still to come.
    let mut open: Vec<u8> = Vec::new();
    loop {
        scanner.space();
        let start = scanner.at;
        let opened = match scanner.next()? {
            b'{' => Some(b'}'),
            b'[' => Some(b']'),
            first => {
                scanner.scalar(first)?;
                None
            }
        };
        let mut fresh = opened.is_some();
        if let Some(close) = opened {
            open.push(close);
            if open.len() > DEPTH_MAX {
                return Err(Fault::TooDeep(start));
            }
        }
        loop {
            scanner.space();
            let Some(&close) = open.last() else {
                let all = scanner.at == document.len();
                return if all { Ok(()) } else { Err(Fault::Trailing(scanner.at)) };
            };
            if scanner.peek() == Some(close) {
                scanner.at += 1;
                open.pop();
                fresh = false;
                continue;
            }
            if !fresh {
                scanner.expect(b',')?;
            }
            if close == b'}' {
                scanner.space();
                scanner.expect(b'"')?;
                scanner.string()?;
                scanner.space();
                scanner.expect(b':')?;
            }
            break;
        }
    }
}

/// Opens one level of a value whose syntax [`check`] found good.
pub(crate) fn read(raw: &[u8]) -> Value<'_> {
    let mut scanner = Scanner { bytes: raw, at: 0 };
    scanner.space();
    match scanner.peek() {
        Some(b'n') => Value::Null,
        Some(b'"') => Value::Text(unquote(scanner.value())),
        Some(b'{') => Value::Object(members(scanner)),
        Some(b'[') => Value::Other("an array"),
        Some(b't' | b'f') => Value::Other("a boolean"),
        _ => Value::Other("a number"),
    }
}

fn members(mut scanner: Scanner<'_>) -> Vec<(String, &[u8])> {
    scanner.at += 1;
    iter::from_fn(|| {
        scanner.skip(|byte| is_space(byte) || byte == b',');
        if scanner.peek()? == b'}' {
            return None;
        }
        let name = unquote(scanner.value());
        scanner.skip(|byte| is_space(byte) || byte == b':');
        Some((name, scanner.value()))
    })
    .collect()
}

/// The text of a string literal, with its quotes, whose syntax is good.
fn unquote(literal: &[u8]) -> String {
    let mut decoded: Vec<u8> = Vec::with_capacity(literal.len());
    let mut rest = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    let mut buffer = [0; 4];
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            decoded.push(*first);
            continue;
        }
        let Some((escape, tail)) = rest.split_first() else { break };
        rest = tail;
        match escape {
            b'b' => decoded.push(8),
            b'f' => decoded.push(12),
            b'n' => decoded.push(b'\n'),
            b'r' => decoded.push(b'\r'),
            b't' => decoded.push(b'\t'),
            b'u' => {
                let (character, tail) = unicode_escape(rest);
                rest = tail;
                decoded.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            }
            other => decoded.push(*other),
        }
    }
    text(&decoded)
}

/// Reads what follows a `\u`. A pair of surrogates is one character; a lone one is U+FFFD,
/// and what follows it is read by itself.
fn unicode_escape(rest: &[u8]) -> (char, &[u8]) {
    let (high, tail) = hex4(rest).unwrap_or((0xFFFD, &[]));
    if !(0xD800..0xE000).contains(&high) {
        return (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), tail);
    }
    let low = tail.strip_prefix(b"\\u").and_then(hex4);
    match low {
        Some((low, after)) if high < 0xDC00 && (0xDC00..0xE000).contains(&low) => {
            let code = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), after)
        }
        _ => (char::REPLACEMENT_CHARACTER, tail),
    }
}

fn hex4(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let code = digits.iter().try_fold(0, |code, digit| {
        char::from(*digit).to_digit(16).map(|digit| code * 16 + digit)
    })?;
    Some((code, rest))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, Fault> {
        let byte = self.peek().ok_or(Fault::Ends)?;
        self.at += 1;
        Ok(byte)
    }

    /// The next byte of a word, a number or an escape.
    fn next_inside(&mut self) -> Result<u8, Fault> {
        self.next().map_err(|_| Fault::Cut)
    }

    fn skip(&mut self, unwanted: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&unwanted) {
            self.at += 1;
        }
    }

    fn space(&mut self) {
        self.skip(is_space);
    }

    fn expect(&mut self, wanted: u8) -> Result<(), Fault> {
        let at = self.at;
        if self.next()? == wanted { Ok(()) } else { Err(Fault::Unexpected(at)) }
    }

    /// Checks a value that is neither object nor array, and whose first byte was read.
    fn scalar(&mut self, first: u8) -> Result<(), Fault> {
        match first {
            b'"' => self.string(),
            b't' => self.word(b"rue"),
            b'f' => self.word(b"alse"),
            b'n' => self.word(b"ull"),
            b'-' | b'0'..=b'9' => self.number(first),
            _ => Err(Fault::Unexpected(self.at - 1)),
        }
    }

    fn word(&mut self, rest: &[u8]) -> Result<(), Fault> {
        for wanted in rest {
            if self.next_inside()? != *wanted {
                return Err(Fault::Unexpected(self.at - 1));
            }
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), Fault> {
        loop {
            let at = self.at;
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => match self.next_inside()? {
                    b'u' => {
                        for _ in 0..4 {
                            if !self.next_inside()?.is_ascii_hexdigit() {
                                return Err(Fault::Unexpected(self.at - 1));
                            }
                        }
                    }
                    b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => {}
                    _ => return Err(Fault::Unexpected(self.at - 1)),
                },
                ..0x20 => return Err(Fault::Unexpected(at)),
                _ => {}
            }
        }
    }

    fn number(&mut self, first: u8) -> Result<(), Fault> {
        let leading = if first == b'-' { self.next_inside()? } else { first };
        match leading {
            b'0' => {}
            b'1'..=b'9' => self.skip(|byte| byte.is_ascii_digit()),
            _ => return Err(Fault::Unexpected(self.at - 1)),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        if !self.next_inside()?.is_ascii_digit() {
            return Err(Fault::Unexpected(self.at - 1));
        }
        self.skip(|byte| byte.is_ascii_digit());
        Ok(())
    }

    /// Takes the next value, raw. The syntax must be good.
    fn value(&mut self) -> &'a [u8] {
        let start = self.at;
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => self.rest_of_string(),
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ if depth == 0 => {
                    self.skip(|byte| !is_space(byte) && !matches!(byte, b',' | b'}' | b']'));
                }
                _ => continue,
            }
            if depth == 0 {
                break;
            }
        }
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    fn rest_of_string(&mut self) {
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => return,
                b'\\' => self.at += 1,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
