//! The world that the controller explains: registries, namespaces with secrets and pods, and what
//! a kubelet would say of these. The truth is known from it.

use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use registrycheck::api::{ConditionStatus, RegistryCheck};
use serde_json::{Value, json};

use crate::apart::Apart;
use crate::ground::{pod, pod_status, ready};
use crate::patience::done;
use crate::registry::{Mode, Registry};

/// How many namespaces there are, each with pods of each registry.
pub(crate) const NAMESPACES: usize = 4;
/// How many registries there are.
pub(crate) const REGISTRIES: usize = 3;
/// How many pods of one registry a namespace has at most.
const MOST_PODS: usize = 3;

/// The pods of one namespace that want an image of one registry, and that have not got it.
#[derive(Default)]
pub(crate) struct Pair {
    pods: Vec<String>,
}

/// The world.
pub(crate) struct World<'apart> {
    /// Where it is written.
    pub(crate) apart: &'apart Apart,
    /// The registries.
    pub(crate) registries: Vec<Registry>,
    /// Which namespaces have their pull secret.
    pub(crate) secrets: [bool; NAMESPACES],
    pairs: Vec<Vec<Pair>>,
    /// How many pods there were.
    made: usize,
}

/// The name of a namespace.
pub(crate) fn namespace(number: usize) -> String {
    format!("chaos-{number}")
}

impl<'apart> World<'apart> {
    pub(crate) fn new(apart: &'apart Apart, registries: Vec<Registry>) -> Self {
        let pairs =
            (0..NAMESPACES).map(|_| (0..REGISTRIES).map(|_| Pair::default()).collect()).collect();
        Self { apart, registries, secrets: [false; NAMESPACES], pairs, made: 0 }
    }

