//! Answers: what a server said, by its status and by the words of its error.

use super::frame;
use super::page;
use super::reach::Reach;

/// What a server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A firewall that names the client's address, or public access that is off.
    Firewall,
    /// Too many requests.
    Limited,
    /// The proxy wants a login.
    ProxyLogin,
    /// An error of the server, 5xx.
    Fault,
    /// The right to pull, or the scope of the token, is named as what is missing.
    RightMissing,
    /// Denied or absent: the registry does not say which.
    Hidden,
    /// The same, and the token that was sent is called invalid.
    TokenInvalid,
    /// Denied.
    Forbidden,
    /// Denied by a page for people, which no registry writes.
    ForbiddenPage,
    /// The registry's own rules do not let go of this image.
    Withheld,
    /// The same, for want of a signature.
    Unsigned,
    /// 412, which is how such rules are told where their words are left out.
    PreconditionFailed,
    /// The credential is past its time.
    Expired,
    /// User and password are called wrong.
    WrongPassword,
    /// The client says that it has no credential.
    NoCredential,
    /// A credential is wanted, or another one.
    Unauthorized,
    /// There is no manifest of that tag.
    TagUnknown,
    /// There is no manifest of that tag or digest.
    ManifestUnknown,
    /// There is no manifest of a digest, which the text names.
    DigestUnknown,
    /// There is no such repository.
    NameUnknown,
    /// A layer or a configuration is not there.
    BlobUnknown,
    /// The child of an index is not there.
    ChildUnknown,
    /// 404.
    NotFound,
    /// A page for people where an answer for programs is due.
    WebPage,
    /// A status that says nothing of a pull.
    Strange,
}

impl Answer {
    /// How far a pull got that was answered so.
    pub(super) fn reach(self, wrapped: Reach) -> Reach {
        match self {
            Self::Expired | Self::WrongPassword | Self::NoCredential => Reach::Token,
            Self::Unauthorized => match wrapped {
                Reach::Blob | Reach::Extract => wrapped,
                Reach::Unknown
                | Reach::Local
                | Reach::Reference
                | Reach::Token
                | Reach::Manifest => Reach::Token,
            },
            Self::RightMissing
            | Self::Hidden
            | Self::TokenInvalid
            | Self::TagUnknown
            | Self::ManifestUnknown
            | Self::DigestUnknown
            | Self::NameUnknown => wrapped.max(Reach::Manifest),
            Self::BlobUnknown | Self::ChildUnknown => wrapped.max(Reach::Blob),
            Self::NotFound if wrapped != Reach::Token => wrapped.max(Reach::Manifest),
            Self::Firewall
            | Self::Limited
            | Self::ProxyLogin
            | Self::Fault
            | Self::Forbidden
            | Self::ForbiddenPage
            | Self::Withheld
            | Self::Unsigned
            | Self::PreconditionFailed
            | Self::NotFound
            | Self::WebPage
            | Self::Strange => wrapped.max(Reach::Reference),
        }
    }
}

/// Whether the server's own state is the cause, whatever else its words name.
pub(super) fn is_fault_of_the_server(answer: Answer) -> bool {
    matches!(answer, Answer::Fault | Answer::Limited | Answer::Firewall)
}

