//! Why no answer came: the error chain of the HTTP client, read by type.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::IpAddr;

use crate::evidence::{Failure, StepName};

use super::address::Refusal;
use super::dns::LookupError;
use super::protocol::clean;
use super::tls;
use super::trace::Marks;

/// What an error of the client comes from.
#[derive(Debug)]
pub(super) enum Cause {
    Failure(Failure),
    /// The host has an address to which no probe goes.
    Forbidden {
        address: IpAddr,
        refusal: Refusal,
    },
    /// What answered the ClientHello is not TLS; what it is has to be looked at.
    NotTls {
        detail: String,
    },
}

/// What a proxy said that would not connect to a server. The type of this error has no name
/// outside of hyper-util (client/legacy/connect/proxy/tunnel.rs), so that only its words are left.
pub(super) fn of_tunnel(error: &(dyn Error + 'static)) -> Option<Failure> {
    let words = chain(error).map(ToString::to_string);
    let mut refusals = words.filter_map(|words| match words.strip_prefix("tunnel error: ")? {
        "proxy authorization required" => Some(Failure::ProxyLoginWanted),
        "unsuccessful" => Some(Failure::TunnelRefused),
        _ => None,
    });
    refusals.next()
}

/// Finds the cause of `error`, which came up during `step`.
pub(super) fn cause(error: &(dyn Error + 'static), step: StepName, marks: &Marks) -> Cause {
    if let Some(error) = find::<LookupError>(error) {
        return of_lookup(error);
    }
    if let Some(error) = find::<rustls::Error>(error) {
        return of_tls(error, step, marks);
    }
    if let Some(failure) = chain(error)
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .find_map(|error| of_io(error, step))
    {
        return Cause::Failure(failure);
    }
    if error.downcast_ref().is_some_and(reqwest::Error::is_timeout) {
        // Our patience with a connection ended; a resolver that is silent is one that is ill.
        return Cause::Failure(match step {
            StepName::Dns => Failure::LookupFailed { detail: "timed out".to_owned() },
            _ => Failure::TimedOut { during: step, millis: 0 },
        });
    }
    Cause::Failure(match find::<hyper::Error>(error) {
        Some(error) if error.is_parse() => Failure::NotHttp { detail: clean(&error.to_string()) },
        Some(error)
            if error.is_incomplete_message() || error.is_closed() || error.is_canceled() =>
        {
            Failure::Reset { during: step }
        }
        Some(_) | None => unknown(error, step),
    })
}

/// The words of the innermost error, for which we know no type.
fn unknown(error: &(dyn Error + 'static), step: StepName) -> Failure {
    let detail = chain(error).last().map_or_else(String::new, |last| clean(&last.to_string()));
    match step {
        StepName::Dns => Failure::LookupFailed { detail },
        StepName::Connect => Failure::NoRoute { detail },
        StepName::Tls => Failure::Handshake { detail },
        StepName::Identity
        | StepName::Exchange
        | StepName::Challenge
        | StepName::Token
        | StepName::Manifest
        | StepName::Platform
        | StepName::Config
        | StepName::Layer => Failure::NotHttp { detail },
    }
}

fn of_lookup(error: &LookupError) -> Cause {
    match error.clone() {
        LookupError::NotFound { resolver, aliases: _ } => {
            Cause::Failure(Failure::NameNotFound { resolver })
        }
        LookupError::Failed { detail } => Cause::Failure(Failure::LookupFailed { detail }),
        LookupError::Forbidden { address, refusal } => Cause::Forbidden { address, refusal },
    }
}

fn of_tls(error: &rustls::Error, step: StepName, marks: &Marks) -> Cause {
    let detail = clean(&error.to_string());
    match error {
        rustls::Error::InvalidCertificate(problem) => Cause::Failure(Failure::Certificate {
            problem: tls::problem(problem),
            seen: marks.certificate.clone().unwrap_or_default(),
        }),
        // The first record is none: any first byte that is no content type, any length that
        // no record has. Later it is a fault of a server that does speak TLS.
        rustls::Error::InvalidMessage(_)
            if step == StepName::Tls && marks.certificate.is_none() =>
        {
            Cause::NotTls { detail }
        }
        _ => Cause::Failure(Failure::Handshake { detail }),
    }
}

fn of_io(error: &io::Error, step: StepName) -> Option<Failure> {
    match error.kind() {
        ErrorKind::ConnectionRefused => Some(Failure::Refused),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        // A connection closed where more was due, in the handshake as well.
        | ErrorKind::UnexpectedEof => Some(Failure::Reset { during: step }),
        // The system's own patience with a connection ended before ours.
        ErrorKind::TimedOut => Some(Failure::TimedOut { during: step, millis: 0 }),
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable
        // A firewall of this machine refuses the packet.
        | ErrorKind::PermissionDenied => {
            Some(Failure::NoRoute { detail: clean(&error.to_string()) })
        }
        _ => None,
    }
}

fn find<'error, E: Error + 'static>(error: &'error (dyn Error + 'static)) -> Option<&'error E> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// An error and its causes. What is inside an `io::Error` is its cause here, although
/// `io::Error::source` passes over it.
fn chain<'error>(
    error: &'error (dyn Error + 'static),
) -> impl Iterator<Item = &'error (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error: &&'error (dyn Error + 'static)| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}
