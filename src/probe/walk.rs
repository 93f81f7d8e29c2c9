//! The walk itself: the opening, each credential, the controls.

use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use url::Url;

use crate::access::{Access, Credential};
use crate::evidence::{
    Attempt, End, Evidence, Failure, Hop, NotSent, Repository, Role, Scheme, Step, StepName,
    Vantage,
};
use crate::image::ImageRef;
use crate::secret::Secret;

use super::exchange::{Asked, Line, Question, Reply, host_of, micros};
use super::protocol::challenge::{Bearer, Demand, demand};
use super::protocol::{self, answer};
use super::trace::Trace;
use super::words::in_words;
use super::{Shared, dial, token};

/// Tries `image` with each credential of `access`.
pub(super) async fn walk(
    shared: &Shared,
    image: &ImageRef,
    access: &Access,
    timeout: Duration,
) -> Evidence {
    let mut evidence = Evidence {
        image: image.clone(),
        vantage: Vantage::Pod,
        gaps: access.gaps.clone(),
        opening: Attempt { credential: None, steps: Vec::new(), end: nowhere(image) },
        attempts: Vec::new(),
        anonymous: None,
        repository: None,
    };
    let Some(walk) = Walk::new(shared, image, access, timeout) else { return evidence };
    let (opening, demand) = walk.open().await;
    evidence.opening = opening;
    let mut authorization = None;
    if let Some(demand) = demand {
        for credential in &access.credentials {
            let (attempt, used) = walk.attempt(&demand, credential).await;
            let is_served = matches!(attempt.end, End::Served { .. });
            if is_not_found(&attempt) {
                authorization = used;
            }
            evidence.attempts.push(attempt);
            if is_served {
                return evidence;
            }
        }
        if let Demand::Bearer(bearer) = &demand
            && evidence.attempts.last().is_none_or(|last| is_explained_by_control(&last.end))
        {
            let (attempt, used) = walk.anonymous(bearer).await;
            if evidence.attempts.is_empty() && is_not_found(&attempt) {
                authorization = used;
            }
            evidence.anonymous = Some(attempt);
        }
    }
    if is_missing(&evidence) {
        evidence.repository = walk.repository(authorization.as_ref()).await;
    }
    evidence
}

/// What the end is where the image names a host that no URL can have.
pub(super) fn nowhere(image: &ImageRef) -> End {
    let hop = Hop { role: Role::Registry, host: image.registry().endpoint(), address: None };
    let detail = "this is no valid host or port".to_owned();
    End::Unreachable { hop, failure: Failure::LookupFailed { detail } }
}

/// Whether the registry said 404 to the question for the manifest.
fn is_not_found(attempt: &Attempt) -> bool {
    matches!(&attempt.end, End::Answered { hop, step, answer }
        if answer.status == 404 && hop.role == Role::Registry && *step != StepName::Token)
}

/// Whether a pull ends with a 404 for the manifest. Beside credentials the anonymous control
/// is none.
fn is_missing(evidence: &Evidence) -> bool {
    let mut pulls: Vec<_> = evidence.attempts.iter().chain([&evidence.opening]).collect();
    if evidence.attempts.is_empty() {
        pulls.extend(&evidence.anonymous);
    }
    pulls.into_iter().any(is_not_found)
}

/// Whether it helps to know what somebody without a credential gets. It does not where
/// nothing answered or nothing was sent, and a limit is not strained further.
fn is_explained_by_control(end: &End) -> bool {
    matches!(end, End::Answered { answer, .. } if answer.status != 429)
}

/// One image and the way to its registry.
pub(super) struct Walk<'walk> {
    pub(super) line: Line<'walk>,
    image: &'walk ImageRef,
    manifest: Url,
    /// What no answer may be kept with.
    pub(super) secrets: Vec<Secret>,
}

impl<'walk> Walk<'walk> {
    pub(super) fn new(
        shared: &'walk Shared,
        image: &'walk ImageRef,
        access: &Access,
        timeout: Duration,
    ) -> Option<Self> {
        let endpoint = image.registry().endpoint();
        let mut registry = Url::parse(&format!("https://{endpoint}/")).ok()?;
        if shared.hosts.is_plain(&registry) {
            registry = Url::parse(&format!("http://{endpoint}/")).ok()?;
        }
        let trace = Trace::default();
        let client = dial::client(&shared.trust, &shared.names, &trace).ok()?;
        let manifest = protocol::manifest_url(&registry, image)?;
        let line = Line {
            client,
            trace,
            hosts: &shared.hosts,
            addresses: &shared.addresses,
            registry,
            started: Instant::now(),
            timeout,
        };
        let secrets = access.credentials.iter().flat_map(token::secrets_of).collect();
        Some(Self { line, image, manifest, secrets })
    }

