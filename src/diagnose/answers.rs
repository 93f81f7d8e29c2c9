//! Findings about what a server answered.

use crate::access::Provenance;
use crate::access::azure::TOKEN_USER;
use crate::api::Confidence;
use crate::evidence::told::Flaw;
use crate::evidence::{Answer, Attempt, End, Evidence, Hop, Role, StepName};

use super::catalogue::Code;
use super::remedy::is_azure;
use super::{Finding, Subject, azure, content, credentials, network, unsent};

mod absent;
mod firewall;

pub(super) use firewall::names_the_client;

/// What the end of an attempt means; `None` where it ended well.
pub(super) fn finding(
    subject: Subject<'_>,
    attempt: &Attempt,
    evidence: &Evidence,
) -> Option<Finding> {
    let credential = attempt.credential.as_ref();
    let finding = match &attempt.end {
        End::Served { .. } | End::Challenged { .. } => return None,
        End::Answered { hop, step, answer } => {
            let answered = Answered { hop, step: *step, answer, attempt, evidence };
            of_answer(subject, &answered).at_hop(foreign(subject, hop))
        }
        End::Unreachable { hop, failure } => {
            network::unreachable(subject, hop, failure).at_hop(foreign(subject, hop))
        }
        End::NotSent { host, reason } => unsent::finding(subject, host, reason),
        End::Unfit { hop, step, problem } => {
            content::unfit(subject, hop, *step, problem).at_hop(foreign(subject, hop))
        }
    };
    Some(finding.of_credential(credential.map(ToString::to_string)))
}

/// The host of a hop that is not the registry itself.
pub(super) fn foreign(subject: Subject<'_>, hop: &Hop) -> Option<String> {
    match hop.role {
        Role::Registry => None,
        // Some registries are their own token service.
        Role::TokenService if hop.host == subject.registry().as_str() => None,
        Role::TokenService
        | Role::RedirectTarget
        | Role::DataHost
        | Role::Proxy
        | Role::Mirror
        | Role::Metadata
        | Role::Entra => Some(hop.host.clone()),
    }
}

/// An answer with what is needed to understand it.
struct Answered<'answered> {
    hop: &'answered Hop,
    step: StepName,
    answer: &'answered Answer,
    attempt: &'answered Attempt,
    evidence: &'answered Evidence,
}

impl Answered<'_> {
    /// Whether the token service gave a token for this attempt, so that a refusal after it
    /// is about rights and not about who one is.
    fn has_token(&self) -> bool {
        self.attempt.steps.iter().any(|step| step.name == StepName::Token && step.passed)
    }

    fn secret(&self) -> Option<&str> {
        self.attempt.credential.as_ref()?.pull_secret()
    }

    /// Whether the credential is a token that was over when it was tried, and whoever looks at
    /// credentials refused it.
    fn is_expired(&self) -> bool {
        let is_over = self.attempt.lifetime.as_ref().is_some_and(|lifetime| lifetime.is_over);
        let is_looked_at = matches!(self.hop.role, Role::Registry | Role::TokenService);
        is_over && is_looked_at && self.attempt.login != Some(200)
    }

    /// Whether the token that was given says that it does not grant to pull.
    fn lacks_pull(&self) -> bool {
        let grant = self.attempt.grant.as_ref();
        self.attempt.credential.is_some()
            && grant.is_some_and(|grant| !grant.actions.iter().any(|action| action == "pull"))
    }

    /// Whether it says that it does.
    fn grants_pull(&self) -> bool {
        let grant = self.attempt.grant.as_ref();
        grant.is_some_and(|grant| grant.actions.iter().any(|action| action == "pull"))
    }

    fn has_error(&self, code: &str) -> bool {
        self.answer.errors.iter().any(|error| error.code == code)
    }
}

/// What an answer says in words, whichever form it has.
pub(super) fn texts(answer: &Answer) -> impl Iterator<Item = &str> {
    let errors = answer.errors.iter().map(|error| error.message.as_str());
    errors.chain(answer.body.as_deref())
}

/// Whether an answer is a page for people, where a registry has words for programs.
pub(super) fn is_page(answer: &Answer) -> bool {
    let body = answer.body.as_deref().unwrap_or_default().to_ascii_lowercase();
    body.starts_with("<!doctype html") || body.starts_with("<html")
}

