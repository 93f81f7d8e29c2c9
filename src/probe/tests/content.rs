//! What is behind a manifest: indexes, configurations, layers, and the hosts that serve them.

use crate::evidence::told::{Grant, PullLimit, Unfit};
use crate::evidence::{Answer, End, Evidence, Failure, Role, Scheme, StepName};
use crate::image::platform::Platform;

use super::image::{self, CONFIG, LAYER, blob_of, digest, document, manifest_of};
use super::server::{Request, Response, Server};
use super::{World, anonymous, manifest, served, with_password};

const REGISTRY: &str = "registry.shop.test";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The opening's end at a registry that anybody may pull from and that answers so.
async fn end_at(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> End {
    let mut world = World::new().await;
    world.platform = Platform::parse("linux/amd64");
    let registry = world.serve(REGISTRY, answer).await;
    world.probe(REGISTRY, &registry, &anonymous()).await.opening.end
}

#[track_caller]
fn unfit(end: &End) -> (&Unfit, StepName) {
    match end {
        End::Unfit { problem, step, .. } => (problem, *step),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn not_an_image(end: &End) -> &str {
    match unfit(end) {
        (Unfit::NotAnImage { what, .. }, _) => what,
        other => panic!("{other:?}"),
    }
}

/// An index of the image for these platforms.
fn index(platforms: &[&str]) -> String {
    let children: Vec<_> = platforms
        .iter()
        .map(|platform| {
            serde_json::json!({
                "mediaType": image::MANIFEST_TYPE,
                "digest": image::own_digest(),
                "size": image::MANIFEST.len(),
                "platform": Platform::parse(platform),
            })
        })
        .collect();
    serde_json::json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).to_string()
}

fn with_index(platforms: &[&str]) -> impl Fn(&Request) -> Response + Send + Sync + 'static {
    let index = index(platforms);
    move |request| {
        if request.path().ends_with("/manifests/1") || request.path().ends_with(&digest(&index)) {
            document(INDEX, &index)
        } else {
            manifest()
        }
    }
}

#[tokio::test]
async fn an_index_leads_to_the_nodes_platform() {
    let mut world = World::new().await;
    world.platform = Platform::parse("linux/amd64");
    let registry = world.serve(REGISTRY, with_index(&["linux/arm64", "linux/amd64"])).await;
    let opening = world.probe(REGISTRY, &registry, &anonymous()).await.opening;
    let index = digest(&index(&["linux/arm64", "linux/amd64"]));
    let platform = Platform::parse("linux/amd64");
    assert_eq!(opening.end, End::Served { digest: Some(index), platform });
    let step = opening.steps.iter().find(|step| step.name == StepName::Platform).unwrap();
    assert_eq!(step.detail, format!("linux/amd64, {}", image::own_digest()));
}

#[tokio::test]
async fn an_index_without_the_nodes_platform_says_what_it_has() {
    for offered in [vec!["linux/arm64", "windows/amd64"], vec![]] {
        let end = end_at(with_index(&offered)).await;
        let wanted = Platform::parse("linux/amd64");
        let offered = offered.iter().map(|name| (*name).to_owned()).collect();
        let expected = Unfit::OtherPlatform { wanted, offered };
        assert_eq!(unfit(&end), (&expected, StepName::Platform));
    }
}

#[tokio::test]
async fn a_child_that_is_gone() {
    let index = with_index(&["linux/amd64"]);
    let end = end_at(move |request| {
        if request.path().ends_with(&image::own_digest()) {
            Response::new(404).body(r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#)
        } else {
            index(request)
        }
    })
    .await;
    let End::Answered { step, answer, .. } = &end else { panic!("{end:?}") };
    assert_eq!((*step, answer.status), (StepName::Platform, 404));
}

/// The image with another answer for one of its blobs.
fn with_blob(
    text: &'static str,
    answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
) -> impl Fn(&Request) -> Response + Send + Sync + 'static {
    let path = format!("/blobs/{}", digest(text));
    move |request| if request.path().ends_with(&path) { answer(request) } else { manifest() }
}

#[tokio::test]
async fn blobs_that_are_gone() {
    for (blob, expected) in [(CONFIG, StepName::Config), (LAYER, StepName::Layer)] {
        let end = end_at(with_blob(blob, |_| Response::new(404))).await;
        let End::Answered { hop, step, answer } = &end else { panic!("{end:?}") };
        assert_eq!((hop.role, *step, answer.status), (Role::Registry, expected, 404));
    }
}

#[tokio::test]
async fn blobs_that_are_other_than_promised() {
    let other = CONFIG.replace("amd64", "arm64");
    let end = end_at(with_blob(CONFIG, move |_| Response::new(200).body(&*other))).await;
    let (Unfit::Corrupted { promised, .. }, StepName::Config) = unfit(&end) else { panic!() };
    assert_eq!(*promised, digest(CONFIG));
    for (answer, bytes) in
        [(Response::new(200), "0 bytes"), (Response::new(200).body("x"), "1 bytes")]
    {
        let end = end_at(with_blob(LAYER, move |_| answer.clone())).await;
        let promised = format!("{} bytes", LAYER.len());
        let expected = Unfit::Corrupted { promised, seen: bytes.to_owned() };
        assert_eq!(unfit(&end), (&expected, StepName::Layer));
    }
}

#[tokio::test]
async fn a_host_that_knows_no_ranges_serves_all_the_same() {
    let end = end_at(with_blob(LAYER, |_| Response::new(200).body(LAYER))).await;
    assert_eq!(end, served());
    let end = end_at(with_blob(LAYER, |request| {
        if request.headers.contains_key("range") {
            Response::new(416)
        } else {
            Response::new(200).body(LAYER)
        }
    }))
    .await;
    assert_eq!(end, served());
}

/// An image of these parts.
fn of_parts(
    config: &'static str,
    layer: &'static str,
    change: fn(String) -> String,
) -> impl Fn(&Request) -> Response + Send + Sync + 'static {
    let manifest = change(manifest_of(config, layer));
    move |request| match request.path().rsplit_once("/blobs/") {
        Some((_, blob)) if blob == digest(config) => blob_of(request, config),
        Some(_) => blob_of(request, layer),
        None => document(image::MANIFEST_TYPE, &manifest),
    }
}

