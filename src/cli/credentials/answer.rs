//! The answer about one image: as text for a person, and as a document for a program.

use std::process::ExitCode;

use serde::Serialize;

use crate::access::azure::{self, Identity};
use crate::access::{Access, Credential, Gap, Provenance};
use crate::cli::words::{Holder, Origin, Unused, origin_of, printable, unused};
use crate::image::ImageRef;

/// What there is to say about one image.
pub(super) struct Answer<'image> {
    image: &'image ImageRef,
    /// Where the pull secrets come from; `None` where none are asked for.
    origin: Option<Origin>,
    /// Whether what the node has is part of it.
    with_node: bool,
    access: Access,
}

/// The answer for a program.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'answer> {
    image: &'answer str,
    repository: String,
    /// Why the kubelet pulls nothing at all.
    error: Option<String>,
    /// Whether the image is pulled without a credential; null where that is not known.
    anonymous: Option<bool>,
    credentials: Vec<Used<'answer>>,
    /// As whom the kubelet's credential provider logs in at a registry of Azure, after these.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<Identity>,
    unused: Vec<Unused<'answer>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Used<'answer> {
    #[serde(flatten)]
    holder: Holder,
    key: &'answer str,
    username: &'answer str,
    password_sha256: String,
}

impl<'image> Answer<'image> {
    pub(super) fn new(
        image: &'image ImageRef,
        origin: Option<Origin>,
        with_node: bool,
        access: Access,
    ) -> Self {
        Self { image, origin, with_node, access }
    }

    /// Which credentials these are, as what follows the image.
    fn of_what(&self) -> String {
        let node = if self.with_node { "what the node has" } else { "nothing" };
        match &self.origin {
            None => node.to_owned(),
            Some(origin) if self.with_node => {
                format!("the pull secrets {}, and {node}", origin.in_words())
            }
            Some(origin) => format!("the pull secrets {}", origin.in_words()),
        }
    }

    /// 0 for a certain answer, 1 where nothing is pulled, 3 where it is not known.
    pub(super) fn status(&self) -> ExitCode {
        if broken(&self.access).is_some() {
            ExitCode::from(1)
        } else if self.is_undecided() {
            ExitCode::from(3)
        } else {
            ExitCode::SUCCESS
        }
    }

    fn is_undecided(&self) -> bool {
        self.access.gaps.iter().any(Gap::leaves_open)
    }

    pub(super) fn document(&self) -> Document<'_> {
        let error = broken(&self.access);
        let used = !self.access.credentials.is_empty() || self.access.azure.is_some();
        let anonymous = match (used, &error) {
            (false, None) if self.is_undecided() => None,
            (false, None) => Some(true),
            (true, _) | (_, Some(_)) => Some(false),
        };
        Document {
            image: self.image.as_written(),
            repository: self.image.repository(),
            error,
            anonymous,
            credentials: self.access.credentials.iter().map(used_of).collect(),
            identity: self.access.azure.as_ref().map(azure::Login::identity),
            unused: self.access.gaps.iter().map(unused).collect(),
        }
    }

    pub(super) fn text(&self) -> String {
        let Document { repository, credentials, identity, unused, error, .. } = self.document();
        let mut lines = vec![
            format!("{} with {}", self.image, self.of_what()),
            format!("Entries are matched with {repository}."),
            String::new(),
        ];
        if error.is_some() {
            lines.push("Nothing is pulled: a secret that cannot be read stops every pull of the pod, also of other images.".into());
        } else if self.is_undecided() {
            let what = self.access.gaps.iter().find(|gap| gap.leaves_open());
            let what = match what.and_then(Gap::node_source) {
                Some(source) => format!(
                    "Undecided: {source} could not be asked, and what it answers would count too."
                ),
                None => {
                    "Undecided: a secret may not be read, and what it holds would count too.".into()
                }
            };
            lines.push(what);
            let known = if credentials.is_empty() && identity.is_none() {
                "Of the others, none applies."
            } else {
                "Of the others, these are tried in this order, until one succeeds:"
            };
            lines.push(known.into());
        } else if credentials.is_empty() && identity.is_none() {
            let none = if unused.is_empty() { "is given" } else { "applies" };
            let what = if self.with_node { "credential" } else { "pull secret" };
            lines.push(format!("No {what} {none}: the image is pulled anonymously."));
        } else {
            lines.push("Tried in this order, until one succeeds; never anonymously:".into());
        }
        let provenances = self.access.credentials.iter().map(|credential| &credential.provenance);
        for (place, (Used { username, password_sha256, .. }, provenance)) in
            credentials.iter().zip(provenances).enumerate()
        {
            let user = if username.is_empty() { "(empty)" } else { username };
            lines.push(format!("  {}. {provenance}", place + 1));
            lines.push(format!("     user {user}"));
            lines.push(format!("     password with SHA-256 {password_sha256}"));
        }
        if let Some(identity) = identity {
            let place = credentials.len() + 1;
            lines.push(format!("  {place}. {identity}, which logs in when the image is pulled"));
            if azure::is_for_strangers(self.image.registry().name()) {
                lines.push(format!("  {}. {}", place + 1, Provenance::Strangers));
            }
        }
        if let Some(password) = empty_passwords(&self.access.credentials) {
            lines.push(password);
        }
        if !unused.is_empty() {
            lines.extend([String::new(), "Not used:".into()]);
        }
        lines.extend(unused.iter().map(|unused| format!("  {}", unused.in_words())));
        if error.is_none() && !self.with_node {
            lines.extend([String::new(), NODE.into()]);
        }
        lines.iter().map(|line| printable(line) + "\n").collect()
    }
}

