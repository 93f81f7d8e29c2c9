//! Rows about the registry's own state.

use super::{Code, Owner, Row, Severity, Stage};

pub(super) const ROWS: &[Row] = &[
    Row {
        code: Code::RateLimited,
        stage: Stage::Registry,
        severity: Severity::Error,
        owner: Owner::Registry,
        title: "The registry limits how much is pulled.",
        meaning: "Too many requests came from this address or with this credential.",
        source: "RFC 6585, 4",
    },
    Row {
        code: Code::RegistryUnavailable,
        stage: Stage::Registry,
        severity: Severity::Error,
        owner: Owner::Registry,
        title: "The registry has a fault of its own.",
        meaning: "The registry answers with a server error.",
        source: "RFC 9110, 15.6",
    },
];
