//! The login alone: `GET /v2/` without a credential, and then, with each credential, a token of
//! the token service, or `/v2/` again where the registry takes passwords itself.

use reqwest::Method;
use reqwest::header::HeaderValue;
use url::Url;

use crate::access::{Access, Credential};
use crate::evidence::login::Login;
use crate::evidence::told::Flaw;
use crate::evidence::{Attempt, End, Role, Step, StepName, Vantage};
use crate::image::Host;

use super::connection::{host_of, micros};
use super::exchange::{ANSWER_MAX, Asked, Body, Question, Reply};
use super::protocol::challenge::{Bearer, Demand};
use super::protocol::{answer, azure};
use super::pull::{demand_of, is_challenge};
use super::walk::{Walk, challenged, nowhere, time_of};
use super::words::in_words;
use super::{Options, Shared, flaw, token};

/// Tries to log in with each credential of `access`.
pub(super) async fn walk(
    shared: &Shared,
    registry: &Host,
    access: &Access,
    options: Options<'_>,
) -> Login {
    let image = registry.stand_in();
    let mut login = Login {
        registry: registry.clone(),
        vantage: Vantage::Pod,
        gaps: access.gaps.clone(),
        opening: Attempt::new(None, Vec::new(), nowhere(&image)),
        attempts: Vec::new(),
        anonymous: None,
        lookups: Vec::new(),
        azure: None,
        at: Some(time_of(options.now)),
    };
    let Some(mut walk) = Walk::new(shared, &image, access, options, None) else { return login };
    walk.log_in_with_all(shared, access, &mut login).await;
    login.lookups = walk.line.met.read();
    login
}

impl Walk<'_> {
    async fn log_in_with_all(&mut self, shared: &Shared, access: &Access, login: &mut Login) {
        let Ok(base) = self.line.registry.join("/v2/") else { return };
        let (opening, demand) = self.knock(&base).await;
        self.tell(&opening.steps);
        login.opening = opening;
        let mut credentials = access.credentials.clone();
        if let Some(identity) = &access.azure
            && let Some(logged_in) = self.identify(shared, identity, &login.opening.end).await
        {
            credentials.extend(logged_in.credential);
            login.azure = Some(Box::new(logged_in.azure));
        }
        let Some(demand) = demand else { return };
        for credential in &credentials {
            let attempt = match (self.withheld(credential, &demand), &demand) {
                (Some(end), _) => Attempt::new(None, Vec::new(), end),
                (None, Demand::Bearer(bearer)) => self.token(bearer, Some(credential)).await,
                (None, Demand::Basic | Demand::Unsupported(_)) => {
                    self.password(&base, credential).await
                }
            };
            self.tell(&attempt.steps);
            // Here what is incomplete is sent, as no runtime does.
            let flaw = flaw::flaw(credential, &self.line.registry, &self.line.domains)
                .filter(|flaw| *flaw != Flaw::Incomplete);
            let lifetime = flaw::lifetime(credential, self.now);
            let credential = Some(credential.provenance.clone());
            login.attempts.push(Attempt { credential, lifetime, flaw, ..attempt });
        }
        // Where a token service refuses all of them, what a stranger gets says whether they are
        // what stands in the way. An identity of Azure never is: the kubelet's provider gives
        // nobody's credential beside it.
        let are_refused = credentials.is_empty()
            || access.azure.is_none() && login.attempts.iter().all(is_refused_token);
        if let (Demand::Bearer(bearer), true) = (&demand, are_refused) {
            let attempt = self.token(bearer, None).await;
            self.tell(&attempt.steps);
            login.anonymous = Some(attempt);
        }
    }

    /// Asks without a credential; the answer says how to log in.
    async fn knock(&self, base: &Url) -> (Attempt, Option<Demand>) {
        let Asked { connection: mut steps, took, result } =
            self.get(StepName::Challenge, base, None).await;
        let connecting: u64 = steps.iter().map(|step| step.micros).sum();
        let mut chosen = None;
        let end = match result {
            Ok(reply) if is_challenge(&reply) => {
                let demand = demand_of(&reply);
                let end = challenged(&demand, &reply);
                chosen = Some(demand).filter(|_| matches!(end, End::Challenged { .. }));
                end
            }
            Ok(reply) => self.concluded(reply, StepName::Challenge),
            Err(end) => end,
        };
        if steps.iter().all(|step| step.passed) {
            let micros = micros(took).saturating_sub(connecting);
            let passed = matches!(end, End::Served { .. } | End::Challenged { .. });
            let name = StepName::Challenge;
            steps.push(Step { name, host: None, passed, detail: in_words(&end), micros });
        }
        (Attempt::new(None, steps, end), chosen)
    }

    /// Asks with a password.
    async fn password(&self, base: &Url, credential: &Credential) -> Attempt {
        let basic = token::basic(credential);
        let asked = self.get(StepName::Challenge, base, Some(&basic)).await;
        let reply = asked.result.as_ref().ok();
        let correlation = reply.and_then(|reply| azure::correlation(&reply.headers, &self.secrets));
        let end = match asked.result {
            Ok(reply) => self.concluded(reply, StepName::Challenge),
            Err(end) => end,
        };
        let passed = matches!(end, End::Served { .. });
        let (name, detail) = (StepName::Challenge, in_words(&end));
        let micros = micros(asked.took);
        let steps = vec![Step { name, host: None, passed, detail, micros }];
        let correlation = correlation.filter(|_| passed);
        Attempt { correlation, ..Attempt::new(None, steps, end) }
    }

    /// Asks for a token that is for nothing but what the challenge says.
    async fn token(&self, bearer: &Bearer, credential: Option<&Credential>) -> Attempt {
        let realm = match self.realm_for(bearer, credential) {
            Ok(realm) => realm,
            Err(reason) => {
                let host = Url::parse(&bearer.realm)
                    .map_or_else(|_| host_of(&self.line.registry), |url| host_of(&url));
                return Attempt::new(None, Vec::new(), End::NotSent { host, reason });
            }
        };
        let scopes: Vec<String> =
            bearer.scope.iter().flat_map(|scope| scope.split(' ')).map(str::to_owned).collect();
        let service =
            token::Service { realm: &realm, name: bearer.service.as_deref(), scopes: &scopes };
        let fetched = token::fetch(&self.line, &service, credential, &self.secrets).await;
        let correlation = fetched.correlation.filter(|_| fetched.result.is_ok());
        let end = fetched.result.err().unwrap_or_else(let_in);
        Attempt { correlation, ..Attempt::new(None, fetched.steps, end) }
    }

    async fn get(&self, step: StepName, url: &Url, authorization: Option<&HeaderValue>) -> Asked {
        let (role, method) = (Role::Registry, Method::GET);
        let (body, limit) = (Body::Nothing, ANSWER_MAX);
        self.line.ask(Question { step, role, method, url, authorization, body, limit }).await
    }

    fn concluded(&self, reply: Reply, step: StepName) -> End {
        let kind = super::protocol::header(&reply.headers, "content-type").unwrap_or_default();
        if reply.is_success() && !kind.to_ascii_lowercase().starts_with("text/html") {
            return let_in();
        }
        let answer = answer(reply.status, &reply.headers, &reply.body, &self.secrets);
        End::Answered { hop: reply.hop, step, answer }
    }
}

/// The end where the registry, or its token service, has let somebody in.
fn let_in() -> End {
    End::Served { digest: None, platform: None }
}

/// Whether the token service refused who asked.
fn is_refused_token(attempt: &Attempt) -> bool {
    matches!(&attempt.end, End::Answered { step: StepName::Token, answer, .. }
        if answer.status == 401)
}
