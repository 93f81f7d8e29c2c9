//! Differences: what the node met and the probe did not, in sentences.

use crate::access::Provenance;
use crate::api::{Confidence, Severity};
use crate::complaint::Complaint;
use crate::evidence::{Evidence, StepName, Vantage};
use crate::image::Host;

use super::super::catalogue::Code;
use super::super::{Finding, Subject, quote};
use super::content::{extent, is_read_well};
use super::topic::Topic;
use super::{Said, Seen, used};

/// What differs between a node that cannot pull and a probe that was served.
pub(super) struct Difference {
    pub(super) finding: Finding,
    /// Whether the kubelet's next attempt can be expected to succeed.
    pub(super) passes: bool,
    /// Whether it is about what no probe sees from here, so that none speaks against it.
    pub(super) is_unseen: bool,
}

/// What differs, as far as the kubelet's words say.
pub(super) fn of(subject: Subject<'_>, evidence: &Evidence, said: Option<&Said<'_>>) -> Difference {
    let lasting = |finding| Difference { finding, passes: false, is_unseen: false };
    let unseen = |finding| Difference { finding, passes: false, is_unseen: true };
    let Some(said) = said else { return lasting(unexplained(subject, evidence)) };
    let registry = subject.registry();
    let image = subject.image;
    let served = extent(evidence);
    let quoted = quote(said.cause);
    if let Some(mirror) = &said.mirror {
        return unseen(of_mirror(subject, evidence, mirror, &quoted));
    }
    let host = said.first.host.as_deref().unwrap_or(registry.as_str());
    let disagrees = |message: String, remedy: String| {
        let message = format!("{message}; the kubelet says: {quoted}");
        Finding::new(Code::NodeDisagrees, Confidence::Likely, message, remedy)
    };
    let place = place(evidence, registry);
    let by = seen_by(evidence);
    let topic = Topic::of(said.first.code);
    if said.allows_no_credential()
        && let Some(used) = used(evidence)
    {
        return first_attempt(subject, &served, used, &quoted);
    }
    match topic {
        Topic::Lookup => lasting(disagrees(
            format!("the node cannot look up {host}, and {by} finds {place}"),
            format!("Look at the node's own resolver: the kubelet and the runtime use the node's /etc/resolv.conf and /etc/hosts, not the cluster's DNS. On the node: getent hosts {host}"),
        )),
        Topic::Connection => lasting(disagrees(
            format!("the node gets no answer from {host}, and {by} is served by {place}"),
            format!("Open the way from the node to {host}: its routes, the firewall of its network, the address that its own resolver finds. On the node: curl -v https://{host}/v2/"),
        )),
        Topic::Trust => {
            let issuer = detail(evidence, StepName::Tls)
                .map_or(String::new(), |detail| format!(" ({detail})"));
            let mut finding = disagrees(
                format!("the node does not trust the certificate of {host}, and this pod trusts what it is shown{issuer}"),
                format!("Give the node the authority that signs the certificate: a ca line in /etc/containerd/certs.d/{registry}/hosts.toml, or the node's own list of authorities (update-ca-certificates, then restart the runtime). To see what the node is shown: openssl s_client -connect {} -showcerts", with_port(host)),
            );
            finding.code = Code::NodeTrustStoreOutdated;
            lasting(finding)
        }
        Topic::Time => lasting(disagrees(
            format!("the node takes the certificate of {host} for expired or not yet valid, and {by} takes it for valid{}", seen(evidence, StepName::Tls)),
            "Compare the node's clock with the right time: timedatectl on the node. If it is right, the node is shown another certificate than this probe is.".to_owned(),
        )),
        Topic::Handshake => lasting(disagrees(
            format!("what answers the node as {host} is not what serves {by} at {place}"),
            format!("Look at what stands between the node and {host}: a proxy, another address in the node's /etc/hosts, or a line in its /etc/containerd/certs.d. On the node: curl -v https://{host}/v2/"),
        )),
        Topic::Forbidden => lasting(disagrees(
            format!("{host} refuses the node with a 403, and serves {by}"),
            format!("Let in the address by which the node leaves its network, which is another one than that of the pods: in the firewall of {host}, or in the rules of its private endpoint."),
        )),
        Topic::TokenService => lasting(disagrees(
            format!("the node cannot reach the token service of {registry} at {host}, and {by} gets what it needs"),
            format!("Open the way from the node to {host}. On the node: curl -v https://{host}/"),
        )),
        Topic::Fault => Difference {
            finding: Finding {
                confidence: Confidence::Possible,
                ..disagrees(
                    format!("{host} had a fault when the kubelet asked, and serves {served} now"),
                    "Wait for the kubelet's next attempt, which comes within 5 minutes.".to_owned(),
                )
            },
            passes: true,
            is_unseen: false,
        },
        Topic::Refused | Topic::NoCredential | Topic::Hidden => lasting(disagrees(
            format!("the node is refused, and {by} is served {served} {}", with(evidence)),
            "If a secret or a right was mended a moment ago, wait for the kubelet's next attempt (within 5 minutes). Otherwise look for a credential of the node's own, which is tried too: in the runtime's configuration, in config.json of the kubelet, or from a credential provider.".to_owned(),
        )),
        Topic::Absent => lasting(disagrees(
            format!("the node is told that {image} is not there, and {by} is served its manifest"),
            format!("If the image was pushed a moment ago, wait for the kubelet's next attempt (within 5 minutes). Otherwise the node asks another server: look for a mirror in its /etc/containerd/certs.d/{registry}."),
        )),
        Topic::DataHost if is_read_well(evidence, said) => lasting(disagrees(
            format!("the node gets no answer from {host}, where {registry} keeps its layers, and {by} is served {served}"),
            format!("Open the way from the node to {host}: its routes, the firewall of its network, the address that its own resolver finds. On the node: curl -v https://{host}/"),
        )),
        Topic::Content if is_read_well(evidence, said) => lasting(disagrees(
            format!("the node finds fault with what it is served ({}), and {by} is served {served} without one", clause(said.first.code.row().title)),
            format!("If the image was pushed a moment ago, wait for the kubelet's next attempt (within 5 minutes). Otherwise the node is served something else: look for a mirror in its /etc/containerd/certs.d/{registry}, and for a proxy that keeps old answers."),
        )),
        Topic::Node | Topic::Identity | Topic::Mirror | Topic::Proxy | Topic::Limit
        | Topic::DataHost | Topic::Content => unseen(of_words(
            subject,
            said,
            &format!("{registry} serves {served} to {by}, and the node fails all the same"),
        )),
        Topic::Nothing => lasting(unexplained(subject, evidence)),
    }
}

