//! Identities of Azure against servers that speak as the metadata service, Entra ID and a
//! registry of Azure do.

mod confinement;
mod hosts;
mod login;
mod pull;
mod refused;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::access::Access;
use crate::access::azure::{CheckAcr, Cloud, Login, Principal, Selector, TOKEN_USER};
use crate::evidence::{Attempt, End, Evidence, StepName};
use crate::secret::Secret;

use super::{Request, Response, Server, World, credential};

const HOST: &str = "shop.azurecr.io";
const ENTRA: &str = "login.microsoftonline.com";
const IDENTITY: &str = "c11e17-1d";
const TENANT: &str = "7e7a-47";
const CORRELATION: &str = "x-ms-correlation-request-id";

/// A token that can be read and whose signature tells its kind.
fn jwt(kind: &str, claims: &str) -> String {
    format!("eyJ9.{}.canary-{kind}", URL_SAFE_NO_PAD.encode(claims))
}

/// What Entra ID gives for an audience.
fn aad(resource: &str) -> String {
    let kind = if resource.contains("management") { "arm" } else { "aad" };
    let claims = format!(
        r#"{{"aud":"{resource}","appid":"{IDENTITY}","oid":"0b9ec7","tid":"7e7a-0f-token"}}"#
    );
    jwt(kind, &claims)
}

