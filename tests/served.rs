//! Registries that a harness itself serves: at the ground's addresses, with names and certificates of
//! the ground.

use std::net::{Ipv4Addr, SocketAddr};

use axum_server::tls_rustls::RustlsConfig;
use rcgen::{CertificateParams, Issuer, KeyPair};
use serde_json::{Value, json};

use crate::played::{Played, play};

/// Gives these hosts, by their places, the addresses at which they are to be served.
pub(crate) fn name(hosts: impl Iterator<Item = String>) -> Played {
    let hosts: Vec<Value> =
        hosts.map(|name| json!({"name": name, "case": name, "transport": "refused"})).collect();
    play("misbehave", "misbehave.json", &json!(hosts))
}

/// The address of the host at a place.
pub(crate) fn address(place: usize) -> SocketAddr {
    let first = u32::from(Ipv4Addr::new(10, 0, 4, 1));
    (Ipv4Addr::from(first + u32::try_from(place).unwrap()), 443).into()
}

/// The TLS of a host.
pub(crate) async fn tls(host: String, issuer: &Issuer<'static, KeyPair>) -> RustlsConfig {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new([host]).unwrap().signed_by(&key, issuer).unwrap().der().to_vec();
    RustlsConfig::from_der(vec![certificate], key.serialize_der()).await.unwrap()
}
