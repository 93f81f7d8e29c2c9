//! Which credential is tried how, and what comes of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::access::{Gap, Unattached};
use crate::evidence::told::{Repository, Unfit};
use crate::evidence::{End, Role, Scheme, StepName};
use crate::image::ImageRef;

use super::{
    CONTENT, MANIFEST, NOW, Options, PASSWORD, Request, Response, Server, World, access, anonymous,
    credential, image, manifest, names, passed, served, status, with_password,
};

const REGISTRY: &str = "registry.shop.test";

fn basic_header() -> String {
    format!("Basic {}", STANDARD.encode(format!("robot:{PASSWORD}")))
}

fn basic_challenge() -> Response {
    Response::new(401).with("WWW-Authenticate", "Basic realm=\"r\"")
}

/// A registry with Basic that takes one password.
fn basic_registry(request: &Request) -> Response {
    match request.authorization() {
        Some(sent) if sent == basic_header() => manifest(),
        Some(_) => {
            Response::new(401).body(r#"{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}"#)
        }
        None => basic_challenge(),
    }
}

/// A registry whose tokens come from `realm`, which serves the manifest to `good-canary`.
fn bearer_registry(realm: String) -> impl Fn(&Request) -> Response + Send + Sync + 'static {
    move |request| match request.authorization() {
        Some("Bearer good-canary") => manifest(),
        Some(_) => {
            Response::new(401).with("WWW-Authenticate", "Bearer error=\"insufficient_scope\"")
        }
        None => Response::new(401)
            .with("WWW-Authenticate", "Basic realm=\"x\"")
            .with("Www-Authenticate", format!("bEaReR realm=\"{realm}\",service=\"the service\"")),
    }
}

