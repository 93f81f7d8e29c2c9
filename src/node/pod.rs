//! The shape of the pod.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, ConfigMapVolumeSource, Container, HostPathVolumeSource, NodeAffinity,
    NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSecurityContext, PodSpec,
    ResourceRequirements, SeccompProfile, SecurityContext, Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{AZURE_CONFIG, CA_CONFIG_MAP, CA_DIRECTORY, CONTAINER, Place, Question, Shape, USER};

/// The fields that a pod of this shape may have once the API server has filled in the rest.
pub fn pod_keys() -> &'static [&'static str] {
    &[
        "activeDeadlineSeconds",
        "affinity",
        "automountServiceAccountToken",
        "containers",
        "dnsPolicy",
        "enableServiceLinks",
        "hostNetwork",
        "imagePullSecrets",
        "nodeName",
        "nodeSelector",
        "preemptionPolicy",
        "priority",
        "priorityClassName",
        "restartPolicy",
        "schedulerName",
        "securityContext",
        "serviceAccount",
        "serviceAccountName",
        "terminationGracePeriodSeconds",
        "tolerations",
        "volumes",
    ]
}

/// The same of its container.
pub fn container_keys() -> &'static [&'static str] {
    &[
        "args",
        "image",
        "imagePullPolicy",
        "name",
        "resources",
        "securityContext",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "volumeMounts",
    ]
}

/// The pod in which a node is asked.
pub fn pod(shape: &Shape, name: &str, question: &Question<'_>) -> Pod {
    let labels = BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), shape.namespace.clone()),
        ("app.kubernetes.io/version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ]);
    let user = if question.as_identity { shape.user } else { USER };
    let spec = PodSpec {
        restart_policy: Some("Never".to_owned()),
        active_deadline_seconds: i64::try_from(question.deadline().as_secs()).ok(),
        termination_grace_period_seconds: Some(0),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        host_network: shape.host_network.then_some(true),
        // The node's own resolver, as its runtime asks it, and not the cluster's.
        dns_policy: Some("Default".to_owned()),
        security_context: Some(PodSecurityContext {
            run_as_user: Some(user),
            run_as_group: Some(user),
            run_as_non_root: (user != 0).then_some(true),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        containers: vec![container(shape, question)],
        volumes: Some(volumes(shape, question)),
        ..PodSpec::default()
    };
    Pod {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(shape.namespace.clone()),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        spec: Some(placed(spec, question.place)),
        status: None,
    }
}

/// A pod for one node goes through the scheduler, as one of a `DaemonSet` does, so that it says
/// why it cannot run there; it tolerates what keeps others away, for the pod that fails is
/// there too. One for any node goes to one that takes pods.
fn placed(spec: PodSpec, place: &Place) -> PodSpec {
    match place {
        Place::Node(name) => {
            let field = NodeSelectorRequirement {
                key: "metadata.name".to_owned(),
                operator: "In".to_owned(),
                values: Some(vec![name.clone()]),
            };
            let term =
                NodeSelectorTerm { match_fields: Some(vec![field]), ..NodeSelectorTerm::default() };
            let of_node = NodeAffinity {
                required_during_scheduling_ignored_during_execution: Some(NodeSelector {
                    node_selector_terms: vec![term],
                }),
                ..NodeAffinity::default()
            };
            let affinity = Affinity { node_affinity: Some(of_node), ..Affinity::default() };
            let all = Toleration { operator: Some("Exists".to_owned()), ..Toleration::default() };
            PodSpec { affinity: Some(affinity), tolerations: Some(vec![all]), ..spec }
        }
        Place::Any(labels) => {
            let mut labels = labels.clone();
            labels.insert("kubernetes.io/os".to_owned(), "linux".to_owned());
            PodSpec { node_selector: Some(labels), ..spec }
        }
    }
}

fn container(shape: &Shape, question: &Question<'_>) -> Container {
    let quantities = |pairs: &[(&str, &str)]| {
        let pairs =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), Quantity((*value).to_owned())));
        Some(pairs.collect::<BTreeMap<_, _>>())
    };
    let mount = |name: &str, path: &str| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    let read = read(shape, question).into_iter().map(|(name, path, _)| mount(name, path));
    let mounts = [mount("ca", CA_DIRECTORY)].into_iter().chain(read);
    Container {
        name: CONTAINER.to_owned(),
        image: Some(shape.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(arguments(shape, question)),
        // What a program says that fails is then its result.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        resources: Some(ResourceRequirements {
            requests: quantities(&[("cpu", "10m"), ("memory", "32Mi")]),
            limits: quantities(&[("cpu", "500m"), ("memory", "64Mi")]),
            ..ResourceRequirements::default()
        }),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(mounts.collect()),
        ..Container::default()
    }
}

/// What is read of the node: the volume's name, the path, and what must be there (Kubernetes API,
/// `HostPathVolumeSource`). Who the node is, and for which registries, goes together.
fn read<'shape>(
    shape: &'shape Shape,
    question: &Question<'_>,
) -> Vec<(&'static str, &'shape str, &'static str)> {
    let mut read = Vec::new();
    if question.as_identity {
        read.push(("azure", AZURE_CONFIG, "File"));
        let providers = shape.opened.providers.as_deref();
        read.extend(providers.map(|path| ("providers", path, "File")));
    }
    read.extend(shape.opened.hosts.as_deref().map(|path| ("hosts", path, "Directory")));
    read
}

