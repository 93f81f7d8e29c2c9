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
        remedy: "There is nothing to do. A kubelet that still waits tries again within 5 minutes.",
        azure: None,
        source: "OCI distribution specification 1.1",
        url: Some("https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md"),
    },
    Row {
        code: Code::NodeDisagrees,
        stage: Stage::Verdict,
        severity: Severity::Error,
        owner: Owner::Cluster,
        title: "The pod network can pull the image, the node cannot.",
        meaning: "The kubelet has just failed to pull what this probe was served: the node differs in its network, its certificates, its mirrors or its clock, or the fault has passed.",
        remedy: "If something was mended a moment ago, wait for the kubelet's next attempt (within 5 minutes). Otherwise compare the node with the pod network, in its resolver, its route to the registry, the certificates that its container runtime trusts (certs.d), its mirrors and its clock. To pull by hand, on the node: crictl pull IMAGE",
        azure: None,
        source: "registrycheck",
        url: None,
    },
    Row {
        code: Code::Inconclusive,
        stage: Stage::Verdict,
        severity: Severity::Warning,
        owner: Owner::Cluster,
        title: "What was seen does not decide.",
        meaning: "What the probe saw, or what the message says, fits more than one cause or names none.",
        remedy: "Look at the steps of the probe, and ask whoever runs the registry what its answer means.",
        azure: None,
        source: "registrycheck",
        url: None,
    },
    Row {
        code: Code::ProbeSkipped,
        stage: Stage::Verdict,
        severity: Severity::Warning,
        owner: Owner::Cluster,
        title: "The registry was not probed.",
        meaning: "Probing is not allowed, or not possible from here. Nothing is concluded.",
        remedy: "The message says what stands in the way, and who may change it.",
        azure: None,
        source: "registrycheck",
        url: None,
    },
];
