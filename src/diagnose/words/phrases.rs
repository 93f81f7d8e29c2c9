//! Phrases that name their cause by themselves: those of the node, of identities and of
//! content. The more exact go first.

use crate::api::Confidence::{self, Certain, Likely, Possible};

use super::super::catalogue::Code;

/// Words, all of which are there, with what they mean and how sure they make it.
type Phrase = (&'static [&'static str], Code, Confidence);

const IDENTITY: &[Phrase] = &[
    // What the API server asks, and no node.
    (&["failed calling", "webhook"], Code::Inconclusive, Possible),
    // Of Azure's management.
    (&["api call to", "got http response status code"], Code::Inconclusive, Possible),
    (&["identity not found"], Code::IdentityNotAssigned, Certain),
    (&["no user assigned or delegated managed identity found"], Code::IdentityNotAssigned, Certain),
    (&["multiple user assigned identities exist"], Code::IdentityAmbiguous, Certain),
    (&["specify the clientid"], Code::IdentityAmbiguous, Likely),
    (&["identity isn't assigned to this resource"], Code::IdentityNotAssigned, Likely),
    (&["identity has not been assigned to this resource"], Code::IdentityNotAssigned, Likely),
    (&["failed to authenticate a system assigned identity"], Code::IdentityNotAssigned, Likely),
    (&["no default identity is assigned"], Code::IdentityNotAssigned, Likely),
    (
        &["managedidentitycredential", "deadline exceeded"],
        Code::IdentityEndpointUnreachable,
        Likely,
    ),
    (&["no response from the imds endpoint"], Code::IdentityEndpointUnreachable, Likely),
    (&["managed identity endpoint", "not available"], Code::IdentityEndpointUnreachable, Likely),
    (&["no client id specified"], Code::WorkloadIdentityNotConfigured, Certain),
    (&["no tenant id specified"], Code::WorkloadIdentityNotConfigured, Certain),
    (&["no token file specified"], Code::WorkloadIdentityNotConfigured, Certain),
    (
        &["id annotation", "is not found or the value is empty"],
        Code::WorkloadIdentityNotConfigured,
        Certain,
    ),
    (&["annotation", "azure.workload.identity/"], Code::WorkloadIdentityNotConfigured, Likely),
    (&["azure_client_id", "not set"], Code::WorkloadIdentityNotConfigured, Likely),
    (&["no matching federated identity record"], Code::FederatedCredentialMismatch, Likely),
    (&["client id must be guid"], Code::UsernameUnknown, Certain),
    (&["application not registered with aad"], Code::UsernameUnknown, Certain),
    (&["invalid clientid or client secret"], Code::ServicePrincipalSecretInvalid, Likely),
    (&["retrieving permissions failed"], Code::TokenExchangeDenied, Likely),
    (&["arm aad token disallowed"], Code::CheckAcrDisagrees, Likely),
    (&["connectivity_refresh_token_error"], Code::TokenExchangeDenied, Likely),
    (&["rejected token exchange", "status"], Code::TokenExchangeDenied, Likely),
    (&["from exchange request", "status"], Code::TokenExchangeDenied, Likely),
    (&["failed to reach auth url"], Code::TokenServiceUnreachable, Likely),
    (&["admin user is disabled"], Code::UsernameUnknown, Likely),
];

/// Microsoft Entra ID's numbers.
const ENTRA: &[(&[u32], Code, Confidence)] = &[
    (&[7_000_222], Code::ServicePrincipalSecretExpired, Certain),
    (&[7_000_215], Code::ServicePrincipalSecretInvalid, Certain),
    (&[50_012], Code::ServicePrincipalSecretInvalid, Likely),
    (&[70_021, 700_211, 700_212, 700_213, 7_002_138], Code::FederatedCredentialMismatch, Likely),
    (&[700_024], Code::CredentialExpired, Likely),
    (&[700_016, 90_002], Code::ServicePrincipalUnknown, Certain),
    (&[70_001, 90_013, 900_023, 900_382, 7_000_112], Code::ServicePrincipalUnknown, Likely),
    (&[500_011, 50_001], Code::TokenAudienceRefused, Certain),
    (&[70_011], Code::TokenAudienceRefused, Likely),
    (&[53_003, 65_001], Code::TokenExchangeDenied, Likely),
];

