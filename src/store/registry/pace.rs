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
pub(super) struct Pace {
    first: Duration,
}

/// The tries of one thing.
#[derive(Debug)]
pub(super) struct Tries {
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
    #[cfg(test)]
    pub(super) const fn immediate() -> Self {
        Self { first: Duration::ZERO }
    }

    /// Begins with the first try, with the patience of whoever calls this.
    pub(super) fn start(self, cooldown: &Cooldown) -> Tries {
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
    pub(super) async fn again(&mut self, error: StoreError) -> Result<(), StoreError> {
        self.again_if(error, false).await
    }

    /// As [`Tries::again`], also where `error` does not pass by itself but the next try is another one.
    pub(super) async fn again_if(&mut self, error: StoreError, may_pass: bool) -> Result<(), StoreError> {
        // Whoever has given up has tried often enough.
        if !(error.is_temporary() || may_pass) || matches!(error, StoreError::GaveUp { .. }) {
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
