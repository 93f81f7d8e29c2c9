//! Which proxy a request goes through, by the variables that container runtimes read.
//!
//! The rules are those of golang.org/x/net/http/httpproxy (v0.47.0, proxy.go), which Go's
//! `http.ProxyFromEnvironment` uses and containerd with it. The variables are arguments here;
//! nothing reads the environment.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

/// The proxies for the two schemes, and what goes past them.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    https: Option<Proxy>,
    http: Option<Proxy>,
    past: Vec<Past>,
}

/// A proxy. Its URL may hold a password, which is not shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Proxy(Url);

impl Proxy {
    /// The URL for whoever connects to it, with user name and password.
    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// A proxy as `NAME_PROXY` has it: a URL, or a host and port for which `http://` is meant
    /// (`parseProxy`).
    fn parse(text: &str) -> Option<Self> {
        let is_whole = text.contains("://");
        let url = Url::parse(text).ok().filter(|url| is_whole && url.has_host());
        url.or_else(|| Url::parse(&format!("http://{text}")).ok()).map(Self)
    }
}

/// Scheme, host and port.
impl fmt::Display for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        match self.0.port() {
            Some(port) => write!(formatter, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Proxy({self})")
    }
}

/// An item of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Past {
    Everything,
    /// The addresses that share so many bits with this one.
    Network(IpAddr, u32),
    Address(IpAddr, Option<String>),
    Domain {
        /// With a leading dot.
        suffix: String,
        /// Whether the domain itself is meant too, and not only what is below it.
        itself: bool,
        port: Option<String>,
    },
}

impl Proxies {
    /// Those of the variables `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, each also in lower
    /// case, which counts where the other is empty (`FromEnvironment`).
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            let filled = |name: &str| variable(name).filter(|value| !value.is_empty());
            filled(name).or_else(|| filled(&name.to_lowercase())).unwrap_or_default()
        };
        let proxy = |name| Some(either(name)).filter(|text| !text.is_empty());
        Self {
            https: proxy("HTTPS_PROXY").and_then(|text| Proxy::parse(&text)),
            http: proxy("HTTP_PROXY").and_then(|text| Proxy::parse(&text)),
            past: items(&either("NO_PROXY")),
        }
    }

    /// The proxy for a request, if it goes through one (`proxyForURL`).
    pub(super) fn of(&self, url: &Url) -> Option<&Proxy> {
        let proxy = match url.scheme() {
            "https" => self.https.as_ref(),
            "http" => self.http.as_ref(),
            _ => None,
        }?;
        let host = url.host()?;
        let port = url.port_or_known_default()?.to_string();
        let (name, address) = match host {
            // The URL has lower-cased it, and Go takes any other case for no localhost.
            Host::Domain("localhost") => return None,
            Host::Domain(name) => (name.to_owned(), None),
            Host::Ipv4(address) => (address.to_string(), Some(IpAddr::V4(address))),
            Host::Ipv6(address) => (address.to_string(), Some(IpAddr::V6(address))),
        };
        let address = address.map(|address| address.to_canonical());
        if address.is_some_and(|address| address.is_loopback()) {
            return None;
        }
        let goes_past = self.past.iter().any(|past| past.has(&name, address, &port));
        (!goes_past).then_some(proxy)
    }
}

impl Past {
    fn has(&self, name: &str, address: Option<IpAddr>, port: &str) -> bool {
        let is_port =
            |wanted: &Option<String>| wanted.as_deref().is_none_or(|wanted| wanted == port);
        match self {
            Self::Everything => true,
            Self::Network(network, bits) => {
                address.is_some_and(|address| shares(*network, address, *bits))
            }
            Self::Address(wanted, port) => address == Some(*wanted) && is_port(port),
            Self::Domain { suffix, itself, port } => {
                let is_itself = *itself && suffix.strip_prefix('.') == Some(name);
                address.is_none() && (name.ends_with(suffix) || is_itself) && is_port(port)
            }
        }
    }
}

/// The items of `NO_PROXY`; what is malformed is passed over (`init`).
fn items(text: &str) -> Vec<Past> {
    let mut items = Vec::new();
    for item in text.split(',') {
        let item = item.trim().to_lowercase();
        if item == "*" {
            return vec![Past::Everything];
        }
        items.extend(network(&item).or_else(|| host(&item)));
    }
    items
}

/// `ADDRESS/BITS`.
fn network(item: &str) -> Option<Past> {
    let (address, bits) = item.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let is_number = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    let bits: u32 = bits.parse().ok().filter(|_| is_number)?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    // An IPv4 address that is written as one of IPv6 is one while its first 96 bits count.
    let (address, bits) = match address.to_canonical() {
        canonical if canonical != address && (96..=width).contains(&bits) => (canonical, bits - 96),
        _ => (address, bits),
    };
    (bits <= width).then_some(Past::Network(address, bits))
}

fn host(item: &str) -> Option<Past> {
    let (host, port) = split_port(item).unwrap_or((item, ""));
    let port = Some(port.to_owned()).filter(|port| !port.is_empty());
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(Past::Address(address.to_canonical(), port));
    }
    // `*.domain` is `.domain`.
    let host = if host.starts_with("*.") { &host[1..] } else { host };
    let (itself, bare) = match host.strip_prefix('.') {
        Some(bare) => (false, bare),
        None => (true, host),
    };
    if host.is_empty() {
        return None;
    }
    let ascii = match Host::parse(bare) {
        Ok(Host::Domain(ascii)) if !bare.is_ascii() => ascii,
        _ => bare.to_owned(),
    };
    Some(Past::Domain { suffix: format!(".{ascii}"), itself, port })
}

/// `net.SplitHostPort`: brackets around the host are removed; `None` where there is no port, or
/// a colon or a bracket too many.
fn split_port(text: &str) -> Option<(&str, &str)> {
    let (before, port) = text.rsplit_once(':')?;
    let host = match before.strip_prefix('[') {
        Some(inside) => inside.strip_suffix(']')?,
        None if before.contains(':') => return None,
        None => before,
    };
    (!host.contains(['[', ']']) && !port.contains(['[', ']'])).then_some((host, port))
}

/// Whether two addresses of one family share their first bits.
fn shares(network: IpAddr, address: IpAddr, bits: u32) -> bool {
    let shift = |width: u32| width - bits;
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (network.to_bits() ^ address.to_bits()).checked_shr(shift(32)).unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            (network.to_bits() ^ address.to_bits()).checked_shr(shift(128)).unwrap_or(0) == 0
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

#[cfg(test)]
mod tests;
