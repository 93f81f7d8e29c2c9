//! Findings about credentials that are missing, unusable or for another registry.

use crate::access::{Gap, Provenance};
use crate::api::{Confidence, Severity};
use crate::evidence::{Evidence, Vantage};

use super::catalogue::{Code, Stage};
use super::node::Skipped;
use super::remedy::{either, is_azure};
use super::{Finding, Subject, Verdict, workstation};

mod node;

pub(super) use node::put_right;

/// How many entries of one secret a message names.
const MOST_ENTRIES: usize = 3;

/// Why no credential reached the registry; `login` is what is wrong with that of an identity.
pub(super) fn absence(subject: Subject<'_>, gaps: &[Gap], login: Option<Finding>) -> Vec<Finding> {
    let mut findings = of_gaps(subject, gaps);
    // That a provider is for other hosts is so on most nodes, and explains little.
    let is_little = |finding: &Finding| {
        finding.confidence == Confidence::Possible || finding.code == Code::ProbeSkipped
    };
    let is_tried = login.as_ref().is_some_and(|login| login.code != Code::ProbeSkipped);
    if findings.iter().all(is_little) && !is_tried {
        findings.insert(0, no_credentials(subject));
    }
    if login.as_ref().is_some_and(|login| login.severity != Severity::Error) {
        // What the identity would have been given is open.
        for finding in &mut findings {
            finding.confidence = finding.confidence.max(Confidence::Likely);
        }
    }
    findings.extend(login);
    findings
}

/// Whether a finding only says that something is for other registries.
fn is_of_others(finding: &Finding) -> bool {
    matches!(finding.code, Code::PullSecretHostMismatch | Code::CredentialProviderNotMatched)
}

/// What may be the cause where all credentials that there are were refused.
pub(super) fn beside_refused(subject: Subject<'_>, gaps: &[Gap]) -> Vec<Finding> {
    let findings = of_gaps(subject, gaps).into_iter();
    findings
        .filter(|finding| !is_of_others(finding))
        .map(|mut finding| {
            // What was tried and served is the cause, whatever else was refused.
            if finding.code != Code::PullSecretNotAttached {
                finding.confidence = finding.confidence.max(Confidence::Likely);
            }
            finding
        })
        .collect()
}

/// What is wrong although the image can be pulled.
pub(super) fn beside_pullable(subject: Subject<'_>, gaps: &[Gap]) -> Vec<Finding> {
    let findings = of_gaps(subject, gaps).into_iter();
    let is_idle = |finding: &Finding| is_of_others(finding) || finding.code == Code::ProbeSkipped;
    findings.filter(|finding| !is_idle(finding)).map(Finding::into_warning).collect()
}

/// The pull secret that stops every pull of the pod, if there is one.
pub(super) fn broken_keyring(subject: Subject<'_>, gaps: &[Gap]) -> Option<Finding> {
    let broken = gaps.iter().find(|gap| matches!(gap, Gap::KeyringBroken { .. }))?;
    of_gap(subject, broken)
}

/// Without a failing pod nobody knows what the node's own identity can do, which the kubelet
/// tries after the pull secrets; nor with one, where a node was to be asked and was not. Where it mostly has one, as for the registries of Azure, all
/// that it could change is left open; elsewhere, where no pull secret is at hand.
pub(super) fn leave_room_for_the_node(
    subject: Subject<'_>,
    evidence: &Evidence,
    skipped: Option<&Skipped<'_>>,
    verdict: Verdict,
    findings: &mut [Finding],
) -> Verdict {
    let is_known_to_fail = subject.complaint.is_some();
    if is_known_to_fail && skipped.is_none() || node::was_asked(evidence) {
        return verdict;
    }
    let is_likely = is_azure(subject.registry().name());
    // Who asks by hand means what he has named.
    let for_pods = evidence.vantage == Vantage::Pod;
    let could_change = |finding: &&mut Finding| {
        let stage = finding.code.row().stage;
        let is_of_credentials =
            matches!(stage, Stage::Credential | Stage::Authentication | Stage::Authorization);
        let is_open = is_likely || for_pods && finding.code == Code::NoCredentials;
        finding.severity == Severity::Error && is_of_credentials && is_open
    };
    let mut verdict = verdict;
    for finding in findings.iter_mut().filter(could_change) {
        if !is_known_to_fail {
            verdict = Verdict::Undecided;
        }
        finding.confidence = finding.confidence.max(Confidence::Likely);
        finding.message = format!(
            "{}; {}, which the kubelet tries too, was not probed",
            finding.message,
            if is_likely { "the node's identity" } else { "what the node itself may have" }
        );
        if let Some(Skipped { reason, remedy, .. }) = skipped {
            finding.message = format!("{} ({reason})", finding.message);
            if !remedy.is_empty() {
                finding.remedy = format!("{remedy} {}", finding.remedy);
            }
        }
    }
    verdict
}

