//! The answer of a check: as text for a person, and as a document for a program.

mod check_acr;
mod document;
mod workstation;

use crate::access::Gap;
use crate::api::{Confidence, Owner};
use crate::cli::words::{Origin, printable, unused};
use crate::complaint::Complaint;
use crate::diagnose::catalogue::{Code, who};
use crate::diagnose::{Diagnosis, Finding, Verdict, shorten};
use crate::evidence::login::Login;
use crate::evidence::node::{NodeSeen, NodeView};
use crate::evidence::told::Repository;
use crate::evidence::{Evidence, Step};
use crate::record::{Record, Seen, Unprobed};
use crate::report::probes::duration;
use crate::report::walks::{self, Purpose, Tried, Walk};

use super::asked::Asked;

/// Where the credentials come from.
#[derive(Debug)]
pub(in crate::cli) enum Source {
    /// Pull secrets.
    Secrets(Origin),
    /// The pull secrets of a pod.
    Pod {
        /// Its namespace.
        namespace: String,
        /// Its name.
        pod: String,
    },
    /// Secrets, and after them what a node has.
    WithNode(Box<Self>),
    /// A node alone.
    Node,
    /// The node on which the question was put, which has this name.
    OnNode(String),
    /// Nowhere: that is what was asked for.
    Anonymous,
    /// Nowhere: there is no cluster to read secrets from.
    NoCluster,
    /// What the container clients of this machine keep.
    Workstation,
}

/// What there is to say.
pub(super) struct Answer<'answer> {
    /// What was asked about; `None` where that is this machine alone.
    pub(super) asked: Option<&'answer Asked>,
    pub(super) record: &'answer Record,
    pub(super) diagnosis: &'answer Diagnosis,
    pub(super) origin: &'answer Source,
}

