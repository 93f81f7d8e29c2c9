//! The two ways of a login, step by step.

use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::WWW_AUTHENTICATE;
use url::Url;

use crate::access::azure::{CheckAcr, Login, Principal, Selector, TOKEN_USER};
use crate::access::{Credential, Provenance};
use crate::evidence::{Attempt, End, Failure, NotSent, Role, Step, StepName};
use crate::probe::connection::{host_of, micros};
use crate::probe::exchange::{ANSWER_MAX, Asked, Body, Question, Reply};
use crate::probe::protocol::azure::{self, Naming};
use crate::probe::protocol::challenge::{Bearer, Demand};
use crate::probe::protocol::{self, jwt};
use crate::probe::pull::{demand_of, is_challenge};
use crate::probe::token::{self, BODY_MAX};
use crate::probe::words::in_words;
use crate::secret::Secret;

use super::Lines;

/// What the registry's audience is asked for by (MSAL; the plugin's own scope is the first).
const SCOPE: &str = "/.default openid offline_access profile";
/// An assertion that is a JSON Web Token (RFC 7523, 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// One way, as far as it has come.
pub(super) struct Way<'way> {
    pub(super) lines: &'way Lines<'way>,
    pub(super) login: &'way Login,
    /// The login server, always behind TLS.
    registry: &'way Url,
    pub(super) steps: Vec<Step>,
    /// What no answer may be kept with.
    pub(super) secrets: Vec<Secret>,
    /// What Entra ID gave.
    pub(super) token: Option<Secret>,
    /// What the registry gave.
    pub(super) given: Option<Secret>,
    correlation: Option<String>,
}

impl<'way> Way<'way> {
    pub(super) fn new(
        lines: &'way Lines<'way>,
        login: &'way Login,
        registry: &'way Url,
        secrets: Vec<Secret>,
    ) -> Self {
        let (steps, token, given, correlation) = (Vec::new(), None, None, None);
        Self { lines, login, registry, steps, secrets, token, given, correlation }
    }

    /// The way so far, and how it ended.
    pub(super) fn attempt(self, end: End) -> Attempt {
        let credential = Some(Provenance::Azure { identity: self.login.identity() });
        let correlation = self.correlation.filter(|_| matches!(end, End::Served { .. }));
        Attempt { correlation, ..Attempt::new(credential, self.steps, end) }
    }

    /// As the kubelet's credential provider does it (`GetCredentials` of
    /// `pkg/credentialprovider/azure_credentials.go`).
    pub(super) async fn as_provider(&mut self, unreached: Option<&End>) -> Result<Credential, End> {
        if let Some(end) = self.elsewhere() {
            return Err(end);
        }
        let audience = &self.login.cloud.registry_audience;
        let aad = match &self.login.principal {
            Principal::Managed(selector) => {
                self.metadata_token(selector, Naming::Fitting, audience).await?
            }
            Principal::ServicePrincipal { client_id, secret } => {
                return Ok(self.credential(client_id, secret));
            }
            Principal::Workload { client_id, tenant, token, .. } => {
                let scope = format!("{audience}{SCOPE}");
                let form = azure::form(&[
                    ("client_assertion", token.expose()),
                    ("client_assertion_type", ASSERTION_TYPE.as_bytes()),
                    ("client_id", client_id.as_bytes()),
                    ("client_info", b"1"),
                    ("grant_type", b"client_credentials"),
                    ("scope", scope.as_bytes()),
                ]);
                self.entra_token(tenant, "oauth2/v2.0/token", None, form).await?
            }
        };
        if let Some(end) = unreached {
            return Err(self.cannot(StepName::Challenge, end));
        }
        let bearer = self.challenge().await?;
        let service =
            azure::realm(&bearer.realm, self.registry, &self.login.cloud.registry_domains)
                .map_err(|reason| {
                    let host = Url::parse(&bearer.realm)
                        .map_or_else(|_| host_of(self.registry), |url| host_of(&url));
                    End::NotSent { host, reason }
                })?;
        let form = azure::form(&[
            ("access_token", aad.expose()),
            ("grant_type", b"access_token_refresh_token"),
            ("refresh_token", aad.expose()),
            ("service", bearer.service.unwrap_or_default().as_bytes()),
            ("tenant", self.login.tenant.as_bytes()),
        ]);
        let given = self.exchange(&service, form).await?;
        Ok(self.credential(TOKEN_USER, &given))
    }

    /// As `az aks check-acr` does it (`pkg/authorizer` of canipull).
    pub(super) async fn as_check_acr(
        &mut self,
        who: &CheckAcr,
        unreached: Option<&End>,
    ) -> Result<(), End> {
        if let Some(end) = self.elsewhere() {
            return Err(end);
        }
        // It looks the name up before all else.
        if let Some(end) = unreached.filter(|end| is_unknown_host(end)) {
            return Err(self.cannot(StepName::Dns, end));
        }
        let audience = format!("{}/", self.login.cloud.management_audience.trim_end_matches('/'));
        let aad = match who {
            CheckAcr::UnknownCloud(name) => {
                let reason = NotSent::UnknownCloud { name: protocol::clean(name) };
                let end = End::NotSent { host: host_of(self.registry), reason };
                return Err(self.cannot(StepName::Identity, &end));
            }
            CheckAcr::Managed(id) => {
                let selector =
                    if id.is_empty() { Selector::Unnamed } else { Selector::ClientId(id.clone()) };
                self.metadata_token(&selector, Naming::AsClientId, &audience).await?
            }
            CheckAcr::ServicePrincipal { client_id, secret } => {
                let form = azure::form(&[
                    ("client_id", client_id.as_bytes()),
                    ("client_secret", secret.expose()),
                    ("grant_type", b"client_credentials"),
                    ("resource", audience.as_bytes()),
                ]);
                let tenant = &self.login.tenant;
                self.entra_token(tenant, "oauth2/token", Some("api-version=1.0"), form).await?
            }
        };
        if let Some(end) = unreached {
            return Err(self.cannot(StepName::Exchange, end));
        }
        let claims = jwt::claims(aad.expose());
        let tenant = claims.and_then(|claims| claims.principal()?.tenant).unwrap_or_default();
        let service = host_of(self.registry);
        let form = azure::form(&[
            ("access_token", aad.expose()),
            ("grant_type", b"access_token"),
            ("service", service.as_bytes()),
            ("tenant", tenant.as_bytes()),
        ]);
        self.exchange(self.registry, form).await?;
        Ok(())
    }

