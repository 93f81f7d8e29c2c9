//! The kubelet's login that fails: at the metadata service, at Entra ID, at the registry's
//! exchange.

use crate::access::azure::Identity;
use crate::api::Confidence;
use crate::evidence::azure::Azure;
use crate::evidence::{Answer, End, Evidence, Failure, Hop, NotSent, Role, StepName};

use super::super::catalogue::Code;
use super::super::node::open_it;
use super::super::{Finding, Subject, answers, content, network, unsent};
use super::{entra, is_closed_to_pods, named, names};

/// What the end of the kubelet's way means; `None` where it has a credential.
pub(super) fn failed(subject: Subject<'_>, evidence: &Evidence, azure: &Azure) -> Option<Finding> {
    let finding = match &azure.provider.end {
        End::Served { .. } | End::Challenged { .. } => return None,
        End::Unreachable { hop, failure } => unreachable(subject, evidence, azure, hop, failure)
            .at_hop(answers::foreign(subject, hop)),
        End::Answered { hop, step, answer } => {
            let finding = match hop.role {
                Role::Metadata => of_metadata(subject, azure, answer),
                Role::Entra => entra::refused(subject, azure, answer),
                Role::Registry
                | Role::TokenService
                | Role::RedirectTarget
                | Role::DataHost
                | Role::Proxy
                | Role::Mirror => of_registry(subject, evidence, azure, *step, answer)?,
            };
            finding.at_hop(answers::foreign(subject, hop))
        }
        End::NotSent { reason: NotSent::UnsupportedChallenge { .. }, .. } => without_challenge(
            subject,
            "asks for no login that the node's credential provider takes (one challenge, Bearer, with a realm and a service)",
        ),
        End::NotSent { host, reason } => unsent::finding(subject, host, reason),
        End::Unfit { hop, step, problem } => {
            content::unfit(subject, hop, *step, problem).at_hop(answers::foreign(subject, hop))
        }
    };
    Some(finding.of_credential(Some(azure.identity.to_string())))
}

/// What a pull lacks by it.
pub(super) fn lacking(subject: Subject<'_>) -> String {
    format!("which leaves the kubelet without that credential for {}", subject.registry())
}

fn unreachable(
    subject: Subject<'_>,
    evidence: &Evidence,
    azure: &Azure,
    hop: &Hop,
    failure: &Failure,
) -> Finding {
    if is_closed_to_pods(evidence.vantage, azure) {
        return closed_to_pods(subject, azure);
    }
    let finding = match hop.role {
        Role::Metadata => network::named(subject, hop, failure),
        Role::Entra => {
            let remedy = subject.fill(TO_ENTRA, &[("SERVER", &hop.host)]);
            Finding { remedy, ..network::named(subject, hop, failure) }
        }
        Role::Registry
        | Role::TokenService
        | Role::RedirectTarget
        | Role::DataHost
        | Role::Proxy
        | Role::Mirror => return network::unreachable(subject, hop, failure),
    };
    // The kubelet gives its provider a minute, and this probe waits for less.
    let is_slow = matches!(failure, Failure::TimedOut { .. });
    let confidence = if is_slow { Confidence::Likely } else { Confidence::Certain };
    let message =
        format!("{}; so {} gets no token, {}", finding.message, named(azure), lacking(subject));
    Finding { confidence, message, ..finding }
}

const TO_ENTRA: &str = "Open the way from the node to SERVER in firewalls, routes and proxies. To test it, on the node: curl -v --max-time 10 https://SERVER/";

fn closed_to_pods(subject: Subject<'_>, azure: &Azure) -> Finding {
    let message = format!(
        "the metadata service, which gives {} its tokens, does not answer this pod: it can be closed to pods and open to the kubelet, so nothing is concluded for {}",
        named(azure),
        subject.registry()
    );
    Finding::new(Code::ProbeSkipped, Confidence::Certain, message, open_it())
}

