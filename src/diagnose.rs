//! Diagnose: evidence becomes findings.
//!
//! Pure. Every way in which a walk can end is matched here, once, without a catch-all: a
//! new kind of failure does not compile before it has a code and a remedy. A finding is
//! `Certain` only where what was seen leaves no other explanation.

#![deny(clippy::wildcard_enum_match_arm)]

use serde::Serialize;

use crate::access::{Gap, Provenance};
use crate::api::{Confidence, Owner, Severity};
use crate::complaint::Complaint;
use crate::evidence::{Attempt, End, Evidence, Role, StepName, Vantage};
use crate::image::{Host, ImageRef};

mod agreement;
mod answers;
mod azure;
pub mod catalogue;
mod content;
mod credentials;
pub mod expiry;
mod local;
pub mod login;
mod mirrors;
mod network;
mod node;
mod progress;
pub mod remedy;
pub mod setting;
mod unsent;
pub mod words;
pub mod workstation;

pub use agreement::{Heard, contradict};
pub use content::leave_platform_open;
pub use credentials::of_gap;
pub use local::{impossible_port, invalid_reference, put_off, skipped, without_probe};
pub use progress::Progress;

use catalogue::Code;
use node::Skipped;
use progress::progress;

/// What is wrong with one image, or that nothing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// Whether the image can be pulled.
    pub verdict: Verdict,
    /// What was found, the cause first.
    pub findings: Vec<Finding>,
    /// How far the pull gets.
    pub progress: Progress,
}

impl Diagnosis {
    /// Fills in what makes the pods, for the command that makes them again.
    pub fn name_workload(&mut self, workload: &str) {
        for finding in &mut self.findings {
            finding.remedy = finding.remedy.replace("deployment/WORKLOAD", workload);
        }
    }
}

/// Whether an image can be pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The registry serves it.
    Pullable,
    /// Something stops the pull.
    NotPullable,
    /// It could not be found out.
    Undecided,
}

/// One finding: a code, for one credential, at one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    #[serde(serialize_with = "code_as_text")]
    pub code: Code,
    /// How bad it is here.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// Who can mend it.
    pub owner: Owner,
    /// What is wrong: a clause without a full stop, so that it can follow `37 pods cannot
    /// pull …:`.
    pub message: String,
    /// What to do, in sentences.
    pub remedy: String,
    /// The credential it is about.
    pub credential: Option<String>,
    /// The host it is about, where that is not the registry.
    pub hop: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn code_as_text<S: serde::Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.as_str())
}

impl Finding {
    fn new(code: Code, confidence: Confidence, message: String, remedy: String) -> Self {
        let row = code.row();
        Self {
            code,
            severity: row.severity,
            confidence,
            owner: row.owner,
            message,
            remedy,
            credential: None,
            hop: None,
        }
    }

    fn of_credential(mut self, credential: Option<String>) -> Self {
        self.credential = credential;
        self
    }

    fn at_hop(mut self, hop: Option<String>) -> Self {
        self.hop = hop;
        self
    }

    /// The same where it does not stop a pull.
    fn into_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}

/// What a diagnosis is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'subject> {
    /// The namespace, for commands to paste.
    pub namespace: &'subject str,
    /// The image.
    pub image: &'subject ImageRef,
    /// What the kubelet says; `None` where no pod fails.
    pub complaint: Option<&'subject Complaint>,
}

impl Subject<'_> {
    fn registry(&self) -> &Host {
        self.image.registry()
    }

    /// A network failure that the kubelet met as well is certain. One that only this probe
    /// met explains the pod's failure perhaps, and one without a failing pod is what it is.
    fn confidence(&self, code: Code, host: &str) -> Confidence {
        self.complaint
            .map_or(Confidence::Certain, |complaint| agreement::confidence(complaint, code, host))
    }
}

/// Says what the evidence means.
pub fn diagnose(subject: Subject<'_>, evidence: &Evidence) -> Diagnosis {
    match evidence.node.as_deref() {
        Some(view) => node::diagnose(subject, evidence, view),
        None => as_of_node(subject, evidence, of_one(subject, evidence, None)),
    }
}

/// Where the node of a registry of Azure was not asked, what a pod meets on the way there.
fn as_of_node(subject: Subject<'_>, evidence: &Evidence, diagnosis: Diagnosis) -> Diagnosis {
    if evidence.vantage != Vantage::Pod || !remedy::is_azure(subject.registry().name()) {
        return diagnosis;
    }
    let findings = diagnosis.findings.into_iter();
    let mut findings: Vec<Finding> =
        findings.map(|finding| network::as_of_node(subject, finding)).collect();
    rank(&mut findings);
    Diagnosis { findings, ..diagnosis }
}

