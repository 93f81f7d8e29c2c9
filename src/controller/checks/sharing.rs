//! Sharing: what one check asks of a registry, no other asks at the same time or soon after it.
//!
//! Two checks ask the same where image, platform and every credential in its order are the same, to
//! the byte and with where they come from: nobody learns by it what another's credential opens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::access::{Access, Unattached};
use crate::evidence::{End, Evidence};
use crate::image::ImageRef;
use crate::image::platform::Platform;

/// How long a refusal is shared at most: with pods that fail for the first time, so that a minute in
/// which many do costs one probe.
pub(super) const LONGEST: Duration = Duration::from_secs(90);
/// How long with those that have asked before, or whom no pod waits for. A check that fails asks again
/// after more than a minute, so that it is never told its own last answer.
pub(super) const AGAIN: Duration = Duration::from_secs(45);

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) image: ImageRef,
    pub(super) platform: Option<Platform>,
    pub(super) access: Access,
    pub(super) unattached: Unattached,
    pub(super) timeout: Duration,
}

/// An answer, or the place where it will be.
pub(super) type Answer = Arc<OnceCell<Arc<Evidence>>>;

/// The answers of the last seconds, and those that are awaited, by the image.
#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<HashMap<String, Vec<Flight>>>);

#[derive(Debug)]
struct Flight {
    asked: Arc<Asked>,
    began: Instant,
    answer: Answer,
}

impl Answers {
    /// The answer to the same, where it was asked for within this time.
    pub(super) fn known(&self, asked: &Asked, within: Duration) -> Option<Answer> {
        let flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        find(flights.get(&asked.image.to_string())?, asked, within)
    }

    /// The same; where there is none, the place for the answer that whoever calls will give.
    pub(super) fn join(&self, asked: &Arc<Asked>, within: Duration) -> (Answer, bool) {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let image = asked.image.to_string();
        if let Some(known) = flights.get(&image).and_then(|of_image| find(of_image, asked, within))
        {
            return (known, false);
        }
        flights.retain(|_, of_image| {
            of_image.retain(Flight::is_of_use);
            !of_image.is_empty()
        });
        let answer = Answer::default();
        let (asked, began) = (Arc::clone(asked), Instant::now());
        flights.entry(image).or_default().push(Flight {
            asked,
            began,
            answer: Arc::clone(&answer),
        });
        (answer, true)
    }
}

fn find(of_image: &[Flight], asked: &Asked, within: Duration) -> Option<Answer> {
    let found = of_image.iter().rev().find(|flight| flight.serves(asked, within));
    found.map(|flight| Arc::clone(&flight.answer))
}

impl Flight {
    fn serves(&self, asked: &Asked, within: Duration) -> bool {
        self.began.elapsed() < within && *self.asked == *asked && self.is_of_use()
    }

    /// An image that was served before a pod failed is no answer to why it failed; what was refused
    /// is. An answer that nobody waits for any more never comes.
    fn is_of_use(&self) -> bool {
        match self.answer.get() {
            Some(evidence) => self.began.elapsed() < LONGEST && !is_served(evidence),
            None => Arc::strong_count(&self.answer) > 1,
        }
    }
}

/// Whether the pull itself was served; what anybody gets beside a refused credential is not it.
fn is_served(evidence: &Evidence) -> bool {
    let Evidence { opening, attempts, anonymous, .. } = evidence;
    let beside = if attempts.is_empty() { anonymous.as_ref() } else { None };
    let pulls = attempts.iter().chain(beside).chain([opening]);
    pulls.into_iter().any(|attempt| matches!(attempt.end, End::Served { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Credential, Provenance};
    use crate::evidence::{Attempt, Scheme, Vantage};
    use crate::secret::Secret;

    fn asked(password: &str) -> Arc<Asked> {
        let provenance =
            Provenance::PullSecret { secret: "regcred".to_owned(), key: "a.test".to_owned() };
        let credential = Credential {
            provenance,
            username: "alice".to_owned(),
            password: Secret::new(password),
        };
        Arc::new(Asked {
            image: ImageRef::parse("a.test/shop/api:v1").unwrap(),
            platform: None,
            access: Access { credentials: vec![credential], ..Access::default() },
            unattached: Unattached::default(),
            timeout: Duration::from_secs(20),
        })
    }

    fn ended(end: End) -> Arc<Evidence> {
        let image = ImageRef::parse("a.test/shop/api:v1").unwrap();
        Arc::new(Evidence::begun(image, Vantage::Pod, Attempt::new(None, Vec::new(), end)))
    }

    fn refused() -> Arc<Evidence> {
        ended(End::Challenged { scheme: Scheme::Bearer })
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_shared_for_a_while_and_an_image_that_was_served_is_not() {
        let answers = Answers::default();
        let (first, is_new) = answers.join(&asked("one"), LONGEST);
        assert!(is_new);
        let (second, is_new) = answers.join(&asked("one"), LONGEST);
        assert!(!is_new, "it is awaited");
        assert!(answers.join(&asked("another"), LONGEST).1, "another password is another question");
        first.set(refused()).unwrap();
        assert_eq!(second.get(), first.get());
        assert!(answers.known(&asked("one"), LONGEST).is_some());
        assert!(answers.known(&asked("one"), Duration::ZERO).is_none(), "it was asked for anew");
        tokio::time::advance(LONGEST).await;
        assert!(answers.known(&asked("one"), LONGEST).is_none(), "it is old");
        let (anew, is_new) = answers.join(&asked("one"), LONGEST);
        assert!(is_new);
        anew.set(ended(End::Served { digest: None, platform: None })).unwrap();
        assert!(answers.known(&asked("one"), LONGEST).is_none(), "it was served");
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_waits_for_any_more_is_forgotten() {
        let answers = Answers::default();
        drop(answers.join(&asked("one"), LONGEST));
        assert!(answers.known(&asked("one"), LONGEST).is_none());
        let (_two, is_new) = answers.join(&asked("two"), LONGEST);
        assert!(is_new);
        assert_eq!(answers.0.lock().unwrap().values().map(Vec::len).sum::<usize>(), 1);
    }
}
