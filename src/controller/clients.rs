//! The ways to the API server: one for requests, and one for each watch that must not fall silent.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::header::{HeaderValue, USER_AGENT};
use kube::client::{ClientBuilder, DynBody};
use kube::{Client, Config};
use tower::util::MapResponseLayer;

use crate::server::Liveness;

/// How long the API server has to answer a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Who sends a request to the API server.
const AGENT: &str = concat!("registrycheck/", env!("CARGO_PKG_VERSION"));

/// The kinds that are watched, as the log and `/livez` have them.
pub(super) const PODS: &str = "Pod";
pub(super) const CHECKS: &str = "RegistryCheck";

/// The ways to the API server.
#[derive(Clone)]
pub struct Clients {
    /// For requests, which are answered soon or given up.
    pub requests: Client,
    /// For watches, which last.
    pub watches: Client,
    /// For the watch of pods: each sign of it is a sign of life.
    pub(super) pods: Client,
    /// The same for the watch of RegistryChecks.
    pub(super) checks: Client,
}

impl Clients {
    /// Makes all of them.
    ///
    /// # Errors
    ///
    /// Where the configuration cannot be used, such as for an unreadable certificate.
    pub fn new(config: Config, liveness: &Liveness) -> Result<Self, kube::Error> {
        let config = named(config);
        Ok(Self {
            requests: timed(config.clone())?,
            pods: heard(config.clone(), liveness, PODS)?,
            checks: heard(config.clone(), liveness, CHECKS)?,
            watches: Client::try_from(config)?,
        })
    }
}

/// A client for requests, which are answered soon or given up.
///
/// # Errors
///
/// Where the configuration cannot be used, such as for an unreadable certificate.
pub fn requests(config: Config) -> Result<Client, kube::Error> {
    timed(named(config))
}

fn timed(mut config: Config) -> Result<Client, kube::Error> {
    config.read_timeout = Some(REQUEST_TIMEOUT);
    Client::try_from(config)
}

/// Has each request say who sends it, for the API server's audit log.
fn named(mut config: Config) -> Config {
    config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    config
}

/// A client for the watch of one kind. Bookmarks count, of which a watch tells nobody else.
fn heard(config: Config, liveness: &Liveness, kind: &'static str) -> Result<Client, kube::Error> {
    let liveness = liveness.clone();
    let tell = MapResponseLayer::new(move |response: Response<Box<DynBody>>| {
        let liveness = liveness.clone();
        liveness.hears(kind);
        response.map(|body| {
            body.map_frame(move |frame| {
                liveness.hears(kind);
                frame
            })
        })
    });
    Ok(ClientBuilder::try_from(config)?.with_layer(&tell).build())
}
