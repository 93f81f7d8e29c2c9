//! Frames: what programs put around a message, in which its words and its end would be read wrong.

/// How a structured log (klog) begins the error of a line.
const LOGGED: &[&str] = &[" err=\"", " error=\""];

/// What a kubelet puts behind a message.
const REASONS: &[&str] = &[": errimagepull", ": imagepullbackoff"];

/// The message itself. A line of a structured log ends with its error, and what a client of Docker
/// says is the engine's own message: the status before it is the engine's, whatever the registry said.
pub(super) fn message(text: &str) -> &str {
    of_the_engine(logged(text))
}

fn logged(text: &str) -> &str {
    let begin = LOGGED.iter().filter_map(|key| Some(text.find(key)? + key.len())).min();
    let Some(begin) = begin else { return text };
    let mut is_escaped = false;
    for (place, character) in text[begin..].char_indices() {
        match character {
            '"' if !is_escaped => return &text[..begin + place],
            _ => is_escaped = character == '\\' && !is_escaped,
        }
    }
    text
}

fn of_the_engine(text: &str) -> &str {
    if text.contains("Docker API call to ") {
        let behind = ["and message \"", "failed with status code "];
        return behind.iter().find_map(|words| after(text, words)).map_or(text, without_number);
    }
    let is_status = |place: &usize| {
        let front = &text[..*place];
        let number = front.trim_end_matches(|character: char| character.is_ascii_digit());
        number.len() + 3 == front.len() && number.ends_with("Status ")
    };
    let body = ": {\"message\":\"";
    let place = text.find(body).filter(is_status);
    place.map_or(text, |place| &text[place + body.len()..])
}

fn after<'text>(text: &'text str, words: &str) -> Option<&'text str> {
    text.find(words).map(|place| &text[place + words.len()..])
}

fn without_number(text: &str) -> &str {
    text.trim_start_matches(|character: char| character.is_ascii_digit())
}

/// One chain without what CRI-O adds of its second attempt, at an artifact: the image's own error
/// counts.
pub(super) fn of_the_image(chain: &str) -> &str {
    chain.split("; artifact err: ").next().unwrap_or(chain)
}

/// The words, up to the last that is the message's own.
pub(super) fn end(prose: &str) -> &str {
    let prose = prose.trim_end_matches(['"', '.', ' ', '}', ']']);
    REASONS.iter().find_map(|reason| prose.strip_suffix(reason)).unwrap_or(prose)
}
