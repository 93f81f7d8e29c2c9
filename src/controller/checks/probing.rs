//! Probing: each target of a check becomes an outcome.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::access::{Access, Unattached};
use crate::api::{RegistryCheck, RegistryCheckStatus, VantageChoice};
use crate::diagnose::{self, Diagnosis, Heard, Subject, catalogue::Code, setting};
use crate::evidence::Evidence;
use crate::image::platform::Platform;
use crate::image::{Host, ImageRef};
use crate::probe::{self, Prober};
use crate::report::Outcome;
use crate::resolve::platform::NodeFacts;
use crate::resolve::{self, Fetched, Versions};
use crate::server::Work;
use crate::target::workload::repositories;
use crate::target::{FailingPod, PodRef, SecretSource, Target};

use super::super::Context;
use super::asking::{PROBES_AT_ONCE, ask_all, in_turn};
use super::memory::{is_asked_for, uid_of};
use super::round::{Found, Known, target_key};
use super::{Error, vantage, workload};

/// What the probes of a check rest on.
pub(super) struct Ground {
    /// The pull secrets of each list.
    fetched: BTreeMap<SecretSource, Fetched>,
    /// What the service accounts of pods add to them.
    workloads: BTreeMap<SecretSource, Access>,
    /// What is known of the nodes of failing pods, by the node's name.
    nodes: BTreeMap<String, NodeFacts>,
    /// How `spec.images` are probed; pods' images are probed as a node would.
    pub(super) lax: Lax,
    /// The versions of all that was read.
    pub(super) versions: BTreeMap<SecretSource, Versions>,
}

/// How the images of the spec are probed.
pub(super) enum Lax {
    /// As any other.
    No,
    /// With what the spec allows beyond what a node does, and how that reads in a verdict.
    Yes(Prober, String),
    /// Not at all, and why.
    Refused(Diagnosis),
}

/// Reads what the probes of a check rest on: each list of secrets once, and what the spec says.
pub(super) async fn prepare(
    context: &Context,
    check: &RegistryCheck,
    targets: &[Target],
) -> Result<Ground, Error> {
    let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
    let mut fetched = BTreeMap::new();
    for target in targets {
        if !fetched.contains_key(&target.secrets) {
            let secrets = resolve::fetch(&context.client, namespace, &target.secrets).await;
            fetched.insert(target.secrets.clone(), secrets.map_err(Error::Resolve)?);
        }
    }
    let mut versions: BTreeMap<SecretSource, Versions> = fetched
        .iter()
        .map(|(source, fetched)| (source.clone(), fetched.versions.clone()))
        .collect();
    let of_spec = targets.iter().find(|target| target.complaint.is_none());
    let lax = match of_spec.and_then(|target| versions.get_mut(&target.secrets)) {
        Some(versions) => laxity(context, check, versions).await?,
        None => Lax::No,
    };
    let nodes = facts(context, targets).await?;
    Ok(Ground { fetched, workloads: BTreeMap::new(), nodes, lax, versions })
}

/// What is known of the first node of each target, of which there is one for each failure.
async fn facts(
    context: &Context,
    targets: &[Target],
) -> Result<BTreeMap<String, NodeFacts>, Error> {
    let mut nodes = BTreeMap::new();
    for node in targets.iter().filter_map(node) {
        let known = context.node_facts().get(node).cloned();
        let facts = match known {
            Some(facts) => Some(facts),
            // Nodes are no namespace's.
            None if !context.settings.watched.is_empty() => None,
            None => {
                resolve::platform::facts(&context.client, node).await.map_err(Error::Resolve)?
            }
        };
        if let Some(facts) = &facts {
            context.node_facts().insert(node.to_owned(), facts.clone());
        }
        nodes.insert(node.to_owned(), facts.unwrap_or_default());
    }
    Ok(nodes)
}

fn node(target: &Target) -> Option<&str> {
    target.pods.iter().map(|pod| pod.node.as_str()).find(|node| !node.is_empty())
}

