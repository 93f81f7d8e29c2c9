//! Record: what was seen of one image with all that a diagnosis needs beside it, as a file.
//!
//! Pure. `registrycheck check --evidence FILE` writes one, and the same file in `tests/cases/`
//! is a regression test: whoever has the record comes to the same diagnosis. No secret can be
//! in it, since a [`Secret`](crate::secret::Secret) cannot be serialized.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::access::Gap;
use crate::complaint::Complaint;
use crate::diagnose::{self, Diagnosis, Heard, Subject, catalogue::Code};
use crate::evidence::Evidence;
use crate::evidence::login::Login;
use crate::evidence::workstation::Workstation;
use crate::image::ImageRef;

/// The version of the form that is written, and the only one that is read.
pub const VERSION: u32 = 1;

/// What was seen, and of whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The version of this form.
    pub version: u32,
    /// The namespace of the pull secrets, for commands to paste.
    pub namespace: String,
    /// What the kubelet says; `None` where no pod fails.
    pub complaint: Option<Complaint>,
    /// Whether these are the words of an attempt that has just failed.
    pub fresh: bool,
    /// In what the probe was laxer than a node, as part of a sentence: `over plain HTTP`.
    pub laxity: Option<String>,
    /// What was seen.
    #[serde(flatten)]
    pub seen: Seen,
}

/// What was seen. It is written under the name of its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Seen {
    /// The registry was asked for an image.
    Evidence(Box<Evidence>),
    /// The registry was asked whether it takes a login.
    Login(Box<Login>),
    /// Nothing was asked, since what is known decides.
    Unprobed(Unprobed),
    /// The machine was looked at on which a command was typed, and perhaps a registry from there.
    Workstation(Box<Workstation>),
}

/// What is known of an image of which nothing was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unprobed {
    /// The image.
    pub image: ImageRef,
    /// Credentials that are missing or do not apply.
    pub gaps: Vec<Gap>,
}

impl Record {
    /// Says what the record means.
    pub fn diagnose(&self) -> Diagnosis {
        match &self.seen {
            Seen::Evidence(evidence) => self.of_evidence(evidence),
            Seen::Login(login) => diagnose::login::diagnose(&self.namespace, login),
            Seen::Workstation(workstation) => {
                diagnose::workstation::diagnose(&self.namespace, workstation)
            }
            Seen::Unprobed(Unprobed { image, gaps }) => explained(self.subject(image), gaps)
                .unwrap_or_else(|| {
                    diagnose::skipped(format!("{image} was not looked at"), String::new())
                }),
        }
    }

    fn subject<'record>(&'record self, image: &'record ImageRef) -> Subject<'record> {
        Subject { namespace: &self.namespace, image, complaint: self.complaint.as_ref() }
    }

    fn of_evidence(&self, evidence: &Evidence) -> Diagnosis {
        let subject = self.subject(&evidence.image);
        let mut diagnosis = diagnose::diagnose(subject, evidence);
        if let Some(laxity) = &self.laxity {
            let findings = diagnosis.findings.iter_mut();
            for finding in findings.filter(|finding| finding.code == Code::Pullable) {
                finding.message = format!("{}, {laxity}, which a node may not do", finding.message);
            }
        }
        let heard = Heard { fresh: self.fresh, before: &[] };
        let image = evidence.image.to_string();
        diagnose::contradict(subject, &image, evidence, heard, diagnosis)
    }

    /// The record as YAML.
    ///
    /// # Errors
    ///
    /// Where it cannot be written as YAML, which does not happen.
    pub fn to_yaml(&self) -> Result<String, serde_yaml_ng::Error> {
        serde_yaml_ng::to_string(self)
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// [`ReadError`] where the text is no record, or one of another version.
    pub fn from_yaml(text: &str) -> Result<Self, ReadError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_yaml_ng::from_str(text).map_err(ReadError::NoRecord)?;
        if version != VERSION {
            return Err(ReadError::OtherVersion { version });
        }
        serde_yaml_ng::from_str(text).map_err(ReadError::NoRecord)
    }
}

/// Why a text is no record that can be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It is none.
    #[error("this is no evidence file")]
    NoRecord(#[source] serde_yaml_ng::Error),
    /// It was written by another version of this program.
    #[error("the form of this evidence file has the version {version}, and {VERSION} is known")]
    OtherVersion {
        /// Its version.
        version: u32,
    },
}

/// What can be said without asking a registry; `None` where it has to be asked.
pub fn explained(subject: Subject<'_>, gaps: &[Gap]) -> Option<Diagnosis> {
    let registry = subject.image.registry();
    if registry.name() != registry.as_str() && registry.port().is_none() {
        return Some(diagnose::impossible_port(subject.image));
    }
    diagnose::without_probe(subject, gaps)
}

#[cfg(test)]
mod tests {
    use super::{ReadError, Record, Seen, Unprobed, VERSION};
    use crate::complaint::Complaint;
    use crate::image::ImageRef;

    fn record(version: u32) -> Record {
        let image = ImageRef::parse("r.test/a:1").unwrap();
        Record {
            version,
            namespace: "shop".to_owned(),
            complaint: Some(Complaint::NeverPull),
            fresh: true,
            laxity: None,
            seen: Seen::Unprobed(Unprobed { image, gaps: Vec::new() }),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = record(VERSION);
        let text = record.to_yaml().unwrap();
        assert_eq!(Record::from_yaml(&text).unwrap(), record, "{text}");
        assert_eq!(record.diagnose().findings[0].code.as_str(), "ImageNeverPulled");
    }

    #[test]
    fn another_version_is_told_apart_from_another_file() {
        let other = record(VERSION + 1).to_yaml().unwrap();
        assert!(matches!(Record::from_yaml(&other), Err(ReadError::OtherVersion { version: 2 })));
        assert!(matches!(Record::from_yaml("kind: Secret"), Err(ReadError::NoRecord(_))));
    }
}