    /// The first request, which carries no credential.
    async fn open(&self) -> (Attempt, Option<Demand>) {
        let Asked { mut connection, took, result } =
            self.ask_manifest(StepName::Challenge, None).await;
        let connecting: u64 = connection.iter().map(|step| step.micros).sum();
        let micros = micros(took).saturating_sub(connecting);
        let mut chosen = None;
        let end = match result {
            Ok(reply) if reply.status == 401 && reply.hop.role == Role::Registry => {
                let demand = demand_of(&reply);
                let end = challenged(&demand, &reply);
                if matches!(end, End::Challenged { .. }) {
                    chosen = Some(demand);
                }
                end
            }
            Ok(reply) => self.conclude(reply, StepName::Challenge, None, &[]).await,
            Err(end) => end,
        };
        // Where the connection failed, its last step has said so.
        if connection.iter().all(|step| step.passed) {
            let passed = matches!(end, End::Served { .. } | End::Challenged { .. });
            let detail = in_words(&end);
            connection.push(Step { name: StepName::Challenge, passed, detail, micros });
        }
        (Attempt { credential: None, steps: connection, end }, chosen)
    }

    /// What one credential adds.
    async fn attempt(
        &self,
        demand: &Demand,
        credential: &Credential,
    ) -> (Attempt, Option<HeaderValue>) {
        let provenance = Some(credential.provenance.clone());
        // containerd holds a user name without a password, or the reverse, for no credential
        // (core/remotes/docker/authorizer.go, `AddResponses`; CRI's `ParseAuth`).
        let is_whole = !credential.username.is_empty() && !credential.password.is_empty();
        let (steps, end, used) = match demand {
            Demand::Bearer(bearer) => self.with_token(bearer, is_whole.then_some(credential)).await,
            Demand::Basic | Demand::Unsupported(_) => {
                let basic = is_whole.then(|| token::basic(credential));
                let (step, end) = self.pull(basic.as_ref(), &self.secrets).await;
                (vec![step], end, basic)
            }
        };
        (Attempt { credential: provenance, steps, end }, used)
    }

    /// What somebody without a credential gets from a registry with a token service.
    async fn anonymous(&self, bearer: &Bearer) -> (Attempt, Option<HeaderValue>) {
        let (steps, end, used) = self.with_token(bearer, None).await;
        (Attempt { credential: None, steps, end }, used)
    }

    async fn with_token(
        &self,
        bearer: &Bearer,
        credential: Option<&Credential>,
    ) -> (Vec<Step>, End, Option<HeaderValue>) {
        let realm = match self.line.hosts.realm(&bearer.realm, &self.line.registry) {
            Ok(realm) => realm,
            Err(reason) => {
                let host = Url::parse(&bearer.realm)
                    .map_or_else(|_| host_of(&self.line.registry), |url| host_of(&url));
                return (Vec::new(), End::NotSent { host, reason }, None);
            }
        };
        let scopes = protocol::scopes(bearer.scope.as_deref(), self.image);
        let service =
            token::Service { realm: &realm, name: bearer.service.as_deref(), scopes: &scopes };
        let (step, granted) = token::fetch(&self.line, &service, credential, &self.secrets).await;
        let token = match granted {
            Ok(token) => token,
            Err(end) => return (vec![step], end, None),
        };
        let authorization = token::bearer(&token);
        let secrets = [self.secrets.as_slice(), &[token]].concat();
        let (asked, end) = self.pull(Some(&authorization), &secrets).await;
        (vec![step, asked], end, Some(authorization))
    }

    /// Asks for the manifest with what a credential has given.
    async fn pull(&self, authorization: Option<&HeaderValue>, secrets: &[Secret]) -> (Step, End) {
        let asked = self.ask_manifest(StepName::Manifest, authorization).await;
        let end = match asked.result {
            Ok(reply) => self.conclude(reply, StepName::Manifest, authorization, secrets).await,
            Err(end) => end,
        };
        let passed = matches!(end, End::Served { .. });
        let detail = in_words(&end);
        (Step { name: StepName::Manifest, passed, detail, micros: micros(asked.took) }, end)
    }

