//! The node's view beside the pod network's.

use crate::evidence::node::{NodeSeen, NodeView};

use super::*;

fn view(host_network: bool, seen: NodeSeen) -> NodeView {
    NodeView { node: "aks-np1-2".to_owned(), host_network, seen }
}

fn walked(evidence: Evidence) -> NodeView {
    let evidence = Box::new(Evidence { vantage: Vantage::Node, ..evidence });
    view(false, NodeSeen::Walked { evidence })
}

/// The same from the node's own network.
fn on_host(evidence: Evidence) -> NodeView {
    NodeView { host_network: true, ..walked(evidence) }
}

fn off() -> NodeView {
    view(
        false,
        NodeSeen::Skipped {
            reason: "the node probe is off".to_owned(),
            remedy: "Install it: registrycheck manifests | kubectl apply -f -.".to_owned(),
        },
    )
}

/// What the pod network sees where no pull secret helps.
fn in_pods(attempts: Vec<Attempt>) -> Evidence {
    let anonymous = Some(attempt(None, no_right()));
    Evidence { vantage: Vantage::Pod, attempts, anonymous, ..at_azure() }
}

fn served_on_node() -> Evidence {
    tried(azure(managed(), served(), None), served(), Some(&["pull"]))
}

fn without_right() -> Evidence {
    tried(azure(managed(), served(), None), no_right(), Some(&[]))
}

fn unreachable() -> Attempt {
    let failure = Failure::TimedOut { during: StepName::Connect, millis: 5_000 };
    attempt(None, End::Unreachable { hop: hop(Role::Registry), failure })
}

#[test]
fn the_nodes_identity_is_tried_after_the_pull_secrets() {
    let bad = || vec![attempt(Some("bad"), no_right())];
    let evidence = Evidence { node: Some(Box::new(walked(served_on_node()))), ..in_pods(bad()) };
    check(&evidence, Pullable, &[(Code::CredentialRejected, Likely), (Code::Pullable, Certain)]);
    let evidence =
        Evidence { node: Some(Box::new(walked(without_right()))), ..in_pods(Vec::new()) };
    check(&evidence, NotPullable, &[(Code::PullNotAuthorized, Likely)]);
    let lost = failed(azure(managed(), exchange(401, "", ""), None));
    let evidence = Evidence { node: Some(Box::new(walked(lost))), ..in_pods(Vec::new()) };
    check(&evidence, NotPullable, &[(Code::TokenExchangeDenied, Likely)]);
}

#[test]
fn a_node_that_was_not_asked_leaves_open_what_it_could_change() {
    let evidence = Evidence { node: Some(Box::new(off())), ..in_pods(Vec::new()) };
    check(&evidence, Undecided, &[(Code::NoCredentials, Likely), (Code::ProbeSkipped, Certain)]);
    let first = check_words(&evidence, Code::NoCredentials, &["the node probe is off"], &[]);
    assert!(
        first.remedy.starts_with("Install it: registrycheck manifests | kubectl apply -f -."),
        "{}",
        first.remedy
    );
    let complaint = Complaint::PullFailed { cause: String::new() };
    let gaps = vec![missing("regcred")];
    let evidence = Evidence { gaps, ..evidence };
    let subject =
        Subject { namespace: "shop", image: &evidence.image, complaint: Some(&complaint) };
    let Diagnosis { verdict, findings, .. } = diagnose(subject, &evidence);
    assert_eq!(verdict, NotPullable);
    assert_eq!((findings[0].code, findings[0].confidence), (Code::PullSecretMissing, Likely));
    let evidence = Evidence {
        node: Some(Box::new(off())),
        attempts: vec![attempt(Some("good"), served())],
        ..in_pods(Vec::new())
    };
    check(&evidence, Pullable, &[(Code::Pullable, Certain), (Code::ProbeSkipped, Certain)]);
}

/// Pods there get no answer of the metadata service, which says nothing of the kubelet.
#[test]
fn a_metadata_service_that_is_closed_to_pods_leaves_the_node_open() {
    let silent = || {
        let failure = Failure::TimedOut { during: StepName::Connect, millis: 5_000 };
        failed(azure(managed(), End::Unreachable { hop: hop(Role::Metadata), failure }, None))
    };
    let evidence = Evidence { node: Some(Box::new(walked(silent()))), ..in_pods(Vec::new()) };
    check(&evidence, Undecided, &[(Code::NoCredentials, Likely), (Code::ProbeSkipped, Certain)]);
    let seen =
        NodeSeen::Walked { evidence: Box::new(Evidence { vantage: Vantage::Node, ..silent() }) };
    let evidence = Evidence { node: Some(Box::new(view(true, seen))), ..in_pods(Vec::new()) };
    check(&evidence, NotPullable, &[(Code::IdentityEndpointUnreachable, Likely)]);
}

