//! What an operator allows and denies to be asked.

use std::net::IpAddr;

use crate::evidence::{Attempt, End, NotSent, StepName};
use crate::probe::proxy::Proxies;
use crate::probe::targets::{Target, Targets};

use super::{Response, World, anonymous, loopback, manifest, names, served, with_password};

const REGISTRY: &str = "registry.shop.test";

fn parse(targets: &[&str]) -> Vec<Target> {
    targets.iter().map(|target| target.parse().unwrap()).collect()
}

fn denied(targets: &[&str]) -> Targets {
    Targets { denied: parse(targets), ..Targets::default() }
}

fn allowed(targets: &[&str]) -> Targets {
    Targets { allowed: parse(targets), ..Targets::default() }
}

#[track_caller]
fn is_denied(attempt: &Attempt, expected: Option<IpAddr>) {
    match &attempt.end {
        End::NotSent { reason: NotSent::DeniedTarget { address }, .. } => {
            assert_eq!(*address, expected);
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn is_not_allowed(attempt: &Attempt, expected: Option<IpAddr>) {
    match &attempt.end {
        End::NotSent { reason: NotSent::NotAllowedTarget { address }, .. } => {
            assert_eq!(*address, expected);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_denied_target_is_not_asked() {
    let mut world = World::new().await;
    let registry = world.serve(REGISTRY, |_| manifest()).await;
    // A host is not even looked up; a network shows only then.
    for (target, address, step) in [
        (REGISTRY, None, StepName::Challenge),
        ("*.shop.test", None, StepName::Challenge),
        ("127.0.0.0/8", Some(loopback()), StepName::Dns),
    ] {
        world.settings.targets = denied(&[target]);
        let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
        is_denied(&evidence.opening, address);
        assert!(evidence.attempts.is_empty(), "{target}");
        assert_eq!(names(&evidence.opening), [(step, false)]);
    }
    assert!(registry.seen().is_empty());
    world.settings.targets = denied(&["shop.test", "*.registry.shop.test", "10.0.0.0/8"]);
    let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
    assert_eq!(evidence.opening.end, served());
}

#[tokio::test]
async fn where_some_are_allowed_no_other_is_asked() {
    let mut world = World::new().await;
    let registry = world.serve(REGISTRY, |_| manifest()).await;
    for (targets, address) in
        [(&["other.test"][..], None), (&["other.test", "192.0.2.0/24"], Some(loopback()))]
    {
        world.settings.targets = allowed(targets);
        let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
        is_not_allowed(&evidence.opening, address);
    }
    assert!(registry.seen().is_empty());
    for targets in [&["*.shop.test"][..], &["other.test", "127.0.0.0/8"]] {
        world.settings.targets = allowed(targets);
        let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
        assert_eq!(evidence.opening.end, served(), "{targets:?}");
    }
}

/// Neither is what a registry names: its token service, and where it redirects.
#[tokio::test]
async fn a_registry_does_not_lead_to_a_denied_target() {
    let mut world = World::new().await;
    let inner = world.serve("auth.shop.test", |_| Response::new(200).body("{}")).await;
    let realm = format!("https://auth.shop.test:{}/token", inner.port());
    let challenge = format!("Bearer realm=\"{realm}\"");
    world.settings.targets = denied(&["auth.shop.test"]);
    let registry = world
        .serve(REGISTRY, move |_| Response::new(401).with("WWW-Authenticate", challenge.clone()))
        .await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    is_denied(&evidence.attempts[0], None);
    let registry =
        world.serve(REGISTRY, move |_| Response::new(307).with("Location", realm.clone())).await;
    let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
    is_denied(&evidence.opening, None);
    assert!(inner.seen().is_empty());
}

/// A proxy looks names up itself, so a name has to be allowed as such.
#[tokio::test]
async fn behind_a_proxy_names_are_judged() {
    let mut world = World::new().await;
    let registry = world.serve(REGISTRY, |_| manifest()).await;
    world.settings.proxies =
        Proxies::from_variables(|name| (name == "HTTPS_PROXY").then(|| "127.0.0.1:1".to_owned()));
    for targets in [&["other.test"][..], &["127.0.0.0/8"]] {
        world.settings.targets = allowed(targets);
        let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
        is_not_allowed(&evidence.opening, None);
    }
    world.settings.targets = denied(&[REGISTRY]);
    let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
    is_denied(&evidence.opening, None);
}
