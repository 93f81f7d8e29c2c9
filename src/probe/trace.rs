//! The times of a connection's parts, as its parts tell them.
//!
//! | mark        | who tells                                                              |
//! |-------------|------------------------------------------------------------------------|
//! | dialled     | a layer around reqwest's connector, called when a connection is needed |
//! | looked up   | our resolver, which reqwest calls first                                |
//! | greeted     | rustls asks its session store for a hint when it writes the            |
//! |             | ClientHello, which is right after TCP has connected                    |
//! | certificate | our verifier                                                           |
//! | connected   | the layer again, when the connector returns: after TCP or after TLS    |
//!
//! The session store remembers nothing: each handshake is a whole one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

use crate::evidence::Certificate;

use super::dns::Found;

/// What is known of the connection that was made last.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    pub(super) dialled: Option<Instant>,
    pub(super) looked_up: Option<Instant>,
    pub(super) found: Option<Found>,
    pub(super) greeted: Option<Instant>,
    pub(super) certificate: Option<Certificate>,
    pub(super) connected: Option<Instant>,
}

/// The marks of one probe, shared with the parts of its client.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace(Arc<Mutex<Marks>>);

impl Trace {
    pub(super) fn marks(&self) -> MutexGuard<'_, Marks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the connection before; returns nothing of it.
    pub(super) fn clear(&self) {
        *self.marks() = Marks::default();
    }

    /// What was seen since the last [`Trace::clear`].
    pub(super) fn read(&self) -> Marks {
        self.marks().clone()
    }

    pub(super) fn saw_certificate(&self, certificate: Certificate) {
        self.marks().certificate = Some(certificate);
    }
}

impl ClientSessionStore for Trace {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.marks().greeted.get_or_insert_with(Instant::now);
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}