fn refresh() -> String {
    jwt("refresh", &format!(r#"{{"aud":"{HOST}","grant_type":"refresh_token"}}"#))
}

/// What the registry's token service gives for a scope.
fn access_token(name: &str, actions: &str) -> Response {
    let claims =
        format!(r#"{{"access":[{{"type":"repository","name":"{name}","actions":[{actions}]}}]}}"#);
    Response::new(200).body(format!(r#"{{"access_token":"{}"}}"#, jwt("access", &claims)))
}

fn identity_token(resource: &str) -> Response {
    let token = aad(resource);
    Response::new(200).body(format!(r#"{{"access_token":"{token}","token_type":"Bearer"}}"#))
}

/// A parameter of a query or a form.
fn parameter(text: &str, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn query(request: &Request, name: &str) -> Option<String> {
    parameter(request.target.split_once('?')?.1, name)
}

/// The metadata service.
fn metadata(request: &Request) -> Response {
    match (request.headers.get("metadata").map(String::as_str), query(request, "resource")) {
        (Some("true"), Some(resource)) => identity_token(&resource),
        _ => Response::new(400).body(r#"{"error":"invalid_request"}"#),
    }
}

/// Entra ID, version 1 and version 2.
fn entra(request: &Request) -> Response {
    let scope = parameter(&request.body, "scope");
    let resource = parameter(&request.body, "resource").or(scope);
    identity_token(&resource.unwrap_or_default())
}

/// The challenge of a registry whose token service is at the very host.
fn challenge(request: &Request) -> Response {
    let host = &request.headers["host"];
    let header = format!(r#"Bearer realm="https://{host}/oauth2/token",service="{HOST}""#);
    Response::new(401).with("Www-Authenticate", header).with(CORRELATION, "c-challenge")
}

/// A registry that gives whoever exchanges a token the right to pull.
fn registry(request: &Request) -> Response {
    let login = format!("Basic {}", STANDARD.encode(format!("{TOKEN_USER}:{}", refresh())));
    match (request.method.as_str(), request.path()) {
        ("POST", "/oauth2/exchange") => Response::new(200)
            .with(CORRELATION, "c-exchange")
            .body(format!(r#"{{"refresh_token":"{}"}}"#, refresh())),
        ("POST", "/oauth2/token") => Response::new(400),
        ("GET", "/oauth2/token") if request.authorization() == Some(&login) => {
            access_token("shop/api", "\"pull\"").with(CORRELATION, "c-token")
        }
        ("GET", "/oauth2/token") => refusal(401, "UNAUTHORIZED", "authentication required"),
        _ => match request.authorization() {
            Some(sent) if sent.contains("canary-access") => {
                Response::image().with(CORRELATION, "c-manifest")
            }
            Some(_) | None => challenge(request),
        },
    }
}

fn refusal(status: u16, code: &str, message: &str) -> Response {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
    Response::new(status).with(CORRELATION, "c-refused").body(body)
}

/// What a server does in place of what it does else.
type Instead = fn(&Request) -> Option<Response>;

fn as_ever(_: &Request) -> Option<Response> {
    None
}

/// The servers of one cloud.
struct Azure {
    world: World,
    metadata: Server,
    entra: Server,
    registry: Server,
    login: Login,
}

impl Azure {
    async fn new() -> Self {
        Self::with(as_ever, as_ever, as_ever).await
    }

    /// Servers that do something else where they are told to.
    async fn with(of_metadata: Instead, of_entra: Instead, of_registry: Instead) -> Self {
        let world = World::new().await;
        for name in [HOST, ENTRA] {
            world.zone.has(name, &["127.0.0.1"]);
        }
        let answer =
            move |request: &Request| of_metadata(request).unwrap_or_else(|| metadata(request));
        let metadata = Server::plain(answer).await;
        let answer = move |request: &Request| of_entra(request).unwrap_or_else(|| entra(request));
        let entra = world.serve(ENTRA, answer).await;
        let answer =
            move |request: &Request| of_registry(request).unwrap_or_else(|| registry(request));
        let registry = world.serve(HOST, answer).await;
        let cloud = Cloud {
            name: "AzurePublicCloud".to_owned(),
            metadata: format!("http://127.0.0.1:{}", metadata.port()),
            authority: format!("https://{ENTRA}:{}/", entra.port()),
            registry_audience: "https://containerregistry.azure.net".to_owned(),
            management_audience: "https://management.azure.com/".to_owned(),
            registry_domains: vec!["azurecr.io".to_owned()],
        };
        let principal = Principal::Managed(Selector::ClientId(IDENTITY.to_owned()));
        let location = Some("westeurope".to_owned());
        let check_acr = Some(CheckAcr::Managed(IDENTITY.to_owned()));
        let tenant = TENANT.to_owned();
        let login = Login { principal, tenant, location, cloud, check_acr };
        Self { world, metadata, entra, registry, login }
    }

    /// Lets the node be somebody else, for both programs.
    fn act_as(&mut self, principal: Principal) {
        self.login.check_acr = match &principal {
            Principal::Managed(Selector::ClientId(id) | Selector::ResourceId(id)) => {
                Some(CheckAcr::Managed(id.clone()))
            }
            Principal::Managed(Selector::Unnamed) => Some(CheckAcr::Managed(String::new())),
            Principal::ServicePrincipal { client_id, secret } => {
                let (client_id, secret) = (client_id.clone(), secret.clone());
                Some(CheckAcr::ServicePrincipal { client_id, secret })
            }
            Principal::Workload { .. } => None,
        };
        self.login.principal = principal;
    }

    fn access(&self) -> Access {
        Access { azure: Some(self.login.clone()), ..Access::default() }
    }

    async fn probe(&self) -> Evidence {
        self.probe_with(&self.access()).await
    }

    async fn probe_with(&self, access: &Access) -> Evidence {
        let evidence = self.world.probe(HOST, &self.registry, access).await;
        for text in [format!("{access:?}"), format!("{:?}", self.login)] {
            assert!(!text.contains("canary"), "{text}");
        }
        evidence
    }

    /// The exchanges that the registry was asked for.
    fn exchanges(&self) -> Vec<Request> {
        let is_exchange = |request: &Request| request.path() == "/oauth2/exchange";
        self.registry.seen().into_iter().filter(is_exchange).collect()
    }
}

fn workload() -> Principal {
    Principal::Workload {
        account: "shop/api".to_owned(),
        client_id: IDENTITY.to_owned(),
        tenant: "an0-7her".to_owned(),
        token: Secret::new("eyJ9.e30.canary-assertion"),
    }
}

fn service_principal() -> Principal {
    let secret = Secret::new("canary-secret+/%\"");
    Principal::ServicePrincipal { client_id: IDENTITY.to_owned(), secret }
}

fn done() -> End {
    End::Served { digest: None, platform: None }
}

/// The status, the first error's code and its message.
#[track_caller]
fn said(attempt: &Attempt) -> (u16, &str, &str) {
    let End::Answered { answer, .. } = &attempt.end else { panic!("{attempt:?}") };
    answer
        .errors
        .first()
        .map_or((answer.status, "", ""), |error| (answer.status, &error.code, &error.message))
}

/// The detail of a step.
#[track_caller]
fn detail(attempt: &Attempt, name: StepName) -> &str {
    let step = attempt.steps.iter().find(|step| step.name == name);
    &step.unwrap_or_else(|| panic!("{attempt:?}")).detail
}
