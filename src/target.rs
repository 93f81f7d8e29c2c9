//! Targets: which images have to be looked at, with whose secrets, for whom.
//!
//! A target comes from a pod that waits for an image or from the `spec.images` of a
//! RegistryCheck. All functions here are pure; reading pods from the cluster is the
//! business of [`crate::controller`].

use std::collections::BTreeMap;

use crate::api::RegistryCheckSpec;
use crate::complaint::{self, Complaint};
use crate::image::{self, Host, ImageRef};

pub mod pod;
pub mod workload;

use pod::{Container, ContainerState, ContainerStatus, ImageVolume, Pod, PodSpec, Waiting};

/// One image that has to be looked at with one list of pull secrets.
///
/// A thousand pods that fail alike are one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The image, as written; it may be no valid reference.
    pub image: String,
    /// With which secrets.
    pub secrets: SecretSource,
    /// What the kubelet says; `None` where no pod fails.
    pub complaint: Option<Complaint>,
    /// The pods that wait for it.
    pub pods: Vec<PodRef>,
    /// Whether an attempt of the kubelet has just failed for one of them, rather than that
    /// all wait for the next one.
    pub fresh: bool,
}

/// Where the list of pull secrets stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretSource {
    /// Listed, in order, by the RegistryCheck or by a pod without a service account.
    Listed(Vec<String>),
    /// Listed by a pod, in order. A pod gets the secrets of its account when it is made, or
    /// never; what the account lists beside them is none of the pod's
    /// (`plugin/pkg/admission/serviceaccount/admission.go` of Kubernetes 1.35).
    Pod {
        /// What the pod lists.
        listed: Vec<String>,
        /// Its service account.
        account: String,
    },
    /// What this service account lists now.
    Account(String),
}

/// A pod that waits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodRef {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// What made it: `replicaset/api-6d4cf56db6`, or its own name where nothing did.
    pub workload: String,
    /// Its node; empty while it has none.
    pub node: String,
}

impl PodRef {
    /// What `kubectl rollout restart` takes to make the pod again; `None` where nothing does.
    /// A Deployment's `ReplicaSet` ends in a hash of these characters
    /// (`SafeEncodeString`, apimachinery/pkg/util/rand of Kubernetes 1.35).
    pub fn restartable(&self) -> Option<String> {
        let (kind, name) = self.workload.split_once('/')?;
        match kind {
            "statefulset" | "daemonset" => Some(self.workload.clone()),
            "replicaset" => {
                let (deployment, hash) = name.rsplit_once('-')?;
                let is_hash = hash.chars().all(|c| "bcdfghjklmnpqrstvwxz2456789".contains(c));
                is_hash.then(|| format!("deployment/{deployment}"))
            }
            _ => None,
        }
    }
}

/// A pod with at least one container that waits for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingPod {
    /// The pod.
    pub pod: PodRef,
    /// Its namespace.
    pub namespace: String,
    /// Its pull secrets, in order.
    pub pull_secrets: Vec<String>,
    /// Its service account; empty where it has none.
    pub account: String,
    /// What it waits for, once for each image.
    pub waits: Vec<Wait>,
}

impl FailingPod {
    /// Where its list of pull secrets stands.
    pub fn secrets(&self) -> SecretSource {
        let listed = self.pull_secrets.clone();
        match self.account.as_str() {
            "" => SecretSource::Listed(listed),
            account => SecretSource::Pod { listed, account: account.to_owned() },
        }
    }
}

/// An image that a pod waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The container.
    pub container: String,
    /// The image, as written.
    pub image: String,
    /// What the kubelet says.
    pub complaint: Complaint,
    /// Whether the kubelet's words are those of an attempt that has just failed.
    pub fresh: bool,
}

impl Wait {
    /// The registry at fault.
    pub fn registry(&self) -> Host {
        registry_of(&self.image)
    }
}

/// The registry of an image, in lower case: a guess where the reference is invalid, and
/// Docker Hub where no RegistryCheck can be about the host (the rules of `spec.registry` in
/// [`crate::api`]): a port of 99999, an underscore, another name of Docker Hub itself.
pub fn registry_of(image: &str) -> Host {
    let host = ImageRef::parse(image)
        .map_or_else(|_| image::guess_registry(image), |image| image.registry().lowercase());
    let is_hub = HUB_NAMES.contains(&host.as_str()) || host.as_str().contains('_');
    match Host::parse(host.as_str()) {
        Ok(host) if !is_hub => host,
        Ok(_) | Err(_) => image::guess_registry(""),
    }
}

