//! Identities of Azure, at their registries.

use crate::access::azure::Identity;
use crate::evidence::azure::{Azure, OtherRepository, PrincipalIds};
use crate::evidence::told::{Grant, Lookup};

use super::*;

mod login;
mod network;
mod node;
mod password;
mod registry;
mod rights;

const AT_AZURE: &str = "myreg.azurecr.io/shop/api:1";
const CLIENT: &str = "11111111-1111-1111-1111-111111111111";
const OBJECT: &str = "22222222-2222-2222-2222-222222222222";
const TENANT: &str = "33333333-3333-3333-3333-333333333333";

fn managed() -> Identity {
    Identity::Managed { id: Some(CLIENT.to_owned()) }
}

fn principal() -> Identity {
    Identity::ServicePrincipal { client_id: CLIENT.to_owned() }
}

fn workload() -> Identity {
    Identity::Workload { account: "runner".to_owned(), client_id: CLIENT.to_owned() }
}

fn at(role: Role, step: StepName, answer: Answer) -> End {
    let host = match role {
        Role::Registry | Role::TokenService => "myreg.azurecr.io".to_owned(),
        Role::DataHost => "myreg.eastus.data.azurecr.io".to_owned(),
        Role::RedirectTarget | Role::Proxy | Role::Mirror | Role::Metadata | Role::Entra => {
            hop(role).host
        }
    };
    End::Answered { hop: Hop { host, ..hop(role) }, step, answer }
}

fn answer(status: u16, code: &str, message: &str) -> Answer {
    let errors = vec![RegistryError { code: code.to_owned(), message: message.to_owned() }];
    Answer { status, errors, ..Answer::default() }
}

fn exchange(status: u16, code: &str, message: &str) -> End {
    at(Role::TokenService, StepName::Exchange, answer(status, code, message))
}

/// The registry's way to say that a login may not do this.
fn no_right() -> End {
    let words =
        "authentication required, visit https://aka.ms/acr/authorization for more information.";
    at(Role::Registry, StepName::Manifest, answer(401, "UNAUTHORIZED", words))
}

/// An identity whose login ended so in both ways.
fn azure(identity: Identity, provider: End, check_acr: Option<End>) -> Box<Azure> {
    let credential = || Some(Provenance::Azure { identity: identity.clone() });
    Box::new(Azure {
        provider: Attempt::new(credential(), Vec::new(), provider),
        check_acr: check_acr.map(|end| Attempt::new(credential(), Vec::new(), end)),
        principal: Some(PrincipalIds {
            client_id: Some(CLIENT.to_owned()),
            object_id: Some(OBJECT.to_owned()),
            tenant: Some(TENANT.to_owned()),
        }),
        node_location: Some("eastus".to_owned()),
        other: None,
        identity,
    })
}

/// A registry of Azure that wants a token, asked as its node asks.
fn at_azure() -> Evidence {
    Evidence {
        image: ImageRef::parse(AT_AZURE).unwrap(),
        vantage: Vantage::Here,
        attempts: Vec::new(),
        ..evidence()
    }
}

/// The same where the identity's login fails and strangers are refused.
fn failed(azure: Box<Azure>) -> Evidence {
    let refused = at(
        Role::TokenService,
        StepName::Token,
        answer(401, "UNAUTHORIZED", "authentication required"),
    );
    Evidence { azure: Some(azure), anonymous: Some(attempt(None, refused)), ..at_azure() }
}

/// The same where the identity has a credential that ends so, and nobody's is refused.
fn tried(azure: Box<Azure>, end: End, grant: Option<&[&str]>) -> Evidence {
    let credential = Some(Provenance::Azure { identity: azure.identity.clone() });
    let mut own = Attempt::new(credential, Vec::new(), end);
    if let Some(actions) = grant {
        let actions = actions.iter().map(|action| (*action).to_owned()).collect();
        own.grant = Some(Grant { actions, has_others: false });
        own = with_token(own);
    }
    Evidence { azure: Some(azure), attempts: vec![own, strangers(no_right())], ..at_azure() }
}

/// Nobody's credential, which ended so although a token was given for it.
fn strangers(end: End) -> Attempt {
    with_token(Attempt::new(Some(Provenance::Strangers), Vec::new(), end))
}

/// A remedy whose commands can be told from its words and read by a shell.
#[track_caller]
fn check_remedy(remedy: &str) {
    for part in remedy::parts(remedy) {
        match part {
            remedy::Part::Words(words) => {
                let options = words.split(' ').filter(|word| word.starts_with("--"));
                assert_eq!(options.count(), 0, "a command hides among words: {words}");
            }
            remedy::Part::Command(command) => {
                let count = |sign| command.matches(sign).count();
                let is_even = |sign| count(sign) % 2 == 0;
                assert!(is_even('\'') && is_even('"') && count('(') == count(')'), "{command}");
            }
        }
    }
}

/// The first finding, whose code it has and which says all of this.
#[track_caller]
fn check_words(evidence: &Evidence, code: Code, says: &[&str], remedy: &[&str]) -> Finding {
    let findings = diagnosis(evidence).findings;
    for finding in &findings {
        check_remedy(&finding.remedy);
    }
    let first = findings.into_iter().next().unwrap();
    assert_eq!(first.code, code, "{}", first.message);
    for words in says {
        assert!(first.message.contains(words), "{words} in: {}", first.message);
    }
    for words in remedy {
        assert!(first.remedy.contains(words), "{words} in: {}", first.remedy);
    }
    first
}
