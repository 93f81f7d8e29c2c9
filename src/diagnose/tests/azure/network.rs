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
fn a_private_name_with_a_public_address_is_the_cause_of_a_refusal() {
    let lookups = vec![lookup(REGISTRY, &[PRIVATE], Some([20, 62, 1, 1]))];
    let evidence = Evidence { lookups: lookups.clone(), ..closed() };
    let found = [(Code::PrivateLinkMisrouted, Certain), (Code::NetworkRuleDenied, Likely)];
    check(&evidence, NotPullable, &found);
    let says = [PRIVATE, "20.62.1.1", "not linked"];
    check_words(
        &evidence,
        Code::PrivateLinkMisrouted,
        &says,
        &["az network private-dns link vnet list"],
    );

    let pulls = Evidence { lookups, ..tried(azure(managed(), served(), None), served(), None) };
    let found = [(Code::PrivateLinkMisrouted, Certain), (Code::Pullable, Certain)];
    check(&pulls, Pullable, &found);
    assert_eq!(diagnosis(&pulls).findings[0].severity, Severity::Warning);

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
    let found = [(Code::PrivateLinkMisrouted, Certain), (Code::DnsNameNotFound, Likely)];
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
    let found = [(Code::PrivateLinkMisrouted, Certain), (Code::DataEndpointUnreachable, Likely)];
    check(&evidence, NotPullable, &found);
    check_words(&evidence, Code::PrivateLinkMisrouted, &[DATA, "20.62.1.2"], &remedy);
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
