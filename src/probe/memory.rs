//! What is remembered from one probe for the next: manifests, which never change under their
//! digest, and which registries limit requests. So that a probe does not spend the quota that
//! it diagnoses.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::image::{Host, ImageRef};

use super::protocol::manifest::Manifest;

/// How many manifests are kept.
const MANIFESTS_MAX: usize = 512;
/// How long a registry is asked for no more than it must after it has said 429.
const CAUTION: Duration = Duration::from_secs(3600);

/// The memory that all probes share.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    manifests: BTreeMap<Key, Manifest>,
    /// The oldest first.
    order: VecDeque<Key>,
    limited: HashMap<Host, Instant>,
}

/// A repository of a registry, and a digest in it.
type Key = (String, String);

impl Memory {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any manifest of the image's repository is known.
    pub(super) fn knows(&self, image: &ImageRef) -> bool {
        let name = repository(image);
        let kept = self.kept();
        let mut from = kept.manifests.range((name.clone(), String::new())..);
        from.next().is_some_and(|((other, _), _)| *other == name)
    }

    pub(super) fn manifest(&self, image: &ImageRef, digest: &str) -> Option<Manifest> {
        self.kept().manifests.get(&(repository(image), digest.to_owned())).cloned()
    }

    pub(super) fn keep(&self, image: &ImageRef, digest: &str, manifest: &Manifest) {
        let key = (repository(image), digest.to_owned());
        let mut kept = self.kept();
        if kept.manifests.insert(key.clone(), manifest.clone()).is_none() {
            kept.order.push_back(key);
        }
        if kept.order.len() > MANIFESTS_MAX
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.manifests.remove(&oldest);
        }
    }

    /// Notes that a registry limits requests.
    pub(super) fn is_limited(&self, registry: &Host) {
        self.kept().limited.insert(registry.lowercase(), Instant::now());
    }

    /// Whether a registry has said so a short while ago.
    pub(super) fn was_limited(&self, registry: &Host) -> bool {
        let mut kept = self.kept();
        kept.limited.retain(|_, since| since.elapsed() < CAUTION);
        kept.limited.contains_key(&registry.lowercase())
    }
}

fn repository(image: &ImageRef) -> String {
    format!("{}/{}", image.registry().lowercase(), image.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(text: &str) -> ImageRef {
        ImageRef::parse(text).unwrap()
    }

    #[test]
    fn manifests_are_kept_for_their_repository_and_the_oldest_goes_first() {
        let memory = Memory::default();
        let (one, other) = (image("r.test/a:1"), image("r.test/b:1"));
        let index = Manifest::Index(Vec::new());
        memory.keep(&one, "sha256:1", &index);
        assert!(
            memory.knows(&one) && !memory.knows(&other) && !memory.knows(&image("r.test/a/b:1"))
        );
        assert_eq!(memory.manifest(&one, "sha256:1"), Some(index.clone()));
        assert_eq!(memory.manifest(&other, "sha256:1"), None);
        for number in 0..MANIFESTS_MAX {
            memory.keep(&other, &number.to_string(), &index);
        }
        assert_eq!(memory.manifest(&one, "sha256:1"), None);
        assert_eq!(memory.kept().manifests.len(), MANIFESTS_MAX);
    }

    #[test]
    fn a_limited_registry_is_remembered() {
        let memory = Memory::default();
        memory.is_limited(image("R.test/a:1").registry());
        assert!(memory.was_limited(&Host::parse("r.test").unwrap()));
        assert!(!memory.was_limited(&Host::parse("s.test").unwrap()));
    }
}
