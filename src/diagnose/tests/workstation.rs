//! What a machine's engines, files and helpers mean, and a login from there.

use crate::access::ClientSource;
use crate::diagnose::workstation;
use crate::evidence::login::Login;
use crate::evidence::told::Lifetime;
use crate::evidence::workstation::{
    Choice, Client, ClientFile, Engine, EngineFailure, EngineSeen, FileSeen, Helper, HelperFailure,
    HelperSeen, PassedOver, Program, ProgramSeen, Why, Workstation,
};
use crate::image::Host;

use super::*;

fn engine(named_by: Option<&str>, seen: EngineSeen) -> Engine {
    Engine {
        client: Client::Docker,
        address: "unix:///var/run/docker.sock".to_owned(),
        named_by: named_by.map(str::to_owned),
        seen,
        micros: 1_000,
    }
}

fn docker(version: &str) -> EngineSeen {
    EngineSeen::Answered { product: Client::Docker, version: version.to_owned() }
}

fn denied() -> EngineSeen {
    EngineSeen::Unavailable { failure: EngineFailure::Denied }
}

fn of_engines(engines: Vec<Engine>) -> Diagnosis {
    workstation::diagnose("NAMESPACE", &Workstation { engines, ..Workstation::default() })
}

#[track_caller]
fn check_engines(engines: Vec<Engine>, verdict: Verdict, expected: &[(Code, Severity)]) {
    let diagnosis = of_engines(engines);
    let found: Vec<_> =
        diagnosis.findings.iter().map(|finding| (finding.code, finding.severity)).collect();
    assert_eq!((diagnosis.verdict, found.as_slice()), (verdict, expected));
}

#[test]
fn an_engine_is_missed_only_where_there_should_be_one() {
    let unavailable = Code::DockerUnavailable;
    check_engines(vec![engine(None, EngineSeen::Absent)], Pullable, &[]);
    let skipped = EngineSeen::Skipped { reason: "ssh:// is not spoken here".to_owned() };
    check_engines(vec![engine(Some("DOCKER_HOST"), skipped)], Pullable, &[]);
    check_engines(vec![engine(None, denied())], NotPullable, &[(unavailable, Severity::Error)]);
    // Where another one answers, only one that somebody has named is missed.
    let beside = |named_by| vec![engine(named_by, denied()), engine(None, docker("27.3.1"))];
    check_engines(beside(None), Pullable, &[(unavailable, Severity::Warning)]);
    let named = beside(Some("DOCKER_HOST"));
    check_engines(named, NotPullable, &[(unavailable, Severity::Error)]);
}

#[test]
fn what_to_do_about_an_engine_is_said_by_what_is_wrong_with_it() {
    let remedy = |named_by, failure| {
        let seen = EngineSeen::Unavailable { failure };
        of_engines(vec![engine(named_by, seen)]).findings.remove(0).remedy
    };
    assert!(remedy(None, EngineFailure::Denied).starts_with("Let this user use the socket"));
    let missing = remedy(Some("DOCKER_HOST"), EngineFailure::Missing);
    assert!(missing.starts_with("Start the engine, or correct what DOCKER_HOST says. "));
    let no_context = remedy(Some("DOCKER_CONTEXT build"), EngineFailure::NoContext);
    assert!(no_context.ends_with("docker context ls"), "{no_context}");
    let seconds = EngineFailure::TimedOut { seconds: 20 };
    assert_eq!(remedy(None, seconds), Code::DockerUnavailable.row().remedy);
}

#[test]
fn a_version_is_compared_by_its_numbers() {
    for (version, is_old) in [
        ("1.13.1", true),
        ("17.12.1-ce", true),
        ("18.02.0-ce", true),
        ("18.03.0-ce", false),
        ("18.09.9", false),
        ("19.03.15", false),
        ("27.3.1", false),
        ("28.0.0-rc.1", false),
        ("dev", false),
        ("master-dockerproject-2022-03-26", false),
        ("18", false),
        ("", false),
    ] {
        let seen = ProgramSeen::Answered { product: Client::Docker, version: version.to_owned() };
        let client = Program { name: "docker".to_owned(), seen, micros: 1_000 };
        let of_client = Workstation { programs: vec![client], ..Workstation::default() };
        for diagnosis in [
            of_engines(vec![engine(None, docker(version))]),
            workstation::diagnose("NAMESPACE", &of_client),
        ] {
            let codes: Vec<Code> = diagnosis.findings.iter().map(|finding| finding.code).collect();
            let expected = if is_old { vec![Code::DockerTooOld] } else { Vec::new() };
            assert_eq!(codes, expected, "{version}");
        }
    }
    let podman = EngineSeen::Answered { product: Client::Podman, version: "4.3.1".to_owned() };
    check_engines(vec![engine(None, podman)], Pullable, &[]);
}

