//! Budget: how much one registry is asked at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::image::Host;

/// How many probes of one registry run at once, whoever asks for them.
const AT_ONCE: usize = 8;

/// Whose turn it is, for each registry that is being asked.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<Host, Arc<Semaphore>>>);

impl Turns {
    /// Waits for a turn at a registry; it lasts as long as what is returned. `None` where there
    /// are no turns to wait for, which does not happen.
    pub(super) async fn wait(&self, registry: &Host) -> Option<OwnedSemaphorePermit> {
        self.of(registry).acquire_owned().await.ok()
    }

    /// Only what is in use is kept.
    fn of(&self, registry: &Host) -> Arc<Semaphore> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turns| Arc::strong_count(turns) > 1);
        let turns = turns.entry(registry.lowercase());
        Arc::clone(turns.or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_registry_has_so_many_turns_and_another_has_its_own() {
        let turns = Turns::default();
        let (one, other) = (Host::parse("a.test").unwrap(), Host::parse("b.test").unwrap());
        let mut taken = Vec::new();
        for _ in 0..AT_ONCE {
            taken.push(turns.wait(&one).await);
        }
        let waits = async |host| {
            tokio::time::timeout(Duration::from_secs(1), turns.wait(host)).await.is_err()
        };
        assert!(waits(&one).await, "all turns are taken");
        assert!(!waits(&other).await);
        taken.pop();
        assert!(!waits(&one).await, "one turn is free again");
        drop(taken);
        turns.of(&other);
        assert_eq!(turns.0.lock().unwrap().len(), 1, "what nobody uses is forgotten");
    }
}
