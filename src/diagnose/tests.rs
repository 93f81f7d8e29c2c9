use crate::access::{Mismatch, NodeSource, NotRun, Provenance, ProviderFailure};
use crate::evidence::told::{Flaw, Repository};
use crate::evidence::{
    Answer, Certificate, CertificateProblem, Failure, Hop, NotSent, RegistryError, Role, Scheme,
    Step, Vantage,
};

use super::*;
use Confidence::{Certain, Likely, Possible};
use Verdict::{NotPullable, Pullable, Undecided};

mod agreement;
mod azure;
mod both_fail;
mod content;
mod credentials;
mod expiry;
mod hostile;
mod misleading;
mod network;
mod read_well;
mod workstation;

const IMAGE: &str = "r.test/shop/api:1";

fn hop(role: Role) -> Hop {
    let host = match role {
        Role::Registry => "r.test",
        Role::TokenService => "auth.r.test",
        Role::RedirectTarget => "cdn.r.test",
        Role::DataHost => "data.r.test",
        Role::Proxy => "http://proxy.r.test:3128",
        Role::Mirror => "mirror.r.test",
        Role::Metadata => "169.254.169.254",
        Role::Entra => "login.microsoftonline.com",
    };
    Hop { role, host: host.to_owned(), address: Some([10, 0, 0, 20].into()) }
}

fn step(name: StepName, passed: bool) -> Step {
    Step { name, host: None, passed, detail: String::new(), micros: 1_000 }
}

fn attempt(credential: Option<&str>, end: End) -> Attempt {
    let credential = credential.map(|secret| Provenance::PullSecret {
        secret: secret.to_owned(),
        key: "r.test".to_owned(),
    });
    Attempt::new(credential, Vec::new(), end)
}

fn served() -> End {
    End::Served { digest: None, platform: None }
}

fn answered(status: u16, codes: &[&str]) -> End {
    let error = |code: &&str| RegistryError { code: (*code).to_owned(), message: String::new() };
    let answer = Answer { status, errors: codes.iter().map(error).collect(), ..Answer::default() };
    End::Answered { hop: hop(Role::Registry), step: StepName::Manifest, answer }
}

/// The token service gave a token, and then this came.
fn with_token(mut attempt: Attempt) -> Attempt {
    attempt.steps = vec![step(StepName::Token, true), step(StepName::Manifest, false)];
    attempt
}

/// A registry that wants a token; secret `good` is served.
fn evidence() -> Evidence {
    let opening = attempt(None, End::Challenged { scheme: Scheme::Bearer });
    Evidence {
        attempts: vec![attempt(Some("good"), served())],
        ..Evidence::begun(ImageRef::parse(IMAGE).unwrap(), Vantage::Pod, opening)
    }
}

/// The same where no pull secret applies and strangers are refused.
fn without_credential(gaps: &[Gap]) -> Evidence {
    Evidence {
        gaps: gaps.to_vec(),
        attempts: Vec::new(),
        anonymous: Some(attempt(None, answered(401, &["UNAUTHORIZED"]))),
        ..evidence()
    }
}

/// The same where the one pull secret ends so.
fn with_end(end: End) -> Evidence {
    Evidence { attempts: vec![with_token(attempt(Some("bad"), end))], ..evidence() }
}

fn diagnosis(evidence: &Evidence) -> Diagnosis {
    let subject = Subject { namespace: "shop", image: &evidence.image, complaint: None };
    diagnose(subject, evidence)
}

/// The verdict, and each finding's code with its confidence, errors first.
#[track_caller]
fn check(evidence: &Evidence, verdict: Verdict, findings: &[(Code, Confidence)]) {
    let diagnosis = diagnosis(evidence);
    let found: Vec<_> =
        diagnosis.findings.iter().map(|finding| (finding.code, finding.confidence)).collect();
    assert_eq!((diagnosis.verdict, found.as_slice()), (verdict, findings));
    for finding in &diagnosis.findings {
        assert!(!finding.message.ends_with('.'), "a clause: {}", finding.message);
        let told = finding.remedy.is_empty() == (finding.code == Code::Pullable);
        assert!(told, "{} has a remedy: {}", finding.code, finding.remedy);
    }
}

/// How far the pull gets: reachable, authenticated, authorized, found.
#[track_caller]
fn check_progress(evidence: &Evidence, expected: [Option<bool>; 4]) {
    let Progress { reachable, authenticated, authorized, found } = diagnosis(evidence).progress;
    assert_eq!([reachable, authenticated, authorized, found], expected);
}

