//! Where credentials may go.
//!
//! A registry names its token service in a header that anybody who answers for the registry
//! can write. A password therefore leaves the registry's own host only for a host of the same
//! registrable domain, or one that the operator has named, and only over TLS.

use psl::Psl as _;
use url::{Host, Url};

use crate::evidence::NotSent;

use super::{azure, can_be_asked, clean, shown_text};
use crate::probe::address::is_localhost;

/// The registry's host and what the operator allows.
#[derive(Clone, Debug, Default)]
pub(in crate::probe) struct HostPolicy {
    /// Further hosts of token services: `host` or `host:port`.
    pub(in crate::probe) token_hosts: Vec<String>,
    /// Hosts that are asked over plain HTTP: `host` (any port) or `host:port`.
    pub(in crate::probe) insecure_hosts: Vec<String>,
    /// Whether this machine may be asked at all; it then is over plain HTTP, as containerd
    /// does (`IsLocalhost`, core/remotes/docker/registry.go).
    pub(in crate::probe) allow_loopback: bool,
}

impl HostPolicy {
    /// Whether `url`'s host may be asked over plain HTTP.
    pub(in crate::probe) fn is_plain(&self, url: &Url) -> bool {
        let is_this_machine = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
            Some(Host::Domain(name)) => is_localhost(name),
            None => false,
        };
        (is_this_machine && self.allow_loopback) || is_among(&self.insecure_hosts, url)
    }

    /// The URL of a challenge's token service, if a credential may go there from the registry
    /// at `registry`; `domains` are those of Azure's registries.
    pub(in crate::probe) fn realm(
        &self,
        realm: &str,
        registry: &Url,
        domains: &[String],
    ) -> Result<Url, NotSent> {
        let url = parse(realm)?;
        let realm = clean(realm);
        if !self.may_hold_tokens(&url, registry, domains) {
            Err(NotSent::ForeignRealm { realm })
        } else if url.scheme() != "https" && !self.is_plain(&url) {
            Err(NotSent::InsecureRealm { realm })
        } else {
            Ok(url)
        }
    }

    fn may_hold_tokens(&self, url: &Url, registry: &Url, domains: &[String]) -> bool {
        if url.host() == registry.host() || is_among(&self.token_hosts, url) {
            return true;
        }
        match (url.host(), registry.host()) {
            // All registries of a cloud of Azure are below one domain, whoever owns them.
            _ if azure::domain_of(registry, domains).is_some() => {
                azure::is_same_registry(url, registry, domains)
            }
            (Some(Host::Domain(one)), Some(Host::Domain(other))) => {
                registrable(one).is_some_and(|domain| registrable(other) == Some(domain))
            }
            _ => false,
        }
    }
}

/// The URL of a token service, wherever it is.
pub(super) fn parse(realm: &str) -> Result<Url, NotSent> {
    let parsed = Url::parse(realm.trim()).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && can_be_asked(url)
            && url.username().is_empty()
            && url.password().is_none()
    });
    let Some(mut url) = parsed else {
        return Err(NotSent::BadRealm { realm: shown_text(realm, &[]) });
    };
    url.set_fragment(None);
    Ok(url)
}

fn is_among(hosts: &[String], url: &Url) -> bool {
    let Some(name) = url.host_str() else { return false };
    let with_port = format!("{name}:{}", url.port_or_known_default().unwrap_or_default());
    hosts
        .iter()
        .any(|host| host.eq_ignore_ascii_case(name) || host.eq_ignore_ascii_case(&with_port))
}

