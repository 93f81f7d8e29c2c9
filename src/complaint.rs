//! What the kubelet said of a container that waits: reason and message become a
//! [`Complaint`].
//!
//! It tells pull failures from everything else a container can wait for, and local
//! refusals from those of a registry. It does not say why a pull failed: the runtime's
//! words are often misleading, and the probe asks the registry itself.

use serde::{Deserialize, Serialize};

/// Why the kubelet says that a container waits, as far as an image is the reason.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Complaint {
    /// A pull was tried and failed, now or at the last attempt.
    PullFailed {
        /// The runtime's words; empty where the kubelet has forgotten them.
        cause: String,
    },
    /// The image's name cannot be parsed.
    InvalidName,
    /// The pull secrets cannot be read, so that nothing is pulled at all.
    KeyringBroken {
        /// The kubelet's words.
        cause: String,
    },
    /// `imagePullPolicy: Never`, and the image is not on the node.
    NeverPull,
    /// The runtime could not say whether it has the image.
    InspectFailed {
        /// The kubelet's words.
        cause: String,
    },
    /// The node's signature policy refused the image.
    SignatureRejected {
        /// The kubelet's words.
        cause: String,
    },
}

impl Complaint {
    /// Whether the kubelet has forgotten why the pull failed.
    pub fn is_forgotten(&self) -> bool {
        matches!(self, Self::PullFailed { cause } if cause.is_empty())
    }

    /// The runtime's words of a failed pull, where the kubelet has not forgotten them.
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::PullFailed { cause } if !cause.is_empty() => Some(cause),
            Self::PullFailed { .. }
            | Self::InvalidName
            | Self::KeyringBroken { .. }
            | Self::NeverPull
            | Self::InspectFailed { .. }
            | Self::SignatureRejected { .. } => None,
        }
    }
}

/// Reads a waiting container's reason and message (`waiting` of a container status, as
/// `pkg/kubelet/images/types.go` and `image_manager.go` of Kubernetes 1.35 write them).
/// `None` where the container does not wait for an image.
pub fn read(reason: &str, message: &str) -> Option<Complaint> {
    let complaint = match reason {
        "ErrImagePull" | "RegistryUnavailable" => pull_failed(message),
        "ImagePullBackOff" => read_back_off(message),
        "InvalidImageName" => Complaint::InvalidName,
        "ErrImageNeverPull" => Complaint::NeverPull,
        "ImageInspectError" => Complaint::InspectFailed { cause: message.to_owned() },
        "SignatureValidationFailed" => Complaint::SignatureRejected { cause: message.to_owned() },
        // The kubelet puts the raw error of a keyring in both fields. Its own reasons are
        // single words.
        _ if reason == message && reason.contains(' ') => {
            Complaint::KeyringBroken { cause: message.to_owned() }
        }
        _ => return None,
    };
    Some(complaint)
}

/// Whether `reason` says that a pull attempt has just ended, rather than that the kubelet
/// waits for the next one.
pub fn is_fresh_attempt(reason: &str) -> bool {
    reason != "ImagePullBackOff"
}

fn pull_failed(cause: &str) -> Complaint {
    Complaint::PullFailed { cause: cause.to_owned() }
}

/// `Back-off pulling image "IMG": REASON: MESSAGE` has the last attempt behind the image;
/// a kubelet that was restarted has only `Back-off pulling image "IMG"`.
fn read_back_off(message: &str) -> Complaint {
    let after_image = message
        .strip_prefix("Back-off pulling image \"")
        .and_then(|rest| rest.split_once("\": "))
        .map_or("", |(_, rest)| rest);
    match after_image.split_once(": ") {
        Some((reason, message)) => {
            read(reason, message).unwrap_or_else(|| pull_failed(after_image))
        }
        None => pull_failed(after_image),
    }
}