fn missing(secret: &str) -> Gap {
    Gap::SecretMissing { secret: secret.to_owned() }
}

fn forbidden(secret: &str) -> Gap {
    Gap::SecretForbidden { secret: secret.to_owned() }
}

fn mismatch(key: &str, rule: Mismatch) -> Gap {
    Gap::EntryNotMatching { secret: "regcred".to_owned(), key: key.to_owned(), rule }
}

fn broken() -> Gap {
    Gap::KeyringBroken { secret: "regcred".to_owned(), reason: "it is not JSON".to_owned() }
}

#[test]
fn a_served_manifest_is_pullable() {
    check(&evidence(), Pullable, &[(Code::Pullable, Certain)]);
    let opening = attempt(None, served());
    let public = Evidence { opening, attempts: Vec::new(), ..evidence() };
    check(&public, Pullable, &[(Code::Pullable, Certain)]);
    let anonymous = Some(attempt(None, served()));
    let strangers = Evidence { anonymous, ..without_credential(&[]) };
    check(&strangers, Pullable, &[(Code::Pullable, Certain)]);
    for evidence in [evidence(), public, strangers] {
        check_progress(&evidence, [Some(true); 4]);
    }
}

#[test]
fn the_second_credential_serves_and_the_first_is_a_warning() {
    let first = attempt(Some("bad"), answered(401, &[]));
    let evidence =
        Evidence { attempts: vec![first, attempt(Some("good"), served())], ..evidence() };
    check(&evidence, Pullable, &[(Code::CredentialRejected, Likely), (Code::Pullable, Certain)]);
    let [rejected, pullable] = diagnosis(&evidence).findings.try_into().unwrap();
    assert_eq!(rejected.severity, Severity::Warning);
    assert_eq!(rejected.credential.as_deref(), Some("secret bad (key r.test)"));
    assert_eq!(pullable.severity, Severity::Info);
    assert!(pullable.message.ends_with("with secret good (key r.test)"), "{}", pullable.message);
}

#[test]
fn what_is_wrong_beside_a_served_credential_is_a_warning() {
    let table = [
        (missing("gone"), Code::PullSecretMissing),
        (forbidden("hidden"), Code::PullSecretUnreadable),
        (
            Gap::SecretIgnored {
                secret: "odd".to_owned(),
                reason: "its type is Opaque".to_owned(),
            },
            Code::PullSecretMalformed,
        ),
    ];
    for (gap, code) in table {
        let evidence = Evidence { gaps: vec![gap], ..evidence() };
        check(&evidence, Pullable, &[(code, Certain), (Code::Pullable, Certain)]);
        assert_eq!(diagnosis(&evidence).findings[0].severity, Severity::Warning);
    }
    let other = mismatch("other.test", Mismatch::NotAUrl);
    check(&Evidence { gaps: vec![other], ..evidence() }, Pullable, &[(Code::Pullable, Certain)]);
}

#[test]
fn an_anonymous_success_never_makes_an_image_pullable_when_credentials_failed() {
    let anonymous = Some(attempt(None, served()));
    let attempts = vec![attempt(Some("bad"), answered(401, &[]))];
    let evidence = Evidence { attempts, anonymous, ..evidence() };
    assert_eq!(diagnosis(&evidence).verdict, NotPullable);
    check_progress(&evidence, [Some(true), Some(false), None, None]);
}

#[test]
fn a_refusal_after_a_token_hides_what_it_is() {
    for end in [answered(401, &[]), answered(403, &["DENIED"]), answered(404, &[])] {
        check(&with_end(end), NotPullable, &[(Code::NotFoundOrNotAuthorized, Certain)]);
    }
    let bare = with_end(answered(403, &[]));
    check(&bare, NotPullable, &[(Code::NotFoundOrNotAuthorized, Likely)]);
    let attempts = vec![attempt(Some("bad"), answered(403, &["DENIED"]))];
    let denied = Evidence { attempts, ..evidence() };
    check(&denied, NotPullable, &[(Code::NotFoundOrNotAuthorized, Certain)]);
    let refused = with_end(answered(401, &[]));
    check_progress(&refused, [Some(true), Some(true), Some(false), None]);
}

