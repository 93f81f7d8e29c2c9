//! Expiry: until when the credentials are valid with which pods pull, also pods that are not
//! there yet.
//!
//! Checks tell what they read; Deployments, StatefulSets, DaemonSets and CronJobs are watched
//! where the operator allows it, and the secrets that they reference are read by name, each at
//! most every 10 minutes. What has a date gets a series of the metric. What is over soon is said
//! once for each version of the secret, on the workload, and in the check of its namespace and
//! registry where there is one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use tracing::{info, warn};

use crate::diagnose::{self, Finding, Subject};
use crate::probe;
use crate::publish;
use crate::report::{self, Beside, Outcome};
use crate::resolve;

use super::pods::Key;
use super::{Context, chain, clock};

pub(super) mod ledger;
pub(super) mod workloads;

use ledger::{Due, Ledger, Object, Use};

/// How many reads are under way at once.
const AT_ONCE: usize = 4;
/// The shortest time between two looks at the ledger, so that a storm of changes costs a few.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// The longest: a date comes near by itself.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How many workloads are told of one version of a secret.
const MOST_TOLD: usize = 20;

/// What the operator decides about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// How long before its end a credential is warned of.
    pub warning: Duration,
    /// Whether workloads are watched.
    pub workloads: bool,
}

/// A version of a secret and a workload that was told of it, by namespace, secret, version and
/// uid.
type Told = BTreeSet<(String, String, String, String)>;

/// Reads what is due, and says what has changed: for ever.
pub(super) async fn keep(context: &Context) {
    let mut told = Told::new();
    let mut said = BTreeMap::new();
    loop {
        let due = {
            let mut ledger = context.ledger();
            ledger.tidy();
            ledger.due(clock::now())
        };
        read(context, due).await;
        let series = context.ledger().series();
        context.telemetry.credentials_end(series.into_iter().map(|(series, until)| {
            ([series.namespace, series.secret, series.registry], until.as_second())
        }));
        tell_workloads(context, &mut told).await;
        let now_said = keys(context);
        let changed = now_said.iter().filter(|(key, gist)| said.get(*key) != Some(*gist));
        let gone = said.keys().filter(|key| !now_said.contains_key(*key));
        let keys = changed.map(|(key, _)| key).chain(gone).cloned().collect();
        context.tell_changed(keys);
        said = now_said;
        tokio::time::sleep(SHORTEST_PAUSE).await;
        // Nothing may be due for long, but a date may have come near.
        let _nothing = tokio::time::timeout(LONGEST_PAUSE, context.ledger_changed.notified()).await;
    }
}

/// Accounts come first: they name secrets.
async fn read(context: &Context, due: Due) {
    let accounts = due.accounts.into_iter().map(|(namespace, name)| async move {
        match resolve::listed_by(&context.client, &namespace, &name).await {
            Ok(secrets) => {
                let name = (namespace, name);
                context.ledger().read_account(name, secrets, clock::now());
            }
            Err(error) => failed(context, Object::Account((namespace, name)), &error),
        }
    });
    stream::iter(accounts.collect::<Vec<_>>()).for_each_concurrent(AT_ONCE, |read| read).await;
    let secrets = context.ledger().due(clock::now()).secrets;
    let secrets = secrets.into_iter().map(|(namespace, name)| async move {
        match resolve::dated(&context.client, &namespace, &name, probe::expires).await {
            Ok(secret) => context.ledger().read_secret(&namespace, secret, clock::now()),
            Err(error) => failed(context, Object::Secret((namespace, name)), &error),
        }
    });
    stream::iter(secrets.collect::<Vec<_>>()).for_each_concurrent(AT_ONCE, |read| read).await;
}

/// What could not be read is due still, after a pause.
fn failed(context: &Context, object: Object, error: &resolve::Error) {
    context.ledger().failed(object, clock::now());
    context.telemetry.reconcile_failed("ReadExpiry");
    warn!(error = %chain(error), "cannot read until when a credential is valid; trying again");
}

/// What is to be said of a use now.
fn finding(context: &Context, used: &Use<'_>, now: Timestamp) -> Option<Finding> {
    let namespace = used.workload.namespace.as_str();
    let subject = Subject { namespace, image: used.repository, complaint: None };
    let warning = context.settings.expiry.warning;
    diagnose::expiry::of_date(subject, used.secret, used.until, warning, now)
}

