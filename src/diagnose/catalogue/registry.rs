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
        remedy: "Wait until the limit ends; the kubelet goes on trying by itself. For a higher limit, pull through a cache of your own or with an account that has one, by a pull secret: kubectl create secret docker-registry SECRET -n NAMESPACE --docker-server=REGISTRY --docker-username=USER --docker-password=PASSWORD",
        azure: None,
        source: "RFC 6585, 4",
        url: Some("https://www.rfc-editor.org/rfc/rfc6585#section-4"),
    },
    Row {
        code: Code::RegistryUnavailable,
        stage: Stage::Registry,
        severity: Severity::Error,
        owner: Owner::Registry,
        title: "The registry has a fault of its own.",
        meaning: "The registry answers with a server error.",
        remedy: "Wait, and look at the status page of HOST or ask whoever runs it; the kubelet goes on trying by itself.",
        azure: None,
        source: "RFC 9110, 15.6",
        url: Some("https://www.rfc-editor.org/rfc/rfc9110#section-15.6"),
    },
];
