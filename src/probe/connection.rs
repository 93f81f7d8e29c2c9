//! The steps of one connection, from the marks that its parts left.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use url::{Host, Url};

use crate::evidence::{Step, StepName};

use super::trace::Marks;

/// The host of a URL, with its port where that is not the scheme's own.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The address that a URL names itself.
pub(super) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// The part of a connection that has begun and not ended; `None` where there is a connection.
pub(super) fn waiting_in(marks: &Marks, url: &Url) -> Option<StepName> {
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
/// failed. `host` is the server where it is not the registry.
pub(super) fn steps(
    marks: &Marks,
    url: &Url,
    host: Option<&str>,
    address: Option<IpAddr>,
    failure: &str,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let Some(dialled) = marks.dialled else { return steps };
    let mut push = |name, passed: bool, seen: String, from: Instant, to: Option<Instant>| {
        let detail = if passed { seen } else { failure.to_owned() };
        let took = to.unwrap_or_else(Instant::now).duration_since(from);
        let host = host.map(str::to_owned);
        steps.push(Step { name, host, passed, detail, micros: micros(took) });
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
