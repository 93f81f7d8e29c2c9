//! What breaks, in an order that a seed gives.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use registrycheck::api::RegistryCheck;
use registrycheck::install;
use serde_json::{Value, json};

use crate::patience::done;
use crate::registry::Mode;
use crate::replica::Replica;
use crate::wire::Trouble;
use crate::world::{NAMESPACES, REGISTRIES, World};

/// Numbers that look random and follow from a seed (xorshift64*, Vigna 2014).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// One of the numbers below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % end
    }

    fn seconds(&mut self, tenths: usize) -> Duration {
        Duration::from_millis(u64::try_from(200 + 100 * self.below(tenths)).unwrap())
    }
}

/// Something that breaks, or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    WireCut,
    WatchesEnd,
    WatchesGone,
    Answer429,
    Answer500,
    Answer503,
    Conflicts,
    AnswersLost,
    StatusesRefused,
    Slow,
    ServerRestart,
    Compaction,
    CrdRemoved,
    NamespaceRemade,
    SecretDeleted,
    SecretMade,
    RegistryTurns,
    ControllerKilled,
    PodMade,
    PodDeleted,
    CheckDeleted,
}

/// Each as often as it is to come: what takes long comes seldom.
const FAULTS: &[(Fault, usize)] = &[
    (Fault::WireCut, 2),
    (Fault::WatchesEnd, 3),
    (Fault::WatchesGone, 3),
    (Fault::Answer429, 3),
    (Fault::Answer500, 3),
    (Fault::Answer503, 2),
    (Fault::Conflicts, 3),
    (Fault::AnswersLost, 4),
    (Fault::StatusesRefused, 4),
    (Fault::Slow, 2),
    (Fault::ServerRestart, 1),
    (Fault::Compaction, 3),
    (Fault::CrdRemoved, 1),
    (Fault::NamespaceRemade, 2),
    (Fault::SecretDeleted, 3),
    (Fault::SecretMade, 3),
    (Fault::RegistryTurns, 6),
    (Fault::ControllerKilled, 3),
    (Fault::PodMade, 4),
    (Fault::PodDeleted, 3),
    (Fault::CheckDeleted, 2),
];

/// The next fault.
pub(crate) fn next(random: &mut Random) -> Fault {
    let all: usize = FAULTS.iter().map(|(_, times)| times).sum();
    let mut place = random.below(all);
    for (fault, times) in FAULTS {
        if place < *times {
            return *fault;
        }
        place -= times;
    }
    unreachable!("a place below the sum is in it")
}

/// Has it happen; what of it is to be read in a report.
pub(crate) async fn happen(
    fault: Fault,
    random: &mut Random,
    world: &mut World<'_>,
    replica: &mut Replica,
) -> String {
    let (namespace, registry) = (random.below(NAMESPACES), random.below(REGISTRIES));
    let lasts = random.seconds(30);
    let trouble = match fault {
        Fault::WireCut => Some(Trouble::Cut),
        Fault::WatchesEnd => Some(Trouble::WatchesEnd),
        Fault::WatchesGone => Some(Trouble::Gone),
        Fault::Answer429 => Some(Trouble::Refused(429)),
        Fault::Answer500 => Some(Trouble::Refused(500)),
        Fault::Answer503 => Some(Trouble::Refused(503)),
        Fault::Conflicts => Some(Trouble::Conflict),
        Fault::AnswersLost => Some(Trouble::AnswersLost),
        Fault::StatusesRefused => Some(Trouble::StatusesRefused),
        Fault::Slow => Some(Trouble::Slow),
        _ => None,
    };
    if let Some(trouble) = trouble {
        replica.wire.trouble(trouble, lasts);
        return format!("{fault:?} for {lasts:?}");
    }
    match fault {
        Fault::ServerRestart => world.apart.restart(lasts).await,
        Fault::Compaction => compact().await,
        Fault::CrdRemoved => remove_crd(world).await,
        Fault::NamespaceRemade => world.remake(namespace).await,
        Fault::SecretDeleted => world.delete_secret(namespace).await,
        Fault::SecretMade => world.make_secret(namespace).await,
        Fault::RegistryTurns => {
            let modes = [Mode::Serves, Mode::LacksTag, Mode::Unavailable, Mode::Closed];
            let mode = modes[random.below(modes.len())];
            world.registries[registry].turn(mode).await;
            return format!("registry {registry} turns to {mode:?}");
        }
        Fault::ControllerKilled => replica.kill_and_start(),
        Fault::PodMade => world.add_pod(namespace, registry).await,
        Fault::PodDeleted => world.delete_pod(namespace, registry).await,
        Fault::CheckDeleted => delete_a_check(random, world).await,
        _ => unreachable!("the others are troubles of the wire"),
    }
    format!("{fault:?} (namespace {namespace}, registry {registry}, {lasts:?})")
}

/// Forgets all versions but the newest, as etcd does now and then.
async fn compact() {
    let etcd = "http://127.0.0.1:2379/v3/kv";
    let client = reqwest::Client::new();
    let ask = async |path: &str, question: Value| {
        let answer = client.post(format!("{etcd}/{path}")).body(question.to_string()).send().await;
        let bytes = answer.unwrap().bytes().await.unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()
    };
    let newest = ask("range", json!({"key": "AA==", "limit": 1})).await;
    let revision = newest["header"]["revision"].clone();
    let compacted = ask("compaction", json!({"revision": revision})).await;
    let is_done = compacted["header"].is_object() || compacted.to_string().contains("compacted");
    assert!(is_done, "{compacted}");
}

async fn remove_crd(world: &World<'_>) {
    let client = &world.apart.client;
    let crds = Api::<CustomResourceDefinition>::all(client.clone());
    let crd: CustomResourceDefinition = serde_json::from_value(install::crd()).unwrap();
    let name = crd.metadata.name.clone().unwrap();
    done("the CRD is deleted", || async {
        match crds.delete(&name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => other.map(|_| ()),
        }
    })
    .await;
    done("the CRD is gone", || async {
        let left = crds.get_opt(&name).await.map_err(|error| error.to_string())?;
        left.map_or(Ok(()), |_| Err("it is there still".to_owned()))
    })
    .await;
    done("the CRD is made", || async { crds.create(&PostParams::default(), &crd).await }).await;
    let checks = Api::<RegistryCheck>::all(client.clone());
    done("the CRD is served", || async { checks.list(&ListParams::default()).await }).await;
}

async fn delete_a_check(random: &mut Random, world: &World<'_>) {
    let all = Api::<RegistryCheck>::all(world.apart.client.clone());
    let Ok(list) = all.list(&ListParams::default()).await else { return };
    if list.items.is_empty() {
        return;
    }
    let check = &list.items[random.below(list.items.len())].metadata;
    let (namespace, name) = (check.namespace.clone().unwrap(), check.name.clone().unwrap());
    let checks: Api<RegistryCheck> = Api::namespaced(world.apart.client.clone(), &namespace);
    // Whoever deletes what is gone has what they want.
    let _gone = checks.delete(&name, &DeleteParams::default()).await;
}
