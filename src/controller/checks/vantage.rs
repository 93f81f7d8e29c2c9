//! Vantage: whether a node is to be asked too, and what it sees.

use std::sync::Arc;
use std::time::Instant;

use crate::api::{Confidence, RegistryCheck, RegistryCheckStatus, Severity, VantageChoice};
use crate::complaint::Complaint;
use crate::diagnose::catalogue::Stage;
use crate::diagnose::remedy::is_azure;
use crate::diagnose::{self, Diagnosis, Finding, Heard, Subject, Verdict};
use crate::evidence::Evidence;
use crate::evidence::node::{NodeSeen, NodeView};
use crate::image::platform::Platform;
use crate::node::Place;
use crate::node::progress::{self, Skipped};
use crate::resolve::platform::NodeFacts;
use crate::target::Target;

use super::super::node::Wanted;
use super::super::{Context, due};

/// Why a node is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The spec wants it.
    Wanted,
    /// Its own identity could decide.
    Identity,
    /// Its own way to the registry could differ.
    Way,
    /// The kubelet says something else than the pod network.
    Contradiction,
}

/// What the decision rests on.
struct Considered<'considered> {
    namespace: &'considered str,
    choice: VantageChoice,
    target: &'considered Target,
    evidence: &'considered Evidence,
    previous: &'considered RegistryCheckStatus,
}

/// Adds to what the pod network saw what the target's node sees, where that is to be asked.
pub(super) async fn with_node(
    context: &Context,
    check: &RegistryCheck,
    target: &Target,
    facts: Option<(&str, &NodeFacts)>,
    since: Option<Instant>,
    evidence: Arc<Evidence>,
) -> Arc<Evidence> {
    let previous = check.status.clone().unwrap_or_default();
    let considered = Considered {
        namespace: check.metadata.namespace.as_deref().unwrap_or_default(),
        choice: check.spec.vantage,
        target,
        evidence: &evidence,
        previous: &previous,
    };
    let Some(why) = why(&considered) else { return evidence };
    let view = view(context, check, facts, since, why, &evidence).await;
    Arc::new(Evidence { node: view.map(Box::new), ..Arc::unwrap_or_clone(evidence) })
}

/// Why a node is to be asked; `None` where it is not.
fn why(considered: &Considered<'_>) -> Option<Why> {
    let Considered { choice, target, evidence, .. } = considered;
    match &target.complaint {
        // No probe sees what the node refuses by itself.
        Some(
            Complaint::InvalidName
            | Complaint::KeyringBroken { .. }
            | Complaint::NeverPull
            | Complaint::InspectFailed { .. }
            | Complaint::SignatureRejected { .. },
        ) => return None,
        Some(Complaint::PullFailed { .. }) | None => {}
    }
    match choice {
        VantageChoice::Pod => None,
        VantageChoice::Node => Some(Why::Wanted),
        VantageChoice::Auto if identity_could_decide(evidence) => Some(Why::Identity),
        VantageChoice::Auto if way_could_differ(considered) => Some(Why::Way),
        VantageChoice::Auto => is_contradicted(considered).then_some(Why::Contradiction),
    }
}

/// Whether a registry of Azure wants a credential, and served the image to none: the node's
/// identity is one that the kubelet tries after all of them, unless the pod has one of its own.
fn identity_could_decide(evidence: &Evidence) -> bool {
    let registry = evidence.image.registry().name();
    is_azure(registry) && evidence.lacks_credential() && evidence.azure.is_none()
}

/// Whether the pod network does not get to a registry of Azure, for what the kubelet has not said
/// itself: the node may leave by another address, and have a resolver of its own.
fn way_could_differ(considered: &Considered<'_>) -> bool {
    let Considered { namespace, target, evidence, .. } = considered;
    let subject =
        Subject { namespace, image: &evidence.image, complaint: target.complaint.as_ref() };
    let is_open = |finding: &Finding| {
        finding.severity == Severity::Error
            && finding.code.row().stage == Stage::Network
            && finding.confidence != Confidence::Certain
    };
    is_azure(evidence.image.registry().name())
        && diagnose::diagnose(subject, evidence).findings.iter().any(is_open)
}

/// Whether the kubelet's words contradict what the pod network was served.
fn is_contradicted(considered: &Considered<'_>) -> bool {
    let Considered { namespace, target, evidence, previous, .. } = considered;
    if target.complaint.is_none() {
        return false;
    }
    let subject =
        Subject { namespace, image: &evidence.image, complaint: target.complaint.as_ref() };
    let diagnosis = diagnose::diagnose(subject, evidence);
    let is_served = diagnosis.verdict == Verdict::Pullable;
    let heard = Heard { fresh: target.fresh, before: &previous.findings };
    let said = diagnose::contradict(subject, &target.image, evidence, heard, diagnosis);
    is_served && said.verdict == Verdict::NotPullable
}

