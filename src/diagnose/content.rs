//! Findings about what a registry serves: manifests, configurations and layers.

use crate::api::Confidence;
use crate::evidence::told::Unfit;
use crate::evidence::{Answer, Attempt, End, Evidence, Hop, Role, StepName};
use crate::image::platform::Platform;

use super::catalogue::Code;
use super::{Diagnosis, Finding, Subject, answers};

/// What a 404 for a part of the image means, where its manifest was promised. Another host says so
/// too where a signed address leads nowhere, and a proxy where it likes.
pub(super) fn missing(subject: Subject<'_>, step: StepName, hop: &Hop, answer: &Answer) -> Finding {
    let said = answers::in_words(answer);
    let Subject { image, .. } = subject;
    let registry = subject.registry();
    let host = match hop.role {
        Role::Registry | Role::TokenService => String::new(),
        Role::RedirectTarget
        | Role::DataHost
        | Role::Proxy
        | Role::Mirror
        | Role::Metadata
        | Role::Entra => format!(" at {}", hop.host),
    };
    let (code, message) = if matches!(step, StepName::Config | StepName::Layer) {
        let part = part(step);
        let message = format!(
            "{registry} has the manifest of {image}, and {part} that it names is gone{host} ({said})"
        );
        (Code::LayerNotFound, message)
    } else {
        let message = format!(
            "{registry} knows {image}, and the manifest to which that leads is gone{host} ({said}): it was deleted or purged on its own"
        );
        (Code::ManifestDangling, message)
    };
    let is_unknown =
        |code: &str| matches!(code, "BLOB_UNKNOWN" | "MANIFEST_UNKNOWN" | "MANIFEST_BLOB_UNKNOWN");
    let is_told =
        hop.role == Role::Registry && answer.errors.iter().any(|error| is_unknown(&error.code));
    let alone = if is_told { Confidence::Certain } else { Confidence::Likely };
    // The words of a runtime name the registry, wherever it sent the runtime.
    let confidence = met_or(subject, code, registry.as_str(), alone);
    Finding::new(code, confidence, message, subject.remedy(code, None))
}

/// The manifest was served, and a part that it names is refused: the image is there, and what may
/// be read of it ends there.
pub(super) fn refused(
    subject: Subject<'_>,
    step: StepName,
    hop: &Hop,
    answer: &Answer,
    attempt: &Attempt,
) -> Finding {
    let is_denied = answer.errors.iter().any(|error| error.code == "DENIED");
    let is_of_account = attempt.credential.is_some() && (answer.status == 401 || is_denied);
    let (code, confidence) = if is_of_account {
        (Code::PullNotAuthorized, Confidence::Likely)
    } else {
        (Code::AccessForbidden, subject.confidence(Code::AccessForbidden, &hop.host))
    };
    let message = format!(
        "{} has the manifest of {}, and refuses {} that it names ({})",
        subject.registry(),
        subject.image,
        part(step),
        answers::in_words(answer)
    );
    Finding::new(code, confidence, message, subject.remedy_at(code, &hop.host))
}

/// Certain where the kubelet met the same.
fn met_or(subject: Subject<'_>, code: Code, host: &str, alone: Confidence) -> Confidence {
    match (subject.complaint, subject.confidence(code, host)) {
        (Some(_), Confidence::Certain) => Confidence::Certain,
        (Some(_), Confidence::Likely | Confidence::Possible) | (None, _) => alone,
    }
}

/// What is wrong with what was served.
pub(super) fn unfit(subject: Subject<'_>, hop: &Hop, step: StepName, problem: &Unfit) -> Finding {
    let Subject { image, .. } = subject;
    let registry = subject.registry();
    let host = &hop.host;
    // The node may be served something else, and be of another platform than the first one.
    let finding = |code: Code, message: String| {
        let confidence = subject.confidence(code, host);
        Finding::new(code, confidence, message, subject.remedy_at(code, host))
    };
    match problem {
        Unfit::WebPage => finding(
            Code::NotARegistry,
            format!(
                "{host} answers with a web page where a registry serves {}: a login page, a captive portal or a parked domain",
                part(step)
            ),
        ),
        Unfit::OtherPlatform { wanted, offered } => {
            let offers = match offered.as_slice() {
                [] => "it is for none at all".to_owned(),
                offered => format!("it is for {}", offered.join(", ")),
            };
            let node =
                wanted.as_ref().map_or_else(|| "any platform".to_owned(), ToString::to_string);
            finding(Code::PlatformMismatch, format!("{image} is not made for {node}; {offers}"))
        }
        Unfit::NotAnImage { what, is_only_old: false } => {
            let message = format!("{image} is no image that a node can run: it is {what}");
            let finding = finding(Code::ManifestUnsupported, message);
            // Some runtimes mount an artifact as a volume (CRI-O 1.33).
            let confidence = met_or(subject, finding.code, host, Confidence::Likely);
            Finding { confidence, ..finding }
        }
        Unfit::NotAnImage { what, is_only_old: true } => {
            let message = format!(
                "{image} is {what}, which the container runtimes of today do not take (containerd 2, for one)"
            );
            let finding = finding(Code::ManifestUnsupported, message).into_warning();
            Finding { confidence: Confidence::Likely, ..finding }
        }
        Unfit::Corrupted { promised, seen } => finding(
            Code::ContentCorrupted,
            format!(
                "{host} serves other bytes for {} of {image} than {registry} promises: {seen} in place of {promised}",
                part(step)
            ),
        ),
    }
}

