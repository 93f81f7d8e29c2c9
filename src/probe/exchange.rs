//! One question and its answer, with the connection that it took and the redirects on the way.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE,
};
use tokio::net::TcpStream;
use url::Url;

use crate::evidence::{End, Failure, Hop, NotSent, Role, Step, StepName};
use crate::image::Host;

use super::address::{AddressPolicy, METADATA_SERVICE};
use super::bounds;
use super::connection::{self, host_of, literal, waiting_in};
use super::failure::{self, Cause};
use super::met::Met;
use super::plain;
use super::protocol::realm::HostPolicy;
use super::protocol::{self, azure, clean};
use super::proxy::{Proxies, Proxy};
use super::redirect;
use super::sending::{Received, Sent};
use super::tally::Tally;
use super::words::failure_in_words;

/// How many redirects are followed (core/remotes/docker/resolver.go, `CheckRedirect`).
const REDIRECTS_MAX: usize = 10;
/// How much of an answer is read that is no part of an image, in bytes: enough for errors.
pub(super) const ANSWER_MAX: usize = 64 << 10;
/// How long each address of a name has to take a connection, once one has failed.
const ADDRESS_PATIENCE: Duration = Duration::from_secs(2);
/// How many addresses of a name are tried one by one.
const ADDRESSES_MAX: usize = 4;

/// The way of one probe to its servers.
pub(super) struct Line<'settings> {
    pub(super) client: reqwest::Client,
    pub(super) hosts: &'settings HostPolicy,
    pub(super) addresses: &'settings AddressPolicy,
    pub(super) proxies: &'settings Proxies,
    pub(super) tally: &'settings Tally,
    /// The registry for which requests are counted.
    pub(super) counted_as: &'settings Host,
    /// The registry: scheme, host and port.
    pub(super) registry: Url,
    /// Whether the operator has put it in the registry's place.
    pub(super) is_mirror: bool,
    /// Whether any certificate will do.
    pub(super) is_unverified: bool,
    /// What is sent with each request to the very host that is asked.
    pub(super) headers: HeaderMap,
    /// The domains of Azure's registries.
    pub(super) domains: Arc<[String]>,
    /// The hosts that were met.
    pub(super) met: Arc<Met>,
    pub(super) started: Instant,
    pub(super) timeout: Duration,
}

/// What is asked.
pub(super) struct Question<'question> {
    pub(super) step: StepName,
    pub(super) role: Role,
    pub(super) method: Method,
    pub(super) url: &'question Url,
    /// Goes to this very host and to none to which it redirects.
    pub(super) authorization: Option<&'question HeaderValue>,
    pub(super) body: Body,
    /// How much of a success is read, in bytes; what is longer is cut.
    pub(super) limit: usize,
}

/// What a question carries beside its headers.
pub(super) enum Body {
    /// Nothing; a manifest is what it wants.
    Manifest,
    /// Nothing; all of a blob, or its first byte alone, is what it wants.
    Blob { first_byte: bool },
    /// Nothing; an answer of JSON is what it wants.
    Nothing,
    /// Nothing; a token of the metadata service is what it wants.
    Metadata,
    /// A form.
    Form(String),
}

/// What came of it.
pub(super) struct Asked {
    /// The steps of the connections that were made.
    pub(super) connection: Vec<Step>,
    /// How long all of it took.
    pub(super) took: Duration,
    pub(super) result: Result<Reply, End>,
}

/// An answer, whatever its status.
pub(super) struct Reply {
    pub(super) hop: Hop,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn media_type(&self) -> String {
        protocol::header(&self.headers, CONTENT_TYPE.as_str()).unwrap_or_default()
    }
}

