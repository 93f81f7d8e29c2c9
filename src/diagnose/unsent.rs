//! What it means that a request was not sent, for a reason of ours.

use std::net::IpAddr;

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
        NotSent::DeniedTarget { address } => denied(host, *address),
        NotSent::NotAllowedTarget { address } => not_allowed(subject, host, *address),
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

/// The operator wants it so; whoever looks at the check may not know.
fn denied(host: &str, address: Option<IpAddr>) -> Finding {
    let place = place(host, address, "is a host");
    Finding::new(
        Code::ProbeSkipped,
        Confidence::Certain,
        format!("{place}, which this installation denies; no probe goes there"),
        "If it should be asked, take it out of the installation's targets.deny (--deny-target)."
            .to_owned(),
    )
}

fn not_allowed(subject: Subject<'_>, host: &str, address: Option<IpAddr>) -> Finding {
    let place = place(host, address, "is a host");
    let remedy = setting::of_controller(
        "If it is a registry of yours, or a host to which one sends its clients, allow it beside those that are allowed already",
        "targets.allow={TARGET}",
        "--allow-target TARGET",
    );
    Finding::new(
        Code::ProbeSkipped,
        Confidence::Certain,
        format!(
            "{place}, which is not among the targets that this installation allows; no probe goes there"
        ),
        subject.fill(&remedy, &[("TARGET", &target(host, address))]),
    )
}

fn place(host: &str, address: Option<IpAddr>, otherwise: &str) -> String {
    match address {
        Some(address) => format!("{host} has the address {address}"),
        None => format!("{host} {otherwise}"),
    }
}

/// What an operator would allow: the host without its port, or the address that stands in its place.
fn target(host: &str, address: Option<IpAddr>) -> String {
    match address {
        Some(address) if host.starts_with('[') => address.to_string(),
        Some(_) | None => host.split(':').next().unwrap_or(host).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{NotSent, finding};
    use crate::diagnose::Subject;
    use crate::image::ImageRef;

    #[track_caller]
    fn check(host: &str, reason: &NotSent, message: &str, remedy: &str) {
        let image = ImageRef::parse("r.test:5000/a:1").unwrap();
        let subject = Subject { namespace: "shop", image: &image, complaint: None };
        let finding = finding(subject, host, reason);
        assert!(finding.message.starts_with(message), "{}", finding.message);
        assert!(finding.remedy.contains(remedy), "{}", finding.remedy);
    }

    #[test]
    fn what_an_operator_bars_is_said_with_the_value_that_would_change_it() {
        let address = "10.0.0.1".parse().ok();
        let denied = "take it out of the installation's targets.deny";
        for (host, reason, message, remedy) in [
            (
                "r.test:5000",
                NotSent::DeniedTarget { address: None },
                "r.test:5000 is a host, which this installation denies",
                denied,
            ),
            (
                "r.test:5000",
                NotSent::DeniedTarget { address },
                "r.test:5000 has the address 10.0.0.1, which this installation denies",
                denied,
            ),
            (
                "r.test:5000",
                NotSent::NotAllowedTarget { address },
                "r.test:5000 has the address 10.0.0.1, which is not among the targets",
                "--set targets.allow={r.test}.",
            ),
            (
                "[fd00::1]:5000",
                NotSent::NotAllowedTarget { address: "fd00::1".parse().ok() },
                "[fd00::1]:5000 has the address fd00::1",
                "start the controller with --allow-target fd00::1",
            ),
        ] {
            check(host, &reason, message, remedy);
        }
    }
}