#[test]
fn what_is_not_there_is_told_by_the_repository_or_by_the_code() {
    let not_told = || Some(Repository::NotTold { status: 401 });
    let table = [
        (Some(Repository::Exists), "", Code::TagNotFound, Certain),
        (Some(Repository::Exists), "NAME_UNKNOWN", Code::TagNotFound, Certain),
        (Some(Repository::Unknown), "", Code::RepositoryNotFound, Likely),
        (not_told(), "NAME_UNKNOWN", Code::RepositoryNotFound, Likely),
        (None, "NAME_UNKNOWN", Code::RepositoryNotFound, Likely),
        (not_told(), "MANIFEST_UNKNOWN", Code::TagNotFound, Likely),
        (None, "MANIFEST_UNKNOWN", Code::TagNotFound, Likely),
        (not_told(), "", Code::NotFoundOrNotAuthorized, Certain),
    ];
    for (repository, code, expected, confidence) in table {
        let end = answered(404, if code.is_empty() { &[] } else { std::slice::from_ref(&code) });
        let evidence = Evidence { repository, ..with_end(end) };
        check(&evidence, NotPullable, &[(expected, confidence)]);
    }
    let found = Evidence {
        repository: Some(Repository::Exists),
        ..with_end(answered(404, &["MANIFEST_UNKNOWN"]))
    };
    check_progress(&found, [Some(true), Some(true), Some(true), Some(false)]);
}

#[test]
fn a_public_registrys_404_is_read_from_the_opening() {
    let opening = attempt(None, answered(404, &["MANIFEST_UNKNOWN"]));
    let evidence = Evidence { opening, attempts: Vec::new(), ..evidence() };
    check(&evidence, NotPullable, &[(Code::TagNotFound, Likely)]);
}

#[test]
fn what_strangers_are_told_decides_where_there_is_no_credential() {
    let anonymous = Some(attempt(None, answered(404, &["NAME_UNKNOWN"])));
    let evidence = Evidence { anonymous, ..without_credential(&[missing("gone")]) };
    check(&evidence, NotPullable, &[(Code::RepositoryNotFound, Likely)]);
}

#[test]
fn other_answers() {
    let table = [
        (403, NotPullable, Code::AccessForbidden, Certain),
        (429, NotPullable, Code::RateLimited, Certain),
        (500, NotPullable, Code::RegistryUnavailable, Certain),
        (503, NotPullable, Code::RegistryUnavailable, Certain),
        (405, Undecided, Code::Inconclusive, Possible),
        (302, Undecided, Code::Inconclusive, Possible),
    ];
    for (status, verdict, code, confidence) in table {
        let opening = attempt(None, answered(status, &[]));
        let evidence = Evidence { opening, attempts: Vec::new(), ..evidence() };
        check(&evidence, verdict, &[(code, confidence)]);
        check_progress(&evidence, [Some(true), None, None, None]);
    }
}

/// A pod may name any host: what a server that is no registry answers is read and not told.
#[test]
fn only_what_has_a_registrys_form_is_quoted() {
    let error = |code: &str| RegistryError { code: code.to_owned(), message: "inner".to_owned() };
    let body = Some("inner page".to_owned());
    for (answer, is_told) in [
        (Answer { body, ..Answer::default() }, false),
        (Answer { errors: vec![error("")], ..Answer::default() }, false),
        (Answer { errors: vec![error("all of the inner page")], ..Answer::default() }, false),
        (Answer { errors: vec![error(&"A".repeat(65))], ..Answer::default() }, false),
        (Answer { errors: vec![error("DENIED")], ..Answer::default() }, true),
        (Answer { errors: vec![error("invalid_grant")], ..Answer::default() }, true),
    ] {
        for status in [401, 403, 404, 418, 429, 500] {
            let answer = Answer { status, ..answer.clone() };
            let end = End::Answered { hop: hop(Role::Registry), step: StepName::Manifest, answer };
            let findings = diagnosis(&with_end(end)).findings;
            let told = findings.iter().any(|finding| finding.message.contains("inner"));
            assert!(is_told || !told, "{findings:?}");
            assert!(told || !is_told || status != 403, "{findings:?}");
        }
    }
}

#[test]
fn the_limit_of_a_registry_is_said() {
    let answer = Answer { status: 429, retry_after: Some(90), ..Answer::default() };
    let end = End::Answered { hop: hop(Role::Registry), step: StepName::Manifest, answer };
    let [finding] = diagnosis(&with_end(end)).findings.try_into().unwrap();
    assert!(finding.message.ends_with("(status 429; it says to wait 90 s)"), "{}", finding.message);
}

