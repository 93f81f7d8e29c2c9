//! A login that is tried for no image.

use crate::evidence::login::Login;
use crate::image::Host;

use super::*;

fn login(azure: Option<Box<Azure>>, attempts: Vec<Attempt>) -> Login {
    let refused = at(Role::TokenService, StepName::Token, answer(401, "UNAUTHORIZED", "no"));
    Login {
        registry: Host::parse("myreg.azurecr.io").unwrap(),
        vantage: Vantage::Here,
        gaps: Vec::new(),
        opening: attempt(None, End::Challenged { scheme: Scheme::Bearer }),
        anonymous: attempts.is_empty().then(|| attempt(None, refused)),
        attempts,
        lookups: Vec::new(),
        azure,
        at: None,
    }
}

#[track_caller]
fn check(login: &Login, verdict: Verdict, findings: &[(Code, Confidence)]) -> Vec<Finding> {
    let diagnosis = crate::diagnose::login::diagnose("shop", login);
    let found: Vec<_> =
        diagnosis.findings.iter().map(|finding| (finding.code, finding.confidence)).collect();
    assert_eq!((diagnosis.verdict, found.as_slice()), (verdict, findings));
    diagnosis.findings
}

fn own(end: End) -> Attempt {
    Attempt::new(Some(Provenance::Azure { identity: managed() }), Vec::new(), end)
}

#[test]
fn both_ways_of_a_login_are_judged_without_an_image() {
    let lost = at(
        Role::Metadata,
        StepName::Identity,
        answer(400, "invalid_request", "Identity not found"),
    );
    let failing = login(Some(azure(managed(), lost, None)), Vec::new());
    check(&failing, NotPullable, &[(Code::IdentityNotAssigned, Certain)]);

    let well = login(Some(azure(managed(), served(), Some(served()))), vec![own(served())]);
    check(&well, Pullable, &[(Code::Pullable, Certain)]);

    let disallowed = exchange(401, "UNAUTHORIZED", "arm aad token disallowed");
    let differs = login(Some(azure(managed(), served(), Some(disallowed))), vec![own(served())]);
    check(&differs, Pullable, &[(Code::Pullable, Certain), (Code::CheckAcrDisagrees, Certain)]);
}

#[test]
fn the_words_of_the_token_service_and_the_firewall_are_read() {
    let words = "Application not registered with AAD.";
    let unknown = at(Role::TokenService, StepName::Token, answer(401, "UNAUTHORIZED", words));
    let refused = login(None, vec![attempt(Some("regcred"), unknown)]);
    check(&refused, NotPullable, &[(Code::UsernameUnknown, Certain)]);
    let words = "client with IP '20.1.2.3' is not allowed access.";
    let walled = at(Role::Registry, StepName::Challenge, answer(403, "DENIED", words));
    let closed =
        Login { opening: attempt(None, walled), anonymous: None, ..login(None, Vec::new()) };
    let findings = check(&closed, NotPullable, &[(Code::NetworkRuleDenied, Certain)]);
    assert!(findings[0].remedy.contains("--ip-address 20.1.2.3"), "{}", findings[0].remedy);
}