impl Line<'_> {
    /// Asks, and follows redirects where it is a registry that is asked.
    pub(super) async fn ask(&self, question: Question<'_>) -> Asked {
        let began = Instant::now();
        let mut connection = Vec::new();
        let result = self.follow(&question, &mut connection).await;
        Asked { connection, took: began.elapsed(), result }
    }

    async fn follow(&self, question: &Question<'_>, steps: &mut Vec<Step>) -> Result<Reply, End> {
        let mut url = question.url.clone();
        // What a challenge says of service and scope was added to its realm.
        if !protocol::can_be_asked(&url) {
            let reason = NotSent::BadRealm { realm: protocol::shown(&url, &[]) };
            return Err(End::NotSent { host: host_of(&url), reason });
        }
        for _ in 0..=REDIRECTS_MAX {
            let reply = self.ask_once(question, &url, steps).await?;
            let location = match reply.status {
                301 | 302 | 303 | 307 | 308 => protocol::header(&reply.headers, LOCATION.as_str()),
                _ => None,
            };
            let Some(location) = location else { return Ok(reply) };
            url = redirect::target(question, &url, &location, &self.headers)
                .map_err(|reason| End::NotSent { host: host_of(&url), reason })?;
        }
        let secrets = redirect::sent(question, &self.headers);
        let reason = NotSent::BadRedirect { location: protocol::shown(&url, &secrets) };
        Err(End::NotSent { host: host_of(&url), reason })
    }

    async fn ask_once(
        &self,
        question: &Question<'_>,
        url: &Url,
        steps: &mut Vec<Step>,
    ) -> Result<Reply, End> {
        let same_host = url.origin() == question.url.origin();
        let role = if same_host { question.role } else { role_of_target(question.step) };
        let mut hop = Hop { role, host: host_of(url), address: literal(url) };
        let is_metadata = role == Role::Metadata && hop.address == Some(METADATA_SERVICE);
        let is_chosen = is_metadata || (self.is_mirror && role == Role::Registry);
        let proxy = self.proxies.of(url);
        let out_of_bounds = self.out_of_bounds(url, hop.address, proxy.is_some());
        if let (Some(end), false) = (out_of_bounds, is_chosen) {
            return Err(end);
        }
        let is_trusted = proxy.is_some() || is_chosen;
        let sent = self.send(question, url, same_host, is_trusted).await;
        let Sent { outcome, marks, began } = sent;
        if let (None, Some(found), false) = (proxy, &marks.found, is_of_identity(role)) {
            self.met.saw(url, found);
        }
        // What is dialled, and which step of that goes on.
        let dialled = proxy.map_or(url, Proxy::url);
        let waited = waiting_in(&marks, dialled).unwrap_or(question.step);
        let mut address = literal(dialled);
        if let Ok(Ok(received)) = &outcome {
            address = received.address.map(|address| address.ip()).or(address);
        }
        address = address.or_else(|| marks.found.as_ref()?.addresses.first().copied());
        // The registry's own address is the proxy's business.
        hop.address = if proxy.is_none() { address } else { hop.address };
        let place = match proxy {
            Some(proxy) => Some(proxy.to_string()),
            None if role == Role::Registry => None,
            None => Some(hop.host.clone()),
        };
        let place = place.as_deref();
        let cause = match outcome {
            Ok(Ok(received)) => {
                // What was dialled beside the connection that was used has no end yet.
                if marks.connected.is_some() {
                    steps.extend(connection::steps(&marks, dialled, place, address, ""));
                }
                let Received { status, headers, body, .. } = received;
                // To a request over plain HTTP the proxy itself answers.
                if let (Some(proxy), 407) = (proxy, status) {
                    let hop = proxy_hop(proxy, address);
                    return Err(End::Unreachable { hop, failure: Failure::ProxyLoginWanted });
                }
                return Ok(Reply { hop, status, headers, body });
            }
            Ok(Err(error)) => match failure::of_tunnel(&error) {
                Some(failure) if proxy.is_some() => Cause::Failure(failure),
                Some(_) | None => failure::cause(&error, waited, &marks),
            },
            Err(_) => Cause::Failure(self.out_of_time(waited, began)),
        };
        let failure = match cause {
            Cause::Failure(failure @ Failure::NameNotFound { .. })
                if proxy.is_none() && !is_of_identity(role) =>
            {
                self.met.missed(url, &marks.dangling);
                failure
            }
            Cause::Failure(Failure::TimedOut { during, .. }) => {
                Failure::TimedOut { during, millis: self.millis_since(began) }
            }
            Cause::Failure(failure) => failure,
            Cause::NotTls { detail } if proxy.is_some() => Failure::Handshake { detail },
            Cause::NotTls { detail } => {
                let left = self.timeout.saturating_sub(self.started.elapsed());
                plain::spoken(url, hop.address, left, detail).await
            }
            Cause::Forbidden { address, refusal } => {
                let words = format!("{address} {refusal}");
                steps.extend(connection::steps(&marks, dialled, place, Some(address), &words));
                let host = proxy.map_or(hop.host, ToString::to_string);
                return Err(bounds::end(host, address, refusal));
            }
        };
        let mut words = failure_in_words(&failure);
        if let (StepName::Connect, Some(found)) = (waited, &marks.found)
            && found.addresses.len() > 1
        {
            let left = self.timeout.saturating_sub(self.started.elapsed());
            let patience = left.min(ADDRESS_PATIENCE);
            let port = dialled.port_or_known_default();
            words = each_address(&found.addresses, port, patience).await;
        }
        steps.extend(connection::steps(&marks, dialled, place, address, &words));
        // Until TLS begins there is nobody but the proxy to talk to.
        if let (Some(proxy), StepName::Dns | StepName::Connect) = (proxy, waited) {
            hop = proxy_hop(proxy, address);
        }
        Err(End::Unreachable { hop, failure })
    }

    pub(super) fn request(
        &self,
        question: &Question<'_>,
        url: &Url,
        same_host: bool,
    ) -> reqwest::RequestBuilder {
        let request = self.client.request(question.method.clone(), url.clone());
        // They are for the host, and for no token service that it names.
        let is_host = same_host && question.role != Role::TokenService;
        let mut headers = if is_host { self.headers.clone() } else { HeaderMap::new() };
        if let Some(authorization) = question.authorization.filter(|_| same_host) {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if azure::is_within(url, &self.domains) {
            let source = HeaderValue::from_static(azure::SOURCE);
            headers.insert(azure::SOURCE_HEADER, source);
        }
        let request = request.headers(headers);
        match &question.body {
            Body::Manifest => request.header(ACCEPT, protocol::ACCEPT),
            Body::Blob { first_byte: true } => request.header(RANGE, "bytes=0-0"),
            Body::Blob { first_byte: false } | Body::Nothing => request,
            Body::Metadata => request.header("Metadata", "true"),
            Body::Form(form) => request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
                .body(form.clone()),
        }
    }

    /// Our own patience ended. A resolver that is silent is one that is ill.
    fn out_of_time(&self, during: StepName, began: Instant) -> Failure {
        let millis = self.millis_since(began);
        match during {
            StepName::Dns => {
                Failure::LookupFailed { detail: format!("timed out after {millis} ms") }
            }
            StepName::Connect
            | StepName::Tls
            | StepName::Identity
            | StepName::Exchange
            | StepName::Challenge
            | StepName::Token
            | StepName::Manifest
            | StepName::Platform
            | StepName::Config
            | StepName::Layer => Failure::TimedOut { during, millis },
        }
    }

    /// How long this question waited; the whole time where none was left for it.
    fn millis_since(&self, began: Instant) -> u64 {
        let is_late = began.duration_since(self.started) >= self.timeout;
        let waited = if is_late { self.timeout } else { began.elapsed() };
        u64::try_from(waited.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Whether a server gives identities their tokens, and is none that a pull meets.
fn is_of_identity(role: Role) -> bool {
    matches!(role, Role::Metadata | Role::Entra)
}

/// What a host is to which a registry redirects.
fn role_of_target(step: StepName) -> Role {
    if matches!(step, StepName::Config | StepName::Layer) {
        Role::DataHost
    } else {
        Role::RedirectTarget
    }
}

/// What each of the addresses of a name does with a connection within this time.
async fn each_address(addresses: &[IpAddr], port: Option<u16>, patience: Duration) -> String {
    let tried = addresses.iter().take(ADDRESSES_MAX).map(async |address| {
        let address = SocketAddr::new(*address, port.unwrap_or_default());
        let said = match tokio::time::timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(_)) => "connected".to_owned(),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                "refused".to_owned()
            }
            Ok(Err(error)) => clean(&error.to_string()),
            Err(_) => "no answer".to_owned(),
        };
        format!("{} {said}", address.ip())
    });
    futures::future::join_all(tried).await.join(", ")
}

fn proxy_hop(proxy: &Proxy, address: Option<IpAddr>) -> Hop {
    Hop { role: Role::Proxy, host: proxy.to_string(), address }
}