fn no_credentials(subject: Subject<'_>) -> Finding {
    let image = subject.image;
    let registry = subject.registry();
    let message =
        format!("no pull secret is given for {image}, and {registry} refuses anonymous pulls");
    let remedy = subject.remedy(Code::NoCredentials, None);
    // The node may have credentials of its own, which this probe does not see.
    Finding::new(Code::NoCredentials, Confidence::Likely, message, remedy)
}

/// One finding for each secret, however many of its entries do not match.
fn of_gaps(subject: Subject<'_>, gaps: &[Gap]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for finding in gaps.iter().filter_map(|gap| of_gap(subject, gap)) {
        let same = |other: &&mut Finding| {
            other.code == finding.code && other.credential == finding.credential
        };
        match findings.iter_mut().find(same) {
            Some(other) if finding.code == Code::PullSecretHostMismatch => {
                // A status and an Event have little room; `credentials IMAGE` lists them all.
                if other.message.matches("; ").count() + 1 == MOST_ENTRIES {
                    other.message.push_str("; and so on");
                } else if other.message.matches("; ").count() < MOST_ENTRIES
                    && let Some((_, more)) = finding.message.split_once(": ")
                {
                    other.message = format!("{}; {more}", other.message);
                }
            }
            Some(_) => {}
            None => findings.push(finding),
        }
    }
    findings
}

/// What a gap means; `None` where it is as it should be.
pub fn of_gap(subject: Subject<'_>, gap: &Gap) -> Option<Finding> {
    let Subject { namespace, .. } = subject;
    let registry = subject.registry();
    let finding = match gap {
        Gap::SecretMissing { secret } => Finding::new(
            Code::PullSecretMissing,
            Confidence::Certain,
            format!("pull secret {secret} does not exist in namespace {namespace}"),
            subject.remedy(Code::PullSecretMissing, Some(secret)),
        ),
        Gap::SecretForbidden { secret } => Finding::new(
            Code::PullSecretUnreadable,
            Confidence::Certain,
            format!(
                "this controller may not read pull secret {secret} in namespace {namespace}, so nothing is concluded from it"
            ),
            subject.remedy(Code::PullSecretUnreadable, Some(secret)),
        ),
        Gap::SecretIgnored { secret, reason } => Finding::new(
            Code::PullSecretMalformed,
            Confidence::Certain,
            format!("the kubelet passes over pull secret {secret}: {reason}"),
            subject.remedy(Code::PullSecretMalformed, Some(secret)),
        ),
        Gap::KeyringBroken { secret, reason } => Finding::new(
            Code::PullSecretMalformed,
            Confidence::Certain,
            format!(
                "the kubelet pulls nothing for the pod, because pull secret {secret} cannot be read: {reason}"
            ),
            subject.remedy(Code::PullSecretMalformed, Some(secret)),
        ),
        Gap::EntryDropped { secret, key, reason } => Finding::new(
            Code::PullSecretHostMismatch,
            Confidence::Certain,
            format!(
                "pull secret {secret} has no entry for {registry}: {key} is dropped, since {reason}"
            ),
            subject.remedy(Code::PullSecretHostMismatch, Some(secret)),
        ),
        Gap::EntryNotMatching { secret, key, rule } => Finding::new(
            Code::PullSecretHostMismatch,
            Confidence::Certain,
            format!(
                "pull secret {secret} has no entry for {registry}: {key} does not match, since {rule}"
            ),
            subject.remedy(Code::PullSecretHostMismatch, Some(secret)),
        ),
        Gap::SecretNotAttached { secret, account, serves } => {
            not_attached(subject, secret, account, *serves)
        }
        Gap::ProviderNotMatched { .. }
        | Gap::ProviderFailed { .. }
        | Gap::ProviderNotRun { .. }
        | Gap::NodeFileIgnored { .. }
        | Gap::NodeEntryDropped { .. }
        | Gap::NodeEntryNotMatching { .. }
        | Gap::AzureConfigUnusable { .. }
        | Gap::AnnotationMissing { .. }
        | Gap::AccountTokenNotMade { .. } => return node::of_gap(subject, gap),
    };
    Some(finding.of_credential(gap.secret().map(|secret| format!("secret {secret}"))))
}

