//! Content on its way out, in one request or in several that follow each other.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::time::{Duration, timeout};

use super::answer::Incoming;
use crate::{
    oci::Descriptor,
    store::{ByteStream, Source, StoreError},
};

/// Content that is sent. Requests that take up where another has ended share one opened source; whoever begins elsewhere
/// opens it anew, so that nothing is ever sent from what another try has left.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) blob: &'a Descriptor,
    pub(super) source: &'a Source,
    /// How much there is; nothing: that shows when it ends.
    pub(super) size: Option<u64>,
    opened: Arc<Mutex<Option<Opened>>>,
    /// Where it has ended.
    end: Arc<AtomicU64>,
}

/// An opened source, and how far it is read.
struct Opened {
    content: ByteStream,
    held: Option<Bytes>,
    at: u64,
}

/// One part on its way: how much of it went out, and why its source failed.
#[derive(Debug, Default)]
pub(super) struct Sending {
    sent: AtomicU64,
    /// How much there is; more than that ever is, where nobody knows yet.
    size: AtomicU64,
    failure: Mutex<Option<StoreError>>,
}

/// How long a registry may think about content after its last byte: it hashes what it got, and may move it.
const COMMIT: Duration = Duration::from_mins(15);

impl<'a> Outgoing<'a> {
    pub(super) fn new(blob: &'a Descriptor, source: &'a Source) -> Self {
        Self { blob, source, size: Some(blob.size), opened: Arc::default(), end: Arc::default() }
    }

    /// The same, where nobody knows how much it is; the size in `blob` is no less than that.
    pub(super) fn of_any_size(blob: &'a Descriptor, source: &'a Source) -> Self {
        Self { size: None, ..Self::new(blob, source) }
    }

    /// Where the content has ended, once it was sent to its end.
    pub(super) fn end(&self) -> u64 {
        self.size.unwrap_or_else(|| self.end.load(Ordering::Relaxed))
    }

    /// The bytes of that part. The last piece of the content goes out only after the whole was found to be right, so that
    /// what is wrong never arrives whole.
    pub(super) async fn part(&self, part: &Range<u64>, sending: &Arc<Sending>) -> Result<reqwest::Body, StoreError> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner).take();
        let opened = match opened.filter(|opened| opened.at == part.start) {
            Some(opened) => opened,
            None => Opened::new(self.source.open(self.blob).await?, part.start).await?,
        };
        let left = part.end.saturating_sub(part.start);
        let state = (Some(opened), left, Arc::clone(sending), Arc::clone(&self.opened));
        let end = Arc::clone(&self.end);
        let pieces = stream::try_unfold(state, move |(opened, left, sending, place)| {
            let end = Arc::clone(&end);
            async move {
                let Some(mut opened) = opened else { return Ok(None) };
                match opened.next(left).await {
                    Ok(Some(piece)) => {
                        let length = piece.len() as u64;
                        sending.sent.fetch_add(length, Ordering::Relaxed);
                        let left = left.saturating_sub(length);
                        // The transport does not look for an end behind the last byte.
                        let opened = if left == 0 {
                            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
                            None
                        } else {
                            Some(opened)
                        };
                        Ok(Some((piece, (opened, left, sending, place))))
                    }
                    Ok(None) => {
                        end.store(opened.at, Ordering::Relaxed);
                        sending.size.store(sending.sent.load(Ordering::Relaxed), Ordering::Relaxed);
                        Ok(None)
                    }
                    Err(error) => {
                        let message = error.to_string();
                        *sending.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        Err(message)
                    }
                }
            }
        });
        Ok(reqwest::Body::wrap_stream(pieces))
    }
}

impl Opened {
    /// Reads over what lies before `at`: so that the whole is verified whatever was sent of it.
    async fn new(content: ByteStream, at: u64) -> Result<Self, StoreError> {
        // Content of unknown size is asked for more until there is none, and once again.
        let content = Box::pin(content.fuse());
        let mut opened = Self { content, held: None, at: 0 };
        while opened.at < at {
            if opened.next(at - opened.at).await?.is_none() {
                break;
            }
        }
        Ok(opened)
    }

    /// At most `most` bytes more.
    async fn next(&mut self, most: u64) -> Result<Option<Bytes>, StoreError> {
        let held = match self.held.take() {
            Some(held) => Some(held),
            None => self.content.next().await.transpose()?,
        };
        let Some(mut piece) = held else { return Ok(None) };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.held =
            if piece.len() > most { Some(piece.split_off(most)) } else { self.content.next().await.transpose()? };
        self.at += piece.len() as u64;
        Ok(Some(piece))
    }
}

impl Sending {
    pub(super) fn of(size: u64) -> Arc<Self> {
        Arc::new(Self { size: size.into(), ..Self::default() })
    }

    /// Waits for `answer` as long as something moves; otherwise says how long nothing did.
    pub(super) async fn watch<T>(&self, answer: impl Future<Output = T>) -> Result<T, Duration> {
        tokio::pin!(answer);
        loop {
            let before = self.sent.load(Ordering::Relaxed);
            let size = self.size.load(Ordering::Relaxed);
            let limit = if size > 0 && before >= size { COMMIT } else { Incoming::SILENCE };
            match timeout(limit, &mut answer).await {
                Ok(answer) => return Ok(answer),
                Err(_) if self.sent.load(Ordering::Relaxed) != before => {}
                Err(_) => return Err(limit),
            }
        }
    }

    pub(super) fn failure(&self) -> Option<StoreError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("at", &self.at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parts_follow_each_other_and_the_last_piece_waits_for_the_verdict() {
        let right = Descriptor::of("a/b", b"0123456789");
        let content = || -> ByteStream {
            let pieces = [&b"0123"[..], b"456", b"789"].map(|piece| Ok(Bytes::from_static(piece)));
            crate::store::verified(&Descriptor::of("a/b", b"0123456789"), stream::iter(pieces))
        };
        let mut opened = Opened::new(content(), 2).await.unwrap();
        let mut pieces = Vec::new();
        for most in [1, 100, 2, 100, 100] {
            pieces.push(opened.next(most).await.unwrap());
        }
        assert_eq!(pieces.iter().flatten().collect::<Vec<_>>(), ["2", "3", "45", "6", "789"]);
        assert_eq!((opened.at, opened.next(1).await.unwrap()), (right.size, None));

        let wrong = crate::store::verified(&right, stream::iter([Ok(Bytes::from_static(b"012345678x"))]));
        let mut opened = Opened::new(wrong, 5).await.unwrap();
        assert_eq!(opened.next(3).await.unwrap().unwrap(), "567");
        assert!(opened.next(2).await.is_err());
    }
}
