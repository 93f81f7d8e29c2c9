//! Findings about credentials that are missing, unusable or for another registry.

use crate::access::{Gap, Provenance};
use crate::api::{Confidence, Severity};

use super::catalogue::{Code, Stage};
use super::{Finding, Subject, Verdict};

/// How many entries of one secret a message names.
const MOST_ENTRIES: usize = 3;

/// Why no credential reached the registry.
pub(super) fn absence(subject: Subject<'_>, gaps: &[Gap]) -> Vec<Finding> {
    let findings = of_gaps(subject, gaps);
    if findings.is_empty() { vec![no_credentials(subject)] } else { findings }
}

/// What may be the cause where all credentials that there are were refused.
pub(super) fn beside_refused(subject: Subject<'_>, gaps: &[Gap]) -> Vec<Finding> {
    let findings = of_gaps(subject, gaps).into_iter();
    findings
        .filter(|finding| finding.code != Code::PullSecretHostMismatch)
        .map(|finding| Finding {
            confidence: finding.confidence.max(Confidence::Likely),
            ..finding
        })
        .collect()
}

/// What is wrong although the image can be pulled.
pub(super) fn beside_pullable(subject: Subject<'_>, gaps: &[Gap]) -> Vec<Finding> {
    let findings = of_gaps(subject, gaps).into_iter();
    findings
        .filter(|finding| finding.code != Code::PullSecretHostMismatch)
        .map(Finding::into_warning)
        .collect()
}

/// The pull secret that stops every pull of the pod, if there is one.
pub(super) fn broken_keyring(subject: Subject<'_>, gaps: &[Gap]) -> Option<Finding> {
    gaps.iter().find(|gap| matches!(gap, Gap::KeyringBroken { .. })).map(|gap| of_gap(subject, gap))
}

/// Without a failing pod nobody knows what the node's own identity can do, which the kubelet
/// tries after the pull secrets. Where it mostly has one, as for the registries of Azure, what
/// it could change is left open.
pub(super) fn leave_room_for_the_node(
    subject: Subject<'_>,
    verdict: Verdict,
    findings: &mut [Finding],
) -> Verdict {
    if subject.complaint.is_some() || !is_azure(subject.registry().as_str()) {
        return verdict;
    }
    let could_change = |finding: &&mut Finding| {
        let stage = finding.code.row().stage;
        let is_of_credentials =
            matches!(stage, Stage::Credential | Stage::Authentication | Stage::Authorization);
        finding.severity == Severity::Error && is_of_credentials
    };
    let mut verdict = verdict;
    for finding in findings.iter_mut().filter(could_change) {
        verdict = Verdict::Undecided;
        finding.confidence = finding.confidence.max(Confidence::Likely);
        finding.message = format!(
            "{}; the node's identity, which the kubelet tries too, was not probed",
            finding.message
        );
    }
    verdict
}

fn no_credentials(subject: Subject<'_>) -> Finding {
    let image = subject.image;
    let registry = subject.registry();
    let message =
        format!("no pull secret is given for {image}, and {registry} refuses anonymous pulls");
    let secret = format!(
        "reate a pull secret and name it in the pod's imagePullSecrets, or in those of its service account (which only new pods get): {}",
        create_secret(subject, "regcred")
    );
    let remedy = if is_azure(registry.as_str()) {
        let name = registry.as_str().split('.').next().unwrap_or_default();
        format!(
            "Attach the registry to the cluster: az aks update -g GROUP -n CLUSTER --attach-acr {name}. Or c{secret}"
        )
    } else {
        format!("C{secret}")
    };
    // The node may have credentials of its own, which this probe does not see.
    Finding::new(Code::NoCredentials, Confidence::Likely, message, remedy)
}

/// Whether a host is a registry of Azure, for which the nodes of AKS mostly have an identity.
fn is_azure(host: &str) -> bool {
    [".azurecr.io", ".azurecr.cn", ".azurecr.us"].iter().any(|suffix| host.ends_with(suffix))
}

