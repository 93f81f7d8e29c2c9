//! Progress: what the status of a probe's pod says.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStateWaiting, Pod};

use crate::diagnose::{setting, shorten};
use crate::evidence::node::NodeSeen;
use crate::image::ImageRef;
use crate::record::Seen;

use super::{AZURE_CONFIG, Place, Question, Shape, payload};

/// How many characters of others' words a reason quotes.
const LONGEST_QUOTE: usize = 300;

/// What became of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It goes on; what it waits for, for whoever watches.
    Waits(String),
    /// It ended with a result.
    Seen(Seen),
    /// It comes to no result.
    Skipped(Skipped),
}

/// Why there is no result, and what would bring one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Why, as a clause.
    pub reason: String,
    /// What would decide it, in sentences; it may be empty.
    pub remedy: String,
}

impl Skipped {
    /// Without a remedy.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), remedy: String::new() }
    }

    fn with(self, remedy: impl Into<String>) -> Self {
        Self { remedy: remedy.into(), ..self }
    }
}

impl From<Skipped> for NodeSeen {
    fn from(Skipped { reason, remedy }: Skipped) -> Self {
        Self::Skipped { reason, remedy }
    }
}

/// How to do without.
fn without(what: &str) -> String {
    setting::of_manifests(what, "nodeProbe.enabled=false", "--no-node-probe")
}

fn install(what: &str) -> String {
    setting::of_manifests(what, "nodeProbe.enabled=true", "")
}

/// The node probe is not installed, or was turned off.
pub fn off() -> Skipped {
    Skipped::because("the node probe is off").with(install("Turn it on"))
}

/// Windows nodes are not asked.
pub fn windows(node: &str) -> Skipped {
    Skipped::because(format!("node {node} runs Windows, and the node probe is for Linux"))
}

/// The spec chooses nodes, and the operator does not let it.
pub fn selector_not_allowed() -> Skipped {
    Skipped::because("spec.nodeSelector is set, and the operator has not allowed that").with(
        setting::of_controller(
            "Take spec.nodeSelector away, or allow it",
            "nodeProbe.allowNodeSelector=true",
            "--node-probe-allow-node-selector=true",
        ),
    )
}

/// Others are asked first.
pub fn crowded(limit: usize) -> Skipped {
    Skipped::because(format!("{limit} other probes of nodes are under way")).with(
        setting::of_controller(
            "It is tried again with the next probe. To let more run at once, such as 6",
            "nodeProbe.limit=6",
            "--node-probe-limit=6",
        ),
    )
}

/// What the API server said when the pod was to be made.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'refusal> {
    /// The status code.
    pub code: u16,
    /// The reason, a word.
    pub reason: &'refusal str,
    /// The words.
    pub message: &'refusal str,
}

impl Refusal<'_> {
    /// Whether the namespace is missing, or goes.
    pub fn is_not_installed(&self) -> bool {
        self.code == 404 || self.message.contains("is being terminated")
    }
}

/// The pod could not be made.
pub fn refused(shape: &Shape, refusal: Refusal<'_>) -> Skipped {
    let namespace = &shape.namespace;
    let Refusal { code, reason, message } = refusal;
    let said = quote(message);
    if refusal.is_not_installed() {
        return Skipped::because(format!("there is no namespace {namespace} for the node probe"))
            .with(install("Install it"));
    }
    if message.contains("exceeded quota") {
        return Skipped::because(format!(
            "a quota of namespace {namespace} does not allow the pod of the node probe: {said}"
        ))
        .with(format!("Raise it, or take it away: kubectl get resourcequota -n {namespace}."));
    }
    if message.contains("violates PodSecurity") {
        return Skipped::because(format!("Pod Security does not allow the pod of the node probe, which mounts {AZURE_CONFIG}: {said}"))
            .with(format!(
                "Allow it in that one namespace: kubectl label namespace {namespace} --overwrite \
                 pod-security.kubernetes.io/enforce=privileged. {}",
                without("Or install without the node probe")
            ));
    }
    if message.contains(&format!("ValidatingAdmissionPolicy '{namespace}")) {
        return Skipped::because(format!(
            "the node probe's own admission policy refuses its pod: {said}"
        ))
        .with(setting::of_manifests(
            "Install the policy of this version, with the --node-probe options that the \
                 controller has",
            "nodeProbe.enabled=true",
            "",
        ));
    }
    let is_of_rights = code == 403 && message.contains("cannot create resource");
    if is_of_rights {
        return Skipped::because(format!(
            "whoever asks may not create pods in namespace {namespace}"
        ))
        .with(install("Install the role of this version"));
    }
    Skipped::because(format!(
        "the cluster does not allow the pod of the node probe ({code} {reason}): {said}"
    ))
    .with(format!(
        "Except namespace {namespace} from the policy that says so. {}",
        without("Or install without the node probe")
    ))
}

