//! Identities that are refused, and what is kept of that.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::evidence::{End, NotSent, Role, StepName};

use super::super::{names, status};
use super::{
    Azure, CheckAcr, Instead, Principal, Request, Response, Server, as_ever, detail, metadata,
    refusal, said, service_principal, workload,
};

/// An error as Entra ID has it.
fn entra_error(status: u16, code: u32, text: &str) -> Response {
    let body = serde_json::json!({
        "error": "invalid_client",
        "error_description": format!(
            "AADSTS{code}: {text} Trace ID: 11-22 Correlation ID: 33-44 Timestamp: 2023-11-14 22:13:20Z"
        ),
        "error_codes": [code],
        "trace_id": "11-22",
        "correlation_id": "33-44",
    });
    Response::new(status).with("x-ms-request-id", "55-66").body(body.to_string())
}

#[tokio::test]
async fn what_entra_says_is_kept_by_its_number() {
    for (principal, is_provider) in [(workload(), true), (service_principal(), false)] {
        let mut azure = Azure::with(
            as_ever,
            |_| {
                let text = "Invalid client secret provided. Ensure that it is the value.";
                Some(entra_error(401, 7_000_215, text))
            },
            as_ever,
        )
        .await;
        azure.act_as(principal);
        let seen = azure.probe().await.azure.unwrap();
        let attempt = if is_provider { &seen.provider } else { seen.check_acr.as_ref().unwrap() };
        assert_eq!(said(attempt), (401, "AADSTS7000215", "Invalid client secret provided"));
        let End::Answered { hop, step, answer } = &attempt.end else { panic!() };
        assert_eq!((hop.role, *step), (Role::Entra, StepName::Identity));
        assert_eq!(answer.correlation.as_deref(), Some("33-44"));
        assert_eq!(detail(attempt, StepName::Identity), "401 AADSTS7000215");
        assert_eq!(attempt.steps.last().unwrap().host.as_deref(), Some(hop.host.as_str()));
        assert_eq!(seen.principal, None);
    }
}

