//! What it means that a request was not sent, for a reason of ours.

use crate::api::Confidence;
use crate::evidence::NotSent;

use super::catalogue::Code;
use super::{Finding, Subject, setting};

/// What it means that a request was not sent.
pub(super) fn finding(subject: Subject<'_>, host: &str, reason: &NotSent) -> Finding {
    let registry = subject.registry();
    let open = |message: String, remedy: String| {
        Finding::new(Code::Inconclusive, Confidence::Possible, message, remedy)
    };
    match reason {
        NotSent::ForeignRealm { realm } => open(
            format!(
                "{registry} sends clients to the token service {realm}, outside its own domain; this probe sent no credential there"
            ),
            subject.fill(
                &setting::of_controller(
                    "If SERVICE is the registry's own token service, allow it beside those that are allowed already",
                    "tokenHosts={SERVICE}",
                    "--token-host SERVICE",
                ),
                &[("SERVICE", host)],
            ),
        ),
        NotSent::InsecureRealm { realm } => open(
            format!(
                "{registry} sends clients to the token service {realm}, which is not behind TLS; this probe sent no credential there"
            ),
            "Ask whoever runs the registry to serve its tokens over HTTPS.".to_owned(),
        ),
        NotSent::BadRealm { realm } => open(
            format!("the challenge of {registry} names a token service that is no URL: {realm}"),
            "Ask whoever runs the registry to correct the realm of its challenge.".to_owned(),
        ),
        NotSent::ForbiddenAddress { address, class } => Finding::new(
            Code::ProbeSkipped,
            Confidence::Certain,
            format!("{host} has the address {address}, which is {class}; no probe goes there"),
            "If this is a registry of yours, give it an address in the network.".to_owned(),
        ),
        NotSent::UnsupportedChallenge { schemes } => {
            let offered = if schemes.is_empty() {
                "without saying which kind".to_owned()
            } else {
                format!("of the kind {}", schemes.join(" or "))
            };
            let mut finding = open(
                format!(
                    "{registry} wants a credential {offered}, and the container runtime has only Basic and Bearer to offer"
                ),
                "Ask whoever runs the registry to offer Basic or Bearer.".to_owned(),
            );
            finding.confidence = Confidence::Likely;
            finding
        }
        NotSent::UnknownCloud { name } => open(
            format!(
                "that check knows no cloud {name}, which azure.json names, and ends before it asks for a token"
            ),
            String::new(),
        ),
        NotSent::NotAzure => open(
            format!("{host} is no registry of Azure, so the identity's token was not sent there"),
            "Name the registry by its login server, such as NAME.azurecr.io.".to_owned(),
        ),
        NotSent::NotVerified => open(
            format!(
                "the hosts.toml for {registry} has skip_verify, so that any server can stand for {host}; the identity's token was not sent there"
            ),
            "Take skip_verify out of it and name the authority of the certificate with ca."
                .to_owned(),
        ),
        NotSent::NotEncrypted => open(
            format!(
                "{host} is asked over plain HTTP, where anybody on the way can read a password; this probe sent none there"
            ),
            format!("Serve {host} over HTTPS, and write https:// for it in the hosts.toml."),
        ),
        NotSent::BadRedirect { location } => open(
            format!("{host} redirects to {location}, which was not followed"),
            "Ask whoever runs the registry where its redirects should lead.".to_owned(),
        ),
    }
}
