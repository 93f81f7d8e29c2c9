//! A token from a token service, as containerd asks for one (core/remotes/docker/authorizer.go,
//! `doBearerAuth`; Docker registry token specification).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use url::Url;
use url::form_urlencoded;

use crate::access::Credential;
use crate::evidence::{Answer, End, Role, Step, StepName};
use crate::secret::Secret;

use super::connection::micros;
use super::exchange::{Asked, Body, Line, Question, Reply};
use super::protocol::{self, Grant};
use super::words::in_words;

/// The name under which containerd asks for a token.
const CLIENT_ID: &str = "containerd-client";
/// How much of an answer is read, in bytes: enough for the longest tokens.
pub(super) const BODY_MAX: usize = 256 << 10;

/// What a token is asked of, and for.
pub(super) struct Service<'service> {
    pub(super) realm: &'service Url,
    pub(super) name: Option<&'service str>,
    pub(super) scopes: &'service [String],
}

/// What came of asking for a token.
pub(super) struct Fetched {
    pub(super) steps: Vec<Step>,
    pub(super) result: Result<Secret, End>,
    /// The service's id of the last question.
    pub(super) correlation: Option<String>,
}

/// Asks for a token: with a credential by POST, and by GET where the service knows no POST;
/// without one by GET.
pub(super) async fn fetch(
    line: &Line<'_>,
    service: &Service<'_>,
    credential: Option<&Credential>,
    secrets: &[Secret],
) -> Fetched {
    let Some(credential) = credential else {
        let asked = get(line, service, None).await;
        return fetched(asked, Grant::Get, "", secrets);
    };
    let asked = line
        .ask(Question {
            step: StepName::Token,
            role: Role::TokenService,
            method: Method::POST,
            url: service.realm,
            authorization: None,
            body: Body::Form(form(service, credential)),
            limit: BODY_MAX,
        })
        .await;
    match asked.result {
        // Registries without POST answer 404, Artifactory 401, ACR 400 (authorizer.go).
        Ok(Reply { status: status @ (400 | 401 | 404 | 405), .. }) => {
            let mut again = get(line, service, Some(&basic(credential))).await;
            again.connection.splice(0..0, asked.connection);
            again.took += asked.took;
            fetched(again, Grant::Get, &format!("POST {status}, GET "), secrets)
        }
        result => fetched(Asked { result, ..asked }, Grant::Password, "", secrets),
    }
}

/// A token by GET alone, which is all that Azure's registries know; `None` where there is none.
pub(super) async fn fetch_plainly(
    line: &Line<'_>,
    service: &Service<'_>,
    credential: &Credential,
) -> Option<Secret> {
    let asked = get(line, service, Some(&basic(credential))).await;
    fetched(asked, Grant::Get, "", &[]).result.ok()
}

async fn get(line: &Line<'_>, service: &Service<'_>, authorization: Option<&HeaderValue>) -> Asked {
    let mut url = service.realm.clone();
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = service.name.filter(|service| !service.is_empty()) {
            query.append_pair("service", service);
        }
        for scope in service.scopes {
            query.append_pair("scope", scope);
        }
    }
    line.ask(Question {
        step: StepName::Token,
        role: Role::TokenService,
        method: Method::GET,
        url: &url,
        authorization,
        body: Body::Nothing,
        limit: BODY_MAX,
    })
    .await
}

/// The steps of a token, with its connection; `before` is what was said to a first question.
fn fetched(asked: Asked, grant: Grant, before: &str, secrets: &[Secret]) -> Fetched {
    let Asked { connection: mut steps, took, result } = asked;
    let connecting: u64 = steps.iter().map(|step| step.micros).sum();
    let answer = result.as_ref().ok();
    let correlation =
        answer.and_then(|reply| protocol::azure::correlation(&reply.headers, secrets));
    let (said, result) = granted(result, grant, secrets);
    if steps.iter().all(|step| step.passed) {
        steps.push(Step {
            name: StepName::Token,
            host: None,
            passed: result.is_ok(),
            detail: format!("{before}{said}"),
            micros: micros(took).saturating_sub(connecting),
        });
    }
    Fetched { steps, result, correlation }
}

