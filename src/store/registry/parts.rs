//! A large blob in several parts at once, where one connection brings little: over a long way it is as fast as its window is
//! wide, and some storage gives each connection only so much.
//!
//! The connection that is there goes on until the first part has to take over, and to the end where parts are not given: who
//! gives none is asked once in a run, and loses nothing by it. Parts that are not faster are not asked for any longer.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::remote_blob::{Part, RemoteBlob};
use crate::store::patience::Patience;

const MIB: u64 = 1024 * 1024;
/// How much one request brings, in bytes. What comes before its turn waits in memory.
pub(super) const PART: u64 = 3 * MIB;
/// In how large pieces it is handed on.
const PIECE: usize = 256 * 1024;

/// Parts of a blob on their way, in their order.
#[derive(Debug)]
pub(super) struct Parts {
    blob: Arc<RemoteBlob>,
    etag: Option<String>,
    patience: Arc<Patience>,
    /// Where they begin.
    pub(super) start: u64,
    /// Where the next part begins that is not asked for yet.
    next: u64,
    /// Where the last part ends that is asked for.
    end: u64,
    coming: VecDeque<Coming>,
    /// The part that is being read.
    current: Option<(Bytes, OwnedSemaphorePermit)>,
    /// A place that waits for a part.
    spare: Option<OwnedSemaphorePermit>,
    /// Hears of the first part, until it is given.
    trial: Option<oneshot::Receiver<()>>,
    /// How fast it was before. Nothing: they were found to be faster.
    alone: Option<Haul>,
}

/// A part on its way, and its place in memory.
#[derive(Debug)]
struct Coming {
    part: AbortOnDropHandle<Option<Bytes>>,
    room: OwnedSemaphorePermit,
}

/// How it goes with the first part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trial {
    Open,
    Given,
    Refused,
}

/// How much came, and how long it was waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Haul {
    pub(super) bytes: u64,
    pub(super) waited: Duration,
}

impl Haul {
    pub(super) fn add(&mut self, bytes: usize, waited: Duration) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.waited = self.waited.saturating_add(waited);
    }

    /// By a quarter at least.
    fn is_faster_than(self, other: Self) -> bool {
        let product = |bytes: u64, waited: Duration| u128::from(bytes).saturating_mul(waited.as_nanos());
        product(self.bytes, other.waited).saturating_mul(4) >= product(other.bytes, self.waited).saturating_mul(5)
    }
}

impl Parts {
    /// How many parts of all blobs of a run are on their way, or wait for their turn, at a time.
    pub(super) const AT_ONCE: usize = 6;
    /// So much comes over one connection before parts are thought of, in bytes.
    pub(super) const PROBE: u64 = 8 * MIB;
    /// After so much it is judged whether they were worth it, in bytes.
    const JUDGED: u64 = 7 * PART;
    /// A connection that brings so much in a second is left alone, in bytes.
    const FAST: u64 = 32 * MIB;

    /// Whether parts may be worth it where one connection has brought so much, and so many bytes are still to come.
    pub(super) fn may_be_worth_it(came: Haul, left: u64) -> bool {
        let fast = Haul { bytes: Self::FAST, waited: Duration::from_secs(1) };
        came.bytes >= Self::PROBE && left >= 3 * PART && fast.is_faster_than(came)
    }

    /// Asks for the first part, which lies so far behind `at` that its answer is there in time. Nothing: there is no room.
    pub(super) fn begin(
        blob: &Arc<RemoteBlob>,
        etag: Option<&str>,
        patience: &Arc<Patience>,
        at: u64,
        alone: Haul,
    ) -> Option<Self> {
        // One alone would be no faster than the connection that it takes over from.
        let mut room = Arc::clone(&blob.registry.room).try_acquire_many_owned(2).ok()?;
        let spare = room.split(1)?;
        let start = at.saturating_add(PART);
        let (tx, rx) = oneshot::channel();
        let mut parts = Self {
            blob: Arc::clone(blob),
            etag: etag.map(str::to_owned),
            patience: Arc::clone(patience),
            start,
            next: start,
            end: blob.size,
            coming: VecDeque::new(),
            current: None,
            spare: Some(spare),
            trial: Some(rx),
            alone: Some(alone),
        };
        parts.send_for(room, Some(tx));
        Some(parts)
    }

    /// How it goes with the first part. Where it is given, others are asked for.
    pub(super) fn look(&mut self) -> Trial {
        match self.trial.as_mut().map(oneshot::Receiver::try_recv) {
            None => Trial::Given,
            Some(Ok(())) => {
                self.trial = None;
                self.ask();
                Trial::Given
            }
            Some(Err(oneshot::error::TryRecvError::Empty)) => Trial::Open,
            Some(Err(oneshot::error::TryRecvError::Closed)) => Trial::Refused,
        }
    }

    /// The next piece. Nothing: that was all that was asked for, or it is not given. What else was asked for is given up.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some((content, room)) = self.current.take() {
                if content.is_empty() {
                    self.spare = Some(room);
                } else {
                    let (content, _) = &mut *self.current.insert((content, room));
                    return Some(content.split_to(PIECE.min(content.len())));
                }
            }
            self.ask();
            let part = (&mut self.coming.front_mut()?.part).await.ok().flatten();
            let Coming { room, .. } = self.coming.pop_front()?;
            let Some(content) = part else {
                self.coming.clear();
                self.end = self.next;
                return None;
            };
            self.current = Some((content, room));
        }
    }

    /// After enough has come, since they were begun, to tell: asks for no more of them where they were not worth it.
    pub(super) fn judge(&mut self, came: Haul) {
        if came.bytes >= Self::JUDGED && self.alone.take().is_some_and(|alone| !came.is_faster_than(alone)) {
            self.end = self.next;
        }
    }

    /// Asks for as many parts as there is room for.
    fn ask(&mut self) {
        while self.next < self.end {
            let room = self.spare.take().or_else(|| Arc::clone(&self.blob.registry.room).try_acquire_owned().ok());
            let Some(room) = room else { return };
            self.send_for(room, None);
        }
        self.spare = None;
    }

    fn send_for(&mut self, room: OwnedSemaphorePermit, given: Option<oneshot::Sender<()>>) {
        let range = self.next..self.end.min(self.next.saturating_add(PART));
        self.next = range.end;
        let (blob, patience) = (Arc::clone(&self.blob), Arc::clone(&self.patience));
        let part = Part { blob, range, etag: self.etag.clone(), patience };
        let part = AbortOnDropHandle::new(tokio::spawn(part.fetch(given)));
        self.coming.push_back(Coming { part, room });
    }
}

#[cfg(test)]
mod tests;
