//! Registries behind a proxy.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::evidence::{End, Evidence, Failure, NotSent, Role, StepName};
use crate::probe::proxy::Proxies;

use super::{Response, World, anonymous, manifest, names};

const REGISTRY: &str = "registry.shop.test";

/// A proxy on this machine: it connects to the port of this machine that it is asked for, or
/// answers with `refusal`.
async fn proxy(refusal: Option<&'static str>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, refusal));
        }
    });
    port
}

async fn serve(mut stream: TcpStream, refusal: Option<&'static str>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    if let Some(refusal) = refusal {
        return stream.write_all(refusal.as_bytes()).await;
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.strip_prefix("CONNECT registry.shop.test:").unwrap();
    let port: u16 = target.split(' ').next().unwrap().parse().unwrap();
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(&mut stream, &mut server).await.map(drop)
}

fn through(port: u16) -> Proxies {
    through_host(&format!("127.0.0.1:{port}"))
}

fn through_host(host: &str) -> Proxies {
    Proxies::from_variables(|name| {
        matches!(name, "HTTPS_PROXY" | "HTTP_PROXY")
            .then(|| format!("http://someone:hunter2@{host}"))
    })
}

/// What the opening ends with, of which nothing but the proxy is to be blamed.
#[track_caller]
fn failure(evidence: &Evidence, port: u16) -> &Failure {
    assert!(!format!("{evidence:?}").contains("hunter2"), "{evidence:?}");
    match &evidence.opening.end {
        End::Unreachable { hop, failure } => {
            assert_eq!(hop.role, Role::Proxy);
            assert_eq!(hop.host, format!("http://127.0.0.1:{port}"));
            failure
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_registry_is_asked_through_the_proxy() {
    let mut world = World::new().await;
    let registry = world.serve(REGISTRY, |_| manifest()).await;
    let port = proxy(None).await;
    world.settings.proxies = through(port);
    // No resolver of ours knows the name: that is the proxy's business.
    let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
    let steps = names(&evidence.opening);
    assert_eq!(steps[..2], [(StepName::Connect, true), (StepName::Tls, true)], "{evidence:?}");
    let connect = &evidence.opening.steps[0];
    assert_eq!(connect.host.as_deref(), Some(&*format!("http://127.0.0.1:{port}")));
    assert_eq!(connect.detail, format!("127.0.0.1:{port}"));
    assert!(matches!(evidence.opening.end, End::Served { .. }), "{evidence:?}");
}

/// The operator has chosen the proxy, wherever it is; what pods choose is judged nevertheless.
#[tokio::test]
async fn a_proxy_may_have_a_name_that_leads_to_this_machine() {
    let mut world = World::new().await;
    world.settings.allow_loopback = false;
    let registry = world.serve(REGISTRY, |_| manifest()).await;
    let port = proxy(None).await;
    world.zone.has("proxy.shop.test", &["127.0.0.1"]);
    for host in ["proxy.shop.test", "localhost"] {
        world.settings.proxies = through_host(&format!("{host}:{port}"));
        let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
        assert!(matches!(evidence.opening.end, End::Served { .. }), "{evidence:?}");
        let dns = &evidence.opening.steps[0];
        assert_eq!((dns.name, dns.passed), (StepName::Dns, true));
        assert_eq!(dns.host.as_deref(), Some(&*format!("http://{host}:{port}")));
    }
    world.settings.proxies = Proxies::default();
    let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
    let is_forbidden = matches!(&evidence.opening.end, End::NotSent { reason, .. }
        if matches!(reason, NotSent::ForbiddenAddress { .. }));
    assert!(is_forbidden, "{evidence:?}");
}

#[tokio::test]
async fn what_a_proxy_refuses_is_not_the_registrys_failure() {
    let mut world = World::new().await;
    let registry = world.serve(REGISTRY, |_| manifest()).await;
    for (refusal, expected) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", Failure::ProxyLoginWanted),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", Failure::TunnelRefused),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", Failure::TunnelRefused),
    ] {
        let port = proxy(Some(refusal)).await;
        world.settings.proxies = through(port);
        let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
        assert_eq!(*failure(&evidence, port), expected, "{refusal}");
        assert_eq!(names(&evidence.opening), [(StepName::Connect, false)]);
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_not_the_registrys_failure() {
    let mut world = World::new().await;
    let registry = world.serve(REGISTRY, |_| manifest()).await;
    let port = {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        free.local_addr().unwrap().port()
    };
    world.settings.proxies = through(port);
    let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
    assert_eq!(*failure(&evidence, port), Failure::Refused);
}

#[tokio::test]
async fn a_login_that_the_proxy_wants_over_plain_http_is_not_the_registrys() {
    let mut world = World::new().await;
    world.settings.insecure_hosts = vec![REGISTRY.to_owned()];
    let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    let port = proxy(Some(refusal)).await;
    world.settings.proxies = through(port);
    let evidence = world.probe_image(&format!("{REGISTRY}/shop/api:1"), &anonymous()).await;
    assert_eq!(*failure(&evidence, port), Failure::ProxyLoginWanted);
}

/// What is behind the proxy keeps its own failures.
#[tokio::test]
async fn a_certificate_behind_a_proxy_is_the_registrys() {
    let mut world = World::new().await;
    let registry = world.serve("elsewhere.test", |_| Response::new(200)).await;
    world.settings.proxies = through(proxy(None).await);
    let evidence = world.probe(REGISTRY, &registry, &anonymous()).await;
    match &evidence.opening.end {
        End::Unreachable { hop, failure: Failure::Certificate { .. } } => {
            assert_eq!((hop.role, hop.address), (Role::Registry, None));
        }
        other => panic!("{other:?}"),
    }
}
