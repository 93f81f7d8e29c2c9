//! The servers that stand before a registry: asked one after the other, as containerd asks them
//! (core/remotes/docker/resolver.go, `Resolve`), until one serves the image.
//!
//! containerd asks all of them with one credential before the kubelet comes with the next; here
//! each is asked with every credential in turn. Whether any pair serves is the same.

use std::time::Instant;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::access::Access;
use crate::evidence::told::{Mirror, Mirrors};
use crate::evidence::{Attempt, End, Evidence, Role, Step};
use crate::image::ImageRef;
use crate::resolve::hosts::Endpoint;

use super::connection::host_of;
use super::tls::Trust;
use super::{Options, PrepareError, Shared, walk};

/// Tries `image` at each of its servers, up to the first that serves it.
pub(super) async fn walk(
    shared: &Shared,
    image: &ImageRef,
    access: &Access,
    options: Options<'_>,
) -> Evidence {
    let began = Instant::now();
    let mut endpoints = options.endpoints.iter();
    let Some(mut endpoint) = endpoints.next() else {
        return walk::walk(shared, image, access, options, None).await;
    };
    let mut before = Vec::new();
    loop {
        // One that does not answer leaves time for those after it.
        let left = options.timeout.saturating_sub(began.elapsed());
        let share = u32::try_from(endpoints.len() + 1).unwrap_or(u32::MAX);
        let options = Options { timeout: left / share, ..options };
        let (host, evidence) = at(shared, image, access, options, endpoint).await;
        match endpoints.next() {
            Some(next) if !is_served(&evidence) => {
                before.extend(host.map(|host| mirror(host, evidence)));
                endpoint = next;
            }
            Some(_) | None => {
                return Evidence { mirrors: Some(Mirrors { last: host, before }), ..evidence };
            }
        }
    }
}

/// Tries it at one, and names that where it is not the registry itself.
async fn at(
    shared: &Shared,
    image: &ImageRef,
    access: &Access,
    options: Options<'_>,
    endpoint: &Endpoint,
) -> (Option<String>, Evidence) {
    let host = endpoint.stands_for.as_ref().and(endpoint.url.as_ref()).map(host_of);
    let Some(host) = host else {
        return (None, walk::walk(shared, image, access, options, Some(endpoint)).await);
    };
    let observer = |step: &Step| {
        let mut step = step.clone();
        step.host.get_or_insert_with(|| host.clone());
        (options.observer)(&step);
    };
    let watched = Options { observer: &observer, ..options };
    let mut evidence = walk::walk(shared, image, access, watched, Some(endpoint)).await;
    let Evidence { opening, attempts, anonymous, .. } = &mut evidence;
    for attempt in attempts.iter_mut().chain(anonymous).chain([opening]) {
        name(attempt, &host);
    }
    (Some(host), evidence)
}

/// Says of an attempt that it was not at the registry.
fn name(attempt: &mut Attempt, host: &str) {
    for step in &mut attempt.steps {
        step.host.get_or_insert_with(|| host.to_owned());
    }
    match &mut attempt.end {
        End::Answered { hop, .. } | End::Unreachable { hop, .. } | End::Unfit { hop, .. }
            if hop.role == Role::Registry =>
        {
            hop.role = Role::Mirror;
        }
        End::Answered { .. }
        | End::Unreachable { .. }
        | End::Unfit { .. }
        | End::Served { .. }
        | End::Challenged { .. }
        | End::NotSent { .. } => {}
    }
}

fn mirror(host: String, evidence: Evidence) -> Mirror {
    let Evidence { opening, attempts, anonymous, .. } = evidence;
    let attempts = [vec![opening], attempts].concat().into_iter().chain(anonymous).collect();
    Mirror { host, attempts }
}

/// Whether this was a pull: without a credential it is one where there is none.
fn is_served(evidence: &Evidence) -> bool {
    let Evidence { opening, attempts, anonymous, .. } = evidence;
    let anonymous = anonymous.iter().filter(|_| attempts.is_empty());
    let mut pulls = attempts.iter().chain(anonymous).chain([opening]);
    pulls.any(|attempt| matches!(attempt.end, End::Served { .. }))
}

/// Who may speak for an endpoint.
pub(super) fn trust(shared: &Shared, endpoint: Option<&Endpoint>) -> Result<Trust, PrepareError> {
    let Some(endpoint) = endpoint else { return Ok(shared.trust.clone()) };
    let settings = &shared.settings;
    let bundles = [settings.ca_bundle_pem.as_slice(), &endpoint.authorities].concat();
    Trust::new(&bundles)?.at(endpoint)
}

/// What is sent with each request to an endpoint. What can be no header is left out.
pub(super) fn headers(endpoint: Option<&Endpoint>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in endpoint.into_iter().flat_map(|endpoint| &endpoint.headers) {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_bytes(value.expose())) {
            value.set_sensitive(true);
            headers.append(name, value);
        }
    }
    headers
}
