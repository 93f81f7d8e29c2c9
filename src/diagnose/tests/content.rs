//! What a probe saw behind the manifest, what tokens say of themselves, and a limit; and for each
//! certain answer what would make it wrong.

use crate::evidence::told::{Grant, Lifetime, PullLimit, Unfit};
use crate::image::platform::Platform;

use super::agreement::{check_first, resolve, subject};
use super::*;

fn answer(status: u16, codes: &[&str]) -> Answer {
    let error = |code: &&str| RegistryError { code: (*code).to_owned(), message: String::new() };
    Answer { status, errors: codes.iter().map(error).collect(), ..Answer::default() }
}

fn at(role: Role, step: StepName, status: u16, codes: &[&str]) -> Evidence {
    with_end(End::Answered { hop: hop(role), step, answer: answer(status, codes) })
}

fn unfit(step: StepName, problem: Unfit) -> Evidence {
    with_end(End::Unfit { hop: hop(Role::Registry), step, problem })
}

fn amd64() -> Option<Platform> {
    Platform::parse("linux/amd64")
}

fn granted(actions: &[&str], has_others: bool) -> Grant {
    Grant { actions: actions.iter().map(|action| (*action).to_owned()).collect(), has_others }
}

const UP_TO_THE_MANIFEST: [Option<bool>; 4] = [Some(true), Some(true), Some(true), None];
const NOT_FOUND: [Option<bool>; 4] = [Some(true), Some(true), Some(true), Some(false)];

#[test]
fn a_part_that_is_gone_is_certain_where_the_registry_itself_says_so() {
    use StepName::{Config, Layer, Platform};
    let table = [
        (Role::Registry, Config, "BLOB_UNKNOWN", Code::LayerNotFound, Certain),
        (Role::Registry, Layer, "BLOB_UNKNOWN", Code::LayerNotFound, Certain),
        (Role::Registry, Platform, "MANIFEST_UNKNOWN", Code::ManifestDangling, Certain),
        // A proxy says 404, and a registry that hides what a scope does not name.
        (Role::Registry, Config, "", Code::LayerNotFound, Likely),
        (Role::Registry, Platform, "DENIED", Code::ManifestDangling, Likely),
        // A signature that has run out, an address of another region.
        (Role::DataHost, Layer, "BLOB_UNKNOWN", Code::LayerNotFound, Likely),
        (Role::RedirectTarget, Platform, "", Code::ManifestDangling, Likely),
    ];
    for (role, step, error, code, confidence) in table {
        let codes = if error.is_empty() { &[] } else { std::slice::from_ref(&error) };
        let evidence = at(role, step, 404, codes);
        check(&evidence, NotPullable, &[(code, confidence)]);
        check_progress(&evidence, NOT_FOUND);
        let names_host = diagnosis(&evidence).findings[0].message.contains(" at ");
        assert_eq!(names_host, role != Role::Registry);
    }
    let evidence = at(Role::DataHost, StepName::Layer, 404, &[]);
    let met = resolve(
        "failed to copy: httpReadSeeker: failed open: could not fetch content descriptor sha256:abc (application/vnd.oci.image.layer.v1.tar+gzip) from remote: not found",
    );
    let diagnosis = diagnose(subject(&evidence.image, &met), &evidence);
    check_first(&diagnosis, NotPullable, Code::LayerNotFound, Certain);
}

#[test]
fn a_part_that_is_refused_says_nothing_of_the_image() {
    use StepName::{Config, Layer};
    let table = [
        (Role::Registry, 401, "", Code::PullNotAuthorized, Likely),
        (Role::Registry, 403, "DENIED", Code::PullNotAuthorized, Likely),
        (Role::Registry, 403, "", Code::AccessForbidden, Certain),
        // The firewall of a store, which knows the cluster's address and not who asks.
        (Role::DataHost, 403, "", Code::AccessForbidden, Certain),
        (Role::DataHost, 403, "DENIED", Code::AccessForbidden, Certain),
    ];
    for (role, status, error, code, confidence) in table {
        let codes = if error.is_empty() { &[] } else { std::slice::from_ref(&error) };
        for step in [Config, Layer] {
            let mut evidence = at(role, step, status, codes);
            check(&evidence, NotPullable, &[(code, confidence)]);
            check_progress(&evidence, UP_TO_THE_MANIFEST);
            // The token was good for the manifest, whatever it says.
            evidence.attempts[0].grant = Some(granted(&[], true));
            evidence.attempts[0].lifetime = Some(lifetime(true));
            check(&evidence, NotPullable, &[(code, confidence)]);
        }
    }
    let fault = at(Role::DataHost, Layer, 503, &[]);
    check(&fault, NotPullable, &[(Code::RegistryUnavailable, Certain)]);
    check_progress(&fault, UP_TO_THE_MANIFEST);
}

