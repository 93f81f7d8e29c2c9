//! Until when the entries of a pull secret are valid, where they say so themselves.
//!
//! Of the secret nothing is kept but the hosts and paths of its entries, to know for which images
//! each counts.

use jiff::Timestamp;

use crate::image::ImageRef;
use crate::secret::Secret;

use super::{DOCKER_HUB_KEY, Entry, PullSecret, Repository, read};

/// Until when the entries of one pull secret are valid.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Dates(Vec<Dated>);

#[derive(Clone, PartialEq, Eq)]
struct Dated {
    key: Vec<u8>,
    /// `None` where it does not say.
    until: Option<Timestamp>,
}

impl Dates {
    /// Reads a secret; `until` reads a password. A secret that the kubelet ignores or cannot read
    /// has none.
    pub fn of(secret: &PullSecret, until: impl Fn(&Secret) -> Option<Timestamp>) -> Self {
        let entries = read(0, secret).entries.into_iter();
        let entries: Vec<Dated> = entries
            .map(|Entry { key, login, .. }| Dated {
                key,
                until: until(&Secret::new(login.password)),
            })
            .collect();
        let says = entries.iter().any(|entry| entry.until.is_some());
        Self(if says { entries } else { Vec::new() })
    }

    /// Until when the secret is good for an image: the first end, where several of its entries
    /// count. `None` where none of them says.
    pub fn until(&self, image: &ImageRef) -> Option<Timestamp> {
        let repository = Repository::of(image);
        let matches = |entry: &&Dated| repository.check(&entry.key).is_ok();
        let any = self.0.iter().any(|entry| matches(&entry));
        let is_fallback =
            |entry: &&Dated| !any && repository.is_default && entry.key == DOCKER_HUB_KEY;
        let used = self.0.iter().filter(|entry| matches(entry) || is_fallback(entry));
        used.filter_map(|entry| entry.until).min()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A secret whose passwords are dates in seconds.
    fn dates(entries: &[(&str, &str)]) -> Dates {
        let auths: BTreeMap<_, _> = entries
            .iter()
            .map(|(key, password)| {
                (*key, serde_json::json!({"username": "u", "password": password}))
            })
            .collect();
        let document = serde_json::json!({"auths": auths}).to_string();
        let secret = PullSecret {
            name: "regcred".to_owned(),
            kind: "kubernetes.io/dockerconfigjson".to_owned(),
            data: BTreeMap::from([(".dockerconfigjson".to_owned(), document.into_bytes())]),
        };
        Dates::of(&secret, |password| {
            let text = std::str::from_utf8(password.expose()).ok()?;
            Timestamp::from_second(text.parse().ok()?).ok()
        })
    }

    #[track_caller]
    fn check(dates: &Dates, image: &str, expected: Option<i64>) {
        let until = dates.until(&ImageRef::parse(image).unwrap());
        assert_eq!(until.map(Timestamp::as_second), expected, "{image}");
    }

    #[test]
    fn an_entry_counts_for_the_images_that_it_matches() {
        let dates = dates(&[
            ("r.test", "never"),
            ("r.test/team", "300"),
            ("*.azurecr.io", "200"),
            ("https://index.docker.io/v1/", "100"),
        ]);
        check(&dates, "r.test/other/api", None);
        check(&dates, "r.test/team/api", Some(300));
        check(&dates, "shop.azurecr.io/api", Some(200));
        check(&dates, "busybox", Some(100));
        check(&dates, "quay.io/a/b", None);
    }

    #[test]
    fn the_first_end_counts() {
        let dates = dates(&[("r.test", "500"), ("r.test/team", "300")]);
        check(&dates, "r.test/team/api", Some(300));
        check(&dates, "r.test/api", Some(500));
    }

    #[test]
    fn docker_hubs_entry_is_a_last_resort() {
        let dates = dates(&[("docker.io", "never"), ("index.docker.io", "100")]);
        check(&dates, "busybox", None);
    }

    #[test]
    fn without_dates_nothing_is_kept() {
        let nothing = dates(&[("r.test", "hunter2")]);
        assert!(nothing == Dates::default());
    }
}