/// The first attempt of a new pod can be made before the kubelet knows of its secret. What the
/// credential provider of Azure gives is kept for an hour, whatever becomes of the identity's
/// rights (cloud-provider-azure, `pkg/credentialprovider/azure_credentials.go`, `cacheDuration`).
fn first_attempt(
    subject: Subject<'_>,
    served: &str,
    used: &Provenance,
    quoted: &str,
) -> Difference {
    let (how, remedy) = match used {
        Provenance::Azure { .. } => (
            "without it, or with what it was given up to an hour before",
            "Wait for the kubelet's next attempt, which comes within 5 minutes. If the identity's rights were changed within the last hour, have the kubelet ask for it anew, on the node: systemctl restart kubelet",
        ),
        Provenance::PullSecret { .. }
        | Provenance::Node { .. }
        | Provenance::Strangers
        | Provenance::Client { .. } => (
            "without it, as the first one of a new pod can be",
            "Wait for the kubelet's next attempt, which comes within 5 minutes and reads the secret anew.",
        ),
    };
    let message = format!(
        "{} serves {served} with {used}, and the kubelet's last attempt may have been made {how}; the kubelet says: {quoted}",
        subject.registry()
    );
    let finding =
        Finding::new(Code::NodeDisagrees, Confidence::Possible, message, remedy.to_owned());
    Difference { finding, passes: true, is_unseen: false }
}

