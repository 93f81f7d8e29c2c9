//! A registry's firewall, which refuses whoever comes from an address that it does not know.

use std::net::IpAddr;

use crate::complaint::Complaint;
use crate::evidence::{Answer, Hop, Vantage};

use super::super::Subject;
use super::super::catalogue::Code;
use super::super::remedy::is_azure;
use super::texts;

/// Whether an answer is a firewall's, which says whom it refuses (Azure Container Registry:
/// `client with IP '…' is not allowed access`).
pub(in super::super) fn names_the_client(answer: &Answer) -> bool {
    texts(answer).any(is_said)
}

fn is_said(text: &str) -> bool {
    text.contains("client with IP") || text.contains("is not allowed access")
}

/// Whom the firewall refuses, as a clause.
pub(super) fn refusal(hop: &Hop, vantage: Vantage, answer: &Answer, said: &str) -> String {
    let who = match vantage {
        Vantage::Pod => "the pod network",
        Vantage::Node => "the node",
        Vantage::Here => "this machine",
    };
    match texts(answer).find_map(address) {
        Some(address) => {
            format!("{} refuses {address}, the address from which {who} leaves ({said})", hop.host)
        }
        None => format!("{} refuses the address from which {who} leaves ({said})", hop.host),
    }
}

/// How to let in the address that a firewall names, here or to the kubelet.
pub(super) fn let_in(subject: Subject<'_>, answer: &Answer) -> String {
    let remedy = subject.remedy(Code::NetworkRuleDenied, None);
    let of_kubelet = || {
        let words = subject.complaint.and_then(Complaint::words)?;
        Some(words).filter(|words| is_said(words)).and_then(address)
    };
    match texts(answer).find_map(address).or_else(of_kubelet) {
        Some(address) => remedy.replace("ADDRESS", &address.to_string()),
        None if is_azure(subject.registry().name()) => format!("{remedy} {TO_SEE_IT}"),
        None => remedy,
    }
}

const TO_SEE_IT: &str = "To see by which addresses the cluster leaves: az aks show -g GROUP -n CLUSTER --query networkProfile.loadBalancerProfile.effectiveOutboundIPs";

/// The address that a firewall names.
fn address(text: &str) -> Option<IpAddr> {
    text.split(['\'', '"', ' ']).find_map(|word| word.parse().ok())
}
