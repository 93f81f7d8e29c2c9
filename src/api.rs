//! The custom resource `RegistryCheck`: its spec, its status, and the rules that the API
//! server enforces when somebody writes one. No logic.
//!
//! Every rule is CEL in the CRD and answers with a sentence that says what to write, so
//! that a wrong object is refused at `kubectl apply`. The API server estimates the cost
//! of each rule and rejects unbounded ones: hence a bound on every string and list.

#![expect(
    unreachable_pub,
    clippy::duplicated_attributes,
    reason = "what kube's derive makes of the spec and of its columns"
)]

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The label of the checks that this controller made by itself.
pub const AUTOMATIC_LABEL: &str = "registrycheck.dev/automatic";

/// The annotation that asks for a probe now: any new value does.
pub const REQUESTED_AT: &str = "registrycheck.dev/requestedAt";

/// The field manager of everything that this controller writes.
pub const FIELD_MANAGER: &str = "registrycheck";

/// What to check: one registry, as seen from one namespace.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "registrycheck.dev",
    version = "v1alpha1",
    kind = "RegistryCheck",
    namespaced,
    shortname = "rchk",
    status = "RegistryCheckStatus",
    derive = "PartialEq",
    doc = "RegistryCheck says whether the images of one registry can be pulled in one namespace, why not, and what to do about it.",
    printcolumn(name = "Registry", type_ = "string", json_path = ".spec.registry"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Pods", type_ = "integer", json_path = ".status.affectedPods"),
    printcolumn(name = "Last probe", type_ = "date", json_path = ".status.lastProbeTime"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("self.registry == oldSelf.registry").message("registry cannot be changed: make another RegistryCheck for the other registry, and delete this one").field_path(".registry"),
    validation = Rule::new(IMAGES_ARE_OF_THE_REGISTRY).message(Message::Expression("'every image of spec.images must be of the registry ' + self.registry + ': write ' + (self.registry == 'docker.io' ? 'nginx:1.27 or docker.io/library/nginx:1.27' : self.registry + '/repository:tag') + ', and make another RegistryCheck for another registry'".to_owned())).field_path(".images"),
    validation = Rule::new("!self.timeout.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$') || !self.interval.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$') || self.timeout == '' || self.interval == '' || duration(self.interval) < duration('30s') || duration(self.timeout) <= duration(self.interval)").message("timeout must not be longer than interval: write for example interval: 10m and timeout: 20s").field_path(".timeout"),
)]
pub struct RegistryCheckSpec {
    /// The registry's login server, host or host:port, in lower case, without scheme and
    /// path: myregistry.azurecr.io. Docker Hub is docker.io. Cannot be changed.
    #[schemars(length(min = 1, max = 259))]
    #[x_kube(
        validation = Rule::new("!self.contains('://')").message("registry is a host without a scheme: write myregistry.azurecr.io, not https://myregistry.azurecr.io"),
        validation = Rule::new("self.contains('://') || !self.contains('/')").message("registry is a host without a path: write myregistry.azurecr.io here, and images with their path in spec.images"),
        validation = Rule::new("!self.matches('[A-Z]')").message(Message::Expression("'registry must be in lower case: write ' + self.lowerAscii()".to_owned())),
        validation = Rule::new("!(self in ['index.docker.io', 'registry-1.docker.io', 'hub.docker.com', 'registry.hub.docker.com'])").message("Docker Hub is called docker.io here: write docker.io"),
        validation = Rule::new("self.contains('/') || !self.matches('[^:\\\\]]:[^:]*$') || self.matches(':[0-9]{1,5}$') && int(self.split(':')[size(self.split(':')) - 1]) >= 1 && int(self.split(':')[size(self.split(':')) - 1]) <= 65535").message("the port must be a number from 1 to 65535: write for example registry.example.com:5000"),
        validation = Rule::new("self.contains('/') || self.matches('[A-Z]') || self.matches('[^:\\\\]]:[^:]*$') && !self.matches(':[0-9]{1,5}$') || self.matches('^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\\\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\\\\[[0-9a-f:]+\\\\])(:[0-9]+)?$')").message("registry must be a host name such as myregistry.azurecr.io, with :port where it has one: letters, digits, inner dashes and dots"),
    )]
    pub registry: String,

    /// Images to probe even while no pod fails, at most 50. Failing pods are probed anyway.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 512)))]
    #[x_kube(
        validation = Rule::new("self.all(image, !image.contains('://'))").message("an image is written without a scheme: myregistry.azurecr.io/shop/api:v1, not https://…"),
        validation = Rule::new("self.all(image, !image.matches('[ \\\\t\"{}$]'))").message("an image must not contain blanks, quotes or template marks: write for example myregistry.azurecr.io/shop/api:v1"),
    )]
    pub images: Vec<String>,

    /// Pull secrets for spec.images, in the order in which they are tried. Default: those
    /// of the service account. A failing pod is tried with its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub image_pull_secrets: Vec<SecretName>,

    /// The service account whose pull secrets are used for spec.images. Default: default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,

    /// From where to probe: Pod is the pod network, Node the node of a failing pod, Auto
    /// both where the node may have credentials of its own.
    #[serde(default)]
    pub vantage: VantageChoice,

    /// Which nodes a node probe may choose, for spec.images; honoured only where the
    /// operator allows it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 20))]
    pub node_selector: BTreeMap<String, String>,

    /// How often to probe while nothing changes; at least 30s.
    #[serde(default = "default_interval")]
    #[schemars(length(max = 18))]
    #[x_kube(
        validation = Rule::new("self != '' && self.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$')").message("interval is written in hours, minutes and seconds, such as 30s, 10m or 1h30m: for a day write 24h"),
        validation = Rule::new("self == '' || !self.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$') || duration(self) >= duration('30s')").message("interval must be at least 30s, to spare the registry: write 30s or more, such as 10m"),
    )]
    pub interval: String,

    /// How long one probe may take; from 1s to 1m, and not longer than the interval.
    #[serde(default = "default_timeout")]
    #[schemars(length(max = 18))]
    #[x_kube(
        validation = Rule::new("self != '' && self.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$')").message("timeout is written in minutes and seconds, such as 20s or 1m"),
        validation = Rule::new("self == '' || !self.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$') || duration(self) >= duration('1s') && duration(self) <= duration('1m')").message("timeout must be from 1s to 1m: write for example 20s"),
    )]
    pub timeout: String,

    /// Whether to leave this registry alone for now: nothing is probed and nothing said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,

    /// A secret whose ca.crt is trusted beside the usual authorities, for spec.images only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<SecretName>,

    /// Whether to speak plain HTTP, for spec.images only and only to hosts that the
    /// operator allows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
}

