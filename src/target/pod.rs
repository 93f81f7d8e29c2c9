//! The part of a Pod that says whether, why and with which secrets it waits for an image.
//!
//! A cluster has many pods and few that fail, so nothing else of a pod is ever kept, and
//! most of it is not even decoded.

use std::borrow::Cow;

use k8s_openapi::api::core::v1::Pod as FullPod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;
use serde::{Deserialize, Serialize};

/// A Pod, decoded as far as this project reads it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Wire")]
pub struct Pod {
    /// Name, namespace, uid, version and controller; nothing else.
    pub metadata: ObjectMeta,
    /// What is asked for.
    pub spec: PodSpec,
    /// What the kubelet says.
    pub status: PodStatus,
}

/// The images of a pod and the secrets to pull them with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// The service account; empty where it has none, as pods from files of a node.
    pub service_account_name: String,
    /// The node; empty while the pod has none.
    pub node_name: String,
    /// The pull secrets, in order; an entry may lack its name.
    pub image_pull_secrets: Vec<SecretReference>,
    /// The containers.
    pub containers: Vec<Container>,
    /// The init containers.
    pub init_containers: Vec<Container>,
    /// The ephemeral containers.
    pub ephemeral_containers: Vec<Container>,
    /// The volumes; only those of an image matter.
    pub volumes: Vec<Volume>,
}

/// A pull secret's name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretReference {
    /// The name; the API allows an empty one, which the kubelet passes over.
    pub name: String,
}

/// A container of any kind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image, as written.
    pub image: String,
    /// What it mounts.
    pub volume_mounts: Vec<VolumeMount>,
}

/// A mount of a volume.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeMount {
    /// The volume's name.
    pub name: String,
}

/// A volume.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its image, where it is an image volume.
    pub image: Option<ImageVolume>,
}

/// The image of an image volume.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageVolume {
    /// The image, as written.
    pub reference: String,
}

/// What the kubelet says of the containers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// Of the containers.
    pub container_statuses: Vec<ContainerStatus>,
    /// Of the init containers.
    pub init_container_statuses: Vec<ContainerStatus>,
    /// Of the ephemeral containers.
    pub ephemeral_container_statuses: Vec<ContainerStatus>,
}

/// What the kubelet says of one container.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    /// The container's name.
    pub name: String,
    /// What it does now.
    pub state: ContainerState,
    /// What it did before.
    pub last_state: ContainerState,
}

/// The state of a container.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    /// It waits.
    pub waiting: Option<Waiting>,
    /// It runs.
    pub running: Option<Present>,
    /// It ended, or never came to run.
    pub terminated: Option<Terminated>,
}

/// Why a container waits.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Waiting {
    /// One word, mostly.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

/// The end of a container.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    /// When it had started; the kubelet also ends containers that never did
    /// (`TerminatePod`, `pkg/kubelet/status/status_manager.go`).
    pub started_at: Option<String>,
}

/// A state of which only matters that it is there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Present {}

/// The wire form: the metadata without managed fields, labels and annotations, which
/// would be most of it.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Wire {
    metadata: WireMetadata,
    spec: PodSpec,
    status: PodStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireMetadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    owner_references: Option<Vec<OwnerReference>>,
}

impl From<Wire> for Pod {
    fn from(Wire { metadata, spec, status }: Wire) -> Self {
        Self {
            metadata: ObjectMeta {
                name: metadata.name,
                namespace: metadata.namespace,
                uid: metadata.uid,
                resource_version: metadata.resource_version,
                owner_references: metadata.owner_references,
                ..ObjectMeta::default()
            },
            spec,
            status,
        }
    }
}

impl Resource for Pod {
    type DynamicType = ();
    type Scope = <FullPod as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        FullPod::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        FullPod::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        FullPod::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        FullPod::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
