use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use crate::oci::Digest;

/// Referrers on their way to a subject, by subject: an update of its list waits a moment for them, so that what is
/// pushed together is listed together.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    coming: Mutex<HashMap<Digest, usize>>,
    changed: Notify,
}

/// One referrer on its way. It has arrived when this is dropped, or will not.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    arrivals: &'a Arrivals,
    subject: Digest,
}

/// An update waits no longer than this for others. It is about a round trip over a slow network.
const PATIENCE: Duration = Duration::from_millis(250);

impl Arrivals {
    /// Says that a referrer of `subject` is on its way.
    pub(super) fn announce(&self, subject: &Digest) -> Arrival<'_> {
        *self.coming.lock().unwrap_or_else(PoisonError::into_inner).entry(subject.clone()).or_default() += 1;
        Arrival { arrivals: self, subject: subject.clone() }
    }

    /// Waits until nothing is on its way to `subject`, or for a moment.
    pub(super) async fn wait(&self, subject: &Digest) {
        let nothing_comes = async {
            loop {
                let changed = self.changed.notified();
                if !self.coming.lock().unwrap_or_else(PoisonError::into_inner).contains_key(subject) {
                    return;
                }
                changed.await;
            }
        };
        // Whoever comes later is taken along by the next update.
        let _ = timeout(PATIENCE, nothing_comes).await;
    }
}

impl Arrival<'_> {
    /// Whether nothing else is on its way to that subject.
    pub(super) fn is_alone(&self) -> bool {
        let coming = self.arrivals.coming.lock().unwrap_or_else(PoisonError::into_inner);
        coming.get(&self.subject).is_none_or(|count| *count <= 1)
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        let mut coming = self.arrivals.coming.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = coming.get_mut(&self.subject) {
            *count -= 1;
            if *count == 0 {
                coming.remove(&self.subject);
            }
        }
        drop(coming);
        self.arrivals.changed.notify_waiters();
    }
}
