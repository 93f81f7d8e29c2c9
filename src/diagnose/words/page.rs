//! Pages: what something on the way wrote for people, where an answer for programs is due.
//! Their words may be any, so that only the status counts.

/// How the body of a page begins.
const OPENERS: &[&str] = &["<html", "<!doctype html"];

/// Whether the text has a page, or says that one came.
pub(super) fn is_there(prose: &str) -> bool {
    prose.contains("invalid character '<'") || begins(prose).is_some()
}

/// The words before the body of a page: all of them where there is none.
pub(super) fn before(prose: &str) -> &str {
    &prose[..begins(prose).unwrap_or(prose.len())]
}

fn begins(prose: &str) -> Option<usize> {
    OPENERS.iter().filter_map(|opener| prose.find(opener)).min()
}
