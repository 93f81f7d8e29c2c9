//! The ledger: who pulls with which secrets, and until when those are valid.
//!
//! Pure: what was read goes in with the time, what is to be read and what is to be said come
//! out. It keeps of a workload only what it pulls and with whose secrets, and of a secret only
//! dates.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::image::ImageRef;
use crate::resolve::DatedSecret;
use crate::target::workload::{Pulls, WorkloadRef};
use crate::target::{SecretSource, registry_of};

use super::super::pods::Key;

/// How often a secret or a service account is read on behalf of workloads, at most.
const BETWEEN_READS: Duration = Duration::from_secs(10 * 60);
/// How long one that could not be read is left alone, whatever else changes meanwhile.
const AFTER_FAILURE: Duration = Duration::from_secs(15);

/// A namespace and a name in it.
type Name = (String, String);

/// Who pulls with which secrets, and until when those are valid.
#[derive(Default)]
pub(in crate::controller) struct Ledger {
    workloads: BTreeMap<WorkloadId, (WorkloadRef, Pulls)>,
    /// What each check's targets pull, by the check's uid: with secrets that it reads itself.
    checks: BTreeMap<String, (String, Pulls)>,
    accounts: BTreeMap<Name, Account>,
    secrets: BTreeMap<Name, Known>,
    /// When a read of an account or a secret failed last.
    failures: BTreeMap<Object, Timestamp>,
}

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::controller) enum Object {
    /// A service account, by namespace and name.
    Account(Name),
    /// A secret, by namespace and name.
    Secret(Name),
}

/// What a workload is told apart by: kind, namespace and name.
pub(in crate::controller) type WorkloadId = (&'static str, String, String);

/// A service account, as it was read last.
struct Account {
    secrets: Vec<String>,
    read_at: Timestamp,
}

/// A secret, as it was read last.
struct Known {
    secret: DatedSecret,
    /// When it was read for workloads; `None` where only a check has read it.
    read_at: Option<Timestamp>,
}

/// What is to be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::controller) struct Due {
    /// Service accounts, by namespace and name.
    pub(in crate::controller) accounts: BTreeSet<Name>,
    /// Secrets, by namespace and name.
    pub(in crate::controller) secrets: BTreeSet<Name>,
}

/// A series of the metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::controller) struct Series {
    /// The namespace of the secret.
    pub(in crate::controller) namespace: String,
    /// The secret.
    pub(in crate::controller) secret: String,
    /// A registry for which it counts.
    pub(in crate::controller) registry: String,
}

/// A secret with which a workload pulls, and its date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::controller) struct Use<'ledger> {
    /// Who pulls.
    pub(in crate::controller) workload: &'ledger WorkloadRef,
    /// The secret.
    pub(in crate::controller) secret: &'ledger str,
    /// Its version.
    pub(in crate::controller) version: &'ledger str,
    /// What is pulled with it.
    pub(in crate::controller) repository: &'ledger ImageRef,
    /// Until when it is valid for that.
    pub(in crate::controller) until: Timestamp,
}

impl Use<'_> {
    /// The namespace and the registry that it is about.
    pub(in crate::controller) fn key(&self) -> Key {
        let registry = registry_of(self.repository.as_written());
        Key { namespace: self.workload.namespace.clone(), registry }
    }
}

impl Ledger {
    /// A workload is there, new or changed. Returns whether that is news.
    pub(in crate::controller) fn apply(&mut self, workload: WorkloadRef, pulls: Pulls) -> bool {
        let id = (workload.kind, workload.namespace.clone(), workload.name.clone());
        let after = (workload, pulls);
        let is_same = self.workloads.get(&id) == Some(&after);
        self.workloads.insert(id, after);
        !is_same
    }

    /// A workload is gone. Returns whether it was known.
    pub(in crate::controller) fn delete(&mut self, id: &WorkloadId) -> bool {
        self.workloads.remove(id).is_some()
    }

