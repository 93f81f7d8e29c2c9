//! The part of a workload that says which images its pods pull, and with whose secrets, also
//! where it has no pod at the moment.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};

use crate::image::ImageRef;

use super::SecretSource;

/// What makes pods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkloadRef {
    /// Its group and version: `apps/v1`.
    pub api_version: &'static str,
    /// Its kind: `Deployment`.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// Which repositories are pulled with which secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulls {
    /// Where the list of pull secrets stands.
    pub secrets: SecretSource,
    /// The repositories, with their registry and without a tag.
    pub repositories: BTreeSet<ImageRef>,
}

impl Pulls {
    /// What the pods of a template pull. A pod gets the secrets of its service account only
    /// where it lists none itself (`plugin/pkg/admission/serviceaccount/admission.go` of
    /// Kubernetes 1.35).
    pub fn of_template(template: &PodTemplateSpec) -> Option<Self> {
        let spec = template.spec.as_ref()?;
        let listed = spec.image_pull_secrets.iter().flatten();
        let listed: Vec<String> =
            listed.map(|secret| secret.name.clone()).filter(|name| !name.is_empty()).collect();
        let secrets = if listed.is_empty() {
            let account = spec.service_account_name.clone().filter(|name| !name.is_empty());
            SecretSource::Account(account.unwrap_or_else(|| "default".to_owned()))
        } else {
            SecretSource::Listed(listed)
        };
        Some(Self { secrets, repositories: repositories(images(spec)) })
    }
}

/// The repositories of images, each once; a text that names no image has none.
pub fn repositories<'image>(images: impl Iterator<Item = &'image str>) -> BTreeSet<ImageRef> {
    let images = images.filter_map(|image| ImageRef::parse(image).ok());
    images.filter_map(|image| ImageRef::parse(&image.repository()).ok()).collect()
}

fn images(spec: &PodSpec) -> impl Iterator<Item = &str> {
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let volumes = spec.volumes.iter().flatten().filter_map(|volume| volume.image.as_ref());
    containers
        .filter_map(|container| container.image.as_deref())
        .chain(volumes.filter_map(|image| image.reference.as_deref()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(spec: &Value, secrets: &SecretSource, repositories: &[&str]) {
        let template: PodTemplateSpec = serde_json::from_value(json!({"spec": spec})).unwrap();
        let pulls = Pulls::of_template(&template).unwrap();
        assert_eq!(pulls.secrets, *secrets);
        let found: Vec<String> = pulls.repositories.iter().map(ToString::to_string).collect();
        assert_eq!(found, repositories);
    }

    #[test]
    fn a_template_lists_secrets_or_has_those_of_its_account() {
        let listed = |names: &[&str]| {
            SecretSource::Listed(names.iter().map(|name| (*name).to_owned()).collect())
        };
        let account = |name: &str| SecretSource::Account(name.to_owned());
        let container = json!({"name": "c", "image": "r.test/a:1"});
        let containers = json!([container]);
        check(&json!({"containers": containers}), &account("default"), &["r.test/a"]);
        let own = json!({"containers": containers, "serviceAccountName": "robot"});
        check(&own, &account("robot"), &["r.test/a"]);
        let both = json!({
            "containers": containers, "serviceAccountName": "robot",
            "imagePullSecrets": [{"name": "one"}, {}, {"name": "two"}],
        });
        check(&both, &listed(&["one", "two"]), &["r.test/a"]);
        let empty = json!({"containers": containers, "imagePullSecrets": [{}]});
        check(&empty, &account("default"), &["r.test/a"]);
    }

    #[test]
    fn every_image_counts_once_for_its_repository() {
        let spec = json!({
            "containers": [
                {"name": "a", "image": "r.test/a:1"},
                {"name": "b", "image": "r.test/a@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                {"name": "c", "image": "No Image"},
                {"name": "d"},
            ],
            "initContainers": [{"name": "i", "image": "busybox"}],
            "volumes": [
                {"name": "v", "image": {"reference": "models.test/m:2"}},
                {"name": "w", "emptyDir": {}},
            ],
        });
        let account = SecretSource::Account("default".to_owned());
        let expected = ["docker.io/library/busybox", "models.test/m", "r.test/a"];
        check(&spec, &account, &expected);
    }
}
