//! Local refusals: what the kubelet or the node's runtime says of itself, and what is wrong
//! with a name or not allowed. No registry has anything to do with it, so none is asked.

use crate::access::Gap;
use crate::api::{Confidence, Severity};
use crate::complaint::Complaint;
use crate::image::{Host, ImageError, ImageRef};

use super::catalogue::Code;
use super::{Diagnosis, Finding, Progress, Subject, Verdict, credentials, quote, setting, words};

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

/// Says what is wrong with a name that is no image reference.
pub fn invalid_reference(error: &ImageError) -> Diagnosis {
    let remedy = error.suggestion().map_or_else(
        || "Write the image as registry/repository:tag, in lower case.".to_owned(),
        |suggestion| format!("Write the image as {suggestion} in the pod's spec."),
    );
    stopped(Finding::new(
        Code::InvalidImageReference,
        Confidence::Certain,
        error.to_string(),
        remedy,
    ))
}

/// Says why the registry was not asked at all.
pub fn skipped(message: String, remedy: String) -> Diagnosis {
    Diagnosis {
        verdict: Verdict::Undecided,
        findings: vec![Finding::new(Code::ProbeSkipped, Confidence::Certain, message, remedy)],
        progress: Progress::default(),
    }
}

/// Says that the registry will be asked for an image when others have had their turn.
pub fn put_off(image: &str, registry: &Host) -> Diagnosis {
    let message = format!(
        "{image} waits for its turn: {registry} is asked for so many images that not all are looked at yet"
    );
    let remedy = setting::of_controller(
        "Wait, or have the registry asked for more at once",
        "probesPerSecond=20",
        "--probes-per-second 20",
    );
    skipped(message, remedy)
}

/// Says what is wrong with a host whose port no connection can have. The grammar of
/// references allows it.
pub fn impossible_port(image: &ImageRef) -> Diagnosis {
    stopped(Finding::new(
        Code::InvalidImageReference,
        Confidence::Certain,
        format!("the port of {} in {image} is no number from 1 to 65535", image.registry()),
        "Correct the registry's port in the pod's spec.".to_owned(),
    ))
}

fn stopped(finding: Finding) -> Diagnosis {
    Diagnosis {
        verdict: Verdict::NotPullable,
        findings: vec![finding],
        progress: Progress::default(),
    }
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
