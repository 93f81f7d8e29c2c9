//! Names become addresses, and say how.
//!
//! The system's `getaddrinfo` tells neither a name that does not exist from a resolver that
//! is ill, nor the aliases on the way; so the resolver is ours, on /etc/resolv.conf.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ServerOrderingStrategy};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use crate::access::azure::is_registry;

use super::PrepareError;
use super::address::{AddressPolicy, Refusal, is_localhost};
use super::protocol;

/// How many names are followed that lead to no address.
const DANGLING_MAX: usize = 4;

/// The resolver, and which addresses it may give out.
pub(super) struct Names {
    resolver: TokioResolver,
    /// The one server that is asked; unknown where the system has several.
    server: Option<String>,
    policy: AddressPolicy,
}

/// What a lookup found.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// The addresses that may be asked, in the resolver's order.
    pub(super) addresses: Vec<IpAddr>,
    /// The names to which the host leads, in order.
    pub(super) aliases: Vec<String>,
}

/// Why a lookup gave no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LookupError {
    /// The name does not exist, or has no address.
    NotFound {
        resolver: Option<String>,
        /// The names to which a registry of Azure leads all the same, in order.
        aliases: Vec<String>,
    },
    /// No answer, or one that says nothing of the name.
    Failed { detail: String },
    /// It has an address, and none that may be asked.
    Forbidden { address: IpAddr, refusal: Refusal },
}

impl fmt::Display for LookupError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { .. } => formatter.write_str("no such host"),
            Self::Failed { detail } => formatter.write_str(detail),
            Self::Forbidden { address, refusal } => write!(formatter, "{address} {refusal}"),
        }
    }
}

impl std::error::Error for LookupError {}

impl Names {
    /// The system's resolver, as /etc/resolv.conf has it now.
    pub(super) fn of_system(policy: AddressPolicy) -> Result<Self, PrepareError> {
        let (config, options) = hickory_resolver::system_conf::read_system_conf()
            .map_err(PrepareError::ReadResolverConfiguration)?;
        Self::new(config, options, policy)
    }

    /// A resolver that asks the servers of `config`.
    pub(super) fn new(
        config: hickory_resolver::config::ResolverConfig,
        mut options: hickory_resolver::config::ResolverOpts,
        policy: AddressPolicy,
    ) -> Result<Self, PrepareError> {
        // A remembered answer would have no duration, and hide that a name was mended.
        options.cache_size = 0;
        options.preserve_intermediates = true;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        // The order of resolv.conf, as Go's resolver and so containerd keeps it.
        options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
        let server = match config.name_servers() {
            [server] => Some(server.ip.to_string()),
            _ => None,
        };
        let provider = hickory_resolver::net::runtime::TokioRuntimeProvider::default();
        let resolver = TokioResolver::builder_with_config(config, provider)
            .with_options(options)
            .build()
            .map_err(PrepareError::BuildResolver)?;
        Ok(Self { resolver, server, policy })
    }

    /// The addresses of `host`, which is a name and no address, that may be asked.
    pub(super) async fn look_up(&self, host: &str) -> Result<Found, LookupError> {
        let Found { mut addresses, aliases } = self.find(host).await?;
        let first = addresses.first().copied();
        addresses.retain(|address| self.policy.refusal(host, *address).is_none());
        match first.and_then(|first| Some((first, self.policy.refusal(host, first)?))) {
            Some((address, refusal)) if addresses.is_empty() => {
                Err(LookupError::Forbidden { address, refusal })
            }
            Some(_) | None => Ok(Found { addresses, aliases }),
        }
    }

    /// All addresses of `host`: for a proxy or a mirror, which the operator has chosen.
    pub(super) async fn find(&self, host: &str) -> Result<Found, LookupError> {
        let none = |aliases| LookupError::NotFound { resolver: self.server.clone(), aliases };
        let found = if is_localhost(host) {
            // RFC 6761, 6.3: never a question to a resolver.
            let addresses = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            Found { addresses, aliases: Vec::new() }
        } else {
            match self.ask(host).await {
                Err(LookupError::NotFound { .. }) if is_registry(host.trim_end_matches('.')) => {
                    return Err(none(self.dangling(host).await));
                }
                result => result?,
            }
        };
        if found.addresses.is_empty() {
            return Err(none(found.aliases));
        }
        Ok(found)
    }

    async fn ask(&self, host: &str) -> Result<Found, LookupError> {
        let mut name = Name::from_str_relaxed(host)
            .map_err(|_| LookupError::NotFound { resolver: None, aliases: Vec::new() })?;
        // A registry's name is meant as it stands: with a pod's search list and ndots:5 it
        // would first be asked below the cluster's domain, which no node does.
        if host.contains('.') {
            name.set_fqdn(true);
        }
        let lookup = self.resolver.lookup_ip(name).await.map_err(|error| self.explain(&error))?;
        let mut found = Found::default();
        for record in lookup.as_lookup().answers() {
            match &record.data {
                RData::A(address) => found.addresses.push(IpAddr::V4(address.0)),
                RData::AAAA(address) => found.addresses.push(IpAddr::V6(address.0)),
                RData::CNAME(target) => {
                    let alias = protocol::clean(target.0.to_utf8().trim_end_matches('.'));
                    if !found.aliases.contains(&alias) && found.aliases.len() < 10 {
                        found.aliases.push(alias);
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// The names to which a name leads that has no address: a private endpoint's record that is
    /// missing is one of these (Azure Private Link, "DNS configuration").
    async fn dangling(&self, host: &str) -> Vec<String> {
        let mut aliases: Vec<String> = Vec::new();
        while aliases.len() < DANGLING_MAX {
            let name = aliases.last().map_or(host, String::as_str);
            let Ok(mut name) = Name::from_str_relaxed(name) else { break };
            name.set_fqdn(true);
            let Ok(lookup) = self.resolver.lookup(name, RecordType::CNAME).await else { break };
            let mut targets = lookup.answers().iter().filter_map(|record| match &record.data {
                RData::CNAME(target) => Some(target.0.to_utf8()),
                _ => None,
            });
            let alias = targets.next().map(|name| protocol::clean(name.trim_end_matches('.')));
            match alias {
                Some(alias) if !aliases.contains(&alias) => aliases.push(alias),
                Some(_) | None => break,
            }
        }
        aliases
    }

    fn explain(&self, error: &NetError) -> LookupError {
        let code = match error {
            NetError::Dns(DnsError::NoRecordsFound(records)) => records.response_code,
            NetError::Dns(DnsError::ResponseCode(code)) => *code,
            NetError::Timeout => {
                return LookupError::Failed { detail: self.said_by("timed out".to_owned()) };
            }
            other => return LookupError::Failed { detail: self.said_by(other.to_string()) },
        };
        match code {
            ResponseCode::NXDomain | ResponseCode::NoError => {
                LookupError::NotFound { resolver: self.server.clone(), aliases: Vec::new() }
            }
            ResponseCode::ServFail => self.failed("SERVFAIL"),
            ResponseCode::Refused => self.failed("REFUSED"),
            other => self.failed(other.to_str()),
        }
    }

    fn failed(&self, words: &str) -> LookupError {
        LookupError::Failed { detail: self.said_by(words.to_owned()) }
    }

    /// The same words with the resolver they are about, where that is known.
    fn said_by(&self, words: String) -> String {
        match &self.server {
            Some(server) => format!("{words}, resolver {server}"),
            None => words,
        }
    }
}