/// The account has what the pod lacks. Certain only where it was tried.
fn not_attached(subject: Subject<'_>, secret: &str, account: &str, serves: bool) -> Finding {
    let image = subject.image;
    let confidence = if serves { Confidence::Certain } else { Confidence::Likely };
    let what = if serves { "serves" } else { "may serve" };
    let message = format!(
        "{} {what} {image} with pull secret {secret}, which service account {account} lists and the pod does not: a pod gets the secrets of its account when it is made, and only where it lists none itself",
        subject.registry()
    );
    let remedy = subject.remedy(Code::PullSecretNotAttached, Some(secret));
    Finding::new(Code::PullSecretNotAttached, confidence, message, remedy)
}

/// The image is public, and a credential that the registry refuses stands in the way.
pub(super) fn stale(subject: Subject<'_>, provenance: &Provenance) -> Finding {
    let image = subject.image;
    let (holder, remedy) = match provenance {
        Provenance::PullSecret { secret, .. } => {
            (format!("pull secret {secret}"), subject.remedy(Code::StaleCredential, Some(secret)))
        }
        Provenance::Node { source, key } => (source.to_string(), node::take_out(source, key)),
        Provenance::Azure { .. } | Provenance::Strangers => {
            (provenance.to_string(), subject.remedy(Code::TokenExchangeDenied, None))
        }
        Provenance::Client { source, .. } => (source.to_string(), workstation::take_out(subject)),
    };
    let message = format!(
        "{} serves {image} to anybody, and refuses the credential in {holder}, which is what breaks the pull",
        subject.registry()
    );
    Finding::new(Code::StaleCredential, Confidence::Certain, message, remedy)
        .of_credential(Some(provenance.to_string()))
}

/// The token service refuses a login and takes strangers. What is public cannot be pulled with
/// that; whether the image in question is, nobody has asked.
pub(super) fn stale_login(
    subject: Subject<'_>,
    provenance: &Provenance,
    rejected: &str,
) -> Finding {
    let of_image = stale(subject, provenance);
    let message = format!(
        "{rejected}, and lets in whoever sends none, so this credential is what breaks the pull of whatever is public there"
    );
    Finding { message, confidence: Confidence::Likely, ..of_image }
}

/// Docker Hub gives a token to anybody and then answers alike for what is private and for
/// what does not exist.
pub(super) fn hidden_from_strangers(subject: Subject<'_>) -> Finding {
    let image = subject.image;
    let message = format!(
        "{} does not serve {image} to strangers: either it does not exist, or it is private, and no pull secret is given",
        subject.registry()
    );
    let remedy = either(
        "If it is public, check its name letter by letter.",
        &subject.remedy(Code::NoCredentials, None),
    );
    Finding::new(Code::NotFoundOrNotAuthorized, Confidence::Likely, message, remedy)
}

/// What a registry's refusal of one credential means.
pub(super) fn rejected(
    subject: Subject<'_>,
    credential: Option<&Provenance>,
    detail: &str,
) -> Finding {
    let registry = subject.registry();
    let (who, remedy) = match credential {
        None => ("the credential".to_owned(), "Use another credential.".to_owned()),
        Some(Provenance::PullSecret { secret, .. }) => (
            format!("the user name or password in pull secret {secret}"),
            subject.remedy(Code::CredentialRejected, Some(secret)),
        ),
        Some(Provenance::Node { source, key }) => (
            format!("the user name or password of {source}"),
            node::put_right(registry, source, key),
        ),
        Some(Provenance::Client { source, .. }) => {
            (format!("the user name or password of {source}"), workstation::log_in_again(subject))
        }
        Some(own @ (Provenance::Azure { .. } | Provenance::Strangers)) => {
            (own.to_string(), subject.remedy(Code::TokenExchangeDenied, None))
        }
    };
    let message = format!("{registry} refuses {who} ({detail})");
    Finding::new(Code::CredentialRejected, Confidence::Certain, message, remedy)
}