/// Tells workloads whose secrets are over soon. An Event that cannot be written is tried again.
async fn tell_workloads(context: &Context, told: &mut Told) {
    let now = clock::now();
    let mut notices = Vec::new();
    let mut current = Told::new();
    {
        let ledger = context.ledger();
        // Of several dates of a secret, the first is told.
        let mut uses: Vec<_> = ledger.uses(None).collect();
        uses.sort_by_key(|used| used.until);
        for used in uses {
            let Some(finding) = finding(context, &used, now) else { continue };
            let workload = used.workload;
            let id = (
                workload.namespace.clone(),
                used.secret.to_owned(),
                used.version.to_owned(),
                format!("{} {}", workload.uid, finding.code),
            );
            let notice = report::to_workload(workload, &finding, used.secret, used.version);
            if current.insert(id.clone()) && !told.contains(&id) {
                notices.push((id, workload.clone(), notice));
            }
        }
    }
    told.retain(|id| current.contains(id));
    for (id, workload, notice) in notices {
        let (namespace, secret, version, _) = &id;
        let of_secret =
            told.iter().filter(|told| (&told.0, &told.1, &told.2) == (namespace, secret, version));
        if of_secret.count() >= MOST_TOLD {
            continue;
        }
        if !context.leadership.is_current() {
            return;
        }
        let instance = &context.settings.identity.name;
        match publish::notify(&context.client, &workload, &notice, instance, now).await {
            Ok(()) => {
                info!(%namespace, kind = workload.kind, name = %workload.name, %secret, reason = %notice.reason, "said of a workload that its pull secret ends");
            }
            Err(error) => {
                context.telemetry.reconcile_failed("WriteEvent");
                warn!(event = %notice.name, error = %chain(&error), "cannot write an Event");
                if !error.is_refusal() {
                    continue;
                }
            }
        }
        told.insert(id);
    }
}

/// What workloads add to the check of each namespace and registry, so that a change can be seen.
fn keys(context: &Context) -> BTreeMap<Key, BTreeSet<(String, &'static str)>> {
    let now = clock::now();
    let mut keys: BTreeMap<Key, BTreeSet<_>> = BTreeMap::new();
    for used in context.ledger().uses(None) {
        if let Some(finding) = finding(context, &used, now) {
            let gist = (finding.message, finding.code.as_str());
            keys.entry(used.key()).or_default().insert(gist);
        }
    }
    keys
}

/// What workloads add to the check of a namespace and registry: the first end first.
pub(super) fn of_workloads(context: &Context, key: &Key) -> Vec<Beside> {
    let now = clock::now();
    let ledger = context.ledger();
    let mut uses: Vec<_> =
        ledger.uses(Some(&key.namespace)).filter(|used| used.key() == *key).collect();
    uses.sort_by_key(|used| used.until);
    let beside = uses.iter().filter_map(|used| {
        let finding = finding(context, used, now)?;
        Some(Beside { finding, images: vec![used.repository.to_string()] })
    });
    beside.collect()
}

/// What the outcomes of a check add: credentials that the registry took and that end soon, or
/// before the check's next probe.
pub(super) fn of_outcomes(
    context: &Context,
    namespace: &str,
    outcomes: &[Outcome],
    interval: Duration,
) -> Vec<Beside> {
    let now = clock::now();
    let warning = context.settings.expiry.warning.max(interval);
    let beside = outcomes.iter().flat_map(|outcome| {
        let evidence = outcome.evidence.as_deref();
        let findings = evidence.map_or_else(Vec::new, |evidence| {
            let complaint = outcome.target.complaint.as_ref();
            let subject = Subject { namespace, image: &evidence.image, complaint };
            diagnose::expiry::of_evidence(subject, evidence, warning, now)
        });
        let image = &outcome.target.image;
        findings.into_iter().map(move |finding| Beside { finding, images: vec![image.clone()] })
    });
    beside.collect()
}

impl Context {
    /// A check has no targets any more, or is gone.
    pub(super) fn no_targets(&self, uid: &str) {
        if self.ledger().forget_check(uid) {
            self.ledger_changed.notify_one();
        }
    }

    pub(super) fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
