//! Which addresses a probe never goes to. Pure.
//!
//! Whoever may write a pod or a `RegistryCheck` chooses the host that is asked, and the
//! registry chooses realms and redirects. So that none of them can make this controller ask
//! the node's metadata service, itself or the API server, every address is judged after
//! the lookup and before the connection.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::targets::{Bar, Targets};

/// The metadata service of Azure, at which identities get their tokens. Nothing but the one
/// question for that may go there, and only where it is named so.
pub(super) const METADATA_SERVICE: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// Addresses of services that give credentials to whoever asks: IMDS of Azure, AWS, Google
/// (169.254.169.254, `fd00:ec2::254`) and Azure's `WireServer` (168.63.129.16).
const METADATA: [IpAddr; 3] = [
    METADATA_SERVICE,
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// What may be asked.
#[derive(Clone, Debug, Default)]
pub(super) struct AddressPolicy {
    pub(super) allow_loopback: bool,
    pub(super) forbidden: Vec<IpAddr>,
    pub(super) targets: Targets,
}

/// Why an address is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is of a class that nobody may ask.
    Class(&'static str),
    /// The operator keeps it from being asked.
    Barred(Bar),
}

/// In words that follow the address.
impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class(class) => write!(formatter, "is {class}"),
            Self::Barred(Bar::Denied) => formatter.write_str("is denied"),
            Self::Barred(Bar::NotAllowed) => formatter.write_str("is not allowed"),
        }
    }
}

impl AddressPolicy {
    /// Why `host` is not asked at `address`; `None` where it may be.
    pub(super) fn refusal(&self, host: &str, address: IpAddr) -> Option<Refusal> {
        let class = self.class_of(address).map(Refusal::Class);
        class.or_else(|| self.targets.bar(host, Some(plain(address))).map(Refusal::Barred))
    }

    /// What makes this address forbidden, in words that follow "which is"; `None` where it may
    /// be asked.
    fn class_of(&self, address: IpAddr) -> Option<&'static str> {
        let address = plain(address);
        if METADATA.contains(&address) {
            Some("a cloud's metadata service")
        } else if address.is_unspecified()
            || matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 0)
        {
            Some("unspecified")
        } else if address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
            Some("multicast")
        } else if is_link_local(address) {
            Some("link-local")
        } else if address.is_loopback() && !self.allow_loopback {
            Some("loopback")
        } else if self.forbidden.iter().any(|other| plain(*other) == address) {
            Some("forbidden by this controller's settings")
        } else {
            None
        }
    }
}

/// The IPv4 address inside an IPv6 one, where a packet would go to that: IPv4-mapped
/// (RFC 4291, 2.5.5.2), IPv4-compatible (2.5.5.1) and NAT64 (RFC 6052, `64:ff9b::/96`).
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let IpAddr::V4(v4) = v6.to_canonical() {
        return IpAddr::V4(v4);
    }
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => IpAddr::V4(joined(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => IpAddr::V4(joined(high, low)),
        _ => address,
    }
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Whether a name means this very machine (RFC 6761, 6.3).
pub(super) fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, allow_loopback: bool, class: Option<&str>) {
        let forbidden = vec!["10.0.0.1".parse().unwrap()];
        let policy = AddressPolicy { allow_loopback, forbidden, ..AddressPolicy::default() };
        assert_eq!(policy.class_of(address.parse().unwrap()), class, "{address}");
    }

    #[test]
    fn addresses_are_judged() {
        for (address, class) in [
            ("203.0.113.7", None),
            ("10.0.0.2", None),
            ("2001:db8::1", None),
            ("fd00::1", None),
            ("10.0.0.1", Some("forbidden by this controller's settings")),
            ("::ffff:10.0.0.1", Some("forbidden by this controller's settings")),
            ("127.0.0.1", Some("loopback")),
            ("127.8.9.1", Some("loopback")),
            ("::1", Some("loopback")),
            ("::ffff:127.0.0.1", Some("loopback")),
            ("::127.0.0.1", Some("loopback")),
            ("0.0.0.0", Some("unspecified")),
            ("0.1.2.3", Some("unspecified")),
            ("::", Some("unspecified")),
            ("169.254.1.1", Some("link-local")),
            ("fe80::1", Some("link-local")),
            ("169.254.169.254", Some("a cloud's metadata service")),
            ("::ffff:169.254.169.254", Some("a cloud's metadata service")),
            ("64:ff9b::a9fe:a9fe", Some("a cloud's metadata service")),
            ("168.63.129.16", Some("a cloud's metadata service")),
            ("fd00:ec2::254", Some("a cloud's metadata service")),
            ("224.0.0.1", Some("multicast")),
            ("ff02::1", Some("multicast")),
            ("255.255.255.255", Some("multicast")),
        ] {
            check(address, false, class);
        }
        check("127.0.0.1", true, None);
        check("::1", true, None);
    }

    #[test]
    fn what_an_operator_allows_lifts_no_class() {
        let targets = Targets {
            allowed: vec!["0.0.0.0/0".parse().unwrap()],
            denied: vec!["10.0.0.0/8".parse().unwrap()],
        };
        let policy = AddressPolicy { targets, ..AddressPolicy::default() };
        let refusal = |address: &str| policy.refusal("r.test", address.parse().unwrap());
        assert_eq!(refusal("203.0.113.7"), None);
        assert_eq!(refusal("127.0.0.1"), Some(Refusal::Class("loopback")));
        assert_eq!(refusal("10.0.0.1"), Some(Refusal::Barred(Bar::Denied)));
        assert_eq!(refusal("::ffff:10.0.0.1"), Some(Refusal::Barred(Bar::Denied)));
        assert_eq!(refusal("64:ff9b::a00:1"), Some(Refusal::Barred(Bar::Denied)));
        assert_eq!(refusal("2001:db8::1"), Some(Refusal::Barred(Bar::NotAllowed)));
    }
}
