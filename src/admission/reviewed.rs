//! What is reviewed: which images the pods of an object pull, and with which secrets. Pure.

use serde::Deserialize as _;
use serde_json::Value;

use crate::image::is_object_name;
use crate::target::SecretSource;
use crate::target::pod::PodSpec;

/// The pods that an object is or makes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pods {
    /// Their namespace.
    pub(super) namespace: String,
    /// Their images as written, each once.
    pub(super) images: Vec<String>,
    /// Where the list of their pull secrets stands.
    pub(super) secrets: SecretSource,
}

impl Pods {
    /// Reads an object of this kind; `None` where it neither is a pod nor makes any, and where the
    /// namespace is no name: in the path of a request it could lead elsewhere.
    pub(super) fn read(namespace: &str, kind: &str, object: &Value) -> Option<Self> {
        if !is_object_name(namespace) {
            return None;
        }
        let place = match kind {
            "Pod" => "/spec",
            "Deployment"
            | "StatefulSet"
            | "DaemonSet"
            | "ReplicaSet"
            | "ReplicationController"
            | "Job" => "/spec/template/spec",
            "CronJob" => "/spec/jobTemplate/spec/template/spec",
            _ => return None,
        };
        let spec = PodSpec::deserialize(object.pointer(place)?).ok()?;
        let listed = spec.image_pull_secrets.iter().map(|secret| secret.name.clone());
        let listed: Vec<String> = listed.filter(|name| !name.is_empty()).collect();
        // A pod that is reviewed has got its account's already
        // (`plugin/pkg/admission/serviceaccount/admission.go` of Kubernetes 1.35).
        let secrets = if listed.is_empty() && kind != "Pod" {
            let account = Some(spec.service_account_name.as_str()).filter(|name| !name.is_empty());
            SecretSource::Account(account.unwrap_or("default").to_owned())
        } else {
            SecretSource::Listed(listed)
        };
        let PodSpec { containers, init_containers, ephemeral_containers, volumes, .. } = &spec;
        let containers = init_containers.iter().chain(containers).chain(ephemeral_containers);
        let volumes = volumes.iter().filter_map(|volume| volume.image.as_ref());
        let all = containers
            .map(|container| &container.image)
            .chain(volumes.map(|image| &image.reference))
            .filter(|image| !image.is_empty());
        let mut images: Vec<String> = Vec::new();
        for image in all {
            if !images.contains(image) {
                images.push(image.clone());
            }
        }
        Some(Self { namespace: namespace.to_owned(), images, secrets })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec() -> Value {
        json!({
            "initContainers": [{"name": "i", "image": "r.test/init:1"}],
            "containers": [{"name": "a", "image": "r.test/a:1"}, {"name": "b", "image": "r.test/a:1"}],
            "volumes": [{"name": "v", "image": {"reference": "r.test/model:1"}}],
        })
    }

    #[track_caller]
    fn check(kind: &str, object: &Value, secrets: &SecretSource) {
        let pods = Pods::read("shop", kind, object).unwrap();
        assert_eq!(pods.images, ["r.test/init:1", "r.test/a:1", "r.test/model:1"]);
        assert_eq!(pods.secrets, *secrets, "{kind}");
    }

    #[test]
    fn pods_and_what_makes_them() {
        let account = SecretSource::Account("default".to_owned());
        check("Pod", &json!({"spec": spec()}), &SecretSource::Listed(Vec::new()));
        let template = json!({"spec": {"template": {"spec": spec()}}});
        for kind in ["Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet"] {
            check(kind, &template, &account);
        }
        let cron = json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": spec()}}}}});
        check("CronJob", &cron, &account);
        let mut own = spec();
        own["serviceAccountName"] = json!("robot");
        let template = json!({"spec": {"template": {"spec": own}}});
        check("Deployment", &template, &SecretSource::Account("robot".to_owned()));
        own["imagePullSecrets"] = json!([{"name": "one"}, {}]);
        let template = json!({"spec": {"template": {"spec": own}}});
        check("Deployment", &template, &SecretSource::Listed(vec!["one".to_owned()]));
    }

    #[test]
    fn what_makes_no_pods_is_passed_over() {
        assert_eq!(Pods::read("shop", "ConfigMap", &json!({"spec": spec()})), None);
        assert_eq!(Pods::read("shop", "Deployment", &json!({"spec": {}})), None);
        assert_eq!(Pods::read("shop", "Pod", &json!({"spec": {"containers": 1}})), None);
    }

    #[test]
    fn a_namespace_that_is_no_name_asks_nothing() {
        let pod = json!({"spec": spec()});
        assert!(Pods::read("shop", "Pod", &pod).is_some());
        for name in ["", "..", "../../secrets", "a/b", "a?b", "Shop"] {
            assert_eq!(Pods::read(name, "Pod", &pod), None, "{name}");
        }
    }
}
