//! How often something is tried again, and how long is waited before.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until};

use super::cooldown::Cooldown;
use crate::store::{
    StoreError,
    patience::{OutOfPatience, Patience},
};

/// How long a run waits where a registry does not say.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Pace {
    first: Duration,
}

/// The tries of one thing.
#[derive(Debug)]
pub(in crate::store) struct Tries {
    pace: Pace,
    cooldown: Cooldown,
    patience: Arc<Patience>,
    tried: u32,
    /// Of these, how many since something was achieved.
    in_vain: u32,
    since: Instant,
}

impl Pace {
    /// No single wait is longer, unless a registry asks for it.
    const LONGEST: Duration = Duration::from_secs(30);

    /// Waits of up to 0.25, 0.5, 1, 2, … seconds.
    pub(super) const fn patient() -> Self {
        Self { first: Duration::from_millis(250) }
    }

    /// The same without a pause.
    pub(in crate::store) const fn immediate() -> Self {
        Self { first: Duration::ZERO }
    }

    /// Begins with the first try, with the patience of whoever calls this.
    pub(in crate::store) fn start(self, cooldown: &Cooldown) -> Tries {
        let cooldown = cooldown.clone();
        Tries { pace: self, cooldown, patience: Patience::current(), tried: 1, in_vain: 1, since: Instant::now() }
    }

    /// A short random pause, so that processes that met once do not meet again; longer with each round.
    pub(super) fn moment(self, round: u32) -> Duration {
        let base = self.first / 8 * (1 << round.min(4));
        base + random(base)
    }

    /// How long to wait after so many tries: anything up to twice as long as the time before.
    fn backoff(self, tried: u32) -> Duration {
        let most = self.first.saturating_mul(1 << tried.saturating_sub(1).min(16));
        random(most.min(Self::LONGEST))
    }
}

impl Tries {
    /// Whether this is not the first try any more.
    pub(super) const fn is_again(&self) -> bool {
        self.tried > 1
    }

    /// How many tries there were, with the one that goes on.
    pub(super) const fn tried(&self) -> u32 {
        self.tried
    }

    /// The patience that was there at the beginning.
    pub(super) const fn patience(&self) -> &Arc<Patience> {
        &self.patience
    }

    /// Something was achieved: what comes next has all tries before it.
    pub(super) const fn achieved(&mut self) {
        self.in_vain = 1;
    }

    /// Waits before the next try, or gives back what there is to say: `error` is none that passes, there were tries
    /// enough, or the wait that the registry asks for is longer than there is patience.
    pub(in crate::store) async fn again(&mut self, error: StoreError) -> Result<(), StoreError> {
        self.again_if(error, false).await
    }

    /// As [`Tries::again`], also where `error` does not pass by itself but the next try is another one.
    pub(super) async fn again_if(&mut self, error: StoreError, may_pass: bool) -> Result<(), StoreError> {
        // Whoever has given up has tried often enough.
        if !(error.is_temporary() || may_pass) || error.is_given_up() {
            return Err(error);
        }
        if self.in_vain >= self.patience.max() {
            return Err(self.give_up(error, None));
        }
        let mut wait = match error.retry_after() {
            // It is the end of the registry's period: everybody who waits comes back then, so spread out.
            Some(asked) => asked.saturating_add(random(self.pace.first)),
            None => self.pace.backoff(self.in_vain),
        };
        if error.is_throttled() {
            self.cooldown.extend(Instant::now() + error.retry_after().unwrap_or(wait));
        }
        if let Some(until) = self.cooldown.until() {
            wait = wait.max(until.saturating_duration_since(Instant::now()));
        }
        if let Err(out) = self.patience.take(wait) {
            return Err(self.give_up(error, Some(out)));
        }
        let (request, why) = error.request_and_reason();
        self.patience.tell(&request, &why, self.tried, wait);
        drop(error);
        sleep(wait).await;
        self.tried += 1;
        self.in_vain += 1;
        Ok(())
    }

    /// Waits as long as the registry wants peace.
    pub(super) async fn peace(&self, registry: &str) -> Result<(), OutOfPatience> {
        while let Some(until) = self.cooldown.until() {
            self.patience.take(until.saturating_duration_since(Instant::now()))?;
            self.patience.tell_of_peace(registry, until);
            sleep_until(until + random(self.pace.first)).await;
        }
        Ok(())
    }

    fn give_up(&self, source: StoreError, out: Option<OutOfPatience>) -> StoreError {
        StoreError::GaveUp { tries: self.tried, over: self.since.elapsed(), out, source: Box::new(source) }
    }
}

/// Somewhere between nothing and `limit`.
fn random(limit: Duration) -> Duration {
    // The standard library's only source of chance; good enough to keep processes apart.
    let bits = RandomState::new().build_hasher().finish() >> 44;
    limit.mul_f64(f64::from(u32::try_from(bits).unwrap_or_default()) / f64::from(1_u32 << 20))
}

#[cfg(test)]
mod tests {
    use futures_util::future::try_join_all;
    use tokio::sync::mpsc;

