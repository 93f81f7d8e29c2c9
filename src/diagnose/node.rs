//! The node's view beside the pod network's: the evidence as the kubelet sees it.
//!
//! The kubelet tries the pull secrets, then what the node has of its own; both from the node. A
//! probe in the pod network tries the former, the same probe on the node the latter.

use std::borrow::Cow;

use crate::api::{Confidence, Severity};
use crate::evidence::node::{NodeSeen, NodeView};
use crate::evidence::{Attempt, End, Evidence, Role, Vantage};

use super::catalogue::Code;
use super::progress::progress;
use super::{
    Diagnosis, Finding, Subject, Verdict, answers, as_of_node, azure, is_served, network, of_one,
    rank, setting,
};

/// Why the node was not asked, and what would decide it.
pub(super) struct Skipped<'view> {
    /// The node; empty where any would do.
    node: &'view str,
    /// Why, as a clause.
    pub(super) reason: &'view str,
    /// What would decide it, in sentences; it may be empty.
    pub(super) remedy: &'view str,
}

impl Skipped<'_> {
    fn finding(&self, subject: Subject<'_>, verdict: Verdict) -> Finding {
        let node = if self.node.is_empty() {
            "no node was".to_owned()
        } else {
            format!("node {} was not", self.node)
        };
        let message = format!(
            "{node} asked what it can pull from {}: {}; nothing is concluded for it",
            subject.registry(),
            self.reason
        );
        let code = Code::ProbeSkipped;
        let remedy = match self.remedy {
            "" => subject.remedy(code, None),
            remedy => remedy.to_owned(),
        };
        let severity = match verdict {
            Verdict::Pullable => Severity::Info,
            Verdict::NotPullable | Verdict::Undecided => Severity::Warning,
        };
        Finding { severity, ..Finding::new(code, Confidence::Certain, message, remedy) }
    }
}

/// What a metadata service that is closed to pods leaves open, where the probe on the node stood
/// in a pod's network.
const CLOSED: &str = "the metadata service, which gives the kubelet's identity its tokens, does not answer pods there";

/// The probe on the node in the node's own network.
pub(super) fn open_it() -> String {
    setting::of_manifests(
        "Let the node probe stand in the node's own network",
        "nodeProbe.hostNetwork=true",
        "--node-probe-host-network=true",
    )
}

/// Says what the evidence of both places means.
pub(super) fn diagnose(subject: Subject<'_>, evidence: &Evidence, view: &NodeView) -> Diagnosis {
    let node = &view.node;
    let seen = match &view.seen {
        NodeSeen::Walked { evidence } => evidence,
        NodeSeen::Skipped { reason, remedy } => {
            return skipped(subject, evidence, &Skipped { node, reason, remedy });
        }
    };
    let node = if node.is_empty() { "the node".to_owned() } else { format!("node {node}") };
    let place = if view.host_network { node } else { format!("a pod on {node}") };
    let seen = &*as_placed(view, seen);
    if !is_open(&seen.opening) {
        return behind(subject, evidence, seen, &place);
    }
    if !is_open(&evidence.opening) {
        return ahead(subject, evidence, seen, &place);
    }
    let both = joined(evidence, view, seen);
    let mut diagnosis = if is_closed(view, seen) {
        skipped(subject, &both, &Skipped { node: &view.node, reason: CLOSED, remedy: &open_it() })
    } else {
        of_one(subject, &both, None)
    };
    if diagnosis.verdict == Verdict::Pullable
        && let Some(attempt) = cut_off(seen)
        && let Some(finding) = answers::finding(subject, attempt, seen)
    {
        diagnosis.findings.retain(|finding| finding.code != Code::Pullable);
        let finding = as_sure(subject, seen, finding);
        diagnosis.findings.push(from(&place, finding, "the pod network is served"));
        diagnosis.verdict = Verdict::NotPullable;
        diagnosis.progress = progress(seen, Some(attempt));
    }
    rank(&mut diagnosis.findings);
    diagnosis
}

/// A probe on the node stands where a pod does, unless it has the node's own network.
fn as_placed<'seen>(view: &NodeView, seen: &'seen Evidence) -> Cow<'seen, Evidence> {
    if view.host_network {
        Cow::Borrowed(seen)
    } else {
        Cow::Owned(Evidence { vantage: Vantage::Pod, ..seen.clone() })
    }
}

/// A pod on the node has not the node's own way out.
fn as_sure(subject: Subject<'_>, seen: &Evidence, finding: Finding) -> Finding {
    match seen.vantage {
        Vantage::Pod => network::as_of_node(subject, finding),
        Vantage::Node | Vantage::Here => finding,
    }
}

/// The evidence as the kubelet sees it, where both places were answered; else that of the probe
/// itself.
pub(super) fn as_kubelet(evidence: &Evidence) -> Cow<'_, Evidence> {
    match evidence.node.as_deref() {
        Some(view @ NodeView { seen: NodeSeen::Walked { evidence: seen }, .. })
            if is_open(&evidence.opening) && is_open(&seen.opening) =>
        {
            Cow::Owned(joined(evidence, view, seen))
        }
        Some(_) | None => Cow::Borrowed(evidence),
    }
}

