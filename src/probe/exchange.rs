//! One question and its answer, with the connection that it took and the redirects on the way.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use tokio::net::TcpStream;
use url::{Host, Url};

use crate::evidence::{End, Failure, Hop, NotSent, Role, Step, StepName};

use super::address::AddressPolicy;
use super::failure::{self, Cause};
use super::protocol::realm::HostPolicy;
use super::protocol::{self, clean};
use super::trace::{Marks, Trace};
use super::words::failure_in_words;

/// How many redirects are followed (core/remotes/docker/resolver.go, `CheckRedirect`).
const REDIRECTS_MAX: usize = 10;
/// How much of a body is read: enough for errors, and for the longest tokens.
const BODY_MAX: usize = 64 << 10;
const TOKEN_BODY_MAX: usize = 256 << 10;
/// How long a server that does not speak TLS has to say what it speaks.
const PLAIN_PATIENCE: Duration = Duration::from_secs(2);

/// The way of one probe to its servers.
pub(super) struct Line<'settings> {
    pub(super) client: reqwest::Client,
    pub(super) trace: Trace,
    pub(super) hosts: &'settings HostPolicy,
    pub(super) addresses: &'settings AddressPolicy,
    /// The registry: scheme, host and port.
    pub(super) registry: Url,
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
    pub(super) form: Option<String>,
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
        for _ in 0..=REDIRECTS_MAX {
            let reply = self.ask_once(question, &url, steps).await?;
            let location = match reply.status {
                301 | 302 | 303 | 307 | 308 => protocol::header(&reply.headers, LOCATION.as_str()),
                _ => None,
            };
            let Some(location) = location else { return Ok(reply) };
            url = self
                .redirected(question, &url, &location)
                .map_err(|reason| End::NotSent { host: host_of(&url), reason })?;
        }
        let reason = NotSent::BadRedirect { location: protocol::shown(&url) };
        Err(End::NotSent { host: host_of(&url), reason })
    }

    /// The target of a redirect, if it may be followed: never with a form, which holds a
    /// credential, and over TLS only.
    fn redirected(&self, question: &Question<'_>, from: &Url, to: &str) -> Result<Url, NotSent> {
        let target = from.join(to).ok();
        let shown = target.as_ref().map_or_else(|| clean(to), protocol::shown);
        target
            .filter(|url| {
                url.scheme() == "https" || (url.scheme() == "http" && self.hosts.is_plain(url))
            })
            .filter(|url| url.has_host() && question.role != Role::TokenService)
            .ok_or(NotSent::BadRedirect { location: shown })
    }

    async fn ask_once(
        &self,
        question: &Question<'_>,
        url: &Url,
        steps: &mut Vec<Step>,
    ) -> Result<Reply, End> {
        let is_first = url == question.url;
        let same_host = url.origin() == question.url.origin();
        let role = if same_host { question.role } else { Role::RedirectTarget };
        let mut hop = Hop { role, host: host_of(url), address: literal(url) };
        if let Some((address, class)) =
            hop.address.and_then(|address| Some((address, self.addresses.class_of(address)?)))
        {
            return Err(forbidden(hop.host, address, class));
        }
        let mut request = self.client.request(question.method.clone(), url.clone());
        if question.role != Role::TokenService {
            request = request.header(ACCEPT, protocol::ACCEPT);
        }
        if let Some(authorization) = question.authorization.filter(|_| same_host) {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if let Some(form) = &question.form {
            request = request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
                .body(form.clone());
        }
        let began = Instant::now();
        self.trace.clear();
        let left = self.timeout.saturating_sub(self.started.elapsed());
        let limit = if role == Role::TokenService { TOKEN_BODY_MAX } else { BODY_MAX };
        let outcome = tokio::time::timeout(left, receive(request, limit)).await;
        let marks = self.trace.read();
        let waited = waiting_in(&marks, url).unwrap_or(question.step);
        if let Ok(Ok(received)) = &outcome {
            hop.address = received.address.map(|address| address.ip()).or(hop.address);
        }
        hop.address = hop.address.or_else(|| marks.found.as_ref()?.addresses.first().copied());
        let place = if is_first { None } else { Some(hop.host.as_str()) };
        let cause = match outcome {
            Ok(Ok(received)) => {
                steps.extend(connection_steps(&marks, url, place, hop.address, ""));
                let Received { status, headers, body, .. } = received;
                return Ok(Reply { hop, status, headers, body });
            }
            Ok(Err(error)) => failure::cause(&error, waited, &marks),
            Err(_) => Cause::Failure(self.out_of_time(waited, began)),
        };
        let failure = match cause {
            Cause::Failure(Failure::TimedOut { during, .. }) => {
                Failure::TimedOut { during, millis: self.millis_since(began) }
            }
            Cause::Failure(failure) => failure,
            Cause::NotTls { detail } => self.not_tls(url, hop.address, detail).await,
            Cause::Forbidden { address, class } => {
                let words = format!("{address} is {class}");
                steps.extend(connection_steps(&marks, url, place, Some(address), &words));
                return Err(forbidden(hop.host, address, class));
            }
        };
        let words = failure_in_words(&failure);
        steps.extend(connection_steps(&marks, url, place, hop.address, &words));
        Err(End::Unreachable { hop, failure })
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
            | StepName::Challenge
            | StepName::Token
            | StepName::Manifest => Failure::TimedOut { during, millis },
        }
    }

    /// How long this question waited; the whole time where none was left for it.
    fn millis_since(&self, began: Instant) -> u64 {
        let is_late = began.duration_since(self.started) >= self.timeout;
        let waited = if is_late { self.timeout } else { began.elapsed() };
        u64::try_from(waited.as_millis()).unwrap_or(u64::MAX)
    }

    /// Looks at what a server says that does not speak TLS: one plain request without any
    /// credential to the address that was judged and tried before.
    async fn not_tls(&self, url: &Url, address: Option<IpAddr>, detail: String) -> Failure {
        let Some(address) = address else { return Failure::Handshake { detail } };
        let address = SocketAddr::new(address, url.port_or_known_default().unwrap_or(443));
        let left = self.timeout.saturating_sub(self.started.elapsed()).min(PLAIN_PATIENCE);
        let request =
            format!("HEAD /v2/ HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", host_of(url));
        match tokio::time::timeout(left, first_words(address, request.as_bytes())).await {
            Ok(Ok(words)) if words.starts_with("HTTP/1") => Failure::PlainHttp,
            Ok(Ok(words)) if !words.is_empty() => {
                let line = words.lines().next().unwrap_or_default();
                Failure::NotHttp { detail: clean(&format!("it says {line:?}")) }
            }
            Ok(Ok(_) | Err(_)) | Err(_) => Failure::Handshake { detail },
        }
    }
}

