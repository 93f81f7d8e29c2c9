//! An image is pulled with what an identity is given.

use crate::access::azure::{Identity, Selector};
use crate::access::{Access, Provenance};
use crate::evidence::azure::PrincipalIds;
use crate::evidence::{End, Failure, NotSent, Role, Scheme, StepName};

use super::super::{CONTENT, names, passed, served, status, with_password};
use super::{
    Azure, HOST, IDENTITY, Principal, Request, Response, TENANT, access_token, as_ever, challenge,
    credential, detail, done, parameter, query, refusal, registry, said, service_principal,
    workload,
};

fn managed() -> Provenance {
    Provenance::Azure { identity: Identity::Managed { id: Some(IDENTITY.to_owned()) } }
}

#[tokio::test]
async fn a_managed_identity_pulls_as_the_credential_provider_lets_it() {
    let azure = Azure::new().await;
    let evidence = azure.probe().await;
    assert_eq!(evidence.opening.end, End::Challenged { scheme: Scheme::Bearer });
    let seen = evidence.azure.as_deref().unwrap();
    assert_eq!(
        (&seen.provider.end, seen.provider.credential.as_ref()),
        (&done(), Some(&managed()))
    );
    let steps = [
        StepName::Connect,
        StepName::Identity,
        StepName::Dns,
        StepName::Connect,
        StepName::Tls,
        StepName::Challenge,
        StepName::Exchange,
    ];
    assert_eq!(names(&seen.provider), passed(&steps));
    assert_eq!(seen.provider.correlation.as_deref(), Some("c-exchange"));
    assert_eq!(seen.check_acr.as_ref().unwrap().end, done());
    let ids = PrincipalIds {
        client_id: Some(IDENTITY.to_owned()),
        object_id: Some("0b9ec7".to_owned()),
        tenant: Some("7e7a-0f-token".to_owned()),
    };
    assert_eq!(seen.principal, Some(ids));
    assert_eq!((seen.node_location.as_deref(), &seen.other), (Some("westeurope"), &None));

    assert_eq!(evidence.attempts.len(), 1);
    let attempt = &evidence.attempts[0];
    assert_eq!((attempt.credential.as_ref(), &attempt.end), (Some(&managed()), &served()));
    assert_eq!(
        names(attempt),
        passed(&[&[StepName::Token, StepName::Manifest], &CONTENT[..]].concat())
    );
    assert_eq!(attempt.grant.as_ref().unwrap().actions, ["pull"]);
    assert_eq!(detail(attempt, StepName::Token), "POST 400, GET 200");
    assert_eq!(evidence.anonymous, None);
    assert_eq!(evidence.at.as_deref(), Some("2023-11-14T22:13:20Z"));

    // What the two programs ask, to the letter.
    let mut asked = azure.metadata.asked();
    asked.sort();
    let path = "GET /metadata/identity/oauth2/token?api-version=2018-02-01";
    let registry = "resource=https%3A%2F%2Fcontainerregistry.azure.net";
    let management = "resource=https%3A%2F%2Fmanagement.azure.com%2F";
    let expected = [registry, management].map(|of| format!("{path}&client_id={IDENTITY}&{of}"));
    assert_eq!(asked, expected);
    assert!(azure.entra.seen().is_empty());
    let exchanges = azure.exchanges();
    let field = |request: &Request, name: &str| parameter(&request.body, name).unwrap_or_default();
    let provider = exchanges
        .iter()
        .find(|seen| field(seen, "grant_type") == "access_token_refresh_token")
        .unwrap();
    assert_eq!((&*field(provider, "service"), &*field(provider, "tenant")), (HOST, TENANT));
    assert_eq!(field(provider, "access_token"), field(provider, "refresh_token"));
    assert!(field(provider, "access_token").ends_with("canary-aad"));
    let check = exchanges.iter().find(|seen| field(seen, "grant_type") == "access_token").unwrap();
    let server = format!("{HOST}:{}", azure.registry.port());
    assert_eq!((field(check, "service"), &*field(check, "tenant")), (server, "7e7a-0f-token"));
    assert!(field(check, "access_token").ends_with("canary-arm"));
    assert_eq!((exchanges.len(), parameter(&check.body, "refresh_token")), (2, None));
}

