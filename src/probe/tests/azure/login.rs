//! The login alone, for no image.

use crate::access::{Access, Provenance};
use crate::evidence::login::Login;
use crate::evidence::told::Flaw;
use crate::evidence::{End, StepName};
use crate::image::Host;
use crate::probe::Options;

use super::super::{NOW, names};
use super::{Azure, HOST, Response, as_ever, done, refusal, said};

async fn log_in(azure: &Azure, access: &Access) -> Login {
    let host = Host::parse(&format!("{HOST}:{}", azure.registry.port())).unwrap();
    let options = Options::within(azure.world.timeout, NOW);
    let login = azure.world.prober().log_in(&host, access, options).await;
    for text in [format!("{login:?}"), serde_json::to_string(&login).unwrap()] {
        assert!(!text.contains("canary"), "{text}");
    }
    login
}

#[tokio::test]
async fn an_identity_logs_in_for_no_image() {
    let azure = Azure::new().await;
    let login = log_in(&azure, &azure.access()).await;
    let seen = login.azure.unwrap();
    assert_eq!((seen.provider.end, seen.check_acr.unwrap().end), (done(), done()));
    assert_eq!(login.attempts.len(), 1);
    let attempt = &login.attempts[0];
    assert!(matches!(attempt.credential, Some(Provenance::Azure { .. })));
    assert_eq!((&attempt.end, names(attempt)), (&done(), vec![(StepName::Token, true)]));
    assert_eq!(attempt.correlation.as_deref(), Some("c-token"));
    assert_eq!((login.anonymous, login.lookups.len()), (None, 1));
    assert_eq!(login.at.as_deref(), Some("2023-11-14T22:13:20Z"));
}

#[tokio::test]
async fn an_identity_that_cannot_log_in_leaves_the_stranger() {
    let azure = Azure::with(|_| Some(Response::new(400)), as_ever, as_ever).await;
    let login = log_in(&azure, &azure.access()).await;
    assert_eq!(login.attempts.len(), 0);
    assert_eq!(said(&login.anonymous.unwrap()).0, 401);
    assert_eq!(said(&login.azure.unwrap().provider).0, 400);
}

#[tokio::test]
async fn a_firewall_is_met_in_both_ways() {
    let azure = Azure::with(as_ever, as_ever, |_| Some(refusal(403, "DENIED", "no"))).await;
    let login = log_in(&azure, &azure.access()).await;
    let End::Answered { answer, .. } = &login.opening.end else { panic!() };
    assert_eq!(answer.status, 403);
    let seen = login.azure.unwrap();
    assert_eq!((said(&seen.provider).0, said(&seen.check_acr.unwrap()).0), (403, 403));
}

#[tokio::test]
async fn a_password_says_of_itself_what_is_wrong_with_it() {
    let azure = Azure::new().await;
    let over = super::jwt("old", r#"{"aud":"shop.azurecr.io","exp":1600000000}"#);
    let access = super::super::access(&[super::credential("regcred", "robot", &over)]);
    let login = log_in(&azure, &access).await;
    let attempt = &login.attempts[0];
    assert_eq!((said(attempt).0, attempt.flaw), (401, Some(Flaw::TokenOfAnotherUser)));
    assert!(attempt.lifetime.as_ref().unwrap().is_over);
}
