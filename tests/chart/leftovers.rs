//! What is in the cluster, to see what a release leaves behind.

use std::collections::BTreeSet;

use crate::ground::{eventually, kubectl};

/// Every object by kind, namespace and name, but those that come and go by themselves.
pub(crate) fn everything() -> BTreeSet<String> {
    let kinds = kubectl(&["api-resources", "--verbs=list", "--output=name"]);
    // Events are about everybody; the statuses of components are no objects.
    let kinds: Vec<&str> = kinds
        .lines()
        .filter(|kind| !kind.starts_with("events") && *kind != "componentstatuses")
        .collect();
    let columns = "custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name";
    let list = kubectl(&[
        "get",
        &kinds.join(","),
        "-A",
        "--no-headers",
        "--ignore-not-found",
        "-o",
        columns,
    ]);
    let rows = list.lines().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "));
    rows.collect()
}

/// Waits until nothing is there that was not there before, but what is expected by the beginning
/// of its row; each of those has to be there.
pub(crate) async fn are(before: &BTreeSet<String>, expected: &[&str]) -> Vec<String> {
    let look = || async {
        let now = everything();
        let more: Vec<String> = now.difference(before).cloned().collect();
        let is_expected = |row: &String| expected.iter().any(|start| row.starts_with(start));
        let none_lacks = expected.iter().all(|start| more.iter().any(|row| row.starts_with(start)));
        let unexpected: Vec<&String> = more.iter().filter(|row| !is_expected(row)).collect();
        if unexpected.is_empty() && none_lacks {
            return Some(more);
        }
        None
    };
    let what =
        format!("nothing to be left but {expected:?} of {:?}", everything().difference(before));
    eventually(&what, look).await
}