/// One finding for each secret, however many of its entries do not match.
fn of_gaps(subject: Subject<'_>, gaps: &[Gap]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for gap in gaps {
        let finding = of_gap(subject, gap);
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

fn of_gap(subject: Subject<'_>, gap: &Gap) -> Finding {
    let Subject { namespace, .. } = subject;
    let registry = subject.registry();
    let finding = match gap {
        Gap::SecretMissing { secret } => Finding::new(
            Code::PullSecretMissing,
            Confidence::Certain,
            format!("pull secret {secret} does not exist in namespace {namespace}"),
            format!("Create it: {}", create_secret(subject, secret)),
        ),
        Gap::SecretForbidden { secret } => Finding::new(
            Code::PullSecretUnreadable,
            Confidence::Certain,
            format!(
                "this controller may not read pull secret {secret} in namespace {namespace}, so nothing is concluded from it"
            ),
            format!(
                "Let the controller read it: its ClusterRole needs get on secrets. To see whether it may: kubectl auth can-i get secret/{secret} -n {namespace} --as system:serviceaccount:registrycheck:registrycheck"
            ),
        ),
        Gap::SecretIgnored { secret, reason } => Finding::new(
            Code::PullSecretMalformed,
            Confidence::Certain,
            format!("the kubelet passes over pull secret {secret}: {reason}"),
            format!("Replace it: {}", replace_secret(subject, secret)),
        ),
        Gap::KeyringBroken { secret, reason } => Finding::new(
            Code::PullSecretMalformed,
            Confidence::Certain,
            format!(
                "the kubelet pulls nothing for the pod, because pull secret {secret} cannot be read: {reason}"
            ),
            format!("Replace it: {}", replace_secret(subject, secret)),
        ),
        Gap::EntryDropped { secret, key, reason } => Finding::new(
            Code::PullSecretHostMismatch,
            Confidence::Certain,
            format!(
                "pull secret {secret} has no entry for {registry}: {key} is dropped, since {reason}"
            ),
            add_secret(subject, secret),
        ),
        Gap::EntryNotMatching { secret, key, rule } => Finding::new(
            Code::PullSecretHostMismatch,
            Confidence::Certain,
            format!(
                "pull secret {secret} has no entry for {registry}: {key} does not match, since {rule}"
            ),
            add_secret(subject, secret),
        ),
    };
    finding.of_credential(Some(format!("secret {}", gap.secret())))
}

/// The line that creates a pull secret for the image's registry.
fn create_secret(subject: Subject<'_>, secret: &str) -> String {
    let server = match subject.registry().as_str() {
        "docker.io" => "https://index.docker.io/v1/",
        other => other,
    };
    format!(
        "kubectl create secret docker-registry {secret} -n {} --docker-server={server} --docker-username=USER --docker-password=PASSWORD",
        subject.namespace
    )
}

/// Another secret beside one whose entries are for other registries, which stay.
fn add_secret(subject: Subject<'_>, secret: &str) -> String {
    format!(
        "Create another secret, and name it in imagePullSecrets beside {secret}: {}",
        create_secret(subject, &format!("{secret}-2"))
    )
}

/// A secret's type cannot be changed, so it has to be made anew.
fn replace_secret(subject: Subject<'_>, secret: &str) -> String {
    format!(
        "kubectl delete secret {secret} -n {} && {}",
        subject.namespace,
        create_secret(subject, secret)
    )
}

/// The line that puts another user name and password into a pull secret.
pub(super) fn update_secret(subject: Subject<'_>, secret: &str) -> String {
    format!("{} --dry-run=client -o yaml | kubectl apply -f -", create_secret(subject, secret))
}

/// The image is public, and a credential that the registry refuses stands in the way.
pub(super) fn stale(subject: Subject<'_>, provenance: &Provenance) -> Finding {
    let Subject { namespace, image, .. } = subject;
    let Provenance::PullSecret { secret, key } = provenance;
    let message = format!(
        "{} serves {image} to anybody, and refuses the credential in pull secret {secret}, which is what breaks the pull",
        subject.registry()
    );
    let remedy = format!(
        "Take the entry {key} out of the secret, or the secret out of the pod's imagePullSecrets; where nothing else needs it: kubectl delete secret {secret} -n {namespace}"
    );
    Finding::new(Code::StaleCredential, Confidence::Certain, message, remedy)
        .of_credential(Some(provenance.to_string()))
}

/// Docker Hub gives a token to anybody and then answers alike for what is private and for
/// what does not exist.
pub(super) fn hidden_from_strangers(subject: Subject<'_>) -> Finding {
    let Subject { namespace, image, .. } = subject;
    let message = format!(
        "{} does not serve {image} to strangers: either it does not exist, or it is private, and no pull secret is given",
        subject.registry()
    );
    let remedy = format!(
        "Check the image's name, letter by letter. If it is private, create a pull secret in namespace {namespace} and name it in the pod's imagePullSecrets: {}",
        create_secret(subject, "regcred")
    );
    Finding::new(Code::NotFoundOrNotAuthorized, Confidence::Likely, message, remedy)
}

/// What a registry's refusal of one credential means.
pub(super) fn rejected(subject: Subject<'_>, secret: Option<&str>, detail: &str) -> Finding {
    let registry = subject.registry();
    let who = secret.map_or_else(
        || "the credential".to_owned(),
        |secret| format!("the user name or password in pull secret {secret}"),
    );
    let remedy = secret.map_or_else(
        || "Use another credential.".to_owned(),
        |secret| {
            format!(
                "Put a user name and password that {registry} accepts into the secret (this replaces all its entries): {}",
                update_secret(subject, secret)
            )
        },
    );
    let message = format!("{registry} refuses {who} ({detail})");
    Finding::new(Code::CredentialRejected, Confidence::Certain, message, remedy)
}
