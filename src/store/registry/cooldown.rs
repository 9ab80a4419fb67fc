use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// Until when a registry wants peace. All of its names share it, and whoever asks it waits.
#[derive(Debug, Clone, Default)]
pub(super) struct Cooldown {
    until: Arc<Mutex<Option<Instant>>>,
}

impl Cooldown {
    /// The registry wants peace until then, or longer where it has said so already.
    pub(super) fn extend(&self, until: Instant) {
        let mut current = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *current = (*current).max(Some(until));
    }

    /// The end of the peace, where it is still to come.
    pub(super) fn until(&self) -> Option<Instant> {
        let current = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        current.filter(|until| *until > Instant::now())
    }
}