/// Reads an Event of the kubelet about a pod, where it is about a pull of `image` that failed
/// (`pkg/kubelet/images/image_manager.go`, Kubernetes 1.28 to 1.35). It outlives what a waiting
/// container says: a kubelet that was restarted has forgotten why it waits, and before 1.33 a
/// back-off never said it.
pub fn read_event(reason: &str, message: &str, image: &str) -> Option<Complaint> {
    let behind = |words: &str| {
        let rest = message.strip_prefix(words)?.strip_prefix('"')?;
        rest.strip_prefix(image)?.strip_prefix('"')
    };
    match reason {
        "Failed" => match behind("Failed to pull image ")?.strip_prefix(": ")? {
            "" => None,
            cause => Some(pull_failed(cause)),
        },
        "InspectFailed" if message.starts_with("Failed to apply default image tag ") => {
            behind("Failed to apply default image tag ").map(|_| Complaint::InvalidName)
        }
        // Kubernetes 1.35 leaves the name empty.
        "InspectFailed" if message.starts_with("Failed to inspect image ") => {
            let is_named = behind("Failed to inspect image ").is_some();
            let is_unnamed = message.starts_with("Failed to inspect image \"\"");
            (is_named || is_unnamed).then(|| Complaint::InspectFailed { cause: message.to_owned() })
        }
        "ErrImageNeverPull" => behind("Container image ").map(|_| Complaint::NeverPull),
        _ => None,
    }
}

/// The complaint without what differs from one attempt to the next: connections' ports,
/// ids, dates. Two complaints with the same gist have the same cause.
pub fn gist(complaint: &Complaint) -> Complaint {
    match complaint {
        Complaint::PullFailed { cause } => Complaint::PullFailed { cause: without_numbers(cause) },
        Complaint::InvalidName
        | Complaint::KeyringBroken { .. }
        | Complaint::NeverPull
        | Complaint::InspectFailed { .. }
        | Complaint::SignatureRejected { .. } => complaint.clone(),
    }
}

/// A text without what differs from one time to the next. What stands between blanks, quotes
/// and the like: an id, an address, a date or a number
/// becomes `#`, a status code of three digits stays.
pub fn without_numbers(text: &str) -> String {
    let is_part = |character: char| character.is_ascii_alphanumeric() || "-.:+".contains(character);
    let mut gist = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
        gist.push_str(&gist_of_word(&rest[..end]));
        let next = rest[end..].chars().next().map_or(end, |other| end + other.len_utf8());
        let separator = &rest[end..next];
        gist.push_str(separator);
        rest = &rest[next..];
        if separator == "?" {
            // The query of a signed URL is another one each time.
            let ends = |character: char| character.is_whitespace() || "\"'\\<>".contains(character);
            rest = &rest[rest.find(ends).unwrap_or(rest.len())..];
            gist.push('#');
        }
    }
    gist
}

