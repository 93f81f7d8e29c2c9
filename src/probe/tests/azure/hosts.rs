//! How the hosts of a registry of Azure are looked up, and who is told what.

use crate::evidence::{End, Failure, Role, StepName};

use super::super::{World, names};
use super::{Azure, HOST, Request, Response, as_ever};

/// Where the registry has its blobs.
const DATA: &str = "shop.westeurope.data.azurecr.io";

fn to_data(request: &Request) -> Option<Response> {
    let is_blob = request.path().contains("/blobs/") && request.authorization().is_some();
    let location = format!("https://{DATA}:1/blob?sig=canary");
    is_blob.then(|| Response::new(307).with("Location", location))
}

#[tokio::test]
async fn hosts_are_looked_up_in_the_order_in_which_they_are_met() {
    let azure = Azure::new().await;
    azure.world.zone.is_alias(HOST, "shop.privatelink.azurecr.io");
    azure.world.zone.is_alias("shop.privatelink.azurecr.io", "r1.westeurope.cloudapp.azure.com");
    azure.world.zone.has("r1.westeurope.cloudapp.azure.com", &["127.0.0.1"]);
    let evidence = azure.probe().await;
    let [own] = &evidence.lookups[..] else { panic!("{:?}", evidence.lookups) };
    assert_eq!(own.host, HOST);
    assert_eq!(own.aliases[0], "shop.privatelink.azurecr.io");
    assert_eq!((own.aliases.len(), own.addresses.len()), (2, 1));
}

/// A private endpoint whose record is missing.
#[tokio::test]
async fn a_name_without_an_address_says_where_it_leads() {
    let azure = Azure::new().await;
    azure.world.zone.is_alias(HOST, "shop.privatelink.azurecr.io");
    let evidence = azure.probe().await;
    let End::Unreachable { failure: Failure::NameNotFound { .. }, .. } = evidence.opening.end
    else {
        panic!("{:?}", evidence.opening)
    };
    // check-acr looks the name up before it asks for a token.
    assert_eq!(names(&evidence.azure.unwrap().check_acr.unwrap()), [(StepName::Dns, false)]);
    assert_eq!(azure.metadata.seen().len(), 1);
    let [own] = &evidence.lookups[..] else { panic!("{:?}", evidence.lookups) };
    assert_eq!((own.host.as_str(), own.addresses.len()), (HOST, 0));
    assert_eq!(own.aliases, ["shop.privatelink.azurecr.io"]);
}

#[tokio::test]
async fn the_data_host_is_looked_up_after_the_registry() {
    let azure = Azure::with(as_ever, as_ever, to_data).await;
    azure.world.zone.is_alias(DATA, "shop.westeurope.data.privatelink.azurecr.io");
    let evidence = azure.probe().await;
    let End::Unreachable { hop, failure: Failure::NameNotFound { .. } } = &evidence.attempts[0].end
    else {
        panic!("{:?}", evidence.attempts)
    };
    assert_eq!(hop.role, Role::DataHost);
    let hosts: Vec<_> = evidence.lookups.iter().map(|lookup| lookup.host.as_str()).collect();
    assert_eq!(hosts, [HOST, DATA]);
    let data = &evidence.lookups[1];
    assert_eq!((data.aliases.len(), data.addresses.len()), (1, 0));

    azure.world.zone.has(DATA, &["127.0.0.1", "::1"]);
    let evidence = azure.probe().await;
    assert_eq!(evidence.lookups[1].addresses.len(), 2);
}

/// Azure is told for whom we ask, and nobody else.
#[tokio::test]
async fn another_registry_is_not_told_for_whom_we_ask() {
    let world = World::new().await;
    let registry = world.serve("registry.shop.test", |_| Response::image()).await;
    world.probe("registry.shop.test", &registry, &super::super::anonymous()).await;
    let seen = registry.seen();
    assert!(!seen.is_empty());
    for request in seen {
        assert!(request.headers["user-agent"].starts_with("registrycheck/"));
        assert!(!request.headers.contains_key("x-meta-source-client"));
    }
}