    /// How a way ends before anything is asked, at a host that is no registry of Azure.
    fn elsewhere(&self) -> Option<End> {
        let domains = &self.login.cloud.registry_domains;
        let is_azure = azure::may_have_tokens(self.registry, domains);
        let (host, reason) = (host_of(self.registry), NotSent::NotAzure);
        (!is_azure).then_some(End::NotSent { host, reason })
    }

    /// A step that was not taken, since the walk before it has seen how it ends.
    fn cannot(&mut self, name: StepName, end: &End) -> End {
        self.note(name, None, Vec::new(), Duration::ZERO, (in_words(end), false));
        end.clone()
    }

    fn credential(&self, username: &str, password: &Secret) -> Credential {
        Credential {
            provenance: Provenance::Azure { identity: self.login.identity() },
            username: username.to_owned(),
            password: password.clone(),
        }
    }

    /// Asks the registry for its challenge: exactly one, with a realm and a service
    /// (`azure_acr_helper.go`, `receiveChallengeFromLoginServer`).
    async fn challenge(&mut self) -> Result<Bearer, End> {
        let began = Instant::now();
        let mut url = self.registry.clone();
        url.set_path("/v2/");
        let question = Question {
            step: StepName::Challenge,
            role: Role::Registry,
            method: Method::GET,
            url: &url,
            authorization: None,
            body: Body::Nothing,
            limit: ANSWER_MAX,
        };
        let Asked { connection, result, .. } = self.lines.registry.ask(question).await;
        let bearer = match result {
            Ok(reply) => bearer_of(&reply, &self.secrets),
            Err(end) => Err(end),
        };
        let said = bearer.as_ref().map_or_else(in_words, |_| "401, Bearer".to_owned());
        self.note(StepName::Challenge, None, connection, began.elapsed(), (said, bearer.is_ok()));
        bearer
    }

    /// Exchanges a token of Entra ID at the token service of a registry.
    async fn exchange(&mut self, service: &Url, form: String) -> Result<Secret, End> {
        let began = Instant::now();
        let url = azure::exchange_url(service);
        let question = Question {
            step: StepName::Exchange,
            role: Role::TokenService,
            method: Method::POST,
            url: &url,
            authorization: None,
            body: Body::Form(form),
            limit: BODY_MAX,
        };
        let Asked { connection, result, .. } = self.lines.registry.ask(question).await;
        if let Ok(reply) = &result {
            self.correlation = azure::correlation(&reply.headers, &self.secrets);
        }
        let given = token::given(
            result,
            StepName::Exchange,
            azure::refresh_token,
            protocol::answer,
            &self.secrets,
        );
        let elsewhere = (url.host() != self.registry.host()).then(|| host_of(&url));
        let said = given.as_ref().map_or_else(in_words, |_| "200".to_owned());
        self.note(
            StepName::Exchange,
            elsewhere,
            connection,
            began.elapsed(),
            (said, given.is_ok()),
        );
        self.given = given.as_ref().ok().cloned();
        given
    }

    /// Keeps a step with its connection, and what was seen and whether that will do.
    pub(super) fn note(
        &mut self,
        name: StepName,
        host: Option<String>,
        connection: Vec<Step>,
        took: Duration,
        (detail, passed): (String, bool),
    ) {
        let connecting: u64 = connection.iter().map(|step| step.micros).sum();
        let is_connected = connection.iter().all(|step| step.passed);
        self.steps.extend(connection);
        // Where the connection failed, its last step has said so.
        if is_connected {
            let micros = micros(took).saturating_sub(connecting);
            self.steps.push(Step { name, host, passed, detail, micros });
        }
    }
}

/// Whether the registry's name could not be looked up.
fn is_unknown_host(end: &End) -> bool {
    matches!(
        end,
        End::Unreachable {
            failure: Failure::NameNotFound { .. } | Failure::LookupFailed { .. },
            ..
        }
    )
}

#[expect(clippy::result_large_err, reason = "one for each login")]
fn bearer_of(reply: &Reply, secrets: &[Secret]) -> Result<Bearer, End> {
    if !is_challenge(reply) {
        let answer = protocol::answer(reply.status, &reply.headers, &reply.body, secrets);
        return Err(End::Answered { hop: reply.hop.clone(), step: StepName::Challenge, answer });
    }
    let is_one = reply.headers.get_all(WWW_AUTHENTICATE).iter().count() == 1;
    let is_named = |bearer: &Bearer| bearer.service.as_ref().is_some_and(|name| !name.is_empty());
    let schemes = match demand_of(reply) {
        Demand::Bearer(bearer) if is_one && is_named(&bearer) => return Ok(bearer),
        Demand::Bearer(_) => vec!["Bearer".to_owned()],
        Demand::Basic => vec!["Basic".to_owned()],
        Demand::Unsupported(schemes) => schemes,
    };
    let reason = NotSent::UnsupportedChallenge { schemes };
    Err(End::NotSent { host: reply.hop.host.clone(), reason })
}
