//! Evidence: what was seen when one image was tried.
//!
//! Plain data, serializable, with nothing secret in it: an evidence file is a
//! regression test. Every failure of the world is a value here ([`End`]); what it means
//! is for [`crate::diagnose`] to say.

use serde::{Deserialize, Serialize};

use crate::access::{Gap, Provenance};
use crate::image::ImageRef;
use crate::image::platform::Platform;

pub mod azure;
mod end;
pub mod login;
pub mod node;
pub mod told;
pub mod workstation;

pub use end::{
    Answer, Certificate, CertificateProblem, End, Failure, Hop, NotSent, RegistryError, Role,
    Scheme,
};

use azure::Azure;
use node::NodeView;
use told::{Flaw, Grant, Lifetime, Lookup, Mirrors, PullLimit, Repository};

/// All that was seen of one image with one list of credentials from one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The image.
    pub image: ImageRef,
    /// Where the probe stood.
    pub vantage: Vantage,
    /// The platform of the node for which the image is; `None` where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Credentials that are missing or do not apply.
    pub gaps: Vec<Gap>,
    /// The first request, which carries no credential: the challenge comes from its
    /// answer, as containerd does it.
    pub opening: Attempt,
    /// One attempt for each credential in the kubelet's order, up to the first that
    /// succeeded. Empty where the opening decided, or where there is no credential.
    pub attempts: Vec<Attempt>,
    /// What somebody without any credential gets. Where there is no credential this *is*
    /// the pull; otherwise it explains a refusal and never makes an image pullable.
    /// `None` where it was not asked or the opening says it already.
    pub anonymous: Option<Attempt>,
    /// What the registry says of the repository itself, asked with the credential that was
    /// answered 404 for the manifest: many registries answer a missing repository and a
    /// missing tag alike. `None` where it was not asked.
    pub repository: Option<Repository>,
    /// The limit of pulls that the registry states, and what is left of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<PullLimit>,
    /// What else was asked, where servers stand before the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirrors: Option<Mirrors>,
    /// How the hosts that were met were looked up, the registry's first; at most 4.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<Lookup>,
    /// What the node's identity of Azure came to, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<Box<Azure>>,
    /// What the same probe saw from the node, where it was to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Box<NodeView>>,
    /// When it was asked, RFC 3339, to the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

impl Evidence {
    /// What is known when there was no more than the first request.
    pub fn begun(image: ImageRef, vantage: Vantage, opening: Attempt) -> Self {
        Self {
            image,
            vantage,
            platform: None,
            gaps: Vec::new(),
            opening,
            attempts: Vec::new(),
            anonymous: None,
            repository: None,
            limit: None,
            mirrors: None,
            lookups: Vec::new(),
            azure: None,
            node: None,
            at: None,
        }
    }

    /// Whether the registry wants a credential, and served the image to none that was tried.
    pub fn lacks_credential(&self) -> bool {
        let is_served = |attempt: &Attempt| matches!(attempt.end, End::Served { .. });
        let served = self.attempts.iter().chain(&self.anonymous).any(is_served);
        matches!(self.opening.end, End::Challenged { .. }) && !served
    }
}

/// Where a probe stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Vantage {
    /// The pod network.
    Pod,
    /// Where somebody typed a command.
    Here,
    /// The node.
    Node,
}

/// One walk of the protocol, or the part of it that one credential adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The credential; `None` without one.
    pub credential: Option<Provenance>,
    /// The steps in the order in which they were taken.
    pub steps: Vec<Step>,
    /// What the token says, where one was given and can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// What the registry answered to this credential for `GET /v2/`, asked where it refused
    /// the manifest without giving a token before: a credential that is good there is not
    /// what was refused. `None` where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<u16>,
    /// Until when the credential is valid, where its password is a token that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Lifetime>,
    /// What is wrong with the credential by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaw: Option<Flaw>,
    /// The server's own id of the last request, where that succeeded; of one that did not it is
    /// part of the [`Answer`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    /// How it ended.
    pub end: End,
}

impl Attempt {
    /// An attempt of which nothing more is known than its steps and its end.
    pub fn new(credential: Option<Provenance>, steps: Vec<Step>, end: End) -> Self {
        Self {
            credential,
            steps,
            grant: None,
            login: None,
            lifetime: None,
            flaw: None,
            correlation: None,
            end,
        }
    }
}

/// One step of a walk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Which step.
    pub name: StepName,
    /// The server, where it is not the registry itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whether the walk could go on after it.
    pub passed: bool,
    /// What was seen, in a few words: an address, a status, a certificate's issuer.
    pub detail: String,
    /// How long it took, in microseconds.
    pub micros: u64,
}

impl Step {
    /// What was seen, and where that was not at the registry.
    pub fn seen(&self) -> String {
        let Self { host, detail, .. } = self;
        match host {
            Some(host) if detail.is_empty() => host.clone(),
            Some(host) => format!("{host}: {detail}"),
            None => detail.clone(),
        }
    }
}

/// The steps of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StepName {
    /// A token of Entra ID was asked for, by the metadata service or at Entra ID itself.
    Identity,
    /// That token was exchanged at the registry for one of its own.
    Exchange,
    /// The name was looked up.
    Dns,
    /// A TCP connection was made.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The first request, without a credential.
    Challenge,
    /// A token was asked of the token service.
    Token,
    /// The manifest was asked for.
    Manifest,
    /// The manifest was read, and of an index the one for the node's platform.
    Platform,
    /// The image's configuration was read.
    Config,
    /// The first byte of a layer was read, and the other layers were asked for.
    Layer,
}
