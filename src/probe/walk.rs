//! The walk itself: the opening, each credential, the controls.

use std::env::consts::{ARCH, OS};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::HeaderValue;
use url::Url;

use crate::access::azure::REGISTRY_DOMAINS;
use crate::access::{Access, Credential, Provenance};
use crate::evidence::told::{PullLimit, Repository};
use crate::evidence::{
    Answer, Attempt, End, Evidence, Failure, Hop, NotSent, Role, Scheme, Step, StepName, Vantage,
};
use crate::image::ImageRef;
use crate::image::platform::Platform;
use crate::resolve::hosts::Endpoint;
use crate::secret::Secret;

use super::connection::host_of;
use super::exchange::{ANSWER_MAX, Body, Line, Question, Reply};
use super::memory::Memory;
use super::protocol::challenge::{Bearer, Demand};
use super::protocol::{self, answer, jwt};
use super::pull::Pulled;
use super::{Options, Shared, azure, dial, flaw, mirrors, token, withheld};

/// How many credentials that were refused without a token are tried at `/v2/` as well.
const LOGINS_MAX: usize = 2;

/// Tries `image` with each credential of `access`.
pub(super) async fn walk(
    shared: &Shared,
    image: &ImageRef,
    access: &Access,
    options: Options<'_>,
    endpoint: Option<&Endpoint>,
) -> Evidence {
    let opening = Attempt::new(None, Vec::new(), nowhere(image));
    let mut evidence = Evidence {
        platform: options.platform.cloned(),
        gaps: access.gaps.clone(),
        at: Some(time_of(options.now)),
        ..Evidence::begun(image.clone(), Vantage::Pod, opening)
    };
    let Some(mut walk) = Walk::new(shared, image, access, options, endpoint) else {
        return evidence;
    };
    walk.try_all(shared, access, &mut evidence).await;
    evidence.lookups = walk.line.met.read();
    evidence
}

/// What the end is where the image names a host that no URL can have.
pub(super) fn nowhere(image: &ImageRef) -> End {
    let hop = Hop { role: Role::Registry, host: image.registry().endpoint(), address: None };
    let detail = "this is no valid host or port".to_owned();
    End::Unreachable { hop, failure: Failure::LookupFailed { detail } }
}

/// Whether the registry said 404 to the question for the manifest.
pub(super) fn is_not_found(attempt: &Attempt) -> bool {
    matches!(&attempt.end, End::Answered { hop, step, answer }
        if answer.status == 404
            && hop.role == Role::Registry
            && matches!(step, StepName::Challenge | StepName::Manifest))
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

/// Whether it helps to know what somebody without a credential gets. It does not where that was
/// asked, where nothing answered or nothing was sent, and a limit is not strained further.
fn wants_control(last: &Attempt) -> bool {
    let is_explained = matches!(&last.end, End::Answered { answer, .. } if answer.status != 429);
    is_explained && last.credential != Some(Provenance::Strangers)
}

/// The end of a question whose answer was a 401 with this demand.
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

/// One image and the way to its registry.
pub(super) struct Walk<'walk> {
    pub(super) line: Line<'walk>,
    pub(super) image: &'walk ImageRef,
    /// Where the manifest is.
    pub(super) manifest: Url,
    pub(super) memory: &'walk Memory,
    /// The node's platform, where it is known.
    pub(super) platform: Option<&'walk Platform>,
    /// This machine's.
    pub(super) own_platform: Option<Platform>,
    /// What no answer may be kept with.
    pub(super) secrets: Vec<Secret>,
    pub(super) now: Timestamp,
    observer: &'walk (dyn Fn(&Step) + Sync),
}

/// One attempt, and what it leaves for the questions after it.
pub(super) struct Tried {
    pub(super) attempt: Attempt,
    pub(super) used: Option<HeaderValue>,
    pub(super) limit: Option<PullLimit>,
}