    /// The known workloads of a kind.
    pub(in crate::controller) fn of_kind(
        &self,
        kind: &'static str,
    ) -> impl Iterator<Item = &WorkloadId> {
        self.workloads.keys().filter(move |(of, ..)| *of == kind)
    }

    /// What a check's targets pull with the secrets that it has just read. Returns whether that
    /// is news.
    pub(in crate::controller) fn check(
        &mut self,
        uid: &str,
        namespace: &str,
        repositories: BTreeSet<ImageRef>,
        secrets: Vec<DatedSecret>,
    ) -> bool {
        let names = secrets.iter().map(|secret| secret.name.clone()).collect();
        let pulls = Pulls { secrets: SecretSource::Listed(names), repositories };
        let before = self.checks.insert(uid.to_owned(), (namespace.to_owned(), pulls));
        let mut is_news = before.as_ref() != self.checks.get(uid);
        for secret in secrets {
            is_news |= self.learn(namespace, secret, None);
        }
        is_news
    }

    /// A check has no targets any more, or is gone. Returns whether it had some.
    pub(in crate::controller) fn forget_check(&mut self, uid: &str) -> bool {
        self.checks.remove(uid).is_some()
    }

    /// Keeps of the checks only those.
    pub(in crate::controller) fn retain_checks(&mut self, is_there: impl Fn(&str) -> bool) {
        self.checks.retain(|uid, _| is_there(uid));
    }

    /// A service account was read.
    pub(in crate::controller) fn read_account(
        &mut self,
        name: Name,
        secrets: Vec<String>,
        now: Timestamp,
    ) {
        self.failures.remove(&Object::Account(name.clone()));
        self.accounts.insert(name, Account { secrets, read_at: now });
    }

    /// A secret was read for workloads.
    pub(in crate::controller) fn read_secret(
        &mut self,
        namespace: &str,
        secret: DatedSecret,
        now: Timestamp,
    ) {
        self.failures.remove(&Object::Secret((namespace.to_owned(), secret.name.clone())));
        self.learn(namespace, secret, Some(now));
    }

    /// An account or a secret could not be read.
    pub(in crate::controller) fn failed(&mut self, object: Object, now: Timestamp) {
        self.failures.insert(object, now);
    }

    fn rests(&self, object: &Object, now: Timestamp) -> bool {
        let failed_at = self.failures.get(object).copied();
        failed_at.is_some() && !has_passed(AFTER_FAILURE, failed_at, now)
    }

    fn learn(&mut self, namespace: &str, secret: DatedSecret, read: Option<Timestamp>) -> bool {
        let name = (namespace.to_owned(), secret.name.clone());
        let before = self.secrets.remove(&name);
        let is_news = before.as_ref().is_none_or(|before| before.secret != secret);
        let read_at = read.or_else(|| before.and_then(|before| before.read_at));
        self.secrets.insert(name, Known { secret, read_at });
        is_news
    }

    /// What is to be read now on behalf of workloads.
    pub(in crate::controller) fn due(&self, now: Timestamp) -> Due {
        let mut due = Due::default();
        for (workload, pulls) in self.workloads.values() {
            let name = |name: &String| (workload.namespace.clone(), name.clone());
            if let SecretSource::Account(account) = &pulls.secrets {
                let name = name(account);
                let read_at = self.accounts.get(&name).map(|account| account.read_at);
                let rests = self.rests(&Object::Account(name.clone()), now);
                if has_passed(BETWEEN_READS, read_at, now) && !rests {
                    due.accounts.insert(name);
                }
            }
            for secret in self.listed(&workload.namespace, &pulls.secrets) {
                let name = name(secret);
                let read_at = self.secrets.get(&name).and_then(|known| known.read_at);
                let rests = self.rests(&Object::Secret(name.clone()), now);
                if has_passed(BETWEEN_READS, read_at, now) && !rests {
                    due.secrets.insert(name);
                }
            }
        }
        due
    }

