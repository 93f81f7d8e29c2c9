//! Budget: how much registries are asked, and how much is looked at, at once; each shared fairly
//! between namespaces, so that what one of them asks for costs the others little.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::image::Host;

use super::turns::{Limits, Turn, Turns};

/// How many checks are looked at at once.
const LOOKS: Limits = Limits { at_once: 64, of_one: 16 };
/// How many pods are told at once what was found: fewer, since whoever waits for a status waits for
/// the same API server.
const EVENTS: Limits = Limits { at_once: 8, of_one: 4 };
/// How many probes of one registry run at once.
const PROBES: Limits = Limits { at_once: 8, of_one: 6 };
/// How many probes of one registry may begin together after a rest, in seconds of its rate.
const BURST_SECONDS: u32 = 2;

/// What looks at checks and probes of registries may cost.
#[derive(Debug)]
pub(super) struct Budget {
    looks: Turns,
    events: Turns,
    registries: Mutex<HashMap<Host, Registry>>,
    /// How long after one probe of a registry the next one begins, where they go on.
    between: Duration,
}

/// What one registry is asked.
#[derive(Clone, Debug)]
struct Registry {
    turns: Turns,
    pace: Arc<Mutex<Pace>>,
}

/// When the next probe may begin, if there was no rest to make up for.
#[derive(Debug)]
struct Pace(Instant);

impl Budget {
    /// At most so many probes of one registry begin in a second, in the long run.
    pub(super) fn new(probes_per_second: u32) -> Self {
        Self {
            looks: Turns::new(LOOKS),
            events: Turns::new(EVENTS),
            registries: Mutex::default(),
            between: Duration::from_secs(1) / probes_per_second.max(1),
        }
    }

    /// Waits for a turn to look at a check of this namespace.
    pub(super) async fn look(&self, namespace: &str) -> Turn {
        self.looks.wait(namespace).await
    }

    /// Waits for a turn to tell a pod of this namespace.
    pub(super) async fn event(&self, namespace: &str) -> Turn {
        self.events.wait(namespace).await
    }

    /// Waits for a turn to probe a registry for this namespace.
    pub(super) async fn turn(&self, registry: &Host, namespace: &str) -> Turn {
        self.of(registry).turns.wait(namespace).await
    }

    /// Waits, with a turn, until the registry's rate allows another probe.
    pub(super) async fn pace(&self, registry: &Host) {
        let Registry { turns: _, pace } = self.of(registry);
        let begin = pace.lock().unwrap_or_else(PoisonError::into_inner).next(self.between);
        tokio::time::sleep_until(begin).await;
    }

    /// Only what is in use is kept, or counts still.
    fn of(&self, registry: &Host) -> Registry {
        let now = Instant::now();
        let mut registries = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        registries.retain(|_, Registry { turns, pace }| {
            let Pace(next) = *pace.lock().unwrap_or_else(PoisonError::into_inner);
            next > now || !turns.are_unused()
        });
        let new = || Registry { turns: Turns::new(PROBES), pace: Arc::new(Mutex::new(Pace(now))) };
        registries.entry(registry.lowercase()).or_insert_with(new).clone()
    }
}

impl Pace {
    /// When the next one may begin; the one after it, so much later (the generic cell rate
    /// algorithm, ITU-T I.371).
    fn next(&mut self, between: Duration) -> Instant {
        let now = Instant::now();
        let due = self.0.max(now);
        let credit = Duration::from_secs(u64::from(BURST_SECONDS)).saturating_sub(between);
        self.0 = due + between;
        due.checked_sub(credit).map_or(now, |begin| begin.max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Budget {
        async fn probe(&self, registry: &Host, namespace: &str) -> Turn {
            let turn = self.turn(registry, namespace).await;
            self.pace(registry).await;
            turn
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_registry_has_its_rate_after_a_burst() {
        let budget = Budget::new(10);
        let host = Host::parse("a.test").unwrap();
        let began = Instant::now();
        let mut starts = Vec::new();
        for _ in 0..60 {
            drop(budget.probe(&host, "shop").await);
            starts.push(began.elapsed());
        }
        assert!(starts[19] < Duration::from_millis(10), "a burst of 20: {starts:?}");
        assert!(starts[59] >= Duration::from_millis(3_900), "40 more at 10 a second: {starts:?}");
        assert!(starts[59] <= Duration::from_millis(4_200), "{starts:?}");
        tokio::time::sleep(Duration::from_secs(3)).await;
        drop(budget.probe(&Host::parse("b.test").unwrap(), "shop").await);
        assert_eq!(budget.registries.lock().unwrap().len(), 1, "what nobody uses is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn a_namespace_leaves_turns_for_others_and_a_registry_for_another() {
        let budget = Budget::new(1_000);
        let (one, other) = (Host::parse("a.test").unwrap(), Host::parse("b.test").unwrap());
        let mut taken = Vec::new();
        for _ in 0..PROBES.of_one {
            taken.push(budget.probe(&one, "greedy").await);
        }
        let waits = async |host, namespace| {
            tokio::time::timeout(Duration::from_secs(1), budget.probe(host, namespace))
                .await
                .is_err()
        };
        assert!(waits(&one, "greedy").await);
        assert!(!waits(&one, "modest").await);
        assert!(!waits(&other, "greedy").await);
        taken.pop();
        assert!(!waits(&one, "greedy").await, "a turn is free again");
    }
}