const NODE: &str = "A node may have credentials of its own, which are tried after these and are not seen from here.";

/// An entry without any known field, such as one with nothing but an identity token, is a
/// credential too, and nobody expects it.
fn empty_passwords(credentials: &[Credential]) -> Option<String> {
    let mut empty = credentials.iter().enumerate();
    let (place, _) = empty.find(|(_, credential)| credential.password.is_empty())?;
    Some(format!(
        "The password of number {} is empty: the kubelet reads auth, or username and password, and no token.",
        place + 1
    ))
}

/// Why the kubelet builds no keyring at all, if it does not: the first secret that it cannot
/// read.
pub(super) fn broken(access: &Access) -> Option<String> {
    let gap = access.gaps.iter().find(|gap| matches!(gap, Gap::KeyringBroken { .. }))?;
    Some(unused(gap).in_words())
}

fn used_of(credential: &Credential) -> Used<'_> {
    let (holder, key) = origin_of(&credential.provenance);
    let password_sha256 = credential.password.sha256();
    Used { holder, key, username: &credential.username, password_sha256 }
}

#[cfg(test)]
mod tests {
    use super::Answer;
    use crate::access::{Access, Credential, Gap, Mismatch, Provenance};
    use crate::cli::words::Origin;
    use crate::image::ImageRef;
    use crate::secret::Secret;

    fn gap(secret: &str) -> Gap {
        let (secret, key) = (secret.to_owned(), "k".to_owned());
        Gap::EntryNotMatching { secret, key, rule: Mismatch::NotAUrl }
    }

    #[track_caller]
    fn check(credentials: Vec<Credential>, gaps: Vec<Gap>, expected: &str) -> serde_json::Value {
        let image = ImageRef::parse("busybox").unwrap();
        let origin = Some(Origin::Files(vec!["a.yaml".to_owned()]));
        let answer = Answer::new(&image, origin, false, Access { credentials, azure: None, gaps });
        let text = answer.text();
        assert!(text.contains(expected), "{text}");
        serde_json::to_value(answer.document()).unwrap()
    }

    #[test]
    fn whether_it_is_anonymous_is_said_only_where_it_is_known() {
        let none = check(Vec::new(), Vec::new(), "No pull secret is given: the image");
        assert_eq!(none["anonymous"], true);
        let other = check(Vec::new(), vec![gap("s")], "No pull secret applies: the image");
        assert_eq!(other["anonymous"], true);
        let forbidden = Gap::SecretForbidden { secret: "s".to_owned() };
        let unknown = check(Vec::new(), vec![forbidden], "too.\nOf the others, none applies.\n");
        assert_eq!(unknown["anonymous"], serde_json::Value::Null);
        let broken = Gap::KeyringBroken { secret: "s".to_owned(), reason: "x".to_owned() };
        let nothing = check(Vec::new(), vec![broken], "Nothing is pulled: a secret that");
        assert_eq!(nothing["anonymous"], false);
        assert_eq!(nothing["error"], "secret s cannot be read: x");
    }

    #[test]
    fn a_user_name_moves_no_cursor() {
        let credential = Credential {
            provenance: Provenance::PullSecret { secret: "s".to_owned(), key: "k".to_owned() },
            username: "\u{1b}[2J\u{202e}".to_owned(),
            password: Secret::new(""),
        };
        let document = check(vec![credential], Vec::new(), "user \\u{1b}[2J\\u{202e}\n");
        assert_eq!(document["anonymous"], false);
    }
}
