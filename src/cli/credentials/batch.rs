//! The batch: a line of JSON in, a line of JSON out, in the same order.
//!
//! Every line gets an answer, also one that cannot be understood. Answers go out as soon as
//! no whole line waits, so that a program can ask line by line. No error repeats what was
//! read, for it may be a password.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;

use crate::image::ImageRef;
use crate::resolve::keyring::{self, PullSecret};

use super::answer::broken;
use crate::cli::manifests::from_base64;

/// The longest line that is read. A Secret has at most 1 MiB, and a pod names few.
const LINE_MAX: usize = 64 << 20;

#[derive(Debug, Serialize)]
struct Answer {
    id: Value,
    error: Option<String>,
    repository: Option<String>,
    credentials: Vec<Used>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Used {
    username: String,
    password_sha256: String,
    secret: String,
}

/// Answers every line of `input`. Whoever reads the answers may stop reading.
pub(super) fn answer_all(input: impl Read, output: impl Write) -> anyhow::Result<()> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let mut output = BufWriter::new(output);
    let mut line = Vec::new();
    loop {
        if !input.buffer().contains(&b'\n') && !is_read(output.flush())? {
            return Ok(());
        }
        let answer = match next_line(&mut input, &mut line).context("cannot read the lines")? {
            Line::End => return is_read(output.flush()).map(drop),
            Line::Whole => answer(&line),
            Line::TooLong => malformed(Value::Null, "the line is longer than 64 MiB"),
        };
        let mut text = serde_json::to_vec(&answer).context("cannot write an answer")?;
        text.push(b'\n');
        if !is_read(output.write_all(&text))? {
            return Ok(());
        }
    }
}

/// Whether somebody still reads what is written.
fn is_read(written: io::Result<()>) -> anyhow::Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("cannot write the answers"),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Whole,
    /// The line is skipped.
    TooLong,
    End,
}

/// Reads the next line into `line`, without its end.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let mut read = false;
    let mut fits = true;
    loop {
        let buffer = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        read |= !buffer.is_empty();
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        fits &= line.len() + part.len() <= LINE_MAX;
        if fits {
            line.extend_from_slice(part);
        }
        let is_last = end.is_some() || buffer.is_empty();
        let taken = end.map_or(buffer.len(), |end| end + 1);
        input.consume(taken);
        if is_last {
            return Ok(match (read, fits) {
                (false, _) => Line::End,
                (true, true) => Line::Whole,
                (true, false) => Line::TooLong,
            });
        }
    }
}

fn malformed(id: Value, problem: &str) -> Answer {
    Answer { id, error: Some(problem.to_owned()), repository: None, credentials: Vec::new() }
}

fn answer(line: &[u8]) -> Answer {
    if line.trim_ascii().is_empty() {
        return malformed(Value::Null, "the line is empty");
    }
    let question: Value = match serde_json::from_slice(line) {
        Ok(question) => question,
        Err(error) => {
            let problem = format!("the line is no JSON (at byte {})", error.column());
            return malformed(Value::Null, &problem);
        }
    };
    let id = question.get("id").cloned().unwrap_or_default();
    let (image, secrets) = match parts(&question) {
        Ok(parts) => parts,
        Err(problem) => return malformed(id, &problem),
    };
    let image = match ImageRef::parse(image) {
        Ok(image) => image,
        Err(error) => return malformed(id, &error.to_string()),
    };
    let access = keyring::lookup(&secrets, &image);
    let error = broken(&access);
    let credentials = access.credentials.into_iter().filter_map(|credential| {
        let secret = credential.provenance.pull_secret()?.to_owned();
        let password_sha256 = credential.password.sha256();
        Some(Used { username: credential.username, password_sha256, secret })
    });
    let credentials = credentials.collect();
    Answer { id, error, repository: Some(image.repository()), credentials }
}

/// The image and the secrets of a question, or what is wrong with it.
fn parts(question: &Value) -> Result<(&str, Vec<PullSecret>), String> {
    if !question.is_object() {
        return Err("the line is no JSON object with id, image and secrets".to_owned());
    }
    let image = question.get("image").and_then(Value::as_str).ok_or("image must be a string")?;
    let secrets = match question.get("secrets") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(secrets)) => {
            let read = |(place, secret)| {
                secret_of(secret).map_err(|problem| format!("secrets[{place}]{problem}"))
            };
            secrets.iter().enumerate().map(read).collect::<Result<_, String>>()?
        }
        Some(_) => return Err("secrets must be an array".to_owned()),
    };
    Ok((image, secrets))
}

/// A secret of a question, or what is wrong with it, as what follows its place.
fn secret_of(secret: &Value) -> Result<PullSecret, String> {
    if !secret.is_object() {
        return Err(" must be an object with name, type and data".to_owned());
    }
    let name = secret.get("name").and_then(Value::as_str).ok_or(".name must be a string")?;
    let kind = match secret.get("type") {
        None | Some(Value::Null) => "",
        Some(kind) => kind.as_str().ok_or(".type must be a string")?,
    };
    let data = match secret.get("data") {
        None | Some(Value::Null) => None,
        Some(data) => Some(data.as_object().ok_or(".data must be an object")?),
    };
    let decoded = data.into_iter().flatten().map(|(key, value)| {
        let value = match value {
            Value::Null => Some(Vec::new()),
            value => value.as_str().and_then(from_base64),
        };
        value.map(|value| (key.clone(), value)).ok_or(".data must hold base64 only")
    });
    let data = decoded.collect::<Result<_, _>>()?;
    Ok(PullSecret { name: name.to_owned(), kind: kind.to_owned(), data })
}

#[cfg(test)]
mod tests;
