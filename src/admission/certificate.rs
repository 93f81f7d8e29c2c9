//! The certificate of the webhook: made here, and good for some months.
//!
//! The authority signs one certificate and is forgotten; what trusts it is its own certificate
//! alone. So a renewal is a new authority, and for a while both are trusted.

use std::sync::Arc;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::secret::Secret;

/// For how long a certificate is good, in days.
const DAYS: i64 = 90;
/// After which part of its time it is renewed.
const RENEWED_AFTER: f64 = 2.0 / 3.0;
/// How many authorities are trusted: that of the certificate, and the one before it.
const AUTHORITIES_MAX: usize = 2;

/// A certificate with its key, and who is to be trusted meanwhile. All as PEM.
#[derive(Clone, Debug)]
pub(super) struct Material {
    /// The authorities, that of the certificate first.
    pub(super) authorities: String,
    /// The certificate.
    pub(super) certificate: String,
    /// Its key.
    pub(super) key: Secret,
}

/// A certificate could not be made or used.
#[derive(Debug, Error)]
pub(super) enum Error {
    /// It could not be made.
    #[error("cannot make a certificate")]
    Make(#[source] rcgen::Error),
    /// It is not PEM, or lacks a part.
    #[error("cannot read the certificate")]
    Read(#[source] rustls::pki_types::pem::Error),
    /// Certificate and key do not fit.
    #[error("cannot use the certificate")]
    Use(#[source] rustls::Error),
}

impl Material {
    /// A new certificate for the host `name`, good from the day before `now`; clocks differ.
    /// `before` are the authorities that stay trusted.
    pub(super) fn make(name: &str, before: &str, now: Timestamp) -> Result<Self, Error> {
        let (from, until) = (day(now, -1), day(now, DAYS));
        let authority = || {
            let key = KeyPair::generate()?;
            let mut params = CertificateParams::new(Vec::new())?;
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.distinguished_name.push(DnType::CommonName, "registrycheck webhook");
            (params.not_before, params.not_after) = (from, until);
            let certificate = params.self_signed(&key)?.pem();
            let issuer = Issuer::new(params, key);
            let key = KeyPair::generate()?;
            let mut params = CertificateParams::new(vec![name.to_owned()])?;
            params.distinguished_name.push(DnType::CommonName, name);
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            (params.not_before, params.not_after) = (from, until);
            let signed = params.signed_by(&key, &issuer)?.pem();
            Ok((certificate, signed, Secret::new(key.serialize_pem())))
        };
        let (authority, certificate, key) = authority().map_err(Error::Make)?;
        let kept = blocks(before).take(AUTHORITIES_MAX - 1);
        let authorities = std::iter::once(authority.as_str()).chain(kept).collect::<String>();
        Ok(Self { authorities, certificate, key })
    }

    /// Whether another one is to be made: it cannot be used, is for another host, or most of its
    /// time has passed.
    pub(super) fn is_due(&self, name: &str, now: Timestamp) -> bool {
        let is_good = || {
            self.server().ok()?;
            let der = CertificateDer::from_pem_slice(self.certificate.as_bytes()).ok()?;
            let (_, certificate) = X509Certificate::from_der(&der).ok()?;
            let names = certificate.subject_alternative_name().ok()??;
            let is_for = names.value.general_names.iter().any(|found| {
                matches!(found, x509_parser::extensions::GeneralName::DNSName(found) if *found == name)
            });
            let (from, until) = (
                certificate.validity().not_before.timestamp(),
                certificate.validity().not_after.timestamp(),
            );
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                reason = "seconds of some months"
            )]
            let renewal = from + ((until - from) as f64 * RENEWED_AFTER) as i64;
            Some(is_for && (from..renewal).contains(&now.as_second()))
        };
        !is_good().unwrap_or(false)
    }

    /// What a server shows.
    pub(super) fn server(&self) -> Result<Arc<ServerConfig>, Error> {
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(self.certificate.as_bytes()).collect();
        let key = PrivateKeyDer::from_pem_slice(self.key.expose()).map_err(Error::Read)?;
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain.map_err(Error::Read)?, key)
            .map_err(Error::Use)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// The certificates of a text, each with its marks; what else is in it is left out.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    const END: &str = "-----END CERTIFICATE-----\n";
    let blocks = text.split_inclusive(END).filter(|block| block.ends_with(END));
    blocks.filter_map(|block| block.find("-----BEGIN CERTIFICATE-----").map(|from| &block[from..]))
}

/// The beginning of the day so many days from `now`.
fn day(now: Timestamp, days: i64) -> time::OffsetDateTime {
    let seconds = now.as_second() + days * 24 * 3600;
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "registrycheck-webhook.registrycheck.svc";

    fn at(days: i64) -> Timestamp {
        Timestamp::from_second(1_764_158_400 + days * 24 * 3600).unwrap()
    }

    fn prepare() {
        let _other = rustls::crypto::ring::default_provider().install_default();
    }

    #[test]
    fn a_certificate_is_good_for_two_thirds_of_its_time() {
        prepare();
        let made = Material::make(NAME, "", at(0)).unwrap();
        for (name, days, is_due) in [
            (NAME, 0, false),
            (NAME, 59, false),
            (NAME, 61, true),
            (NAME, 100, true),
            // A clock that was set back.
            (NAME, -2, true),
            ("another.registrycheck.svc", 0, true),
        ] {
            assert_eq!(made.is_due(name, at(days)), is_due, "{name} {days}");
        }
    }

    #[test]
    fn what_somebody_broke_is_made_anew() {
        prepare();
        let made = Material::make(NAME, "", at(0)).unwrap();
        let other = Material::make(NAME, "", at(0)).unwrap();
        for broken in [
            Material { certificate: String::new(), ..made.clone() },
            Material { certificate: "no certificate".to_owned(), ..made.clone() },
            Material { key: Secret::new("no key"), ..made.clone() },
            Material { key: other.key, ..made },
        ] {
            assert!(broken.is_due(NAME, at(0)), "{broken:?}");
        }
    }

    #[test]
    fn the_authority_before_stays_trusted_and_no_older_one() {
        prepare();
        let mut authorities = "something else\n".to_owned();
        let mut before = String::new();
        for day in 0..3 {
            let made = Material::make(NAME, &authorities, at(day)).unwrap();
            let kept: Vec<&str> = blocks(&made.authorities).collect();
            assert_eq!(kept.len(), if day == 0 { 1 } else { 2 });
            if day > 0 {
                assert_eq!(kept[1], before);
            }
            kept[0].clone_into(&mut before);
            authorities = made.authorities;
        }
    }

    #[test]
    fn the_key_is_not_shown() {
        let made = Material::make(NAME, "", at(0)).unwrap();
        let key = String::from_utf8_lossy(made.key.expose()).into_owned();
        let inner = key.lines().nth(1).unwrap().to_owned();
        assert!(!format!("{made:?}").contains(&inner));
    }
}