/// Pull secrets, credential providers, helpers and engines.
const LOGIN: &[Phrase] = &[
    (&["unable to retrieve", "pull secret", "forbidden"], Code::PullSecretUnreadable, Likely),
    (&["unable to retrieve", "pull secret", "timed out"], Code::PullSecretUnreadable, Possible),
    (&["unable to retrieve", "pull secret", "not found"], Code::PullSecretMissing, Certain),
    (&["unable to retrieve", "pull secret"], Code::PullSecretMissing, Likely),
    (&["secrets \"", "\" not found"], Code::PullSecretMissing, Likely),
    (&["illegal base64 data"], Code::PullSecretMalformed, Likely),
    (&["unable to parse auth field"], Code::PullSecretMalformed, Certain),
    (&["unmarshal", "dockerconfig"], Code::PullSecretMalformed, Certain),
    (&["register cri auth plugins"], Code::CredentialProviderFailed, Certain),
    (&["credential provider plugin"], Code::CredentialProviderFailed, Certain),
    (&["registry credential provider"], Code::CredentialProviderFailed, Certain),
    (&["credential-provider", "plugin"], Code::CredentialProviderFailed, Certain),
    (&["credential-provider", "exit status"], Code::CredentialProviderFailed, Certain),
    (&["credentialprovider", "plugin"], Code::CredentialProviderFailed, Likely),
    (&["credential provider", "fail"], Code::CredentialProviderFailed, Likely),
    (&["getting credentials from acr"], Code::CredentialProviderFailed, Certain),
    (
        &["failed to receive challenge: error reaching registry endpoint"],
        Code::CredentialProviderFailed,
        Certain,
    ),
    (&["failed to get credentials from acr"], Code::CredentialProviderFailed, Certain),
    (&["getauthorizationtoken"], Code::CredentialProviderFailed, Likely),
    (&["failed to get ecr"], Code::CredentialProviderFailed, Likely),
    (&["ecr: failed to get authorization token"], Code::CredentialProviderFailed, Likely),
    (&["getting credentials - err", "docker-credential-"], Code::CredentialHelperFailed, Certain),
    (&["error getting credentials - err"], Code::CredentialHelperFailed, Likely),
    (&["docker-credential-", "executable file not found"], Code::CredentialHelperFailed, Certain),
    (&["error storing credentials"], Code::CredentialHelperFailed, Likely),
    (&["error saving credentials"], Code::CredentialHelperFailed, Likely),
    (&["error loading config file", "config.json"], Code::DockerConfigMalformed, Likely),
    (&["error reading json file", "auth.json"], Code::DockerConfigMalformed, Likely),
    (&["error during connect"], Code::DockerUnavailable, Likely),
    (&["error occurred trying to connect"], Code::DockerUnavailable, Likely),
    (&["requires running the docker daemon"], Code::DockerUnavailable, Likely),
    (&["pipe/docker"], Code::DockerUnavailable, Likely),
    (&["docker daemon socket"], Code::DockerUnavailable, Certain),
    (&["docker: command not found"], Code::DockerUnavailable, Likely),
    (&["lasterrorexception: [2] no such file"], Code::DockerUnavailable, Likely),
    (&["docker_command_error"], Code::DockerUnavailable, Likely),
    (&["docker_daemon_error"], Code::DockerUnavailable, Likely),
    (&["cannot connect to the docker daemon"], Code::DockerUnavailable, Certain),
    (&["cannot connect to podman"], Code::DockerUnavailable, Certain),
    (&["docker daemon is not running"], Code::DockerUnavailable, Likely),
    (&["docker.sock: connect: permission denied"], Code::DockerUnavailable, Certain),
    (&["docker.sock: connect: no such file"], Code::DockerUnavailable, Certain),
];

