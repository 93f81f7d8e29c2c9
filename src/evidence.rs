//! Evidence: what was seen when one image was tried.
//!
//! Plain data, serializable, with nothing secret in it: an evidence file is a
//! regression test. Every failure of the world is a value here ([`End`]); what it means
//! is for [`crate::diagnose`] to say.

pub mod login;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::access::{Gap, Provenance};
use crate::image::ImageRef;
use crate::image::platform::Platform;

use told::{Flaw, Grant, Lifetime, Mirrors, PullLimit, Repository, Unfit};

pub mod told;

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
}

impl Evidence {
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
    /// How it ended.
    pub end: End,
}

impl Attempt {
    /// An attempt of which nothing more is known than its steps and its end.
    pub fn new(credential: Option<Provenance>, steps: Vec<Step>, end: End) -> Self {
        Self { credential, steps, grant: None, login: None, lifetime: None, flaw: None, end }
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

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum End {
    /// The image is there and may be read, as far as the steps went.
    Served {
        /// The digest that the registry states (`Docker-Content-Digest`).
        digest: Option<String>,
        /// The platform that the image's configuration states, where it was read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        platform: Option<Platform>,
    },
    /// The registry wants a credential and says how. Only an opening ends so.
    Challenged {
        /// The scheme that containerd would answer.
        scheme: Scheme,
    },
    /// A server answered, and not with success.
    Answered {
        /// Which server.
        hop: Hop,
        /// The step that it answered.
        step: StepName,
        /// What it answered.
        answer: Answer,
    },
    /// No answer could be had.
    Unreachable {
        /// Which server.
        hop: Hop,
        /// Why.
        failure: Failure,
    },
    /// The request was not sent, for a reason of ours.
    NotSent {
        /// The host to which it was not sent.
        host: String,
        /// Why.
        reason: NotSent,
    },
    /// What was served is not what a node can run.
    Unfit {
        /// Which server served it.
        hop: Hop,
        /// The step that read it.
        step: StepName,
        /// What is wrong with it.
        problem: Unfit,
    },
}

/// The schemes of a challenge that containerd answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scheme {
    /// RFC 7617.
    Basic,
    /// RFC 6750, with a token service as the Docker registry token specification has it.
    Bearer,
}

/// A server that an attempt met.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hop {
    /// What it is to the pull.
    pub role: Role,
    /// Its name, with the port where it is not the scheme's own.
    pub host: String,
    /// The address that was tried last.
    pub address: Option<IpAddr>,
}

/// What a server is to the pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// The registry itself.
    Registry,
    /// The token service that the registry's challenge names.
    TokenService,
    /// A host to which the registry redirects.
    RedirectTarget,
    /// A host to which it redirects for configurations and layers.
    DataHost,
    /// The proxy on the way to any of these.
    Proxy,
    /// A server that the runtime asks in the registry's place.
    Mirror,
}

/// An HTTP answer that is no success.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The errors of the body, as the OCI distribution specification has them. At most 5.
    pub errors: Vec<RegistryError>,
    /// The beginning of a body that is none of that, without control characters; at
    /// most 200 characters.
    pub body: Option<String>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// The server's own id of the request (`x-ms-correlation-request-id` and the like).
    pub correlation: Option<String>,
}

/// One error of a registry's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryError {
    /// `MANIFEST_UNKNOWN` and the like.
    pub code: String,
    /// The registry's words, at most 200 characters, without control characters.
    pub message: String,
}

/// Why a server could not be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Failure {
    /// The name does not exist, or has no address.
    NameNotFound {
        /// The resolver that said so.
        resolver: Option<String>,
    },
    /// The name could not be looked up.
    LookupFailed {
        /// `SERVFAIL`, `timed out` and the like.
        detail: String,
    },
    /// Nothing listens at that address.
    Refused,
    /// No answer in time.
    TimedOut {
        /// The step that waited.
        during: StepName,
        /// How long it waited, in milliseconds.
        millis: u64,
    },
    /// The connection was cut.
    Reset {
        /// The step that was cut.
        during: StepName,
    },
    /// There is no way to that address.
    NoRoute {
        /// The system's words.
        detail: String,
    },
    /// The server's certificate was refused.
    Certificate {
        /// Why.
        problem: CertificateProblem,
        /// What it says.
        seen: Certificate,
    },
    /// The handshake failed, and not because of the certificate.
    Handshake {
        /// The library's words.
        detail: String,
    },
    /// Plain HTTP answered where TLS was expected.
    PlainHttp,
    /// What answered does not speak HTTP.
    NotHttp {
        /// The library's words.
        detail: String,
    },
    /// The proxy on the way wants a user name and a password (RFC 9110, 15.5.8).
    ProxyLoginWanted,
    /// The proxy on the way does not connect to the server (RFC 9110, 9.3.6).
    TunnelRefused,
}

/// Why a certificate was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CertificateProblem {
    /// Nobody we trust signed it.
    Untrusted,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// It is for other names.
    WrongName,
    /// Anything else: a bad signature, a wrong purpose, a revoked certificate.
    Invalid,
}

/// The facts of a certificate that a report needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// Its subject, as a distinguished name.
    pub subject: String,
    /// Its issuer, as a distinguished name.
    pub issuer: String,
    /// From when it is valid, RFC 3339; empty where it could not be read.
    pub not_before: String,
    /// Until when it is valid, RFC 3339; empty where it could not be read.
    pub not_after: String,
    /// The names it is for, at most 10.
    pub names: Vec<String>,
}

/// Why a request was not sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum NotSent {
    /// The challenge names a token service outside the registry's own domain, and the
    /// operator has not allowed it.
    ForeignRealm {
        /// The realm, as the challenge has it, cut to 200 characters.
        realm: String,
    },
    /// The token service is not behind TLS.
    InsecureRealm {
        /// The realm.
        realm: String,
    },
    /// The realm is no URL.
    BadRealm {
        /// The realm.
        realm: String,
    },
    /// The address is one to which no probe goes.
    ForbiddenAddress {
        /// The address.
        address: IpAddr,
        /// What it is: `link-local`, `loopback`, …
        class: String,
    },
    /// The registry wants a kind of credential that no pull secret holds.
    UnsupportedChallenge {
        /// The schemes that it offers; empty where it offers none.
        schemes: Vec<String>,
    },
    /// A redirect leads nowhere that may be followed.
    BadRedirect {
        /// Where it leads.
        location: String,
    },
}
