//! Agreement: the kubelet's words and what a probe saw become one verdict.
//!
//! The words are of an attempt that is over, and often name no cause; the probe is of now, and
//! stands elsewhere than the node. What both say is certain. Where the words allow several
//! causes, the probe decides between them. Where they are about what no probe sees from here,
//! they count for as much as words do. And where the two differ, the difference is the finding.

use crate::access::Provenance;
use crate::api::{Confidence, FindingStatus, Severity};
use crate::complaint::Complaint;
use crate::evidence::Evidence;

use super::catalogue::{Code, Stage};
use super::words::{self, Meaning};
use super::{Diagnosis, Finding, Subject, Verdict, is_served, node, rank};

mod content;
mod difference;
mod topic;

use difference::Difference;
use topic::Topic;

/// What the kubelet's words mean, where they mean anything.
struct Said<'said> {
    /// The words.
    cause: &'said str,
    /// The likeliest meaning.
    first: Meaning,
    /// The other meanings.
    others: Vec<Meaning>,
    /// The mirror that was asked in place of the registry.
    mirror: Option<String>,
}

impl<'said> Said<'said> {
    fn of(complaint: Option<&'said Complaint>) -> Option<Self> {
        let cause = complaint?.words()?;
        let meanings = words::read(cause).into_iter();
        let mut meanings = meanings.filter(|meaning| meaning.code != Code::Inconclusive);
        let first = meanings.next()?;
        Some(Self { cause, first, others: meanings.collect(), mirror: words::mirror(cause) })
    }

    fn meanings(&self) -> impl Iterator<Item = &Meaning> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Whether the words allow that no credential reached the registry.
    fn allows_no_credential(&self) -> bool {
        let sent = self.first.code == Code::CredentialRejected
            && self.first.confidence != Confidence::Possible;
        let topic = Topic::of(self.first.code);
        !sent && matches!(topic, Topic::NoCredential | Topic::Refused | Topic::Hidden)
    }
}

/// How sure it is that `code` at `host` is what the kubelet met as well.
pub(super) fn confidence(complaint: &Complaint, code: Code, host: &str) -> Confidence {
    let Some(said) = Said::of(Some(complaint)) else { return Confidence::Likely };
    let is_same = |meaning: &Meaning| {
        let at_host = meaning.host.as_deref().is_none_or(|said| is_host(said, host));
        at_host && is_alike(meaning.code, code)
    };
    let is_met = said.mirror.is_none() && said.meanings().any(is_same);
    if is_met { Confidence::Certain } else { Confidence::Likely }
}

/// Whether the kubelet met this very failure at `host`, by name and not by another that it may be
/// called.
pub(super) fn confirms(complaint: &Complaint, code: Code, host: &str) -> bool {
    let Some(said) = Said::of(Some(complaint)) else { return false };
    let is_same = |meaning: &Meaning| {
        let at_host = meaning.host.as_deref().is_none_or(|said| is_host(said, host));
        // A 403 without words allows a firewall, and names none.
        let is_named = code != Code::NetworkRuleDenied || meaning.confidence == Confidence::Certain;
        at_host && meaning.code == code && is_named
    };
    said.mirror.is_none() && said.meanings().any(is_same)
}

/// Whether two codes are of one failure. A 403 is called by one or the other name, for as much
/// as its body says; and a host with a code of its own keeps what happened there to itself.
fn is_alike(said: Code, seen: Code) -> bool {
    let is_forbidden = |code| {
        matches!(code, Code::AccessForbidden | Code::NetworkRuleDenied | Code::PrivateLinkMisrouted)
    };
    let is_misspelt = said == Code::DnsNameNotFound && seen == Code::RegistryNameSuspicious;
    // A web server's 404 reads like a registry's.
    let is_of_web_server = Topic::of(said) == Topic::Absent && seen == Code::NotARegistry;
    // A private name leads nowhere, or where nothing answers.
    let is_astray = seen == Code::PrivateLinkMisrouted
        && matches!(Topic::of(said), Topic::Lookup | Topic::Connection);
    said == seen
        || is_forbidden(said) && is_forbidden(seen)
        || is_misspelt
        || is_of_web_server
        || is_astray
}

/// Whether words that name the host `said` are about `host`. Docker Hub is asked under another
/// name, and a lookup names no port.
fn is_host(said: &str, host: &str) -> bool {
    let of_hub = ["docker.io", "registry-1.docker.io", "index.docker.io"];
    let without_port = host.rsplit_once(':').map_or(host, |(name, _)| name);
    said.eq_ignore_ascii_case(host)
        || said.eq_ignore_ascii_case(without_port)
        || of_hub.contains(&said) && of_hub.contains(&host)
}

/// What the words add where the probe failed or decided nothing. Findings come ranked.
pub(super) fn beside_failure(
    subject: Subject<'_>,
    verdict: Verdict,
    findings: &mut Vec<Finding>,
) -> Verdict {
    let Some(said) = Said::of(subject.complaint) else { return verdict };
    if verdict == Verdict::Undecided && said.first.confidence == Confidence::Possible {
        return verdict;
    }
    let cause = findings.iter().find(|finding| finding.severity == Severity::Error);
    let lead = match (verdict, cause) {
        (Verdict::Pullable, _) => return verdict,
        // Nothing else is known.
        (_, None) => Lead::Words { seen: Seen::Nothing },
        (_, Some(cause)) => lead(&said, cause.code),
    };
    let Lead::Words { seen } = lead else { return verdict };
    for finding in findings.iter_mut().filter(|finding| finding.severity == Severity::Error) {
        match seen {
            Seen::Further => finding.confidence = finding.confidence.max(Confidence::Likely),
            Seen::Nothing | Seen::Less => finding.severity = Severity::Warning,
        }
    }
    findings.push(difference::beside(subject, &said, seen));
    rank(findings);
    Verdict::NotPullable
}

