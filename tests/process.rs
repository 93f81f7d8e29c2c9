//! What the system says of a process.

use std::fs;

/// A size of a process that `/proc/ID/status` states, in KiB (proc(5)).
pub(crate) fn memory(id: u32, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    line.unwrap().split_whitespace().next().unwrap().parse().unwrap()
}
