//! Runs programs: a credential helper, which is asked for a login by `docker-credential-NAME get`,
//! the server on its standard input and the answer on its standard output
//! (github.com/docker/docker-credential-helpers), and a client, which is asked for its version.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::evidence::workstation::{HelperFailure, ProgramSeen};

use super::answer::{self, Login};

/// How much of an answer is read, in bytes.
const ANSWER_MAX: u64 = 64 << 10;

/// Asks a helper for the login at a server, for at most `limit`.
pub(super) async fn ask(
    program: &str,
    server: &str,
    limit: Duration,
) -> Result<Option<Login>, HelperFailure> {
    let (ended, said) = run(program, "get", server, limit).await?;
    answer::of_helper(ended, &said)
}

/// Asks a client for its version, for at most `limit`.
pub(super) async fn version(program: &str, limit: Duration) -> ProgramSeen {
    match run(program, "--version", "", limit).await {
        Ok((None, said)) => answer::of_program(&said),
        Ok((Some(status), _)) => ProgramSeen::Failed { reason: format!("fails ({status})") },
        Err(HelperFailure::Missing) => ProgramSeen::Absent,
        Err(failure) => ProgramSeen::Failed { reason: failure.to_string() },
    }
}

/// Runs a program with one argument and an input: how it ended where that was no success, and what
/// it said. It gets our own environment, as a helper gets the client's from the client. What it
/// writes to its standard error is not kept, for no client reads it.
async fn run(
    program: &str,
    argument: &str,
    input: &str,
    limit: Duration,
) -> Result<(Option<String>, Vec<u8>), HelperFailure> {
    let started = Command::new(program)
        .arg(argument)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let mut child = started.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => HelperFailure::Missing,
        _ => HelperFailure::NotStarted { reason: error.to_string() },
    })?;
    let late = |_| HelperFailure::TimedOut { seconds: limit.as_secs() };
    timeout(limit, converse(&mut child, input)).await.map_err(late)?
}

/// Hands over the input, and waits for the end.
async fn converse(
    child: &mut Child,
    text: &str,
) -> Result<(Option<String>, Vec<u8>), HelperFailure> {
    let failed = |error: io::Error| HelperFailure::Ended { status: error.to_string(), words: None };
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let write = async move {
        if let Some(mut input) = input {
            // One that does not want to know it may close its input.
            let _ = input.write_all(text.as_bytes()).await;
        }
    };
    let read = async move {
        let mut said = Vec::new();
        match output {
            Some(output) => output.take(ANSWER_MAX + 1).read_to_end(&mut said).await.map(|_| said),
            None => Ok(said),
        }
    };
    let ((), said) = tokio::join!(write, read);
    let said = said.map_err(failed)?;
    if u64::try_from(said.len()).is_ok_and(|length| length > ANSWER_MAX) {
        let reason = format!("it is longer than {ANSWER_MAX} bytes");
        return Err(HelperFailure::NotUnderstood { reason });
    }
    let status = child.wait().await.map_err(failed)?;
    Ok(((!status.success()).then(|| status.to_string()), said))
}
