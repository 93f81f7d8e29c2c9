//! Targets: which hosts and networks an operator lets probes ask. Pure.
//!
//! Whoever may write a pod chooses the host that is asked. An operator narrows that down: what is
//! denied is not asked; where anything is allowed, nothing else is.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// A host, all hosts below a domain, or a network; as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    written: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// This host, on any port.
    Host(String),
    /// The hosts below this domain, by whole labels.
    Below(String),
    /// The addresses of a network, which may be one.
    Network(IpNet),
}

/// A text is no [`Target`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no target: write a host without a port such as registry.example.com, all below a domain such as *.example.com, or a network such as 10.0.0.0/8"
)]
pub struct TargetError {
    text: String,
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let target = |kind| Ok(Self { written: text.to_owned(), kind });
        let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        if let Some(network) = network {
            return target(Kind::Network(network));
        }
        let name = text.trim_end_matches('.').to_ascii_lowercase();
        let (is_below, domain) = match name.strip_prefix("*.") {
            Some(domain) => (true, domain),
            None => (false, name.as_str()),
        };
        let last = domain.rsplit('.').next().unwrap_or_default();
        // What ends like an address is one that is misspelt.
        let is_name = domain.len() <= 253
            && domain.split('.').all(is_label)
            && !last.bytes().all(|byte| byte.is_ascii_digit());
        match (is_name, is_below) {
            (false, _) => Err(TargetError { text: text.to_owned() }),
            (true, true) => target(Kind::Below(domain.to_owned())),
            (true, false) => target(Kind::Host(domain.to_owned())),
        }
    }
}

/// A label of a host's name, with the underscore that resolvers take too.
fn is_label(label: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len()) && label.bytes().all(is_fit)
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}

impl Target {
    fn has_host(&self, host: &str) -> bool {
        match &self.kind {
            Kind::Host(name) => name == host,
            Kind::Below(domain) => {
                host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'))
            }
            Kind::Network(_) => false,
        }
    }

    fn has_address(&self, address: IpAddr) -> bool {
        match &self.kind {
            Kind::Network(network) => network.contains(&address),
            Kind::Host(_) | Kind::Below(_) => false,
        }
    }
}

/// What an operator allows and denies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// Where there is any, nothing else is asked.
    pub allowed: Vec<Target>,
    /// What is not asked, allowed or not.
    pub denied: Vec<Target>,
}

/// Which of the two keeps a target from being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bar {
    Denied,
    NotAllowed,
}

impl Targets {
    /// What keeps `host` from being asked: at `address`, or wherever it is where that is not known.
    pub(super) fn bar(&self, host: &str, address: Option<IpAddr>) -> Option<Bar> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let has = |target: &Target| {
            target.has_host(&host) || address.is_some_and(|address| target.has_address(address))
        };
        if self.denied.iter().any(has) {
            Some(Bar::Denied)
        } else if self.allowed.is_empty() || self.allowed.iter().any(has) {
            None
        } else {
            Some(Bar::NotAllowed)
        }
    }

    /// The same before `host` is looked up: `None` also where its address could decide.
    pub(super) fn bar_by_name(&self, host: &str) -> Option<Bar> {
        let may_be_near = self.allowed.iter().any(|target| matches!(target.kind, Kind::Network(_)));
        self.bar(host, None).filter(|bar| *bar == Bar::Denied || !may_be_near)
    }

    /// The arguments with which this program is told of it.
    pub fn arguments(&self) -> impl Iterator<Item = String> {
        let allowed = self.allowed.iter().map(|target| format!("--allow-target={target}"));
        allowed.chain(self.denied.iter().map(|target| format!("--deny-target={target}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(allowed: &[&str], denied: &[&str]) -> Targets {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Targets { allowed: parse(allowed), denied: parse(denied) }
    }

    #[test]
    fn a_target_is_a_host_a_domain_or_a_network() {
        for (text, host, address) in [
            ("registry.example.com", "registry.example.com", None),
            ("Registry.Example.com.", "registry.example.com", None),
            ("*.AzureCR.io", "my.azurecr.io", None),
            ("localhost", "localhost", None),
            ("10.0.0.0/8", "r.test", Some("10.200.0.1")),
            ("10.1.2.3/8", "r.test", Some("10.200.0.1")),
            ("10.1.2.3", "r.test", Some("10.1.2.3")),
            ("fd00::/8", "r.test", Some("fd12::1")),
            ("::1", "r.test", Some("::1")),
        ] {
            let denied = targets(&[], &[text]);
            check(&denied, host, address, Some(Bar::Denied));
            check(&denied, "other.test", Some("192.0.2.1"), None);
            assert_eq!(denied.arguments().collect::<Vec<_>>(), [format!("--deny-target={text}")]);
        }
        for text in [
            "",
            "*",
            "*.",
            "r.example.com:5000",
            "https://r.example.com",
            "r.*.com",
            "a*.example.com",
            "r..com",
            "10.0.0.0/33",
            "10.0.0",
            "10.0.0.256",
            "r.example.com/8",
            "a b",
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains("write a host without a port"), "{text}: {error}");
        }
    }

    #[track_caller]
    fn check(targets: &Targets, host: &str, address: Option<&str>, expected: Option<Bar>) {
        let address = address.map(|address| address.parse().unwrap());
        assert_eq!(targets.bar(host, address), expected, "{host} {address:?}");
    }

    #[test]
    fn what_is_denied_is_not_asked() {
        let targets = targets(&[], &["*.corp.test", "evil.test", "10.0.0.0/8", "fd00::/8"]);
        for (host, address, expected) in [
            ("evil.test", None, Some(Bar::Denied)),
            ("EVIL.test.", None, Some(Bar::Denied)),
            ("not-evil.test", None, None),
            ("r.evil.test", None, None),
            ("a.b.corp.test", None, Some(Bar::Denied)),
            ("corp.test", None, None),
            ("evilcorp.test", None, None),
            ("r.test", Some("10.1.2.3"), Some(Bar::Denied)),
            ("r.test", Some("fd12::1"), Some(Bar::Denied)),
            ("r.test", Some("11.1.2.3"), None),
        ] {
            check(&targets, host, address, expected);
        }
    }

    #[test]
    fn beside_what_is_allowed_nothing_is_asked() {
        let targets = targets(&["*.azurecr.io", "192.0.2.0/24"], &["bad.azurecr.io"]);
        for (host, address, expected) in [
            ("my.azurecr.io", Some("203.0.113.1"), None),
            ("bad.azurecr.io", Some("203.0.113.1"), Some(Bar::Denied)),
            ("azurecr.io", Some("203.0.113.1"), Some(Bar::NotAllowed)),
            ("r.test", Some("192.0.2.7"), None),
            ("r.test", Some("203.0.113.1"), Some(Bar::NotAllowed)),
            ("r.test", None, Some(Bar::NotAllowed)),
        ] {
            check(&targets, host, address, expected);
        }
        assert_eq!(targets.bar_by_name("r.test"), None, "its address may be in the network");
        assert_eq!(targets.bar_by_name("bad.azurecr.io"), Some(Bar::Denied));
        let names = self::targets(&["*.azurecr.io"], &[]);
        assert_eq!(names.bar_by_name("r.test"), Some(Bar::NotAllowed));
        assert_eq!(names.bar_by_name("my.azurecr.io"), None);
    }
}
