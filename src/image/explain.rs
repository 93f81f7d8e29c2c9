//! What is wrong with a text that is no image reference or no host, and what was probably
//! meant. The order of the questions decides which of several faults is named.

use super::{Host, HostError, ImageError, ImageRef, grammar};

/// How many characters of a wrong text are shown.
const SHOWN_MAX: usize = 200;

/// Explains a text that does not parse.
pub(super) fn explain(text: &str) -> ImageError {
    let suggestion = repair(text).filter(|suggestion| ImageRef::understand(suggestion).is_some());
    ImageError { image: shown(text), problem: problem(text), suggestion }
}

/// A text as it can be shown: escaped, and not too long.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// A text without the white space, quotes and scheme around it.
pub(super) fn without_wrapping(text: &str) -> &str {
    let bare = text.trim_matches(is_wrapping);
    scheme_of(bare).map_or(bare, |(_, rest)| rest).trim_start_matches('/')
}

/// White space, quotes, and characters that nobody sees (U+200B and the like).
fn is_wrapping(character: char) -> bool {
    let unseen = matches!(character, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}');
    let quote = matches!(character, '"' | '\'' | '`' | '“' | '”' | '‘' | '’' | '„');
    character.is_whitespace() || character.is_control() || unseen || quote
}

/// The scheme of a URL, in any case, and what follows it.
fn scheme_of(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let good = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    good.then_some((scheme, rest))
}

/// A placeholder that nothing has replaced.
fn template_of(text: &str) -> Option<&str> {
    [("{{", "}}"), ("${", "}"), ("$(", ")"), ("<", ">")].into_iter().find_map(|(open, close)| {
        let start = text.find(open)?;
        let inside = start + open.len();
        let end = inside + text.get(inside..)?.find(close)? + close.len();
        text.get(start..end)
    })
}

/// What is wrong, as part of a sentence whose subject is the image.
fn problem(text: &str) -> String {
    if text.is_empty() {
        return "is empty; write one such as registry.example.com/team/app:1.0".to_owned();
    }
    if let Some(template) = template_of(text) {
        let template = shown(template);
        return format!("has the placeholder {template} in it, which was never filled in");
    }
    if text.contains("{{") || text.contains('$') {
        return "has a placeholder in it that was never filled in".to_owned();
    }
    if text.contains(is_wrapping) {
        return "has white space, quotes or unseen characters in it, which must go".to_owned();
    }
    if let Some((scheme, _)) = scheme_of(text) {
        return format!("starts with {scheme}://, and an image has no scheme");
    }
    if grammar::is_identifier(text) {
        return "is an image's id, which nobody can pull; write NAME@sha256:DIGEST".to_owned();
    }
    let (registry, remainder) = grammar::split_registry(text);
    let (path, tag, digest) = grammar::split_version(remainder);
    problem_of_registry(registry)
        .or_else(|| problem_of_path(path))
        .or_else(|| tag.and_then(problem_of_tag))
        .or_else(|| digest.and_then(problem_of_digest))
        .unwrap_or_else(|| format!("has a path of more than {} characters", grammar::PATH_MAX))
}

fn problem_of_registry(registry: &str) -> Option<String> {
    if grammar::is_host(registry) {
        return None;
    }
    let registry = shown(registry);
    Some(format!("has \"{registry}\" where its registry should be, which is no host[:port]"))
}

fn problem_of_path(path: &str) -> Option<String> {
    let wrong = path.split('/').find(|component| !grammar::is_path_component(component))?;
    if path.is_empty() {
        return Some("has no name".to_owned());
    }
    if wrong.is_empty() {
        return Some("has a slash too many".to_owned());
    }
    let wrong_shown = shown(wrong);
    if wrong.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(format!("has capital letters in \"{wrong_shown}\", and a path has none"));
    }
    let strange = wrong
        .chars()
        .find(|character| !matches!(character, 'a'..='z' | '0'..='9' | '.' | '_' | '-'));
    Some(match strange {
        Some(strange) => {
            let strange = shown(&strange.to_string());
            format!("has {strange} in \"{wrong_shown}\", which no path may hold")
        }
        None => format!(
            "has \"{wrong_shown}\" in its path, which must start and end with a letter or digit \
             and have one separator (. _ __ or dashes) at a time"
        ),
    })
}

fn problem_of_tag(tag: &str) -> Option<String> {
    if grammar::is_tag(tag) {
        return None;
    }
    Some(match tag {
        "" => "has an empty tag".to_owned(),
        _ if tag.contains('/') => format!(
            "has a slash behind the colon of \":{}\"; a port belongs to a host, and a tag ends \
             the reference",
            shown(tag)
        ),
        _ if tag.contains(':') => format!("has more than one tag, \":{}\"", shown(tag)),
        _ if tag.len() > 128 => "has a tag of more than 128 characters".to_owned(),
        _ => format!(
            "has \"{}\" as its tag, which may hold only letters, digits, _ . and -, and starts \
             with none of the last two",
            shown(tag)
        ),
    })
}

