//! Rows about what is left to say.

use super::{Code, Owner, Row, Severity, Stage};

pub(super) const ROWS: &[Row] = &[
    Row {
        code: Code::Pullable,
        stage: Stage::Verdict,
        severity: Severity::Info,
        owner: Owner::Workload,
        title: "The image can be pulled.",
        meaning: "The registry serves the image's manifest with the credentials that the kubelet uses.",
        source: "OCI distribution specification 1.1",
    },
    Row {
        code: Code::NodeDisagrees,
        stage: Stage::Verdict,
        severity: Severity::Error,
        owner: Owner::Cluster,
        title: "The pod network can pull the image, the node cannot.",
        meaning: "The kubelet has just failed to pull what this probe was served: the node differs in its network, its certificates, its mirrors or its clock, or the fault has passed.",
        source: "registrycheck",
    },
    Row {
        code: Code::Inconclusive,
        stage: Stage::Verdict,
        severity: Severity::Warning,
        owner: Owner::Cluster,
        title: "What was seen does not decide.",
        meaning: "What the probe saw, or what the message says, fits more than one cause or names none.",
        source: "registrycheck",
    },
    Row {
        code: Code::ProbeSkipped,
        stage: Stage::Verdict,
        severity: Severity::Warning,
        owner: Owner::Cluster,
        title: "The registry was not probed.",
        meaning: "Probing is not allowed, or not possible from here. Nothing is concluded.",
        source: "registrycheck",
    },
];