#[tokio::test]
async fn what_is_no_image_is_told() {
    let chart = of_parts(r#"{"name":"chart"}"#, LAYER, |manifest| {
        manifest
            .replace("vnd.oci.image.config.v1+json", "vnd.cncf.helm.config.v1+json")
            .replace("vnd.oci.image.layer.v1.tar+gzip", "vnd.cncf.helm.chart.content.v1.tar+gzip")
    });
    let end = end_at(chart).await;
    assert!(not_an_image(&end).contains("vnd.cncf.helm.config.v1+json"), "{end:?}");
    let end =
        end_at(of_parts(r#"{"os":"linux","rootfs":{"diff_ids":["a","b"]}}"#, LAYER, |all| all))
            .await;
    assert!(not_an_image(&end).contains("knows 2 layers"), "{end:?}");
    let old = "application/vnd.docker.distribution.manifest.v1+json";
    let end = end_at(move |_| document(old, "{}")).await;
    assert!(not_an_image(&end).contains("schema 1"), "{end:?}");
    let end = end_at(|_| document("application/octet-stream", "{}")).await;
    assert!(not_an_image(&end).contains("application/octet-stream"), "{end:?}");
    let end = end_at(|_| document(image::MANIFEST_TYPE, "not JSON")).await;
    assert!(not_an_image(&end).contains("no manifest"), "{end:?}");
}

#[tokio::test]
async fn a_single_image_of_another_platform_is_served() {
    let arm = r#"{"architecture":"arm64","os":"linux","rootfs":{"diff_ids":["a"]}}"#;
    let end = end_at(of_parts(arm, LAYER, |all| all)).await;
    let End::Served { platform, .. } = &end else { panic!("{end:?}") };
    assert_eq!(*platform, Platform::parse("linux/arm64"));
}

/// A registry that keeps its blobs at `host`, and what came of a probe of it.
async fn with_data_host(world: &World, scheme: &str, host: &str, port: u16) -> (Evidence, Server) {
    let base = format!("{scheme}://{host}:{port}");
    let registry = world
        .serve(REGISTRY, move |request| match (request.authorization(), request.path()) {
            (None, _) => Response::new(401).with("WWW-Authenticate", "Basic"),
            (_, path) if path.contains("/blobs/") => {
                Response::new(307).with("Location", format!("{base}{path}?sig=canary"))
            }
            _ => manifest(),
        })
        .await;
    (world.probe(REGISTRY, &registry, &with_password()).await, registry)
}

#[tokio::test]
async fn a_data_host_gets_no_credential() {
    let world = World::new().await;
    let (tls, plain) =
        (world.serve("elsewhere.test", |_| manifest()).await, Server::plain(|_| manifest()).await);
    for (scheme, data) in [("https", tls), ("http", plain)] {
        let (evidence, _) = with_data_host(&world, scheme, "elsewhere.test", data.port()).await;
        assert_eq!(evidence.attempts[0].end, served(), "{scheme}");
        assert!(data.seen().len() >= 2);
        assert!(data.seen().iter().all(|seen| seen.authorization().is_none()));
        let steps = &evidence.attempts[0].steps;
        let dns = steps.iter().find(|step| step.name == StepName::Dns).unwrap();
        assert_eq!(dns.host, Some(format!("elsewhere.test:{}", data.port())));
    }
}

#[tokio::test]
async fn a_data_host_that_cannot_be_reached() {
    let world = World::new().await;
    let (evidence, _) = with_data_host(&world, "https", "gone.shop.test", 443).await;
    let End::Unreachable { hop, failure } = &evidence.attempts[0].end else { panic!() };
    assert_eq!((hop.role, hop.host.as_str()), (Role::DataHost, "gone.shop.test"));
    assert!(matches!(failure, Failure::NameNotFound { .. }), "{failure:?}");
}

#[tokio::test]
async fn a_data_host_that_refuses() {
    let world = World::new().await;
    let data = world.serve("elsewhere.test", |_| Response::new(403).body("denied")).await;
    let (evidence, _) = with_data_host(&world, "https", "elsewhere.test", data.port()).await;
    let End::Answered { hop, step, answer } = &evidence.attempts[0].end else { panic!() };
    assert_eq!((hop.role, *step), (Role::DataHost, StepName::Config));
    let expected = Answer { status: 403, body: Some("denied".to_owned()), ..Answer::default() };
    assert_eq!(*answer, expected);
}

#[tokio::test]
async fn other_layers_are_asked_for_and_a_refused_head_is_asked_again() {
    let second = "another layer";
    let config = r#"{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":["a","b"]}}"#;
    let mut document_: serde_json::Value =
        serde_json::from_str(&manifest_of(config, LAYER)).unwrap();
    let mut layer = document_["layers"][0].clone();
    layer["digest"] = digest(second).into();
    layer["size"] = second.len().into();
    document_["layers"].as_array_mut().unwrap().push(layer);
    let whole = document_.to_string();
    for (is_there, expected) in [(true, 0), (false, 404)] {
        let (whole, world) = (whole.clone(), World::new().await);
        let registry = world
            .serve(REGISTRY, move |request| match request.path().rsplit_once("/blobs/") {
                Some((_, blob)) if blob == digest(config) => blob_of(request, config),
                Some((_, blob)) if blob == digest(LAYER) => blob_of(request, LAYER),
                // A signature is good for one method only.
                Some(_) if request.method == "HEAD" => Response::new(403),
                Some(_) if is_there => blob_of(request, second),
                Some(_) => Response::new(404),
                None => document(image::MANIFEST_TYPE, &whole),
            })
            .await;
        let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
        let status = match &evidence.opening.end {
            End::Served { .. } => 0,
            End::Answered { step: StepName::Layer, answer, .. } => answer.status,
            other => panic!("{other:?}"),
        };
        assert_eq!(status, expected);
    }
}

#[tokio::test]
async fn a_challenge_for_a_blob_is_answered() {
    let world = World::new().await;
    let registry = world
        .serve(REGISTRY, |request| match (request.authorization(), request.path()) {
            (None, path) if path.contains("/blobs/") => {
                Response::new(401).with("WWW-Authenticate", "Basic")
            }
            _ => manifest(),
        })
        .await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    assert_eq!(evidence.opening.end, End::Challenged { scheme: Scheme::Basic });
    assert_eq!(evidence.attempts[0].end, served());
}

#[tokio::test]
async fn a_good_credential_is_told_from_a_refused_image() {
    for front_door in [200, 401] {
        let world = World::new().await;
        let registry = world
            .serve(REGISTRY, move |request| match (request.authorization(), request.path()) {
                (Some(_), "/v2/") => Response::new(front_door),
                _ => Response::new(401).with("WWW-Authenticate", "Basic"),
            })
            .await;
        let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
        assert_eq!(evidence.attempts[0].login, Some(front_door));
    }
}

#[tokio::test]
async fn what_a_token_grants_is_kept_and_the_token_is_not() {
    // {"access":[{"type":"repository","name":"shop/api","actions":["push"]}]}
    let claims = "eyJhY2Nlc3MiOlt7InR5cGUiOiJyZXBvc2l0b3J5IiwibmFtZSI6InNob3AvYXBpIiwiYWN0aW9ucyI6WyJwdXNoIl19XX0";
    let world = World::new().await;
    let token = format!(r#"{{"access_token":"eyJcanary.{claims}.canary"}}"#);
    let service = world.serve("auth.shop.test", move |_| Response::new(200).body(&*token)).await;
    let realm = format!("Bearer realm=\"https://auth.shop.test:{}/t\"", service.port());
    let registry =
        world.serve(REGISTRY, move |_| Response::new(401).with("WWW-Authenticate", &*realm)).await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    let expected = Grant { actions: vec!["push".to_owned()], has_others: false };
    assert_eq!(evidence.attempts[0].grant, Some(expected));
}

#[tokio::test]
async fn a_limit_that_is_stated_is_kept_and_a_date_is_counted() {
    let world = World::new().await;
    let registry = world
        .serve(REGISTRY, |request| {
            let limited = |response: Response| {
                response
                    .with("ratelimit-limit", "100;w=21600")
                    .with("ratelimit-remaining", "76;w=21600")
                    .with("docker-ratelimit-source", "192.0.2.7")
            };
            if request.path().contains("/blobs/") {
                return image::serve(request);
            }
            limited(document(image::MANIFEST_TYPE, &image::MANIFEST))
        })
        .await;
    let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
    let expected = PullLimit {
        limit: 100,
        remaining: 76,
        window: Some(21_600),
        source: Some("192.0.2.7".to_owned()),
    };
    assert_eq!(evidence.limit, Some(expected));

    let end = end_at(|_| {
        Response::new(429)
            .with("Date", "Wed, 25 Nov 2026 10:00:00 GMT")
            .with("Retry-After", "Wed, 25 Nov 2026 10:02:30 GMT")
    })
    .await;
    let End::Answered { answer, .. } = &end else { panic!("{end:?}") };
    assert_eq!(answer.retry_after, Some(150));
}

#[tokio::test]
async fn a_password_that_is_a_token_says_until_when() {
    // {"exp":1700000000} and {"exp":1700000001}
    for (claims, is_over) in
        [("eyJleHAiOjE3MDAwMDAwMDB9", true), ("eyJleHAiOjE3MDAwMDAwMDF9", false)]
    {
        let world = World::new().await;
        let registry =
            world.serve(REGISTRY, |_| Response::new(401).with("WWW-Authenticate", "Basic")).await;
        let password = format!("eyJcanary.{claims}.canary");
        let access = super::access(&[super::credential("regcred", "robot", &password)]);
        let evidence = world.probe(REGISTRY, &registry, &access).await;
        let lifetime = evidence.attempts[0].lifetime.as_ref().unwrap();
        assert_eq!(lifetime.is_over, is_over);
        assert!(lifetime.until.starts_with("2023-11-14T22:13:2"), "{lifetime:?}");
    }
}

#[tokio::test]
async fn a_digest_that_is_asked_for_is_what_the_bytes_must_have() {
    let world = World::new().await;
    let registry = world
        .serve(REGISTRY, |request| {
            let bare = Response::new(200).with("Content-Type", image::MANIFEST_TYPE);
            let is_blob = request.path().contains("/blobs/");
            if is_blob { manifest() } else { bare.body(&**image::MANIFEST) }
        })
        .await;
    for (asked, is_right) in [(image::own_digest(), true), (digest("another"), false)] {
        let name = format!("{REGISTRY}:{}/shop/api@{asked}", registry.port());
        let end = world.probe_image(&name, &anonymous()).await.opening.end;
        let is_corrupted = matches!(&end, End::Unfit { problem: Unfit::Corrupted { promised, .. }, .. }
                if *promised == asked);
        assert_eq!((is_right, is_corrupted), (end == served(), !is_right), "{end:?}");
    }
}
