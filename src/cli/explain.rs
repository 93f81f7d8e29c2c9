//! `registrycheck explain`: what a code means, and what a message says.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Serialize;

use crate::api::Confidence;
use crate::diagnose::catalogue::{self, Code};
use crate::diagnose::remedy::{self, Part};
use crate::diagnose::words::{self, Meaning};

use super::failure::Hinted;

/// No line is kept further than this; the rest of it is passed over.
const LINE: usize = 1024 * 1024;

/// What to explain.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    registrycheck explain TagNotFound\n  \
    registrycheck explain 'pull access denied, repository does not exist'\n  \
    kubectl get events -A -o jsonpath='{range .items[*]}{.message}{\"\\n\"}{end}' | registrycheck explain -")]
pub(super) struct Explain {
    /// The code of a finding, the message of a failed pull, or - for a message on each
    /// line of standard input, answered by a line of JSON each.
    #[arg(required = true, value_name = "CODE|MESSAGE|-")]
    what: Vec<OsString>,
}

/// Explains a code, a message, or the messages on standard input.
pub(super) fn run(arguments: &Explain) -> anyhow::Result<()> {
    // A message that nobody quoted comes as many words.
    let words: Vec<_> = arguments.what.iter().map(|word| word.to_string_lossy()).collect();
    let what = words.join(" ");
    match what.trim() {
        "-" => answer_each(io::stdin().lock(), io::stdout().lock()),
        "" => bail!(Hinted::new(
            "there is nothing to explain",
            "write a code, such as TagNotFound, or the message of a failed pull in quotes",
        )),
        what => super::print(&explained(what)?),
    }
}

fn explained(what: &str) -> anyhow::Result<String> {
    if let Some(code) = Code::parse(what) {
        return Ok(page(code));
    }
    let meanings = words::read(what);
    let is_word = what.chars().all(|character| character.is_ascii_alphanumeric());
    let says_nothing = meanings.iter().all(|meaning| meaning.code == Code::Inconclusive);
    if is_word && says_nothing {
        bail!(unknown(what));
    }
    Ok(in_words(&meanings))
}

fn unknown(what: &str) -> Hinted {
    // A typo is mostly further behind than the first letters.
    let start: String = what.chars().take(4).collect::<String>().to_lowercase();
    let is_near = |code: &&Code| code.as_str().to_lowercase().contains(&start);
    let near: Vec<_> = Code::ALL.iter().filter(is_near).map(|code| code.as_str()).collect();
    let hint = if near.is_empty() {
        let all: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        format!("the codes are {}", all.join(", "))
    } else {
        format!("there is {}", near.join(", "))
    };
    Hinted::new(
        format!("{what} is no code of a finding"),
        format!(
            "{hint}. To explain a message, write all of it in quotes, such as \"Failed to pull image …\""
        ),
    )
}

/// The catalogue's page of a code.
fn page(code: Code) -> String {
    let row = code.row();
    let mut text = format!("{code}: {}\n\n{}\n\n", row.title, row.meaning);
    let _ = writeln!(text, "Part of the pull: {}.", row.stage);
    let _ = writeln!(text, "How bad: {}.", catalogue::how_bad(row.severity));
    let _ = writeln!(text, "Who can mend it: {}.", catalogue::who(row.owner));
    let _ = writeln!(text, "\nWhat to do, with your own names in place of words in capitals:");
    for part in remedy::parts(row.remedy) {
        to_do(&mut text, part);
    }
    for (n_part, part) in row.azure.into_iter().flat_map(remedy::parts).enumerate() {
        if n_part == 0 {
            text.push_str("\nOr, for a registry of Azure:\n");
        }
        to_do(&mut text, part);
    }
    let _ = writeln!(text, "\nSource: {}", row.source);
    if let Some(url) = row.url {
        let _ = writeln!(text, "  {url}");
    }
    text
}

/// A line of a remedy: a command stands by itself, to be copied whole.
fn to_do(text: &mut String, part: Part<'_>) {
    let _ = match part {
        Part::Words(words) => writeln!(text, "  {words}"),
        Part::Command(command) => writeln!(text, "    {command}"),
    };
}

