use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Mutex as AsyncMutex, time::Instant};

use crate::oci::{Descriptor, Digest};

/// What this run does to the list of referrers of one subject, where it keeps that list itself.
#[derive(Debug, Default)]
pub(super) struct SubjectList {
    entries: Mutex<Entries>,
    /// Held by whoever writes the list.
    pub(super) update: AsyncMutex<Written>,
}

#[derive(Debug, Default)]
struct Entries {
    /// To be taken along by the next update.
    waiting: Vec<Descriptor>,
    /// Listed by this run.
    listed: Vec<Descriptor>,
}

/// A list as this run saw it last.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) digest: Digest,
    pub(super) entries: Vec<Digest>,
    pub(super) at: Instant,
}

/// What the last update of this run left behind.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The list that was written or found.
    pub(super) digest: Option<Digest>,
    /// Whether somebody else was seen to write it too.
    pub(super) is_contended: bool,
    /// How often this run has written the list.
    pub(super) writes: u64,
    /// When the list was last written.
    ended: Option<Instant>,
    /// How long it took at most from reading to writing.
    longest: Duration,
}

impl Written {
    /// What was read at `read` is written now.
    pub(super) fn end(&mut self, read: Instant) {
        let now = Instant::now();
        self.ended = Some(now);
        self.writes += 1;
        self.longest = self.longest.max(now - read);
    }

    /// The list is gone, by this run's own doing.
    pub(super) fn is_removed(&mut self) {
        *self = Self { writes: self.writes + 1, ..Self::default() };
    }

    /// How long somebody else may take from reading to writing, who has about the same way to the registry.
    pub(super) fn patience(&self) -> Duration {
        self.longest * 4
    }

    /// When an update of somebody else is over that began before our last one ended.
    pub(super) fn quiet(&self) -> Instant {
        self.ended.map_or_else(Instant::now, |ended| ended + self.patience())
    }
}

impl SubjectList {
    pub(super) fn wait(&self, entry: Descriptor) {
        self.lock().waiting.push(entry);
    }

    /// Whether anything waits to be listed.
    pub(super) fn has_waiting(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    /// Everything that waits, for one update.
    pub(super) fn take(&self) -> Vec<Descriptor> {
        std::mem::take(&mut self.lock().waiting)
    }

    /// What an update took that failed.
    pub(super) fn wait_again(&self, batch: Vec<Descriptor>) {
        self.lock().waiting.extend(batch);
    }

    pub(super) fn is_listed(&self, batch: Vec<Descriptor>) {
        self.lock().listed.extend(batch);
    }

    /// What this run has listed and not taken out again.
    pub(super) fn listed(&self) -> Vec<Descriptor> {
        self.lock().listed.clone()
    }

    /// These need not be listed any more.
    pub(super) fn withdraw(&self, digests: &[Digest]) {
        let mut entries = self.lock();
        entries.waiting.retain(|entry| !digests.contains(&entry.digest));
        entries.listed.retain(|entry| !digests.contains(&entry.digest));
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
