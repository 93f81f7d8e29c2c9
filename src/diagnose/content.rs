//! Findings about what a registry serves: manifests, configurations and layers.

use crate::api::Confidence;
use crate::evidence::told::Unfit;
use crate::evidence::{Answer, End, Evidence, Hop, Role, StepName};
use crate::image::platform::Platform;

use super::catalogue::Code;
use super::{Finding, Subject};

/// What a 404 for a part of the image means, where its manifest was promised.
pub(super) fn missing(subject: Subject<'_>, step: StepName, hop: &Hop, said: &str) -> Finding {
    let Subject { image, .. } = subject;
    let registry = subject.registry();
    let host = match hop.role {
        Role::Registry | Role::TokenService => String::new(),
        Role::RedirectTarget | Role::DataHost | Role::Proxy => format!(" at {}", hop.host),
    };
    let (code, message) = match step {
        StepName::Config | StepName::Layer => (
            Code::LayerNotFound,
            format!(
                "{registry} has the manifest of {image}, and {} that it names is gone{host} ({said})",
                part(step)
            ),
        ),
        StepName::Dns
        | StepName::Connect
        | StepName::Tls
        | StepName::Challenge
        | StepName::Token
        | StepName::Manifest
        | StepName::Platform => (
            Code::ManifestDangling,
            format!(
                "{registry} knows {image}, and the manifest to which that leads is gone{host} ({said}): it was deleted or purged on its own"
            ),
        ),
    };
    Finding::new(code, Confidence::Certain, message, subject.remedy(code, None))
}

/// What is wrong with what was served.
pub(super) fn unfit(subject: Subject<'_>, hop: &Hop, step: StepName, problem: &Unfit) -> Finding {
    let Subject { image, .. } = subject;
    let registry = subject.registry();
    let host = &hop.host;
    let certain = |code: Code, message: String| {
        Finding::new(code, Confidence::Certain, message, subject.remedy_at(code, host))
    };
    match problem {
        Unfit::WebPage => certain(
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
            certain(Code::PlatformMismatch, format!("{image} is not made for {node}; {offers}"))
        }
        Unfit::NotAnImage { what, is_only_old: false } => certain(
            Code::ManifestUnsupported,
            format!("{image} is no image that a node can run: it is {what}"),
        ),
        Unfit::NotAnImage { what, is_only_old: true } => {
            let message = format!(
                "{image} is {what}, which the container runtimes of today do not take (containerd 2, for one)"
            );
            let finding = certain(Code::ManifestUnsupported, message).into_warning();
            Finding { confidence: Confidence::Likely, ..finding }
        }
        Unfit::Corrupted { promised, seen } => certain(
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
    let mut ends = evidence.attempts.iter().chain(&evidence.anonymous).chain([&evidence.opening]);
    let own = ends.find_map(|attempt| match &attempt.end {
        End::Served { platform, .. } => platform.as_ref(),
        End::Challenged { .. }
        | End::Answered { .. }
        | End::Unreachable { .. }
        | End::NotSent { .. }
        | End::Unfit { .. } => None,
    })?;
    node.preference(own).is_none().then_some(own)
}

/// The registry states a limit of pulls of which nothing is left: it answers the probe, which
/// asks with HEAD and is not counted, and will refuse the kubelet.
pub(super) fn exhausted(subject: Subject<'_>, evidence: &Evidence) -> Option<Finding> {
    let limit = evidence.limit.as_ref().filter(|limit| limit.remaining == 0)?;
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
        | StepName::Challenge
        | StepName::Token
        | StepName::Manifest
        | StepName::Platform => "the manifest",
    }
}

/// Whether an answer is about a part of an image whose manifest was promised.
pub(super) fn is_missing_part(step: StepName, answer: &Answer) -> bool {
    answer.status == 404 && matches!(step, StepName::Platform | StepName::Config | StepName::Layer)
}