#[test]
fn where_the_node_cannot_reach_the_registry_that_counts() {
    let far = || Evidence { opening: unreachable(), attempts: Vec::new(), ..at_azure() };
    let good = vec![attempt(Some("good"), served())];
    let evidence = Evidence { node: Some(Box::new(on_host(far()))), ..in_pods(good.clone()) };
    check(&evidence, NotPullable, &[(Code::ConnectionTimeout, Certain)]);
    let in_pod = Evidence { node: Some(Box::new(walked(far()))), ..in_pods(good) };
    check(&in_pod, NotPullable, &[(Code::ConnectionTimeout, Likely)]);
    check_words(&in_pod, Code::ConnectionTimeout, &["from a pod on node aks-np1-2"], &[]);
    let says = ["from node aks-np1-2", "the pod network is served"];
    check_words(&evidence, Code::ConnectionTimeout, &says, &[]);
    let bad = vec![attempt(Some("bad"), no_right())];
    let evidence = Evidence { node: Some(Box::new(on_host(far()))), ..in_pods(bad) };
    check(
        &evidence,
        NotPullable,
        &[(Code::ConnectionTimeout, Certain), (Code::CredentialRejected, Likely)],
    );
}

#[test]
fn where_the_pod_network_cannot_reach_it_the_node_counts() {
    let evidence = Evidence {
        opening: unreachable(),
        anonymous: None,
        node: Some(Box::new(walked(served_on_node()))),
        ..in_pods(Vec::new())
    };
    check(&evidence, Pullable, &[(Code::ConnectionTimeout, Certain), (Code::Pullable, Certain)]);
    let warning = &diagnosis(&evidence).findings[0];
    assert_eq!(warning.severity, Severity::Warning);
    assert!(
        warning.message.contains("which a pod on node aks-np1-2 does not meet"),
        "{}",
        warning.message
    );
    let evidence = Evidence { node: Some(Box::new(walked(without_right()))), ..evidence };
    check(
        &evidence,
        Undecided,
        &[(Code::PullNotAuthorized, Likely), (Code::ConnectionTimeout, Certain)],
    );
}

/// The node cannot get the layers that the pod network was served.
#[test]
fn a_data_host_that_only_the_node_cannot_reach_stops_the_pull() {
    let failure = Failure::Refused;
    let end = End::Unreachable {
        hop: Hop { host: "b.blob.core.windows.net".to_owned(), ..hop(Role::DataHost) },
        failure,
    };
    let cut = tried(azure(managed(), served(), None), end, Some(&["pull"]));
    let good = vec![attempt(Some("good"), served())];
    let evidence = Evidence { node: Some(Box::new(walked(cut))), ..in_pods(good) };
    let first = check_words(
        &evidence,
        Code::DataEndpointUnreachable,
        &["from a pod on node aks-np1-2"],
        &[],
    );
    assert_eq!((first.severity, first.confidence), (Severity::Error, Likely));
    assert_eq!(diagnosis(&evidence).verdict, NotPullable);
}

#[test]
fn a_kubelet_that_tried_before_it_had_its_identity_is_told_to_try_again() {
    let evidence =
        Evidence { node: Some(Box::new(walked(served_on_node()))), ..in_pods(Vec::new()) };
    let cause = "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://myreg.azurecr.io/oauth2/token?scope=repository%3Ashop%2Fapi%3Apull&service=myreg.azurecr.io: 401 Unauthorized".to_owned();
    let complaint = Complaint::PullFailed { cause };
    let subject =
        Subject { namespace: "shop", image: &evidence.image, complaint: Some(&complaint) };
    let heard = Heard { fresh: true, before: &[] };
    let diagnosis = contradict(subject, AT_AZURE, &evidence, heard, diagnose(subject, &evidence));
    let first = &diagnosis.findings[0];
    assert_eq!((diagnosis.verdict, first.code), (Undecided, Code::NodeDisagrees));
    assert!(first.message.contains("with kubelet identity 1111"), "{}", first.message);
    assert!(first.remedy.contains("systemctl restart kubelet"), "{}", first.remedy);
}
