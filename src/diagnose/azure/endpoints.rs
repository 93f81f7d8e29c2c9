//! The endpoints of a registry of Azure: its login server and its data, in private zones and in
//! regions.

use std::net::IpAddr;

use crate::api::{Confidence, Severity};
use crate::evidence::told::Lookup;
use crate::evidence::{End, Evidence, Failure};

use super::super::catalogue::Code;
use super::super::{Finding, Subject, Verdict};

/// What the names of the registry's endpoints say, beside what else was found.
pub(in super::super) fn findings(subject: Subject<'_>, evidence: &Evidence) -> Vec<Finding> {
    other_region(subject, evidence).into_iter().collect()
}

/// Where names of private endpoints lead astray. It may be the cause where a pull ends on that way.
pub(in super::super) fn misrouted(
    subject: Subject<'_>,
    evidence: &Evidence,
    verdict: Verdict,
    findings: &mut Vec<Finding>,
) {
    let own = evidence.lookups.iter().find(|lookup| lookup.host == subject.registry().name());
    let Some(own) = own else { return };
    if let Some(address) = own.addresses.iter().find(|address| is_public(**address))
        && let Some(name) = private_name(own)
    {
        let message = format!(
            "{} leads to {name}, the name of its private endpoint, and that to {address}, which is a public address: its private DNS zone is not linked to this network, as in every network that is not meant to use the endpoint",
            own.host
        );
        let remedy = subject.remedy_at(Code::PrivateLinkMisrouted, &own.host);
        let finding = finding(message, remedy);
        lead(verdict, findings, finding, |other| other.hop.is_none());
    }
    if let (true, Some(name)) = (is_unknown(evidence, Some(&own.host)), private_name(own)) {
        let (record, domain) = own.host.split_once('.').unwrap_or((&own.host, "azurecr.io"));
        let record = Record { name: record.to_owned(), zone: format!("privatelink.{domain}") };
        let message = format!(
            "{} leads to {name}, the name of its private endpoint, which has no address here: the private DNS zone {} lacks the record {}",
            own.host, record.zone, record.name
        );
        let confidence = subject.confidence(Code::PrivateLinkMisrouted, &own.host);
        let finding = Finding { confidence, ..finding(message, record.remedy(subject)) };
        lead(verdict, findings, finding, |other| other.hop.is_none());
    }
    let is_private =
        !own.addresses.is_empty() && own.addresses.iter().all(|address| !is_public(*address));
    if !is_private || private_name(own).is_none() {
        return;
    }
    for other in findings.iter_mut().filter(|other| other.code == Code::DataEndpointUnreachable) {
        let Some(record) = other.hop.as_deref().and_then(Record::of) else { continue };
        if is_unknown(evidence, other.hop.as_deref()) {
            other.message = format!(
                "{}; {} has a private address, and the private DNS zone {} lacks the record {} of its data endpoint",
                other.message, own.host, record.zone, record.name
            );
            other.remedy = record.remedy(subject);
        }
    }
    let data = evidence.lookups.iter().find_map(|lookup| {
        let record = Record::of(&lookup.host)?;
        let address = lookup.addresses.iter().find(|address| is_public(**address))?;
        Some((lookup, record, address))
    });
    if let Some((lookup, record, address)) = data {
        let message = format!(
            "{} has a private address and {}, from which its layers come, the public one {address}, as where the private DNS zone {} has no record {}",
            own.host, lookup.host, record.zone, record.name
        );
        let finding = finding(message, record.remedy(subject)).at_hop(Some(lookup.host.clone()));
        lead(verdict, findings, finding, |other| other.hop.as_ref() == Some(&lookup.host));
    }
}

/// Whether a name is said not to exist, rather than not looked up.
fn is_unknown(evidence: &Evidence, host: Option<&str>) -> bool {
    let walks = evidence.attempts.iter().chain(&evidence.anonymous).chain([&evidence.opening]);
    walks.map(|walk| &walk.end).any(|end| {
        matches!(
            end,
            End::Unreachable { hop, failure: Failure::NameNotFound { .. } }
                if Some(hop.host.as_str()) == host
        )
    })
}

/// Not certain: the aliases are the same in every network, and only whoever made the private
/// endpoint knows which networks are to use it.
fn finding(message: String, remedy: String) -> Finding {
    Finding::new(Code::PrivateLinkMisrouted, Confidence::Likely, message, remedy)
}