const NAMED: &[Phrase] = &[
    // The kubelet's own.
    (&["pull qps exceeded"], Code::PullQpsExceeded, Certain),
    (&["is not present with pull policy of never"], Code::ImageNeverPulled, Certain),
    (&["errimageneverpull"], Code::ImageNeverPulled, Certain),
    (&["invalid reference format"], Code::InvalidImageReference, Certain),
    (&["ref may only contain a single colon"], Code::InvalidImageReference, Certain),
    (&["couldn't parse image"], Code::InvalidImageReference, Certain),
    (&["could not parse image"], Code::InvalidImageReference, Certain),
    (&["could not parse reference"], Code::InvalidImageReference, Certain),
    (&["invalidimagename"], Code::InvalidImageReference, Certain),
    (&["failed to apply default image tag"], Code::InvalidImageReference, Certain),
    (&["repository name must be lowercase"], Code::InvalidImageReference, Certain),
    (&["repository name must be canonical"], Code::InvalidImageReference, Likely),
    (&["error parsing reference"], Code::InvalidImageReference, Certain),
    (&["is not a valid repository/tag"], Code::InvalidImageReference, Certain),
    (&["invalid checksum digest"], Code::InvalidImageReference, Certain),
    (&["repository can only contain the characters"], Code::InvalidImageReference, Certain),
    (&["failed to inspect image"], Code::ImageInspectFailed, Likely),
    (&["imageinspecterror"], Code::ImageInspectFailed, Likely),
    // A bare name, for which no registry is known.
    (&["short-name", "did not resolve"], Code::RegistryNameSuspicious, Likely),
    (&["short name mode is enforcing"], Code::RegistryNameSuspicious, Likely),
    (
        &["no registries configured while trying to pull an unqualified image"],
        Code::RegistryNameSuspicious,
        Likely,
    ),
    // Signatures and the runtime.
    (&["policy.json", "no such file"], Code::RuntimeFailure, Likely),
    (&["policy.json", "invalid character"], Code::RuntimeFailure, Likely),
    (&["invalid policy in"], Code::RuntimeFailure, Likely),
    (&["image verifier", "blocked pull"], Code::SignatureRejected, Likely),
    (&["unverified image "], Code::SignatureRejected, Likely),
    (&["a signature was required"], Code::SignatureRejected, Certain),
    (&["source image rejected"], Code::SignatureRejected, Likely),
    (&["signature validation failed"], Code::SignatureRejected, Likely),
    (&["signaturevalidationfailed"], Code::SignatureRejected, Likely),
    (&["is rejected by policy"], Code::SignatureRejected, Likely),
    (&["remote trust data"], Code::SignatureRejected, Likely),
    (&["signature verification failed"], Code::SignatureRejected, Likely),
    (&["unrecognized signature format"], Code::SignatureRejected, Likely),
    (&["content digest sha", ": not found"], Code::RuntimeFailure, Likely),
    (&["-sha256:", " locked for "], Code::RuntimeFailure, Likely),
    (&["-sha256:", " locked: unavailable"], Code::RuntimeFailure, Likely),
    (&["grpc: the connection is unavailable"], Code::RuntimeFailure, Likely),
    (&["does not resolve to an image id"], Code::RuntimeFailure, Likely),
    (&["get registry endpoints"], Code::RuntimeFailure, Likely),
    (&["tlsconfig for registry"], Code::RuntimeFailure, Likely),
    (&["failed to load cert file"], Code::RuntimeFailure, Likely),
    (&["failed to load x509 key pair"], Code::RuntimeFailure, Likely),
    (&["hosts.toml"], Code::RuntimeFailure, Likely),
    (&["no matching signatures"], Code::SignatureRejected, Likely),
    (&["no space left on device"], Code::NodeDiskFull, Certain),
    (&["not enough space on the disk"], Code::NodeDiskFull, Certain),
    (&["disk quota exceeded"], Code::NodeDiskFull, Likely),
    (&["containerd.sock"], Code::RuntimeFailure, Likely),
    (&["crio.sock"], Code::RuntimeFailure, Likely),
    (&["dial unix"], Code::RuntimeFailure, Likely),
    (&["failed to prepare extraction snapshot"], Code::RuntimeFailure, Likely),
    (&["snapshot sha256:", "does not exist"], Code::RuntimeFailure, Likely),
    (&["attach and mount for snapshot"], Code::RuntimeFailure, Likely),
    (&["missing parent bucket"], Code::RuntimeFailure, Likely),
    (&["daemon socket", "not found"], Code::RuntimeFailure, Likely),
    (&["no valid soci index"], Code::RuntimeFailure, Possible),
    (&["snapshotter not loaded"], Code::RuntimeFailure, Likely),
    (&["unknown service runtime."], Code::RuntimeFailure, Likely),
    (&["hcsshim::"], Code::RuntimeFailure, Likely),
    (&["failed to get image diffids"], Code::RuntimeFailure, Likely),
    (&["read-only file system"], Code::RuntimeFailure, Likely),
    (&["input/output error"], Code::RuntimeFailure, Likely),
    (&["lchown", "invalid argument"], Code::RuntimeFailure, Likely),
    (&["potentially insufficient uids or gids"], Code::RuntimeFailure, Likely),
    // Content.
    (&["no match for platform"], Code::PlatformMismatch, Certain),
    (&["no matching manifest for"], Code::PlatformMismatch, Certain),
    (&["no image found in", "for architecture"], Code::PlatformMismatch, Certain),
    (&["cannot be used on this platform"], Code::PlatformMismatch, Certain),
    (&["does not match the specified platform"], Code::PlatformMismatch, Likely),
    (&["does not provide the specified platform"], Code::PlatformMismatch, Certain),
    (&["-based image is incompatible with a"], Code::PlatformMismatch, Likely),
    (&["no child with platform"], Code::PlatformMismatch, Certain),
    (&["can't talk to a v1 docker registry"], Code::NotARegistry, Likely),
    (&["media type", "text/html"], Code::NotARegistry, Likely),
    (&["mime type", "text/html"], Code::NotARegistry, Likely),
    (&["invalid character '<'", "http 200"], Code::NotARegistry, Likely),
    (&["distribution.manifest.v1+"], Code::ManifestUnsupported, Certain),
    (&["schema 1 support"], Code::ManifestUnsupported, Certain),
    (&["schema 1 ", "not supported"], Code::ManifestUnsupported, Certain),
    (&["schema 1 ", "no longer supported"], Code::ManifestUnsupported, Certain),
    (&["schema 1 images", "disabled by default"], Code::ManifestUnsupported, Certain),
    (&["unsupported schema version"], Code::ManifestUnsupported, Likely),
    (&["no processor for media-type"], Code::ManifestUnsupported, Likely),
    (&["missing signature key"], Code::ManifestUnsupported, Likely),
    (&["invalid rootfs in image configuration"], Code::ManifestUnsupported, Likely),
    (&["mismatched image rootfs and manifest layers"], Code::ManifestUnsupported, Likely),
    (&["unexpected media type"], Code::ManifestUnsupported, Likely),
    (&["unsupported", "mime type"], Code::ManifestUnsupported, Likely),
    (&["unsupported", "media type"], Code::ManifestUnsupported, Likely),
    (&["unsupported", "mediatype"], Code::ManifestUnsupported, Likely),
    (&["unknown media type"], Code::ManifestUnsupported, Likely),
    (&["unrecognized media type"], Code::ManifestUnsupported, Likely),
    (&["unsupported manifest"], Code::ManifestUnsupported, Likely),
    (&["unsupported image-specific operation on artifact"], Code::ManifestUnsupported, Certain),
    (&["mediatype in manifest should be"], Code::ManifestUnsupported, Likely),
    (&["unexpected commit digest"], Code::ContentCorrupted, Certain),
    (&["failed size validation"], Code::ContentCorrupted, Certain),
    (&["unexpected commit size"], Code::ContentCorrupted, Certain),
    (&["layer verification failed"], Code::ContentCorrupted, Certain),
    (&["manifest verification failed"], Code::ContentCorrupted, Likely),
    (&["image config verification failed for digest"], Code::ContentCorrupted, Likely),
    (&["digest did not match"], Code::ContentCorrupted, Certain),
    (&["does not match", "digest"], Code::ContentCorrupted, Likely),
    (&["digest mismatch"], Code::ContentCorrupted, Certain),
    (&["digest invalid"], Code::ContentCorrupted, Likely),
    (&["layers from manifest don't match image configuration"], Code::ContentCorrupted, Likely),
    (&["manifest would not match destination reference"], Code::ContentCorrupted, Likely),
    (&["wrong diff id"], Code::ContentCorrupted, Likely),
    (&["failed to read expected number of bytes"], Code::ContentCorrupted, Likely),
    (&["extract layer", "unexpected eof"], Code::ContentCorrupted, Likely),
    (&["register layer", "unexpected eof"], Code::ContentCorrupted, Likely),
    (&["tar file", "unexpected eof"], Code::ContentCorrupted, Likely),
    (&["untar", "unexpected eof"], Code::ContentCorrupted, Likely),
    (&["invalid tar header"], Code::ContentCorrupted, Likely),
    (&["invalid deflate data"], Code::ContentCorrupted, Likely),
    (&["flate: corrupt input"], Code::ContentCorrupted, Likely),
    (&["gzip: invalid"], Code::ContentCorrupted, Likely),
    (&["archive/tar:"], Code::ContentCorrupted, Likely),
];

