use std::{collections::BTreeMap, future::Future};

use futures_util::future::{BoxFuture, FutureExt};
use tokio::task::{JoinError, JoinSet};

use crate::store::patience;

/// Work that waits for its turn: at most so much at a time, first what others wait for.
pub(super) struct Queue<T> {
    limit: usize,
    waiting: BTreeMap<(Rank, u64), BoxFuture<'static, T>>,
    running: JoinSet<T>,
    /// How much there was so far.
    count: u64,
}

/// How soon something is begun. What was found in one family goes out together, so that what is listed under a manifest
/// is complete long before the copy ends: a list that others may write too is looked at once more some time after it was
/// written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// A question, or a manifest that has all it needs.
    First,
    /// A blob of that family.
    Family(u64),
}

impl<T: Send + 'static> Queue<T> {
    /// At least one runs at a time.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), waiting: BTreeMap::new(), running: JoinSet::new(), count: 0 }
    }

    /// Begins it as soon as it has its turn.
    pub(super) fn push(&mut self, rank: Rank, work: impl Future<Output = T> + Send + 'static) {
        self.count += 1;
        self.waiting.insert((rank, self.count), patience::carried(work).boxed());
        self.fill();
    }

    /// What has ended next. Nothing: there is nothing left. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Option<Result<T, JoinError>> {
        let done = self.running.join_next().await;
        self.fill();
        done
    }

    fn fill(&mut self) {
        while self.running.len() < self.limit
            && let Some((_, work)) = self.waiting.pop_first()
        {
            self.running.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn manifests_go_first_and_families_stay_together() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut queue = Queue::new(1);
        let work = |name: &'static str| {
            let order = Arc::clone(&order);
            async move { order.lock().unwrap().push(name) }
        };
        // The first one has its turn at once.
        queue.push(Rank::Family(2), work("blob of 2"));
        queue.push(Rank::Family(3), work("blob of 3"));
        queue.push(Rank::Family(1), work("blob of 1"));
        queue.push(Rank::Family(1), work("another of 1"));
        queue.push(Rank::First, work("manifest"));
        while let Some(done) = queue.next().await {
            done.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), ["blob of 2", "manifest", "blob of 1", "another of 1", "blob of 3"]);
    }

    #[tokio::test]
    async fn so_many_run_at_a_time() {
        let barrier = Arc::new(tokio::sync::Barrier::new(3));
        let mut queue = Queue::new(3);
        for _ in 0..6 {
            let barrier = Arc::clone(&barrier);
            queue.push(Rank::First, async move { barrier.wait().await.is_leader() });
        }
        assert_eq!((queue.running.len(), queue.waiting.len()), (3, 3));
        let mut leaders = 0;
        while let Some(done) = queue.next().await {
            leaders += usize::from(done.unwrap());
            assert!(queue.running.len() <= 3);
        }
        assert_eq!(leaders, 2);
    }
}