    /// HEAD, and GET where the server knows no HEAD (resolver.go, `Resolve` and `retryRequest`).
    async fn ask_manifest(&self, step: StepName, authorization: Option<&HeaderValue>) -> Asked {
        let mut asked = self.ask(step, Method::HEAD, &self.manifest, authorization).await;
        if matches!(&asked.result, Ok(reply) if reply.status == 405) {
            let again = self.ask(step, Method::GET, &self.manifest, authorization).await;
            asked.connection.extend(again.connection);
            asked.took += again.took;
            asked.result = again.result;
        }
        asked
    }

    async fn ask(
        &self,
        step: StepName,
        method: Method,
        url: &Url,
        authorization: Option<&HeaderValue>,
    ) -> Asked {
        let role = Role::Registry;
        self.line.ask(Question { step, role, method, url, authorization, form: None }).await
    }

    /// What an answer to the question for the manifest comes to.
    async fn conclude(
        &self,
        reply: Reply,
        step: StepName,
        authorization: Option<&HeaderValue>,
        secrets: &[Secret],
    ) -> End {
        if !reply.is_success() {
            let body = self.body_of(&reply, step, authorization).await;
            let answer = answer(reply.status, &reply.headers, &body, secrets);
            return End::Answered { hop: reply.hop, step, answer };
        }
        let kind = protocol::header(&reply.headers, CONTENT_TYPE.as_str()).unwrap_or_default();
        if kind.to_ascii_lowercase().starts_with("text/html") {
            // A captive portal or a login page. containerd takes it for an image and fails
            // when it unpacks it: unexpected media type text/html.
            let mut answer = answer(reply.status, &reply.headers, &[], secrets);
            answer.body = Some("a web page (text/html) in place of a manifest".to_owned());
            return End::Answered { hop: reply.hop, step, answer };
        }
        let digest = protocol::header(&reply.headers, "docker-content-digest");
        End::Served { digest: digest.map(|digest| protocol::clean(&digest)) }
    }

    /// The body of an answer that is no success. A HEAD has none, so it is asked for once more
    /// with GET, but not where that would strain a limit: after a 429, and at Docker Hub,
    /// which counts GETs of manifests.
    async fn body_of(
        &self,
        reply: &Reply,
        step: StepName,
        authorization: Option<&HeaderValue>,
    ) -> Vec<u8> {
        let counts = self.image.registry().as_str() == "docker.io";
        if !reply.body.is_empty() || reply.status == 429 || counts {
            return reply.body.clone();
        }
        let again = self.ask(step, Method::GET, &self.manifest, authorization).await;
        match again.result {
            Ok(again) if again.status == reply.status => again.body,
            Ok(_) | Err(_) => Vec::new(),
        }
    }

    /// What the registry says of the repository (OCI distribution specification, "Listing
    /// Tags"); containerd never asks it.
    async fn repository(&self, authorization: Option<&HeaderValue>) -> Option<Repository> {
        let url = protocol::tags_url(&self.line.registry, self.image)?;
        let asked = self.ask(StepName::Manifest, Method::GET, &url, authorization).await;
        Some(match asked.result {
            Ok(reply) if reply.hop.role != Role::Registry => {
                Repository::NotTold { status: reply.status }
            }
            Ok(reply) if reply.status == 404 && is_unknown_name(&reply) => Repository::Unknown,
            Ok(reply) if reply.is_success() && protocol::has_tags(&reply.body) == Some(true) => {
                Repository::Exists
            }
            Ok(reply) => Repository::NotTold { status: reply.status },
            Err(_) => Repository::NotTold { status: 0 },
        })
    }
}

/// A registry without this route answers 404 too, but not that it does not know the name.
fn is_unknown_name(reply: &Reply) -> bool {
    let answer = answer(reply.status, &reply.headers, &reply.body, &[]);
    answer.errors.iter().any(|error| error.code == "NAME_UNKNOWN")
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

pub(super) fn challenged(demand: &Demand, reply: &Reply) -> End {
    match demand {
        Demand::Basic => End::Challenged { scheme: Scheme::Basic },
        Demand::Bearer(_) => End::Challenged { scheme: Scheme::Bearer },
        Demand::Unsupported(schemes) => End::NotSent {
            host: reply.hop.host.clone(),
            reason: NotSent::UnsupportedChallenge { schemes: schemes.clone() },
        },
    }
}
