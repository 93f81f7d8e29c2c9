use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::net::TcpListener as AsyncListener;

use super::*;
use crate::admission::certificate::Material;

const NAME: &str = "registrycheck-webhook.registrycheck.svc";

/// What serves with a certificate of its own, and how it is reached.
struct Webhook {
    client: reqwest::Client,
    url: String,
    certificates: watch::Sender<Option<Arc<ServerConfig>>>,
    address: std::net::SocketAddr,
}

fn material() -> Material {
    let _other = rustls::crypto::ring::default_provider().install_default();
    let now = "2026-11-26T12:00:00Z".parse().unwrap();
    Material::make(NAME, "", now).unwrap()
}

fn client(trusted: &Material, address: std::net::SocketAddr) -> reqwest::Client {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    for der in rustls::pki_types::CertificateDer::pem_slice_iter(trusted.authorities.as_bytes()) {
        roots.add(der.unwrap()).unwrap();
    }
    let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .resolve(NAME, address)
        .build()
        .unwrap()
}

/// Serves; the API server at `api` is asked for pull secrets.
fn serve_with(api: std::net::SocketAddr) -> Webhook {
    let material = material();
    let config = kube::Config::new(format!("http://{api}").parse().unwrap());
    let known = Known::without_checks(kube::Client::try_from(config).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (certificates, receiver) = watch::channel(None);
    tokio::spawn(serve(listener, material.server().unwrap(), receiver, Arc::new(known)));
    let url = format!("https://{NAME}:{}/warn", address.port());
    Webhook { client: client(&material, address), url, certificates, address }
}

/// An API server that refuses connections.
async fn serve_alone() -> Webhook {
    let address = AsyncListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    serve_with(address)
}

fn review(image: &str, secrets: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "name": "api", "namespace": "shop", "operation": "CREATE",
            "userInfo": {}, "dryRun": false,
            "object": {
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "api"},
                "spec": {"containers": [{"name": "c", "image": image}], "imagePullSecrets": secrets},
            },
        },
    })
}

async fn post(webhook: &Webhook, body: impl Into<reqwest::Body>) -> (u16, String) {
    let request = webhook.client.post(&webhook.url).header("Content-Type", "application/json");
    let answer = request.body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_review_is_answered_with_its_own_uid_and_allowed() {
    let webhook = serve_alone().await;
    let body = review("shop.azureacr.io/api:1", &json!([])).to_string();
    let (status, answer) = post(&webhook, body).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, &answer["kind"]), (200, &json!("AdmissionReview")));
    let response = &answer["response"];
    assert_eq!(response["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
    assert_eq!(response["allowed"], true);
    let expected = ["RegistryNameSuspicious: shop.azureacr.io, did you mean shop.azurecr.io"];
    assert_eq!(response["warnings"], json!(expected));
}

/// Where the pull secrets cannot be read, and where the API server is silent, the rest is told.
#[tokio::test]
async fn an_answer_waits_for_nothing_that_does_not_come() {
    let silent = AsyncListener::bind("127.0.0.1:0").await.unwrap();
    for webhook in [serve_alone().await, serve_with(silent.local_addr().unwrap())] {
        let secrets = json!([{"name": "regcred"}]);
        let (status, answer) = post(&webhook, review("quey.io/a:1", &secrets).to_string()).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer.contains("quey.io, did you mean quay.io"), "{answer}");
    }
}

#[tokio::test]
async fn what_is_no_review_is_told_so() {
    let webhook = serve_alone().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let no_request = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"});
    for body in ["", "no json", "{}", "[]", &deep, &no_request.to_string()] {
        let (status, answer) = post(&webhook, body.to_owned()).await;
        assert_eq!(status, 400);
        assert!(answer.starts_with("this "), "{answer}");
    }
    for body in [r#"{"request": "canary"}"#, r#"{"request": {"uid": ["canary"]}}"#, "canary"] {
        let (status, answer) = post(&webhook, body.to_owned()).await;
        assert!(status == 400 && !answer.contains("canary"), "{answer}");
    }
    let (status, _) = post(&webhook, vec![b' '; BODY_MAX + 1]).await;
    assert_eq!(status, 413);
    // An object that is nothing we know is allowed all the same.
    let mut other = review("r.test/a:1", &json!([]));
    for (pointer, value) in BTreeMap::from([
        ("/request/object/spec/containers", json!("none")),
        ("/request/kind/kind", json!("ConfigMap")),
    ]) {
        *other.pointer_mut(pointer).unwrap() = value;
        let (status, answer) = post(&webhook, other.to_string()).await;
        assert!(status == 200 && answer.contains("\"allowed\":true"), "{answer}");
    }
}

/// However many announce a body that never comes, the next one is answered.
#[tokio::test]
async fn a_body_that_never_comes_holds_up_no_other() {
    let webhook = serve_alone().await;
    let hanging: Vec<_> = (0..100)
        .map(|_| {
            let request = webhook.client.post(&webhook.url);
            tokio::spawn(request.body(reqwest::Body::wrap(Endless)).send())
        })
        .collect();
    let body = review("r.test/a:1", &json!([])).to_string();
    for _ in 0..10 {
        assert_eq!(post(&webhook, body.clone()).await.0, 200);
    }
    for hanging in hanging {
        assert_eq!(hanging.await.unwrap().unwrap().status().as_u16(), 408);
    }
}

/// A body that begins, and of which nothing more comes.
struct Endless;

impl hyper::body::Body for Endless {
    type Data = axum::body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _task: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

/// The room is given back, also by who is refused.
#[tokio::test]
async fn all_reviews_together_have_their_bound() {
    let room = Semaphore::new(10);
    let large = || Body::from(vec![b' '; 8]);
    let first = collect(large(), &room).await.unwrap();
    assert_eq!((first.0.len(), room.available_permits()), (8, 2));
    let refused = collect(large(), &room).await.map(|(body, _)| body);
    assert_eq!(refused, Err(StatusCode::SERVICE_UNAVAILABLE));
    drop(first);
    assert!(collect(large(), &room).await.is_ok());
    assert_eq!(room.available_permits(), 10);
}

/// A connection that says nothing holds up no other, and a new certificate is shown at once.
#[tokio::test]
async fn a_new_certificate_is_shown_to_the_next() {
    let webhook = serve_alone().await;
    let _mute = tokio::net::TcpStream::connect(webhook.address).await.unwrap();
    let body = review("r.test/a:1", &json!([])).to_string();
    assert_eq!(post(&webhook, body.clone()).await.0, 200);
    let next = material();
    webhook.certificates.send(Some(next.server().unwrap())).unwrap();
    let trusting = Webhook { client: client(&next, webhook.address), ..webhook };
    let mut answered = false;
    for _ in 0..100 {
        let request =
            trusting.client.post(&trusting.url).header("Content-Type", "application/json");
        answered = request.body(body.clone()).send().await.is_ok();
        if answered {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(answered, "whoever trusts the new authority is answered");
}
