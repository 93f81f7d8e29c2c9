//! Who may speak for a host, and what its certificate says.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::evidence::{Certificate, CertificateProblem};
use crate::resolve::hosts::Endpoint;

use super::PrepareError;
use super::protocol::clean;
use super::trace::{Forgetful, Trace};

/// The authorities that are believed: the system's and the operator's.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    provider: Arc<CryptoProvider>,
    verifier: Arc<WebPkiServerVerifier>,
    /// The operator's certificates themselves, see [`Witness::verify`].
    named: Arc<[CertificateDer<'static>]>,
    /// Whether any certificate will do.
    skip_verify: bool,
    /// The certificate to show, with its key.
    identity: Option<Arc<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>>,
}

impl Trust {
    /// The system's authorities and those of `bundles`.
    pub(super) fn new(bundles: &[Vec<u8>]) -> Result<Self, PrepareError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        // A broken file among the system's must not take the others away.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let mut named = Vec::new();
        for bundle in bundles {
            for certificate in CertificateDer::pem_slice_iter(bundle) {
                let certificate = certificate.map_err(PrepareError::ReadCaBundle)?;
                roots.add(certificate.clone()).map_err(PrepareError::TakeCaCertificate)?;
                named.push(certificate);
            }
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(PrepareError::BuildVerifier)?;
        Ok(Self { provider, verifier, named: named.into(), skip_verify: false, identity: None })
    }

    /// The same for a server of which a hosts.toml says more.
    pub(super) fn at(self, endpoint: &Endpoint) -> Result<Self, PrepareError> {
        let identity = match &endpoint.identity {
            Some((certificate, key)) => {
                let chain: Result<Vec<_>, _> =
                    CertificateDer::pem_slice_iter(certificate).collect();
                let chain = chain.map_err(PrepareError::ReadIdentity)?;
                let key = PrivateKeyDer::from_pem_slice(key.expose());
                Some(Arc::new((chain, key.map_err(PrepareError::ReadIdentity)?)))
            }
            None => None,
        };
        Ok(Self { skip_verify: endpoint.skip_verify, identity, ..self })
    }

    /// The client's side of TLS, which tells the current trace what it sees.
    pub(super) fn client(&self) -> Result<rustls::ClientConfig, rustls::Error> {
        let witness = Witness { trust: self.clone() };
        let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(witness));
        let mut config = match self.identity.as_deref() {
            Some((chain, key)) => builder.with_client_auth_cert(chain.clone(), key.clone_key())?,
            None => builder.with_no_client_auth(),
        };
        config.resumption = rustls::client::Resumption::store(Arc::new(Forgetful));
        Ok(config)
    }
}

/// Writes down what a certificate says, and lets webpki judge it.
#[derive(Debug)]
struct Witness {
    trust: Trust,
}

impl Witness {
    /// Judges as containerd's Go would, where webpki differs:
    ///
    /// - Go looks at the dates, then at the name, then at the authority (crypto/x509,
    ///   `Certificate.Verify`); webpki looks at the name last. Of a certificate that is both for
    ///   another name and of an unknown authority, the name is the better hint.
    /// - webpki takes no authority's certificate for a server's. Go does, if the certificate
    ///   itself is among the trusted ones: registries with one home-made certificate are so.
    ///   webpki has checked the dates before it says so (`check_issuer_independent_properties`).
    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        name: &ServerName<'_>,
        verdict: Result<ServerCertVerified, rustls::Error>,
        is_authority: bool,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match verdict {
            Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                matches_name(leaf, name)?;
                verdict
            }
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_))) if is_authority => {
                matches_name(leaf, name)?;
                if self.trust.named.iter().any(|named| named.as_ref() == leaf.as_ref()) {
                    Ok(ServerCertVerified::assertion())
                } else {
                    Err(CertificateError::UnknownIssuer.into())
                }
            }
            Ok(_) | Err(_) => verdict,
        }
    }
}

fn matches_name(leaf: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), rustls::Error> {
    rustls::client::verify_server_name(&ParsedCertificate::try_from(leaf)?, name)
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let parsed = X509Certificate::from_der(end_entity).ok().map(|(_, parsed)| parsed);
        Trace::current().saw_certificate(parsed.as_ref().map(facts).unwrap_or_default());
        if self.trust.skip_verify {
            return Ok(ServerCertVerified::assertion());
        }
        let verdict = self.trust.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let is_authority = parsed.as_ref().is_some_and(|parsed| parsed.is_ca());
        self.verify(end_entity, server_name, verdict, is_authority)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trust.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trust.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.verifier.supported_verify_schemes()
    }
}

/// What a report needs of a certificate.
fn facts(certificate: &X509Certificate<'_>) -> Certificate {
    let validity = certificate.validity();
    Certificate {
        subject: clean(&certificate.subject().to_string()),
        issuer: clean(&certificate.issuer().to_string()),
        not_before: rfc3339(validity.not_before.timestamp()),
        not_after: rfc3339(validity.not_after.timestamp()),
        names: names(certificate),
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(clean(name)),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    });
    names.take(10).collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|v4| std::net::Ipv4Addr::from(v4).to_string()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|v6| std::net::Ipv6Addr::from(v6).to_string()),
        _ => None,
    }
}

fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| String::new(), |time| time.to_string())
}

/// What is wrong with a certificate that was refused.
pub(super) fn problem(error: &CertificateError) -> CertificateProblem {
    match error {
        CertificateError::UnknownIssuer => CertificateProblem::Untrusted,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateProblem::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateProblem::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateProblem::WrongName
        }
        _ => CertificateProblem::Invalid,
    }
}