/// The part of a name that one owner has registered: by the public suffix list with its
/// private part, by its rule `*` where it does not know the suffix. In a cluster's own names
/// (`name.namespace.svc.…`) the owner is the namespace.
fn registrable(name: &str) -> Option<String> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let labels: Vec<_> = name.split('.').collect();
    if let Some(service) = labels.iter().position(|label| *label == "svc") {
        let known = psl::List.suffix(name.as_bytes()).is_some_and(|suffix| suffix.is_known());
        if !known {
            let namespace = service.checked_sub(1).filter(|namespace| *namespace > 0)?;
            return Some(labels[namespace..].join("."));
        }
    }
    psl::domain_str(&name).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::HostPolicy;
    use crate::evidence::NotSent;

    #[derive(Debug, PartialEq, Eq)]
    enum Goes {
        There,
        Foreign,
        Insecure,
        Nowhere,
    }

    #[track_caller]
    fn check(registry: &str, realm: &str, expected: &Goes) {
        let policy = HostPolicy {
            token_hosts: vec!["tokens.other.test".to_owned(), "port.test:8443".to_owned()],
            insecure_hosts: vec!["plain.test:5000".to_owned()],
            allow_loopback: true,
        };
        let registry = Url::parse(registry).unwrap();
        let goes = match policy.realm(realm, &registry, &["registries.stack.test".to_owned()]) {
            Ok(_) => Goes::There,
            Err(NotSent::ForeignRealm { .. }) => Goes::Foreign,
            Err(NotSent::InsecureRealm { .. }) => Goes::Insecure,
            Err(NotSent::BadRealm { .. }) => Goes::Nowhere,
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(goes, *expected, "{registry} -> {realm}");
    }

    #[test]
    fn credentials_stay_within_the_registrable_domain() {
        for (registry, realm, expected) in [
            ("https://registry-1.docker.io", "https://auth.docker.io/token", Goes::There),
            ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth", Goes::There),
            ("https://r.example.com", "https://R.EXAMPLE.com:8443/t", Goes::There),
            ("https://r.example.com", "https://auth.example.com/t", Goes::There),
            ("https://r.example.com", "https://example.com.evil.test/t", Goes::Foreign),
            ("https://r.example.com", "https://evilexample.com/t", Goes::Foreign),
            ("https://r.example.co.uk", "https://auth.other.co.uk/t", Goes::Foreign),
            // Two owners below one private suffix.
            ("https://a.github.io", "https://b.github.io/t", Goes::Foreign),
            ("https://a.blob.core.windows.net", "https://b.blob.core.windows.net/t", Goes::Foreign),
            ("https://a.azurecr.io", "https://b.azurecr.io/t", Goes::Foreign),
            ("https://a.azurecr.io", "https://a.azurecr.io:8443/t", Goes::There),
            ("https://a.westeurope.geo.azurecr.io", "https://a.azurecr.io/t", Goes::There),
            ("https://a.azurecr.io", "https://a.example.com/t", Goes::Foreign),
            ("https://a.azurecr.de", "https://b.azurecr.de/t", Goes::Foreign),
            (
                "https://a.azurecr.sovcloud-azure.fr",
                "https://b.azurecr.sovcloud-azure.fr",
                Goes::Foreign,
            ),
            ("https://a.azurecr.sovcloud-azure.fr", "https://a.x.sovcloud-azure.fr", Goes::Foreign),
            (
                "https://a.azurecr.sovcloud-azure.fr",
                "https://a.azurecr.sovcloud-azure.fr/t",
                Goes::There,
            ),
            ("https://a.registries.stack.test", "https://b.registries.stack.test/t", Goes::Foreign),
            (
                "https://a.registries.stack.test",
                "https://a.geo.registries.stack.test/t",
                Goes::There,
            ),
            ("https://r.corp.test", "https://tokens.other.test/t", Goes::There),
            ("https://r.corp.test", "https://tokens.other.test.evil.test/t", Goes::Foreign),
            ("https://r.corp.test", "https://port.test:8443/t", Goes::There),
            ("https://r.corp.test", "https://port.test/t", Goes::Foreign),
            ("https://10.0.0.5", "https://10.0.0.5:444/t", Goes::There),
            ("https://10.0.0.5", "https://10.0.0.6/t", Goes::Foreign),
            ("https://r.a.svc.cluster.local", "https://t.a.svc.cluster.local/t", Goes::There),
            ("https://r.a.svc.cluster.local", "https://t.b.svc.cluster.local/t", Goes::Foreign),
            ("https://registry", "https://registry/t", Goes::There),
            ("https://registry", "https://tokens/t", Goes::Foreign),
        ] {
            check(registry, realm, &expected);
        }
    }

    #[test]
    fn credentials_travel_over_tls() {
        for (registry, realm, expected) in [
            ("https://r.example.com", "http://r.example.com/t", Goes::Insecure),
            ("https://r.example.com", "http://evil.test/t", Goes::Foreign),
            ("http://plain.test:5000", "http://plain.test:5000/t", Goes::There),
            ("http://plain.test:5000", "http://plain.test:5001/t", Goes::Insecure),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/t", Goes::There),
            ("http://localhost:5000", "http://localhost:5001/t", Goes::There),
        ] {
            check(registry, realm, &expected);
        }
    }

    #[test]
    fn what_is_no_url_goes_nowhere() {
        for realm in [
            "",
            "/token",
            "r.example.com/t",
            "ftp://r.example.com",
            "https://",
            "https://u:p@r.example.com/t",
        ] {
            check("https://r.example.com", realm, &Goes::Nowhere);
        }
        let policy = HostPolicy::default();
        let registry = Url::parse("https://r.example.com").unwrap();
        let refused =
            format!("{:?}", policy.realm("https://u:hunter2@r.example.com/t", &registry, &[]));
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}