/// Puts what is wrong with a name beside what came of it on the way there, or beside a pull that
/// gets by.
fn lead(
    verdict: Verdict,
    findings: &mut Vec<Finding>,
    finding: Finding,
    is_there: impl Fn(&Finding) -> bool,
) {
    let is_of_way = |other: &Finding| {
        other.severity == Severity::Error && is_of_the_way(other.code) && is_there(other)
    };
    let severity = match verdict {
        Verdict::Pullable => Severity::Info,
        Verdict::NotPullable | Verdict::Undecided if findings.iter().any(is_of_way) => {
            Severity::Error
        }
        Verdict::NotPullable | Verdict::Undecided => Severity::Warning,
    };
    findings.insert(0, Finding { severity, ..finding });
}

/// Whether a finding is what a wrong address leads to.
fn is_of_the_way(code: Code) -> bool {
    [
        Code::DnsNameNotFound,
        Code::NetworkRuleDenied,
        Code::AccessForbidden,
        Code::ConnectionTimeout,
        Code::ConnectionRefused,
        Code::ConnectionReset,
        Code::TlsHandshakeFailed,
        Code::DataEndpointUnreachable,
    ]
    .contains(&code)
}

/// The record that a private zone has for the data of a registry (Azure Container Registry,
/// "Set up Private Link", "Configure private DNS zone").
struct Record {
    name: String,
    zone: String,
}

impl Record {
    /// Of `myreg.eastus.data.azurecr.io`: `myreg.eastus.data` in `privatelink.azurecr.io`.
    fn of(host: &str) -> Option<Self> {
        let (name, domain) = host.split_once(".data.")?;
        domain
            .starts_with("azurecr.")
            .then(|| Self { name: format!("{name}.data"), zone: format!("privatelink.{domain}") })
    }

    fn remedy(&self, subject: Subject<'_>) -> String {
        subject.fill(ADD_RECORD, &[("RECORD", &self.name)])
    }
}

const ADD_RECORD: &str = "Add the record with the address that the private endpoint has for it: az network private-dns record-set a add-record -g GROUP -z ZONE -n RECORD -a ADDRESS. To see those addresses: az network private-endpoint show -g GROUP -n ENDPOINT --query customDnsConfigs. To see what a node sees: nslookup RECORD.ZONE";

/// The name in a private zone to which a host leads.
fn private_name(lookup: &Lookup) -> Option<&str> {
    let mut names = lookup.aliases.iter().map(String::as_str);
    names.find(|name| name.split('.').any(|label| label == "privatelink"))
}

/// Whether an address is one of the internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            let is_shared = four.octets()[0] == 100 && (64..128).contains(&four.octets()[1]);
            !(four.is_private() || four.is_loopback() || four.is_link_local() || is_shared)
        }
        IpAddr::V6(six) => {
            !(six.is_unique_local() || six.is_loopback() || six.is_unicast_link_local())
        }
    }
}

/// Whether the registry answers from another region than the node's (aks-canipull v0.1.0,
/// `main.go`, which reads the region from the same name).
fn other_region(subject: Subject<'_>, evidence: &Evidence) -> Option<Finding> {
    let node = evidence.azure.as_ref()?.node_location.as_ref()?;
    let own = evidence.lookups.iter().find(|lookup| lookup.host == subject.registry().name())?;
    let region = own.aliases.iter().find_map(|alias| region(alias))?;
    if in_short(region) == in_short(node) {
        return None;
    }
    let message = format!(
        "{} answers from {region} and the node is in {node}: pulls may be slow, and their traffic be charged for",
        subject.registry()
    );
    let code = Code::RegistryInOtherRegion;
    Some(Finding::new(code, Confidence::Certain, message, subject.remedy(code, None)))
}

/// The region in the name of a public address: `eastus` of `r1.eastus.cloudapp.azure.com`.
fn region(name: &str) -> Option<&str> {
    let suffixes = [".cloudapp.azure.com", ".chinacloudapp.cn", ".usgovcloudapp.net"];
    let name = name.trim_end_matches('.');
    let rest = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix))?;
    rest.rsplit('.').next()
}

/// `eastus` of `East US`.
fn in_short(location: &str) -> String {
    location.to_ascii_lowercase().replace(' ', "")
}