#[test]
fn a_data_host_that_cannot_be_reached_has_a_code_of_its_own() {
    let evidence =
        with_end(End::Unreachable { hop: hop(Role::DataHost), failure: Failure::Refused });
    check(&evidence, NotPullable, &[(Code::DataEndpointUnreachable, Certain)]);
    check_progress(&evidence, UP_TO_THE_MANIFEST);
    let finding = &diagnosis(&evidence).findings[0];
    assert_eq!(finding.hop.as_deref(), Some("data.r.test"));
}

#[test]
fn what_is_served_and_cannot_run() {
    let corrupted =
        || Unfit::Corrupted { promised: "sha256:a".to_owned(), seen: "sha256:b".to_owned() };
    let offered = vec!["linux/arm64".to_owned()];
    let artifact = |is_only_old| Unfit::NotAnImage { what: "a chart".to_owned(), is_only_old };
    let table = [
        (StepName::Manifest, Unfit::WebPage, NotPullable, Code::NotARegistry, Certain),
        (StepName::Layer, Unfit::WebPage, NotPullable, Code::NotARegistry, Certain),
        (StepName::Config, corrupted(), NotPullable, Code::ContentCorrupted, Certain),
        (
            StepName::Platform,
            Unfit::OtherPlatform { wanted: amd64(), offered: offered.clone() },
            NotPullable,
            Code::PlatformMismatch,
            Certain,
        ),
        (
            StepName::Platform,
            Unfit::OtherPlatform { wanted: None, offered: Vec::new() },
            NotPullable,
            Code::PlatformMismatch,
            Certain,
        ),
        // Some runtimes mount it as a volume.
        (StepName::Config, artifact(false), NotPullable, Code::ManifestUnsupported, Likely),
        // An older runtime takes it.
        (StepName::Manifest, artifact(true), Undecided, Code::ManifestUnsupported, Likely),
    ];
    for (step, problem, verdict, code, confidence) in table {
        let is_page = problem == Unfit::WebPage;
        let evidence = unfit(step, problem);
        check(&evidence, verdict, &[(code, confidence)]);
        let expected = if is_page { [Some(true), None, None, None] } else { NOT_FOUND };
        check_progress(&evidence, expected);
    }
    let other = unfit(StepName::Platform, Unfit::OtherPlatform { wanted: amd64(), offered });
    let message = &diagnosis(&other).findings[0].message;
    assert!(message.ends_with("is not made for linux/amd64; it is for linux/arm64"), "{message}");
}

/// The kubelet has failed, and says nothing of what the pod network is served: a page of the
/// network's own, the platform of another node.
#[test]
fn what_only_this_probe_met_is_not_certain() {
    let nothing = Complaint::PullFailed { cause: String::new() };
    let other = Unfit::OtherPlatform { wanted: amd64(), offered: Vec::new() };
    for (problem, code) in [(Unfit::WebPage, Code::NotARegistry), (other, Code::PlatformMismatch)] {
        let evidence = unfit(StepName::Platform, problem);
        let diagnosis = diagnose(subject(&evidence.image, &nothing), &evidence);
        check_first(&diagnosis, NotPullable, code, Likely);
    }
}

#[test]
fn an_image_of_another_platform_is_pulled_and_would_not_start() {
    let served = |own: &str| End::Served { digest: None, platform: Platform::parse(own) };
    let of = |own| Evidence { platform: amd64(), ..with_end(served(own)) };
    let found = [(Code::PlatformMismatch, Likely), (Code::Pullable, Certain)];
    check(&of("linux/arm64"), Pullable, &found);
    check(&of("linux/amd64"), Pullable, &[(Code::Pullable, Certain)]);
    let unknown = Evidence { platform: None, ..of("linux/arm64") };
    check(&unknown, Pullable, &[(Code::Pullable, Certain)]);
}

#[test]
fn a_limit_of_which_nothing_is_left_stops_the_kubelet() {
    let limit = |remaining| PullLimit { limit: 100, remaining, window: Some(21_600), source: None };
    let exhausted = Evidence { limit: Some(limit(0)), ..evidence() };
    check(&exhausted, NotPullable, &[(Code::RateLimited, Likely)]);
    let message = &diagnosis(&exhausted).findings[0].message;
    assert!(message.contains("100 pulls in 6 h, and none is left"), "{message}");
    let left = Evidence { limit: Some(limit(1)), ..evidence() };
    check(&left, Pullable, &[(Code::Pullable, Certain)]);
    let refused = Evidence { limit: Some(limit(0)), ..with_end(answered(401, &[])) };
    check(&refused, NotPullable, &[(Code::NotFoundOrNotAuthorized, Certain)]);
}

