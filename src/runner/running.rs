use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::store::Patience;

/// A step that works, in its turn.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) step: usize,
    since: Instant,
    patience: Arc<Patience>,
    /// The round trips that it had behind it before its turn.
    before: u32,
}

/// What a step cost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    pub(super) elapsed: Duration,
    pub(super) round_trips: u32,
}

impl Running {
    /// A step whose turn is now.
    pub(super) fn new(step: usize, patience: Arc<Patience>) -> Self {
        let before = patience.trips().count();
        Self { step, since: Instant::now(), patience, before }
    }

    /// What it cost from its turn until now.
    pub(super) fn cost(&self) -> Cost {
        let round_trips = self.patience.trips().count().saturating_sub(self.before);
        Cost { elapsed: self.since.elapsed(), round_trips }
    }
}
