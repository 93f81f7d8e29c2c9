//! What an identity of Azure adds to the rows of probes.

use super::*;
use crate::access::Provenance;
use crate::access::azure::Identity;
use crate::api::ProbeStatus;
use crate::evidence::azure::Azure;
use crate::evidence::node::{NodeSeen, NodeView};
use crate::evidence::{Answer, Attempt, End, Hop, Role, Scheme, Step, StepName, Vantage};
use crate::image::ImageRef;

fn identity() -> Identity {
    Identity::Managed { id: Some("k".to_owned()) }
}

fn served() -> End {
    End::Served { digest: None, platform: None }
}

fn refused() -> End {
    let answer = Answer { status: 401, correlation: Some("5c8e".to_owned()), ..Answer::default() };
    let hop = Hop { role: Role::TokenService, host: "shop.azurecr.io".to_owned(), address: None };
    End::Answered { hop, step: StepName::Token, answer }
}

/// An attempt of the identity with this one step.
fn attempt(name: StepName, end: End) -> Attempt {
    let passed = end == served();
    let detail = if passed { "200" } else { "401" }.to_owned();
    let step = Step { name, host: None, passed, detail, micros: 2_000 };
    Attempt::new(Some(Provenance::Azure { identity: identity() }), vec![step], end)
}

/// What was seen where the identity logged in so, and pulled so.
fn evidence(provider: End, check_acr: End, pulled: Option<End>) -> Evidence {
    let step = Step {
        name: StepName::Challenge,
        host: None,
        passed: true,
        detail: String::new(),
        micros: 1_000,
    };
    let challenged = End::Challenged { scheme: Scheme::Bearer };
    Evidence {
        image: ImageRef::parse("shop.azurecr.io/a").unwrap(),
        vantage: Vantage::Pod,
        platform: None,
        gaps: Vec::new(),
        opening: Attempt::new(None, vec![step], challenged),
        attempts: pulled.into_iter().map(|end| attempt(StepName::Token, end)).collect(),
        anonymous: None,
        repository: None,
        limit: None,
        mirrors: None,
        lookups: Vec::new(),
        azure: Some(Box::new(Azure {
            identity: identity(),
            provider: attempt(StepName::Identity, provider),
            check_acr: Some(attempt(StepName::Exchange, check_acr)),
            principal: None,
            node_location: None,
            other: None,
        })),
        node: None,
        at: Some("2026-11-26T01:02:03Z".to_owned()),
    }
}

fn rows(evidence: Evidence) -> Vec<ProbeStatus> {
    let outcome = outcome("shop.azurecr.io/a", 1, Code::CredentialRejected);
    probed(None, &[Outcome { evidence: Some(Arc::new(evidence)), ..outcome }], 0).status.probes
}

#[track_caller]
fn check(evidence: Evidence, expected: &str) -> ProbeStatus {
    let [row] = rows(evidence).try_into().unwrap();
    assert_eq!(row.steps, expected);
    assert_eq!(row.credential, "kubelet identity k");
    row
}

#[test]
fn the_login_comes_before_what_became_of_it_and_check_acr_is_a_clause() {
    let row = check(
        evidence(served(), served(), Some(refused())),
        "Challenge 1 ms; Identity 2 ms 200; Token failed in 2 ms: 401; as az aks check-acr: accepted",
    );
    let query = row.log_query.unwrap();
    assert!(query.contains("LoginServer == \"shop.azurecr.io\" and CorrelationId == \"5c8e\""));
    check(
        evidence(served(), refused(), Some(served())),
        "Challenge 1 ms; Identity 2 ms 200; Token 2 ms 200; as az aks check-acr: Exchange failed in 2 ms: 401",
    );
}

#[test]
fn an_identity_without_a_credential_has_a_row() {
    let row = check(
        evidence(refused(), refused(), None),
        "Challenge 1 ms; Identity failed in 2 ms: 401; as az aks check-acr: Exchange failed in 2 ms: 401",
    );
    assert_eq!(row.outcome, "CredentialRejected");
}

#[test]
fn what_the_node_saw_has_rows_of_its_own() {
    let on_node =
        Evidence { vantage: Vantage::Node, ..evidence(served(), served(), Some(refused())) };
    let seen = NodeSeen::Walked { evidence: Box::new(on_node) };
    let view = NodeView { node: "n".to_owned(), host_network: false, seen };
    let here = evidence(refused(), refused(), None);
    let rows = rows(Evidence { node: Some(Box::new(view)), ..here });
    let vantages: Vec<&str> = rows.iter().map(|row| row.vantage.as_str()).collect();
    assert_eq!(vantages, ["Pod", "Node"]);
}
