//! Everything that can be wrong before a registry answers.

use std::time::Duration;

use crate::evidence::{Certificate, CertificateProblem, End, Evidence, Failure, StepName};

use super::server::{Authority, Identity, Server, home_made};
use super::{Response, World, anonymous, loopback, manifest, names, served, with_password};

const REGISTRY: &str = "registry.shop.test";

#[track_caller]
fn failure(evidence: &Evidence) -> &Failure {
    assert!(evidence.attempts.is_empty() && evidence.anonymous.is_none(), "{evidence:?}");
    match &evidence.opening.end {
        End::Unreachable { failure, .. } => failure,
        other => panic!("{other:?}"),
    }
}

/// The last step, which is the one that failed.
#[track_caller]
fn failed_in(evidence: &Evidence, expected: StepName) {
    let names = names(&evidence.opening);
    assert_eq!(names.last(), Some(&(expected, false)), "{evidence:?}");
    assert_eq!(names.iter().filter(|(_, passed)| !passed).count(), 1);
}

#[tokio::test]
async fn names_that_cannot_be_found() {
    let mut world = World::new().await;
    world.timeout = Duration::from_millis(600);
    world.zone.has("no-address.shop.test", &[]);
    world.zone.is_ill_for("ill.shop.test");
    world.zone.is_silent_for("silent.shop.test");
    world.zone.is_alias("dangling.shop.test", "gone.shop.test");
    let resolver = Some("127.0.0.1".to_owned());
    let not_found = Failure::NameNotFound { resolver };
    for name in
        ["gone.shop.test", "no-address.shop.test", "dangling.shop.test", "under_score.shop.test"]
    {
        let evidence = world.probe_image(&format!("{name}/shop/api:1"), &with_password()).await;
        assert_eq!(*failure(&evidence), not_found, "{name}");
        failed_in(&evidence, StepName::Dns);
    }
    for (name, words) in [("ill.shop.test", "SERVFAIL"), ("silent.shop.test", "timed out")] {
        let evidence = world.probe_image(&format!("{name}/shop/api:1"), &with_password()).await;
        let Failure::LookupFailed { detail } = failure(&evidence) else { panic!("{evidence:?}") };
        assert!(detail.contains(words), "{detail}");
        failed_in(&evidence, StepName::Dns);
    }
}

#[tokio::test]
async fn the_aliases_on_the_way_are_kept() {
    let world = World::new().await;
    world.zone.is_alias("alias.shop.test", "privatelink.shop.test");
    world.zone.is_alias("privatelink.shop.test", REGISTRY);
    let registry = world.serve("alias.shop.test", |_| manifest()).await;
    let evidence = world.probe("alias.shop.test", &registry, &anonymous()).await;
    assert_eq!(evidence.opening.end, served());
    assert_eq!(
        evidence.opening.steps[0].detail,
        "127.0.0.1 via privatelink.shop.test via registry.shop.test"
    );
    assert_eq!(evidence.opening.steps[1].detail, format!("127.0.0.1:{}", registry.port()));
}

#[tokio::test]
async fn nobody_listens() {
    let world = World::new().await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let evidence =
        world.probe_image(&format!("{REGISTRY}:{port}/shop/api:1"), &with_password()).await;
    assert_eq!(*failure(&evidence), Failure::Refused);
    failed_in(&evidence, StepName::Connect);
    let End::Unreachable { hop, .. } = &evidence.opening.end else { panic!() };
    assert_eq!((hop.host.clone(), hop.address), (format!("{REGISTRY}:{port}"), Some(loopback())));
}

#[tokio::test]
async fn a_silent_server_is_waited_for_in_the_handshake() {
    let mut world = World::new().await;
    world.timeout = Duration::from_millis(300);
    let registry = Server::silent().await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    let Failure::TimedOut { during, millis } = failure(&evidence) else { panic!("{evidence:?}") };
    assert_eq!(*during, StepName::Tls);
    assert!((100..900).contains(millis), "{millis}");
    failed_in(&evidence, StepName::Tls);
}

#[tokio::test]
async fn a_server_silent_after_the_handshake_is_waited_for_in_the_challenge() {
    let mut world = World::new().await;
    world.timeout = Duration::from_millis(600);
    let registry = world.serve(REGISTRY, |_| Response::silence()).await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    let Failure::TimedOut { during, .. } = failure(&evidence) else { panic!("{evidence:?}") };
    assert_eq!(*during, StepName::Challenge);
    failed_in(&evidence, StepName::Challenge);
}

#[tokio::test]
async fn a_connection_that_is_cut() {
    let world = World::new().await;
    let registry = Server::rude(b"").await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    assert_eq!(*failure(&evidence), Failure::Reset { during: StepName::Tls });
    failed_in(&evidence, StepName::Tls);
}