/// Docker Hub's images are accepted as people write them; every other registry's begin
/// with its name, in any case.
const IMAGES_ARE_OF_THE_REGISTRY: &str = "!has(self.images) || self.images.all(image, image.contains('://') || \
    (self.registry == 'docker.io' \
    ? (image.matches('^(index[.])?docker[.]io/') || !image.matches('^([^/]*[.:A-Z][^/]*|localhost)/')) \
    : image.lowerAscii().startsWith(self.registry + '/')))";

fn default_interval() -> String {
    "10m".to_owned()
}

fn default_timeout() -> String {
    "20s".to_owned()
}

/// The name of a secret in the same namespace.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct SecretName {
    /// The secret's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// From where to probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VantageChoice {
    /// The pod network, and the node too where it may have credentials of its own.
    #[default]
    Auto,
    /// The pod network alone.
    Pod,
    /// The node alone.
    Node,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryCheckStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready, the steps Reachable, Authenticated, Authorized and ImagesFound, and Reconciling
    /// while the first probe is under way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]
    ))]
    pub conditions: Vec<Condition>,

    /// How many pods cannot pull now.
    #[serde(default)]
    pub affected_pods: i64,

    /// What is wrong, the cause first; at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub findings: Vec<FindingStatus>,

    /// What was tried, one row for each distinct outcome, failing ones first; at most 5.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), extend("x-kubernetes-list-type" = "atomic"))]
    pub probes: Vec<ProbeStatus>,

    /// When the registry was asked last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub last_probe_time: Option<Timestamp>,

    /// When it will be asked again if nothing changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub next_probe_time: Option<Timestamp>,

    /// The value of the annotation registrycheck.dev/requestedAt that was acted on last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
}

/// A condition, as `metav1.Condition` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Ready, Reachable, Authenticated, Authorized, ImagesFound or Reconciling.
    #[serde(rename = "type")]
    pub kind: String,
    /// True, False or Unknown; Unknown is what was not probed.
    pub status: ConditionStatus,
    /// A finding's code, or Progressing, Suspended or NoTargets.
    pub reason: String,
    /// The same for a person.
    pub message: String,
    /// When the status changed last.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub last_transition_time: Timestamp,
    /// The generation of the spec that this condition is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// The status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It was not found out.
    Unknown,
}

/// One finding: a code, for one credential, at one hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FindingStatus {
    /// What it is; `registrycheck explain CODE` says more.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// How sure we are.
    pub confidence: Confidence,
    /// Who can mend it.
    pub owner: Owner,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do, with a line to paste.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// The credential it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The host it is about, where that is not the registry itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hop: Option<String>,
    /// The images it stops, at most 5.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// How many images it stops.
    #[serde(default)]
    pub total_images: i64,
    /// The pods it stops, at most 5.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<String>,
    /// How many pods it stops.
    #[serde(default)]
    pub total_pods: i64,
    /// When it was seen first.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub first_seen: Timestamp,
    /// When it was seen last.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub last_seen: Timestamp,
    /// This occurrence of it. Events are named after it, so that none is said twice.
    pub episode: String,
}

/// How bad a finding is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Severity {
    /// It stops a pull.
    Error,
    /// It does not stop a pull now.
    Warning,
    /// Nothing is wrong.
    Info,
}

/// How sure a finding is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Confidence {
    /// It was seen, and nothing else explains it.
    Certain,
    /// It explains what was seen; something that could not be seen might differ.
    Likely,
    /// It is one of several explanations.
    Possible,
}

/// Who can mend it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Owner {
    /// Whoever wrote the pod, its secrets and its service account.
    Workload,
    /// Whoever runs the registry.
    Registry,
    /// Whoever runs the network, its names and its certificates.
    Network,
    /// Whoever gives identities their rights.
    Identity,
    /// Whoever runs the cluster and its nodes.
    Cluster,
}

/// What was tried with one credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbeStatus {
    /// The image.
    pub image: String,
    /// The credential: `secret regcred (key myreg.azurecr.io)`, or `anonymous`.
    pub credential: String,
    /// From where: Pod or Node.
    pub vantage: String,
    /// Pullable, or the code of what stopped it; Refused where it was only there to compare.
    pub outcome: String,
    /// Each step with its result and time, in one line.
    pub steps: String,
    /// The registry's own id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// A query that finds the request in the log of a registry of Azure (Log Analytics).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_query: Option<String>,
}