fn problem_of_digest(digest: &str) -> Option<String> {
    if grammar::is_digest(digest) {
        return None;
    }
    let Some((algorithm, hex)) = digest.split_once(':') else {
        return Some("has an @ that no digest such as sha256:DIGEST follows".to_owned());
    };
    Some(match grammar::digest_length(algorithm) {
        None => {
            format!("has a digest by \"{}\"; known are sha256, sha384 and sha512", shown(algorithm))
        }
        Some(wanted) if hex.len() != wanted => format!(
            "has a digest of {} characters, and {algorithm} has {wanted}",
            hex.chars().count()
        ),
        Some(_) => "has a digest with other characters than 0-9 and a-f".to_owned(),
    })
}

/// The text with all the usual faults taken out; it need not be valid even then.
fn repair(text: &str) -> Option<String> {
    if template_of(text).is_some() {
        return None;
    }
    let bare = without_wrapping(text).trim_end_matches([':', '@']);
    if bare.contains(is_wrapping) {
        return None;
    }
    let mut components = bare.split('/').filter(|component| !component.is_empty());
    let first = components.next()?;
    let rest: Vec<&str> = components.collect();
    let Some((last, middle)) = rest.split_last() else {
        // NAME/ and https://NAME may be a registry as well as a repository.
        let only_registry = bare.contains('/') || text.contains("://") && first.contains('.');
        return (!only_registry).then(|| repair_last(first));
    };
    let is_registry = first == "localhost" || first.contains(['.', ':']);
    let first = if is_registry { first.to_owned() } else { first.to_ascii_lowercase() };
    let middle = middle.iter().map(|component| component.to_ascii_lowercase());
    let parts: Vec<String> = [first].into_iter().chain(middle).chain([repair_last(last)]).collect();
    Some(parts.join("/"))
}

/// Repairs the name's last component with tag and digest.
fn repair_last(last: &str) -> String {
    let (before, digest) = match last.split_once('@') {
        Some((before, digest)) => (before.trim_end_matches(':'), Some(digest)),
        None => (last, None),
    };
    let (name, tag) = match before.split_once(':') {
        // NAME:sha256:HEX stands for NAME@sha256:HEX.
        Some((name, rest)) if digest.is_none() && grammar::is_digest(rest) => {
            return format!("{}@{rest}", name.to_ascii_lowercase());
        }
        // Of NAME:OLD:NEW the last tag was added last.
        Some((name, tags)) => (name, tags.rsplit(':').find(|tag| !tag.is_empty())),
        None => (before, None),
    };
    let name = name.to_ascii_lowercase();
    let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
    match digest {
        None => format!("{name}{tag}"),
        Some(digest) if digest.contains(':') => {
            format!("{name}{tag}@{}", digest.to_ascii_lowercase())
        }
        Some(hex) if hex.len() == 64 => {
            format!("{name}{tag}@sha256:{}", hex.to_ascii_lowercase())
        }
        Some(version) if tag.is_empty() && grammar::digest_length(version).is_none() => {
            format!("{name}:{version}")
        }
        Some(digest) => format!("{name}{tag}@{digest}"),
    }
}

/// Checks the host of a `RegistryCheck`.
pub(super) fn check_host(text: &str) -> Result<(), HostError> {
    let Some(problem) = problem_of_host(text) else { return Ok(()) };
    let bare = without_wrapping(text);
    let bare = bare.split('/').next().unwrap_or(bare).to_ascii_lowercase();
    let bare = if bare == "index.docker.io" { "docker.io".to_owned() } else { bare };
    let suggestion = Some(bare).filter(|bare| problem_of_host(bare).is_none());
    Err(HostError { text: shown(text), problem, suggestion })
}

fn problem_of_host(text: &str) -> Option<String> {
    let host = Host(text.to_owned());
    let problem = if text.is_empty() {
        "is empty"
    } else if text.contains("://") {
        "has a scheme, which a registry's host has not"
    } else if text.contains('/') {
        "has a path, and a check is for the whole registry"
    } else if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        "has capital letters"
    } else if text == "index.docker.io" {
        "is what images on Docker Hub never name; their registry is docker.io"
    } else if !grammar::is_host(text) {
        "is no host[:port]"
    } else if host.name() != text && matches!(host.port(), None | Some(0)) {
        "has a port that does not exist"
    } else {
        return None;
    };
    Some(problem.to_owned())
}
