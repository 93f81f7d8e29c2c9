//! What was told: every version of every check that anybody saw, and the Events about them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use kube::runtime::watcher::{self, Event as Watched, watcher};
use kube::{Api, Client};
use registrycheck::api::{ConditionStatus, RegistryCheck};
use serde_json::Value;

use crate::ground::ready;
use crate::wire::Write;

/// Ready of one version: its status and its reason.
type Ready = (ConditionStatus, String);

/// The versions of all checks, by uid and by version.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<BTreeMap<String, BTreeMap<u64, Ready>>>>);

/// What is wrong with the Events.
#[derive(Default)]
pub(crate) struct Judged {
    /// How many transitions each check made, by its uid.
    pub(crate) transitions: BTreeMap<String, usize>,
    /// Transitions without one.
    pub(crate) lost: Vec<String>,
    /// Events without a transition, of which no attempt to write one is known.
    pub(crate) doubled: Vec<String>,
}

impl Told {
    /// Sees each version that a watch shows, for ever.
    pub(crate) async fn watch(self, client: Client) {
        let checks: Api<RegistryCheck> = Api::all(client);
        let mut events = watcher(checks, watcher::Config::default()).boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(Watched::Apply(check) | Watched::InitApply(check) | Watched::Delete(check)) => {
                    self.see(&check);
                }
                Ok(Watched::Init | Watched::InitDone) => {}
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
            }
        }
    }

    fn see(&self, check: &RegistryCheck) {
        let version = check.metadata.resource_version.as_deref().and_then(|text| text.parse().ok());
        let (Some(uid), Some(version)) = (check.metadata.uid.clone(), version) else { return };
        let Some(ready) = ready(check).map(|ready| (ready.status, ready.reason.clone())) else {
            return;
        };
        self.0.lock().unwrap().entry(uid).or_default().insert(version, ready);
    }

    /// Sees each version that was written, as the wire has it.
    pub(crate) fn see_writes(&self, writes: &[Write]) {
        for write in writes.iter().filter(|write| is_status(write)) {
            if let Some((200, answer)) = &write.answer
                && let Ok(check) = serde_json::from_value(answer.clone())
            {
                self.see(&check);
            }
        }
    }

    /// Compares what was seen of these checks with the Events about them.
    pub(crate) async fn judge(
        &self,
        client: &Client,
        writes: &[Write],
        uids: &BTreeSet<String>,
    ) -> Judged {
        let events: Api<Event> = Api::all(client.clone());
        let events = events.list(&ListParams::default()).await.unwrap().items;
        let mut said: BTreeMap<(String, String), usize> = BTreeMap::new();
        for event in events {
            let about = event.involved_object;
            if about.kind.as_deref() == Some("RegistryCheck") {
                let key = (about.uid.unwrap_or_default(), event.reason.unwrap_or_default());
                *said.entry(key).or_default() += 1;
            }
        }
        let mut wanted: BTreeMap<(String, String), usize> = BTreeMap::new();
        let versions = self.0.lock().unwrap();
        for uid in uids {
            for reason in versions.get(uid).map(transitions).unwrap_or_default() {
                *wanted.entry((uid.clone(), reason)).or_default() += 1;
            }
        }
        let unwritten = unwritten(writes);
        let mut judged = Judged::default();
        let keys: BTreeSet<_> = said.keys().chain(wanted.keys()).cloned().collect();
        for key in keys.into_iter().filter(|(uid, _)| uids.contains(uid)) {
            let count = |of: &BTreeMap<_, usize>| of.get(&key).copied().unwrap_or_default();
            let (said, wanted, unwritten) = (count(&said), count(&wanted), count(&unwritten));
            let (uid, reason) = &key;
            *judged.transitions.entry(uid.clone()).or_default() += wanted;
            let words = format!("{uid} {reason}: {wanted} transitions, {said} Events");
            if said < wanted {
                judged.lost.push(words);
            } else if said > wanted + unwritten {
                judged.doubled.push(words);
            }
        }
        judged
    }
}

/// The reasons of the Events that these versions are worth, as docs/registrycheck.md has it.
fn transitions(versions: &BTreeMap<u64, Ready>) -> Vec<String> {
    let mut before: Option<&Ready> = None;
    let mut transitions = Vec::new();
    for ready in versions.values() {
        let is_doubt = |(status, reason): &Ready| match status {
            ConditionStatus::False => true,
            ConditionStatus::Unknown => {
                !matches!(reason.as_str(), "NoTargets" | "Suspended" | "Progressing")
            }
            ConditionStatus::True => false,
        };
        match ready.0 {
            ConditionStatus::False if before != Some(ready) => transitions.push(ready.1.clone()),
            ConditionStatus::True if before.is_some_and(is_doubt) => {
                transitions.push("Pullable".to_owned());
            }
            ConditionStatus::False | ConditionStatus::True | ConditionStatus::Unknown => {}
        }
        before = Some(ready);
    }
    transitions
}

fn is_status(write: &Write) -> bool {
    write.method == "PATCH"
        && write.path.contains("/registrychecks/")
        && write.path.ends_with("/status")
}

/// How often an Event about a check was made whose status was not written after it: a fault came
/// in between, and then the world was another one. Whoever says the same again before it is
/// written has to say it by the same name, so that it counts once.
fn unwritten(writes: &[Write]) -> BTreeMap<(String, String), usize> {
    // What was said of each check since its status was written last.
    let mut open: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut unwritten = BTreeMap::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut excuse = |uid: &str, reasons: BTreeSet<String>, written: &str| {
        for reason in reasons.into_iter().filter(|reason| reason != written) {
            *unwritten.entry((uid.to_owned(), reason)).or_default() += 1;
        }
    };
    for write in writes {
        let about = &write.body["regarding"];
        if write.method == "POST" && about["kind"] == "RegistryCheck" {
            open.entry(text(&about["uid"])).or_default().insert(text(&write.body["reason"]));
        }
        if is_status(write) && matches!(write.answer, Some((200, _))) {
            let uid = text(&write.body["metadata"]["uid"]);
            let conditions = write.body["status"]["conditions"].as_array();
            let ready = conditions.and_then(|all| all.iter().find(|one| one["type"] == "Ready"));
            let written = ready.map_or(String::new(), |ready| match ready["status"].as_str() {
                Some("True") => "Pullable".to_owned(),
                _ => text(&ready["reason"]),
            });
            excuse(&uid, open.remove(&uid).unwrap_or_default(), &written);
        }
    }
    for (uid, reasons) in open {
        excuse(&uid, reasons, "");
    }
    unwritten
}
