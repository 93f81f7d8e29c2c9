//! Probing: each target of a check becomes an outcome.

use std::collections::{BTreeMap, HashMap};

use futures::stream::{self, StreamExt};

use crate::api::{RegistryCheck, RegistryCheckStatus, Severity, VantageChoice};
use crate::diagnose::{self, Diagnosis, Subject, Verdict, catalogue::Code};
use crate::image::ImageRef;
use crate::probe::Prober;
use crate::report::Outcome;
use crate::resolve::{self, Fetched, Versions};
use crate::target::{SecretSource, Target};

use super::super::{Context, due};
use super::Error;
use super::memory::{TargetKey, target_key};

/// How many images of one check are probed at once.
const PROBES_AT_ONCE: usize = 4;

/// What the probes of a check rest on.
pub(super) struct Ground {
    /// The pull secrets of each list.
    fetched: BTreeMap<SecretSource, Fetched>,
    /// How `spec.images` are probed; pods' images are probed as a node would.
    lax: Lax,
    /// The versions of all that was read.
    pub(super) versions: BTreeMap<SecretSource, Versions>,
}

/// How the images of the spec are probed.
enum Lax {
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
    Ok(Ground { fetched, lax, versions })
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
    if spec.vantage == VantageChoice::Node {
        return refused(
            "spec.vantage is Node, and this version probes from the pod network only".to_owned(),
            "Set spec.vantage to Auto or Pod.",
        );
    }
    let allowed = context.settings.insecure_hosts.contains(&spec.registry);
    if spec.insecure && !allowed {
        return refused(
            format!(
                "spec.insecure asks for plain HTTP, which the operator has not allowed for {}",
                spec.registry
            ),
            &format!(
                "Take spec.insecure away, or start the controller with --insecure-host {}",
                spec.registry
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

/// Each target's outcome: the known one where it still holds, that of a probe elsewhere.
pub(super) async fn outcomes(
    context: &Context,
    check: &RegistryCheck,
    targets: &[Target],
    ground: &Ground,
    known: &HashMap<TargetKey, Outcome>,
) -> Vec<Outcome> {
    let outcomes = targets.iter().map(|target| async move {
        match known.get(&target_key(target)) {
            Some(known) => Outcome { target: target.clone(), ..known.clone() },
            None => probe_one(context, check, target, ground).await,
        }
    });
    stream::iter(outcomes.collect::<Vec<_>>()).buffered(PROBES_AT_ONCE).collect().await
}

async fn probe_one(
    context: &Context,
    check: &RegistryCheck,
    target: &Target,
    ground: &Ground,
) -> Outcome {
    let namespace = check.metadata.namespace.as_deref().unwrap_or_default();
    let outcome = |diagnosis, evidence| Outcome { target: target.clone(), diagnosis, evidence };
    let image = match ImageRef::parse(&target.image) {
        Ok(image) => image,
        Err(error) => return outcome(diagnose::invalid_reference(&error), None),
    };
    if image.registry().name() != image.registry().as_str() && image.registry().port().is_none() {
        return outcome(diagnose::impossible_port(&image), None);
    }
    let complaint = target.complaint.as_ref();
    let subject = Subject { namespace, image: &image, complaint };
    let fetched = ground.fetched.get(&target.secrets);
    let access = fetched.map(|fetched| fetched.access(&image)).unwrap_or_default();
    if let Some(diagnosis) = diagnose::without_probe(subject, &access.gaps) {
        return outcome(diagnosis, None);
    }
    let (prober, note) = match &ground.lax {
        Lax::Refused(diagnosis) if complaint.is_none() => return outcome(diagnosis.clone(), None),
        Lax::Yes(prober, note) if complaint.is_none() => (prober, Some(note)),
        Lax::No | Lax::Yes(..) | Lax::Refused(_) => (&context.prober, None),
    };
    let evidence = prober.probe(&image, &access, due::timeout(&check.spec)).await;
    context.telemetry.probed(&evidence);
    let mut diagnosis = diagnose::diagnose(subject, &evidence);
    let pullable = diagnosis.findings.iter_mut().find(|finding| finding.code == Code::Pullable);
    if let (Some(pullable), Some(note)) = (pullable, note) {
        pullable.message = format!("{}, {note}, which a node may not do", pullable.message);
    }
    outcome(diagnosis, Some(evidence))
}

/// A probe that was served what the kubelet has just failed to pull contradicts it. What was
/// explained before and is pullable now was mended; the kubelet only has to try again.
pub(super) fn compare_with_node(
    namespace: &str,
    outcome: &mut Outcome,
    previous: &RegistryCheckStatus,
) {
    let Target { image, complaint, pods, fresh, .. } = &outcome.target;
    if outcome.diagnosis.verdict != Verdict::Pullable || pods.is_empty() {
        return;
    }
    let explained = previous
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error && finding.images.contains(image));
    let mut codes = explained.map(|finding| finding.code.as_str()).peekable();
    let contradicted = match codes.peek() {
        None => *fresh,
        Some(_) => codes.all(|code| code == Code::NodeDisagrees.as_str()),
    };
    let Ok(image) = ImageRef::parse(image) else { return };
    if contradicted {
        let subject = Subject { namespace, image: &image, complaint: complaint.as_ref() };
        outcome.diagnosis.verdict = Verdict::NotPullable;
        outcome.diagnosis.findings.insert(0, diagnose::node_disagrees(subject));
    }
}
