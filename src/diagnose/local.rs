//! Local refusals: what the kubelet or the node's runtime says of itself. No registry has
//! anything to do with it, so none is asked.

use crate::access::Gap;
use crate::api::{Confidence, Severity};
use crate::complaint::Complaint;

use super::catalogue::Code;
use super::{Diagnosis, Finding, Subject, credentials, quote, stopped, words};

/// Says what the kubelet's own refusals mean, for which no registry is asked, and what a
/// broken pull secret means. `None` where the registry has to be asked.
pub fn without_probe(subject: Subject<'_>, gaps: &[Gap]) -> Option<Diagnosis> {
    let image = subject.image;
    let local = |code, confidence, message| {
        let mut finding = Finding::new(code, confidence, message, subject.remedy(code, None));
        finding.severity = Severity::Error;
        finding
    };
    let finding = match subject.complaint {
        Some(Complaint::NeverPull) => local(
            Code::ImageNeverPulled,
            Confidence::Certain,
            format!("imagePullPolicy is Never, and {image} is not on the node"),
        ),
        Some(Complaint::InspectFailed { cause }) => local(
            Code::ImageInspectFailed,
            Confidence::Likely,
            format!("the node's runtime cannot inspect {image}: {}", quote(cause)),
        ),
        Some(Complaint::SignatureRejected { cause }) => local(
            Code::SignatureRejected,
            Confidence::Likely,
            format!("the node's signature policy refuses {image}: {}", quote(cause)),
        ),
        Some(Complaint::PullFailed { cause }) => match said(cause) {
            Some((code, confidence)) => local(code, confidence, message(subject, code, cause)),
            None => credentials::broken_keyring(subject, gaps)?,
        },
        Some(Complaint::InvalidName | Complaint::KeyringBroken { .. }) | None => {
            credentials::broken_keyring(subject, gaps)?
        }
    };
    Some(stopped(finding))
}

/// What the words say of the node itself, where they leave hardly anything else.
fn said(cause: &str) -> Option<(Code, Confidence)> {
    let meaning = words::read(cause).into_iter().next()?;
    (row(meaning.code).is_some() && meaning.confidence < Confidence::Possible)
        .then_some((meaning.code, meaning.confidence))
}

fn message(subject: Subject<'_>, code: Code, cause: &str) -> String {
    let what = row(code).unwrap_or("the node cannot pull");
    format!("{what} {}: {}", subject.image, quote(cause))
}

fn row(code: Code) -> Option<&'static str> {
    LOCAL.iter().find(|(of, _)| *of == code).map(|(_, what)| *what)
}

/// What a runtime says of its own node, as a clause that the image's name ends.
const LOCAL: &[(Code, &str)] = &[
    (Code::PullQpsExceeded, "the node's kubelet has pulled as often as it may, and puts off"),
    (Code::ImageNeverPulled, "the pod forbids to pull, and the node does not have"),
    (Code::InvalidImageReference, "the node cannot read the image's name"),
    (Code::RegistryNameSuspicious, "the node does not know of which registry to ask for"),
    (Code::ImageInspectFailed, "the node's runtime cannot inspect"),
    (Code::SignatureRejected, "the node's signature policy refuses"),
    (Code::NodeDiskFull, "the node has no space left for"),
    (Code::RuntimeFailure, "the node's container runtime fails to pull"),
];