/// Names under which people look for Docker Hub; `spec.registry` calls it `docker.io`.
const HUB_NAMES: [&str; 4] =
    ["index.docker.io", "registry-1.docker.io", "hub.docker.com", "registry.hub.docker.com"];

/// What a pod says about its images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodState {
    /// What it waits for; `waits` is empty where it waits for nothing.
    pub failing: FailingPod,
    /// The images of containers that have started: they were certainly pulled.
    pub started: Vec<String>,
    /// The images of the containers that may still run: an ended one pulls no more.
    pub images: Vec<String>,
}

/// Whether a container of the pod waits for an image.
pub fn waits_for_image(pod: &Pod) -> bool {
    containers(pod).any(|(_, status)| waiting_for_image(status).is_some())
}

/// Reads a pod.
pub fn read_pod(pod: &Pod) -> PodState {
    let name = pod.metadata.name.clone().unwrap_or_default();
    PodState {
        failing: FailingPod {
            pod: PodRef {
                workload: workload(pod).unwrap_or_else(|| name.clone()),
                name,
                uid: pod.metadata.uid.clone().unwrap_or_default(),
                node: pod.spec.node_name.clone(),
            },
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            pull_secrets: pull_secrets(pod),
            account: pod.spec.service_account_name.clone(),
            waits: waits(pod),
        },
        started: started_images(pod),
        images: images(pod),
    }
}

/// The names of the pod's pull secrets as the kubelet reads them: in order, without empty
/// names (`pkg/kubelet/kubelet_pods.go`, `getPullSecretsForPod`).
fn pull_secrets(pod: &Pod) -> Vec<String> {
    let names = pod.spec.image_pull_secrets.iter().map(|secret| &secret.name);
    let mut names: Vec<String> = names.filter(|name| !name.is_empty()).cloned().collect();
    // There is one list for each failing pod.
    names.shrink_to_fit();
    names
}

fn workload(pod: &Pod) -> Option<String> {
    let owners = pod.metadata.owner_references.as_ref()?;
    let owner = owners.iter().find(|owner| owner.controller == Some(true))?;
    Some(format!("{}/{}", owner.kind.to_lowercase(), owner.name))
}

fn waits(pod: &Pod) -> Vec<Wait> {
    let mut waits: Vec<Wait> = Vec::new();
    for (container, status) in containers(pod) {
        let Some((waiting, complaint)) = waiting_for_image(status) else { continue };
        let image = image_at_fault(pod, container, &waiting.message);
        // After an image was changed in place, the words of the last attempt are about the one
        // before until the kubelet tries again.
        let is_about_another =
            waiting.message.contains("image \"") && !names(&waiting.message, image);
        let fresh = complaint::is_fresh_attempt(&waiting.reason) && !is_about_another;
        let same = |wait: &&mut Wait| wait.image == image && wait.complaint == complaint;
        match waits.iter_mut().find(same) {
            Some(wait) => wait.fresh |= fresh,
            None => waits.push(Wait {
                container: container.name.clone(),
                image: image.to_owned(),
                complaint,
                fresh,
            }),
        }
    }
    waits.shrink_to_fit();
    waits
}

fn waiting_for_image(status: &ContainerStatus) -> Option<(&Waiting, Complaint)> {
    let waiting = status.state.waiting.as_ref()?;
    complaint::read(&waiting.reason, &waiting.message).map(|complaint| (waiting, complaint))
}

/// The containers of all kinds that have a status, with it.
fn containers(pod: &Pod) -> impl Iterator<Item = (&Container, &ContainerStatus)> {
    let (spec, status) = (&pod.spec, &pod.status);
    let kinds = [
        (&spec.init_containers, &status.init_container_statuses),
        (&spec.containers, &status.container_statuses),
        (&spec.ephemeral_containers, &status.ephemeral_container_statuses),
    ];
    kinds.into_iter().flat_map(|(containers, statuses)| {
        statuses.iter().filter_map(|status| {
            let container = containers.iter().find(|container| container.name == status.name)?;
            Some((container, status))
        })
    })
}

/// The image that the kubelet's words are about: an image volume's failure is shown as that
/// of each container that mounts it, with the volume's image in the message
/// (`pkg/kubelet/kuberuntime/kuberuntime_manager.go`).
fn image_at_fault<'pod>(pod: &'pod Pod, container: &'pod Container, message: &str) -> &'pod str {
    volume_images(pod, container)
        .find(|image| names(message, &image.reference) && !names(message, &container.image))
        .map_or(container.image.as_str(), |image| image.reference.as_str())
}

