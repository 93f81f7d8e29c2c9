//! `filepath.Match` of Go 1.25.9 (path/filepath/match.go, on Linux), for labels of hosts.
//!
//! In a label practically only `*` occurs. An IPv6 address without a port keeps its brackets
//! and so becomes a class of characters; therefore all of the syntax is here.

/// A pattern that is no pattern, by the rules of Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadPattern;

/// Whether a name matches a pattern. Neither may hold a `/`.
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> Result<bool, BadPattern> {
    let (mut pattern, mut name) = (pattern, name);
    while !pattern.is_empty() {
        let chunk;
        let star;
        (star, chunk, pattern) = next_chunk(pattern);
        if star && chunk.is_empty() {
            return Ok(true);
        }
        // The last chunk must reach the end of the name.
        let enough = |rest: &[u8]| rest.is_empty() || !pattern.is_empty();
        let furthest = if star { name.len() } else { 0 };
        let mut found = None;
        for skipped in 0..=furthest {
            found = match_chunk(chunk, &name[skipped..])?.filter(|rest| enough(rest));
            if found.is_some() {
                break;
            }
        }
        match found {
            Some(rest) => name = rest,
            None => return Ok(false),
        }
    }
    Ok(name.is_empty())
}

/// Whether a star comes first, what follows it up to the next star, and the rest.
fn next_chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    let pattern = &pattern[stars..];
    let mut in_class = false;
    let mut at = 0;
    while let Some(byte) = pattern.get(at) {
        match byte {
            b'\\' => at += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'*' if !in_class => break,
            _ => {}
        }
        at += 1;
    }
    let (chunk, rest) = pattern.split_at(at.min(pattern.len()));
    (stars > 0, chunk, rest)
}

/// What remains of a name behind a chunk without stars; `None` where the chunk does not match.
/// A chunk is read to its end even then, because it may be bad.
fn match_chunk<'a>(chunk: &[u8], name: &'a [u8]) -> Result<Option<&'a [u8]>, BadPattern> {
    let mut chunk = chunk;
    let mut left = Some(name);
    while let [first, tail @ ..] = chunk {
        chunk = tail;
        left = left.filter(|name| !name.is_empty());
        match first {
            b'[' => {
                let character = left.map(next_character);
                let (matched, rest) = match_class(chunk, character.map(|(code, _)| code))?;
                chunk = rest;
                left = character.filter(|_| matched).map(|(_, rest)| rest);
            }
            b'?' => left = left.map(|name| next_character(name).1),
            first => {
                let mut literal = *first;
                if literal == b'\\' {
                    let (escaped, rest) = chunk.split_first().ok_or(BadPattern)?;
                    (literal, chunk) = (*escaped, rest);
                }
                left = left.and_then(|name| name.strip_prefix(&[literal]));
            }
        }
    }
    Ok(left)
}

/// Matches a class, whose `[` was read, and returns what follows it.
fn match_class(class: &[u8], character: Option<u32>) -> Result<(bool, &[u8]), BadPattern> {
    let (negated, mut class) = match class {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, class),
    };
    let mut matched = false;
    let mut ranges = 0;
    loop {
        if let ([b']', rest @ ..], 1..) = (class, ranges) {
            return Ok((matched != negated, rest));
        }
        let (low, rest) = class_character(class)?;
        let (high, rest) = match rest {
            [b'-', rest @ ..] => class_character(rest)?,
            _ => (low, rest),
        };
        class = rest;
        matched = matched || character.is_some_and(|code| (low..=high).contains(&code));
        ranges += 1;
    }
}

/// A character of a class. Something must follow it.
fn class_character(class: &[u8]) -> Result<(u32, &[u8]), BadPattern> {
    let class = match class {
        [] | [b'-' | b']', ..] => return Err(BadPattern),
        [b'\\', rest @ ..] => rest,
        _ => class,
    };
    if class.is_empty() {
        return Err(BadPattern);
    }
    let (code, rest) = next_character(class);
    let broken = code == REPLACEMENT && class.len() - rest.len() == 1;
    if broken || rest.is_empty() { Err(BadPattern) } else { Ok((code, rest)) }
}

const REPLACEMENT: u32 = char::REPLACEMENT_CHARACTER as u32;

/// The first character of bytes that are not empty; a byte that is not UTF-8 is U+FFFD.
fn next_character(bytes: &[u8]) -> (u32, &[u8]) {
    let width = (1..=bytes.len().min(4)).find_map(|width| {
        let character = std::str::from_utf8(bytes.get(..width)?).ok()?.chars().next()?;
        Some((u32::from(character), bytes.get(width..)?))
    });
    width.unwrap_or((REPLACEMENT, bytes.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::{BadPattern, matches};

    #[test]
    fn patterns_match_as_in_go() {
        let cases = [
            ("abc", "abc", Ok(true)),
            ("*", "", Ok(true)),
            ("a*", "a", Ok(true)),
            ("*a*b*", "xaxbx", Ok(true)),
            ("*ab", "aab", Ok(true)),
            ("a*b", "abc", Ok(false)),
            ("", "a", Ok(false)),
            ("A", "a", Ok(false)),
            ("[a-c]", "b", Ok(true)),
            ("[^a-c]", "b", Ok(false)),
            ("[F::1]", "F", Ok(true)),
            ("[2001:db8::5]", "[2001:db8::5]", Ok(false)),
            ("[", "a", Err(BadPattern)),
            ("[]a]", "a", Err(BadPattern)),
            ("[a-]", "a", Err(BadPattern)),
            ("[-a]", "a", Err(BadPattern)),
            ("x[", "a", Err(BadPattern)),
            ("a\\*", "a*", Ok(true)),
            ("a\\", "a", Err(BadPattern)),
            ("?", "ä", Ok(true)),
            ("[ä]x", "äx", Ok(true)),
        ];
        for (pattern, name, expected) in cases {
            let matched = matches(pattern.as_bytes(), name.as_bytes());
            assert_eq!(matched, expected, "{pattern} {name}");
        }
    }
}