fn of_answer(subject: Subject<'_>, answered: &Answered<'_>) -> Finding {
    let image = subject.image;
    let Answered { hop, answer, .. } = answered;
    let said = in_words(answer);
    match answer.status {
        _ if content::is_missing_part(answered.step, answer) => {
            content::missing(subject, answered.step, hop, answer)
        }
        403 if names_the_client(answer) => Finding::new(
            Code::NetworkRuleDenied,
            // The node may leave by another address.
            subject.confidence(Code::NetworkRuleDenied, &hop.host),
            firewall::refusal(hop, answered.evidence.vantage, answer, &said),
            firewall::let_in(subject, answer),
        ),
        401 | 403 if hop.role == Role::Registry && content::is_part(answered.step) => {
            content::refused(subject, answered.step, hop, answer, answered.attempt)
        }
        401 if matches!(hop.role, Role::DataHost | Role::RedirectTarget) => {
            content::refused_elsewhere(subject, hop, &said)
        }
        401 | 403 if answered.attempt.flaw.is_some() && hop.role != Role::DataHost => {
            flawed(subject, answered, &said)
        }
        401 | 403 if answered.is_expired() => expired(subject, answered, &said),
        401 | 403 if hop.role == Role::Registry && answered.lacks_pull() => {
            not_authorized(subject, answered, &said)
        }
        401 if answered.has_token() => hidden(subject, answered, &said),
        401 => rejected(subject, answered, &said),
        403 if hop.role == Role::Registry
            && (answered.has_error("DENIED") || answered.has_token()) =>
        {
            hidden(subject, answered, &said)
        }
        403 => Finding::new(
            Code::AccessForbidden,
            subject.confidence(Code::AccessForbidden, &hop.host),
            format!("{} forbids access ({said})", hop.host),
            subject.remedy_at(Code::AccessForbidden, &hop.host),
        ),
        404 if is_page(answer) => Finding::new(
            Code::NotARegistry,
            Confidence::Likely,
            format!("a web server answers at {}, and no registry ({said})", hop.host),
            subject.remedy_at(Code::NotARegistry, &hop.host),
        ),
        404 => absent::not_found(subject, answered, &said),
        429 => Finding::new(
            Code::RateLimited,
            subject.confidence(Code::RateLimited, &hop.host),
            format!("{} limits requests ({said})", hop.host),
            match hop.role {
                Role::Registry | Role::TokenService if is_azure(subject.registry().name()) => {
                    subject.fill(HIGHER_TIER, &[])
                }
                Role::Registry
                | Role::TokenService
                | Role::RedirectTarget
                | Role::DataHost
                | Role::Proxy
                | Role::Mirror
                | Role::Metadata
                | Role::Entra => subject.remedy(Code::RateLimited, None),
            },
        ),
        500..=599 => Finding::new(
            Code::RegistryUnavailable,
            subject.confidence(Code::RegistryUnavailable, &hop.host),
            format!("{} answers with a server error ({said})", hop.host),
            subject.remedy_at(Code::RegistryUnavailable, &hop.host),
        ),
        _ => Finding::new(
            Code::Inconclusive,
            Confidence::Possible,
            format!(
                "{} answers the request for {image} with {said}, which does not decide",
                hop.host
            ),
            "Ask whoever runs the registry what this answer means.".to_owned(),
        ),
    }
}

/// A registry of Azure is limited by its tier, whoever asks (Azure Container Registry, "Service
/// tiers").
const HIGHER_TIER: &str = "Wait until the limit ends; the kubelet goes on trying by itself. A higher tier of the registry has a higher limit; to see which one it has: az acr show -n REGISTRYNAME --query sku.name";

/// A token service that refuses a login has looked at it. A Basic registry may answer 401 for
/// other reasons too, such as a tag that is not there; and that of Azure says so to a login
/// without any right, too (Azure Container Registry, "Troubleshoot registry login").
fn rejected(subject: Subject<'_>, answered: &Answered<'_>, said: &str) -> Finding {
    let credential = answered.attempt.credential.as_ref();
    let told = credential.filter(|_| answered.step == StepName::Token).and_then(|_| {
        azure::refused(subject, answered.attempt, answered.answer, answered.evidence)
    });
    if let Some(finding) = told {
        return finding;
    }
    let finding = credentials::rejected(subject, credential, said);
    let is_looked_at = !is_azure(subject.registry().name());
    match (answered.step, answered.attempt.login) {
        // The same credential is good at the registry's front door.
        (_, Some(200)) => hidden(subject, answered, said),
        (StepName::Token, _) | (_, Some(401)) if is_looked_at => finding,
        (_, Some(_) | None) => Finding { confidence: Confidence::Likely, ..finding },
    }
}

/// A credential that is not sent, or not as it was meant: the secret is what has to be mended.
fn flawed(subject: Subject<'_>, answered: &Answered<'_>, said: &str) -> Finding {
    let registry = subject.registry();
    let code = match answered.attempt.flaw {
        Some(Flaw::TokenOfAnotherUser | Flaw::UserWithoutToken) => Code::TokenUsernameMismatch,
        Some(Flaw::LineBreak | Flaw::Incomplete) | None => Code::PullSecretMalformed,
    };
    let whose = answered.attempt.credential.as_ref().map(ToString::to_string).unwrap_or_default();
    // A 403 can be of a firewall, or of a right.
    let is_of_login = answered.answer.status == 401;
    let alone = if is_of_login { Confidence::Certain } else { Confidence::Likely };
    let (confidence, message) = match answered.attempt.flaw {
        Some(Flaw::LineBreak) => (
            Confidence::Likely,
            format!(
                "the password in {whose} ends with a line break, which is sent with it, and {registry} refuses it ({said})"
            ),
        ),
        Some(Flaw::TokenOfAnotherUser) => (
            alone,
            format!(
                "the password in {whose} is a token of a registry, which goes with the user {TOKEN_USER} and with no other; {registry} refuses it ({said})"
            ),
        ),
        Some(Flaw::UserWithoutToken) => (
            Confidence::Likely,
            format!(
                "the user in {whose} goes with a registry's token, and its password is none; {registry} refuses it ({said})"
            ),
        ),
        Some(Flaw::Incomplete) | None => (
            alone,
            format!(
                "{whose} has no user name or no password, as an entry whose login a credential helper keeps: the container runtime sends neither, and {registry} refuses that ({said})"
            ),
        ),
    };
    Finding::new(code, confidence, message, subject.remedy(code, answered.secret()))
}