#[tokio::test]
async fn everybody_is_told_who_asks_and_azure_for_whom() {
    let azure = Azure::new().await;
    azure.probe().await;
    let agent =
        concat!("registrycheck/", env!("CARGO_PKG_VERSION"), " (+https://registrycheck.dev)");
    for (server, source) in
        [(&azure.registry, Some("azure/aks/registrycheck")), (&azure.metadata, None)]
    {
        for seen in server.seen() {
            assert_eq!(seen.headers["user-agent"], agent);
            let said = seen.headers.get("x-meta-source-client").map(String::as_str);
            assert_eq!(said, source, "{seen:?}");
        }
    }
}

#[tokio::test]
async fn an_identity_is_named_as_each_program_names_it() {
    let resource = "/subscriptions/s/resourceGroups/g/providers/p/i";
    for (selector, provider, check) in [
        (
            Selector::ResourceId(resource.to_owned()),
            ("msi_res_id", resource),
            ("client_id", resource),
        ),
        (Selector::Unnamed, ("", ""), ("mi_res_id", "")),
    ] {
        let mut azure = Azure::new().await;
        azure.act_as(Principal::Managed(selector));
        azure.probe().await;
        let seen = azure.metadata.seen();
        assert_eq!(seen.len(), 2);
        for request in seen {
            let is_check = query(&request, "resource").unwrap().contains("management");
            let (name, value) = if is_check { check } else { provider };
            for parameter in ["client_id", "msi_res_id", "mi_res_id"] {
                let expected = (parameter == name).then(|| value.to_owned());
                assert_eq!(query(&request, parameter), expected, "{parameter} {request:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_service_accounts_identity_is_asked_of_entra() {
    let mut azure = Azure::new().await;
    azure.act_as(workload());
    let evidence = azure.probe().await;
    let seen = evidence.azure.unwrap();
    assert_eq!((seen.provider.end, seen.check_acr), (done(), None));
    assert_eq!(evidence.attempts[0].end, served());
    assert!(azure.metadata.seen().is_empty());
    let asked = azure.entra.seen();
    assert_eq!(azure.entra.asked(), ["POST /an0-7her/oauth2/v2.0/token"]);
    for (name, value) in [
        ("grant_type", "client_credentials"),
        ("client_id", IDENTITY),
        ("client_info", "1"),
        ("client_assertion", "eyJ9.e30.canary-assertion"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("scope", "https://containerregistry.azure.net/.default openid offline_access profile"),
    ] {
        assert_eq!(parameter(&asked[0].body, name).as_deref(), Some(value));
    }
    // Of whatever tenant the token is, it is exchanged for azure.json's.
    let exchange = &azure.exchanges()[0];
    assert_eq!(parameter(&exchange.body, "tenant").as_deref(), Some(TENANT));
}

#[tokio::test]
async fn a_service_principal_is_its_own_credential() {
    let mut azure = Azure::with(as_ever, as_ever, |request| {
        let basic = request.authorization().is_some_and(|sent| sent.starts_with("Basic "));
        let is_token = request.method == "GET" && request.path() == "/oauth2/token";
        (is_token && basic).then(|| access_token("shop/api", "\"pull\""))
    })
    .await;
    azure.act_as(service_principal());
    let evidence = azure.probe().await;
    let seen = evidence.azure.unwrap();
    assert_eq!((seen.provider.steps.len(), seen.provider.end), (0, done()));
    assert_eq!(seen.check_acr.unwrap().end, done());
    assert_eq!(evidence.attempts[0].end, served());
    assert_eq!(azure.entra.asked(), [format!("POST /{TENANT}/oauth2/token?api-version=1.0")]);
    let form = &azure.entra.seen()[0].body;
    let resource = parameter(form, "resource");
    assert_eq!(resource.as_deref(), Some("https://management.azure.com/"));
    assert_eq!(parameter(form, "client_secret").as_deref(), Some("canary-secret+/%\""));
}

#[tokio::test]
async fn nobody_is_tried_after_a_refused_identity_and_may_be_served() {
    fn open(request: &Request) -> Option<Response> {
        let is_token = request.method == "GET" && request.path() == "/oauth2/token";
        let is_anonymous = request.authorization().is_none();
        (is_token && is_anonymous).then(|| access_token("shop/api", "\"pull\""))
    }
    fn closed(request: &Request) -> Option<Response> {
        let is_token = request.method == "GET" && request.path() == "/oauth2/token";
        is_token.then(|| refusal(401, "UNAUTHORIZED", "authentication required"))
    }
    fn only_open(request: &Request) -> Option<Response> {
        open(request).or_else(|| closed(request))
    }
    let azure = Azure::with(as_ever, as_ever, only_open).await;
    let evidence = azure.probe().await;
    assert_eq!(evidence.attempts.len(), 2);
    assert_eq!(status(&evidence.attempts[0]), 401);
    assert_eq!(evidence.attempts[1].credential, Some(Provenance::Strangers));
    assert_eq!((&evidence.attempts[1].end, evidence.attempts[1].flaw), (&served(), None));

    let azure = Azure::with(as_ever, as_ever, closed).await;
    let evidence = azure.probe().await;
    let statuses: Vec<_> = evidence.attempts.iter().map(status).collect();
    // Nobody was asked already, so that there is no control.
    assert_eq!((statuses, evidence.anonymous), (vec![401, 401], None));

    // At another host of the registry nobody's credential is for nothing, and who is served
    // without one is only the control.
    let regional = "shop.westeurope.geo.azurecr.io";
    azure.world.zone.has(regional, &["127.0.0.1"]);
    let answer = |request: &Request| only_open(request).unwrap_or_else(|| registry(request));
    let server = azure.world.serve(regional, answer).await;
    let evidence = azure.world.probe(regional, &server, &azure.access()).await;
    assert_eq!(evidence.attempts.iter().map(status).collect::<Vec<_>>(), [401]);
    assert_eq!(evidence.anonymous.unwrap().end, served());
}

#[tokio::test]
async fn pull_secrets_come_first_and_what_needs_no_identity_asks_none() {
    let azure = Azure::with(as_ever, as_ever, |request| match request.authorization() {
        None => Some(Response::new(401).with("WWW-Authenticate", "Basic")),
        Some(_) => Some(Response::image()),
    })
    .await;
    let access = Access { azure: Some(azure.login.clone()), ..with_password() };
    let evidence = azure.probe_with(&access).await;
    assert_eq!((evidence.attempts.len(), evidence.azure), (1, None));
    assert!(azure.metadata.seen().is_empty());

    let azure = Azure::with(as_ever, as_ever, |_| Some(Response::image())).await;
    let evidence = azure.probe().await;
    assert_eq!((evidence.opening.end, evidence.azure), (served(), None));
    assert!(azure.metadata.seen().is_empty());

    let azure = Azure::new().await;
    let access = Access {
        azure: Some(azure.login.clone()),
        ..super::super::access(&[credential("old", "robot", "canary-wrong")])
    };
    let evidence = azure.probe_with(&access).await;
    assert_eq!(evidence.attempts.len(), 2);
    assert_eq!(evidence.attempts[1].credential, Some(managed()));
    assert_eq!(evidence.attempts[1].end, served());
}

/// A registry that grants to pull from `shop/web` alone.
fn of_two_repositories(request: &Request) -> Option<Response> {
    let sent = request.authorization();
    match (request.method.as_str(), request.path(), query(request, "scope").as_deref()) {
        ("GET", "/v2/_catalog", _) => Some(
            Response::new(200)
                .body(r#"{"repositories":["shop/api","a/closed","B$!","shop/web","z"]}"#),
        ),
        ("GET", "/oauth2/token", _) if sent.is_none() => Some(refusal(401, "UNAUTHORIZED", "no")),
        ("GET", "/oauth2/token", Some("registry:catalog:*")) => Some(access_token("x", "")),
        ("GET", "/oauth2/token", Some("repository:shop/web:pull")) => {
            Some(access_token("shop/web", "\"pull\""))
        }
        ("GET", "/oauth2/token", Some(scope)) => {
            Some(access_token(scope.split(':').nth(1).unwrap(), ""))
        }
        (_, path, _) if path.contains("/manifests/") => Some(challenge(request)),
        _ => None,
    }
}

/// The same, which does not say which repositories there are.
fn without_list(request: &Request) -> Option<Response> {
    let is_list = request.path() == "/v2/_catalog";
    is_list.then(|| refusal(401, "UNAUTHORIZED", "no")).or_else(|| of_two_repositories(request))
}

#[tokio::test]
async fn a_token_without_the_right_to_pull_is_compared_with_another_repositorys() {
    let azure = Azure::with(as_ever, as_ever, of_two_repositories).await;
    let evidence = azure.probe().await;
    let grant = evidence.attempts[0].grant.as_ref().unwrap();
    assert_eq!((status(&evidence.attempts[0]), grant.actions.len()), (401, 0));
    let other = evidence.azure.unwrap().other.unwrap();
    assert_eq!(
        (other.name.as_str(), &other.grant.actions[..]),
        ("shop/web", &["pull".to_owned()][..])
    );
    // A name that is none is asked nothing about, nor is a third.
    let scopes: Vec<_> =
        azure.registry.seen().iter().filter_map(|seen| query(seen, "scope")).collect();
    assert!(scopes.iter().all(|scope| !scope.contains('$') && scope != "repository:z:pull"));

    let azure = Azure::with(as_ever, as_ever, without_list).await;
    let evidence = azure.probe().await;
    assert_eq!(evidence.azure.unwrap().other, None);
}

#[tokio::test]
async fn an_unreachable_registry_hides_no_failure_of_the_identity() {
    let mut azure = Azure::new().await;
    azure.world.zone.has(HOST, &["127.0.0.99"]);
    let evidence = azure.probe().await;
    let seen = evidence.azure.unwrap();
    let End::Unreachable { failure: Failure::Refused, .. } = &evidence.opening.end else {
        panic!("{:?}", evidence.opening)
    };
    assert_eq!(seen.provider.end, evidence.opening.end);
    // Each says at which of its own steps it would have ended.
    let identity = passed(&[StepName::Connect, StepName::Identity]);
    let ended = |step| [&identity[..], &[(step, false)]].concat();
    assert_eq!(names(&seen.provider), ended(StepName::Challenge));
    let check_acr = seen.check_acr.unwrap();
    assert_eq!(names(&check_acr), ended(StepName::Exchange));
    assert_eq!(check_acr.end, evidence.opening.end);
    assert!(evidence.attempts.is_empty() && azure.registry.seen().is_empty());

    azure.login.cloud.metadata = "http://127.0.0.1:1".to_owned();
    let seen = azure.probe().await.azure.unwrap();
    let End::Unreachable { hop, failure: Failure::Refused } = &seen.provider.end else {
        panic!("{seen:?}")
    };
    assert_eq!((hop.role, hop.host.as_str()), (Role::Metadata, "127.0.0.1:1"));
}

#[tokio::test]
async fn a_silent_metadata_service_leaves_time_for_the_pull() {
    let mut azure = Azure::with(|_| Some(Response::silence()), as_ever, as_ever).await;
    azure.world.timeout = std::time::Duration::from_millis(900);
    let evidence = azure.probe().await;
    let seen = evidence.azure.unwrap();
    let End::Unreachable { failure: Failure::TimedOut { during, millis }, .. } = seen.provider.end
    else {
        panic!("{seen:?}")
    };
    assert_eq!(during, StepName::Identity);
    assert!((250..700).contains(&millis), "{millis}");
    // Without a credential anybody's pull is the pull.
    assert_eq!(evidence.attempts.len(), 0);
    assert_eq!(said(evidence.anonymous.as_ref().unwrap()).0, 401);
}

#[tokio::test]
async fn another_host_is_not_asked_for_a_token() {
    let mut azure = Azure::new().await;
    azure.login.cloud.registry_domains = vec!["azurecr.us".to_owned()];
    let evidence = azure.probe().await;
    let seen = evidence.azure.unwrap();
    for attempt in [&seen.provider, seen.check_acr.as_ref().unwrap()] {
        let End::NotSent { reason: NotSent::NotAzure, host } = &attempt.end else {
            panic!("{attempt:?}")
        };
        assert!(host.starts_with(HOST));
    }
    assert!(azure.metadata.seen().is_empty() && evidence.attempts.is_empty());
}
