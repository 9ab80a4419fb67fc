use std::sync::Arc;

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{Duration, sleep, timeout},
};

use super::{Limits, limits::Rate};

/// How much one registry gets at once and over time. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Permits {
    requests: Arc<Semaphore>,
    /// One less than there are requests. Content may come from the same registry: were every permit held by an upload
    /// that waits for its content, nothing would ever move.
    uploads: Arc<Semaphore>,
    turnstile: Option<Turnstile>,
}

/// Lets as many through in any one period as its rate says: each place is free again one period after its request has
/// reached the registry.
#[derive(Debug, Clone)]
struct Turnstile {
    rate: Rate,
    places: Arc<Semaphore>,
}

/// A request on its way. Dropped when its answer begins, or will not come.
#[derive(Debug)]
pub(super) struct Passage {
    _on_its_way: Option<oneshot::Sender<()>>,
}

/// A request that has no answer after this long has reached the registry all the same: uploads take minutes.
const ON_ITS_WAY: Duration = Duration::from_millis(250);

impl Permits {
    pub(super) fn new(limits: Limits) -> Self {
        let requests = limits.concurrency.clamp(2, Semaphore::MAX_PERMITS);
        Self {
            requests: Arc::new(Semaphore::new(requests)),
            uploads: Arc::new(Semaphore::new(requests - 1)),
            turnstile: limits.rate.map(Turnstile::new),
        }
    }

    /// Waits until one more request may run; it may as long as what this gives is held.
    pub(super) async fn request(&self) -> Vec<OwnedSemaphorePermit> {
        // The semaphores are never closed, so there is always a permit to wait for.
        Arc::clone(&self.requests).acquire_owned().await.into_iter().collect()
    }

    /// As [`Permits::request`], for one that sends content.
    pub(super) async fn upload(&self) -> Vec<OwnedSemaphorePermit> {
        let upload = Arc::clone(&self.uploads).acquire_owned().await;
        upload.into_iter().chain(self.request().await).collect()
    }

    /// Waits until one more request may be sent.
    pub(super) async fn pass(&self) -> Passage {
        match &self.turnstile {
            Some(turnstile) => turnstile.pass().await,
            None => Passage { _on_its_way: None },
        }
    }
}

impl Turnstile {
    fn new(rate: Rate) -> Self {
        let count = usize::try_from(rate.count()).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { rate, places: Arc::new(Semaphore::new(count)) }
    }

    async fn pass(&self) -> Passage {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let (tx, rx) = oneshot::channel();
        let period = self.rate.period();
        tokio::spawn(async move {
            // The registry counts a request when it comes, which is some time before its answer is here: a connection
            // may have to be made first. Counted from the answer, no two requests of one place come closer.
            let _ = timeout(ON_ITS_WAY, rx).await;
            sleep(period).await;
            drop(place);
        });
        Passage { _on_its_way: Some(tx) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::{task::JoinSet, time::Instant};

    use super::*;

    /// 1,000 requests that take so long to arrive and so long to be answered: how many there were at once at most, how
    /// many came in any second at most, and how long they took together.
    async fn thousand(arrival: impl Fn(u64) -> u64, answer: u64) -> (usize, usize, Duration) {
        let permits = Permits::new(Limits { concurrency: 50, rate: Some("100/s".parse().unwrap()) });
        let start = Instant::now();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let arrivals = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        for number in 0..1000 {
            let (permits, arrivals) = (permits.clone(), Arc::clone(&arrivals));
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            let arrival = Duration::from_millis(arrival(number));
            tasks.spawn(async move {
                let _permits = permits.request().await;
                let passage = permits.pass().await;
                most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                sleep(arrival).await;
                arrivals.lock().unwrap().push(Instant::now());
                sleep(Duration::from_millis(answer)).await;
                drop(passage);
                running.fetch_sub(1, Ordering::Relaxed);
            });
        }
        tasks.join_all().await;
        let mut arrivals = arrivals.lock().unwrap().clone();
        arrivals.sort();
        let second = Duration::from_secs(1);
        let in_any_second =
            |first: &Instant| arrivals.iter().filter(|it| **it >= *first && **it < *first + second).count();
        let busiest = arrivals.iter().map(in_any_second).max().unwrap();
        (most.load(Ordering::Relaxed), busiest, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn neither_limit_is_exceeded_and_no_time_is_wasted() {
        let ideal = Duration::from_secs(10);
        for (name, arrival, answer) in [
            ("close by", (|_| 1) as fn(u64) -> u64, 2),
            ("far away", |_| 40, 40),
            // The first connections are made, the later ones are there already.
            ("slow to connect", |number| if number < 100 { 150 } else { 20 }, 20),
            ("never the same", |number| number * 7 % 90, 60),
            ("slow to answer", |_| 10, 400),
        ] {
            let (most, busiest, elapsed) = thousand(arrival, answer).await;
            assert!(most <= 50 && busiest <= 100, "{name}: {most} at once, {busiest} in a second");
            assert!(elapsed <= ideal.mul_f64(1.3), "{name}: {elapsed:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_does_not_hold_its_place_to_the_end() {
        let permits = Permits::new(Limits { concurrency: 16, rate: Some("1/min".parse().unwrap()) });
        let start = Instant::now();
        let _endless = permits.pass().await;
        drop(permits.pass().await);
        assert!(start.elapsed() < Duration::from_secs(61), "{:?}", start.elapsed());
    }
}
