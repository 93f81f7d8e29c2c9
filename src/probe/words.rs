//! Ends in a few words, for the step that they end.

use std::net::IpAddr;

use crate::evidence::told::{PullLimit, Unfit};
use crate::evidence::{End, Failure, NotSent};

/// An end in a few words, for its step.
pub(super) fn in_words(end: &End) -> String {
    match end {
        End::Served { digest, .. } => digest.clone().unwrap_or_else(|| "served".to_owned()),
        End::Challenged { scheme } => format!("401, {scheme:?}"),
        End::Answered { answer, .. } => {
            let error = answer.errors.first().map(|error| format!(" {}", error.code));
            format!("{}{}", answer.status, error.unwrap_or_default())
        }
        End::Unreachable { failure, .. } => failure_in_words(failure),
        End::NotSent { reason, .. } => match reason {
            NotSent::ForeignRealm { realm }
            | NotSent::InsecureRealm { realm }
            | NotSent::BadRealm { realm } => format!("not sent to {realm}"),
            NotSent::ForbiddenAddress { address, class } => format!("{address} is {class}"),
            NotSent::DeniedTarget { address } => bounded(*address, "denied"),
            NotSent::NotAllowedTarget { address } => bounded(*address, "not allowed"),
            NotSent::UnsupportedChallenge { schemes } => {
                format!(
                    "401, {}",
                    if schemes.is_empty() { "no challenge".to_owned() } else { schemes.join(", ") }
                )
            }
            NotSent::UnknownCloud { name } => format!("unknown Azure cloud name: {name}"),
            NotSent::NotAzure => "not sent: this is no registry of Azure".to_owned(),
            NotSent::NotVerified => "not sent: no certificate is checked here".to_owned(),
            NotSent::NotEncrypted => "not sent: this is plain HTTP".to_owned(),
            NotSent::BadRedirect { location } => format!("redirect to {location} not followed"),
        },
        End::Unfit { problem, .. } => match problem {
            Unfit::WebPage => "a web page (text/html)".to_owned(),
            Unfit::OtherPlatform { wanted, offered } => {
                let wanted =
                    wanted.as_ref().map_or_else(String::new, |node| format!("{node} among "));
                let offered =
                    if offered.is_empty() { "none".to_owned() } else { offered.join(", ") };
                format!("no {wanted}{offered}")
            }
            Unfit::NotAnImage { what, .. } => what.clone(),
            Unfit::Corrupted { promised, seen } => format!("{seen} in place of {promised}"),
        },
    }
}

/// A limit of pulls in a few words.
pub(super) fn of_limit(limit: &PullLimit) -> String {
    let window = limit.window.map_or_else(String::new, |seconds| format!(" in {seconds} s"));
    format!("{} of {} pulls left{window}", limit.remaining, limit.limit)
}

/// A failure in a few words, for the step that failed.
pub(super) fn failure_in_words(failure: &Failure) -> String {
    match failure {
        Failure::NameNotFound { .. } => "no such host".to_owned(),
        Failure::LookupFailed { detail }
        | Failure::NoRoute { detail }
        | Failure::Handshake { detail } => detail.clone(),
        Failure::Refused => "refused".to_owned(),
        Failure::TimedOut { millis, .. } => format!("no answer within {millis} ms"),
        Failure::Reset { .. } => "connection closed".to_owned(),
        Failure::Certificate { problem, seen } => {
            format!("certificate {problem:?}, issuer {}, until {}", seen.issuer, seen.not_after)
        }
        Failure::PlainHttp => "plain HTTP".to_owned(),
        Failure::NotHttp { detail } => format!("no HTTP: {detail}"),
        Failure::ProxyLoginWanted => "407, the proxy wants a login".to_owned(),
        Failure::TunnelRefused => "the proxy does not connect".to_owned(),
    }
}

fn bounded(address: Option<IpAddr>, how: &str) -> String {
    address.map_or_else(|| how.to_owned(), |address| format!("{address} is {how}"))
}
