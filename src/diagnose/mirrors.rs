//! Findings about servers that stand before the registry and did not serve the image.

use crate::api::Confidence;
use crate::evidence::told::Mirror;
use crate::evidence::{Attempt, End, Evidence};

use super::catalogue::Code;
use super::{Finding, Subject, Verdict, answers, content, furthest, network};

/// What is wrong with each. Beside a pull that works, and where the server answered, it is a
/// warning; where nothing serves the image, a server that cannot be reached may be the cause.
pub(super) fn findings(
    subject: Subject<'_>,
    evidence: &Evidence,
    verdict: Verdict,
) -> Vec<Finding> {
    let mirrors = evidence.mirrors.iter().flat_map(|mirrors| &mirrors.before);
    mirrors.filter_map(|mirror| finding(subject, mirror, verdict)).collect()
}

fn finding(subject: Subject<'_>, mirror: &Mirror, verdict: Verdict) -> Option<Finding> {
    let (opening, attempts) = mirror.attempts.split_first()?;
    let attempts: Vec<&Attempt> = attempts.iter().collect();
    let end = &furthest(&attempts).unwrap_or(opening).end;
    let code = Code::MirrorUnreachable;
    let (why, is_down) = match end {
        // A mirror that lacks an image is none that fails.
        End::Served { .. } => return None,
        End::Answered { answer, .. } if answer.status == 404 => return None,
        End::Answered { answer, .. } => {
            (format!("it answers {}", answers::in_words(answer)), answer.status >= 500)
        }
        End::Challenged { .. } => ("it wants a credential".to_owned(), false),
        End::Unreachable { hop, failure } => {
            (network::unreachable(subject, hop, failure).message, true)
        }
        End::NotSent { host, reason } => {
            (super::unsent::finding(subject, host, reason).message, false)
        }
        End::Unfit { hop, step, problem } => {
            (content::unfit(subject, hop, *step, problem).message, false)
        }
    };
    let message = match end {
        End::Unreachable { .. } => why,
        End::Served { .. }
        | End::Answered { .. }
        | End::Challenged { .. }
        | End::NotSent { .. }
        | End::Unfit { .. } => network::of_mirror(subject, &mirror.host, &why),
    };
    let remedy = subject.remedy_at(code, &mirror.host);
    let finding = match verdict {
        Verdict::Pullable => {
            Finding::new(code, Confidence::Certain, message, remedy).into_warning()
        }
        Verdict::NotPullable | Verdict::Undecided if is_down => {
            Finding::new(code, Confidence::Likely, message, remedy)
        }
        Verdict::NotPullable | Verdict::Undecided => {
            Finding::new(code, Confidence::Likely, message, remedy).into_warning()
        }
    };
    Some(finding.at_hop(Some(mirror.host.clone())))
}