const FILE: &str = "/home/alice/.docker/config.json";

fn attempt(key: &str, end: End) -> Attempt {
    let source = ClientSource::File { file: FILE.to_owned() };
    let credential = Provenance::Client { source, key: key.to_owned() };
    Attempt::new(Some(credential), Vec::new(), end)
}

fn refused(words: &str) -> End {
    let errors = vec![RegistryError { code: "UNAUTHORIZED".to_owned(), message: words.to_owned() }];
    let answer = Answer { status: 401, errors, ..Answer::default() };
    End::Answered { hop: hop(Role::TokenService), step: StepName::Token, answer }
}

fn served() -> End {
    End::Served { digest: None, platform: None }
}

/// A machine from which a login was tried.
fn from(registry: &str, attempts: Vec<Attempt>, stranger: End) -> Workstation {
    let challenged = End::Challenged { scheme: Scheme::Bearer };
    let login = Login {
        registry: Host::parse(registry).unwrap(),
        vantage: Vantage::Here,
        gaps: Vec::new(),
        opening: Attempt::new(None, Vec::new(), challenged),
        attempts,
        anonymous: Some(Attempt::new(None, Vec::new(), stranger)),
        lookups: Vec::new(),
        azure: None,
        at: None,
    };
    Workstation { login: Some(Box::new(login)), ..Workstation::default() }
}

/// The first finding: its code, and its remedy.
#[track_caller]
fn check_first(workstation: &Workstation, code: Code, remedy: &str) -> Finding {
    let diagnosis = workstation::diagnose("NAMESPACE", workstation);
    let first = diagnosis.findings[0].clone();
    assert_eq!((first.code, first.remedy.as_str()), (code, remedy), "{diagnosis:#?}");
    assert!(!first.remedy.contains("kubectl") && !first.message.contains("pod"), "{first:?}");
    first
}

#[test]
fn a_refused_login_is_mended_by_logging_in_again() {
    let again =
        "Log in again, with a user name and a password that it accepts: docker login r.test";
    let tried = from("r.test", vec![attempt("r.test", refused("no"))], refused("no"));
    let finding = check_first(&tried, Code::CredentialRejected, again);
    assert!(finding.message.contains(FILE), "{}", finding.message);
    let azure = "Log in again, which is for 3 hours: az acr login -n shop. Or with a user name and a password that it accepts: docker login shop.azurecr.io";
    let host = "shop.azurecr.io";
    for (words, code) in [
        ("Application not registered with AAD.", Code::UsernameUnknown),
        ("authentication required", Code::PasswordIncorrect),
        ("Invalid clientid or client secret.", Code::ServicePrincipalSecretInvalid),
    ] {
        let tried = from(host, vec![attempt(host, refused(words))], refused("no"));
        check_first(&tried, code, azure);
    }
    let until = "2026-01-01T00:00:00Z".to_owned();
    let lifetime = Some(Lifetime { until, is_over: true });
    let over = Attempt { lifetime, ..attempt(host, refused("authentication required")) };
    check_first(&from(host, vec![over], refused("no")), Code::CredentialExpired, azure);
    let flaw = Some(Flaw::LineBreak);
    let broken = Attempt { flaw, ..attempt("r.test", refused("no")) };
    check_first(&from("r.test", vec![broken], refused("no")), Code::CredentialRejected, again);
}

#[test]
fn a_login_in_the_way_is_taken_out_first() {
    let tried = from("r.test", vec![attempt("r.test", refused("no"))], served());
    let out = "Log out, so that no credential is sent: docker logout r.test. For what is not public, log in again: docker login r.test";
    let finding = check_first(&tried, Code::StaleCredential, out);
    assert_eq!(finding.confidence, Likely);
    let diagnosis = workstation::diagnose("NAMESPACE", &tried);
    assert_eq!((diagnosis.verdict, diagnosis.findings.len()), (NotPullable, 1));
    // A pull secret is not known to be for what is public.
    let secret = Provenance::PullSecret { secret: "regcred".to_owned(), key: "r.test".to_owned() };
    let login = tried.login.unwrap();
    let attempts = vec![Attempt::new(Some(secret), Vec::new(), refused("no"))];
    let diagnosis = login::diagnose("shop", &Login { attempts, ..*login });
    let codes: Vec<Code> = diagnosis.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::CredentialRejected, Code::StaleCredential]);
    assert_eq!(diagnosis.verdict, NotPullable);
}

