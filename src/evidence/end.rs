//! Ends: how an attempt ended, at which server, and why.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::image::platform::Platform;

use super::StepName;
use super::told::Unfit;

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
    /// The metadata service of the node, which gives managed identities their tokens.
    Metadata,
    /// Entra ID, which gives service principals and workloads their tokens.
    Entra,
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
    /// most 200 characters. It is a stranger's: no finding quotes it.
    pub body: Option<String>,
    /// What is wrong with a success, in words of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
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
    /// The operator has denied the host, or the network of its address.
    DeniedTarget {
        /// The address; `None` where the host itself is denied, or is a proxy's to look up.
        address: Option<IpAddr>,
    },
    /// The operator has allowed other hosts and networks alone.
    NotAllowedTarget {
        /// The address, where it was looked up.
        address: Option<IpAddr>,
    },
    /// The registry wants a kind of credential that no pull secret holds.
    UnsupportedChallenge {
        /// The schemes that it offers; empty where it offers none.
        schemes: Vec<String>,
    },
    /// A token of Azure goes to no host outside the domains of Azure's registries.
    NotAzure,
    /// A token of Azure goes to no server whose certificate is not checked.
    NotVerified,
    /// A password goes over no plain HTTP that the operator has not allowed.
    NotEncrypted,
    /// `az aks check-acr` ends before it asks for a token, at a cloud that it does not know.
    UnknownCloud {
        /// The cloud's name, as azure.json has it.
        name: String,
    },
    /// A redirect leads nowhere that may be followed.
    BadRedirect {
        /// Where it leads.
        location: String,
    },
}