/// A token that is over says so itself. Where it was taken for a token of the token service, or
/// where whoever asks is forbidden more than that, something else can have been refused.
fn expired(subject: Subject<'_>, answered: &Answered<'_>, said: &str) -> Finding {
    let registry = subject.registry();
    let until = answered.attempt.lifetime.as_ref().map_or("", |lifetime| &lifetime.until);
    let who = answered.secret().map_or_else(
        || "the token".to_owned(),
        |secret| format!("the token in pull secret {secret}"),
    );
    let message = format!("{who} expired at {until}, and {registry} refuses it ({said})");
    let remedy = subject.remedy(Code::CredentialExpired, answered.secret());
    let is_plain = answered.answer.status == 401 && !answered.has_token();
    let confidence = if is_plain { Confidence::Certain } else { Confidence::Likely };
    Finding::new(Code::CredentialExpired, confidence, message, remedy)
}

/// The token service knows who asks, and its token does not grant to pull. Most services answer
/// so for a repository that is not there, too.
fn not_authorized(subject: Subject<'_>, answered: &Answered<'_>, said: &str) -> Finding {
    if let (Some(Provenance::Azure { .. }), Some(azure)) =
        (&answered.attempt.credential, answered.evidence.azure.as_deref())
    {
        return azure::not_authorized(subject, azure, said);
    }
    let others = answered.attempt.grant.as_ref().is_some_and(|grant| grant.has_others);
    let code = if others { Code::RepositoryNotAuthorized } else { Code::PullNotAuthorized };
    if let (Some(secret), true) = (answered.secret(), is_azure(subject.registry().name())) {
        return azure::account_not_authorized(subject, secret, code, said);
    }
    let (image, registry) = (subject.image, subject.registry());
    let path = image.path();
    let who = answered.secret().map_or_else(
        || "the credential".to_owned(),
        |secret| format!("the account in pull secret {secret}"),
    );
    let message = format!(
        "{registry} knows {who} and gives it no right to pull {path} ({said}); some registries answer so, too, where the repository does not exist"
    );
    let remedy = subject.remedy(code, answered.secret());
    Finding::new(code, Confidence::Likely, message, remedy)
}

fn hidden(subject: Subject<'_>, answered: &Answered<'_>, said: &str) -> Finding {
    let image = subject.image;
    let registry = subject.registry();
    let who = match (&answered.attempt.credential, answered.secret()) {
        (_, Some(secret)) => format!("pull secret {secret}"),
        (Some(own), None) => own.to_string(),
        (None, None) => "an anonymous client".to_owned(),
    };
    // A 403 without a registry's words can be a firewall's; and a registry that refuses what its
    // own token grants hides more than that.
    let is_bare = answered.answer.status == 403 && answered.answer.errors.is_empty();
    let is_granted = answered.answer.status == 401 && answered.grants_pull();
    Finding::new(
        Code::NotFoundOrNotAuthorized,
        if is_bare || is_granted { Confidence::Likely } else { Confidence::Certain },
        format!(
            "{registry} refuses {image} to {who} ({said}): either it does not exist, or it may not be pulled with that; the registry hides which"
        ),
        subject.remedy(Code::NotFoundOrNotAuthorized, None),
    )
}

/// `404 MANIFEST_UNKNOWN: manifest unknown`. Only what a registry says in a registry's form is
/// quoted: whoever may name a host in a pod could read any server's pages otherwise.
pub(super) fn in_words(answer: &Answer) -> String {
    let mut words = format!("status {}", answer.status);
    if let Some(error) = answer.errors.iter().find(|error| is_code(&error.code)) {
        words = format!("{words}, {}", error.code);
        let message = error.message.trim_end_matches('.');
        if !message.is_empty() {
            words = format!("{words}: {message}");
        }
    } else if let Some(problem) = &answer.problem {
        words = format!("{words}: {problem}");
    }
    if let Some(seconds) = answer.retry_after {
        words = format!("{words}; it says to wait {}", in_time(seconds));
    }
    words
}

/// Whether a text is a code of an error (OCI distribution specification, "Error Codes"; RFC 6749,
/// 5.2; the numbers of Entra ID).
fn is_code(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(is_fit)
}

/// A time to wait, as somebody says it: at least as long as it is.
fn in_time(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3_600)),
    }
}
