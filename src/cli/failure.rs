//! How a command fails: `error: …`, and where there is something to do about it, `hint: …`.

use std::error::Error;
use std::process::ExitCode;

use super::Undecided;

/// What clap calls a tip, and what we do: without colours, and with them.
const TIPS: [(&str, &str); 2] =
    [("  tip: ", "hint: "), ("  \u{1b}[32mtip:\u{1b}[0m ", "\u{1b}[32mhint:\u{1b}[0m ")];

/// What is wrong, and what to write or do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub(super) struct Hinted {
    problem: String,
    hint: String,
}

impl Hinted {
    pub(super) fn new(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { problem: problem.into(), hint: hint.into() }
    }

    /// The same, of this thing.
    pub(super) fn of(self, what: &str) -> Self {
        Self { problem: format!("{what}: {}", self.problem), ..self }
    }

    #[cfg(test)]
    pub(super) fn hint(&self) -> &str {
        &self.hint
    }
}

/// The hint of an error, where its chain has one.
fn hint<'error>(error: &'error (dyn Error + 'static)) -> Option<&'error str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(hinted) = error.downcast_ref::<Hinted>() {
            return Some(&hinted.hint);
        }
        cause = error.source();
    }
    None
}

/// Tells an error, and says with which status to end.
pub(super) fn tell(error: &anyhow::Error) -> ExitCode {
    let hint = hint(error.as_ref()).map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    say(std::io::stderr(), &format!("error: {error:#}\n{hint}"));
    ExitCode::from(if error.is::<Undecided>() { 3 } else { 2 })
}

/// Tells what clap has to say: help and version, or what is wrong with what was typed. What it
/// calls a tip is a hint, as everywhere.
pub(super) fn tell_usage(error: &clap::Error) -> ExitCode {
    use std::io::IsTerminal as _;
    if !error.use_stderr() {
        let text = error.render();
        let is_coloured = is_coloured(std::io::stdout().is_terminal());
        let text = if is_coloured { text.ansi().to_string() } else { text.to_string() };
        say(std::io::stdout(), &text);
        return ExitCode::SUCCESS;
    }
    let text = error.render();
    let is_coloured = is_coloured(std::io::stderr().is_terminal());
    let text = if is_coloured { text.ansi().to_string() } else { text.to_string() };
    let own = hint(error).map(|hint| format!("hint: {hint}\n\n")).unwrap_or_default();
    let usage = text.find("Usage:").or_else(|| text.find("For more information"));
    let (what, rest) = text.split_at(usage.unwrap_or(text.len()));
    let what = TIPS.iter().fold(what.to_owned(), |what, (tip, hint)| what.replace(tip, hint));
    say(std::io::stderr(), &format!("{what}{own}{rest}"));
    ExitCode::from(2)
}

/// Writes a text where somebody may read it; that nobody can, changes no exit status.
fn say(mut to: impl std::io::Write, text: &str) {
    let _unheard = to.write_all(text.as_bytes());
}

/// Colours are for a terminal whose user has not said that there be none (<https://no-color.org>).
fn is_coloured(is_terminal: bool) -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
    is_terminal && !is_set("NO_COLOR") && !is_dumb
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_hint_is_found_below_what_was_attempted() {
        let hinted = Hinted::new("it has no name", "write a name");
        let error = Err::<(), _>(hinted).context("cannot use a.yaml").context(Undecided);
        let error = error.unwrap_err();
        assert_eq!(hint(error.as_ref()), Some("write a name"));
        assert_eq!(format!("{error:#}"), "undecided: cannot use a.yaml: it has no name");
        assert_eq!(hint(anyhow::anyhow!("nothing to say").as_ref()), None);
    }
}