fn token(token: &str) -> Response {
    Response::new(200).body(format!(r#"{{"token":"{token}"}}"#))
}

fn access_token(token: &str) -> Response {
    Response::new(200).body(format!(r#"{{"access_token":"{token}"}}"#))
}

async fn bearer_world(
    tokens: impl Fn(&Request) -> Response + Send + Sync + 'static,
) -> (World, Server, Server) {
    let world = World::new().await;
    let service = world.serve("auth.shop.test", tokens).await;
    let realm = format!("https://auth.shop.test:{}/token?keep=1", service.port());
    let registry = world.serve(REGISTRY, bearer_registry(realm)).await;
    (world, registry, service)
}

#[tokio::test]
async fn an_open_registry_is_asked_once() {
    let world = World::new().await;
    let registry = world.serve(REGISTRY, |_| manifest()).await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    assert_eq!(evidence.opening.end, served());
    let all = [StepName::Dns, StepName::Connect, StepName::Tls, StepName::Challenge];
    let all = [all.as_slice(), &CONTENT].concat();
    assert_eq!(names(&evidence.opening), passed(&all));
    assert!(evidence.opening.steps[2].detail.contains("CN=Test Authority"), "{evidence:?}");
    assert!(evidence.attempts.is_empty() && evidence.anonymous.is_none());
    let seen = registry.seen();
    let digest = image::own_digest();
    let blob = |text| format!("GET /v2/shop/api/blobs/{}", image::digest(text));
    let mut asked = registry.asked();
    asked[2..].sort();
    let mut expected = vec![
        format!("HEAD {MANIFEST}"),
        format!("GET /v2/shop/api/manifests/{digest}"),
        blob(image::CONFIG),
        blob(image::LAYER),
    ];
    expected[2..].sort();
    assert_eq!(asked, expected);
    assert_eq!(seen[0].authorization(), None);
    assert!(seen[0].headers["accept"].ends_with("application/vnd.oci.image.index.v1+json, */*"));
}

#[tokio::test]
async fn basic_credentials_are_tried_in_order() {
    let world = World::new().await;
    let registry = world.serve(REGISTRY, basic_registry).await;
    let wrong = credential("old", "robot", "canary-wrong");
    let right = credential("regcred", "robot", PASSWORD);
    let never = credential("third", "robot", "canary-never");
    let all = access(&[wrong.clone(), right, never]);
    let evidence = world.probe(REGISTRY, &registry, &all).await;
    assert_eq!(evidence.opening.end, End::Challenged { scheme: Scheme::Basic });
    assert_eq!(evidence.attempts.len(), 2);
    assert_eq!(status(&evidence.attempts[0]), 401);
    let End::Answered { step, answer, hop } = &evidence.attempts[0].end else { panic!() };
    assert_eq!((*step, hop.role), (StepName::Manifest, Role::Registry));
    assert_eq!(answer.errors[0].code, "UNAUTHORIZED");
    assert_eq!(evidence.attempts[1].end, served());
    let steps = [&[StepName::Manifest], CONTENT.as_slice()].concat();
    assert_eq!(names(&evidence.attempts[1]), passed(&steps));
    assert_eq!(evidence.anonymous, None);

    let evidence = world.probe(REGISTRY, &registry, &access(&[wrong])).await;
    assert_eq!((evidence.attempts.len(), evidence.anonymous), (1, None));
}

/// What only the pod's service account lists is tried after all else was refused.
#[tokio::test]
async fn an_unattached_secret_is_a_control() {
    let world = World::new().await;
    let registry = world.serve(REGISTRY, basic_registry).await;
    let image = format!("{REGISTRY}:{}/shop/api:1", registry.port());
    let right = credential("regcred", "robot", PASSWORD);
    let wrong = credential("old", "robot", "canary-wrong");
    let listed = |credentials: &[_]| Unattached {
        account: "builder".to_owned(),
        credentials: credentials.to_vec(),
    };
    let both = listed(&[wrong.clone(), right.clone()]);
    let evidence = world.probe_for_pod(&image, &anonymous(), both.clone()).await;
    let gap = Gap::SecretNotAttached {
        secret: "regcred".to_owned(),
        account: "builder".to_owned(),
        serves: true,
    };
    assert_eq!((evidence.gaps, evidence.attempts.len()), (vec![gap], 0));
    let useless = listed(std::slice::from_ref(&wrong));
    let evidence = world.probe_for_pod(&image, &access(&[wrong]), useless).await;
    assert!(evidence.gaps.is_empty(), "{:?}", evidence.gaps);
    let asked = registry.seen().len();
    let evidence = world.probe_for_pod(&image, &access(&[right]), both).await;
    assert!(evidence.gaps.is_empty(), "{:?}", evidence.gaps);
    let all = registry.seen();
    let basic = basic_header();
    let mut sent = all[asked..].iter().filter_map(Request::authorization);
    assert!(sent.all(|sent| sent == basic), "what is served needs no control");
}

#[tokio::test]
async fn half_a_basic_credential_is_not_sent() {
    let world = World::new().await;
    let registry = world.serve(REGISTRY, basic_registry).await;
    for half in [credential("a", "", PASSWORD), credential("b", "canary", "")] {
        let evidence = world.probe(REGISTRY, &registry, &access(&[half])).await;
        assert_eq!(status(&evidence.attempts[0]), 401);
    }
    assert!(registry.seen().iter().all(|seen| seen.authorization().is_none()));
}

#[tokio::test]
async fn a_bearer_token_comes_by_post() {
    let (world, registry, service) = bearer_world(|request| {
        let is_right = request.method == "POST" && request.body.contains("username=robot");
        if is_right { access_token("good-canary") } else { Response::new(500) }
    })
    .await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    assert_eq!(evidence.opening.end, End::Challenged { scheme: Scheme::Bearer });
    assert_eq!(evidence.attempts[0].end, served());
    let way = [StepName::Dns, StepName::Connect, StepName::Tls, StepName::Token];
    let steps = [way.as_slice(), &[StepName::Manifest], &CONTENT].concat();
    assert_eq!(names(&evidence.attempts[0]), passed(&steps));
    let way = &evidence.attempts[0].steps[0];
    assert!(way.host.as_ref().is_some_and(|host| host.starts_with("auth.shop.test:")), "{way:?}");
    assert_eq!(evidence.anonymous, None);
    let form = &service.seen()[0].body;
    assert_eq!(
        *form,
        "client_id=containerd-client&grant_type=password\
         &password=canary-5c8e%2B%2F%25%22pass&scope=repository%3Ashop%2Fapi%3Apull\
         &service=the+service&username=robot"
    );
    assert_eq!(service.asked(), ["POST /token?keep=1"]);
}

#[tokio::test]
async fn a_bearer_token_comes_by_get_where_post_is_unknown() {
    for refusal in [400, 401, 404, 405] {
        let (world, registry, service) = bearer_world(move |request| {
            let is_right = request.authorization() == Some(basic_header().as_str());
            match request.method.as_str() {
                "GET" if is_right => token("good-canary"),
                _ => Response::new(refusal),
            }
        })
        .await;
        let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
        assert_eq!(evidence.attempts[0].end, served(), "{refusal}");
        assert_eq!(
            service.asked()[1],
            "GET /token?keep=1&service=the+service&scope=repository%3Ashop%2Fapi%3Apull"
        );
    }
}

#[tokio::test]
async fn other_refusals_of_the_post_are_final() {
    for refusal in [403, 429, 500] {
        let (world, registry, service) = bearer_world(move |_| Response::new(refusal)).await;
        let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
        assert_eq!(status(&evidence.attempts[0]), refusal);
        let End::Answered { hop, step, .. } = &evidence.attempts[0].end else { panic!() };
        assert_eq!((hop.role, *step), (Role::TokenService, StepName::Token));
        assert_eq!(names(&evidence.attempts[0]).last(), Some(&(StepName::Token, false)));
        let asks = service.asked().iter().filter(|asked| asked.starts_with("POST")).count();
        assert_eq!(asks, 1);
        // A limit is not strained by a control.
        assert_eq!(evidence.anonymous.is_none(), refusal == 429);
    }
}

#[tokio::test]
async fn a_refused_password_is_explained_by_what_anybody_gets() {
    let (world, registry, service) = bearer_world(|request| match request.authorization() {
        None if request.method == "GET" => token("good-canary"),
        _ => Response::new(401).body(r#"{"details":"incorrect username or password"}"#),
    })
    .await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    assert_eq!(status(&evidence.attempts[0]), 401);
    let End::Answered { answer, .. } = &evidence.attempts[0].end else { panic!() };
    assert_eq!(answer.body.as_deref(), Some(r#"{"details":"incorrect username or password"}"#));
    assert_eq!(evidence.anonymous.as_ref().map(|control| &control.end), Some(&served()));
    assert_eq!(service.asked().len(), 3);
}

#[tokio::test]
async fn a_token_without_rights_is_refused_by_the_registry() {
    let (world, registry, _) = bearer_world(|_| access_token("poor-canary")).await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    assert_eq!(status(&evidence.attempts[0]), 401);
    let steps = [(StepName::Token, true), (StepName::Manifest, false)];
    assert!(names(&evidence.attempts[0]).ends_with(&steps));
}

#[tokio::test]
async fn without_a_credential_the_anonymous_token_is_the_pull() {
    let (world, registry, service) = bearer_world(|_| token("good-canary")).await;
    let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
    assert!(evidence.attempts.is_empty());
    let pull = evidence.anonymous.unwrap();
    assert_eq!((pull.credential, pull.end), (None, served()));
    assert!(service.asked()[0].starts_with("GET "));
    assert_eq!(service.seen()[0].authorization(), None);
}

#[tokio::test]
async fn an_answer_without_a_token_is_an_answer() {
    for body in [
        "<html>canary</html>",
        "{}",
        r#"{"token":"canary-of-get"}"#,
        r#"{"access_token":"canary\u0000"}"#,
    ] {
        let (world, registry, _) = bearer_world(move |_| Response::new(200).body(body)).await;
        let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
        assert_eq!(status(&evidence.attempts[0]), 200, "{body}");
        assert!(names(&evidence.attempts[0]).ends_with(&[(StepName::Token, false)]));
    }
}

#[tokio::test]
async fn a_404_says_which_name_is_unknown() {
    for (code, tags, repository) in [
        ("MANIFEST_UNKNOWN", Response::new(200).body(r#"{"tags":["2"]}"#), Repository::Exists),
        (
            "NAME_UNKNOWN",
            Response::new(404).body(r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#),
            Repository::Unknown,
        ),
        // A registry that does not have the route knows nothing of the name either.
        ("NAME_UNKNOWN", Response::new(404), Repository::NotTold { status: 404 }),
        (
            "NAME_UNKNOWN",
            Response::new(200).body(r#"{"tags":null}"#),
            Repository::NotTold { status: 200 },
        ),
        ("X", Response::new(403), Repository::NotTold { status: 403 }),
    ] {
        let world = World::new().await;
        let registry = world
            .serve(REGISTRY, move |request| match request.authorization() {
                None => basic_challenge(),
                Some(_) if request.path().ends_with("/tags/list") => tags.clone(),
                Some(_) => Response::new(404)
                    .with("x-ms-correlation-request-id", "c-1")
                    .body(format!(r#"{{"errors":[{{"code":"{code}","message":"m"}}]}}"#)),
            })
            .await;
        let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
        let End::Answered { answer, .. } = &evidence.attempts[0].end else { panic!() };
        assert_eq!((answer.status, answer.errors[0].code.as_str()), (404, code));
        assert_eq!(answer.correlation.as_deref(), Some("c-1"));
        assert_eq!(evidence.repository, Some(repository));
        assert_eq!(registry.asked().last().unwrap(), "GET /v2/shop/api/tags/list?n=1");
    }
}

#[tokio::test]
async fn a_registry_without_head_is_asked_by_get() {
    let world = World::new().await;
    let registry = world
        .serve(REGISTRY, |request| match request.method.as_str() {
            "HEAD" => Response::new(405),
            _ if request.authorization().is_none() => basic_challenge(),
            _ => manifest(),
        })
        .await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    assert_eq!(evidence.attempts[0].end, served());
}

#[tokio::test]
async fn a_limit_is_not_strained() {
    let world = World::new().await;
    let registry = world.serve(REGISTRY, |_| Response::new(429).with("Retry-After", "60")).await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    let End::Answered { answer, step, .. } = &evidence.opening.end else { panic!() };
    assert_eq!((answer.status, answer.retry_after, *step), (429, Some(60), StepName::Challenge));
    assert_eq!(registry.asked().len(), 2, "repeated once, as containerd does five times");
    assert!(evidence.attempts.is_empty());
}

#[tokio::test]
async fn a_refusal_reads_the_same_before_a_limit_and_after_it() {
    let world = World::new().await;
    let registry = world
        .serve(REGISTRY, |request| match request.method.as_str() {
            "HEAD" if request.path().contains("busy") => Response::new(429),
            "GET" => Response::new(404).body(r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#),
            _ => Response::new(404),
        })
        .await;
    let prober = world.prober();
    let ask = async |repository: &str| {
        let image = format!("{REGISTRY}:{}/{repository}/api:1", registry.port());
        let image = ImageRef::parse(&image).unwrap();
        let options = Options::within(world.timeout, NOW);
        let unattached = Unattached::default();
        let (evidence, _) = prober.probe_for_pod(&image, &anonymous(), unattached, options).await;
        evidence.opening.end
    };
    let before = ask("shop").await;
    let End::Answered { answer, .. } = ask("busy").await else { panic!() };
    assert_eq!(answer.status, 429);
    assert_eq!(ask("shop").await, before);
    let End::Answered { answer, .. } = before else { panic!("{before:?}") };
    assert_eq!(answer.errors[0].code, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn other_answers_and_pages_are_answers() {
    let world = World::new().await;
    let registry = world.serve(REGISTRY, |_| Response::new(503).body("be back soon")).await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    let End::Answered { answer, .. } = &evidence.opening.end else { panic!() };
    assert_eq!((answer.status, answer.body.as_deref()), (503, Some("be back soon")));

    let registry =
        world.serve(REGISTRY, |_| Response::new(200).with("Content-Type", "text/html; x")).await;
    let evidence = world.probe(REGISTRY, &registry, &with_password()).await;
    let End::Unfit { problem, step, .. } = &evidence.opening.end else { panic!() };
    assert_eq!((problem, *step), (&Unfit::WebPage, StepName::Challenge));
}

/// Registries lock accounts after a few wrong passwords.
#[tokio::test]
async fn a_refused_password_is_sent_as_often_as_the_question_needs() {
    let world = World::new().await;
    let registry = world.serve(REGISTRY, basic_registry).await;
    let wrong = credential("old", "robot", "canary-wrong");
    world.probe(REGISTRY, &registry, &access(&[wrong])).await;
    let all = registry.seen();
    let sent = all.iter().filter(|seen| seen.authorization().is_some());
    let sent: Vec<_> = sent.map(|seen| format!("{} {}", seen.method, seen.target)).collect();
    assert_eq!(sent, [format!("HEAD {MANIFEST}"), "GET /v2/".to_owned()]);
}
