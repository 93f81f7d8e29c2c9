//! The login alone: `GET /v2/` without a credential, and then, with each credential, a token of
//! the token service, or `/v2/` again where the registry takes passwords itself.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderValue;
use url::Url;

use crate::access::{Access, Credential};
use crate::evidence::login::Login;
use crate::evidence::{Attempt, End, Role, Step, StepName, Vantage};
use crate::image::Host;

use super::exchange::{Asked, Question, Reply, host_of, micros};
use super::protocol::answer;
use super::protocol::challenge::{Bearer, Demand};
use super::walk::{Walk, challenged, demand_of, nowhere};
use super::words::in_words;
use super::{Shared, token};

/// Tries to log in with each credential of `access`.
pub(super) async fn walk(
    shared: &Shared,
    registry: &Host,
    access: &Access,
    timeout: Duration,
    observer: &(dyn Fn(&Step) + Sync),
) -> Login {
    let image = registry.stand_in();
    let mut login = Login {
        registry: registry.clone(),
        vantage: Vantage::Pod,
        gaps: access.gaps.clone(),
        opening: Attempt { credential: None, steps: Vec::new(), end: nowhere(&image) },
        attempts: Vec::new(),
        anonymous: None,
    };
    let Some(walk) = Walk::new(shared, &image, access, timeout) else { return login };
    let Ok(base) = walk.line.registry.join("/v2/") else { return login };
    let (opening, demand) = walk.knock(&base).await;
    opening.steps.iter().for_each(observer);
    login.opening = opening;
    let Some(demand) = demand else { return login };
    for credential in &access.credentials {
        let (steps, end) = match &demand {
            Demand::Bearer(bearer) => walk.token(bearer, Some(credential)).await,
            Demand::Basic | Demand::Unsupported(_) => walk.password(&base, credential).await,
        };
        steps.iter().for_each(observer);
        login.attempts.push(Attempt {
            credential: Some(credential.provenance.clone()),
            steps,
            end,
        });
    }
    if let (Demand::Bearer(bearer), true) = (&demand, access.credentials.is_empty()) {
        let (steps, end) = walk.token(bearer, None).await;
        steps.iter().for_each(observer);
        login.anonymous = Some(Attempt { credential: None, steps, end });
    }
    login
}

impl Walk<'_> {
    /// Asks without a credential; the answer says how to log in.
    async fn knock(&self, base: &Url) -> (Attempt, Option<Demand>) {
        let Asked { connection: mut steps, took, result } =
            self.get(StepName::Challenge, base, None).await;
        let connecting: u64 = steps.iter().map(|step| step.micros).sum();
        let mut chosen = None;
        let end = match result {
            Ok(reply) if reply.status == 401 && reply.hop.role == Role::Registry => {
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
            steps.push(Step { name, passed, detail: in_words(&end), micros });
        }
        (Attempt { credential: None, steps, end }, chosen)
    }

    /// Asks with a password.
    async fn password(&self, base: &Url, credential: &Credential) -> (Vec<Step>, End) {
        let basic = token::basic(credential);
        let asked = self.get(StepName::Challenge, base, Some(&basic)).await;
        let end = match asked.result {
            Ok(reply) => self.concluded(reply, StepName::Challenge),
            Err(end) => end,
        };
        let passed = matches!(end, End::Served { .. });
        let (name, detail) = (StepName::Challenge, in_words(&end));
        (vec![Step { name, passed, detail, micros: micros(asked.took) }], end)
    }

    /// Asks for a token that is for nothing but what the challenge says.
    async fn token(&self, bearer: &Bearer, credential: Option<&Credential>) -> (Vec<Step>, End) {
        let realm = match self.line.hosts.realm(&bearer.realm, &self.line.registry) {
            Ok(realm) => realm,
            Err(reason) => {
                let host = Url::parse(&bearer.realm)
                    .map_or_else(|_| host_of(&self.line.registry), |url| host_of(&url));
                return (Vec::new(), End::NotSent { host, reason });
            }
        };
        let scopes: Vec<String> =
            bearer.scope.iter().flat_map(|scope| scope.split(' ')).map(str::to_owned).collect();
        let service =
            token::Service { realm: &realm, name: bearer.service.as_deref(), scopes: &scopes };
        let (step, granted) = token::fetch(&self.line, &service, credential, &self.secrets).await;
        (vec![step], granted.map_or_else(|end| end, |_| End::Served { digest: None }))
    }

    async fn get(&self, step: StepName, url: &Url, authorization: Option<&HeaderValue>) -> Asked {
        let (role, method) = (Role::Registry, Method::GET);
        self.line.ask(Question { step, role, method, url, authorization, form: None }).await
    }

    fn concluded(&self, reply: Reply, step: StepName) -> End {
        let kind = super::protocol::header(&reply.headers, "content-type").unwrap_or_default();
        if reply.is_success() && !kind.to_ascii_lowercase().starts_with("text/html") {
            return End::Served { digest: None };
        }
        let answer = answer(reply.status, &reply.headers, &reply.body, &self.secrets);
        End::Answered { hop: reply.hop, step, answer }
    }
}
