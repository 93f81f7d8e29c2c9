//! What anybody may see of the pods and checks of the lab, and when it was seen first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use registrycheck::api::{ConditionStatus, RegistryCheck};

use crate::ground;

/// The container whose image the case is about.
const SUBJECT: &str = "subject";

/// What was seen, by namespace.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<BTreeMap<String, Sight>>>);

/// What was seen in one namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sight {
    /// When the pod's first failure was seen.
    pub(crate) failed: Option<Instant>,
    /// How many attempts failed: a reason that is no back-off, after none or after one.
    pub(crate) failures: u32,
    /// The first failure's words.
    pub(crate) first_words: Option<String>,
    /// The last failure's words.
    pub(crate) words: String,
    /// The reason of that failure.
    pub(crate) reason: String,
    /// Whether the image was pulled: its container started, or could not for another cause.
    pub(crate) pulled: bool,
    /// The first answer, and when.
    pub(crate) first: Option<(Instant, Answer)>,
    /// The last one.
    pub(crate) last: Option<Answer>,
    was_failing: bool,
}

/// Ready, and what the first finding says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Ready's status.
    pub(crate) status: ConditionStatus,
    /// Ready's reason.
    pub(crate) code: String,
    /// The confidence of the finding with that code.
    pub(crate) confidence: String,
    /// Ready's message.
    pub(crate) message: String,
}

impl Seen {
    /// What was seen in a namespace until now.
    pub(crate) fn of(&self, namespace: &str) -> Sight {
        self.0.lock().unwrap().get(namespace).cloned().unwrap_or_default()
    }

    /// Watches the pods until the end.
    pub(crate) async fn watch_pods(self, client: Client) {
        let pods = objects::<Pod>(&client).for_each(|pod| {
            self.note(pod.metadata.namespace.as_deref(), |sight| sight.see_pod(&pod));
            std::future::ready(())
        });
        pods.await;
    }

    /// Watches pods and checks until the end.
    pub(crate) async fn watch(self, client: Client) {
        let pods = self.clone().watch_pods(client.clone());
        let checks = objects::<RegistryCheck>(&client).for_each(|check| {
            self.note(check.metadata.namespace.as_deref(), |sight| sight.see_check(&check));
            std::future::ready(())
        });
        tokio::join!(pods, checks);
    }

    fn note(&self, namespace: Option<&str>, see: impl Fn(&mut Sight)) {
        let mut all = self.0.lock().unwrap();
        see(all.entry(namespace.unwrap_or_default().to_owned()).or_default());
    }
}

fn objects<K>(client: &Client) -> impl futures::Stream<Item = K> + Send + use<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + Send + 'static,
    K: serde::de::DeserializeOwned,
{
    let watched = watcher(Api::<K>::all(client.clone()), watcher::Config::default());
    watched.applied_objects().filter_map(|object| std::future::ready(object.ok()))
}

impl Sight {
    fn see_pod(&mut self, pod: &Pod) {
        let Some(status) = &pod.status else { return };
        let lists = [
            &status.init_container_statuses,
            &status.container_statuses,
            &status.ephemeral_container_statuses,
        ];
        let subject = lists.into_iter().flatten().flatten().find(|status| status.name == SUBJECT);
        let Some(state) = subject.and_then(|status: &ContainerStatus| status.state.as_ref()) else {
            return;
        };
        let waiting = state.waiting.as_ref().and_then(|waiting| waiting.reason.as_deref());
        match waiting {
            None => self.pulled |= state.running.is_some() || state.terminated.is_some(),
            Some("ContainerCreating" | "PodInitializing") => {}
            Some("CreateContainerError" | "RunContainerError" | "CrashLoopBackOff") => {
                self.pulled = true;
            }
            Some("ImagePullBackOff") => self.was_failing = false,
            Some(reason) => {
                self.failures += u32::from(!self.was_failing);
                self.was_failing = true;
                self.failed.get_or_insert_with(Instant::now);
                reason.clone_into(&mut self.reason);
                let waiting = state.waiting.as_ref();
                self.words = waiting.and_then(|w| w.message.clone()).unwrap_or_default();
                self.first_words.get_or_insert_with(|| self.words.clone());
            }
        }
    }

    fn see_check(&mut self, check: &RegistryCheck) {
        let Some(ready) = ground::ready(check).filter(|ready| ready.reason != "Progressing") else {
            return;
        };
        let findings = check.status.iter().flat_map(|status| &status.findings);
        let finding = findings.into_iter().find(|finding| finding.code == ready.reason);
        let answer = Answer {
            status: ready.status,
            code: ready.reason.clone(),
            confidence: finding.map_or_else(String::new, |f| format!("{:?}", f.confidence)),
            message: ready.message.clone(),
        };
        self.first.get_or_insert_with(|| (Instant::now(), answer.clone()));
        self.last = Some(answer);
    }
}
