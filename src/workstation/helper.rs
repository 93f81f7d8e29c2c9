//! Asks a credential helper for a login: `docker-credential-NAME get`, the server on its standard
//! input, the answer on its standard output (github.com/docker/docker-credential-helpers).

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::evidence::workstation::HelperFailure;

use super::answer::{self, Login};

/// How much of an answer is read, in bytes.
const ANSWER_MAX: u64 = 64 << 10;

/// Runs a helper for a server, for at most `limit`. It gets our own environment, as it gets the
/// client's from the client. What it writes to its standard error is not kept, for no client
/// reads it.
pub(super) async fn ask(
    program: &str,
    server: &str,
    limit: Duration,
) -> Result<Option<Login>, HelperFailure> {
    let started = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let mut child = started.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => HelperFailure::Missing,
        _ => HelperFailure::NotStarted { reason: error.to_string() },
    })?;
    let answer = timeout(limit, converse(&mut child, server)).await;
    let late = |_| HelperFailure::TimedOut { seconds: limit.as_secs() };
    let (ended, said) = answer.map_err(late)??;
    answer::of_helper(ended, &said)
}

/// Asks, and waits for the end: how it ended where that was no success, and what was said.
async fn converse(
    child: &mut Child,
    server: &str,
) -> Result<(Option<String>, Vec<u8>), HelperFailure> {
    let failed = |error: io::Error| HelperFailure::Ended { status: error.to_string(), words: None };
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let write = async move {
        if let Some(mut input) = input {
            // One that does not want to know the server may close its input.
            let _ = input.write_all(server.as_bytes()).await;
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
