//! The catalogue: every finding's code, with what is the same wherever it occurs.
//!
//! A code is public and permanent. It is the reason of Events and conditions, a metric
//! label, the argument of `registrycheck explain` and a heading of the documentation, all
//! made from this one table.

use std::fmt;

use crate::api::{Owner, Severity};

/// What is the same of a finding wherever it occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The part of a pull that it is about.
    pub stage: Stage,
    /// How bad it is where it stops a pull.
    pub severity: Severity,
    /// Who can mend it.
    pub owner: Owner,
    /// One line.
    pub title: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// The document or program that the rule rests on.
    pub source: &'static str,
}

/// The parts of a pull, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The image's name.
    Reference,
    /// Which credentials there are.
    Credential,
    /// The network, up to an HTTP answer.
    Network,
    /// Whether the registry takes a credential.
    Authentication,
    /// The identity of a node or of a service account, and its tokens.
    Identity,
    /// What the credential may do.
    Authorization,
    /// Whether the image is there.
    Image,
    /// The registry's own state.
    Registry,
    /// The node and its runtime.
    Node,
    /// What is left to say.
    Verdict,
}

macro_rules! catalogue {
    ($($code:ident: $stage:ident, $severity:ident, $owner:ident,
        $title:literal, $meaning:literal, $source:literal;)*) => {
        /// A finding's code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $code,)*
        }

        impl Code {
            /// The code that is written so, in any case.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text))
            }

            /// All codes, in the order of the catalogue.
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// The code as it is written everywhere.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)* }
            }

            /// The row of the catalogue.
            pub const fn row(self) -> Row {
                match self {
                    $(Self::$code => Row {
                        stage: Stage::$stage,
                        severity: Severity::$severity,
                        owner: Owner::$owner,
                        title: $title,
                        meaning: $meaning,
                        source: $source,
                    },)*
                }
            }
        }
    };
}