    use super::*;
    use crate::{
        event::{Event, Progress, StepId},
        store::{
            RetryPolicy, RunPatience, Store,
            registry::{
                Credentials, Registries, RegistryOptions, RegistryStore,
                testing::{Reply, Server},
            },
        },
    };

    #[test]
    fn waits_grow_at_random_up_to_a_limit() {
        let waits = |tried| (0..200).map(move |_| Pace::patient().backoff(tried)).collect::<Vec<_>>();
        for (tried, most) in [(1, 250), (2, 500), (3, 1000), (7, 16_000), (8, 30_000), (100, 30_000)] {
            let most = Duration::from_millis(most);
            let waits = waits(tried);
            assert!(waits.iter().all(|wait| *wait <= most), "{tried}");
            // Anywhere between nothing and that.
            assert!(waits.iter().any(|wait| *wait < most / 4) && waits.iter().any(|wait| *wait > most * 3 / 4));
        }
    }

    /// A registry that wants peace for a minute on its first request.
    async fn throttling() -> (Server, Registries) {
        let mut is_throttled = false;
        let server = Server::with(move |_, _| {
            let is_first = !std::mem::replace(&mut is_throttled, true);
            is_first.then(|| Reply::status(429).header("retry-after", "60"))
        })
        .await;
        (server, Registries::new(RegistryOptions { credentials: Credentials::none(), ..Default::default() }).unwrap())
    }

    /// Ends as soon as the registry has refused its first request.
    async fn wants_peace(store: &RegistryStore) {
        while store.registry.start().cooldown.until().is_none() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_registry_that_wants_peace_has_it_under_all_its_names() {
        let (server, registries) = throttling().await;
        let other_name = server.name.to_string().replace("127.0.0.1", "localhost").parse().unwrap();
        let store = registries.repository(&server.name, &"a".parse().unwrap());
        let other = registries.repository(&other_name, &"b".parse().unwrap());
        let start = Instant::now();
        let first = async { store.tags().await.map(|_| start.elapsed()) };
        let second = async {
            wants_peace(&store).await;
            try_join_all([other.tags(), store.tags()]).await.map(|_| start.elapsed())
        };
        let (first, second) = tokio::try_join!(first, second).unwrap();
        let minute = Duration::from_mins(1);
        assert!(first >= minute && second >= minute && second < minute * 2, "{first:?} {second:?}");
        // The refused one, and one for each repository: the first one's next try answers both who ask for its tags.
        assert_eq!(server.log().len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_says_that_it_tries_again_and_that_it_waits_for_others() {
        let (server, registries) = throttling().await;
        let policy = RetryPolicy::default();
        let run = RunPatience::new(policy);
        let (tx, mut rx) = mpsc::unbounded_channel();
        let patience = |name: &str| {
            let step = StepId::new(0, name.to_owned());
            Patience::new(policy, &run, Some(Progress::new(step, tx.clone())))
        };
        let store = registries.repository(&server.name, &"a".parse().unwrap());
        patience("first").scope(store.tags()).await.unwrap();
        let events: Vec<_> = std::iter::from_fn(|| rx.try_recv().ok()).collect();
        let [refused, Event::StepRetried { step, attempt, wait, request, error }, answered] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert!([refused, answered].iter().all(|event| matches!(event, Event::Requested { .. })), "{events:?}");
        assert_eq!((step.name(), *attempt, &**error), ("first", 1, "429 Too Many Requests"));
        assert_eq!(**request, format!("GET http://{}/v2/a/tags/list", server.name));
        assert!(*wait >= Duration::from_mins(1) && *wait < Duration::from_secs(61), "{wait:?}");

        // Another step that comes while the registry wants peace; both its requests wait, and it says so once.
        let (server, registries) = throttling().await;
        let store = registries.repository(&server.name, &"a".parse().unwrap());
        let second = async {
            wants_peace(&store).await;
            patience("second").scope(try_join_all([store.tags(), store.tags()])).await
        };
        let other = registries.repository(&server.name, &"b".parse().unwrap());
        let (first, second) = tokio::join!(patience("first").scope(other.tags()), second);
        assert!(first.is_ok() && second.is_ok());
        let mut said = Vec::new();
        while let Ok(event) = rx.try_recv() {
            match event {
                Event::StepRetried { step, .. } => said.push(format!("{step} tries again")),
                Event::Warned { step, message } => said.push(format!("{step}: {message}")),
                _ => {}
            }
        }
        assert_eq!(said, ["first tries again", "second: waiting 1 m 00 s: 127.0.0.1 asks everybody to wait"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_without_patience_tries_once() {
        let server = Server::with(|_, _| Some(Reply::status(503))).await;
        let registries = Registries::new(RegistryOptions { credentials: Credentials::none(), ..Default::default() });
        let store = registries.unwrap().repository(&server.name, &"a".parse().unwrap());
        let policy = RetryPolicy { max: 1, budget: Duration::from_mins(5) };
        let error = Patience::new(policy, &RunPatience::new(policy), None).scope(store.tags()).await.unwrap_err();
        assert!(error.to_string().ends_with("503 Service Unavailable (tried once)"), "{error}");
        assert!(error.is_temporary());
        assert_eq!(server.log().len(), 1);
    }
}