/// Says what the evidence of one list of credentials means; `skipped` says why none of a node's
/// own is in it.
fn of_one(subject: Subject<'_>, evidence: &Evidence, skipped: Option<&Skipped<'_>>) -> Diagnosis {
    let is_heard = |attempt: &&Attempt| !azure::is_noise(attempt, evidence);
    let attempts: Vec<&Attempt> = evidence.attempts.iter().filter(is_heard).collect();
    let deciding = furthest(&attempts).or(evidence.anonymous.as_ref());
    let refused_by_all = evidence.attempts.iter().all(|attempt| !is_served(attempt));
    let mut login = azure::failed_login(subject, evidence);
    let mut findings = Vec::new();
    let mut verdict = if is_served(&evidence.opening) {
        Verdict::Pullable
    } else if !matches!(evidence.opening.end, End::Challenged { .. }) {
        findings.extend(answers::finding(subject, &evidence.opening, evidence));
        let is_known = |login: &Finding| findings.iter().any(|other| other.code == login.code);
        findings.extend(login.take().filter(|login| !is_known(login)));
        verdict_of_failure(&findings)
    } else if evidence.attempts.is_empty() {
        match &evidence.anonymous {
            Some(anonymous) if is_served(anonymous) => Verdict::Pullable,
            Some(anonymous) if !wants_credential(&anonymous.end) => {
                findings.extend(answers::finding(subject, anonymous, evidence));
                verdict_of_failure(&findings)
            }
            Some(anonymous) if hides_from_strangers(subject, anonymous, &evidence.gaps) => {
                findings.push(credentials::hidden_from_strangers(subject));
                Verdict::NotPullable
            }
            Some(_) | None => {
                findings.extend(credentials::absence(subject, &evidence.gaps, login.take()));
                verdict_of_failure(&findings)
            }
        }
    } else {
        for attempt in attempts {
            let finding = answers::finding(subject, attempt, evidence);
            // What got less far than another credential is not what stops the pull.
            let is_cause = deciding.is_none_or(|deciding| reach(attempt) >= reach(deciding));
            findings.extend(
                finding.map(|finding| if is_cause { finding } else { finding.into_warning() }),
            );
        }
        if let Some(stale) = stale(subject, evidence) {
            findings = vec![stale];
            Verdict::NotPullable
        } else if refused_by_all {
            findings.extend(credentials::beside_refused(subject, &evidence.gaps));
            verdict_of_failure(&findings)
        } else {
            Verdict::Pullable
        }
    };
    let exhausted = content::exhausted(subject, evidence);
    if let (Verdict::Pullable, Some(exhausted)) = (verdict, exhausted) {
        findings.insert(0, exhausted);
        verdict = Verdict::NotPullable;
    } else if verdict == Verdict::Pullable {
        findings = findings.into_iter().map(Finding::into_warning).collect();
        findings.extend(credentials::beside_pullable(subject, &evidence.gaps));
        findings.extend(content::of_other_platform(subject, evidence));
        findings.insert(0, pullable(subject, evidence));
    }
    findings.extend(mirrors::findings(subject, evidence, verdict));
    if let Some(login) = login {
        azure::add_beside(login, &mut findings);
    }
    azure::misrouted(subject, evidence, verdict, &mut findings);
    findings.extend(azure::compared(subject, evidence));
    findings.extend(azure::of_endpoints(subject, evidence));
    if evidence.gaps.iter().any(Gap::leaves_open) {
        // What could not be looked into may hold what the kubelet is served with.
        let errors = findings.iter_mut().filter(|finding| finding.severity == Severity::Error);
        errors.for_each(|finding| finding.confidence = finding.confidence.max(Confidence::Likely));
    }
    let verdict =
        credentials::leave_room_for_the_node(subject, evidence, skipped, verdict, &mut findings);
    rank(&mut findings);
    let verdict = agreement::beside_failure(subject, verdict, &mut findings);
    Diagnosis { verdict, findings, progress: progress(evidence, deciding) }
}

/// Where every credential was refused and the image is served without one, the credentials
/// are what breaks the pull: the kubelet makes no anonymous attempt after them.
fn stale(subject: Subject<'_>, evidence: &Evidence) -> Option<Finding> {
    let refused = |attempt: &Attempt| matches!(&attempt.end, End::Answered { answer, .. } if answer.status == 401);
    let is_public = evidence.anonymous.as_ref().is_some_and(is_served);
    let first = evidence.attempts.first()?.credential.as_ref()?;
    let all_refused = evidence.attempts.iter().all(refused);
    (is_public && all_refused).then(|| credentials::stale(subject, first))
}

/// Whether the registry is open to strangers in general and refuses them this image.
fn hides_from_strangers(subject: Subject<'_>, anonymous: &Attempt, gaps: &[Gap]) -> bool {
    let has_token = anonymous.steps.iter().any(|step| step.name == StepName::Token && step.passed);
    subject.registry().as_str() == "docker.io" && has_token && gaps.is_empty()
}