fn skipped(subject: Subject<'_>, evidence: &Evidence, skipped: &Skipped<'_>) -> Diagnosis {
    let diagnosis = of_one(subject, evidence, Some(skipped));
    let mut diagnosis = as_of_node(subject, evidence, diagnosis);
    diagnosis.findings.push(skipped.finding(subject, diagnosis.verdict));
    rank(&mut diagnosis.findings);
    diagnosis
}

/// The pull secrets as the pod network tried them, then the node's own. The identity of the pod's
/// service account, where it has one, goes before the node's (cloud-provider-azure,
/// `pkg/credentialprovider/azure_credentials.go`, `NewAcrProvider`).
fn joined(evidence: &Evidence, view: &NodeView, seen: &Evidence) -> Evidence {
    let mut both = Evidence { node: None, ..evidence.clone() };
    let is_own = evidence.azure.is_some();
    if !is_own && !is_closed(view, seen) {
        both.attempts.extend(seen.attempts.iter().cloned());
        both.azure.clone_from(&seen.azure);
        let new = seen.gaps.iter().filter(|gap| !evidence.gaps.contains(gap));
        both.gaps.extend(new.cloned());
        if both.azure.is_some() {
            both.vantage = Vantage::Node;
        }
    }
    both.anonymous = evidence.anonymous.clone().or_else(|| seen.anonymous.clone());
    both.repository = evidence.repository.clone().or_else(|| seen.repository.clone());
    if both.lookups.is_empty() {
        both.lookups.clone_from(&seen.lookups);
    }
    both.platform = seen.platform.clone().or(both.platform);
    both
}

/// The node does not get as far as the registry's first answer: that stops the kubelet, whatever
/// the pod network can do.
fn behind(subject: Subject<'_>, evidence: &Evidence, seen: &Evidence, place: &str) -> Diagnosis {
    let node = of_one(subject, seen, None);
    let pod = of_one(Subject { complaint: None, ..subject }, evidence, None);
    let goes_further = is_open(&evidence.opening);
    let other = if pod.verdict == Verdict::Pullable {
        "the pod network is served"
    } else if goes_further {
        "the pod network is answered"
    } else {
        "the pod network fails too"
    };
    let is_same = |finding: &Finding| {
        node.findings.iter().any(|own| own.code == finding.code && own.hop == finding.hop)
    };
    let mut findings: Vec<Finding> = Vec::new();
    for finding in pod.findings {
        if finding.code == Code::Pullable || is_same(&finding) {
            continue;
        }
        // What stops the pod network behind the node's obstacle will stop the node there, unless
        // the node has what the pod network lacks.
        if goes_further && pod.verdict == Verdict::NotPullable {
            let confidence = finding.confidence.max(Confidence::Likely);
            findings.push(Finding { confidence, ..finding });
        } else {
            findings.push(of_pods(finding));
        }
    }
    let sure = node.findings.into_iter().map(|finding| as_sure(subject, seen, finding));
    findings.extend(sure.map(|finding| from(place, finding, other)));
    rank(&mut findings);
    Diagnosis { findings, ..node }
}

/// The pod network does not get as far as the registry's first answer, and the node does: what
/// the kubelet gets is what the node gets. The pull secrets were tried nowhere.
fn ahead(subject: Subject<'_>, evidence: &Evidence, seen: &Evidence, place: &str) -> Diagnosis {
    let mut node = of_one(subject, seen, None);
    if node.verdict != Verdict::Pullable {
        for finding in node.findings.iter_mut().filter(|own| own.severity == Severity::Error) {
            finding.confidence = finding.confidence.max(Confidence::Likely);
            finding.message = format!(
                "{}; pull secrets, which the kubelet tries first, could not be",
                finding.message
            );
        }
        if subject.complaint.is_none() {
            node.verdict = Verdict::Undecided;
        }
    }
    let pod = of_one(Subject { complaint: None, ..subject }, evidence, None);
    let others = pod.findings.into_iter().map(|finding| {
        let mut finding = of_pods(finding);
        finding.message = format!("{}, which {place} does not meet", finding.message);
        finding
    });
    node.findings.extend(others);
    rank(&mut node.findings);
    node
}

/// A finding of the node, with what differs elsewhere.
fn from(place: &str, finding: Finding, other: &str) -> Finding {
    let message = format!("from {place}: {}; {other}", finding.message);
    Finding { message, ..finding }
}

fn of_pods(finding: Finding) -> Finding {
    let message = format!("from the pod network: {}", finding.message);
    let severity = finding.severity.max(Severity::Warning);
    Finding { severity, message, ..finding }
}

/// Whether a registry was reached, and goes on to the question of who asks.
fn is_open(opening: &Attempt) -> bool {
    is_served(opening) || matches!(opening.end, End::Challenged { .. })
}

fn is_closed(view: &NodeView, seen: &Evidence) -> bool {
    !view.host_network
        && seen.azure.as_ref().is_some_and(|own| azure::is_closed_to_pods(Vantage::Pod, own))
}

/// What the node cannot reach behind the registry's first answer, with any credential.
fn cut_off(seen: &Evidence) -> Option<&Attempt> {
    seen.attempts.iter().chain(&seen.anonymous).find(|attempt| match &attempt.end {
        End::Unreachable { hop, .. } => hop.role != Role::Metadata && hop.role != Role::Entra,
        End::Answered { answer, .. } => answers::names_the_client(answer),
        End::Served { .. } | End::Challenged { .. } | End::NotSent { .. } | End::Unfit { .. } => {
            false
        }
    })
}