/// Whether `message` quotes `image`, as written or as the runtime spells it out.
fn names(message: &str, image: &str) -> bool {
    let spelled_out = ImageRef::parse(image).ok().map(|image| match image.digest() {
        Some(digest) => format!("{}@{digest}", image.repository()),
        None => format!("{}:{}", image.repository(), image.reference()),
    });
    [Some(image.to_owned()), spelled_out]
        .into_iter()
        .flatten()
        .any(|image| message.contains(&format!("\"{image}\"")))
}

/// The images of the containers that have run, now or before, and of what they mount.
fn started_images(pod: &Pod) -> Vec<String> {
    let ran = |state: &ContainerState| {
        let ended = state.terminated.as_ref();
        state.running.is_some() || ended.is_some_and(|ended| ended.started_at.is_some())
    };
    // One that crashed waits with this image; for any other wait it may have run with
    // another image, before the pod's was changed.
    let crashed = |status: &ContainerStatus| {
        let waiting = status.state.waiting.as_ref();
        waiting.is_some_and(|waiting| waiting.reason == "CrashLoopBackOff")
            && ran(&status.last_state)
    };
    let started = containers(pod).filter(|(_, status)| ran(&status.state) || crashed(status));
    started
        .flat_map(|(container, _)| {
            let mounted = volume_images(pod, container).map(|image| image.reference.clone());
            std::iter::once(container.image.clone()).chain(mounted)
        })
        .collect()
}

/// The image volumes that a container mounts.
fn volume_images<'pod>(
    pod: &'pod Pod,
    container: &'pod Container,
) -> impl Iterator<Item = &'pod ImageVolume> {
    let mounts = |name: &str| container.volume_mounts.iter().any(|mount| mount.name == name);
    let volumes = pod.spec.volumes.iter().filter(move |volume| mounts(&volume.name));
    volumes.filter_map(|volume| volume.image.as_ref())
}

fn images(pod: &Pod) -> Vec<String> {
    let PodSpec { containers, init_containers, ephemeral_containers, volumes, .. } = &pod.spec;
    let statuses = &pod.status;
    let statuses = statuses
        .container_statuses
        .iter()
        .chain(&statuses.init_container_statuses)
        .chain(&statuses.ephemeral_container_statuses);
    let ended: Vec<&str> = statuses
        .filter(|status| status.state.terminated.is_some())
        .map(|status| status.name.as_str())
        .collect();
    let containers = containers.iter().chain(init_containers).chain(ephemeral_containers);
    let containers = containers.filter(|container| !ended.contains(&container.name.as_str()));
    let volumes = volumes.iter().filter_map(|volume| volume.image.as_ref());
    containers
        .map(|container| container.image.clone())
        .chain(volumes.map(|image| image.reference.clone()))
        .collect()
}

/// The targets of a check: its own images, and those that its failing pods wait for.
///
/// Pods with the same image, the same secrets and the same gist of a complaint are one
/// target. The order does not depend on the order of the pods.
pub fn targets(spec: &RegistryCheckSpec, failing: &[FailingPod]) -> Vec<Target> {
    let mut grouped: BTreeMap<(String, SecretSource, Option<Complaint>), Target> = BTreeMap::new();
    for image in &spec.images {
        let secrets = secrets_of_spec(spec);
        grouped.entry((image.clone(), secrets.clone(), None)).or_insert_with(|| Target {
            image: image.clone(),
            secrets,
            complaint: None,
            pods: Vec::new(),
            fresh: false,
        });
    }
    for pod in failing {
        for wait in pod.waits.iter().filter(|wait| wait.registry().as_str() == spec.registry) {
            let secrets = pod.secrets();
            let key = (wait.image.clone(), secrets, Some(complaint::gist(&wait.complaint)));
            let target = grouped.entry(key).or_insert_with_key(|(image, secrets, _)| Target {
                image: image.clone(),
                secrets: secrets.clone(),
                complaint: Some(wait.complaint.clone()),
                pods: Vec::new(),
                fresh: false,
            });
            target.fresh |= wait.fresh;
            target.pods.push(pod.pod.clone());
        }
    }
    let mut targets: Vec<Target> = grouped.into_values().collect();
    for target in &mut targets {
        target.pods.sort();
        target.pods.dedup();
    }
    targets
}

fn secrets_of_spec(spec: &RegistryCheckSpec) -> SecretSource {
    if spec.image_pull_secrets.is_empty() {
        let account = spec.service_account_name.clone();
        SecretSource::Account(account.unwrap_or_else(|| "default".to_owned()))
    } else {
        let names = spec.image_pull_secrets.iter().map(|secret| secret.name.clone());
        SecretSource::Listed(names.collect())
    }
}

#[cfg(test)]
mod tests;