/// What a pod's status says; `events` are the kubelet's about it, each a reason and a message.
pub fn read(
    pod: &Pod,
    events: &[(String, String)],
    shape: &Shape,
    question: &Question<'_>,
    image: &ImageRef,
) -> Progress {
    let Some(status) = &pod.status else { return Progress::Waits("for the scheduler".to_owned()) };
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    let node = node.map_or_else(|| question.place.in_words(), |name| format!("node {name}"));
    let mut containers = status.container_statuses.iter().flatten();
    let state = containers.find_map(|container| container.state.as_ref());
    if let Some(ended) = state.and_then(|state| state.terminated.as_ref()) {
        return result(ended, &node, status.reason.as_deref(), question, image);
    }
    if status.phase.as_deref() == Some("Failed") {
        return Progress::Skipped(failed(status, &node, question, events));
    }
    let mut conditions = status.conditions.iter().flatten();
    let unschedulable = conditions.find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    });
    if let Some(condition) = unschedulable {
        return Progress::Skipped(unscheduled(
            question.place,
            condition.message.as_deref().unwrap_or_default(),
        ));
    }
    if let Some(waiting) = state.and_then(|state| state.waiting.as_ref())
        && let Some(skipped) = stuck(waiting, &node, shape)
    {
        return Progress::Skipped(skipped);
    }
    if let Some(skipped) = events.iter().find_map(|(reason, words)| unmounted(reason, words, &node))
    {
        return Progress::Skipped(skipped);
    }
    let is_running = state.is_some_and(|state| state.running.is_some());
    Progress::Waits(if is_running {
        format!("for the probe on {node}")
    } else if pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()) {
        format!("for {node} to start it")
    } else {
        "for the scheduler".to_owned()
    })
}

fn result(
    ended: &ContainerStateTerminated,
    node: &str,
    pod_reason: Option<&str>,
    question: &Question<'_>,
    image: &ImageRef,
) -> Progress {
    let message = ended.message.as_deref().unwrap_or_default();
    if ended.exit_code == 0 {
        return match payload::read(message, image) {
            Ok(seen) => Progress::Seen(seen),
            Err(unreadable) => Progress::Skipped(
                Skipped::because(format!(
                    "the node probe on {node} is not understood: {unreadable}"
                ))
                .with(setting::of_manifests(
                    "Let the node probe have the controller's own image",
                    "nodeProbe.image=IMAGE",
                    "--node-probe-image=IMAGE",
                )),
            ),
        };
    }
    if pod_reason == Some("DeadlineExceeded") {
        return Progress::Skipped(late(node, question));
    }
    let skipped = if ended.reason.as_deref() == Some("OOMKilled") {
        Skipped::because(format!("the node probe on {node} ran out of memory"))
    } else if message.trim().is_empty() {
        Skipped::because(format!("the node probe on {node} ended with status {}", ended.exit_code))
    } else {
        Skipped::because(format!(
            "the node probe on {node} ended with status {}: {}",
            ended.exit_code,
            quote(message)
        ))
    };
    Progress::Skipped(skipped)
}

fn late(node: &str, question: &Question<'_>) -> Skipped {
    let seconds = question.deadline().as_secs();
    Skipped::because(format!("the node probe on {node} did not end within {seconds} s"))
}

/// Nothing was seen before whoever asks lost patience.
pub fn overdue(question: &Question<'_>, waited_for: &str) -> Skipped {
    let seconds = question.deadline().as_secs();
    let place = question.place.in_words();
    Skipped::because(format!("the node probe on {place} waited {seconds} s {waited_for}"))
}

fn failed(
    status: &k8s_openapi::api::core::v1::PodStatus,
    node: &str,
    question: &Question<'_>,
    events: &[(String, String)],
) -> Skipped {
    let reason = status.reason.as_deref().unwrap_or_default();
    if reason == "DeadlineExceeded" {
        let last = events.iter().find_map(|(reason, words)| unmounted(reason, words, node));
        return last.unwrap_or_else(|| late(node, question));
    }
    let said = quote(status.message.as_deref().unwrap_or_default());
    Skipped::because(format!("{node} does not run the pod of the node probe ({reason}): {said}"))
}

fn unscheduled(place: &Place, message: &str) -> Skipped {
    Skipped::because(format!(
        "the pod of the node probe cannot be scheduled to {}: {}",
        place.in_words(),
        quote(message)
    ))
}

/// What a container waits for that does not pass by itself.
fn stuck(waiting: &ContainerStateWaiting, node: &str, shape: &Shape) -> Option<Skipped> {
    let reason = waiting.reason.as_deref()?;
    let said = quote(waiting.message.as_deref().unwrap_or_default());
    let image = &shape.image;
    match reason {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => Some(
            Skipped::because(format!(
                "{node} cannot pull the node probe's own image {image}: {said}"
            ))
            .with(setting::of_manifests(
                "Let the nodes pull it, or name one that they can pull",
                "nodeProbe.image=IMAGE",
                "--node-probe-image=IMAGE",
            )),
        ),
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            Some(Skipped::because(format!("{node} cannot start the node probe: {said}")))
        }
        _ => None,
    }
}

/// The file is mounted as one that must be there: a node without it is none of AKS, or has it
/// elsewhere.
fn unmounted(reason: &str, words: &str, node: &str) -> Option<Skipped> {
    if reason != "FailedMount" {
        return None;
    }
    let is_of_the_file =
        words.contains(AZURE_CONFIG) && words.contains("hostPath type check failed");
    Some(if is_of_the_file {
        Skipped::because(format!("{node} has no file {AZURE_CONFIG}, so it is no node of AKS"))
            .with(without("Where nodes have no identity of Azure, do without the node probe"))
    } else {
        Skipped::because(format!("{node} cannot mount what the node probe reads: {}", quote(words)))
    })
}

/// Others' words in one line.
fn quote(words: &str) -> String {
    let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    shorten(words.trim().trim_end_matches('.'), LONGEST_QUOTE)
}

#[cfg(test)]
mod tests;