impl<'walk> Walk<'walk> {
    pub(super) fn new(
        shared: &'walk Shared,
        image: &'walk ImageRef,
        access: &Access,
        options: Options<'walk>,
        endpoint: Option<&Endpoint>,
    ) -> Option<Self> {
        let Options { timeout, platform, now, observer, endpoints: _ } = options;
        let host = image.registry().endpoint();
        let mut registry = Url::parse(&format!("https://{host}/")).ok()?;
        if shared.hosts.is_plain(&registry) {
            registry = Url::parse(&format!("http://{host}/")).ok()?;
        }
        let mut manifest = protocol::manifest_url(&registry, image)?;
        if let Some(base) = endpoint.and_then(|endpoint| endpoint.url.as_ref()) {
            let stands_for = endpoint.and_then(|endpoint| endpoint.stands_for.as_deref());
            manifest = protocol::manifest_below(base, image, stands_for)?;
            registry = base.join("/").ok()?;
        }
        let proxies = &shared.settings.proxies;
        let dial_timeout = endpoint.and_then(|endpoint| endpoint.dial_timeout);
        let patience = patience(timeout).min(dial_timeout.unwrap_or(timeout));
        let trust = mirrors::trust(shared, endpoint).ok()?;
        let client = dial::client(&trust, &shared.names, proxies, patience).ok()?;
        let domains: Vec<String> = match &access.azure {
            Some(login) => login.cloud.registry_domains.clone(),
            None => REGISTRY_DOMAINS.map(str::to_owned).to_vec(),
        };
        let line = Line {
            client,
            hosts: &shared.hosts,
            addresses: &shared.addresses,
            proxies,
            tally: &shared.common.tally,
            counted_as: image.registry(),
            registry,
            is_mirror: endpoint.is_some_and(|endpoint| endpoint.stands_for.is_some()),
            is_unverified: endpoint.is_some_and(|endpoint| endpoint.skip_verify),
            headers: mirrors::headers(endpoint),
            domains: domains.into(),
            met: Arc::default(),
            started: Instant::now(),
            timeout,
        };
        let mut secrets: Vec<Secret> =
            access.credentials.iter().flat_map(token::secrets_of).collect();
        secrets.extend(access.azure.iter().flat_map(azure::secrets_of));
        let headers = endpoint.into_iter().flat_map(|endpoint| &endpoint.headers);
        secrets.extend(headers.map(|(_, value)| value.clone()));
        let memory = &shared.common.memory;
        let own_platform = Platform::parse(&format!("{OS}/{ARCH}"));
        Some(Self { line, image, manifest, memory, platform, own_platform, secrets, now, observer })
    }

    /// Tries the image without a credential, with each, and with the controls that explain what
    /// came of that.
    async fn try_all(&mut self, shared: &Shared, access: &Access, evidence: &mut Evidence) {
        let opening = self.pull(StepName::Challenge, None, &self.secrets).await;
        evidence.limit = opening.limit;
        evidence.opening = Attempt {
            correlation: opening.correlation,
            ..Attempt::new(None, opening.steps, opening.end)
        };
        // The credential provider knows nothing of mirrors, and its tokens go to none.
        let login = access.azure.as_ref().filter(|_| !self.line.is_mirror);
        let mut authorization = None;
        if let (Some(demand), End::Challenged { .. }) = (opening.demand, &evidence.opening.end) {
            for credential in &access.credentials {
                let may_log_in = evidence.attempts.len() < LOGINS_MAX && !self.line.is_mirror;
                let tried = self.attempt(&demand, credential, may_log_in).await;
                evidence.limit = tried.limit.or(evidence.limit.take());
                let is_served = matches!(tried.attempt.end, End::Served { .. });
                if is_not_found(&tried.attempt) {
                    authorization = tried.used;
                }
                evidence.attempts.push(tried.attempt);
                if is_served {
                    return;
                }
            }
            if let Some(login) = login {
                let used = Box::pin(self.with_identity(shared, login, &demand, evidence)).await;
                authorization = used.or(authorization);
            }
            if let Demand::Bearer(bearer) = &demand
                && evidence.attempts.last().is_none_or(wants_control)
            {
                let tried = self.with_token(bearer, None).await;
                if evidence.attempts.is_empty() && is_not_found(&tried.attempt) {
                    authorization = tried.used;
                }
                evidence.limit = evidence.limit.take().or(tried.limit);
                evidence.anonymous = Some(tried.attempt);
            }
        } else if let Some(login) = login {
            let logged_in = self.identify(shared, login, &evidence.opening.end).await;
            evidence.azure = logged_in.map(|logged_in| Box::new(logged_in.azure));
        }
        if is_missing(evidence) && !self.line.is_mirror {
            evidence.repository = self.repository(authorization.as_ref()).await;
        }
    }

    /// Tells whoever watches what was just done.
    pub(super) fn tell(&self, steps: &[Step]) {
        steps.iter().for_each(self.observer);
    }

    pub(super) fn registry_hop(&self) -> Hop {
        let host = host_of(&self.line.registry);
        Hop { role: Role::Registry, host, address: None }
    }

    /// What one credential adds.
    pub(super) async fn attempt(
        &self,
        demand: &Demand,
        credential: &Credential,
        may_log_in: bool,
    ) -> Tried {
        let is_whole = flaw::is_whole(credential);
        let mut tried = match (self.withheld(credential, demand), demand) {
            (Some(end), _) => ended(Vec::new(), end),
            (None, Demand::Bearer(bearer)) => {
                self.with_token(bearer, is_whole.then_some(credential)).await
            }
            (None, Demand::Basic | Demand::Unsupported(_)) => {
                let basic = is_whole.then(|| token::basic(credential));
                self.with_basic(basic, may_log_in).await
            }
        };
        tried.attempt.credential = Some(credential.provenance.clone());
        tried.attempt.flaw = flaw::flaw(credential, &self.line.registry, &self.line.domains);
        tried.attempt.lifetime = flaw::lifetime(credential, self.now);
        tried
    }