/// The token of an answer, and the answer in a word.
fn granted(
    result: Result<Reply, End>,
    grant: Grant,
    secrets: &[Secret],
) -> (String, Result<Secret, End>) {
    let status = result.as_ref().map_or_else(in_words, |reply| reply.status.to_string());
    let read = |body: &[u8]| {
        let token = protocol::token(body, grant)?;
        let can_be_sent = HeaderValue::from_bytes(token.expose()).is_ok();
        if can_be_sent { Ok(token) } else { Err("the token has characters that no header takes") }
    };
    let token = given(result, StepName::Token, read, protocol::answer, secrets);
    let said = match &token {
        Err(End::Answered { answer: Answer { status, problem: Some(problem), .. }, .. })
            if (200..300).contains(status) =>
        {
            format!("{status}, {problem}")
        }
        Ok(_) | Err(_) => status,
    };
    (said, token)
}

/// What `read` finds in a success; what is none is an answer to `step`.
#[expect(clippy::result_large_err, reason = "one for each token")]
pub(super) fn given(
    result: Result<Reply, End>,
    step: StepName,
    read: impl FnOnce(&[u8]) -> Result<Secret, &'static str>,
    understand: fn(u16, &HeaderMap, &[u8], &[Secret]) -> Answer,
    secrets: &[Secret],
) -> Result<Secret, End> {
    let Reply { hop, status, headers, body } = result?;
    let answer = if (200..300).contains(&status) {
        match read(&body) {
            Ok(secret) => return Ok(secret),
            // Nothing of a body that may hold a secret is kept.
            Err(problem) => Answer {
                problem: Some(problem.to_owned()),
                ..understand(status, &headers, &[], secrets)
            },
        }
    } else {
        understand(status, &headers, &body, secrets)
    };
    Err(End::Answered { hop, step, answer })
}

/// The form of `FetchTokenWithOAuth` (core/remotes/docker/auth/fetch.go), in Go's order. A
/// password without a user is a token that is to be refreshed.
fn form(service: &Service<'_>, credential: &Credential) -> String {
    let scopes = service.scopes.join(" ");
    let is_token = credential.username.is_empty();
    let password = credential.password.expose();
    let fields: Vec<(&str, &[u8])> = vec![
        ("client_id", CLIENT_ID.as_bytes()),
        ("grant_type", if is_token { b"refresh_token" } else { b"password" }),
        (if is_token { "refresh_token" } else { "password" }, password),
        ("scope", scopes.as_bytes()),
        ("service", service.name.unwrap_or_default().as_bytes()),
        ("username", credential.username.as_bytes()),
    ];
    let fields = fields.into_iter().filter(|(name, _)| *name != "username" || !is_token);
    let fields: Vec<String> =
        fields.map(|(name, value)| format!("{name}={}", in_form(value))).collect();
    fields.join("&")
}

fn in_form(value: &[u8]) -> String {
    form_urlencoded::byte_serialize(value).collect()
}

/// `Authorization: Basic …` (RFC 7617).
pub(super) fn basic(credential: &Credential) -> HeaderValue {
    sensitive(format!("Basic {}", encoded(credential)).as_bytes())
}

/// `Authorization: Bearer …` (RFC 6750).
pub(super) fn bearer(token: &Secret) -> HeaderValue {
    sensitive(&[b"Bearer ", token.expose()].concat())
}

/// A header's value that no log shows. What no header takes, which cannot come here, is sent
/// as an empty one.
fn sensitive(value: &[u8]) -> HeaderValue {
    let mut value = HeaderValue::from_bytes(value).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

fn encoded(credential: &Credential) -> String {
    let user = credential.username.as_bytes();
    STANDARD.encode([user, b":", credential.password.expose()].concat())
}

/// The password, and the forms of it that are not found by how its characters are written, so
/// that an answer that repeats it is not kept as it is. What is encoded is found without its
/// padding too.
pub(super) fn secrets_of(credential: &Credential) -> Vec<Secret> {
    let user = credential.username.as_bytes();
    let both = [user, b":", credential.password.expose()].concat();
    let encoded = [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|engine| engine.encode(&both));
    [credential.password.clone()].into_iter().chain(encoded.map(Secret::new)).collect()
}