fn gist_of_word(word: &str) -> String {
    let bare = word.trim_end_matches(['.', ':']);
    let is_status = bare.len() == 3 && bare.bytes().all(|byte| byte.is_ascii_digit());
    let has_digit = bare.bytes().any(|byte| byte.is_ascii_digit());
    let is_id =
        bare.len() >= 16 && bare.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if is_status || !has_digit {
        return word.to_owned();
    }
    if is_id {
        return "#".to_owned();
    }
    let mut gist = String::new();
    for character in word.chars() {
        match character {
            '0'..='9' if gist.ends_with('#') => {}
            '0'..='9' => gist.push('#'),
            other => gist.push(other),
        }
    }
    gist
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reason: &str, message: &str, expected: Option<&Complaint>) {
        assert_eq!(read(reason, message).as_ref(), expected);
    }

    #[test]
    fn reasons_of_the_kubelet() {
        let refused = "failed to pull and unpack image \"r.test/a:1\": 401 Unauthorized";
        check("ErrImagePull", refused, Some(&pull_failed(refused)));
        check(
            "ImagePullBackOff",
            &format!("Back-off pulling image \"r.test/a:1\": ErrImagePull: {refused}"),
            Some(&pull_failed(refused)),
        );
        check("ImagePullBackOff", "Back-off pulling image \"r.test/a:1\"", Some(&pull_failed("")));
        check(
            "ImagePullBackOff",
            "Back-off pulling image \"a\": SignatureValidationFailed: no",
            Some(&Complaint::SignatureRejected { cause: "no".to_owned() }),
        );
        check("InvalidImageName", "anything", Some(&Complaint::InvalidName));
        check("ErrImageNeverPull", "anything", Some(&Complaint::NeverPull));
        let broken = "illegal base64 data at input byte 3";
        check(broken, broken, Some(&Complaint::KeyringBroken { cause: broken.to_owned() }));
        for other in ["ContainerCreating", "PodInitializing", "CrashLoopBackOff", ""] {
            check(other, other, None);
        }
    }

    #[track_caller]
    fn check_event(reason: &str, message: &str, expected: Option<&Complaint>) {
        assert_eq!(read_event(reason, message, "r.test/a:1").as_ref(), expected, "{message}");
    }

    /// What kubelets from 1.28 on write, with the words of containerd 1.6 and 2, CRI-O and Docker.
    #[test]
    fn events_of_the_kubelet() {
        let containerd = "rpc error: code = NotFound desc = failed to pull and unpack image \"r.test/a:1\": failed to resolve reference \"r.test/a:1\": r.test/a:1: not found";
        let words = [
            containerd,
            "failed to pull and unpack image \"r.test/a:1\": failed to resolve image: r.test/a:1: not found",
            "initializing source docker://r.test/a:1: reading manifest 1 in r.test/a: manifest unknown",
            "rpc error: code = Unknown desc = Error response from daemon: manifest for r.test/a:1 not found: manifest unknown: manifest unknown",
            "SignatureValidationFailed: Source image rejected: A signature was required",
            "pull QPS exceeded",
        ];
        for cause in words {
            let message = format!("Failed to pull image \"r.test/a:1\": {cause}");
            check_event("Failed", &message, Some(&pull_failed(cause)));
        }
        let invalid = "Failed to apply default image tag \"r.test/a:1\": couldn't parse image name \"r.test/a:1\": invalid reference format";
        check_event("InspectFailed", invalid, Some(&Complaint::InvalidName));
        for name in ["r.test/a:1", ""] {
            let cause = format!("Failed to inspect image \"{name}\": rpc error: code = Unknown");
            let failed = Complaint::InspectFailed { cause: cause.clone() };
            check_event("InspectFailed", &cause, Some(&failed));
        }
        let never = "Container image \"r.test/a:1\" is not present with pull policy of Never";
        check_event("ErrImageNeverPull", never, Some(&Complaint::NeverPull));
        let others = [
            ("Failed", "Error: ErrImagePull"),
            ("Failed", "Failed to pull image \"r.test/a:10\": no"),
            ("Failed", "Failed to pull image \"r.test/a:1\": "),
            ("Failed", "Failed to pull image \"other.test/a:1\": no"),
            ("BackOff", "Back-off pulling image \"r.test/a:1\""),
            ("Pulling", "Pulling image \"r.test/a:1\""),
            ("InspectFailed", "Failed to inspect image \"other.test/a:1\": no"),
            ("FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (a)"),
        ];
        for (reason, message) in others {
            check_event(reason, message, None);
        }
    }

    #[test]
    fn the_gist_forgets_ports_and_keeps_status_codes() {
        let one = pull_failed("read tcp 10.0.0.1:40112->10.0.0.20:443: reset, 503");
        let two = pull_failed("read tcp 10.0.0.1:40998->10.0.0.20:443: reset, 503");
        assert_eq!(gist(&one), gist(&two));
        assert_ne!(gist(&pull_failed("status 401")), gist(&pull_failed("status 404")));
    }

    #[test]
    fn the_gist_forgets_the_query_of_a_signed_url() {
        let failed = |signature: &str| {
            pull_failed(&format!(
                "Get \"https://x.blob.core.windows.net/a?se=1&sig={signature}\": i/o timeout"
            ))
        };
        assert_eq!(gist(&failed("Kq2h7Zb%2FvTt0")), gist(&failed("pLm9x%2BAQd")));
        assert_ne!(gist(&failed("a")), gist(&pull_failed("Get \"https://x\": 403 Forbidden")));
    }
}
