//! The endpoints of a registry of Azure: private zones, data hosts, regions.

use super::*;

fn lookup(host: &str, aliases: &[&str], address: Option<[u8; 4]>) -> Lookup {
    Lookup {
        host: host.to_owned(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        addresses: address.into_iter().map(Into::into).collect(),
    }
}

const REGISTRY: &str = "myreg.azurecr.io";
const DATA: &str = "myreg.eastus.data.azurecr.io";
const PRIVATE: &str = "myreg.privatelink.azurecr.io";

fn closed() -> Evidence {
    let words = "client with IP '20.1.2.3' is not allowed access.";
    let end = at(Role::Registry, StepName::Challenge, answer(403, "DENIED", words));
    Evidence { opening: attempt(None, end), ..at_azure() }
}

#[test]
fn a_private_name_with_a_public_address_may_be_the_cause_of_a_refusal() {
    let lookups = vec![lookup(REGISTRY, &[PRIVATE], Some([20, 62, 1, 1]))];
    let evidence = Evidence { lookups: lookups.clone(), ..closed() };
    let found = [(Code::NetworkRuleDenied, Certain), (Code::PrivateLinkMisrouted, Likely)];
    check(&evidence, NotPullable, &found);
    let told = &diagnosis(&evidence).findings[1];
    for words in [PRIVATE, "20.62.1.1", "not linked"] {
        assert!(told.message.contains(words), "{}", told.message);
    }
    let remedy = "If this network is meant to use the private endpoint, link the private DNS zone to it: az network private-dns link vnet create -g GROUP -z privatelink.azurecr.io ";
    assert!(told.remedy.starts_with(remedy), "{}", told.remedy);

    let pulls = Evidence { lookups, ..tried(azure(managed(), served(), None), served(), None) };
    let found = [(Code::Pullable, Certain), (Code::PrivateLinkMisrouted, Likely)];
    check(&pulls, Pullable, &found);
    assert_eq!(diagnosis(&pulls).findings[1].severity, Severity::Info);

    let linked = vec![lookup(REGISTRY, &[PRIVATE], Some([10, 1, 2, 4]))];
    check(
        &Evidence { lookups: linked, ..closed() },
        NotPullable,
        &[(Code::NetworkRuleDenied, Certain)],
    );
}

#[test]
fn a_private_name_without_an_address_lacks_its_record() {
    let failure = Failure::NameNotFound { resolver: None };
    let end =
        End::Unreachable { hop: Hop { host: REGISTRY.to_owned(), ..hop(Role::Registry) }, failure };
    let lookups = vec![lookup(REGISTRY, &[PRIVATE], None)];
    let evidence = Evidence { opening: attempt(None, end), lookups, ..at_azure() };
    let found = [(Code::PrivateLinkMisrouted, Certain), (Code::DnsNameNotFound, Certain)];
    check(&evidence, NotPullable, &found);
    let remedy = ["add-record -g GROUP -z privatelink.azurecr.io -n myreg -a ADDRESS"];
    check_words(&evidence, Code::PrivateLinkMisrouted, &[PRIVATE, "record myreg"], &remedy);
}

fn cut_off(failure: Failure) -> Evidence {
    let end =
        End::Unreachable { hop: Hop { host: DATA.to_owned(), ..hop(Role::DataHost) }, failure };
    tried(azure(managed(), served(), None), end, Some(&["pull"]))
}

#[test]
fn a_missing_record_of_the_data_is_named() {
    let own = lookup(REGISTRY, &[PRIVATE], Some([10, 1, 2, 4]));
    let gone = cut_off(Failure::NameNotFound { resolver: None });
    let evidence = Evidence { lookups: vec![own.clone(), lookup(DATA, &[], None)], ..gone };
    check(&evidence, NotPullable, &[(Code::DataEndpointUnreachable, Certain)]);
    let says = ["privatelink.azurecr.io lacks the record myreg.eastus.data"];
    let remedy = [
        "az network private-dns record-set a add-record -g GROUP -z privatelink.azurecr.io -n myreg.eastus.data -a ADDRESS",
    ];
    check_words(&evidence, Code::DataEndpointUnreachable, &says, &remedy);

    let silent = cut_off(Failure::TimedOut { during: StepName::Connect, millis: 5_000 });
    let lookups = vec![own, lookup(DATA, &[], Some([20, 62, 1, 2]))];
    let evidence = Evidence { lookups, ..silent };
    let found = [(Code::DataEndpointUnreachable, Certain), (Code::PrivateLinkMisrouted, Likely)];
    check(&evidence, NotPullable, &found);
    let told = &diagnosis(&evidence).findings[1];
    assert!(told.message.contains(DATA) && told.message.contains("20.62.1.2"), "{}", told.message);
    assert!(told.remedy.contains(remedy[0]), "{}", told.remedy);

    let plain = |failure, aliases: &[&str]| {
        let own = lookup(REGISTRY, aliases, Some([10, 1, 2, 4]));
        Evidence { lookups: vec![own, lookup(DATA, &[], None)], ..cut_off(failure) }
    };
    for evidence in [
        plain(Failure::LookupFailed { detail: "SERVFAIL".to_owned() }, &[PRIVATE]),
        plain(Failure::NameNotFound { resolver: None }, &[]),
    ] {
        let told = &diagnosis(&evidence).findings[0];
        assert!(!told.message.contains("lacks the record"), "{}", told.message);
    }
}

/// Its node may leave by another address, and the kubelet's bare 403 says of none.
#[test]
fn what_a_pod_meets_on_the_way_is_certain_where_the_kubelet_says_it() {
    let evidence = Evidence { vantage: Vantage::Pod, ..closed() };
    check(&evidence, NotPullable, &[(Code::NetworkRuleDenied, Likely)]);
    let confidence = |cause: &str| {
        let complaint = Complaint::PullFailed { cause: cause.to_owned() };
        let subject =
            Subject { namespace: "shop", image: &evidence.image, complaint: Some(&complaint) };
        diagnose(subject, &evidence).findings[0].confidence
    };
    let bare = "failed to pull and unpack image \"myreg.azurecr.io/shop/api:1\": failed to resolve reference \"myreg.azurecr.io/shop/api:1\": unexpected status from HEAD request to https://myreg.azurecr.io/v2/shop/api/manifests/1: 403 Forbidden";
    assert_eq!(confidence(bare), Likely);
    let named = "denied: client with IP '20.1.2.3' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.";
    assert_eq!(confidence(named), Certain);
}

/// Some answer in words of their own.
#[test]
fn a_firewall_that_speaks_in_its_body_is_heard_too() {
    let body = Some("client with IP '20.1.2.3' is not allowed access.".to_owned());
    let words = Answer { status: 403, body, ..Answer::default() };
    let opening = attempt(None, at(Role::Registry, StepName::Challenge, words));
    let says = ["myreg.azurecr.io refuses 20.1.2.3, the address from which this machine leaves"];
    let evidence = Evidence { opening, ..at_azure() };
    check_words(&evidence, Code::NetworkRuleDenied, &says, &["--ip-address 20.1.2.3"]);
}

#[test]
fn another_region_is_worth_a_word_and_never_more() {
    let chain = |region: &str| {
        let last = format!("r1209.{region}.cloudapp.azure.com.");
        vec![lookup(REGISTRY, &["a.trafficmanager.net", &last], Some([20, 62, 1, 1]))]
    };
    let pulls =
        |lookups| Evidence { lookups, ..tried(azure(managed(), served(), None), served(), None) };
    check(&pulls(chain("eastus")), Pullable, &[(Code::Pullable, Certain)]);
    let far = pulls(chain("westeurope"));
    check(&far, Pullable, &[(Code::Pullable, Certain), (Code::RegistryInOtherRegion, Certain)]);
    let told = &diagnosis(&far).findings[1];
    assert_eq!(told.severity, Severity::Info);
    assert!(told.message.contains("westeurope") && told.message.contains("eastus"));
    let mut spaced = pulls(chain("eastus"));
    spaced.azure.as_mut().unwrap().node_location = Some("East US".to_owned());
    check(&spaced, Pullable, &[(Code::Pullable, Certain)]);
}