#[tokio::test]
async fn what_does_not_speak_tls_is_looked_at() {
    let world = World::new().await;
    let registry = Server::plain(|_| manifest()).await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    assert_eq!(*failure(&evidence), Failure::PlainHttp);
    failed_in(&evidence, StepName::Tls);
    assert!(registry.seen().iter().all(|seen| seen.authorization().is_none()));

    let registry = Server::rude(b"HTTP/1.0 400 Bad Request\r\n\r\n").await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    assert_eq!(*failure(&evidence), Failure::PlainHttp);

    let registry = Server::rude(b"SSH-2.0-OpenSSH_9.6\r\n").await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    let Failure::NotHttp { detail } = failure(&evidence) else { panic!("{evidence:?}") };
    assert!(detail.contains("SSH-2.0"), "{detail}");

    // An alert: the server speaks TLS and refuses.
    let registry = Server::rude(b"\x15\x03\x03\x00\x02\x02\x28").await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    assert!(matches!(failure(&evidence), Failure::Handshake { .. }), "{evidence:?}");
}

#[tokio::test]
async fn what_speaks_no_http_where_http_is_due() {
    let mut world = World::new().await;
    world.settings.insecure_hosts = vec![REGISTRY.to_owned()];
    let registry = Server::rude(b"220 mail ESMTP\r\n").await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    assert!(matches!(failure(&evidence), Failure::NotHttp { .. }), "{evidence:?}");
    failed_in(&evidence, StepName::Challenge);
    let registry = Server::rude(b"").await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    assert_eq!(*failure(&evidence), Failure::Reset { during: StepName::Challenge });
}

async fn certificate_of(world: &World, identity: Identity) -> (CertificateProblem, Certificate) {
    let registry = Server::tls(identity, |_| manifest()).await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    failed_in(&evidence, StepName::Tls);
    assert!(registry.seen().is_empty());
    match failure(&evidence) {
        Failure::Certificate { problem, seen } => (*problem, seen.clone()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn certificates_that_are_refused() {
    let world = World::new().await;
    let stranger = Authority::new("Stranger");
    let own = &world.authority;
    for (identity, expected) in [
        (own.issue_between(REGISTRY, 2020, 2021), CertificateProblem::Expired),
        (own.issue_between(REGISTRY, 2998, 2999), CertificateProblem::NotYetValid),
        (own.issue("other.shop.test"), CertificateProblem::WrongName),
        (stranger.issue(REGISTRY), CertificateProblem::Untrusted),
        (home_made(REGISTRY).0, CertificateProblem::Untrusted),
        // Go's order: dates, name, authority.
        (stranger.issue("other.shop.test"), CertificateProblem::WrongName),
        (stranger.issue_between(REGISTRY, 2020, 2021), CertificateProblem::Expired),
        (home_made("other.shop.test").0, CertificateProblem::WrongName),
    ] {
        assert_eq!(certificate_of(&world, identity).await.0, expected);
    }
    let (_, seen) = certificate_of(&world, stranger.issue_between("n.test", 2020, 2021)).await;
    assert_eq!(seen.not_before, "2020-01-01T00:00:00Z");
    assert_eq!(seen.not_after, "2021-01-01T00:00:00Z");
    assert_eq!(seen.names, ["n.test"]);
    assert!(seen.issuer.contains("CN=Stranger"), "{seen:?}");
}

#[tokio::test]
async fn a_home_made_certificate_is_believed_when_it_is_named() {
    let mut world = World::new().await;
    let (identity, pem) = home_made(REGISTRY);
    world.settings.ca_bundle_pem.push(pem);
    let registry = Server::tls(identity, |_| manifest()).await;
    let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
    assert_eq!(evidence.opening.end, served());
}

#[tokio::test]
async fn a_host_that_no_url_has() {
    let world = World::new().await;
    let evidence = world.probe_image("registry.shop.test:99999/shop/api:1", &anonymous()).await;
    assert!(matches!(failure(&evidence), Failure::LookupFailed { .. }), "{evidence:?}");
}

/// A server may close a connection that it has kept: what was sent over it is sent again, as Go
/// does it, and only what can be.
#[tokio::test]
async fn a_connection_that_the_server_has_closed_is_no_failure() {
    let world = World::new().await;
    let registry = world
        .serve(REGISTRY, |request| {
            if request.target.starts_with("/token") {
                return Response::new(200).body(r#"{"token":"good-canary"}"#).last();
            }
            if request.authorization() == Some("Bearer good-canary") {
                return Response::image().last();
            }
            let realm = format!("https://{}/token", request.headers["host"]);
            let challenge = format!("Bearer realm=\"{realm}\"");
            Response::new(401).with("WWW-Authenticate", challenge).last()
        })
        .await;
    let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
    let End::Served { .. } = evidence.anonymous.as_ref().unwrap().end else {
        panic!("{evidence:?}")
    };
}