/// The attempt that got furthest, the first of several: what stopped that one stops the pull.
fn furthest<'seen>(attempts: &[&'seen Attempt]) -> Option<&'seen Attempt> {
    let attempts = attempts.iter().copied();
    attempts.reduce(|best, next| if reach(next) > reach(best) { next } else { best })
}

/// How far an attempt got: refused, known but without the right, told that nothing is there,
/// served.
fn reach(attempt: &Attempt) -> u8 {
    let has_token = attempt.steps.iter().any(|step| step.name == StepName::Token && step.passed);
    match &attempt.end {
        End::Served { .. } => 4,
        End::Unfit { step, .. } if *step != StepName::Manifest => 3,
        End::Answered { step: StepName::Platform | StepName::Config | StepName::Layer, .. } => 3,
        End::Unreachable { hop, .. } if hop.role == Role::DataHost => 3,
        End::Answered { step: StepName::Manifest, answer, .. } if answer.status == 404 => 2,
        End::Answered { .. } | End::Unfit { .. } => u8::from(has_token),
        End::Challenged { .. } | End::Unreachable { .. } | End::NotSent { .. } => 0,
    }
}

/// A finding that decides nothing leaves the verdict open.
fn verdict_of_failure(findings: &[Finding]) -> Verdict {
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        Verdict::NotPullable
    } else {
        Verdict::Undecided
    }
}

fn is_served(attempt: &Attempt) -> bool {
    matches!(attempt.end, End::Served { .. })
}

/// Whether the server refused for want of a credential. A 403 that does not call it so can be
/// a firewall's.
fn wants_credential(end: &End) -> bool {
    matches!(end, End::Answered { answer, .. } if answer.status == 401
        || answer.status == 403
            && !answers::names_the_client(answer)
            && answer.errors.iter().any(|error| error.code == "DENIED"))
}

fn pullable(subject: Subject<'_>, evidence: &Evidence) -> Finding {
    let with = evidence
        .attempts
        .iter()
        .find(|attempt| is_served(attempt))
        .and_then(|attempt| attempt.credential.as_ref())
        .filter(|used| **used != Provenance::Strangers)
        .map_or_else(|| "without a credential".to_owned(), |used| format!("with {used}"));
    let image = subject.image;
    let mirror = evidence.mirrors.as_ref().and_then(|mirrors| mirrors.last.as_ref());
    let registry = mirror.map_or_else(
        || subject.registry().to_string(),
        |mirror| format!("the mirror {mirror}, asked in place of {},", subject.registry()),
    );
    let is_whole = evidence.has_read(StepName::Layer);
    let message = if is_whole {
        format!("{registry} serves {image} {with}, as far as the first byte of a layer")
    } else {
        format!("{registry} serves the manifest of {image} {with}")
    };
    // Where its limits count the reading of manifests, only that there is one is known.
    let is_skimmed = evidence.is_skimmed();
    let confidence = if is_skimmed { Confidence::Likely } else { Confidence::Certain };
    Finding::new(Code::Pullable, confidence, message, String::new())
}

/// The cause first: errors before warnings, then the surer, then the earlier in a pull;
/// what is equal keeps its order, which is the kubelet's.
pub fn rank(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| {
        let verdict_first = !matches!(finding.code, Code::Pullable);
        (finding.severity, verdict_first, finding.confidence, finding.code.row().stage)
    });
}

/// The first `limit` characters, with a mark where something is missing.
pub fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit).collect();
    format!("{kept}…")
}

/// The kubelet's words, to be read in a sentence: without the queries of addresses, which can
/// be signatures, and of a long text the end, where the cause is.
fn quote(words: &str) -> String {
    let mut quoted = String::with_capacity(words.len());
    let mut rest = words;
    while let Some(place) = rest.find('?') {
        quoted.push_str(&rest[..place]);
        rest = &rest[place + 1..];
        let ends = |character: char| character.is_whitespace() || "\"'\\<>".contains(character);
        let query = &rest[..rest.find(ends).unwrap_or(rest.len())];
        if query.contains('=') {
            rest = &rest[query.len()..];
        } else {
            quoted.push('?');
        }
    }
    quoted.push_str(rest);
    let length = quoted.chars().count();
    if length <= LONGEST_QUOTE {
        return quoted;
    }
    let end: String = quoted.chars().skip(length - LONGEST_QUOTE).collect();
    // What is left begins with a whole word.
    let from = end.find(' ').filter(|place| *place < 60).map_or(0, |place| place + 1);
    format!("… {}", &end[from..])
}

/// How many characters of the kubelet's words a message quotes.
const LONGEST_QUOTE: usize = 300;

#[cfg(test)]
mod tests;
