//! Findings about a login that was tried for no image at all.

use crate::access::Provenance;
use crate::api::Confidence;
use crate::evidence::login::Login;
use crate::evidence::{Attempt, End, Evidence, Hop, StepName};

use super::catalogue::Code;
use super::{
    Diagnosis, Finding, Progress, Subject, Verdict, answers, azure, content, credentials,
    is_served, network, rank, verdict_of_failure, wants_credential,
};

/// Says whether the registry takes the login. It is [`Verdict::Pullable`] where one credential
/// is taken, which is as far as can be said without an image.
pub fn diagnose(namespace: &str, login: &Login) -> Diagnosis {
    let image = login.registry.stand_in();
    let subject = Subject { namespace, image: &image, complaint: None };
    let Login { registry, opening, attempts, anonymous, gaps, .. } = login;
    let evidence = of_stand_in(login);
    let mut own = azure::failed_login(subject, &evidence);
    // Beside credentials, what a stranger gets is only there to explain.
    let stranger = anonymous.as_ref().filter(|_| attempts.is_empty());
    let tried: Vec<&Attempt> = attempts.iter().chain(stranger).collect();
    let failures = tried.iter().copied().chain([opening]);
    let mut findings: Vec<Finding> =
        failures.filter_map(|attempt| finding(subject, attempt, &evidence)).collect();
    let accepted = tried.iter().copied().chain([opening]).find(|attempt| is_served(attempt));
    let verdict = if let Some(accepted) = accepted {
        findings = findings.into_iter().map(Finding::into_warning).collect();
        let how = match (&accepted.credential, std::ptr::eq(accepted, opening)) {
            (Some(credential), _) => format!("takes the login with {credential}"),
            (None, true) => "asks for no login".to_owned(),
            (None, false) => "gives a token to anybody".to_owned(),
        };
        let message = format!("{registry} {how}; whether an image can be pulled was not asked");
        findings
            .insert(0, Finding::new(Code::Pullable, Confidence::Certain, message, String::new()));
        Verdict::Pullable
    } else {
        let is_stranger =
            anonymous.as_ref().is_none_or(|anonymous| wants_credential(&anonymous.end));
        if matches!(opening.end, End::Challenged { .. }) && attempts.is_empty() && is_stranger {
            findings = credentials::absence(subject, gaps, own.take());
        }
        if anonymous.as_ref().is_some_and(is_served) {
            add_stale(subject, attempts, &mut findings);
        }
        verdict_of_failure(&findings)
    };
    azure::misrouted(subject, &evidence, verdict, &mut findings);
    findings.extend(azure::compared(subject, &evidence));
    findings.extend(azure::of_endpoints(subject, &evidence));
    if let Some(own) = own {
        azure::add_beside(own, &mut findings);
    }
    rank(&mut findings);
    Diagnosis { verdict, findings, progress: Progress::default() }
}

/// A token service that refuses a login lets in whoever sends none. Somebody at a machine is told
/// so first: there, to log out is all that it takes.
fn add_stale(subject: Subject<'_>, attempts: &[Attempt], findings: &mut Vec<Finding>) {
    let credential = attempts.first().and_then(|attempt| attempt.credential.as_ref());
    let (Some(credential), Some(rejected)) = (credential, findings.first()) else { return };
    let stale = credentials::stale_login(subject, credential, &rejected.message);
    if matches!(credential, Provenance::Client { .. }) {
        *findings = vec![stale];
    } else {
        findings.push(stale);
    }
}

/// What was seen, as of the registry's image that nobody asks for.
fn of_stand_in(login: &Login) -> Evidence {
    let Login { registry, vantage, gaps, opening, attempts, anonymous, lookups, azure, at } = login;
    Evidence {
        image: registry.stand_in(),
        vantage: *vantage,
        platform: None,
        gaps: gaps.clone(),
        opening: opening.clone(),
        attempts: attempts.clone(),
        anonymous: anonymous.clone(),
        repository: None,
        limit: None,
        mirrors: None,
        lookups: lookups.clone(),
        azure: azure.clone(),
        node: None,
        at: at.clone(),
    }
}

/// What the end of an attempt means; `None` where it ended well.
fn finding(subject: Subject<'_>, attempt: &Attempt, evidence: &Evidence) -> Option<Finding> {
    let registry = subject.registry();
    let finding = match &attempt.end {
        End::Served { .. } | End::Challenged { .. } => return None,
        End::Unreachable { hop, failure } => network::unreachable(subject, hop, failure),
        End::NotSent { host, reason } => super::unsent::finding(subject, host, reason),
        End::Unfit { hop, step, problem } => content::unfit(subject, hop, *step, problem),
        // A token service looks at a login alone, whatever it is for.
        End::Answered { step: StepName::Token, answer, .. } if answer.status == 401 => {
            return answers::finding(subject, attempt, evidence);
        }
        End::Answered { answer, .. } if answers::names_the_client(answer) => {
            return answers::finding(subject, attempt, evidence);
        }
        End::Answered { hop, answer, .. } => {
            let Hop { host, .. } = hop;
            let said = answers::in_words(answer);
            let (code, confidence, message) = match answer.status {
                401 => {
                    return Some(
                        credentials::rejected(subject, attempt.credential.as_ref(), &said)
                            .of_credential(attempt.credential.as_ref().map(ToString::to_string)),
                    );
                }
                403 => (
                    Code::AccessForbidden,
                    Confidence::Certain,
                    format!("{host} forbids access ({said})"),
                ),
                429 => (
                    Code::RateLimited,
                    Confidence::Certain,
                    format!("{host} limits requests ({said})"),
                ),
                500..=599 => (
                    Code::RegistryUnavailable,
                    Confidence::Certain,
                    format!("{host} answers with a server error ({said})"),
                ),
                200..=299 | 404 => (
                    Code::NotARegistry,
                    Confidence::Likely,
                    format!("{host} answers {said} where every registry says 200 or 401 (/v2/)"),
                ),
                _ => (
                    Code::Inconclusive,
                    Confidence::Possible,
                    format!(
                        "{host} answers the login at {registry} with {said}, which does not decide"
                    ),
                ),
            };
            let remedy = subject.remedy_at(code, host);
            Finding::new(code, confidence, message, remedy)
        }
    };
    Some(finding.of_credential(attempt.credential.as_ref().map(ToString::to_string)))
}