/// Words, all of which are there, and what they mean; the more exact first.
const PHRASES: &[(&[&str], Answer)] = &[
    (&["client with ip"], Answer::Firewall),
    (&["is not allowed access"], Answer::Firewall),
    (&["acr/firewall"], Answer::Firewall),
    (&["public network access is"], Answer::Firewall),
    (&["ip allow list enabled"], Answer::Firewall),
    (&["public network access disabled"], Answer::Firewall),
    (&["proxy authentication required"], Answer::ProxyLogin),
    (&["toomanyrequests"], Answer::Limited),
    (&["too many requests"], Answer::Limited),
    (&["pull rate limit"], Answer::Limited),
    (&["rate exceeded"], Answer::Limited),
    (&["authorization token has expired"], Answer::Expired),
    (&["token is expired"], Answer::Expired),
    (&["token has expired"], Answer::Expired),
    (&["token expired"], Answer::Expired),
    (&["expiredtoken"], Answer::Expired),
    (&["incorrect username or password"], Answer::WrongPassword),
    (&["invalid username or password"], Answer::WrongPassword),
    // What containers/image says of any 401 of a token service, with a credential or without.
    (&["retrieve auth token: invalid username/password: unauthorized"], Answer::Unauthorized),
    (&["invalid username"], Answer::WrongPassword),
    (&["wrong username"], Answer::WrongPassword),
    (&["bad credentials"], Answer::WrongPassword),
    (&["failed to authenticate user"], Answer::WrongPassword),
    (&["http basic: access denied"], Answer::WrongPassword),
    (&["could not find robot"], Answer::WrongPassword),
    (&["no basic auth credentials"], Answer::NoCredential),
    (&["no user/password was provided"], Answer::NoCredential),
    (&["credential required for basic auth"], Answer::NoCredential),
    (&["basic credential not found"], Answer::NoCredential),
    (&["permission_denied", "read_package"], Answer::RightMissing),
    (&["does not match expected scopes"], Answer::RightMissing),
    (&["insufficient scopes"], Answer::RightMissing),
    // Of AWS; of Azure Storage it is a firewall as well.
    (&["is not authorized to perform:"], Answer::RightMissing),
    (&["server message: invalid_token"], Answer::TokenInvalid),
    (&["\"message\":\"invalid token\""], Answer::TokenInvalid),
    (&["insufficient_scope"], Answer::Hidden),
    (&["requested access to the resource is denied"], Answer::Hidden),
    (&["access to the requested resource is not authorized"], Answer::Hidden),
    (&["pull access denied"], Answer::Hidden),
    (&["unauthorized to access repository"], Answer::Hidden),
    (&["permission ", "denied on resource"], Answer::Hidden),
    (&["unauthenticated request"], Answer::Hidden),
    (&["does not have permission"], Answer::Hidden),
    (&["denied: denied"], Answer::Hidden),
    (&["\"code\":\"denied\""], Answer::Hidden),
    (&["\"message\":\"denied\""], Answer::Hidden),
    (&["error from registry: denied"], Answer::Hidden),
    (&["does not exist or no pull access"], Answer::Hidden),
    (&["error: image ", " not found"], Answer::Hidden),
    (&["needed permissions"], Answer::Hidden),
    (&["the image is not signed in notary"], Answer::Unsigned),
    (&["the image is not signed by"], Answer::Unsigned),
    (&["projectpolicyviolation"], Answer::Withheld),
    (&["project_policy_violation"], Answer::Withheld),
    (&["cannot be pulled due to configured policy"], Answer::Withheld),
    (&["access forbidden"], Answer::Forbidden),
    (&["connectivity_forbidden_error"], Answer::Forbidden),
    (&["configured firewall rules"], Answer::Forbidden),
    (&["error parsing http 404 response body: invalid character"], Answer::WebPage),
    (&["missing or empty content-"], Answer::WebPage),
    (&["manifest tagged by"], Answer::TagUnknown),
    (&["content at", "not found"], Answer::ChildUnknown),
    (&["could not fetch content descriptor", "manifest", "not found"], Answer::ChildUnknown),
    (&["could not fetch content descriptor", "image.index", "not found"], Answer::ChildUnknown),
    (&["could not fetch content descriptor", "not found"], Answer::BlobUnknown),
    (&["manifest unknown: manifest sha256:"], Answer::DigestUnknown),
    (&["manifest unknown"], Answer::ManifestUnknown),
    (&["manifest_unknown"], Answer::ManifestUnknown),
    (&["reading manifest", "artifact not found"], Answer::ManifestUnknown),
    (&["no such manifest"], Answer::ManifestUnknown),
    (&["manifest for ", "not found"], Answer::ManifestUnknown),
    (&["tag ", " not found in repository"], Answer::ManifestUnknown),
    (&["unknown: artifact ", "not found"], Answer::ManifestUnknown),
    (&["unknown: repository ", "not found"], Answer::NameUnknown),
    (&["unknown: repository does not exist"], Answer::NameUnknown),
    (&["unknown: project ", "not found"], Answer::NameUnknown),
    (&["blob unknown"], Answer::BlobUnknown),
    (&["blob_unknown"], Answer::BlobUnknown),
    (&["unknown blob"], Answer::BlobUnknown),
    (&["name unknown"], Answer::NameUnknown),
    (&["name_unknown"], Answer::NameUnknown),
    (&["name not known to registry"], Answer::NameUnknown),
    (&["repository", "does not exist in the registry"], Answer::NameUnknown),
];

