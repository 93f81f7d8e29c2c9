//! A pull as far as its manifest: HEAD as the runtime asks it, and the body beside it.

use std::time::Duration;

use futures::future;
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, HeaderValue, WWW_AUTHENTICATE};
use url::Url;

use crate::evidence::told::{PullLimit, Unfit};
use crate::evidence::{End, Role, Step, StepName};
use crate::secret::Secret;

use super::connection::micros;
use super::content::{Reader, Root};
use super::exchange::{Asked, Body, Question, Reply};
use super::protocol::challenge::{Demand, demand};
use super::protocol::{self, answer, manifest};
use super::walk::{Walk, challenged};
use super::words;

/// The largest manifest that is read, in bytes (OCI distribution specification, "Pushing
/// Manifests": registries should take 4 MiB).
pub(super) const MANIFEST_MAX: usize = 4 << 20;

/// How long a request waits to be repeated after a 429.
const BETWEEN_REPEATS: Duration = Duration::from_millis(40);

/// What came of a pull.
pub(super) struct Pulled {
    pub(super) steps: Vec<Step>,
    pub(super) end: End,
    /// What the registry wants, where it refused for want of a credential.
    pub(super) demand: Option<Demand>,
    pub(super) limit: Option<PullLimit>,
    /// The registry's id of the question for the manifest, where all of the image was served.
    pub(super) correlation: Option<String>,
}

impl Walk<'_> {
    /// Pulls with what a credential has given; `first` is what the first step is called.
    pub(super) async fn pull(
        &self,
        first: StepName,
        authorization: Option<&HeaderValue>,
        secrets: &[Secret],
    ) -> Pulled {
        // With a token the body is wanted whatever HEAD says: of a success its content, of a
        // failure its words. So it is asked for at the same time. A password is not sent twice
        // before it is known to be good: registries lock accounts.
        let asks_body = first != StepName::Challenge
            && !is_password(authorization)
            && !self.is_frugal()
            && !self.memory.knows(self.image);
        let head = self.ask_head(first, authorization);
        let (head, body) = if asks_body {
            let body = self.ask_manifest(first, Method::GET, &self.manifest, authorization);
            let (head, body) = future::join(head, body).await;
            (head, body.result.ok())
        } else {
            (head.await, None)
        };
        self.conclude(first, head, body, authorization, secrets).await
    }

    async fn conclude(
        &self,
        first: StepName,
        head: Asked,
        body: Option<Reply>,
        authorization: Option<&HeaderValue>,
        secrets: &[Secret],
    ) -> Pulled {
        let Asked { connection: mut steps, took, result } = head;
        let connecting: u64 = steps.iter().map(|step| step.micros).sum();
        let micros = micros(took).saturating_sub(connecting);
        let mut demand = None;
        let mut limit = None;
        let mut correlation = None;
        let served = match result {
            Ok(reply) if is_challenge(&reply) && first == StepName::Challenge => {
                let wanted = demand_of(&reply);
                let end = challenged(&wanted, &reply);
                demand = Some(wanted);
                Err(end)
            }
            Ok(reply) if reply.is_success() => {
                limit = protocol::pull_limit(&reply.headers, secrets);
                correlation = protocol::azure::correlation(&reply.headers, secrets);
                accepted(&reply, first, self.image.digest(), secrets)
            }
            Ok(reply) => {
                if reply.status == 429 && !self.line.is_mirror {
                    self.memory.is_limited(self.image.registry());
                }
                let words = self.words_of(&reply, body.as_ref(), first, authorization).await;
                let answer = answer(reply.status, &reply.headers, &words, secrets);
                Err(End::Answered { hop: reply.hop, step: first, answer })
            }
            Err(end) => Err(end),
        };
        // Where the connection failed, its last step has said so.
        if steps.iter().all(|step| step.passed) {
            let passed = matches!(served, Ok(_) | Err(End::Challenged { .. }));
            let detail = match (&served, &limit) {
                (Ok(root), Some(limit)) => {
                    format!("{}, {}", root.in_words(), words::of_limit(limit))
                }
                (Ok(root), None) => root.in_words(),
                (Err(end), _) => words::in_words(end),
            };
            steps.push(Step { name: first, host: None, passed, detail, micros });
        }
        self.tell(&steps);
        let end = match served {
            Ok(root) if self.is_frugal() => End::Served { digest: root.digest, platform: None },
            Ok(root) => {
                let reader = Reader {
                    walk: self,
                    authorization,
                    secrets,
                    is_opening: first == StepName::Challenge,
                };
                let ended = reader.content(root, body, &mut steps).await;
                demand = ended.demand;
                ended.end
            }
            Err(end) => end,
        };
        correlation.take_if(|_| !matches!(end, End::Served { .. }));
        Pulled { steps, end, demand, limit, correlation }
    }

    /// Whether no manifest is fetched: a registry that has just said 429 is not asked for more.
    fn is_frugal(&self) -> bool {
        let was_limited = || self.memory.was_limited(self.image.registry());
        self.is_counted() || (!self.line.is_mirror && was_limited())
    }

    /// Whether each GET of a manifest is counted as a pull, and no HEAD is: at Docker Hub.
    fn is_counted(&self) -> bool {
        self.image.registry().as_str() == "docker.io" && !self.line.is_mirror
    }

    /// HEAD, and GET where the server knows no HEAD (resolver.go, `Resolve` and `retryRequest`).
    async fn ask_head(&self, step: StepName, authorization: Option<&HeaderValue>) -> Asked {
        let url = &self.manifest;
        let mut asked = self.ask_manifest(step, Method::HEAD, url, authorization).await;
        if matches!(&asked.result, Ok(reply) if reply.status == 429) {
            // containerd repeats it five times within 40 ms, whatever Retry-After says
            // (resolver.go, `retryRequest`); once is enough to tell a limit from a stumble.
            tokio::time::sleep(BETWEEN_REPEATS).await;
            let again = self.ask_manifest(step, Method::HEAD, url, authorization).await;
            asked.took += again.took;
            asked.result = again.result;
        }
        if matches!(&asked.result, Ok(reply) if reply.status == 405) {
            let again = self.ask_manifest(step, Method::GET, url, authorization).await;
            asked.connection.extend(again.connection);
            asked.took += again.took;
            asked.result = again.result;
        }
        asked
    }

    pub(super) async fn ask_manifest(
        &self,
        step: StepName,
        method: Method,
        url: &Url,
        authorization: Option<&HeaderValue>,
    ) -> Asked {
        let question = Question {
            step,
            role: Role::Registry,
            method,
            url,
            authorization,
            body: Body::Manifest,
            limit: MANIFEST_MAX + 1,
        };
        self.line.ask(question).await
    }

    /// The words of an answer that is no success. A HEAD has none, so they are those of the GET
    /// beside it; where there was none, it is asked now, but not where that would strain a
    /// limit. A registry that has limited requests and answers this one is asked for its words:
    /// without them the same refusal would read otherwise than before the limit.
    async fn words_of(
        &self,
        reply: &Reply,
        body: Option<&Reply>,
        step: StepName,
        authorization: Option<&HeaderValue>,
    ) -> Vec<u8> {
        if !reply.body.is_empty() {
            return reply.body.clone();
        }
        let same = |again: &Reply| again.status == reply.status;
        if let Some(body) = body {
            return if same(body) { body.body.clone() } else { Vec::new() };
        }
        let is_refused = reply.status == 401 && is_password(authorization);
        if reply.status == 429 || is_refused || self.is_counted() {
            return Vec::new();
        }
        let again = self.ask_manifest(step, Method::GET, &self.manifest, authorization).await;
        again.result.ok().filter(same).map_or_else(Vec::new, |again| again.body)
    }
}