impl Answer<'_> {
    /// What is wrong, what to do, and then the evidence.
    pub(super) fn text(&self) -> String {
        let mut lines = self.verdict();
        match &self.record.seen {
            Seen::Evidence(evidence) => {
                let place = self.origin.in_words();
                let platform = evidence
                    .platform
                    .as_ref()
                    .map_or_else(|| "any platform".to_owned(), ToString::to_string);
                let heading = format!("Tried from here, {place}, for {platform}:");
                lines.extend([String::new(), heading]);
                lines.extend(self.tried(&evidence.as_ref().into()));
                lines.extend(evidence.repository.as_ref().map(tags));
                lines.extend(not_used(&evidence.gaps));
                lines.extend(self.of_node(evidence));
            }
            Seen::Login(login) => lines.extend(self.of_login(login)),
            Seen::Workstation(workstation) => {
                lines.extend([String::new(), "Looked at on this machine:".to_owned()]);
                let looked_at = workstation::looked_at(workstation);
                lines.extend(looked_at.iter().map(workstation::line));
                lines.extend(workstation.login.iter().flat_map(|login| self.of_login(login)));
            }
            Seen::Unprobed(Unprobed { gaps, .. }) => {
                let place = self.origin.in_words();
                lines.extend([String::new(), format!("No registry was asked, {place}.")]);
                lines.extend(not_used(gaps));
            }
        }
        if let Some(complaint) = &self.record.complaint {
            lines.extend([String::new(), format!("The kubelet says: {}", said(complaint))]);
        }
        lines.iter().map(|line| printable(line) + "\n").collect()
    }

    fn of_login(&self, login: &Login) -> Vec<String> {
        let place = self.origin.in_words();
        let from = match self.origin {
            Source::OnNode(node) => format!("node {node}"),
            Source::Secrets(_)
            | Source::Pod { .. }
            | Source::WithNode(_)
            | Source::Node
            | Source::Anonymous
            | Source::NoCluster
            | Source::Workstation => "here".to_owned(),
        };
        let mut lines = vec![String::new(), format!("Tried from {from}, {place}, for no image:")];
        let tried = login.into();
        lines.extend(self.tried(&tried));
        lines.extend(not_used(&login.gaps));
        let walks = walks::walks(&tried, self.diagnosis);
        let compared = walks.iter().find(|walk| walk.purpose == Purpose::CheckAcr);
        lines.extend(compared.iter().flat_map(|walk| check_acr::lines(&tried, walk)));
        lines
    }

    fn verdict(&self) -> Vec<String> {
        let what = self.asked.map(Asked::as_written).unwrap_or_default();
        let begin = match (self.asked, self.diagnosis.verdict) {
            (Some(Asked::Image(_)), Verdict::Pullable) => format!("{what} can be pulled"),
            (Some(Asked::Image(_)), Verdict::NotPullable) => format!("{what} cannot be pulled"),
            (Some(Asked::Image(_)), Verdict::Undecided) => {
                format!("Whether {what} can be pulled is not known")
            }
            (Some(Asked::Registry(_)), Verdict::Pullable) => format!("One can log in at {what}"),
            (Some(Asked::Registry(_)), Verdict::NotPullable) => {
                format!("One cannot log in at {what}")
            }
            (Some(Asked::Registry(_)), Verdict::Undecided) => {
                format!("Whether one can log in at {what} is not known")
            }
            (None, Verdict::Pullable) => {
                "Nothing that was found on this machine stands in the way of a pull".to_owned()
            }
            (None, Verdict::NotPullable) => {
                "Something on this machine stands in the way of a pull".to_owned()
            }
            (None, Verdict::Undecided) => {
                "Whether something on this machine stands in the way of a pull is not known"
                    .to_owned()
            }
        };
        let mut findings: Vec<&Finding> = self.diagnosis.findings.iter().collect();
        if self.diagnosis.verdict == Verdict::Pullable {
            // What is wrong beside a pull that works is not why it works.
            findings.sort_by_key(|finding| finding.code != Code::Pullable);
        }
        let mut findings = findings.into_iter();
        let Some(cause) = findings.next() else { return vec![format!("{begin}.")] };
        let mut lines = vec![format!("{begin}: {}{}", closed(&cause.message), doubt(cause))];
        if !cause.remedy.is_empty() {
            lines.push(cause.remedy.clone());
        }
        if self.diagnosis.verdict != Verdict::Pullable {
            let (code, owner) = (cause.code, self.who(cause.owner));
            lines.push(format!("This is {code}, for {owner} to mend."));
        }
        for finding in findings {
            let Finding { code, message, remedy, .. } = finding;
            let doubt = doubt(finding);
            lines.extend([String::new(), format!("Also {code}: {}{doubt}", closed(message))]);
            if !remedy.is_empty() {
                lines.push(format!("  {remedy}"));
            }
        }
        lines
    }

    /// Who can mend something. What belongs to a machine is for whoever asks about that.
    fn who(&self, owner: Owner) -> &'static str {
        match (self.origin, owner) {
            (Source::Workstation, Owner::Workload) => "you",
            (_, owner) => who(owner),
        }
    }

    fn tried(&self, tried: &Tried<'_>) -> Vec<String> {
        let Tried { opening, mirrors, .. } = tried;
        let mut lines = Vec::new();
        for mirror in *mirrors {
            lines.push(format!("  at the mirror {}, before the registry", mirror.host));
            lines.extend(mirror.attempts.iter().flat_map(|tried| &tried.steps).map(indented));
        }
        lines.push("  without a credential, as every pull begins".to_owned());
        lines.extend(opening.steps.iter().map(indented));
        let mut walks = walks::walks(tried, self.diagnosis);
        if matches!(self.asked, Some(Asked::Registry(_))) {
            // It has lines of its own.
            walks.retain(|walk| walk.purpose != Purpose::CheckAcr);
        }
        for walk in &walks {
            let Walk { purpose, credential, outcome, steps, n_own, correlation, log_query, .. } =
                walk;
            lines.extend(match purpose {
                Purpose::Opening => None,
                Purpose::Pull => Some(format!("  {credential}: {outcome}")),
                Purpose::Compare | Purpose::CheckAcr => {
                    Some(format!("  {credential}, to compare: {outcome}"))
                }
            });
            lines.extend(steps.iter().skip(steps.len() - n_own).map(|step| indented(step)));
            let id = correlation.iter();
            lines.extend(id.map(|id| format!("    the registry's id of the last request: {id}")));
            let query = log_query.iter();
            lines.extend(query.map(|query| format!("    what it has of it in its log: {query}")));
        }
        lines
    }

    /// What the same probe saw from the node.
    fn of_node(&self, evidence: &Evidence) -> Vec<String> {
        let Some(NodeView { node, seen, .. }) = evidence.node.as_deref() else { return Vec::new() };
        match seen {
            NodeSeen::Walked { evidence } => {
                let mut lines = vec![String::new(), format!("Tried from node {node}:")];
                lines.extend(self.tried(&evidence.as_ref().into()));
                lines.extend(not_used(&evidence.gaps));
                lines
            }
            NodeSeen::Skipped { reason, .. } => {
                vec![String::new(), format!("Not tried from the node: {}", closed(reason))]
            }
        }
    }
}

/// What the registry says of the repository.
fn tags(repository: &Repository) -> String {
    match repository {
        Repository::Exists => "  the repository has tags".to_owned(),
        Repository::Unknown => "  the registry knows no such repository".to_owned(),
        Repository::NotTold { status: 0 } => "  the repository's tags: no answer".to_owned(),
        Repository::NotTold { status } => {
            format!("  the repository's tags: status {status}, which tells nothing")
        }
    }
}