/// What the spec asks of the probes of its images. What cannot be done is said, and nothing is
/// concluded.
async fn laxity(
    context: &Context,
    check: &RegistryCheck,
    versions: &mut Versions,
) -> Result<Lax, Error> {
    let (namespace, spec) = (check.metadata.namespace.as_deref().unwrap_or_default(), &check.spec);
    let refused = |message: String, remedy: &str| {
        Ok(Lax::Refused(diagnose::skipped(message, remedy.to_owned())))
    };
    let allowed = context.settings.insecure_hosts.contains(&spec.registry);
    if spec.insecure && !allowed {
        return refused(
            format!(
                "spec.insecure asks for plain HTTP, which the operator has not allowed for {}",
                spec.registry
            ),
            &setting::of_controller(
                "Take spec.insecure away, or allow it for this registry beside others",
                &format!("insecureHosts={{{}}}", spec.registry),
                &format!("--insecure-host {}", spec.registry),
            ),
        );
    }
    let mut authorities = None;
    let mut notes = Vec::new();
    if let Some(secret) = &spec.cert_secret_ref {
        let name = &secret.name;
        let read = resolve::certificates(&context.client, namespace, name, versions).await;
        authorities = read.map_err(Error::Resolve)?;
        if authorities.is_none() {
            return refused(
                format!(
                    "there is no ca.crt in a secret {name} in namespace {namespace}, which spec.certSecretRef names"
                ),
                &format!(
                    "Create it: kubectl create secret generic {name} -n {namespace} --from-file=ca.crt"
                ),
            );
        }
        notes.push(format!("trusting secret {name}"));
    }
    let mut insecure_hosts = Vec::new();
    if spec.insecure {
        insecure_hosts.push(spec.registry.clone());
        notes.push("over plain HTTP".to_owned());
    }
    if notes.is_empty() {
        return Ok(Lax::No);
    }
    match context.prober.laxer(authorities, insecure_hosts) {
        Ok(prober) => Ok(Lax::Yes(prober, notes.join(" and "))),
        Err(error) => refused(
            format!(
                "the certificates that spec.certSecretRef names cannot be used: {}",
                super::super::chain(&error)
            ),
            "Put certificates in PEM form into ca.crt of the secret.",
        ),
    }
}

/// Each target's outcome: the known one where it still holds. Targets that differ only in what
/// the kubelet says share one probe. What could not be asked yet waits for its turn.
pub(super) async fn find(
    context: &Context,
    check: &RegistryCheck,
    targets: &[Target],
    ground: &Ground,
    known: &Known,
    work: &Work,
) -> Found {
    let began = Instant::now();
    let mut outcomes: Vec<Option<Outcome>> = targets
        .iter()
        .map(|target| {
            known.now(target).or_else(|| {
                let diagnosis = explained_without_probe(check, target, ground)?;
                Some(Outcome { target: target.clone(), diagnosis, evidence: None })
            })
        })
        .collect();
    let open = targets.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_none());
    let open = open.map(|(target, _)| target);
    let questions = in_turn(open, ground, known);
    let answers = ask_all(context, check, ground, questions, work).await;
    let since = is_asked_for(context, check).then_some(began);
    let answers = &answers;
    let mut waiting = HashSet::new();
    let open = targets.iter().zip(&mut outcomes).filter(|(_, outcome)| outcome.is_none());
    let mut open = open.collect::<Vec<_>>().into_iter();
    let mut under_way = FuturesUnordered::new();
    loop {
        while under_way.len() < PROBES_AT_ONCE
            && let Some((target, outcome)) = open.next()
        {
            let Some(evidence) = answers.get(&question(target, ground)).map(Arc::clone) else {
                waiting.insert(target_key(target));
                *outcome = Some(known.before(target).unwrap_or_else(|| put_off(target)));
                continue;
            };
            under_way.push(async move {
                let facts = ground.node(target);
                let evidence =
                    vantage::with_node(context, check, target, facts, since, evidence).await;
                work.gets_on();
                let is_namespaced = !context.settings.watched.is_empty();
                *outcome = Some(self::outcome(check, target, ground, evidence, is_namespaced));
            });
        }
        if under_way.next().await.is_none() {
            break;
        }
    }
    drop(under_way);
    Found { outcomes: outcomes.into_iter().flatten().collect(), waiting }
}

fn put_off(target: &Target) -> Outcome {
    let diagnosis = match ImageRef::parse(&target.image) {
        Ok(image) => diagnose::put_off(&target.image, image.registry()),
        Err(error) => diagnose::invalid_reference(&error),
    };
    Outcome { target: target.clone(), diagnosis, evidence: None }
}

/// What a probe is about: the image, with whose secrets, for which platform, and whether the
/// spec asks for it and may be laxer than a node.
pub(super) type Question<'target> =
    (&'target str, &'target SecretSource, Option<&'target Platform>, bool);

pub(super) fn question<'target>(
    target: &'target Target,
    ground: &'target Ground,
) -> Question<'target> {
    let platform = ground.node(target).and_then(|(_, facts)| facts.platform.as_ref());
    (&target.image, &target.secrets, platform, target.complaint.is_none())
}

impl Ground {
    /// Tells until when the secrets are valid that were read.
    pub(super) fn tell_dates(&self, context: &Context, check: &RegistryCheck, targets: &[Target]) {
        let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
        let images = targets.iter().map(|target| target.image.as_str());
        let secrets = self.fetched.values().flat_map(|fetched| fetched.dated(probe::expires));
        let uid = uid_of(check);
        let secrets = secrets.collect();
        if context.ledger().check(&uid, namespace, repositories(images), secrets) {
            context.ledger_changed.notify_one();
        }
    }