#[test]
fn a_request_that_was_not_sent_decides_nothing() {
    let realm = || "https://evil.example/token".to_owned();
    let table = [
        (NotSent::ForeignRealm { realm: realm() }, Code::Inconclusive, Possible),
        (NotSent::InsecureRealm { realm: realm() }, Code::Inconclusive, Possible),
        (NotSent::BadRealm { realm: realm() }, Code::Inconclusive, Possible),
        (NotSent::UnsupportedChallenge { schemes: Vec::new() }, Code::Inconclusive, Likely),
        (NotSent::BadRedirect { location: "ftp:".to_owned() }, Code::Inconclusive, Possible),
        (NotSent::NotVerified, Code::Inconclusive, Possible),
        (NotSent::NotEncrypted, Code::Inconclusive, Possible),
        (
            NotSent::ForbiddenAddress {
                address: [169, 254, 169, 254].into(),
                class: "link-local".to_owned(),
            },
            Code::ProbeSkipped,
            Certain,
        ),
        (NotSent::DeniedTarget { address: None }, Code::ProbeSkipped, Certain),
        (NotSent::NotAllowedTarget { address: None }, Code::ProbeSkipped, Certain),
    ];
    for (reason, code, confidence) in table {
        let host = "evil.example".to_owned();
        let evidence = with_end(End::NotSent { host, reason });
        check(&evidence, Undecided, &[(code, confidence)]);
    }
}

#[test]
fn an_invalid_reference_is_certain_and_its_remedy_names_the_right_one() {
    let error = ImageRef::parse("r.test/Shop/api").unwrap_err();
    let Diagnosis { verdict, findings, progress } = invalid_reference(&error);
    assert_eq!((verdict, progress), (NotPullable, Progress::default()));
    let [finding] = findings.try_into().unwrap();
    assert_eq!((finding.code, finding.confidence), (Code::InvalidImageReference, Certain));
    assert!(finding.message.contains("r.test/Shop/api"), "{}", finding.message);
}

#[test]
fn a_port_that_no_connection_can_have_is_an_invalid_reference() {
    let image = ImageRef::parse("r.test:99999/a").unwrap();
    let Diagnosis { verdict, findings, progress } = impossible_port(&image);
    assert_eq!((verdict, progress), (NotPullable, Progress::default()));
    assert_eq!(findings[0].code, Code::InvalidImageReference);
    assert!(findings[0].message.contains("r.test:99999"), "{}", findings[0].message);
}

/// The code for which no registry is asked, given the kubelet's words.
#[track_caller]
fn check_unprobed(complaint: Option<&Complaint>, gaps: &[Gap], code: Option<Code>) {
    let image = ImageRef::parse(IMAGE).unwrap();
    let diagnosis = without_probe(Subject { namespace: "shop", image: &image, complaint }, gaps);
    let found = diagnosis.map(|diagnosis| {
        assert_eq!((diagnosis.verdict, diagnosis.progress), (NotPullable, Progress::default()));
        diagnosis.findings[0].code
    });
    assert_eq!(found, code);
}

#[test]
fn the_kubelets_own_refusals_ask_no_registry() {
    let cause = || "why".to_owned();
    let pull_failed = Complaint::PullFailed { cause: cause() };
    let inspect = Complaint::InspectFailed { cause: cause() };
    let signature = Complaint::SignatureRejected { cause: cause() };
    check_unprobed(Some(&Complaint::NeverPull), &[], Some(Code::ImageNeverPulled));
    check_unprobed(Some(&inspect), &[], Some(Code::ImageInspectFailed));
    check_unprobed(Some(&signature), &[], Some(Code::SignatureRejected));
    check_unprobed(Some(&pull_failed), &[broken()], Some(Code::PullSecretMalformed));
    check_unprobed(None, &[missing("a"), broken()], Some(Code::PullSecretMalformed));
    let asked = [pull_failed, Complaint::InvalidName, Complaint::KeyringBroken { cause: cause() }];
    for complaint in &asked {
        check_unprobed(Some(complaint), &[missing("a")], None);
    }
    check_unprobed(None, &[], None);
}

#[test]
fn errors_rank_before_warnings_the_surer_first_then_the_earlier_in_a_pull() {
    let finding = |code, confidence| Finding::new(code, confidence, String::new(), String::new());
    let mut findings = [
        finding(Code::Pullable, Certain),
        finding(Code::Inconclusive, Possible),
        finding(Code::TagNotFound, Likely),
        finding(Code::CredentialRejected, Certain),
        finding(Code::DnsFailure, Certain),
    ];
    rank(&mut findings);
    let codes: Vec<Code> = findings.iter().map(|finding| finding.code).collect();
    let expected = [
        Code::DnsFailure,
        Code::CredentialRejected,
        Code::TagNotFound,
        Code::Inconclusive,
        Code::Pullable,
    ];
    assert_eq!(codes, expected);
}