fn is_password(authorization: Option<&HeaderValue>) -> bool {
    authorization.is_some_and(|value| value.as_bytes().starts_with(b"Basic "))
}

/// Whether the registry itself wants a credential.
pub(super) fn is_challenge(reply: &Reply) -> bool {
    reply.status == 401 && reply.hop.role == Role::Registry
}

pub(super) fn demand_of(reply: &Reply) -> Demand {
    let headers: Vec<_> = reply
        .headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    demand(headers.iter().map(AsRef::as_ref))
}

/// The manifest that a success to HEAD promises, or why it is none.
#[expect(clippy::result_large_err, reason = "one for each pull")]
fn accepted(
    reply: &Reply,
    step: StepName,
    asked: Option<&str>,
    secrets: &[Secret],
) -> Result<Root, End> {
    let media_type = reply.media_type();
    if let Some(problem) = unfit_type(&media_type, secrets) {
        return Err(End::Unfit { hop: reply.hop.clone(), step, problem });
    }
    // Of an image that is asked for by its digest, that is what its bytes have to have.
    let asked = asked.map(str::to_owned);
    let digest = asked.or_else(|| protocol::header(&reply.headers, "docker-content-digest"));
    let size = protocol::header(&reply.headers, CONTENT_LENGTH.as_str());
    Ok(Root {
        hop: reply.hop.clone(),
        media_type,
        digest: digest.map(|digest| protocol::clean_without(&digest, secrets)),
        size: size.and_then(|size| size.parse().ok()).unwrap_or_default(),
    })
}

/// What is wrong with a manifest that is served as `media_type`; no type at all is told by the
/// body's answer.
pub(super) fn unfit_type(media_type: &str, secrets: &[Secret]) -> Option<Unfit> {
    let lower = media_type.to_ascii_lowercase();
    if lower.starts_with("text/html") {
        // containerd takes it for an image and fails when it unpacks it: unexpected media type
        // text/html.
        return Some(Unfit::WebPage);
    }
    // Red Hat's old registry states no better type (resolver.go, `getManifestMediaType`).
    let is_plain_text = lower.starts_with("text/plain").then_some(true);
    if let Some(is_signed) = manifest::schema_1(media_type).or(is_plain_text) {
        let what = "an image of Docker's schema 1".to_owned();
        return Some(Unfit::NotAnImage { what, is_only_old: is_signed });
    }
    let is_known = media_type.is_empty() || manifest::is_known(media_type);
    (!is_known).then(|| {
        let what = format!("of the type {}", protocol::clean_without(media_type, secrets));
        Unfit::NotAnImage { what, is_only_old: false }
    })
}