#[tokio::test]
async fn what_the_metadata_service_refuses_is_final() {
    let errors: [(Instead, (u16, &str, &str)); 4] = [
        (
            |_| {
                let text =
                    r#"{"error":"invalid_request","error_description":"Identity not found"}"#;
                Some(Response::new(400).body(text))
            },
            (400, "invalid_request", "Identity not found"),
        ),
        (
            |_| {
                let text = "AADSTS500011: The resource principal named https://containerregistry.azure.net was not found in the tenant named Shop. This can happen.\\r\\nTrace ID: 1";
                let body =
                    format!(r#"{{"error":"invalid_resource","error_description":"{text}"}}"#);
                Some(Response::new(400).body(body))
            },
            (
                400,
                "AADSTS500011",
                "The resource principal named https://containerregistry.azure.net was not found in the tenant named Shop",
            ),
        ),
        (|_| Some(Response::new(403).body("no")), (403, "", "")),
        (|_| Some(Response::new(200).body("{}")), (200, "", "")),
    ];
    for (of_metadata, expected) in errors {
        let azure = Azure::with(of_metadata, as_ever, as_ever).await;
        let evidence = azure.probe().await;
        let seen = evidence.azure.unwrap();
        assert_eq!(said(&seen.provider), expected);
        assert_eq!(said(seen.check_acr.as_ref().unwrap()), expected);
        assert_eq!(names(&seen.provider), [(StepName::Connect, true), (StepName::Identity, false)]);
        // Each program once.
        assert_eq!(azure.metadata.seen().len(), 2);
        // The kubelet has nothing, and pulls as anybody.
        assert_eq!((evidence.attempts.len(), status(&evidence.anonymous.unwrap())), (0, 401));
    }
}

#[tokio::test]
async fn a_stumble_of_the_metadata_service_is_asked_again_and_not_by_check_acr() {
    for (first, answers) in [
        (408, true),
        (429, true),
        (500, true),
        (502, true),
        (504, true),
        // The provider gives up, and the kubelet pulls as nobody.
        (400, false),
        (404, false),
        (410, false),
        (501, false),
    ] {
        let n_asked = AtomicU32::new(0);
        let mut azure = Azure::new().await;
        azure.metadata = Server::plain(move |request| {
            let is_check = request.target.contains("management");
            if is_check || n_asked.fetch_add(1, Ordering::SeqCst) < 2 {
                return Response::new(first);
            }
            metadata(request)
        })
        .await;
        azure.login.cloud.metadata = format!("http://127.0.0.1:{}", azure.metadata.port());
        azure.world.timeout = Duration::from_secs(2);
        let seen = azure.probe().await.azure.unwrap();
        assert_eq!(matches!(seen.provider.end, End::Served { .. }), answers, "{first}");
        if answers {
            assert_eq!(detail(&seen.provider, StepName::Identity), "200, asked 3 times");
        }
        assert_eq!(status(&seen.check_acr.unwrap()), first);
    }
}

#[tokio::test]
async fn the_metadata_service_is_asked_so_often_and_no_longer() {
    let mut azure = Azure::with(|_| Some(Response::new(503)), as_ever, as_ever).await;
    azure.world.timeout = Duration::from_secs(1);
    let seen = azure.probe().await.azure.unwrap();
    assert_eq!(status(&seen.provider), 503);
    assert_eq!(detail(&seen.provider, StepName::Identity), "503, asked 4 times");

    // It wants more time than there is, or than any time can be.
    let limits: [(Instead, u64); 2] = [
        (|_| Some(Response::new(429).with("Retry-After", "30")), 30),
        (|_| Some(Response::new(429).with("Retry-After", "18446744073709551615")), u64::MAX),
    ];
    for (limited, wanted) in limits {
        let azure = Azure::with(limited, as_ever, as_ever).await;
        let seen = azure.probe().await.azure.unwrap();
        let End::Answered { answer, .. } = &seen.provider.end else { panic!() };
        assert_eq!((answer.status, answer.retry_after), (429, Some(wanted)));
        assert_eq!(detail(&seen.provider, StepName::Identity), "429");
    }
}

#[tokio::test]
async fn what_the_registry_refuses_is_its_own_answer() {
    let firewall = "client with IP '203.0.113.7' is not allowed access";
    let exchanges: [(Instead, (u16, &str, &str)); 3] = [
        (
            |request| {
                let is_it = request.path() == "/oauth2/exchange";
                is_it.then(|| refusal(401, "UNAUTHORIZED", "authentication required"))
            },
            (401, "UNAUTHORIZED", "authentication required"),
        ),
        (
            |request| {
                let is_it = request.path() == "/oauth2/exchange";
                is_it.then(|| {
                    refusal(403, "DENIED", "client with IP '203.0.113.7' is not allowed access")
                })
            },
            (403, "DENIED", firewall),
        ),
        (
            |request| (request.path() == "/oauth2/exchange").then(|| Response::new(200).body("[]")),
            (200, "", ""),
        ),
    ];
    for (of_registry, expected) in exchanges {
        let azure = Azure::with(as_ever, as_ever, of_registry).await;
        let evidence = azure.probe().await;
        let seen = evidence.azure.unwrap();
        for attempt in [&seen.provider, seen.check_acr.as_ref().unwrap()] {
            assert_eq!(said(attempt), expected);
            let End::Answered { hop, step, .. } = &attempt.end else { panic!() };
            assert_eq!((hop.role, *step), (Role::TokenService, StepName::Exchange));
            assert_eq!(attempt.correlation, None);
        }
        assert!(evidence.attempts.is_empty() && evidence.anonymous.is_some());
    }
}

#[tokio::test]
async fn the_challenge_is_taken_as_the_credential_provider_takes_it() {
    fn on_v2(request: &Request, answer: Response) -> Option<Response> {
        (request.path() == "/v2/").then_some(answer)
    }
    let challenges: [(Instead, &[&str]); 3] = [
        (
            |request| {
                let realm = r#"Bearer realm="https://shop.azurecr.io/t",service="s""#;
                let twice = Response::new(401).with("WWW-Authenticate", realm);
                on_v2(request, twice.with("WWW-Authenticate", realm))
            },
            &["Bearer"],
        ),
        (
            |request| {
                let header = r#"Bearer realm="https://shop.azurecr.io/t""#;
                on_v2(request, Response::new(401).with("WWW-Authenticate", header))
            },
            &["Bearer"],
        ),
        (
            |request| on_v2(request, Response::new(401).with("WWW-Authenticate", "Basic")),
            &["Basic"],
        ),
    ];
    for (of_registry, expected) in challenges {
        let azure = Azure::with(as_ever, as_ever, of_registry).await;
        let seen = azure.probe().await.azure.unwrap();
        let End::NotSent { reason: NotSent::UnsupportedChallenge { schemes }, .. } =
            &seen.provider.end
        else {
            panic!("{seen:?}")
        };
        assert_eq!(schemes, expected);
        // check-acr asks for none.
        assert!(matches!(seen.check_acr.unwrap().end, End::Served { .. }));
    }
    let azure = Azure::with(as_ever, as_ever, |request| {
        on_v2(request, refusal(403, "DENIED", "client with IP '203.0.113.7' is not allowed"))
    })
    .await;
    let seen = azure.probe().await.azure.unwrap();
    assert_eq!(said(&seen.provider).0, 403);
    assert_eq!(names(&seen.provider).last(), Some(&(StepName::Challenge, false)));
}

/// A firewall refuses everybody before it is said how to log in; both ways are walked all the same.
#[tokio::test]
async fn a_registry_that_refuses_everybody_is_asked_in_both_ways() {
    let azure = Azure::with(as_ever, as_ever, |_| Some(refusal(403, "DENIED", "no"))).await;
    let evidence = azure.probe().await;
    assert_eq!(status(&evidence.opening), 403);
    let seen = evidence.azure.unwrap();
    assert_eq!((status(&seen.provider), status(&seen.check_acr.unwrap())), (403, 403));
    assert!(evidence.attempts.is_empty() && evidence.anonymous.is_none());

    // A missing manifest is no reason to.
    let azure =
        Azure::with(as_ever, as_ever, |_| Some(refusal(404, "MANIFEST_UNKNOWN", "no"))).await;
    assert_eq!(azure.probe().await.azure, None);
    assert!(azure.metadata.seen().is_empty());
}

#[tokio::test]
async fn what_a_server_sends_back_is_not_kept() {
    let echo: Instead = |request| {
        let sent = format!("{} {}", request.body, request.authorization().unwrap_or_default());
        (request.path() == "/oauth2/exchange" || request.body.contains("canary-assertion"))
            .then(|| Response::new(400).with("x-ms-request-id", &sent).body(sent))
    };
    for principal in [workload(), service_principal()] {
        let mut azure = Azure::with(as_ever, echo, echo).await;
        azure.act_as(principal);
        // The evidence itself is looked through by whoever makes it.
        azure.probe().await;
    }
    let azure = Azure::with(as_ever, as_ever, echo).await;
    assert_eq!(status(&azure.probe().await.azure.unwrap().provider), 400);
}

#[tokio::test]
async fn only_the_metadata_service_is_asked_as_one() {
    for base in ["http://10.0.0.9", "http://shop.azurecr.io", "https://127.0.0.1:1", "none"] {
        let mut azure = Azure::new().await;
        azure.login.cloud.metadata = base.to_owned();
        let seen = azure.probe().await.azure.unwrap();
        let End::NotSent { reason: NotSent::NotAzure, .. } = &seen.provider.end else {
            panic!("{base} {seen:?}")
        };
        assert!(azure.exchanges().is_empty());
    }
    let mut azure = Azure::new().await;
    azure.act_as(Principal::Workload {
        account: String::new(),
        client_id: String::new(),
        tenant: String::new(),
        token: crate::secret::Secret::new("canary-assertion"),
    });
    azure.login.cloud.authority = "http://login.microsoftonline.com".to_owned();
    let seen = azure.probe().await.azure.unwrap();
    let End::NotSent { reason: NotSent::InsecureRealm { .. }, .. } = &seen.provider.end else {
        panic!("{seen:?}")
    };
}

/// canipull ends with its name; the kubelet's credential provider takes another cloud for it.
#[tokio::test]
async fn check_acr_asks_nothing_in_a_cloud_that_it_does_not_know() {
    let mut azure = Azure::new().await;
    azure.login.check_acr = Some(CheckAcr::UnknownCloud("AzureStackCloud".to_owned()));
    let seen = azure.probe().await.azure.unwrap();
    assert!(matches!(seen.provider.end, End::Served { .. }), "{seen:?}");
    let check = seen.check_acr.unwrap();
    let End::NotSent { reason: NotSent::UnknownCloud { name }, .. } = &check.end else {
        panic!("{check:?}")
    };
    assert_eq!(name, "AzureStackCloud");
    assert_eq!(names(&check), [(StepName::Identity, false)]);
    assert_eq!(azure.exchanges().len(), 1, "the credential provider's alone");
}
