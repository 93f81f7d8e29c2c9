//! Azure: an identity logs in at a registry, in two ways side by side.
//!
//! As the kubelet's credential provider does it (cloud-provider-azure 7b31c76,
//! cmd/acr-credential-provider): what comes of that is a credential, with which the image is
//! pulled. And as `az aks check-acr` does it (Azure/aks-canipull d995351), so that whoever has
//! run that learns why the two differ. Both are asked as those programs ask, except that a token
//! goes to nothing but a registry of Azure and that there is an end to our patience.
//!
//! In: [`Login`] and the way to the registry. Out: [`Azure`] and perhaps a [`Credential`].

mod attempts;
mod identity;
mod other;
mod way;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future;
use url::Url;

use crate::access::azure::{Login, Principal, is_id};
use crate::access::{Credential, Provenance};
use crate::evidence::End;
use crate::evidence::azure::Azure;
use crate::secret::Secret;

use super::exchange::Line;
use super::protocol::jwt;
use super::proxy::Proxies;
use super::walk::Walk;
use super::{Shared, dial, token};
use way::Way;

/// What came of a login.
pub(super) struct LoggedIn {
    pub(super) azure: Azure,
    /// What the kubelet has of it.
    pub(super) credential: Option<Credential>,
    /// What no answer may be kept with from here on.
    pub(super) secrets: Vec<Secret>,
}

/// The ways to the servers that a login meets.
struct Lines<'lines> {
    /// To the metadata service, past all proxies, as Microsoft Entra wants it ("How to use
    /// managed identities on a virtual machine to acquire an access token").
    metadata: Line<'lines>,
    entra: Line<'lines>,
    registry: Line<'lines>,
    allow_loopback: bool,
}

impl<'lines> Lines<'lines> {
    /// An identity's token may take a third of a probe's time, and all of the login half of
    /// what is left, so that there is time to pull without it.
    fn new(
        shared: &'lines Shared,
        walk: &'lines Walk<'_>,
        registry: &Url,
        direct: &'lines Proxies,
    ) -> Option<Self> {
        let left = walk.line.timeout.saturating_sub(walk.line.started.elapsed());
        if left.is_zero() {
            return None;
        }
        let line = |proxies: &'lines Proxies, timeout: Duration| {
            let client = dial::client(&shared.trust, &shared.names, proxies, timeout).ok()?;
            Some(Line {
                client,
                hosts: &shared.hosts,
                addresses: &shared.addresses,
                proxies,
                tally: &shared.common.tally,
                counted_as: walk.image.registry(),
                registry: registry.clone(),
                is_mirror: false,
                is_unverified: false,
                headers: reqwest::header::HeaderMap::new(),
                domains: Arc::clone(&walk.line.domains),
                met: Arc::clone(&walk.line.met),
                started: Instant::now(),
                timeout,
            })
        };
        let proxies = &shared.settings.proxies;
        let of_identity = left.min(walk.line.timeout / 3);
        Some(Self {
            metadata: line(direct, of_identity)?,
            entra: line(proxies, of_identity)?,
            registry: line(proxies, left / 2)?,
            allow_loopback: shared.settings.allow_loopback,
        })
    }
}

/// Logs in at the registry of the walk's image; `None` where there is no time left for it.
///
/// Where the registry was `unreached`, it is not asked once more: both ways come as far as the
/// identity's token, which both ask for before they connect to the registry, and end as the walk
/// did.
pub(super) async fn log_in(
    shared: &Shared,
    walk: &Walk<'_>,
    login: &Login,
    unreached: Option<&End>,
) -> Option<LoggedIn> {
    let registry = Url::parse(&format!("https://{}/", walk.image.registry().endpoint())).ok()?;
    let direct = Proxies::default();
    let lines = Lines::new(shared, walk, &registry, &direct)?;
    let way = || Way::new(&lines, login, &registry, walk.secrets.clone());
    let (mut provider, mut check_acr) = (way(), way());
    let asking = async {
        match (&login.principal, &login.check_acr) {
            // check-acr knows no service accounts, and asks as the node.
            (Principal::Workload { .. }, _) | (_, None) => None,
            (Principal::Managed(_) | Principal::ServicePrincipal { .. }, Some(who)) => {
                Some(check_acr.as_check_acr(who, unreached).await)
            }
        }
    };
    let (given, admitted) = future::join(provider.as_provider(unreached), asking).await;
    walk.tell(&provider.steps);
    let tokens = [&provider.token, &check_acr.token].into_iter().flatten();
    let principal = tokens.clone().find_map(|token| jwt::claims(token.expose())?.principal());
    let mut secrets: Vec<Secret> = tokens.chain(&check_acr.given).cloned().collect();
    let (credential, end) = match given {
        Ok(credential) => (Some(credential), done()),
        Err(end) => (None, end),
    };
    secrets.extend(credential.iter().flat_map(token::secrets_of));
    let azure = Azure {
        identity: login.identity(),
        provider: provider.attempt(end),
        check_acr: admitted.map(|admitted| check_acr.attempt(admitted.err().unwrap_or_else(done))),
        principal,
        node_location: login.location.clone(),
        other: None,
    };
    Some(LoggedIn { azure, credential, secrets })
}

/// The end of a login that came to what it was for.
fn done() -> End {
    End::Served { digest: None, platform: None }
}

/// The forms in which an answer may repeat what it takes to log in.
pub(super) fn secrets_of(login: &Login) -> Vec<Secret> {
    let (username, secret) = match &login.principal {
        Principal::Managed(_) => return Vec::new(),
        Principal::ServicePrincipal { client_id, secret } => (client_id, secret),
        Principal::Workload { client_id, token, .. } => (client_id, token),
    };
    let credential = Credential {
        provenance: Provenance::Azure { identity: login.identity() },
        username: username.clone(),
        password: secret.clone(),
    };
    let mut secrets = token::secrets_of(&credential);
    // It may be the secret, where somebody has taken one for the other.
    secrets.extend((!is_id(username)).then(|| Secret::new(username.as_bytes())));
    secrets
}
