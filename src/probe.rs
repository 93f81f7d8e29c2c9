//! Probe: one image is tried with each of its credentials, and what was seen is written down.
//!
//! The walk is containerd's own: `HEAD` of the manifest without a credential, the challenge
//! taken from that answer, then each credential in the kubelet's order until one is served.
//! It never fails and never panics: whatever goes wrong is part of the [`Evidence`]. What it
//! means is for `diagnose` to say; nothing is decided here beyond the next request.
//!
//! In: [`ImageRef`] and [`Access`]. Out: [`Evidence`]. It writes nothing, keeps manifests under
//! their digest from one probe for the next, and sends credentials only where [`Settings`] and
//! the rules of `protocol/realm.rs` let them go.

mod address;
mod azure;
mod bounds;
mod connection;
mod content;
mod dial;
mod dns;
mod exchange;
mod failure;
mod flaw;
mod login;
mod memory;
mod met;
mod mirrors;
mod plain;
mod protocol;
pub mod proxy;
mod pull;
mod redirect;
mod sending;
pub mod tally;
pub mod targets;
mod tls;
mod token;
mod trace;
mod unattached;
mod walk;
mod withheld;
mod words;

#[cfg(test)]
pub(crate) mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::access::Access;
use crate::evidence::login::Login;
use crate::evidence::{Evidence, Step};
use crate::image::platform::Platform;
use crate::image::{Host, ImageRef};
use crate::resolve::hosts::Endpoint;

pub use flaw::expires;

use address::AddressPolicy;
use dns::Names;
use memory::Memory;
use protocol::realm::HostPolicy;
use proxy::Proxies;
use tally::Tally;
use targets::Targets;
use tls::Trust;

/// What the operator decides about probes.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Further authorities, beside the system's: PEM files of one or more certificates.
    pub ca_bundle_pem: Vec<Vec<u8>>,
    /// Hosts of token services outside their registry's registrable domain to which
    /// credentials may go: `host`, or `host:port` for that port alone.
    pub token_hosts: Vec<String>,
    /// Whether this machine may be asked. It is asked over plain HTTP where the image names it
    /// (`localhost`, `127.0.0.1`), as containerd does, and over TLS by any other name.
    pub allow_loopback: bool,
    /// Hosts that are asked over plain HTTP: `host` for each of its ports, or `host:port`.
    pub insecure_hosts: Vec<String>,
    /// Further addresses that are never asked, such as the API server's.
    pub forbidden: Vec<IpAddr>,
    /// What the operator allows and denies to be asked.
    pub targets: Targets,
    /// The proxies through which requests go.
    pub proxies: Proxies,
}

/// Tries images. Cheap to clone: the clones share one resolver and one set of authorities.
#[derive(Clone)]
pub struct Prober {
    shared: Arc<Shared>,
}

/// What all probes have in common.
struct Shared {
    settings: Settings,
    names: Arc<Names>,
    trust: Trust,
    hosts: HostPolicy,
    addresses: AddressPolicy,
    common: Arc<Common>,
}

/// What a prober and the laxer ones made of it have in common.
#[derive(Debug, Default)]
struct Common {
    memory: Memory,
    tally: Tally,
}

/// How one image is tried.
#[derive(Clone, Copy)]
pub struct Options<'options> {
    /// How long the probe may take as a whole.
    pub timeout: Duration,
    /// The platform of the node for which the image is, where it is known.
    pub platform: Option<&'options Platform>,
    /// The time of day: whether a credential is over is judged by it.
    pub now: Timestamp,
    /// The servers to ask, in their order, where others stand before the registry.
    pub endpoints: &'options [Endpoint],
    /// Who is told of each step when it was taken.
    pub observer: &'options (dyn Fn(&Step) + Sync),
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { timeout, platform, now, endpoints, observer: _ } = self;
        let mut shown = formatter.debug_struct("Options");
        shown
            .field("timeout", timeout)
            .field("platform", platform)
            .field("now", now)
            .field("endpoints", endpoints);
        shown.finish_non_exhaustive()
    }
}

impl Options<'_> {
    /// A probe that may take so long, for a node of which nothing is known.
    pub fn within(timeout: Duration, now: Timestamp) -> Self {
        Self { timeout, platform: None, now, endpoints: &[], observer: &|_| {} }
    }
}

