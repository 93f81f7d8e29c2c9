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
    /// The names to which the host leads that has no address.
    pub(super) dangling: Vec<String>,
    pub(super) greeted: Option<Instant>,
    pub(super) certificate: Option<Certificate>,
    pub(super) connected: Option<Instant>,
}

tokio::task_local! {
    /// The trace of the question that is being asked. Each question has one of its own, although
    /// all of a probe share the parts of one client, and some are asked side by side.
    static CURRENT: Trace;
}

/// The marks of one question.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    marks: Arc<Mutex<Marks>>,
    is_chosen: bool,
}

impl Trace {
    /// The trace of a question; whether what is dialled for it is of the operator's choice.
    pub(super) fn new(is_chosen: bool) -> Self {
        Self { marks: Arc::default(), is_chosen }
    }

    /// Whether nobody but the operator has chosen what is dialled: a proxy, or a mirror.
    pub(super) fn is_chosen(&self) -> bool {
        self.is_chosen
    }

    /// The trace of the question for which this is called; one that nobody reads where there is
    /// none.
    pub(super) fn current() -> Self {
        CURRENT.try_with(Clone::clone).unwrap_or_default()
    }

    /// Does what tells this trace.
    pub(super) fn watch<F: Future>(&self, doing: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self.clone(), doing)
    }

    pub(super) fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was seen.
    pub(super) fn read(&self) -> Marks {
        self.marks().clone()
    }

    pub(super) fn saw_certificate(&self, certificate: Certificate) {
        self.marks().certificate = Some(certificate);
    }
}

/// The session store: it remembers nothing, and tells the current trace when it is asked.
#[derive(Debug)]
pub(super) struct Forgetful;

impl ClientSessionStore for Forgetful {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        Trace::current().marks().greeted.get_or_insert_with(Instant::now);
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