    fn api<K>(&self, number: usize) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.apart.client.clone(), &namespace(number))
    }

    /// Makes a namespace with its secret, and a pod of each registry.
    pub(crate) async fn make(&mut self, number: usize) {
        let name = namespace(number);
        let namespaces: Api<Namespace> = Api::all(self.apart.client.clone());
        let object = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        done("a namespace is made", || async {
            namespaces.create(&PostParams::default(), &object).await
        })
        .await;
        self.apart.make_account(&name).await;
        self.make_secret(number).await;
        for registry in 0..REGISTRIES {
            self.pairs[number][registry].pods.clear();
            self.add_pod(number, registry).await;
        }
    }

    /// Deletes a namespace with all that is in it, and makes it again.
    pub(crate) async fn remake(&mut self, number: usize) {
        let namespaces: Api<Namespace> = Api::all(self.apart.client.clone());
        let name = namespace(number);
        done("a namespace is deleted", || async {
            match namespaces.delete(&name, &DeleteParams::default()).await {
                Ok(_) => Ok(()),
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
                Err(error) => Err(error),
            }
        })
        .await;
        done("a namespace is gone", || async {
            let left = namespaces.get_opt(&name).await.map_err(|error| error.to_string())?;
            left.map_or(Ok(()), |_| Err("it is there still".to_owned()))
        })
        .await;
        self.make(number).await;
    }

    /// Makes the pull secret of a namespace.
    pub(crate) async fn make_secret(&mut self, number: usize) {
        let auth = json!({"username": "alice", "password": "chaos-canary-0815"});
        let auths: serde_json::Map<String, Value> =
            self.registries.iter().map(|registry| (registry.host.clone(), auth.clone())).collect();
        let secret = serde_json::from_value(json!({
            "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": "regcred"},
            "stringData": {".dockerconfigjson": json!({"auths": auths}).to_string()},
        }))
        .unwrap();
        let secrets: Api<Secret> = self.api(number);
        done("a secret is made", || async {
            secrets.create(&PostParams::default(), &secret).await
        })
        .await;
        self.secrets[number] = true;
    }

    /// Deletes the pull secret of a namespace.
    pub(crate) async fn delete_secret(&mut self, number: usize) {
        let secrets: Api<Secret> = self.api(number);
        done("a secret is deleted", || async {
            gone(secrets.delete("regcred", &DeleteParams::default()).await)
        })
        .await;
        self.secrets[number] = false;
    }

    /// One more pod, if there is room for it.
    pub(crate) async fn add_pod(&mut self, number: usize, registry: usize) {
        if self.pairs[number][registry].pods.len() >= MOST_PODS {
            return;
        }
        self.made += 1;
        let name = format!("app-{}", self.made);
        let mut object = pod(&name, &self.image(registry), &["regcred"]);
        object["spec"]["schedulerName"] = json!("nobody");
        let object = serde_json::from_value(object).unwrap();
        let pods: Api<Pod> = self.api(number);
        done("a pod is made", || async { pods.create(&PostParams::default(), &object).await })
            .await;
        self.pairs[number][registry].pods.push(name.clone());
        self.says(number, registry, &name).await;
    }

    /// One pod less, if there is one.
    pub(crate) async fn delete_pod(&mut self, number: usize, registry: usize) {
        let Some(name) = self.pairs[number][registry].pods.pop() else { return };
        let pods: Api<Pod> = self.api(number);
        let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        done("a pod is deleted", || async { gone(pods.delete(&name, &now).await) }).await;
    }

    /// The kubelet tries each pod again: what can be pulled starts, and of the rest it says why.
    pub(crate) async fn kubelet_tries_again(&mut self) {
        for number in 0..NAMESPACES {
            for registry in 0..REGISTRIES {
                for name in self.pairs[number][registry].pods.clone() {
                    self.says(number, registry, &name).await;
                }
                if self.cause(number, registry).is_none() {
                    self.pairs[number][registry].pods.clear();
                }
            }
        }
    }

    fn image(&self, registry: usize) -> String {
        format!("{}/shop/api:v1", self.registries[registry].host)
    }

    /// Why an image cannot be pulled, as a code and in the words of a kubelet.
    fn cause(&self, number: usize, registry: usize) -> Option<(&'static str, String)> {
        let Registry { host, mode, .. } = &self.registries[registry];
        let image = self.image(registry);
        let resolve = format!(
            "rpc error: code = Unknown desc = failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\""
        );
        let url = format!("https://{host}/v2/shop/api/manifests/v1");
        match mode {
            Mode::Closed => Some((
                "ConnectionRefused",
                format!(
                    "{resolve}: failed to do request: Head \"{url}\": dial tcp 10.0.4.{}:443: connect: connection refused",
                    registry + 1
                ),
            )),
            Mode::Unavailable => Some((
                "RegistryUnavailable",
                format!(
                    "{resolve}: unexpected status from HEAD request to {url}: 503 Service Unavailable"
                ),
            )),
            Mode::LacksTag | Mode::Serves if !self.secrets[number] => Some((
                "PullSecretMissing",
                format!(
                    "{resolve}: pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials"
                ),
            )),
            Mode::LacksTag => Some((
                "TagNotFound",
                format!("{}: {image}: not found", resolve.replace("Unknown", "NotFound")),
            )),
            Mode::Serves => None,
        }
    }

    /// The kubelet's word on one pod.
    async fn says(&self, number: usize, registry: usize, name: &str) {
        let image = self.image(registry);
        let state = match self.cause(number, registry) {
            Some((_, words)) => {
                let words = format!("Back-off pulling image \"{image}\": ErrImagePull: {words}");
                json!({"waiting": {"reason": "ImagePullBackOff", "message": words}})
            }
            None => json!({"waiting": null, "running": {"startedAt": "2026-01-01T00:00:00Z"}}),
        };
        let status = pod_status(&image, &state);
        let pods: Api<Pod> = self.api(number);
        done("a pod's status is written", || async {
            let patch = Patch::Merge(&status);
            gone(pods.patch_status(name, &PatchParams::default(), &patch).await)
        })
        .await;
    }

    /// What is wrong with what the checks say; nothing where all of it is true.
    pub(crate) fn wrong(&self, checks: &[RegistryCheck]) -> Vec<String> {
        let mut wrong = Vec::new();
        for number in 0..NAMESPACES {
            for registry in 0..REGISTRIES {
                let (name, host) = (namespace(number), &self.registries[registry].host);
                let is_it = |check: &&RegistryCheck| {
                    check.metadata.namespace.as_ref() == Some(&name) && check.spec.registry == *host
                };
                let check = checks.iter().find(is_it);
                let n_pods = self.pairs[number][registry].pods.len();
                let cause = self.cause(number, registry).filter(|_| n_pods > 0);
                let said = check.and_then(|check| {
                    let ready = ready(check)?;
                    let affected = check.status.as_ref()?.affected_pods;
                    Some((ready.status, ready.reason.as_str(), affected))
                });
                let is_right = match (&cause, said) {
                    (Some((code, _)), Some((ConditionStatus::False, reason, affected))) => {
                        reason == *code && affected == i64::try_from(n_pods).unwrap()
                    }
                    (Some(_), _) => false,
                    (None, Some((status, _, affected))) => {
                        status != ConditionStatus::False && affected == 0
                    }
                    (None, None) => check.is_none(),
                };
                if !is_right {
                    let expected = cause.map(|(code, _)| code);
                    wrong.push(format!(
                        "{name}/{host}: {said:?} where {expected:?} of {n_pods} pods was right"
                    ));
                }
            }
        }
        wrong
    }
}

/// What is gone need not be deleted or told anything.
fn gone<T>(result: kube::Result<T>) -> kube::Result<()> {
    match result {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
}
