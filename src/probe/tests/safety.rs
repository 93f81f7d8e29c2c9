//! Where credentials and questions do not go.

use std::time::Duration;

use url::Url;

use crate::evidence::{End, Failure, NotSent, Role, StepName};
use crate::image::ImageRef;
use crate::probe::Options;
use crate::resolve::hosts::Endpoint;
use crate::secret::Secret;

use super::{
    NOW, Response, Server, World, anonymous, credential, loopback, manifest, names, no_canary,
    served, status, with_password,
};

const REGISTRY: &str = "registry.shop.test";

fn bearer(realm: &str) -> Response {
    Response::new(401).with("WWW-Authenticate", format!("Bearer realm=\"{realm}\""))
}

fn token() -> Response {
    Response::new(200).body(r#"{"token":"good-canary","access_token":"good-canary"}"#)
}

#[tokio::test]
async fn a_foreign_realm_is_not_asked() {
    let mut world = World::new().await;
    let foreign = world.serve("elsewhere.test", |_| token()).await;
    let realm = format!("https://elsewhere.test:{}/token", foreign.port());
    let challenge = realm.clone();
    let registry = world
        .serve(REGISTRY, move |request| match request.authorization() {
            Some("Bearer good-canary") => manifest(),
            _ => bearer(&challenge),
        })
        .await;
    let reason = NotSent::ForeignRealm { realm };
    let not_sent = End::NotSent { host: format!("elsewhere.test:{}", foreign.port()), reason };
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    assert_eq!(evidence.attempts[0].end, not_sent);
    assert_eq!((evidence.attempts[0].steps.len(), evidence.anonymous), (0, None));
    let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
    assert_eq!(evidence.anonymous.unwrap().end, not_sent);
    assert!(foreign.seen().is_empty());

    world.settings.token_hosts = vec!["elsewhere.test".to_owned()];
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    assert_eq!(evidence.attempts[0].end, served());
}

#[tokio::test]
async fn a_realm_without_tls_or_sense_is_not_asked() {
    let world = World::new().await;
    let plain = Server::plain(|_| token()).await;
    let insecure = format!("http://auth.shop.test:{}/token", plain.port());
    for realm in [insecure.clone(), "/token".to_owned(), String::new()] {
        let challenge = realm.clone();
        let registry = world.serve(REGISTRY, move |_| bearer(&challenge)).await;
        let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
        let End::NotSent { reason, .. } = &evidence.attempts[0].end else { panic!() };
        let expected = if realm == insecure {
            NotSent::InsecureRealm { realm }
        } else {
            NotSent::BadRealm { realm }
        };
        assert_eq!(*reason, expected);
    }
    assert!(plain.seen().is_empty());
}

#[tokio::test]
async fn a_password_does_not_follow_a_redirect() {
    let world = World::new().await;
    let target = world.serve("elsewhere.test", |_| manifest()).await;
    let elsewhere = format!("https://elsewhere.test:{}", target.port());
    let registry = world
        .serve(REGISTRY, move |request| match request.authorization() {
            None => Response::new(401).with("WWW-Authenticate", "Basic"),
            Some(_) => match request.target.strip_prefix("/again") {
                Some(path) => {
                    Response::new(302).with("Location", format!("{elsewhere}{path}?sig=canary"))
                }
                None => Response::new(307).with("Location", format!("/again{}", request.target)),
            },
        })
        .await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    assert_eq!(evidence.attempts[0].end, served());
    assert!(target.seen().len() >= 4);
    assert!(target.seen().iter().all(|seen| seen.authorization().is_none()));
    // On the same host it does follow.
    let all = registry.seen();
    let mut again = all.iter().filter(|seen| seen.target.starts_with("/again"));
    assert!(again.all(|seen| seen.authorization().is_some()));
}

#[tokio::test]
async fn a_redirect_that_is_not_followed() {
    let world = World::new().await;
    for location in ["file:///etc/passwd", "/v2/shop/api/manifests/1"] {
        let answer = Response::new(302).with("Location", location);
        let registry = world.serve(REGISTRY, move |_| answer.clone()).await;
        let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
        let End::NotSent { reason: NotSent::BadRedirect { .. }, .. } = evidence.opening.end else {
            panic!("{evidence:?}")
        };
        assert!(registry.seen().len() <= 11);
    }
}

#[tokio::test]
async fn what_a_redirects_target_answers_is_its_own() {
    let world = World::new().await;
    let target = world.serve("elsewhere.test", |_| bearer("https://elsewhere.test/t")).await;
    let location = format!("https://elsewhere.test:{}/m", target.port());
    let registry =
        world.serve(REGISTRY, move |_| Response::new(307).with("Location", location.clone())).await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    assert_eq!(status(&evidence.opening), 401);
    let End::Answered { hop, .. } = &evidence.opening.end else { panic!() };
    assert_eq!(hop.role, Role::RedirectTarget);
    assert!(target.seen().iter().all(|seen| seen.authorization().is_none()));
}

#[tokio::test]
async fn a_form_does_not_follow_a_redirect() {
    let world = World::new().await;
    let foreign = world.serve("elsewhere.test", |_| token()).await;
    let location = format!("https://elsewhere.test:{}/token?x=canary", foreign.port());
    let service = world
        .serve("auth.shop.test", move |_| Response::new(307).with("Location", location.clone()))
        .await;
    let realm = format!("https://auth.shop.test:{}/token", service.port());
    let registry = world.serve(REGISTRY, move |_| bearer(&realm)).await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    let End::NotSent { reason: NotSent::BadRedirect { .. }, .. } = &evidence.attempts[0].end else {
        panic!("{evidence:?}")
    };
    assert!(foreign.seen().is_empty());
}

#[track_caller]
fn is_forbidden(end: &End, address: &str, class: &str) {
    let End::NotSent { reason, .. } = end else { panic!("{end:?}") };
    let expected =
        NotSent::ForbiddenAddress { address: address.parse().unwrap(), class: class.to_owned() };
    assert_eq!(*reason, expected);
}

#[tokio::test]
async fn forbidden_addresses_are_not_asked() {
    let mut world = World::new().await;
    world.settings.allow_loopback = false;
    world.settings.forbidden = vec!["10.0.0.1".parse().unwrap()];
    world.timeout = Duration::from_millis(900);
    let metadata = "a cloud's metadata service";
    world.zone.has("imds.shop.test", &["169.254.169.254"]);
    world.zone.has("api.shop.test", &["10.0.0.1"]);
    let all = with_password();
    for (host, address, class) in [
        ("imds.shop.test", "169.254.169.254", metadata),
        ("169.254.169.254", "169.254.169.254", metadata),
        ("168.63.129.16", "168.63.129.16", metadata),
        ("[fd00:ec2::254]", "fd00:ec2::254", metadata),
        ("[::ffff:a9fe:a9fe]", "::ffff:169.254.169.254", metadata),
        ("169.254.7.7", "169.254.7.7", "link-local"),
        ("0.0.0.0", "0.0.0.0", "unspecified"),
        ("224.0.0.1", "224.0.0.1", "multicast"),
        ("localhost:5000", "127.0.0.1", "loopback"),
        ("127.0.0.1:5000", "127.0.0.1", "loopback"),
        (REGISTRY, "127.0.0.1", "loopback"),
        ("api.shop.test", "10.0.0.1", "forbidden by this controller's settings"),
        ("10.0.0.1:6443", "10.0.0.1", "forbidden by this controller's settings"),
    ] {
        let evidence = world.probe_image(&format!("{host}/shop/api:1"), &all).await;
        is_forbidden(&evidence.opening.end, address, class);
        assert!(evidence.attempts.is_empty());
    }
}

#[tokio::test]
async fn realms_and_redirects_do_not_lead_to_forbidden_addresses() {
    let world = World::new().await;
    world.zone.has("auth.shop.test", &["169.254.169.254"]);
    let registry = world.serve(REGISTRY, |_| bearer("https://auth.shop.test/token")).await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    is_forbidden(&evidence.attempts[0].end, "169.254.169.254", "a cloud's metadata service");
    assert_eq!(names(&evidence.attempts[0]), [(StepName::Dns, false)]);
    for location in ["https://auth.shop.test/x", "https://169.254.169.254/x"] {
        let answer = Response::new(302).with("Location", location);
        let registry = world.serve(REGISTRY, move |_| answer.clone()).await;
        let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
        is_forbidden(&evidence.opening.end, "169.254.169.254", "a cloud's metadata service");
    }
    // One address of several: the others are asked.
    world.zone.has(REGISTRY, &["169.254.169.254", "127.0.0.1"]);
    let registry = world.serve(REGISTRY, |_| manifest()).await;
    let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
    assert_eq!(evidence.opening.end, served());
}

#[tokio::test]
async fn this_machine_and_allowed_hosts_are_asked_in_plain() {
    let mut world = World::new().await;
    let registry = Server::plain(|request| match request.authorization() {
        None => Response::new(401).with("WWW-Authenticate", "Basic"),
        Some(_) => manifest(),
    })
    .await;
    world.settings.insecure_hosts = vec![format!("{REGISTRY}:{}", registry.port())];
    for host in [REGISTRY, "localhost", "127.0.0.1"] {
        let evidence = world.probe(host, &registry, &with_password()).await;
        assert_eq!(evidence.attempts[0].end, served(), "{host}");
        assert!(evidence.opening.steps.iter().all(|step| step.name != StepName::Tls));
    }
    let evidence = world.probe("elsewhere.test", &registry, &with_password()).await;
    let End::Unreachable { failure: Failure::PlainHttp, hop } = &evidence.opening.end else {
        panic!("{evidence:?}")
    };
    assert_eq!(hop.address, Some(loopback()));
}

#[tokio::test]
async fn what_a_server_sends_back_is_not_kept() {
    let world = World::new().await;
    let registry = world
        .serve(REGISTRY, |request| match request.authorization() {
            None => Response::new(401).with("WWW-Authenticate", "Basic"),
            Some(sent) => Response::new(403)
                .with("X-Request-Id", sent)
                .body(format!("you sent {sent} and {}", super::PASSWORD)),
        })
        .await;
    let all = super::access(&[
        credential("a", "robot", super::PASSWORD),
        credential("b", "robot", "canary-of-another"),
    ]);
    let evidence = world.probe(REGISTRY, &registry, &all).await;
    assert_eq!(evidence.attempts.iter().map(status).collect::<Vec<_>>(), [403, 403]);
}

#[tokio::test]
async fn a_challenge_that_nobody_can_answer() {
    let world = World::new().await;
    for (header, schemes) in [(Some("Negotiate"), vec!["Negotiate".to_owned()]), (None, vec![])] {
        let mut answer = Response::new(401);
        if let Some(header) = header {
            answer = answer.with("WWW-Authenticate", header);
        }
        let registry = world.serve(REGISTRY, move |_| answer.clone()).await;
        let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
        let End::NotSent { reason, .. } = &evidence.opening.end else { panic!("{evidence:?}") };
        assert_eq!(*reason, NotSent::UnsupportedChallenge { schemes });
        assert_eq!(registry.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_password_is_not_kept_either_without_its_line_break() {
    let world = World::new().await;
    let registry = world
        .serve(REGISTRY, |request| match request.authorization() {
            None => Response::new(401).with("WWW-Authenticate", "Basic"),
            Some(_) => Response::new(403).body("no login with canary-of-a-file, sorry"),
        })
        .await;
    let all = super::access(&[credential("a", "robot", "canary-of-a-file\n")]);
    let evidence = world.probe(REGISTRY, &registry, &all).await;
    assert_eq!(status(&evidence.attempts[0]), 403);
}

/// The registry as a node's hosts.toml has it.
fn endpoint(scheme: &str, registry: &Server) -> Endpoint {
    let url = format!("{scheme}://{REGISTRY}:{}/v2", registry.port());
    Endpoint {
        url: Some(Url::parse(&url).unwrap()),
        stands_for: None,
        authorities: Vec::new(),
        identity: None,
        skip_verify: false,
        headers: Vec::new(),
        dial_timeout: None,
    }
}

/// Also what a node's hosts.toml sends to the registry without any credential.
#[tokio::test]
async fn a_header_of_the_operator_that_is_sent_back_is_not_kept() {
    let world = World::new().await;
    let registry = world
        .serve(REGISTRY, |request| {
            Response::new(403).body(format!("no entry with {}", request.headers["x-key"]))
        })
        .await;
    let headers = vec![("X-Key".to_owned(), Secret::new("canary-of-a-header"))];
    let endpoints = [Endpoint { headers, ..endpoint("https", &registry) }];
    let image = ImageRef::parse(&format!("{REGISTRY}/shop/api:1")).unwrap();
    let options = Options { endpoints: &endpoints, ..Options::within(world.timeout, NOW) };
    let evidence = world.prober().probe(&image, &anonymous(), options).await;
    assert_eq!(status(&evidence.opening), 403);
    no_canary(&evidence);
}

/// Neither what leads nowhere nor a host is shown with what it takes to get there.
#[tokio::test]
async fn where_a_redirect_leads_is_shown_without_secrets() {
    let world = World::new().await;
    for location in [
        "https://u:canary@elsewhere.test:port/x?sig=canary#canary",
        "//canary@[::/x?sig=canary",
        "ftp://elsewhere.test/x?sig=canary",
        "ftp://elsewhere.test/{sent}/x",
        "https://{sent}.elsewhere.test/x",
    ] {
        let registry = world
            .serve(REGISTRY, move |request| match request.authorization() {
                None => Response::new(401).with("WWW-Authenticate", "Basic"),
                Some(sent) => {
                    let sent = sent.trim_start_matches("Basic ").trim_end_matches('=');
                    Response::new(307).with("Location", location.replace("{sent}", sent))
                }
            })
            .await;
        let all = super::access(&[credential("a", "robot", "canary-pass")]);
        let evidence = world.probe(REGISTRY, &registry, &all).await;
        let End::NotSent { reason: NotSent::BadRedirect { location }, .. } =
            &evidence.attempts[0].end
        else {
            panic!("{evidence:?}")
        };
        let is_shown = location.contains("elsewhere.test") || location.contains("[::");
        assert!(is_shown && !location.contains("Y2FuYX"), "{location}");
    }
}

#[tokio::test]
async fn the_headers_that_are_kept_are_kept_without_secrets() {
    let world = World::new().await;
    let registry = world
        .serve(REGISTRY, |request| match request.authorization() {
            None => Response::new(401).with("WWW-Authenticate", "Basic"),
            Some(_) => Response::new(200)
                .with("Content-Type", "application/canary-of-headers")
                .with("Docker-Content-Digest", "canary-of-headers")
                .with("X-Ms-Correlation-Request-Id", "canary%2Dof%2dheaders")
                .with("RateLimit-Limit", "100;w=21600")
                .with("RateLimit-Remaining", "90;w=21600")
                .with("Docker-RateLimit-Source", "canary-of-headers"),
        })
        .await;
    let all = super::access(&[credential("a", "robot", "canary-of-headers")]);
    let evidence = world.probe(REGISTRY, &registry, &all).await;
    assert_eq!(evidence.limit.unwrap().source.as_deref(), Some("****"));
    assert!(matches!(evidence.attempts[0].end, End::Unfit { .. }));
}

#[tokio::test]
async fn a_password_goes_over_no_plain_http_that_is_not_allowed() {
    let mut world = World::new().await;
    let registry = Server::plain(|request| match request.authorization() {
        None => Response::new(401).with("WWW-Authenticate", "Basic"),
        Some(_) => manifest(),
    })
    .await;
    let endpoints = [endpoint("http", &registry)];
    let image = ImageRef::parse(&format!("{REGISTRY}:{}/shop/api:1", registry.port())).unwrap();
    let options = Options { endpoints: &endpoints, ..Options::within(world.timeout, NOW) };
    let evidence = world.prober().probe(&image, &with_password(), options).await;
    let End::NotSent { reason, .. } = &evidence.attempts[0].end else { panic!("{evidence:?}") };
    assert_eq!(*reason, NotSent::NotEncrypted);
    assert!(registry.seen().iter().all(|seen| seen.authorization().is_none()));

    world.settings.insecure_hosts = vec![REGISTRY.to_owned()];
    let evidence = world.prober().probe(&image, &with_password(), options).await;
    assert_eq!(evidence.attempts[0].end, served());
}
