use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

/// Questions that are out: who asks the same while one is, shares its answer. Nothing is remembered beyond that.
#[derive(Debug)]
pub(super) struct Flights<K, T> {
    out: Mutex<HashMap<K, Arc<OnceCell<T>>>>,
}

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self { out: Mutex::default() }
    }
}

impl<K: Clone + Eq + Hash, T: Clone> Flights<K, T> {
    /// The answer to `key`. An error is not shared: the next who waits asks again.
    pub(super) async fn share<E, F>(&self, key: &K, ask: impl FnOnce() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let cell = {
            let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(out.entry(key.clone()).or_default())
        };
        let answer = cell.get_or_try_init(ask).await.cloned();
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if out.get(key).is_some_and(|current| Arc::ptr_eq(current, &cell)) {
            out.remove(key);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use tokio::sync::Barrier;

    use super::*;

    #[tokio::test]
    async fn who_asks_meanwhile_shares_and_who_asks_later_does_not() {
        let flights = Flights::<u8, usize>::default();
        let asked = AtomicUsize::new(0);
        let together = Barrier::new(2);
        let ask = || async {
            together.wait().await;
            Ok::<_, Infallible>(asked.fetch_add(1, Ordering::Relaxed))
        };
        let (one, two, ()) = tokio::join!(flights.share(&1, ask), flights.share(&1, ask), async {
            together.wait().await;
        });
        assert_eq!((one, two), (Ok(0), Ok(0)));
        let (three, _) = tokio::join!(flights.share(&1, ask), together.wait());
        assert_eq!(three, Ok(1));
    }
}