impl std::fmt::Debug for Prober {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Prober").finish_non_exhaustive()
    }
}

impl Prober {
    /// Reads the system's authorities and /etc/resolv.conf.
    pub fn new(settings: Settings) -> Result<Self, PrepareError> {
        let names = Names::of_system(addresses(&settings))?;
        Self::with_names(settings, Arc::new(names), Arc::default())
    }

    /// The same with one more bundle of authorities, or with hosts that are asked over plain
    /// HTTP: laxer than a node is.
    pub fn laxer(
        &self,
        authorities: Option<Vec<u8>>,
        insecure_hosts: Vec<String>,
    ) -> Result<Self, PrepareError> {
        let mut settings = self.shared.settings.clone();
        settings.ca_bundle_pem.extend(authorities);
        settings.insecure_hosts.extend(insecure_hosts);
        let Shared { names, common, .. } = self.shared.as_ref();
        Self::with_names(settings, Arc::clone(names), Arc::clone(common))
    }

    fn with_names(
        settings: Settings,
        names: Arc<Names>,
        common: Arc<Common>,
    ) -> Result<Self, PrepareError> {
        let trust = Trust::new(&settings.ca_bundle_pem)?;
        let addresses = addresses(&settings);
        let hosts = HostPolicy {
            token_hosts: settings.token_hosts.clone(),
            insecure_hosts: settings.insecure_hosts.clone(),
            allow_loopback: settings.allow_loopback,
        };
        // Each probe builds a client of its own; a setting that none can be built with shows
        // here, while there is still somebody to tell.
        dial::client(&trust, &names, &settings.proxies, Duration::ZERO)?;
        Ok(Self { shared: Arc::new(Shared { settings, names, trust, hosts, addresses, common }) })
    }

    /// Whether what is said of `endpoints` can be used; a runtime that cannot pulls nothing.
    pub fn takes(&self, endpoints: &[Endpoint]) -> Result<(), PrepareError> {
        for endpoint in endpoints {
            mirrors::trust(&self.shared, Some(endpoint))?
                .client()
                .map_err(PrepareError::SetUpTls)?;
        }
        Ok(())
    }

    /// How many requests were made, by this prober and by those made of it.
    pub fn tally(&self) -> &Tally {
        &self.shared.common.tally
    }

    /// Tries `image` with each credential of `access`.
    pub async fn probe(&self, image: &ImageRef, access: &Access, options: Options<'_>) -> Evidence {
        mirrors::walk(&self.shared, image, access, options).await
    }

    /// Tries to log in at `registry` with each credential of `access`, for no image.
    pub async fn log_in(&self, registry: &Host, access: &Access, options: Options<'_>) -> Login {
        login::walk(&self.shared, registry, access, options).await
    }
}

fn addresses(settings: &Settings) -> AddressPolicy {
    AddressPolicy {
        allow_loopback: settings.allow_loopback,
        forbidden: settings.forbidden.clone(),
        targets: settings.targets.clone(),
    }
}

/// Why nothing can be probed at all.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// /etc/resolv.conf is missing or is none.
    #[error("cannot read the resolver's configuration")]
    ReadResolverConfiguration(#[source] hickory_resolver::net::NetError),
    /// The resolver refuses its configuration.
    #[error("cannot set up the resolver")]
    BuildResolver(#[source] hickory_resolver::net::NetError),
    /// A certificate bundle of the operator's is not PEM.
    #[error("cannot read the bundle of certificate authorities")]
    ReadCaBundle(#[source] rustls::pki_types::pem::Error),
    /// A certificate of the operator's bundle is none.
    #[error("cannot take a certificate of the bundle of certificate authorities")]
    TakeCaCertificate(#[source] rustls::Error),
    /// A certificate to show, or its key, is not PEM.
    #[error("cannot read the certificate to show, or its key")]
    ReadIdentity(#[source] rustls::pki_types::pem::Error),
    /// There is no certificate authority to trust, neither the system's nor the operator's.
    #[error("cannot set up the check of certificates")]
    BuildVerifier(#[source] rustls::client::VerifierBuilderError),
    /// The TLS library refuses its settings.
    #[error("cannot set up TLS")]
    SetUpTls(#[source] rustls::Error),
    /// The HTTP library refuses its settings.
    #[error("cannot set up the HTTP client")]
    SetUpHttp(#[source] reqwest::Error),
}