/// Whose word goes first where both the node and the probe failed.
enum Lead {
    /// What the probe saw; the words are explained by it, or say less.
    Probe,
    /// What the kubelet says.
    Words {
        /// What the probe saw beside it.
        seen: Seen,
    },
}

/// What a failed probe saw, compared with what the node met.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// Nothing that decides.
    Nothing,
    /// It got less far than the node, or no further: what it met does not stop the pod.
    Less,
    /// It got further than the node: what it met will stop the pod later.
    Further,
}

fn lead(said: &Said<'_>, seen: Code) -> Lead {
    let words = |seen| Lead::Words { seen };
    if said.first.code == Code::NetworkRuleDenied && seen == Code::AccessForbidden {
        // The node was told whom the firewall refuses, and the probe was not.
        return words(Seen::Less);
    }
    if said.first.code == Code::AccessForbidden && seen.row().stage == Stage::Authorization {
        // A bare 403, and the probe knows whose right is missing.
        return Lead::Probe;
    }
    if said.mirror.is_some() || said.meanings().any(|meaning| is_alike(meaning.code, seen)) {
        // What the registry itself refuses, no mirror mends.
        return Lead::Probe;
    }
    let (Some(node), Some(probe)) = (Topic::of(said.first.code).depth(), Topic::of(seen).depth())
    else {
        return Lead::Probe;
    };
    let is_of_network = Topic::of(said.first.code).is_of_the_way();
    match node.cmp(&probe) {
        std::cmp::Ordering::Greater => words(Seen::Less),
        // Two that were answered differ only in what the answer is called.
        std::cmp::Ordering::Equal if is_of_network => words(Seen::Less),
        std::cmp::Ordering::Less if is_of_network => words(Seen::Further),
        std::cmp::Ordering::Equal | std::cmp::Ordering::Less => Lead::Probe,
    }
}

/// What the kubelet's failure is to be compared with where the probe was served.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'heard> {
    /// Whether an attempt of the kubelet has just failed, rather than that it waits for the
    /// next one.
    pub fresh: bool,
    /// What was found before.
    pub before: &'heard [FindingStatus],
}

/// A probe that was served what the kubelet has just failed to pull contradicts it, and then
/// the kubelet's words say what differs. What was explained before by something that a probe
/// sees, and is pullable now, was mended; the kubelet only has to try again. Words of an older
/// attempt count where they are about what no probe sees, or what this one did not come to.
pub fn contradict(
    subject: Subject<'_>,
    image: &str,
    evidence: &Evidence,
    heard: Heard<'_>,
    mut diagnosis: Diagnosis,
) -> Diagnosis {
    let is_heard = match subject.complaint {
        // A name that can be read now was corrected.
        None | Some(Complaint::InvalidName) => false,
        Some(
            Complaint::PullFailed { .. }
            | Complaint::KeyringBroken { .. }
            | Complaint::NeverPull
            | Complaint::InspectFailed { .. }
            | Complaint::SignatureRejected { .. },
        ) => true,
    };
    if diagnosis.verdict != Verdict::Pullable || !is_heard {
        return diagnosis;
    }
    let said = Said::of(subject.complaint);
    let evidence = node::as_kubelet(evidence);
    let difference = difference::of(subject, &evidence, said.as_ref());
    let code = difference.finding.code.as_str();
    let of_the_node = Code::NodeDisagrees.as_str();
    let mut before = heard.before.iter().filter(|finding| is_about(finding, image)).peekable();
    let is_known = before.peek().is_some();
    let was_passing =
        before.clone().any(|finding| finding.code == of_the_node && heard.fresh && is_known);
    let is_contradicted = if is_known {
        before.all(|finding| finding.code == of_the_node || finding.code == code)
    } else {
        heard.fresh || difference.is_unseen
    };
    if !is_contradicted {
        return diagnosis;
    }
    let Difference { mut finding, passes, .. } = difference;
    if !is_known && !heard.fresh {
        // It may have been mended since.
        finding.confidence = finding.confidence.max(Confidence::Likely);
    }
    let (verdict, finding) = if passes && !was_passing {
        (Verdict::Undecided, finding.into_warning())
    } else {
        (Verdict::NotPullable, finding)
    };
    diagnosis.verdict = verdict;
    diagnosis.findings.insert(0, finding);
    diagnosis
}

/// Whether a finding of before explained why `image` could not be pulled. A finding names only
/// a few of its images.
fn is_about(finding: &FindingStatus, image: &str) -> bool {
    let named = i64::try_from(finding.images.len()).unwrap_or(i64::MAX);
    let is_explanation =
        finding.severity == Severity::Error || finding.code == Code::NodeDisagrees.as_str();
    is_explanation
        && (finding.images.iter().any(|other| other == image) || finding.total_images > named)
}

/// The credential with which the image was served.
fn used(evidence: &Evidence) -> Option<&Provenance> {
    evidence.attempts.iter().find(|attempt| is_served(attempt))?.credential.as_ref()
}