/// The metadata service answers, and gives no token (Microsoft Entra, How to use managed
/// identities on a virtual machine to acquire an access token, "Error handling").
fn of_metadata(subject: Subject<'_>, azure: &Azure, answer: &Answer) -> Finding {
    let said = answers::in_words(answer);
    let who = named(azure);
    let lacking = lacking(subject);
    let service = "the node's metadata service";
    let finding = |code: Code, confidence: Confidence, what: String| {
        let message = format!("{what} ({said}), {lacking}");
        Finding::new(code, confidence, message, subject.remedy_with(code, &names(azure)))
    };
    let says =
        |words: &str| answers::texts(answer).any(|text| text.to_ascii_lowercase().contains(words));
    if says("multiple user assigned identities") {
        return finding(
            Code::IdentityAmbiguous,
            Confidence::Certain,
            format!(
                "{service} has several identities for the node and was not told which one is meant"
            ),
        );
    }
    if says("identity not found") {
        return finding(
            Code::IdentityNotAssigned,
            Confidence::Certain,
            format!(
                "{service} knows no {who} on this node: it is not assigned, or the id in azure.json is wrong"
            ),
        );
    }
    if entra::code(answer).is_some() || answer.errors.iter().any(|e| e.code == "invalid_resource") {
        return entra::refused(subject, azure, answer);
    }
    match answer.status {
        429 => Finding {
            remedy: subject.fill(entra::LATER, &[]),
            ..finding(
                Code::RateLimited,
                Confidence::Likely,
                format!("{service} limits how often {who} may ask for a token"),
            )
        },
        // It is being updated, or is ill; the kubelet's provider does not ask again after a 404.
        404 | 410 | 500..=599 => Finding {
            remedy: subject.fill(AT_PRESENT, &[]),
            ..finding(
                Code::IdentityEndpointUnreachable,
                Confidence::Likely,
                format!("{service} gives {who} no token at present"),
            )
        },
        _ => finding(
            Code::IdentityProviderRefused,
            Confidence::Likely,
            format!("{service} refuses {who} a token"),
        ),
    }
}

const AT_PRESENT: &str = "Wait for the kubelet's next attempt, which asks again (within 5 minutes). If that lasts on this node alone, take it out, and scale the pool back: az aks nodepool delete-machines -g GROUP --cluster-name CLUSTER -n NODEPOOL --machine-names NODE";

/// The registry answers the provider's own requests: the one that asks for its challenge, and the
/// exchange.
fn of_registry(
    subject: Subject<'_>,
    evidence: &Evidence,
    azure: &Azure,
    step: StepName,
    answer: &Answer,
) -> Option<Finding> {
    let registry = subject.registry();
    let said = answers::in_words(answer);
    let who = named(azure);
    let is_exchange = step == StepName::Exchange;
    match answer.status {
        403 if answers::names_the_client(answer) => {
            answers::finding(subject, &azure.provider, evidence)
        }
        401 if is_exchange => Some(denied(
            subject,
            azure,
            format!(
                "{registry} refuses {who} ({said}): either it has no role on this registry, or got one less than 10 minutes ago, or the registry is of another tenant or cloud"
            ),
        )),
        403 if is_exchange && has_no_permission(answer) => Some(denied(
            subject,
            azure,
            format!(
                "{registry} finds no permission of {who} ({said}), which is a matter of roles and not of its firewall; a role that was given less than 10 minutes ago may not have arrived"
            ),
        )),
        // What no registry of Azure says there, and what stands before one may.
        404 if is_exchange && !answers::is_page(answer) => Some(without_challenge(
            subject,
            &format!("answers {said} where registries of Azure exchange tokens (/oauth2/exchange)"),
        )),
        200..=299 | 401 | 404 if !is_exchange => Some(without_challenge(
            subject,
            &format!("answers {said}, where the node's credential provider wants to be challenged"),
        )),
        _ => answers::finding(subject, &azure.provider, evidence),
    }
}

/// A registry that does not challenge as the provider has it (`receiveChallengeFromLoginServer`).
fn without_challenge(subject: Subject<'_>, what: &str) -> Finding {
    let code = Code::CredentialProviderFailed;
    let message = format!("{} {what}, {}", subject.registry(), lacking(subject));
    Finding::new(code, Confidence::Likely, message, subject.remedy(code, None))
}

/// The words of a registry that looks for rights (Azure SDK for Go, azcontainerregistry,
/// TROUBLESHOOTING.md).
fn has_no_permission(answer: &Answer) -> bool {
    answers::texts(answer).any(|text| text.contains("retrieving permissions failed"))
}

/// Likely at most: what the registry does not say is whether the role is missing or on its way.
fn denied(subject: Subject<'_>, azure: &Azure, message: String) -> Finding {
    let code = Code::TokenExchangeDenied;
    Finding::new(code, Confidence::Likely, message, to_be_let_in(subject, azure))
}

/// How an identity is given the right to log in. Attaching a registry to a cluster helps the
/// identity of its nodes alone.
pub(super) fn to_be_let_in(subject: Subject<'_>, azure: &Azure) -> String {
    let code = Code::TokenExchangeDenied;
    match azure.identity {
        Identity::Workload { .. } => subject.fill(code.row().remedy, &names(azure)),
        Identity::Managed { .. } | Identity::ServicePrincipal { .. } => {
            subject.remedy_with(code, &names(azure))
        }
    }
}
