//! User names and passwords that the token service of a registry of Azure refuses.

use crate::access::NodeSource;
use crate::api::Owner;

use super::*;

fn refused(words: &str) -> End {
    at(Role::TokenService, StepName::Token, answer(401, "UNAUTHORIZED", words))
}

const UNKNOWN_USER: &str = "Application not registered with AAD.";
const NO_GUID: &str = "aad access token with sp failed client id must be guid";
const SECRET: &str = "Invalid clientid or client secret.";
const PASSWORD: &str =
    "authentication required, visit https://aka.ms/acr/authorization for more information.";

#[test]
fn each_refusal_of_a_pull_secret_has_a_finding() {
    let table = [
        (
            UNKNOWN_USER,
            Code::UsernameUnknown,
            Certain,
            "az acr show -n myreg --query adminUserEnabled",
        ),
        (
            NO_GUID,
            Code::UsernameUnknown,
            Certain,
            "kubectl create secret docker-registry regcred -n shop",
        ),
        (
            SECRET,
            Code::ServicePrincipalSecretInvalid,
            Likely,
            "az ad sp credential reset --append --id CLIENT_ID",
        ),
        (
            PASSWORD,
            Code::PasswordIncorrect,
            Likely,
            "az acr token credential generate -r myreg -n TOKEN --password2",
        ),
        ("no", Code::CredentialRejected, Likely, "regcred"),
    ];
    for (words, code, confidence, remedy) in table {
        let attempts = vec![attempt(Some("regcred"), refused(words))];
        let evidence =
            Evidence { attempts, ..failed(azure(managed(), exchange(401, "", ""), None)) };
        let found = diagnosis(&evidence);
        let first = &found.findings[0];
        let own = found.findings.iter().find(|finding| finding.code == code);
        let own = own.unwrap_or_else(|| panic!("{code} and not {}: {}", first.code, first.message));
        assert_eq!((own.confidence, own.severity), (confidence, Severity::Error), "{code}");
        assert!(own.remedy.contains(remedy), "{}", own.remedy);
    }
}

/// Other registries say so of any refusal.
#[test]
fn words_of_another_registry_are_not_read_so() {
    let mut evidence = with_end(answered(401, &[]));
    evidence.attempts = vec![attempt(Some("bad"), refused("authentication required"))];
    check(&evidence, NotPullable, &[(Code::CredentialRejected, Certain)]);
}

/// Entra ID says what the registry does not tell apart.
#[test]
fn the_secret_of_a_nodes_principal_is_judged_by_entra() {
    let entra = |code: &str| Some(at(Role::Entra, StepName::Identity, answer(401, code, "")));
    let exchanged = || Some(exchange(401, "UNAUTHORIZED", ""));
    let table = [
        (SECRET, entra("AADSTS7000215"), Code::ServicePrincipalSecretInvalid, Certain),
        (SECRET, entra("AADSTS7000222"), Code::ServicePrincipalSecretExpired, Certain),
        (UNKNOWN_USER, entra("AADSTS700016"), Code::ServicePrincipalUnknown, Certain),
        // What else Entra ID says is of its own way, and not of what the registry refuses.
        (UNKNOWN_USER, entra("AADSTS90002"), Code::ServicePrincipalUnknown, Likely),
        (SECRET, entra("AADSTS700016"), Code::ServicePrincipalSecretInvalid, Likely),
        (SECRET, entra("AADSTS500011"), Code::ServicePrincipalSecretInvalid, Likely),
        ("no", exchanged(), Code::PullNotAuthorized, Likely),
        (UNKNOWN_USER, exchanged(), Code::ServicePrincipalUnknown, Likely),
        (SECRET, None, Code::ServicePrincipalSecretInvalid, Likely),
        (PASSWORD, exchanged(), Code::TokenExchangeDenied, Likely),
    ];
    for (words, check_acr, code, confidence) in table {
        let has_token = matches!(&check_acr, Some(End::Answered { step: StepName::Exchange, .. }));
        let mut own = azure(principal(), served(), check_acr);
        if let (true, Some(check)) = (has_token, own.check_acr.as_mut()) {
            check.steps = vec![step(StepName::Identity, true)];
        }
        let evidence = tried(own, refused(words), None);
        check(&evidence, NotPullable, &[(code, confidence)]);
        check_words(&evidence, code, &[], &[]);
    }
    let own = azure(principal(), served(), entra("AADSTS7000222"));
    let says =
        ["myreg.azurecr.io refuses the node's service principal 1111", "its secret has expired"];
    let remedy = ["az ad sp credential reset --append --id 11111111", "az aks update-credentials"];
    let evidence = tried(own, refused(SECRET), None);
    check_words(&evidence, Code::ServicePrincipalSecretExpired, &says, &remedy);
}

/// The registry exchanges the identity's token and gives none to pull with, as one whose mode of
/// roles was changed.
#[test]
fn an_identity_that_gets_no_token_lacks_a_role() {
    for words in ["no", PASSWORD] {
        let evidence = tried(azure(managed(), served(), None), refused(words), None);
        let says = ["AbacRepositoryPermissions"];
        let first = check_words(&evidence, Code::PullNotAuthorized, &says, &["--role AcrPull"]);
        assert_eq!((first.confidence, first.owner), (Likely, Owner::Identity));
        assert!(!first.remedy.contains("attach-acr"), "{}", first.remedy);
    }
}

/// A password of a node's file is refused in the same words as one of a pull secret.
#[test]
fn what_a_node_has_written_down_is_read_as_a_pull_secret_is() {
    let source = NodeSource::File { file: "/var/lib/kubelet/config.json".to_owned() };
    let own = Provenance::Node { source, key: "myreg.azurecr.io".to_owned() };
    let attempts = vec![Attempt::new(Some(own), Vec::new(), refused(UNKNOWN_USER))];
    let evidence = Evidence { attempts, ..at_azure() };
    let remedy = ["into /var/lib/kubelet/config.json on the node"];
    check_words(&evidence, Code::UsernameUnknown, &[], &remedy);
}

#[test]
fn a_token_with_another_user_is_a_mismatch_and_an_old_one_has_expired() {
    let mut mixed = attempt(Some("regcred"), refused(PASSWORD));
    mixed.flaw = Some(Flaw::TokenOfAnotherUser);
    let evidence = Evidence { attempts: vec![mixed], vantage: Vantage::Here, ..at_azure() };
    let first = check_words(
        &evidence,
        Code::TokenUsernameMismatch,
        &["00000000-0000"],
        &["az acr login -n myreg --expose-token"],
    );
    assert_eq!(first.severity, Severity::Error);
    let mut old = attempt(Some("regcred"), refused(PASSWORD));
    old.lifetime = Some(crate::evidence::told::Lifetime {
        until: "2026-08-01T00:00:00Z".to_owned(),
        is_over: true,
    });
    let evidence = Evidence { attempts: vec![old], ..evidence };
    check_words(
        &evidence,
        Code::CredentialExpired,
        &["2026-08-01"],
        &["az aks update -g GROUP -n CLUSTER --attach-acr myreg"],
    );
}
