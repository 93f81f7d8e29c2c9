//! Turns: how much goes on at once, shared fairly between namespaces.
//!
//! Whoever has a turn keeps it until it is dropped. Of those that wait, the namespaces are served
//! one after the other, however many wait in each, and no namespace has all turns.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// How many turns there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How many at once.
    pub(super) at_once: usize,
    /// How many of them one namespace may have.
    pub(super) of_one: usize,
}

/// Turns at one thing.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Who waits, in each namespace in the order in which they came.
    waiting: BTreeMap<String, VecDeque<oneshot::Sender<Turn>>>,
    /// How many turns each namespace has.
    taken: HashMap<String, usize>,
    /// How many turns all have.
    taken_by_all: usize,
    /// The namespace that was served last.
    last: String,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    of: Arc<Shared>,
    namespace: String,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.of.queue().ended(&self.namespace);
        Shared::serve(&self.of);
    }
}

impl Turns {
    pub(super) fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared { limits, queue: Mutex::default() }))
    }

    /// Waits for a turn. Whoever stops waiting has none.
    pub(super) async fn wait(&self, namespace: &str) -> Turn {
        loop {
            let (sender, receiver) = oneshot::channel();
            self.0.queue().waits(namespace, sender);
            Shared::serve(&self.0);
            // A sender is dropped only where whoever waits is gone.
            if let Ok(turn) = receiver.await {
                return turn;
            }
        }
    }

    /// Whether nobody else has a turn, or these turns to wait for one.
    pub(super) fn are_unused(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives turns to those that wait, as long as there are any.
    fn serve(of: &Arc<Self>) {
        loop {
            let Some((namespace, waiting)) = of.queue().next(of.limits) else { return };
            // Whoever stopped waiting lets the turn fall, which serves the next.
            let _unheard = waiting.send(Turn { of: Arc::clone(of), namespace });
        }
    }
}

impl Queue {
    fn waits(&mut self, namespace: &str, sender: oneshot::Sender<Turn>) {
        self.waiting.entry(namespace.to_owned()).or_default().push_back(sender);
    }

    /// Whose turn it is, of those that still wait; it is taken.
    fn next(&mut self, limits: Limits) -> Option<(String, oneshot::Sender<Turn>)> {
        if self.taken_by_all >= limits.at_once {
            return None;
        }
        let after = (Bound::Excluded(self.last.clone()), Bound::Unbounded);
        let in_turn = self.waiting.range(after).chain(self.waiting.range(..=self.last.clone()));
        let may = |namespace: &&String| {
            self.taken.get(*namespace).is_none_or(|taken| *taken < limits.of_one)
        };
        let in_turn: Vec<String> =
            in_turn.map(|(namespace, _)| namespace).filter(may).cloned().collect();
        let (namespace, sender) = in_turn
            .into_iter()
            .find_map(|namespace| Some((namespace.clone(), self.first_of(&namespace)?)))?;
        self.last.clone_from(&namespace);
        *self.taken.entry(namespace.clone()).or_default() += 1;
        self.taken_by_all += 1;
        Some((namespace, sender))
    }

    /// Who has waited longest in a namespace, and still does.
    fn first_of(&mut self, namespace: &str) -> Option<oneshot::Sender<Turn>> {
        let waiting = self.waiting.get_mut(namespace)?;
        let first = std::iter::from_fn(|| waiting.pop_front()).find(|sender| !sender.is_closed());
        if waiting.is_empty() {
            self.waiting.remove(namespace);
        }
        first
    }

    fn ended(&mut self, namespace: &str) {
        self.taken_by_all -= 1;
        if let Some(taken) = self.taken.get_mut(namespace) {
            *taken -= 1;
            if *taken == 0 {
                self.taken.remove(namespace);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    /// Starts to wait; the turn, where there is one already.
    async fn try_wait(turns: &Turns, namespace: &str) -> Option<Turn> {
        tokio::time::timeout(std::time::Duration::from_millis(1), turns.wait(namespace)).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn no_namespace_has_all_turns() {
        let turns = Turns::new(Limits { at_once: 4, of_one: 3 });
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(try_wait(&turns, "greedy").await.unwrap());
        }
        assert!(try_wait(&turns, "greedy").await.is_none());
        taken.push(try_wait(&turns, "other").await.unwrap());
        assert!(try_wait(&turns, "third").await.is_none(), "all turns are taken");
        taken.remove(0);
        assert!(try_wait(&turns, "third").await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn namespaces_are_served_one_after_the_other() {
        let turns = Turns::new(Limits { at_once: 1, of_one: 1 });
        let first = turns.wait("a").await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        // Many of one namespace wait before one of each other does.
        for namespace in ["a", "a", "a", "a", "c", "b", "b"] {
            let (turns, order) = (turns.clone(), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let _turn = turns.wait(namespace).await;
                order.lock().unwrap().push(namespace);
            }));
            tokio::task::yield_now().await;
        }
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), ["b", "c", "a", "b", "a", "a", "a"]);
        assert!(turns.are_unused());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_stops_waiting_holds_up_nobody() {
        let turns = Turns::new(Limits { at_once: 1, of_one: 1 });
        let first = turns.wait("a").await;
        {
            // Given up while it waits, and given up with the turn already on its way.
            let mut context = Context::from_waker(Waker::noop());
            let mut given_up = pin!(turns.wait("b"));
            assert!(given_up.as_mut().poll(&mut context).is_pending());
            assert!(try_wait(&turns, "c").await.is_none());
            drop(first);
        }
        assert!(try_wait(&turns, "d").await.is_some());
        assert!(turns.are_unused());
    }
}