fn forbidden(host: String, address: IpAddr, class: &str) -> End {
    let class = class.to_owned();
    End::NotSent { host, reason: NotSent::ForbiddenAddress { address, class } }
}

struct Received {
    status: u16,
    headers: HeaderMap,
    address: Option<SocketAddr>,
    body: Vec<u8>,
}

async fn receive(
    request: reqwest::RequestBuilder,
    limit: usize,
) -> Result<Received, reqwest::Error> {
    let mut response = request.send().await?;
    let mut received = Received {
        status: response.status().as_u16(),
        address: response.remote_addr(),
        headers: std::mem::take(response.headers_mut()),
        body: Vec::new(),
    };
    while let Some(chunk) = response.chunk().await? {
        let room = limit - received.body.len();
        received.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    Ok(received)
}

/// What a server says first when it is sent `request`.
async fn first_words(address: SocketAddr, request: &[u8]) -> std::io::Result<String> {
    let stream = TcpStream::connect(address).await?;
    stream.writable().await?;
    stream.try_write(request)?;
    let mut words = [0; 256];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut words) {
            Ok(length) => return Ok(String::from_utf8_lossy(&words[..length]).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// The host of a URL, with its port where that is not the scheme's own.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The address that a URL names itself.
fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// The part of a connection that has begun and not ended; `None` where there is a connection.
fn waiting_in(marks: &Marks, url: &Url) -> Option<StepName> {
    marks.dialled?;
    if marks.connected.is_some() {
        None
    } else if marks.greeted.is_some() {
        Some(StepName::Tls)
    } else if marks.found.is_some() || literal(url).is_some() {
        Some(StepName::Connect)
    } else {
        Some(StepName::Dns)
    }
}

/// The steps of a connection as far as it came; `failure` is what the last one says if it
/// failed. `place` is the host where it is not the one that was asked first.
fn connection_steps(
    marks: &Marks,
    url: &Url,
    place: Option<&str>,
    address: Option<IpAddr>,
    failure: &str,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let Some(dialled) = marks.dialled else { return steps };
    let mut push = |name, passed: bool, seen: String, from: Instant, to: Option<Instant>| {
        let detail = if passed { seen } else { failure.to_owned() };
        let detail = place.map_or_else(|| detail.clone(), |place| format!("{place}: {detail}"));
        let took = to.unwrap_or_else(Instant::now).duration_since(from);
        steps.push(Step { name, passed, detail, micros: micros(took) });
    };
    let mut from = dialled;
    if literal(url).is_none() {
        let seen = marks.found.as_ref().map(|found| {
            let addresses: Vec<_> = found.addresses.iter().map(ToString::to_string).collect();
            [&[addresses.join(", ")], found.aliases.as_slice()].concat().join(" via ")
        });
        push(StepName::Dns, seen.is_some(), seen.unwrap_or_default(), from, marks.looked_up);
        match (&marks.found, marks.looked_up) {
            (Some(_), Some(looked_up)) => from = looked_up,
            _ => return steps,
        }
    }
    let tcp = marks.greeted.or(marks.connected);
    let peer = address.map_or_else(String::new, |address| {
        SocketAddr::new(address, url.port_or_known_default().unwrap_or_default()).to_string()
    });
    push(StepName::Connect, tcp.is_some(), peer, from, tcp);
    if let Some(greeted) = marks.greeted {
        let seen = marks.certificate.as_ref().map_or_else(String::new, |certificate| {
            format!("issuer {}, until {}", certificate.issuer, certificate.not_after)
        });
        push(StepName::Tls, marks.connected.is_some(), seen, greeted, marks.connected);
    }
    steps
}

pub(super) fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}