/// What counts where nothing else is said.
const AROUND: &[Phrase] = &[
    (&["failed to extract layer"], Code::RuntimeFailure, Likely),
    (&["failed to register layer"], Code::RuntimeFailure, Likely),
    (&["error processing tar file"], Code::RuntimeFailure, Likely),
    (&["committing the finished image"], Code::RuntimeFailure, Likely),
    (&["layer not known"], Code::RuntimeFailure, Likely),
    (&["image not known"], Code::RuntimeFailure, Likely),
    (&["failed to create containerd container"], Code::RuntimeFailure, Likely),
    // Runtimes warn so, and go on.
    (&["mismatch: image uses"], Code::PlatformMismatch, Likely),
    (&["encountered unknown type", "text/html"], Code::NotARegistry, Likely),
    (&["encountered unknown type"], Code::ManifestUnsupported, Likely),
    (&["because of no progress"], Code::PullTimedOut, Likely),
    (&["deadlineexceeded"], Code::PullTimedOut, Likely),
    (&["context deadline exceeded"], Code::PullTimedOut, Likely),
    (&["context canceled"], Code::PullTimedOut, Possible),
    (&["code = canceled"], Code::PullTimedOut, Possible),
    (&["connectivity_dns_error"], Code::DnsNameNotFound, Likely),
    (&["connectivity_ssl_error"], Code::TlsHandshakeFailed, Likely),
    (&["could not connect to the registry login server"], Code::ConnectionTimeout, Possible),
    (&["registry is unavailable"], Code::RegistryUnavailable, Likely),
];