fn in_words(meanings: &[Meaning]) -> String {
    let mut text = String::new();
    for Meaning { code, confidence, host } in meanings {
        let row = code.row();
        let sure = match confidence {
            Confidence::Certain => "certain",
            Confidence::Likely => "likely",
            Confidence::Possible => "possible",
        };
        let at = host.as_ref().map(|host| format!("\n  Host: {host}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "{code} ({sure}): {}\n  {}{at}\n  Who can mend it: {}.",
            row.title,
            row.meaning,
            catalogue::who(row.owner)
        );
    }
    text
}

/// One line of the answers.
#[derive(Serialize)]
struct Line {
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    code: &'static str,
    confidence: Confidence,
}

/// Answers each line as it comes, so that a reader may ask again after an answer.
fn answer_each(mut input: impl BufRead, mut output: impl Write) -> anyhow::Result<()> {
    let mut line = Vec::new();
    while read_line(&mut input, &mut line).context("cannot read standard input")? {
        let meanings = words::read(&String::from_utf8_lossy(&line));
        let finding = |meaning: Meaning| Finding {
            code: meaning.code.as_str(),
            confidence: meaning.confidence,
        };
        let answer = Line { findings: meanings.into_iter().map(finding).collect() };
        let mut text = serde_json::to_vec(&answer).context("cannot write JSON")?;
        text.push(b'\n');
        match output.write_all(&text).and_then(|()| output.flush()) {
            // Whoever reads our output may stop reading.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            other => other.context("cannot write to standard output")?,
        }
    }
    Ok(())
}

/// Reads a line without its end, of which at most [`LINE`] bytes are kept; false at the end
/// of the input.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut is_begun = false;
    loop {
        let available = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if available.is_empty() {
            return Ok(is_begun);
        }
        is_begun = true;
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        line.extend_from_slice(&part[..part.len().min(LINE - line.len())]);
        let used = end.map_or(part.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &[u8]) -> Vec<String> {
        let mut output = Vec::new();
        answer_each(input, &mut output).unwrap();
        String::from_utf8(output).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn every_line_is_answered() {
        let input = b"pull QPS exceeded\n\n\xff\xfe\x00\x1b[31m\r\nmanifest unknown";
        let open = r#"{"findings":[{"code":"Inconclusive","confidence":"Possible"}]}"#;
        assert_eq!(
            answers(input),
            [
                r#"{"findings":[{"code":"PullQpsExceeded","confidence":"Certain"}]}"#,
                open,
                open,
                r#"{"findings":[{"code":"TagNotFound","confidence":"Likely"}]}"#,
            ]
        );
        assert!(answers(b"").is_empty());
    }

    #[test]
    fn a_line_of_any_length_is_one_message() {
        let mut input = b"pull QPS exceeded ".to_vec();
        input.resize(3 * LINE, b'x');
        input.extend_from_slice(b"\ntoomanyrequests: slow down\n");
        let answers = answers(&input);
        assert_eq!(answers.len(), 2);
        assert!(answers[0].contains("PullQpsExceeded"), "{answers:?}");
        assert!(answers[1].contains("RateLimited"), "{answers:?}");
    }

    #[test]
    fn a_code_has_a_page_in_any_case() {
        for what in ["TagNotFound", "tagnotfound"] {
            let page = explained(what).unwrap();
            assert!(page.starts_with("TagNotFound: The repository exists"), "{page}");
        }
        for code in Code::ALL {
            assert!(explained(code.as_str()).unwrap().contains("Source: "), "{code}");
        }
    }

    #[test]
    fn what_is_neither_code_nor_message_says_what_to_write() {
        let error =
            |what| explained(what).unwrap_err().downcast::<Hinted>().unwrap().hint().to_owned();
        assert!(error("Zebra").contains("the codes are InvalidImageReference, "));
        assert!(error("TagNotFount").contains("there is TagNotFound."), "{}", error("TagNotFount"));
        assert!(error("NotFound").contains("there is "), "{}", error("NotFound"));
        assert!(error("ImagePullBackOff").contains("in quotes"));
    }

    #[test]
    fn a_message_is_explained_in_sentences() {
        let text = explained(
            "Get \"https://r.test/v2/\": dial tcp 10.0.0.1:443: connect: connection refused",
        );
        let text = text.unwrap();
        assert!(text.starts_with("ConnectionRefused (certain): Nothing accepts"), "{text}");
        assert!(text.contains("Host: r.test\n"), "{text}");
    }
}
