//! An engine behind TLS, which wants to see a certificate of its own authority.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::{Machine, looked_at, said};

/// An authority: its certificate, and what signs with it.
fn authority() -> (rcgen::Certificate, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    (certificate, Issuer::new(params, key))
}

fn issued(issuer: &Issuer<'static, KeyPair>) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    (params.signed_by(&key, issuer).unwrap(), key)
}

/// Starts an engine that shows a certificate of `issuer` and wants one of it.
fn engine(certificate: &rcgen::Certificate, issuer: &Issuer<'static, KeyPair>) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let wants = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let (own, key) = issued(issuer);
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(wants.build().unwrap())
        .with_single_cert(vec![own.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            let mut request = [0; 1024];
            // A client that is refused goes away.
            let Ok(length) = stream.read(&mut request) else { continue };
            assert!(request[..length].starts_with(b"GET /version "));
            let body = r#"{"Version":"27.3.1"}"#;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + body).as_bytes());
        }
    });
    address
}

#[test]
fn an_engine_behind_tls_is_asked_with_the_certificates_for_it() {
    let (certificate, issuer) = authority();
    let address = engine(&certificate, &issuer);
    let (own, key) = issued(&issuer);
    let machine = || {
        let machine = Machine::new().with("DOCKER_HOST", &format!("tcp://{address}"));
        machine.with("DOCKER_TLS_VERIFY", "1").with("DOCKER_CERT_PATH", "HOME/certificates")
    };
    let whole = machine()
        .with_file("certificates/ca.pem", &certificate.pem())
        .with_file("certificates/cert.pem", &own.pem())
        .with_file("certificates/key.pem", &key.serialize_pem());
    let document = whole.says(&[], 0, "");
    let detail = format!("tcp://{address} (DOCKER_HOST): Docker 27.3.1");
    assert_eq!(looked_at(&document, "Engine")["detail"], detail);
    let (other, _) = authority();
    let strange = machine().with_file("certificates/ca.pem", &other.pem());
    let (message, _) = said(&strange.says(&[], 1, "DockerUnavailable"));
    assert!(message.contains("UnknownIssuer") || message.contains("certificate"), "{message}");
    let (message, _) = said(&machine().says(&[], 1, "DockerUnavailable"));
    assert!(message.contains("certificates/ca.pem cannot be used"), "{message}");
}
