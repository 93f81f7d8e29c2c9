//! The warnings, from what is known. Pure.

use std::sync::Arc;

use crate::access::Gap;
use crate::api::{ConditionStatus, FindingStatus, RegistryCheck, Severity};
use crate::diagnose::catalogue::{Code, Stage};
use crate::diagnose::{self, Subject};
use crate::image::ImageRef;
use crate::target::registry_of;

use super::reviewed::Pods;

/// How long a warning may be, in bytes: longer ones may be cut by the API server (Kubernetes
/// documentation, "Dynamic Admission Control", "Response").
const LONGEST: usize = 256;
/// How many are told.
const MOST: usize = 5;

/// What is wrong with `pods`, the surest first: each begins with the code that
/// `registrycheck explain` knows.
///
/// `secrets` are the names of their pull secrets, `gaps` what was found of these, and `checks`
/// those of their namespace.
pub(super) fn warnings(
    pods: &Pods,
    secrets: &[String],
    gaps: &[Gap],
    checks: &[Arc<RegistryCheck>],
) -> Vec<String> {
    let images: Vec<_> = pods.images.iter().map(|image| (image, ImageRef::parse(image))).collect();
    let mut warnings = Vec::new();
    if let Some(image) = images.iter().find_map(|(_, image)| image.as_ref().ok()) {
        let subject = Subject { namespace: &pods.namespace, image, complaint: None };
        let told = gaps.iter().filter(|gap| is_of_secret(gap));
        let findings = told.filter_map(|gap| diagnose::of_gap(subject, gap));
        warnings.extend(findings.map(|finding| format!("{}: {}", finding.code, finding.message)));
    }
    for (_, image) in &images {
        match image {
            Err(error) => warnings.push(format!("{}: {error}", Code::InvalidImageReference)),
            Ok(image) => warnings.extend(suspicion(image)),
        }
    }
    for (written, image) in &images {
        if image.is_ok() {
            warnings.extend(checks.iter().flat_map(|check| of_check(check, written, secrets)));
        }
    }
    let mut told: Vec<String> = Vec::new();
    for warning in warnings.into_iter().map(|warning| shortened(&warning)) {
        if !told.contains(&warning) && told.len() < MOST {
            told.push(warning);
        }
    }
    told
}

/// What is wrong with a secret whatever it is needed for. That one of several has no entry for an
/// image says nothing.
fn is_of_secret(gap: &Gap) -> bool {
    matches!(gap, Gap::SecretMissing { .. } | Gap::SecretIgnored { .. } | Gap::KeyringBroken { .. })
}

fn suspicion(image: &ImageRef) -> Option<String> {
    let registry = image.registry();
    let meant = registry.meant()?;
    Some(format!("{}: {registry}, did you mean {meant}", Code::RegistryNameSuspicious))
}

/// What a check that fails says of an image.
fn of_check<'check>(
    check: &'check RegistryCheck,
    image: &'check str,
    secrets: &'check [String],
) -> impl Iterator<Item = String> + use<'check> {
    let status = check.status.as_ref().filter(|status| {
        let fails = status.ready().is_some_and(|ready| ready.status == ConditionStatus::False);
        fails && registry_of(image).as_str() == check.spec.registry
    });
    let findings = status.into_iter().flat_map(|status| &status.findings);
    let findings = findings.filter(move |finding| {
        finding.severity == Severity::Error && is_about(finding, image, secrets)
    });
    findings.map(|finding| {
        let since = finding.first_seen.strftime("%Y-%m-%dT%H:%MZ");
        format!("{} since {since}: {}", finding.code, finding.message)
    })
}

/// Whether a finding stops this image too, pulled with these secrets. What another secret met says
/// nothing of it, and what the secrets themselves say was looked at there.
fn is_about(finding: &FindingStatus, image: &str, secrets: &[String]) -> bool {
    let Some(code) = Code::parse(&finding.code) else { return false };
    let is_named = finding.images.iter().any(|stopped| stopped == image);
    let secret = finding.credential.as_deref().and_then(secret_of);
    let is_used = secret.is_some_and(|secret| secrets.iter().any(|name| name == secret));
    if secret.is_some() && !is_used {
        return false;
    }
    match code.row().stage {
        // The way to a registry is the same for all of its images, and so is its state.
        Stage::Network | Stage::Registry => true,
        Stage::Authentication if is_used => true,
        // Others had no secret, or none that counts: whoever has one may fare better.
        Stage::Credential if code != Code::PullSecretHostMismatch => {
            code == Code::NoCredentials && is_named && secrets.is_empty()
        }
        Stage::Authentication | Stage::Identity | Stage::Authorization => {
            is_named && (is_used || secrets.is_empty())
        }
        Stage::Credential | Stage::Image => is_named,
        // The name was looked at itself, and what is wrong with one node need not be with the next.
        Stage::Reference | Stage::Node | Stage::Verdict => false,
    }
}

/// The pull secret of a credential as a status has it: `secret regcred (key r.test)`.
fn secret_of(credential: &str) -> Option<&str> {
    let secret = credential.strip_prefix("secret ")?;
    Some(secret.split_once(" (key ").map_or(secret, |(secret, _)| secret))
}

/// As much of a text as a warning may have, in whole words.
fn shortened(text: &str) -> String {
    const MARK: &str = " …";
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let starts = text.char_indices().map(|(start, _)| start);
    let most = starts.take_while(|start| *start <= LONGEST - MARK.len()).last().unwrap_or(0);
    let end = text[..most].rfind(' ').unwrap_or(most);
    format!("{}{MARK}", &text[..end])
}

#[cfg(test)]
mod tests;
