//! Durations as Go writes them: `time.ParseDuration` of Go 1.25.9 (time/format.go), as far as
//! it says whether a text is one.

const UNITS: &[&str] = &["ns", "us", "\u{b5}s", "\u{3bc}s", "ms", "s", "m", "h"];

/// Whether a duration is less than nothing; `None` where the text is no duration.
pub(super) fn is_negative(text: &str) -> Option<bool> {
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(false);
    }
    let mut rest = rest;
    let mut is_zero = true;
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, after) = rest.split_at(end);
        let digits = number.matches(|character: char| character.is_ascii_digit()).count();
        if digits == 0 || number.len() - digits > 1 {
            return None;
        }
        is_zero &= number.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        let end = after.find(|character: char| character.is_ascii_digit() || character == '.');
        let (unit, after) = after.split_at(end.unwrap_or(after.len()));
        if !UNITS.contains(&unit) {
            return None;
        }
        rest = after;
    }
    (!text.trim_start_matches(['-', '+']).is_empty()).then_some(negative && !is_zero)
}

#[cfg(test)]
mod tests {
    use super::is_negative;

    #[test]
    fn durations_are_those_of_go() {
        for text in ["0", "+0", "-0", "5s", "1h15m30.918273645s", ".5h", "1.s", "10us", "-0s"] {
            assert_eq!(is_negative(text), Some(false), "{text}");
        }
        for text in ["-1s", "-1h0m", "-.5ms"] {
            assert_eq!(is_negative(text), Some(true), "{text}");
        }
        for text in ["", "-", "+", "3", "s", ".s", "1.1.s", "1d", "1s ", " 1s", "1 s", "--1s", "1S"]
        {
            assert_eq!(is_negative(text), None, "{text}");
        }
    }
}