catalogue! {
    InvalidImageReference: Reference, Error, Workload,
        "The image's name is not a valid image reference.",
        "The kubelet cannot parse the image's name, so nothing is ever asked of a registry.",
        "github.com/distribution/reference v0.6.0";
    RegistryNameSuspicious: Reference, Warning, Workload,
        "The registry's name looks misspelt.",
        "The image's name is valid, but its host is not one that a registry of that kind has: a suffix is doubled, misspelt or missing.",
        "Azure Container Registry, Troubleshoot registry login";
    PullSecretMissing: Credential, Error, Workload,
        "A pull secret that the pod names does not exist in its namespace.",
        "The kubelet passes over a pull secret that it cannot find and pulls without it.",
        "Kubernetes 1.35, pkg/kubelet/kubelet_pods.go";
    PullSecretMalformed: Credential, Error, Workload,
        "A pull secret cannot be used as it is written.",
        "A pull secret has the type kubernetes.io/dockerconfigjson and the key .dockerconfigjson (or the older kubernetes.io/dockercfg and .dockercfg). One that is not valid JSON, or whose auth is not base64 of user:password, stops every pull of the pod.",
        "Kubernetes 1.35, pkg/credentialprovider/secrets/secrets.go";
    PullSecretHostMismatch: Credential, Error, Workload,
        "No entry of the pull secrets is for this image's registry.",
        "The kubelet compares host, port and path of each entry with the image. There are no default ports, a * stands for one label at most, and case counts.",
        "Kubernetes 1.35, pkg/credentialprovider/keyring.go";
    PullSecretUnreadable: Credential, Warning, Cluster,
        "The controller may not read a pull secret.",
        "Nothing is concluded from a secret that could not be read.",
        "deploy/registrycheck.yaml, ClusterRole registrycheck";
    NoCredentials: Credential, Error, Workload,
        "No credential reaches the registry, and it refuses anonymous pulls.",
        "The pod names no pull secret, and the registry does not serve this image to strangers.",
        "Kubernetes 1.35, pkg/kubelet/kuberuntime/kuberuntime_image.go";
    CredentialProviderNotMatched: Credential, Error, Cluster,
        "The node's credential provider is not asked for this registry.",
        "The kubelet runs a credential provider for the hosts that its configuration lists. The patterns match label by label, and this host is not among them.",
        "Kubernetes 1.35, pkg/credentialprovider/plugin/plugin.go";
    CredentialProviderFailed: Credential, Error, Cluster,
        "The node's credential provider gives no credential.",
        "The plugin is missing, cannot run, fails or is too slow. The kubelet logs that and pulls without its credential.",
        "Kubernetes 1.35, pkg/credentialprovider/plugin/plugin.go";
    DockerUnavailable: Credential, Error, Workload,
        "No container engine answers on this machine.",
        "The client found no engine behind its socket: it does not run, or this user may not use it.",
        "Docker, Configure and troubleshoot the Docker daemon";
    CredentialHelperFailed: Credential, Error, Workload,
        "The credential helper named in the Docker configuration fails.",
        "The client asks a helper program for the login, and that program is missing or ends with an error.",
        "github.com/docker/docker-credential-helpers";
    DnsNameNotFound: Network, Error, Network,
        "The registry's name does not exist.",
        "The resolver answers that there is no such name, or that it has no address: the registry does not exist, its name is misspelt, or it is known only in another network.",
        "RFC 2308, NXDOMAIN and NODATA";
    DnsFailure: Network, Error, Network,
        "The registry's name could not be looked up.",
        "The resolver failed or did not answer; whether the name exists is not known.",
        "RFC 1035, SERVFAIL";
    ConnectionRefused: Network, Error, Network,
        "Nothing accepts connections at the registry's address.",
        "The address answers that no server listens on that port, or a firewall refuses.",
        "RFC 9293, 3.10.7.1";
    ConnectionTimeout: Network, Error, Network,
        "The registry does not answer in time.",
        "Packets are dropped on the way, mostly by a firewall or a missing route, or the server hangs.",
        "RFC 9293, 3.8.3";
    ConnectionReset: Network, Error, Network,
        "The connection to the registry is cut.",
        "The connection was made and then closed before an answer: a firewall, a proxy, or a failing server.",
        "RFC 9293, 3.10.7.4";
    TlsCertificateUntrusted: Network, Error, Network,
        "The registry's certificate is signed by nobody we trust.",
        "The authority that signed the certificate is not among those trusted: a private authority, an intercepting proxy, or a self-signed certificate.",
        "RFC 5280, 6";
    TlsCertificateExpired: Network, Error, Registry,
        "The registry's certificate is not valid at this time.",
        "The certificate's time is over or has not come yet, or a clock is wrong.",
        "RFC 5280, 4.1.2.5";
    TlsNameMismatch: Network, Error, Registry,
        "The registry's certificate is for another name.",
        "The certificate lists names, and the one that was asked for is not among them.",
        "RFC 9525, 6";
    TlsHandshakeFailed: Network, Error, Network,
        "The TLS handshake with the registry fails.",
        "Client and server found no version, cipher or certificate that suits both.",
        "RFC 8446, 6.2";
    SchemeMismatch: Network, Error, Network,
        "The registry speaks HTTP where HTTPS was expected.",
        "Something answers on that port in plain HTTP, while the node speaks TLS to every registry that it is not told to speak HTTP to.",
        "containerd, docs/hosts.md";
    NotARegistry: Network, Error, Network,
        "What answers is no registry.",
        "Something answers on that port and does not speak HTTP as a registry does.",
        "OCI distribution specification 1.1";
    NetworkRuleDenied: Network, Error, Registry,
        "The registry's firewall refuses this cluster's address.",
        "The registry is open to listed networks only, and the address from which this cluster reaches it is not among them.",
        "Azure Container Registry, Configure public IP network rules";
    AccessForbidden: Network, Error, Registry,
        "The registry forbids access and does not say why.",
        "A 403 can come from the registry's firewall, from a disabled public endpoint, or from missing rights.",
        "RFC 9110, 15.5.4";
    PrivateLinkMisrouted: Network, Error, Network,
        "The registry's private name leads to the wrong place.",
        "A registry with a private endpoint is reached at a public address, or at another endpoint's: its private DNS zone is missing, not linked or wrong.",
        "Azure Container Registry, Set up Private Link";
    ProxyUnreachable: Network, Error, Network,
        "The proxy on the way to the registry cannot be reached.",
        "Requests go through a proxy, and it is the proxy that does not answer. Nothing is said about the registry.",
        "Go, net/http.Transport";
    ProxyAuthenticationRequired: Network, Error, Network,
        "The proxy on the way to the registry wants a login.",
        "The proxy refuses requests without a user name and a password of its own.",
        "RFC 9110, 15.5.8";
    TokenServiceUnreachable: Network, Error, Network,
        "The registry's token service cannot be reached.",
        "The registry sends clients to a token service for a login, and that service does not answer.",
        "Docker registry token authentication specification";
    DataEndpointUnreachable: Network, Error, Network,
        "The host that serves the layers cannot be reached.",
        "The registry answers and sends clients to another host for the content. The way to that host is closed.",
        "Azure Container Registry, Configure rules to access behind a firewall";
    MirrorUnreachable: Network, Error, Cluster,
        "The mirror that the node uses does not answer.",
        "The node's runtime asks a mirror in place of the registry, and the request to the mirror fails.",
        "containerd, docs/hosts.md";
    CredentialRejected: Authentication, Error, Workload,
        "The registry refuses the credential.",
        "A user name and password were sent and refused; the registry says no more.",
        "RFC 9110, 15.5.2";
    UsernameUnknown: Authentication, Error, Workload,
        "The registry does not know the user name.",
        "The user is misspelt, was deleted, belongs to another tenant, or is the admin user of a registry that has none.",
        "Azure Container Registry, Troubleshoot registry login";
    CredentialExpired: Authentication, Error, Workload,
        "The credential is past its time.",
        "The token or the password was valid once. Tokens of registries live for hours.",
        "Azure Container Registry, Authentication options";
    StaleCredential: Authentication, Error, Workload,
        "The image is public, and the credential is what breaks the pull.",
        "The registry serves this image to anybody, but the kubelet sends the credential that it finds, and the registry refuses it. There is no anonymous attempt after a refused credential.",
        "Kubernetes 1.35, pkg/kubelet/kuberuntime/kuberuntime_image.go";
    ServicePrincipalSecretInvalid: Authentication, Error, Identity,
        "The service principal's secret is wrong.",
        "The application is known, and the secret that was sent is none of its secrets.",
        "Microsoft Entra ID, Authentication and authorization error codes, 7000215";
    ServicePrincipalSecretExpired: Authentication, Error, Identity,
        "The service principal's secret has expired.",
        "The application is known, and the secret that was sent is past its date.",
        "Microsoft Entra ID, Authentication and authorization error codes, 7000222";
    ServicePrincipalUnknown: Authentication, Error, Identity,
        "The service principal is not in this tenant.",
        "The application or the tenant does not exist where it was looked for: deleted, misspelt, or of another tenant or cloud.",
        "Microsoft Entra ID, Authentication and authorization error codes, 700016 and 90002";
    IdentityNotAssigned: Identity, Error, Identity,
        "The identity is not assigned to the node.",
        "The node's metadata service knows no identity of the id that was asked for.",
        "Azure, Managed identities, How to use a token";
    IdentityAmbiguous: Identity, Error, Identity,
        "The node has several identities, and none was chosen.",
        "With more than one identity the metadata service wants to be told which.",
        "Azure, Managed identities, How to use a token";
    IdentityEndpointUnreachable: Identity, Error, Cluster,
        "The node's metadata service does not answer.",
        "Managed identities get their tokens at 169.254.169.254, and nothing answers there.",
        "Azure Instance Metadata Service";
    TokenAudienceRefused: Identity, Error, Identity,
        "The token service does not accept the audience.",
        "A token was asked for a resource that this tenant or cloud does not know.",
        "Microsoft Entra ID, Authentication and authorization error codes, 500011";
    TokenExchangeDenied: Identity, Error, Identity,
        "The registry does not exchange the identity's token.",
        "The identity has a token, and the registry gives no login for it: a role is missing, or the token is not accepted.",
        "Azure Container Registry, docs/aad-oauth.md";
    FederatedCredentialMismatch: Identity, Error, Identity,
        "No federated credential matches the service account's token.",
        "Issuer, subject and audience of the token are compared with what the identity trusts, and one of them differs.",
        "Microsoft Entra ID, Authentication and authorization error codes, 70021";
    WorkloadIdentityNotConfigured: Identity, Error, Workload,
        "The service account names no identity.",
        "The login needs a client id and a tenant id, and the service account or the pod does not have them.",
        "Azure Workload Identity, Labels and annotations";
    PullNotAuthorized: Authorization, Error, Identity,
        "The credential is accepted and may not pull.",
        "The registry knows who asks, and the right to pull this repository is missing.",
        "Azure Container Registry, Roles and permissions";
    NotFoundOrNotAuthorized: Authorization, Error, Registry,
        "The image is not there, or the credential may not pull it.",
        "The registry hides which of the two it is.",
        "OCI distribution specification 1.1, error codes";
    RepositoryNotFound: Image, Error, Workload,
        "The repository does not exist.",
        "The credential is accepted, and the registry knows no repository of that name.",
        "OCI distribution specification 1.1, NAME_UNKNOWN";
    TagNotFound: Image, Error, Workload,
        "The repository exists, the tag or digest does not.",
        "The image was never pushed under that tag, the tag is misspelt, or it was removed.",
        "OCI distribution specification 1.1, MANIFEST_UNKNOWN";
    ManifestDangling: Image, Error, Registry,
        "The tag is there, and a manifest that it names is not.",
        "A tag or an index still points to a manifest that was removed.",
        "OCI image specification 1.1, image index";
    LayerNotFound: Image, Error, Registry,
        "The manifest is there, and a layer that it names is not.",
        "The registry has lost part of the image, or it was never pushed whole.",
        "OCI distribution specification 1.1, BLOB_UNKNOWN";
    PlatformMismatch: Image, Error, Workload,
        "The image is not made for the node's platform.",
        "The image lists operating systems and processors, and the node's is not among them.",
        "OCI image specification 1.1, image index";
    ManifestUnsupported: Image, Error, Workload,
        "What is stored there is no image that this runtime can run.",
        "The manifest has an obsolete format, or it describes something other than an image.",
        "OCI image specification 1.1, manifest";
    ContentCorrupted: Image, Error, Registry,
        "What arrived is not what the manifest promises.",
        "The size or the digest differs: something on the way or in a cache changes or cuts the content, or the runtime resumed a download wrongly.",
        "OCI image specification 1.1, descriptor";
    RateLimited: Registry, Error, Registry,
        "The registry limits how much is pulled.",
        "Too many requests came from this address or with this credential.",
        "RFC 6585, 4";
    RegistryUnavailable: Registry, Error, Registry,
        "The registry has a fault of its own.",
        "The registry answers with a server error.",
        "RFC 9110, 15.6";
    PullQpsExceeded: Node, Error, Cluster,
        "The kubelet limits how fast it pulls.",
        "The node has many images to pull, and its kubelet spreads them out. The registry is not asked.",
        "Kubernetes 1.35, pkg/kubelet/images/helpers.go";
    ImageNeverPulled: Node, Error, Workload,
        "The pod forbids to pull the image, and it is not on the node.",
        "imagePullPolicy is Never. The registry is not asked.",
        "Kubernetes 1.35, pkg/kubelet/images/image_manager.go";
    ImageInspectFailed: Node, Error, Cluster,
        "The node's runtime cannot say whether it has the image.",
        "The container runtime on the node fails. The registry is not asked.",
        "Kubernetes 1.35, pkg/kubelet/images/image_manager.go";
    SignatureRejected: Node, Error, Cluster,
        "The node's signature policy refuses the image.",
        "The runtime verifies signatures and refused this one. The registry is not asked.",
        "Kubernetes 1.35, pkg/kubelet/images/types.go";
    NodeDiskFull: Node, Error, Cluster,
        "The node's disk is full.",
        "The layers arrive, and there is no space to unpack them.",
        "Linux, errno(3), ENOSPC";
    RuntimeFailure: Node, Error, Cluster,
        "The node's container runtime fails.",
        "The runtime does not run, is configured wrongly or cannot unpack the image. The registry is not at fault.",
        "containerd, docs/ops.md";
    PullTimedOut: Node, Error, Cluster,
        "The pull was given up before it was done.",
        "The kubelet or the runtime ended a pull that took too long or made no progress.",
        "Kubernetes 1.35, runtimeRequestTimeout";
    NodeTrustStoreOutdated: Node, Error, Cluster,
        "The node does not trust an authority that others trust.",
        "The node's list of authorities lacks the one that signs the registry's certificate, or holds an expired copy.",
        "RFC 5280, 6";
    Pullable: Verdict, Info, Workload,
        "The image can be pulled.",
        "The registry serves the image's manifest with the credentials that the kubelet uses.",
        "OCI distribution specification 1.1";
    NodeDisagrees: Verdict, Error, Cluster,
        "The pod network can pull the image, the node cannot.",
        "The kubelet has just failed to pull what this probe was served: the node differs in its network, its certificates, its mirrors or its clock, or the fault has passed.",
        "registrycheck";
    Inconclusive: Verdict, Warning, Cluster,
        "What was seen does not decide.",
        "What the probe saw, or what the message says, fits more than one cause or names none.",
        "registrycheck";
    ProbeSkipped: Verdict, Warning, Cluster,
        "The registry was not probed.",
        "Probing is not allowed, or not possible from here. Nothing is concluded.",
        "registrycheck";
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_has_the_order_of_a_pull() {
        assert!(Code::ALL.is_sorted_by_key(|code| code.row().stage));
    }

    #[test]
    fn codes_are_names_that_kubernetes_takes_as_reasons() {
        for code in Code::ALL {
            let name = code.as_str();
            assert!(name.len() <= 63, "{name}");
            assert!(name.chars().all(|character| character.is_ascii_alphabetic()), "{name}");
        }
    }

    #[test]
    fn every_row_is_written_in_sentences() {
        for code in Code::ALL {
            let row = code.row();
            assert!(row.title.ends_with('.'), "{code}: {}", row.title);
            assert!(row.meaning.ends_with('.'), "{code}: {}", row.meaning);
            assert!(!row.source.is_empty(), "{code}");
        }
    }
}