#[test]
fn without_a_login_what_is_wrong_with_it_is_said() {
    let nobody = from("r.test", Vec::new(), refused("no"));
    let finding = check_first(&nobody, Code::NoCredentials, "Log in: docker login r.test");
    assert_eq!(
        finding.message,
        "r.test wants a login, and neither Docker nor Podman has one for it here"
    );
    let reason = Why::OtherName { wanted: "r.test".to_owned() };
    let entry = PassedOver { file: FILE.to_owned(), key: "r.test:443".to_owned(), reason };
    let choice = |client| Choice { client, used: None, passed_over: vec![entry.clone()] };
    let choices = vec![choice(Client::Docker), choice(Client::Podman)];
    let near = Workstation { choices, ..nobody.clone() };
    let finding = check_first(&near, Code::NoCredentials, "Log in: docker login r.test");
    let said = "; the entry r.test:443 in /home/alice/.docker/config.json has another name than r.test, which is looked for";
    assert!(finding.message.ends_with(said), "{}", finding.message);
    assert_eq!(finding.message.matches(said).count(), 1);
    // A helper that fails is why there is none.
    let failure = HelperFailure::Missing;
    let helper = Helper {
        client: Client::Docker,
        program: "docker-credential-x".to_owned(),
        file: FILE.to_owned(),
        field: "credsStore".to_owned(),
        server: "r.test".to_owned(),
        seen: HelperSeen::Failed { failure },
        micros: 1_000,
    };
    let failed = Workstation { helpers: vec![helper], ..nobody.clone() };
    let remedy = "Install or mend the helper, or take its name out of credsStore in /home/alice/.docker/config.json and log in again: docker login r.test. To see what the helper itself says: echo r.test | docker-credential-x get";
    check_first(&failed, Code::CredentialHelperFailed, remedy);
    assert_eq!(workstation::diagnose("NAMESPACE", &failed).findings.len(), 1);
    let seen =
        FileSeen::Malformed { problem: "it is no valid JSON".to_owned(), line: 2, column: 7 };
    let file = ClientFile { client: Client::Podman, file: FILE.to_owned(), seen };
    let broken = Workstation { files: vec![file], ..nobody };
    let remedy =
        "Mend the file at that place, or move it away and log in again: podman login r.test";
    let finding = check_first(&broken, Code::DockerConfigMalformed, remedy);
    assert_eq!(
        finding.message,
        "/home/alice/.docker/config.json cannot be used: it is no valid JSON (line 2, column 7), so Podman has none of the logins in it"
    );
}

#[test]
fn a_login_that_is_taken_leaves_what_is_wrong_with_the_machine() {
    let taken = from("r.test", vec![attempt("r.test", served())], refused("no"));
    let diagnosis = workstation::diagnose("NAMESPACE", &taken);
    assert_eq!((diagnosis.verdict, diagnosis.findings[0].code), (Pullable, Code::Pullable));
    let named = engine(Some("DOCKER_HOST"), denied());
    let without = Workstation { engines: vec![named], ..taken };
    let diagnosis = workstation::diagnose("NAMESPACE", &without);
    let codes: Vec<Code> = diagnosis.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::DockerUnavailable, Code::Pullable]);
    assert_eq!(diagnosis.verdict, NotPullable);
}

/// The catalogue speaks of nodes and clusters; who sits at a machine has neither.
#[test]
fn the_way_to_the_registry_is_that_of_the_machine() {
    let unreachable = |failure| {
        let end = End::Unreachable { hop: hop(Role::Registry), failure };
        let mut tried = from("r.test", Vec::new(), served());
        let login = tried.login.as_mut().unwrap();
        login.opening.end = end;
        login.anonymous = None;
        workstation::diagnose("NAMESPACE", &tried).findings.remove(0)
    };
    for failure in [
        Failure::NameNotFound { resolver: None },
        Failure::LookupFailed { detail: "SERVFAIL".to_owned() },
        Failure::TimedOut { during: StepName::Connect, millis: 1_000 },
        Failure::Reset { during: StepName::Tls },
        Failure::Certificate {
            problem: CertificateProblem::Untrusted,
            seen: Certificate::default(),
        },
        Failure::PlainHttp,
    ] {
        let Finding { code, remedy, .. } = unreachable(failure);
        for word in ["kubectl", "node", "cluster", "containerd", "controller"] {
            assert!(!remedy.contains(word), "{code}: {remedy}");
        }
        assert!(remedy.contains("r.test"), "{code}: {remedy}");
    }
}