/// Reads what a server said, where the words are those of an answer.
pub(super) fn read(prose: &str) -> Option<Answer> {
    let said = page::before(prose);
    let status = status(said).or_else(|| status(prose));
    let worded = PHRASES
        .iter()
        .find(|(words, _)| words.iter().all(|word| said.contains(word)))
        .map(|(_, answer)| *answer);
    match (worded, status) {
        (_, Some(407)) => Some(Answer::ProxyLogin),
        (Some(Answer::Firewall), _) => worded,
        (_, Some(429)) => Some(Answer::Limited),
        (_, Some(500..)) => Some(Answer::Fault),
        (None | Some(Answer::Hidden), Some(403)) if page::is_there(prose) => {
            Some(Answer::ForbiddenPage)
        }
        (Some(_), _) => worded,
        (None, None | Some(200 | 404)) if page::is_there(prose) => Some(Answer::WebPage),
        (None, Some(status)) => Some(of_status(status)),
        (None, None) => bare(prose),
    }
}

fn of_status(status: u16) -> Answer {
    match status {
        401 => Answer::Unauthorized,
        403 => Answer::Forbidden,
        404 => Answer::NotFound,
        412 => Answer::PreconditionFailed,
        _ => Answer::Strange,
    }
}

/// Words without a status.
fn bare(prose: &str) -> Option<Answer> {
    if is_word(prose, "unauthorized") || prose.contains("authentication required") {
        return Some(Answer::Unauthorized);
    }
    if prose.contains("denied: ") || prose.trim_end().ends_with(": denied") {
        return Some(Answer::Hidden);
    }
    let end = frame::end(prose);
    let ends = [": not found", "\"\" not found"].iter().any(|words| end.ends_with(words));
    (ends || prose.contains(": not found:")).then_some(Answer::NotFound)
}

fn is_word(prose: &str, word: &str) -> bool {
    prose.match_indices(word).any(|(place, _)| {
        let before = prose[..place].chars().next_back();
        let after = prose[place + word.len()..].chars().next();
        let is_part = |near: Option<char>| {
            near.is_some_and(|near| near.is_alphanumeric() || "-_/.".contains(near))
        };
        !is_part(before) && (!is_part(after) || after == Some('.'))
    })
}

/// The statuses' own words.
const STATUSES: &[(u16, &str)] = &[
    (400, "bad request"),
    (401, "unauthorized"),
    (403, "forbidden"),
    (404, "not found"),
    (405, "method not allowed"),
    (407, "proxy authentication"),
    (408, "request timeout"),
    (412, "precondition failed"),
    (416, "requested range"),
    (429, "too many"),
    (500, "internal"),
    (502, "bad gateway"),
    (503, "service"),
    (503, "slow down"),
    (504, "gateway"),
];

/// The HTTP status in the text, the last of several: a number with its own words behind it,
/// or with `status`, `code` or `HTTP` before it.
fn status(prose: &str) -> Option<u16> {
    let bytes = prose.as_bytes();
    let is_number = |place: usize| {
        let digits =
            bytes.get(place..place + 3).is_some_and(|three| three.iter().all(u8::is_ascii_digit));
        let before = place.checked_sub(1).and_then(|before| bytes.get(before));
        let is_part = |near: Option<&u8>| {
            near.is_some_and(|near| near.is_ascii_alphanumeric() || *near == b'-')
        };
        digits && !is_part(before) && !is_part(bytes.get(place + 3))
    };
    let found = (0..bytes.len().saturating_sub(2)).rev().filter(|place| is_number(*place));
    found.filter_map(|place| Some((place, prose[place..place + 3].parse().ok()?))).find_map(
        |(place, number): (usize, u16)| {
            let behind = prose[place + 3..].trim_start_matches([' ', '(', ':', '-', '\'', '"']);
            let is_worded = STATUSES
                .iter()
                .any(|(status, words)| *status == number && behind.starts_with(words));
            // The address between is left out of the prose: `status code <address>: 403`.
            let front = prose[..place].trim_end_matches([' ', ':', '=', '\'', '"', '(']);
            let is_announced = [
                "status",
                "response code",
                "status code",
                "statuscode",
                "http",
                "code from registry",
                "code returned when fetching blob",
                "responded with",
                "[manifests",
                "request to",
            ]
            .iter()
            .any(|word| front.ends_with(word) && !front.ends_with("exit status"));
            let is_known = (200..=599).contains(&number);
            (is_known && (is_worded || is_announced)).then_some(number)
        },
    )
}