/// What can be pulled and would not start: a single manifest is not compared with the node's
/// platform by the runtime (containerd, core/images/image.go, `Manifest`).
pub(super) fn of_other_platform(subject: Subject<'_>, evidence: &Evidence) -> Option<Finding> {
    let node = evidence.platform.as_ref()?;
    let own = other_platform(evidence)?;
    let Subject { image, .. } = subject;
    let message = format!(
        "{image} is for {own} and the node is {node}: it is pulled, and would not start (exec format error)"
    );
    let remedy = subject.remedy(Code::PlatformMismatch, None);
    Some(Finding::new(Code::PlatformMismatch, Confidence::Likely, message, remedy).into_warning())
}

/// The platform of what is served, where it is not one of the node's.
pub(super) fn other_platform(evidence: &Evidence) -> Option<&Platform> {
    let node = evidence.platform.as_ref()?;
    let own = served_platform(evidence)?;
    node.preference(own).is_none().then_some(own)
}

fn served_platform(evidence: &Evidence) -> Option<&Platform> {
    let mut ends = evidence.attempts.iter().chain(&evidence.anonymous).chain([&evidence.opening]);
    ends.find_map(|attempt| match &attempt.end {
        End::Served { platform, .. } => platform.as_ref(),
        End::Challenged { .. }
        | End::Answered { .. }
        | End::Unreachable { .. }
        | End::NotSent { .. }
        | End::Unfit { .. } => None,
    })
}

/// Says beside what a failing pod is served that its node may be of another platform: for where
/// no node is read.
pub fn leave_platform_open(diagnosis: &mut Diagnosis, evidence: &Evidence) {
    let Some(own) = served_platform(evidence).filter(|_| evidence.platform.is_none()) else {
        return;
    };
    let pullable = diagnosis.findings.iter_mut().find(|finding| finding.code == Code::Pullable);
    if let Some(pullable) = pullable {
        pullable.message = format!(
            "{}; it was read for {own}, and whether the node is of that platform is not known, since no node is read where only some namespaces are watched",
            pullable.message
        );
    }
}

/// A host to which the registry redirects refuses what was sent there, which is no credential.
pub(super) fn refused_elsewhere(subject: Subject<'_>, hop: &Hop, said: &str) -> Finding {
    let (registry, host) = (subject.registry(), &hop.host);
    if hop.role == Role::RedirectTarget {
        // A runtime answers the challenge of the other host, without a credential.
        let message = format!(
            "{registry} redirects to {host}, which wants a login of its own ({said}); this probe sends none there"
        );
        let remedy = "Name the image by the registry that serves it.".to_owned();
        return Finding::new(Code::Inconclusive, Confidence::Possible, message, remedy);
    }
    let message = format!("{registry} keeps its layers at {host}, which refuses them ({said})");
    let remedy = subject.remedy_at(Code::AccessForbidden, host);
    Finding::new(Code::AccessForbidden, Confidence::Likely, message, remedy)
}

/// The registry states a limit of pulls of which nothing is left: it answers the probe, which
/// asks with HEAD and is not counted, and will refuse the kubelet.
pub(super) fn exhausted(subject: Subject<'_>, evidence: &Evidence) -> Option<Finding> {
    // Limits of other kinds are stated in the same headers; what was read was allowed.
    let is_read = evidence.has_read(StepName::Platform);
    let limit = evidence.limit.as_ref().filter(|limit| limit.remaining == 0 && !is_read)?;
    let window = limit
        .window
        .map_or_else(String::new, |seconds| format!(" in {} h", seconds.div_ceil(3600)));
    let who = limit.source.as_ref().map_or_else(String::new, |source| format!(" for {source}"));
    let message = format!(
        "{} allows {} pulls{window}{who}, and none is left",
        subject.registry(),
        limit.limit
    );
    let remedy = subject.remedy(Code::RateLimited, None);
    Some(Finding::new(Code::RateLimited, Confidence::Likely, message, remedy))
}

/// What a step reads, as part of a sentence.
fn part(step: StepName) -> &'static str {
    match step {
        StepName::Config => "the configuration",
        StepName::Layer => "a layer",
        StepName::Dns
        | StepName::Connect
        | StepName::Tls
        | StepName::Identity
        | StepName::Exchange
        | StepName::Challenge
        | StepName::Token
        | StepName::Manifest
        | StepName::Platform => "the manifest",
    }
}

/// Whether a step reads a part of an image whose manifest was promised.
pub(super) fn is_part(step: StepName) -> bool {
    matches!(step, StepName::Platform | StepName::Config | StepName::Layer)
}

/// Whether an answer is about such a part, and says that it is not there.
pub(super) fn is_missing_part(step: StepName, answer: &Answer) -> bool {
    answer.status == 404 && is_part(step)
}
