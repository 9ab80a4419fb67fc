//! How often something is tried again, and how long is waited before.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

/// How patient a run is with its registries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    first: Duration,
    tries: u32,
}

/// The tries of one request.
#[derive(Debug)]
pub(super) struct Backoff {
    pace: Pace,
    tried: u32,
}

impl Pace {
    /// Nobody wants to wait for a registry that asks for more.
    const LONGEST: Duration = Duration::from_mins(5);

    /// Five tries over about four seconds.
    pub(super) const fn patient() -> Self {
        Self { first: Duration::from_millis(250), tries: 5 }
    }

    /// As many tries, without a pause between them.
    #[cfg(test)]
    pub(super) const fn immediate() -> Self {
        Self { first: Duration::ZERO, tries: 5 }
    }

    pub(super) const fn start(self) -> Backoff {
        Backoff { pace: self, tried: 1 }
    }

    /// A short random pause, so that processes that met once do not meet again; longer with each round.
    pub(super) fn moment(self, round: u32) -> Duration {
        let base = self.first / 8 * (1 << round.min(4));
        base + random(base)
    }
}

impl Backoff {
    /// Whether this is not the first try any more.
    pub(super) const fn is_again(&self) -> bool {
        self.tried > 1
    }

    /// How long to wait before the next try, at least what the registry asked for. Nothing: it is time to give up.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        if self.tried >= self.pace.tries || asked.is_some_and(|asked| asked > Pace::LONGEST) {
            return None;
        }
        let wait = self.pace.first * (1 << (self.tried - 1).min(16));
        self.tried += 1;
        // What a registry asks for is the end of its period: everybody who waits comes back then, so spread out.
        let asked = asked.map(|asked| asked + random(self.pace.first));
        Some(asked.unwrap_or(wait + random(wait / 2)))
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
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let mut backoff = Pace::patient().start();
        let waits: Vec<_> = std::iter::from_fn(|| backoff.next(None)).collect();
        assert_eq!(waits.len(), 4);
        for (wait, least) in waits.iter().zip([250, 500, 1000, 2000]) {
            let least = Duration::from_millis(least);
            assert!(*wait >= least && *wait <= least * 3 / 2, "{wait:?}");
        }
    }

    #[test]
    fn what_the_registry_asks_for_is_waited_in_full_or_not_at_all() {
        let wait = Pace::patient().start().next(Some(Duration::from_mins(1))).unwrap();
        assert!(wait >= Duration::from_mins(1) && wait < Duration::from_secs(61), "{wait:?}");
        assert_eq!(Pace::patient().start().next(Some(Duration::from_hours(1))), None);
    }
}