    /// The first node of a target, and what is known of it.
    fn node<'ground>(&'ground self, target: &Target) -> Option<(&'ground str, &'ground NodeFacts)> {
        let (name, facts) = self.nodes.get_key_value(node(target)?)?;
        Some((name, facts))
    }

    pub(super) fn unattached(&self, source: &SecretSource, image: &ImageRef) -> Unattached {
        self.fetched.get(source).map(|fetched| fetched.unattached(image)).unwrap_or_default()
    }

    /// Finds out as whom the pods of these targets log in, for a probe that is due.
    pub(super) async fn log_in(
        &mut self,
        context: &Context,
        check: &RegistryCheck,
        targets: impl Iterator<Item = &Target>,
    ) -> Result<(), Error> {
        let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
        let Some(registry) = Host::parse(&check.spec.registry).ok() else { return Ok(()) };
        for target in targets {
            let SecretSource::Pod { .. } = &target.secrets else { continue };
            let fetched = self.fetched.get(&target.secrets);
            let account = fetched.and_then(Fetched::account);
            let (Some(account), false) = (account, self.workloads.contains_key(&target.secrets))
            else {
                continue;
            };
            let access = workload::access(context, namespace, &registry, account).await?;
            self.workloads.insert(target.secrets.clone(), access);
        }
        Ok(())
    }

    pub(super) fn access(&self, source: &SecretSource, image: &ImageRef) -> Access {
        let secrets = self.fetched.get(source).map(|fetched| fetched.access(image));
        let secrets = secrets.unwrap_or_default();
        match self.workloads.get(source) {
            Some(workload) => secrets.followed_by(workload.clone()),
            None => secrets,
        }
    }
}

/// What can be said of a target without asking the registry.
fn explained_without_probe(
    check: &RegistryCheck,
    target: &Target,
    ground: &Ground,
) -> Option<Diagnosis> {
    let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
    let image = match ImageRef::parse(&target.image) {
        Ok(image) => image,
        Err(error) => return Some(diagnose::invalid_reference(&error)),
    };
    let registry = image.registry();
    if registry.name() != registry.as_str() && registry.port().is_none() {
        return Some(diagnose::impossible_port(&image));
    }
    let complaint = target.complaint.as_ref();
    match &ground.lax {
        Lax::Refused(diagnosis) if complaint.is_none() => return Some(diagnosis.clone()),
        Lax::No | Lax::Yes(..) | Lax::Refused(_) => {}
    }
    let subject = Subject { namespace, image: &image, complaint };
    diagnose::without_probe(subject, &ground.access(&target.secrets, &image).gaps)
}

fn outcome(
    check: &RegistryCheck,
    target: &Target,
    ground: &Ground,
    evidence: Arc<Evidence>,
    is_namespaced: bool,
) -> Outcome {
    let image = &evidence.image;
    let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
    let complaint = target.complaint.as_ref();
    let mut diagnosis = diagnose::diagnose(Subject { namespace, image, complaint }, &evidence);
    if let (VantageChoice::Node, None, Some(skipped)) =
        (check.spec.vantage, complaint, vantage::skipped(&evidence))
    {
        diagnosis = skipped;
    }
    if let Some(workload) = target.pods.first().and_then(PodRef::restartable) {
        diagnosis.name_workload(&workload);
    }
    let pullable = diagnosis.findings.iter_mut().find(|finding| finding.code == Code::Pullable);
    if let (Some(pullable), Lax::Yes(_, note), None) = (pullable, &ground.lax, complaint) {
        pullable.message = format!("{}, {note}, which a node may not do", pullable.message);
    }
    if is_namespaced && complaint.is_some() {
        diagnose::leave_platform_open(&mut diagnosis, &evidence);
    }
    Outcome { target: target.clone(), diagnosis, evidence: Some(evidence) }
}

/// Takes out what does not wait any more, after the probes: a pod that started meanwhile is
/// not told that it cannot pull.
pub(super) fn keep_waiting(outcomes: &mut Vec<Outcome>, failing: &[FailingPod]) {
    for outcome in outcomes.iter_mut().filter(|outcome| outcome.target.complaint.is_some()) {
        let image = &outcome.target.image;
        let waiting: HashSet<&str> = failing
            .iter()
            .filter(|pod| pod.waits.iter().any(|wait| wait.image == *image))
            .map(|pod| pod.pod.uid.as_str())
            .collect();
        outcome.target.pods.retain(|pod| waiting.contains(pod.uid.as_str()));
    }
    outcomes
        .retain(|outcome| outcome.target.complaint.is_none() || !outcome.target.pods.is_empty());
}

/// Adds what the kubelet says where it contradicts a probe that was served.
pub(super) fn compare_with_node(
    namespace: &str,
    outcome: &mut Outcome,
    previous: &RegistryCheckStatus,
) {
    let Outcome { target, diagnosis, evidence } = outcome;
    let (Some(evidence), false) = (evidence, target.pods.is_empty()) else { return };
    let subject =
        Subject { namespace, image: &evidence.image, complaint: target.complaint.as_ref() };
    let heard = Heard { fresh: target.fresh, before: &previous.findings };
    *diagnosis = diagnose::contradict(subject, &target.image, evidence, heard, diagnosis.clone());
}