fn arguments(shape: &Shape, question: &Question<'_>) -> Vec<String> {
    let seconds = question.timeout.as_secs().max(1);
    let mut arguments = vec![
        "node-probe".to_owned(),
        format!("--timeout={seconds}s"),
        format!("--ca-directory={CA_DIRECTORY}"),
    ];
    arguments.extend(question.platform.map(|platform| format!("--platform={platform}")));
    if question.as_identity {
        arguments.push(format!("--azure-config={AZURE_CONFIG}"));
        let providers = shape.opened.providers.iter();
        arguments.extend(providers.map(|path| format!("--credential-provider-config={path}")));
    }
    arguments.extend(shape.opened.hosts.iter().map(|path| format!("--hosts-dir={path}")));
    arguments.extend(shape.targets.arguments());
    arguments.push(question.asked.to_owned());
    arguments
}

fn volumes(shape: &Shape, question: &Question<'_>) -> Vec<Volume> {
    let authorities = Volume {
        name: "ca".to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: CA_CONFIG_MAP.to_owned(),
            optional: Some(true),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    let of_node = read(shape, question).into_iter().map(|(name, path, kind)| Volume {
        name: name.to_owned(),
        host_path: Some(HostPathVolumeSource {
            path: path.to_owned(),
            type_: Some(kind.to_owned()),
        }),
        ..Volume::default()
    });
    [authorities].into_iter().chain(of_node).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::node::{NAMESPACE, OWNER_OF_THE_FILE, Opened};
    use crate::probe::targets::Targets;

    fn made(place: &Place, as_identity: bool) -> Value {
        made_with(Opened::default(), place, as_identity)
    }

    fn made_with(opened: Opened, place: &Place, as_identity: bool) -> Value {
        let shape = Shape {
            namespace: NAMESPACE.to_owned(),
            image: "r.test/registrycheck:1".to_owned(),
            user: OWNER_OF_THE_FILE,
            host_network: false,
            opened,
            targets: Targets::default(),
        };
        let timeout = Duration::from_secs(20);
        let question =
            Question { asked: "r.test/a:1", place, platform: None, timeout, as_identity };
        serde_json::to_value(pod(&shape, "node-probe-0", &question)).unwrap()
    }

    #[test]
    fn a_probe_that_reads_nothing_of_the_node_is_nobody() {
        let place = Place::Node("node-1".to_owned());
        let (with, without) = (made(&place, true), made(&place, false));
        assert_eq!(with["spec"]["securityContext"]["runAsUser"], 0);
        assert_eq!(without["spec"]["securityContext"]["runAsUser"], 65_532);
        assert_eq!(without["spec"]["securityContext"]["runAsNonRoot"], true);
        assert_eq!(with["spec"]["volumes"][1]["hostPath"]["type"], "File");
        assert_eq!(without["spec"]["volumes"].as_array().unwrap().len(), 1);
        assert!(!without.to_string().contains("hostPath"), "{without}");
    }

    #[test]
    fn what_an_operator_opens_is_read() {
        let opened = Opened {
            providers: Some("/var/lib/kubelet/providers.yaml".to_owned()),
            hosts: Some("/etc/containerd/certs.d".to_owned()),
        };
        let place = Place::Node("node-1".to_owned());
        let paths = |pod: &Value| -> Vec<String> {
            let volumes = pod["spec"]["volumes"].as_array().unwrap().iter().skip(1);
            volumes.map(|volume| volume["hostPath"]["path"].as_str().unwrap().to_owned()).collect()
        };
        let all = made_with(opened.clone(), &place, true);
        assert_eq!(
            paths(&all),
            [AZURE_CONFIG, "/var/lib/kubelet/providers.yaml", "/etc/containerd/certs.d"]
        );
        let words = all["spec"]["containers"][0]["args"].to_string();
        assert!(words.contains("--credential-provider-config=/var/lib/kubelet/providers.yaml"));
        assert!(words.contains("--hosts-dir=/etc/containerd/certs.d"), "{words}");
        let nobody = made_with(opened, &place, false);
        assert_eq!(paths(&nobody), ["/etc/containerd/certs.d"]);
    }

    #[test]
    fn only_a_named_node_is_entered_against_its_taints() {
        let named = made(&Place::Node("node-1".to_owned()), false);
        assert_eq!(named["spec"]["tolerations"][0]["operator"], "Exists");
        assert!(named["spec"]["nodeName"].is_null(), "the scheduler is asked");
        let any = made(&Place::Any(BTreeMap::new()), false);
        assert!(any["spec"]["tolerations"].is_null(), "{any}");
        assert_eq!(any["spec"]["nodeSelector"]["kubernetes.io/os"], "linux");
    }

    #[test]
    fn the_keys_are_those_of_the_shape() {
        let made = made(&Place::Node("node-1".to_owned()), true);
        for (object, known) in
            [(&made["spec"], pod_keys()), (&made["spec"]["containers"][0], container_keys())]
        {
            for key in object.as_object().unwrap().keys() {
                assert!(known.contains(&key.as_str()), "{key} is not in {known:?}");
            }
        }
    }
}