fn lifetime(is_over: bool) -> Lifetime {
    Lifetime { until: "2026-01-01T00:00:00Z".to_owned(), is_over }
}

#[test]
fn a_token_that_is_over_is_certain_where_nothing_else_was_looked_at() {
    let token = |status| {
        let (hop, step) = (hop(Role::TokenService), StepName::Token);
        attempt(Some("bad"), End::Answered { hop, step, answer: answer(status, &[]) })
    };
    let basic = |login| Attempt { login, ..attempt(Some("bad"), answered(401, &[])) };
    let table = [
        (token(401), Code::CredentialExpired, Certain),
        (basic(Some(401)), Code::CredentialExpired, Certain),
        (basic(None), Code::CredentialExpired, Certain),
        (token(403), Code::CredentialExpired, Likely),
        // It was taken for a token of the token service.
        (with_token(basic(None)), Code::CredentialExpired, Likely),
        // It is good at the front door.
        (basic(Some(200)), Code::NotFoundOrNotAuthorized, Certain),
    ];
    for (tried, code, confidence) in table {
        let over = Attempt { lifetime: Some(lifetime(true)), ..tried };
        let evidence_ = Evidence { attempts: vec![over], ..evidence() };
        check(&evidence_, NotPullable, &[(code, confidence)]);
    }
    let valid = Attempt { lifetime: Some(lifetime(false)), ..token(401) };
    let evidence_ = Evidence { attempts: vec![valid], ..evidence() };
    check(&evidence_, NotPullable, &[(Code::CredentialRejected, Certain)]);
}

#[test]
fn a_firewall_is_told_before_a_token_that_is_over() {
    let message = "client with IP '192.0.2.7' is not allowed access.".to_owned();
    let errors = vec![RegistryError { code: "DENIED".to_owned(), message }];
    let answer = Answer { status: 403, errors, ..Answer::default() };
    let (hop, step) = (hop(Role::Registry), StepName::Manifest);
    let mut evidence = with_end(End::Answered { hop, step, answer });
    evidence.attempts[0].lifetime = Some(lifetime(true));
    check(&evidence, NotPullable, &[(Code::NetworkRuleDenied, Certain)]);
}

#[test]
fn what_a_token_grants_says_whose_right_is_missing() {
    // A registry that wants a login after it has given the right hides more than the right.
    for (status, hides_more) in [(401, Likely), (403, Certain)] {
        let table = [
            (Some(granted(&[], false)), Code::PullNotAuthorized, Likely),
            (Some(granted(&["push"], false)), Code::PullNotAuthorized, Likely),
            (Some(granted(&[], true)), Code::RepositoryNotAuthorized, Likely),
            (Some(granted(&["pull"], false)), Code::NotFoundOrNotAuthorized, hides_more),
            (None, Code::NotFoundOrNotAuthorized, Certain),
        ];
        for (grant, code, confidence) in table {
            let mut evidence = with_end(answered(status, &["DENIED"]));
            evidence.attempts[0].grant = grant;
            check(&evidence, NotPullable, &[(code, confidence)]);
            check_progress(&evidence, [Some(true), Some(true), Some(false), None]);
        }
    }
}

#[test]
fn a_missing_repository_is_certain_where_nothing_can_be_hidden() {
    let unknown = |evidence| Evidence { repository: Some(Repository::Unknown), ..evidence };
    let mut with_right = unknown(with_end(answered(404, &[])));
    with_right.attempts[0].grant = Some(granted(&["pull"], false));
    check(&with_right, NotPullable, &[(Code::RepositoryNotFound, Certain)]);
    // Who wants no credential has nothing to hide from anybody.
    let end = End::Answered {
        hop: hop(Role::Registry),
        step: StepName::Challenge,
        answer: answer(404, &[]),
    };
    let opening = attempt(None, end);
    let open = unknown(Evidence { opening, attempts: Vec::new(), ..evidence() });
    check(&open, NotPullable, &[(Code::RepositoryNotFound, Certain)]);
    let hidden = unknown(with_end(answered(404, &[])));
    check(&hidden, NotPullable, &[(Code::RepositoryNotFound, Likely)]);
}

/// A Basic registry may refuse so what is not there.
#[test]
fn a_401_is_the_logins_only_where_the_front_door_refuses_it_too() {
    let table = [
        (Some(401), Code::CredentialRejected, Certain),
        (Some(200), Code::NotFoundOrNotAuthorized, Certain),
        (Some(404), Code::CredentialRejected, Likely),
        (None, Code::CredentialRejected, Likely),
    ];
    for (login, code, confidence) in table {
        let tried = Attempt { login, ..attempt(Some("bad"), answered(401, &[])) };
        let evidence_ = Evidence { attempts: vec![tried], ..evidence() };
        check(&evidence_, NotPullable, &[(code, confidence)]);
    }
}