impl Source {
    fn in_words(&self) -> String {
        match self {
            Self::Secrets(origin) => format!("with the pull secrets {}", origin.in_words()),
            Self::Pod { namespace, pod } => {
                format!("with the pull secrets of pod {pod} in namespace {namespace}")
            }
            Self::WithNode(secrets) => format!("{} and what the node has", secrets.in_words()),
            Self::Node | Self::OnNode(_) => "with what the node has".to_owned(),
            Self::Anonymous => "without a credential, as --anonymous asks".to_owned(),
            Self::Workstation => "with what Docker and Podman have here".to_owned(),
            Self::NoCluster => "without a credential, for no cluster is at hand and no secret is \
                                given (set KUBECONFIG, or name a file with -f)"
                .to_owned(),
        }
    }
}

/// A clause with its full stop.
fn closed(clause: &str) -> String {
    if clause.ends_with(['.', '!', '?']) { clause.to_owned() } else { format!("{clause}.") }
}

fn doubt(finding: &Finding) -> &'static str {
    match finding.confidence {
        Confidence::Certain => "",
        Confidence::Likely => " Likely, not certain.",
        Confidence::Possible => " Possible, no more.",
    }
}

/// `Challenge     4 ms  401, Bearer`.
pub(super) fn step_line(step: &Step) -> String {
    let Step { name, passed, micros, .. } = step;
    let detail = step.seen();
    let (name, time) = (format!("{name:?}"), duration(*micros));
    let result = if *passed { "" } else { "failed: " };
    let line = printable(&format!("{name:<10} {time:>7}  {result}{detail}"));
    line.trim_end().to_owned()
}

fn indented(step: &Step) -> String {
    format!("    {}", step_line(step))
}

fn not_used(gaps: &[Gap]) -> Vec<String> {
    let line = |gap| format!("  {}", unused(gap).in_words());
    let heading = (!gaps.is_empty()).then(|| "Not used:".to_owned());
    heading.into_iter().chain(gaps.iter().map(line)).collect()
}

fn said(complaint: &Complaint) -> String {
    match complaint {
        Complaint::PullFailed { cause } if cause.is_empty() => "the pull failed".to_owned(),
        Complaint::PullFailed { cause }
        | Complaint::KeyringBroken { cause }
        | Complaint::InspectFailed { cause }
        | Complaint::SignatureRejected { cause } => shorten(cause, 1_000),
        Complaint::InvalidName => "the image's name is invalid".to_owned(),
        Complaint::NeverPull => "imagePullPolicy is Never".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Answer, Source};
    use crate::cli::check::asked::Asked;
    use crate::cli::words::Origin;
    use crate::record::Record;

    /// The text with what stands in its block of this language replaced.
    fn with_block(text: &str, language: &str, content: &str) -> String {
        let fence = format!("```{language}\n");
        let (before, rest) = text.split_once(&fence).unwrap();
        let (_, after) = rest.split_once("```\n").unwrap();
        format!("{before}{fence}{content}```\n{after}")
    }

    /// Compares a page with what is said of a case, in both forms.
    #[track_caller]
    fn check_page(page: &str, case: &str, asked: &str, origin: &Source) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let case = root.join("tests/cases").join(case);
        let record = Record::from_yaml(&std::fs::read_to_string(case).unwrap()).unwrap();
        let asked = Asked::parse(asked).unwrap();
        let diagnosis = record.diagnose();
        let answer = Answer { asked: Some(&asked), record: &record, diagnosis: &diagnosis, origin };
        let json = serde_json::to_string_pretty(&answer.document()).unwrap() + "\n";
        let file = root.join(page);
        let committed = std::fs::read_to_string(&file).unwrap();
        let fresh = with_block(&with_block(&committed, "json", &json), "text", &answer.text());
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &fresh).unwrap();
        }
        assert!(committed == fresh, "{page} is stale: UPDATE=1 cargo test --lib check");
    }

    /// The form is a promise to programs, and the documentation is where it stands.
    #[test]
    fn the_documentation_shows_what_is_written() {
        let image = "credential-rejected-bearer.lab.test/shop/api:v1";
        let origin = Source::Secrets(Origin::Files(vec!["secrets.yaml".to_owned()]));
        check_page("docs/check.md", "credential-rejected-bearer.yaml", image, &origin);
        let case = "workstation-helper-failed.yaml";
        check_page("docs/doctor.md", case, "basic.test", &Source::Workstation);
    }
}