/// The words' own finding, beside a probe that failed as well.
pub(super) fn beside(subject: Subject<'_>, said: &Said<'_>, seen: Seen) -> Finding {
    let registry = subject.registry();
    let lead = match seen {
        Seen::Nothing => format!("the kubelet's words are all that is known of {registry}"),
        Seen::Less => format!("the node fails at another point than this probe of {registry}"),
        Seen::Further => format!("the node does not get as far as this probe of {registry}"),
    };
    let mut finding = of_words(subject, said, &lead);
    if seen == Seen::Further {
        // The words are of an attempt before the probe.
        finding.confidence = finding.confidence.max(Confidence::Likely);
        if finding.code == Code::TlsCertificateUntrusted {
            finding.code = Code::NodeTrustStoreOutdated;
        }
    }
    finding
}

/// What the words mean, as a finding: as sure as words make it.
fn of_words(subject: Subject<'_>, said: &Said<'_>, lead: &str) -> Finding {
    let code = said.first.code;
    let host = said.first.host.as_deref().unwrap_or(subject.registry().as_str());
    let message = format!(
        "{lead}: {} ({host}), the kubelet says: {}",
        clause(code.row().title),
        quote(said.cause)
    );
    let mut finding =
        Finding::new(code, said.first.confidence, message, subject.remedy_at(code, host));
    finding.severity = Severity::Error;
    finding
}

fn of_mirror(subject: Subject<'_>, evidence: &Evidence, mirror: &str, quoted: &str) -> Finding {
    let registry = subject.registry();
    let (served, by) = (extent(evidence), seen_by(evidence));
    let message = format!(
        "the node asks the mirror {mirror} in place of {registry} and fails there, while {registry} itself serves {served} to {by}; the kubelet says: {quoted}"
    );
    Finding::new(
        Code::MirrorUnreachable,
        Confidence::Likely,
        message,
        subject.remedy_at(Code::MirrorUnreachable, mirror),
    )
}

/// The words say nothing of the cause.
fn unexplained(subject: Subject<'_>, evidence: &Evidence) -> Finding {
    let (served, by) = (extent(evidence), seen_by(evidence));
    let words = match subject.complaint.and_then(Complaint::words) {
        Some(words) => format!(", while the kubelet has just failed: {}", quote(words)),
        None => ", while the kubelet has just failed to pull it".to_owned(),
    };
    let message = format!("{} serves {served} to {by}{words}", subject.registry());
    let remedy = subject.remedy(Code::NodeDisagrees, None);
    Finding::new(Code::NodeDisagrees, Confidence::Likely, message, remedy)
}

/// Whose probe it was that was served.
fn seen_by(evidence: &Evidence) -> &'static str {
    // Beside what the node has of its own, the evidence has what the pod network was served.
    let is_of_node = |used: &Provenance| used.pull_secret().is_none();
    match evidence.vantage {
        Vantage::Node if used(evidence).is_some_and(is_of_node) => "a probe on the node",
        Vantage::Node | Vantage::Pod | Vantage::Here => "the pod network",
    }
}

/// A sentence of the catalogue as a clause.
fn clause(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.');
    let mut characters = sentence.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_lowercase().collect::<String>() + characters.as_str()
    })
}

/// What a passed step of the probe saw.
fn detail(evidence: &Evidence, name: StepName) -> Option<&str> {
    let mut steps = evidence.opening.steps.iter();
    let step = steps.find(|step| step.name == name && step.passed)?;
    Some(step.detail.as_str()).filter(|detail| !detail.is_empty())
}

fn seen(evidence: &Evidence, name: StepName) -> String {
    detail(evidence, name).map_or(String::new(), |detail| format!(" ({detail})"))
}

/// Where the probe found the registry.
fn place(evidence: &Evidence, registry: &Host) -> String {
    let address = detail(evidence, StepName::Connect).or_else(|| detail(evidence, StepName::Dns));
    address.map_or_else(|| registry.to_string(), |address| format!("{registry} at {address}"))
}

fn with(evidence: &Evidence) -> String {
    used(evidence).map_or_else(|| "without a credential".to_owned(), |used| format!("with {used}"))
}

fn with_port(host: &str) -> String {
    if host.contains(':') { host.to_owned() } else { format!("{host}:443") }
}