    pub(super) async fn with_basic(&self, basic: Option<HeaderValue>, may_log_in: bool) -> Tried {
        let Pulled { steps, end, limit, correlation, .. } =
            self.pull(StepName::Manifest, basic.as_ref(), &self.secrets).await;
        let mut attempt = Attempt { correlation, ..Attempt::new(None, steps, end) };
        if let End::Answered { hop, answer: refusal, .. } = &mut attempt.end
            && refusal.status == 401
            && hop.role == Role::Registry
            && may_log_in
            && basic.is_some()
            && let Some(said) = self.log_in(basic.as_ref()).await
        {
            attempt.login = Some(said.status);
            if said.status == refusal.status && refusal.errors.is_empty() {
                // A HEAD has no words; these are of the same refusal.
                *refusal = said;
            }
        }
        Tried { attempt, used: basic, limit }
    }

    /// What a token service and its token add; without a credential the token is a stranger's.
    pub(super) async fn with_token(
        &self,
        bearer: &Bearer,
        credential: Option<&Credential>,
    ) -> Tried {
        let realm = match self.realm_for(bearer, credential) {
            Ok(realm) => realm,
            Err(reason) => {
                let realm = Url::parse(&bearer.realm).ok().filter(protocol::can_be_asked);
                let host = host_of(realm.as_ref().unwrap_or(&self.line.registry));
                return ended(Vec::new(), End::NotSent { host, reason });
            }
        };
        let scopes = protocol::scopes(bearer.scope.as_deref(), self.image);
        let service =
            token::Service { realm: &realm, name: bearer.service.as_deref(), scopes: &scopes };
        let fetched = token::fetch(&self.line, &service, credential, &self.secrets).await;
        self.tell(&fetched.steps);
        let mut steps = fetched.steps;
        let token = match fetched.result {
            Ok(token) => token,
            Err(end) => return ended(steps, end),
        };
        let authorization = token::bearer(&token);
        let grant = jwt::claims(token.expose()).and_then(|claims| claims.grant(self.image.path()));
        let secrets = [self.secrets.as_slice(), &[token]].concat();
        let pulled = self.pull(StepName::Manifest, Some(&authorization), &secrets).await;
        steps.extend(pulled.steps);
        let is_served = matches!(pulled.end, End::Served { .. });
        let correlation = pulled.correlation.or(fetched.correlation.filter(|_| is_served));
        let attempt = Attempt { grant, correlation, ..Attempt::new(None, steps, pulled.end) };
        Tried { attempt, used: Some(authorization), limit: pulled.limit }
    }

    /// Where a token service may be told a credential.
    pub(super) fn realm_for(
        &self,
        bearer: &Bearer,
        credential: Option<&Credential>,
    ) -> Result<Url, NotSent> {
        let Line { hosts, registry, domains, .. } = &self.line;
        if credential.is_some_and(withheld::is_of_azure) {
            protocol::azure::realm(&bearer.realm, registry, domains)
        } else {
            hosts.realm(&bearer.realm, registry, domains)
        }
    }

    async fn ask(&self, url: &Url, authorization: Option<&HeaderValue>) -> Result<Reply, End> {
        let question = Question {
            step: StepName::Manifest,
            role: Role::Registry,
            method: Method::GET,
            url,
            authorization,
            body: Body::Nothing,
            limit: ANSWER_MAX,
        };
        self.line.ask(question).await.result
    }

    /// What the registry answers to a credential for no image at all; containerd never asks it.
    async fn log_in(&self, authorization: Option<&HeaderValue>) -> Option<Answer> {
        let url = protocol::login_url(&self.line.registry)?;
        let reply = self.ask(&url, authorization).await.ok()?;
        let is_own = reply.hop.role == Role::Registry;
        is_own.then(|| answer(reply.status, &reply.headers, &reply.body, &self.secrets))
    }

    /// What the registry says of the repository (OCI distribution specification, "Listing
    /// Tags"); containerd never asks it.
    async fn repository(&self, authorization: Option<&HeaderValue>) -> Option<Repository> {
        let url = protocol::tags_url(&self.line.registry, self.image)?;
        Some(match self.ask(&url, authorization).await {
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

/// How long connections may take of a probe's time: a part, so that the rest can say why.
fn patience(timeout: Duration) -> Duration {
    timeout.mul_f32(0.75)
}

/// What is left of an attempt that did not come to the registry.
fn ended(steps: Vec<Step>, end: End) -> Tried {
    Tried { attempt: Attempt::new(None, steps, end), used: None, limit: None }
}

/// A time, RFC 3339, to the second.
pub(super) fn time_of(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A registry without this route answers 404 too, but not that it does not know the name.
fn is_unknown_name(reply: &Reply) -> bool {
    let answer = answer(reply.status, &reply.headers, &reply.body, &[]);
    answer.errors.iter().any(|error| error.code == "NAME_UNKNOWN")
}