    /// Forgets what nobody pulls with any more.
    pub(in crate::controller) fn tidy(&mut self) {
        let pulls = self.workloads.values().map(|(workload, pulls)| (&workload.namespace, pulls));
        let pulls = pulls.chain(self.checks.values().map(|(namespace, pulls)| (namespace, pulls)));
        let mut accounts: BTreeSet<Name> = BTreeSet::new();
        let mut secrets: BTreeSet<Name> = BTreeSet::new();
        for (namespace, pulls) in pulls {
            if let SecretSource::Account(account) = &pulls.secrets {
                accounts.insert((namespace.clone(), account.clone()));
            }
            let listed = self.listed(namespace, &pulls.secrets).iter();
            secrets.extend(listed.map(|secret| (namespace.clone(), secret.clone())));
        }
        self.accounts.retain(|name, _| accounts.contains(name));
        self.secrets.retain(|name, _| secrets.contains(name));
        self.failures.retain(|object, _| match object {
            Object::Account(name) => accounts.contains(name),
            Object::Secret(name) => secrets.contains(name),
        });
    }

    /// Every secret in use whose date can be read, for each registry: the first date, where it
    /// has several.
    pub(in crate::controller) fn series(&self) -> BTreeMap<Series, Timestamp> {
        let workloads =
            self.workloads.values().map(|(workload, pulls)| (&workload.namespace, pulls));
        let checks = self.checks.values().map(|(namespace, pulls)| (namespace, pulls));
        let mut series: BTreeMap<Series, Timestamp> = BTreeMap::new();
        for (namespace, pulls) in workloads.chain(checks) {
            for (secret, repository, until) in self.dates(namespace, pulls) {
                let one = Series {
                    namespace: namespace.clone(),
                    secret: secret.name.clone(),
                    registry: registry_of(repository.as_written()).to_string(),
                };
                let first = series.entry(one).or_insert(until);
                *first = until.min(*first);
            }
        }
        series
    }

    /// Every secret with which a workload pulls whose date can be read: of one namespace, or of
    /// all.
    pub(in crate::controller) fn uses(
        &self,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = Use<'_>> {
        let workloads = self.workloads.values().filter(move |(workload, _)| {
            namespace.is_none_or(|namespace| workload.namespace == namespace)
        });
        workloads.flat_map(|(workload, pulls)| {
            self.dates(&workload.namespace, pulls).filter_map(move |(secret, repository, until)| {
                let (name, version) = (secret.name.as_str(), secret.version.as_deref()?);
                Some(Use { workload, secret: name, version, repository, until })
            })
        })
    }

    fn dates<'ledger>(
        &'ledger self,
        namespace: &'ledger str,
        pulls: &'ledger Pulls,
    ) -> impl Iterator<Item = (&'ledger DatedSecret, &'ledger ImageRef, Timestamp)> {
        let secrets = self.listed(namespace, &pulls.secrets).iter().filter_map(|name| {
            let known = self.secrets.get(&(namespace.to_owned(), name.clone()))?;
            Some(&known.secret)
        });
        secrets.flat_map(|secret| {
            let repositories = pulls.repositories.iter();
            repositories.filter_map(move |repository| {
                Some((secret, repository, secret.dates.until(repository)?))
            })
        })
    }

    /// The names of the secrets, as far as they are known.
    fn listed<'ledger>(
        &'ledger self,
        namespace: &str,
        source: &'ledger SecretSource,
    ) -> &'ledger [String] {
        match source {
            SecretSource::Listed(names) | SecretSource::Pod { listed: names, .. } => names,
            SecretSource::Account(account) => {
                let account = self.accounts.get(&(namespace.to_owned(), account.clone()));
                account.map_or(&[], |account| &account.secrets)
            }
        }
    }
}

/// A clock that was set back is no reason to wait.
fn has_passed(pause: Duration, since: Option<Timestamp>, now: Timestamp) -> bool {
    since.is_none_or(|since| now < since || now.duration_since(since).unsigned_abs() >= pause)
}

#[cfg(test)]
mod tests;