async fn view(
    context: &Context,
    check: &RegistryCheck,
    facts: Option<(&str, &NodeFacts)>,
    since: Option<Instant>,
    why: Why,
    evidence: &Evidence,
) -> Option<NodeView> {
    let skipped = |node: &str, skipped: Skipped| {
        let node = node.to_owned();
        Some(NodeView { node, host_network: false, seen: skipped.into() })
    };
    let name = facts.map_or("", |(name, _)| name);
    let Some(nodes) = &context.nodes else {
        return match why {
            Why::Wanted | Why::Identity => skipped(name, progress::off()),
            // What the words say of the node stands as it is, and so does what a pod meets.
            Why::Way | Why::Contradiction => None,
        };
    };
    let selector = &check.spec.node_selector;
    let (place, pool) = match facts {
        Some((name, facts)) if facts.platform.as_ref().is_some_and(is_windows) => {
            return skipped(name, progress::windows(name));
        }
        Some((name, facts)) => {
            let pool = facts
                .pool
                .as_ref()
                .map_or_else(|| format!("node {name}"), |pool| format!("pool {pool}"));
            (Place::Node(name.to_owned()), pool)
        }
        None if !selector.is_empty() && !nodes.allows_selectors() => {
            return skipped(name, progress::selector_not_allowed());
        }
        None => (Place::Any(selector.clone()), format!("{selector:?}")),
    };
    let wanted = Wanted {
        image: &evidence.image,
        place,
        pool,
        platform: evidence.platform.as_ref(),
        timeout: due::timeout(&check.spec),
        as_identity: is_azure(evidence.image.registry().name()),
        since,
    };
    Some(nodes.view(&wanted).await)
}

/// What there is to say where the spec wants the node alone, and it saw nothing.
pub(super) fn skipped(evidence: &Evidence) -> Option<Diagnosis> {
    match &evidence.node.as_ref()?.seen {
        NodeSeen::Skipped { reason, remedy } => {
            let message = format!("spec.vantage is Node, and {reason}");
            Some(diagnose::skipped(message, remedy.clone()))
        }
        NodeSeen::Walked { .. } => None,
    }
}

fn is_windows(platform: &Platform) -> bool {
    platform.os == "windows"
}

#[cfg(test)]
mod tests {
    use super::{Considered, Why, why};
    use crate::api::{RegistryCheckStatus, VantageChoice};
    use crate::complaint::Complaint;
    use crate::evidence::{Attempt, End, Evidence, Scheme, Vantage};
    use crate::image::ImageRef;
    use crate::target::{PodRef, SecretSource, Target};

    const AZURE: &str = "myreg.azurecr.io/a:1";
    const OTHER: &str = "r.test/a:1";

    fn seen(image: &str, opening: &End, attempts: &[End]) -> Evidence {
        let attempt = |end: &End| Attempt::new(None, Vec::new(), end.clone());
        Evidence {
            attempts: attempts.iter().map(attempt).collect(),
            ..Evidence::begun(ImageRef::parse(image).unwrap(), Vantage::Pod, attempt(opening))
        }
    }

    #[track_caller]
    fn check(
        choice: VantageChoice,
        evidence: &Evidence,
        complaint: Option<Complaint>,
        expected: Option<Why>,
    ) {
        let pod = |name: &str| PodRef {
            name: name.to_owned(),
            uid: name.to_owned(),
            workload: name.to_owned(),
            node: "node-1".to_owned(),
        };
        let pods = complaint.iter().map(|_| pod("app")).collect();
        let secrets = SecretSource::Listed(Vec::new());
        let image = evidence.image.to_string();
        let target = Target { image, secrets, complaint, pods, fresh: true };
        let previous = RegistryCheckStatus::default();
        let considered = Considered {
            namespace: "shop",
            choice,
            target: &target,
            evidence,
            previous: &previous,
        };
        assert_eq!(why(&considered), expected, "{choice:?} {evidence:?}");
    }

    #[test]
    fn a_node_is_asked_where_it_could_decide() {
        use VantageChoice::{Auto, Node, Pod};
        let challenged = || End::Challenged { scheme: Scheme::Bearer };
        let served = || End::Served { digest: None, platform: None };
        let failed = || Some(Complaint::PullFailed { cause: "unexpected EOF".to_owned() });
        let wants_identity = seen(AZURE, &challenged(), &[]);
        check(Auto, &wants_identity, failed(), Some(Why::Identity));
        check(Auto, &wants_identity, None, Some(Why::Identity));
        check(Node, &wants_identity, None, Some(Why::Wanted));
        check(Pod, &wants_identity, failed(), None);
        check(Auto, &wants_identity, Some(Complaint::NeverPull), None);
        check(Node, &wants_identity, Some(Complaint::InvalidName), None);
        check(Auto, &seen(AZURE, &challenged(), &[served()]), None, None);
        check(Auto, &seen(AZURE, &served(), &[]), None, None);
        check(Auto, &seen(OTHER, &challenged(), &[]), failed(), None);
        check(Auto, &seen(OTHER, &challenged(), &[]), None, None);
        check(Node, &seen(OTHER, &served(), &[]), None, Some(Why::Wanted));
        check(Auto, &seen(OTHER, &served(), &[]), failed(), Some(Why::Contradiction));
        check(Auto, &seen(OTHER, &served(), &[]), None, None);
    }
}
