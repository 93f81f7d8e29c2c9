//! Connections: one client of reqwest for each probe, so that what its parts see belongs to
//! this probe and every probe makes connections of its own. The parts tell a [`Trace`].

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tower::{Layer, Service};
use url::Url;

use super::PrepareError;
use super::dns::{LookupError, Names};
use super::proxy::Proxies;
use super::tls::Trust;
use super::trace::{Marks, Trace};

/// What containerd's transport would call itself differently: our own name and where to read of
/// it (RFC 9110, 10.1.5), so that whoever runs a registry knows who asks.
pub(super) const USER_AGENT: &str =
    concat!("registrycheck/", env!("CARGO_PKG_VERSION"), " (+https://registrycheck.dev)");

/// The client of one probe.
///
/// Its connections have `patience` together for the addresses of a name, so that one that does
/// not answer leaves time for the next (hyper-util shares it out, as Go's dialer does).
/// It asks [`Proxies`] for a proxy, follows no redirect by itself (each target is judged first) and
/// speaks HTTP/1.1, as containerd does: its transport has a dialer of its own and does not set
/// `ForceAttemptHTTP2` (core/remotes/docker/config/hosts.go), so Go leaves HTTP/2 out.
pub(super) fn client(
    trust: &Trust,
    names: &Arc<Names>,
    proxies: &Proxies,
    patience: Duration,
) -> Result<reqwest::Client, PrepareError> {
    let proxies = proxies.clone();
    let proxy = move |url: &Url| proxies.of(url).map(|proxy| proxy.url().clone());
    let tls = trust.client().map_err(PrepareError::SetUpTls)?;
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Lookups { names: Arc::clone(names) })
        .connector_layer(Watched)
        .connect_timeout(patience)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .proxy(reqwest::Proxy::custom(proxy))
        .http1_only()
        .user_agent(USER_AGENT)
        .build()
        .map_err(PrepareError::SetUpHttp)
}

struct Lookups {
    names: Arc<Names>,
}

impl Resolve for Lookups {
    fn resolve(&self, name: Name) -> Resolving {
        let names = Arc::clone(&self.names);
        let trace = Trace::current();
        Box::pin(async move {
            let looked_up = if trace.is_chosen() {
                names.find(name.as_str()).await
            } else {
                names.look_up(name.as_str()).await
            };
            let mut marks = trace.marks();
            marks.looked_up = Some(Instant::now());
            if let Err(LookupError::NotFound { aliases, .. }) = &looked_up {
                marks.dangling.clone_from(aliases);
            }
            let found = looked_up?;
            // Port 0 stands for the port of the URL.
            let addresses: Vec<_> =
                found.addresses.iter().map(|address| SocketAddr::new(*address, 0)).collect();
            marks.found = Some(found);
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Puts a [`Dialler`] around the connector.
#[derive(Clone)]
struct Watched;

impl<S> Layer<S> for Watched {
    type Service = Dialler<S>;

    fn layer(&self, inner: S) -> Dialler<S> {
        Dialler { inner }
    }
}

/// reqwest's connector, watched.
#[derive(Clone)]
pub(super) struct Dialler<S> {
    inner: S,
}

impl<S, R> Service<R> for Dialler<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let trace = Trace::current();
        *trace.marks() = Marks { dialled: Some(Instant::now()), ..Marks::default() };
        // The client goes on with a connection in a task of its own where the question has got
        // another one meanwhile.
        let connecting = trace.watch(self.inner.call(request));
        Box::pin(async move {
            let connection = connecting.await?;
            trace.marks().connected = Some(Instant::now());
            Ok(connection)
        })
    }
}
