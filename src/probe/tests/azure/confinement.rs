//! Which secret goes where: every host that is met writes down what it is sent, whatever the
//! others do to lure secrets away.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::access::azure::{PROVIDER, Principal, Selector};
use crate::access::{Access, Credential, NodeSource, Provenance};
use crate::image::ImageRef;
use crate::probe::Options;
use crate::resolve::hosts::Endpoint;

use super::super::{NOW, no_canary};
use super::{
    Azure, ENTRA, HOST, IDENTITY, Request, Response, Server, credential, entra, metadata, registry,
    service_principal, workload,
};

/// Another tenant's registry.
const OTHER: &str = "other.azurecr.io";
/// Whoever it is.
const FOREIGN: &str = "elsewhere.test";
/// A name that begins as the registry's.
const LOOKALIKE: &str = "shop.azurecr.io.example.test";
/// Where the registry has its blobs.
const DATA: &str = "shop.westeurope.data.azurecr.io";
/// Somebody who wants a password.
const BASIC: &str = "registry.shop.test";
/// The metadata service.
const METADATA: &str = "127.0.0.1";

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lure {
    Nothing,
    /// The challenge names a token service of this host.
    Realm(&'static str),
    /// The challenge's realm has a user.
    RealmWithUser,
    /// The challenge's realm is not behind TLS.
    PlainRealm,
    /// Questions for this path are redirected to that host; those for content once they have a
    /// credential.
    Redirect(&'static str, &'static str),
    /// The image names a registry that only looks like one.
    LookAlike,
    /// The registry's name leads to another tenant.
    Alias,
    /// The node asks this host in the registry's place.
    Replaced(&'static str),
    /// The node asks a mirror before the registry.
    Mirrored,
    /// The node takes any certificate for the registry's.
    Unverified,
}

/// The kinds of secrets, and the hosts to which they went.
type Went = BTreeMap<&'static str, BTreeSet<&'static str>>;

const KINDS: [&str; 7] = ["aad", "arm", "refresh", "access", "secret", "assertion", "password"];

/// Probes with the lure, and says which secret went where.
async fn went(lure: Lure, principal: Principal, access: Access) -> Went {
    let mut azure = Azure::new().await;
    azure.act_as(principal);
    let mut servers = Vec::new();
    for name in [OTHER, FOREIGN, LOOKALIKE, DATA] {
        azure.world.zone.has(name, &["127.0.0.1"]);
        // It plays a registry, and takes whatever it gets.
        servers.push((name, azure.world.serve(name, registry).await));
    }
    let basic = |request: &Request| match request.authorization() {
        None => Response::new(401).with("WWW-Authenticate", "Basic"),
        Some(_) => Response::image(),
    };
    servers.push((BASIC, azure.world.serve(BASIC, basic).await));
    let at = |host: &str| {
        let (_, server) = servers.iter().find(|(name, _)| *name == host).unwrap();
        format!("{host}:{}", server.port())
    };
    let target = match lure {
        Lure::Redirect(_, host) | Lure::Realm(host) => at(host),
        _ => String::new(),
    };
    let redirect = {
        let target = target.clone();
        move |request: &Request| match lure {
            Lure::Redirect(path, _) if is_meant(request, path) => {
                let location = format!("https://{target}{}", request.target);
                Some(Response::new(307).with("Location", location))
            }
            _ => None,
        }
    };
    let redirected = redirect.clone();
    let metadata =
        Server::plain(move |request| redirected(request).unwrap_or_else(|| metadata(request)));
    servers.push((METADATA, metadata.await));
    let redirected = redirect.clone();
    let entra = move |request: &Request| redirected(request).unwrap_or_else(|| entra(request));
    servers.push((ENTRA, azure.world.serve(ENTRA, entra).await));
    let own = move |request: &Request| {
        let host = &request.headers["host"];
        let realm = match lure {
            Lure::Realm(_) => format!("https://{target}/oauth2/token"),
            Lure::RealmWithUser => format!("https://{HOST}@{host}/oauth2/token"),
            Lure::PlainRealm => format!("http://{host}/oauth2/token"),
            _ => format!("https://{host}/oauth2/token"),
        };
        let header = format!(r#"Bearer realm="{realm}",service="{HOST}""#);
        let is_asked = request.path().starts_with("/v2/") && request.authorization().is_none();
        match redirect(request) {
            Some(response) => response,
            None if is_asked => Response::new(401).with("WWW-Authenticate", header),
            None => registry(request),
        }
    };
    servers.push((HOST, azure.world.serve(HOST, own).await));
    let port = |host: &str| servers.iter().find(|(name, _)| *name == host).unwrap().1.port();
    azure.login.cloud.metadata = format!("http://{METADATA}:{}", port(METADATA));
    azure.login.cloud.authority = format!("https://{ENTRA}:{}", port(ENTRA));
    if lure == Lure::Alias {
        azure.world.zone.is_alias(HOST, OTHER);
    }
    let (host, served_by) = match lure {
        Lure::LookAlike => (LOOKALIKE, LOOKALIKE),
        Lure::Alias => (HOST, OTHER),
        _ => (HOST, HOST),
    };
    let image = ImageRef::parse(&format!("{host}:{}/shop/api:1", port(served_by))).unwrap();
    let instead = match lure {
        Lure::Replaced(host) => host,
        Lure::Unverified => HOST,
        _ => FOREIGN,
    };
    let endpoints = endpoints(lure, &format!("{instead}:{}", port(instead)));
    let options = Options { endpoints: &endpoints, ..Options::within(azure.world.timeout, NOW) };
    let access = Access { azure: Some(azure.login.clone()), ..access };
    let evidence = azure.world.prober().probe(&image, &access, options).await;
    no_canary(&evidence);
    let mut went = Went::new();
    for (host, server) in &servers {
        for kind in server.seen().iter().flat_map(carried) {
            went.entry(kind).or_default().insert(*host);
        }
    }
    went
}

fn is_meant(request: &Request, path: &str) -> bool {
    let is_content = request.path().contains(path) && request.authorization().is_some();
    request.path() == path || (path.ends_with("s/") && is_content)
}

fn endpoints(lure: Lure, elsewhere: &str) -> Vec<Endpoint> {
    let endpoint = |url: Option<String>, stands_for: Option<&str>| Endpoint {
        url: url.map(|url| Url::parse(&url).unwrap()),
        stands_for: stands_for.map(str::to_owned),
        authorities: Vec::new(),
        identity: None,
        skip_verify: lure == Lure::Unverified,
        headers: Vec::new(),
        dial_timeout: None,
    };
    let url = Some(format!("https://{elsewhere}/v2"));
    match lure {
        Lure::Replaced(_) | Lure::Unverified => vec![endpoint(url, None)],
        Lure::Mirrored => vec![endpoint(url, Some(HOST)), endpoint(None, None)],
        _ => Vec::new(),
    }
}

/// The secrets that a request has with it, wherever they are.
fn carried(request: &Request) -> Vec<&'static str> {
    let mut text = format!("{request:?}");
    if let Some(basic) = request.authorization().and_then(|sent| sent.strip_prefix("Basic ")) {
        text.push_str(&String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap());
    }
    KINDS.into_iter().filter(|kind| text.contains(&format!("canary-{kind}"))).collect()
}

fn managed() -> Principal {
    Principal::Managed(Selector::ClientId(IDENTITY.to_owned()))
}

#[track_caller]
fn are(went: &Went, expected: &[(&'static str, &[&'static str])], of: &str) {
    let expected: Went =
        expected.iter().map(|(kind, hosts)| (*kind, hosts.iter().copied().collect())).collect();
    assert_eq!(*went, expected, "{of}");
}

#[tokio::test]
async fn the_tokens_of_an_identity_go_to_its_registry_alone() {
    let all: &[(&str, &[&str])] =
        &[("aad", &[HOST]), ("arm", &[HOST]), ("refresh", &[HOST]), ("access", &[HOST])];
    // check-acr asks for no challenge, so that no realm changes its way.
    let only_check: &[(&str, &[&str])] = &[("arm", &[HOST])];
    let only_exchanges: &[(&str, &[&str])] = &[("aad", &[HOST]), ("arm", &[HOST])];
    let no_access: &[(&str, &[&str])] = &[("aad", &[HOST]), ("arm", &[HOST]), ("refresh", &[HOST])];
    for (lure, expected) in [
        (Lure::Nothing, all),
        (Lure::Realm(FOREIGN), only_check),
        (Lure::Realm(OTHER), only_check),
        (Lure::Realm(LOOKALIKE), only_check),
        (Lure::RealmWithUser, only_check),
        (Lure::PlainRealm, only_check),
        (Lure::Redirect("/v2/", FOREIGN), only_check),
        (Lure::Redirect("/v2/", OTHER), only_check),
        (Lure::Redirect("/oauth2/exchange", FOREIGN), only_exchanges),
        (Lure::Redirect("/oauth2/exchange", OTHER), only_exchanges),
        (Lure::Redirect("/metadata/identity/oauth2/token", FOREIGN), &[]),
        (Lure::Redirect("/oauth2/token", OTHER), no_access),
        (Lure::Redirect("/manifests/", FOREIGN), all),
        (Lure::Redirect("/manifests/", OTHER), all),
        (Lure::Redirect("/blobs/", DATA), all),
        (Lure::Redirect("/blobs/", FOREIGN), all),
        (Lure::LookAlike, &[]),
        (Lure::Alias, &[]),
        (Lure::Replaced(FOREIGN), only_exchanges),
        (Lure::Replaced(BASIC), only_exchanges),
        (Lure::Replaced(OTHER), only_exchanges),
        (Lure::Unverified, only_exchanges),
        (Lure::Mirrored, all),
    ] {
        let went = went(lure, managed(), Access::default()).await;
        are(&went, expected, &format!("{lure:?}"));
    }
}

#[tokio::test]
async fn the_secret_of_a_service_principal_goes_to_entra_and_its_registry() {
    for (lure, expected) in [
        (Lure::Nothing, &[("secret", &[ENTRA, HOST][..]), ("arm", &[HOST])][..]),
        (Lure::Realm(FOREIGN), &[("secret", &[ENTRA]), ("arm", &[HOST])]),
        (Lure::Realm(OTHER), &[("secret", &[ENTRA]), ("arm", &[HOST])]),
        (Lure::PlainRealm, &[("secret", &[ENTRA]), ("arm", &[HOST])]),
        (Lure::Redirect("/oauth2/token", FOREIGN), &[("secret", &[ENTRA, HOST]), ("arm", &[HOST])]),
        (Lure::Redirect("/7e7a-47/oauth2/token", FOREIGN), &[("secret", &[ENTRA, HOST])]),
        (Lure::LookAlike, &[]),
        // Where nothing answers, only Entra ID is asked.
        (Lure::Alias, &[("secret", &[ENTRA])]),
        (Lure::Replaced(FOREIGN), &[("secret", &[ENTRA]), ("arm", &[HOST])]),
        (Lure::Replaced(BASIC), &[("secret", &[ENTRA]), ("arm", &[HOST])]),
    ] {
        let went = went(lure, service_principal(), Access::default()).await;
        are(&went, expected, &format!("{lure:?}"));
    }
}

#[tokio::test]
async fn the_token_of_a_service_account_goes_to_entra_alone() {
    let all: &[(&str, &[&str])] =
        &[("assertion", &[ENTRA]), ("aad", &[HOST]), ("refresh", &[HOST]), ("access", &[HOST])];
    for (lure, expected) in [
        (Lure::Nothing, all),
        (Lure::Realm(FOREIGN), &[("assertion", &[ENTRA])]),
        (Lure::Redirect("/an0-7her/oauth2/v2.0/token", FOREIGN), &[("assertion", &[ENTRA])]),
        (Lure::LookAlike, &[]),
        (Lure::Alias, &[("assertion", &[ENTRA])]),
    ] {
        let went = went(lure, workload(), Access::default()).await;
        are(&went, expected, &format!("{lure:?}"));
    }
}

/// A pull secret's password goes to no other tenant either, although all of them are below one
/// domain.
#[tokio::test]
async fn a_pull_secret_goes_to_no_other_tenant() {
    for (lure, expected) in [
        (Lure::Nothing, &[HOST][..]),
        (Lure::Realm(OTHER), &[]),
        (Lure::Realm(FOREIGN), &[]),
        (Lure::Redirect("/oauth2/token", OTHER), &[HOST]),
    ] {
        let secret = credential("regcred", "robot", "canary-password");
        let access = super::super::access(&[secret]);
        let went = went(lure, managed(), access).await;
        let passwords: Vec<_> = went.get("password").into_iter().flatten().copied().collect();
        assert_eq!(passwords, expected, "{lure:?}");
    }
}

/// What the node's own credential provider gives goes no further than what we are given; whatever
/// the registry, nothing goes to another tenant.
#[tokio::test]
async fn what_a_credential_provider_gives_goes_to_its_registry_alone() {
    for (lure, expected) in [
        (Lure::Nothing, &[HOST][..]),
        (Lure::Realm(OTHER), &[]),
        (Lure::Realm(FOREIGN), &[]),
        (Lure::LookAlike, &[]),
        (Lure::Replaced(FOREIGN), &[]),
        (Lure::Replaced(BASIC), &[]),
        (Lure::Replaced(OTHER), &[]),
        (Lure::Unverified, &[]),
        (Lure::Mirrored, &[HOST]),
    ] {
        let source = NodeSource::Provider { provider: PROVIDER.to_owned() };
        let provenance = Provenance::Node { source, key: HOST.to_owned() };
        let given = credential("", "robot", "canary-password");
        let access = super::super::access(&[Credential { provenance, ..given }]);
        let went = went(lure, managed(), access).await;
        let passwords: Vec<_> = went.get("password").into_iter().flatten().copied().collect();
        assert_eq!(passwords, expected, "{lure:?}");
    }
}
