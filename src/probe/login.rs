//! The login alone: `GET /v2/` without a credential, and then, with each credential, a token of
//! the token service, or `/v2/` again where the registry takes passwords itself.

use reqwest::Method;
use reqwest::header::HeaderValue;
use url::Url;

use crate::access::{Access, Credential};
use crate::evidence::login::Login;
use crate::evidence::{Attempt, End, Role, Step, StepName, Vantage};
use crate::image::Host;

use super::connection::{host_of, micros};
use super::exchange::{ANSWER_MAX, Asked, Body, Question, Reply};
use super::protocol::answer;
use super::protocol::challenge::{Bearer, Demand};
use super::pull::{demand_of, is_challenge};
use super::walk::{Walk, challenged, nowhere};
use super::words::in_words;
use super::{Options, Shared, token};

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
    };
    let Some(walk) = Walk::new(shared, &image, access, options, None) else { return login };
    let Ok(base) = walk.line.registry.join("/v2/") else { return login };
    let (opening, demand) = walk.knock(&base).await;
    walk.tell(&opening.steps);
    login.opening = opening;
    let Some(demand) = demand else { return login };
    for credential in &access.credentials {
        let (steps, end) = match &demand {
            Demand::Bearer(bearer) => walk.token(bearer, Some(credential)).await,
            Demand::Basic | Demand::Unsupported(_) => walk.password(&base, credential).await,
        };
        walk.tell(&steps);
        let provenance = Some(credential.provenance.clone());
        login.attempts.push(Attempt::new(provenance, steps, end));
    }
    if let (Demand::Bearer(bearer), true) = (&demand, access.credentials.is_empty()) {
        let (steps, end) = walk.token(bearer, None).await;
        walk.tell(&steps);
        login.anonymous = Some(Attempt::new(None, steps, end));
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
    async fn password(&self, base: &Url, credential: &Credential) -> (Vec<Step>, End) {
        let basic = token::basic(credential);
        let asked = self.get(StepName::Challenge, base, Some(&basic)).await;
        let end = match asked.result {
            Ok(reply) => self.concluded(reply, StepName::Challenge),
            Err(end) => end,
        };
        let passed = matches!(end, End::Served { .. });
        let (name, detail) = (StepName::Challenge, in_words(&end));
        let micros = micros(asked.took);
        (vec![Step { name, host: None, passed, detail, micros }], end)
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
        let fetched = token::fetch(&self.line, &service, credential, &self.secrets).await;
        let end = fetched.result.map_or_else(|end| end, |_| let_in());
        (fetched.steps, end)
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