/// Errors of Linux that say why layers cannot be unpacked, other than for want of room.
const SYSTEM: &[&str] = &[
    ": invalid argument",
    ": operation not permitted",
    ": operation not supported",
    ": permission denied",
    ": no such file or directory",
    ": file exists",
    ": not a directory",
    ": is a directory",
    ": directory not empty",
    ": device or resource busy",
    ": too many open files",
    ": too many levels of symbolic links",
    ": file name too long",
    ": no such device",
    ": cannot allocate memory",
    ": structure needs cleaning",
];

/// What identities, their token services and the sources of credentials say.
pub(super) fn identity(prose: &str) -> Option<(Code, Confidence)> {
    entra(prose).or_else(|| find(IDENTITY, prose)).or_else(|| find(LOGIN, prose))
}

/// What is said around a cause that is missing.
pub(super) fn around(prose: &str) -> Option<(Code, Confidence)> {
    find(AROUND, prose)
}

/// Whether an error of the node's operating system is named.
pub(super) fn has_error_of_the_system(prose: &str) -> bool {
    SYSTEM.iter().any(|error| prose.contains(error))
}

/// What is named behind the words that an image could not be inspected.
pub(super) fn behind_the_inspection(prose: &str) -> Option<(Code, Confidence)> {
    let causes = NAMED.iter().filter(|(_, code, _)| *code != Code::ImageInspectFailed);
    first(causes, prose).map(|(code, confidence)| (code, confidence.max(Likely)))
}

/// What else names its cause.
pub(super) fn named(prose: &str) -> Option<(Code, Confidence)> {
    find(NAMED, prose)
}

fn find(phrases: &[Phrase], prose: &str) -> Option<(Code, Confidence)> {
    first(phrases.iter(), prose)
}

fn first<'table>(
    mut phrases: impl Iterator<Item = &'table Phrase>,
    prose: &str,
) -> Option<(Code, Confidence)> {
    phrases
        .find(|(words, ..)| words.iter().all(|word| prose.contains(word)))
        .map(|(_, code, confidence)| (*code, *confidence))
}

/// The number behind `AADSTS`; the first that is known, since an older one stands before
/// the more exact.
fn entra(prose: &str) -> Option<(Code, Confidence)> {
    let numbers = prose.split("aadsts").skip(1).filter_map(|after| {
        let end = after.find(|character: char| !character.is_ascii_digit())?;
        after[..end].parse::<u32>().ok()
    });
    let meanings = numbers.filter_map(|number| {
        let row = ENTRA.iter().find(|(known, ..)| known.contains(&number))?;
        Some((row.1, row.2))
    });
    meanings.reduce(|best, next| if next.1 < best.1 { next } else { best })
}
