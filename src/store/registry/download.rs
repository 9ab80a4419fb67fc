//! Content on its way in, gone on with where it broke off, and in several parts at once where it comes slowly.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::stream;
use reqwest::{
    StatusCode,
    header::{CONTENT_LENGTH, ETAG},
};
use tokio::time::Instant;

use super::{
    RegistryProblem,
    answer::Incoming,
    pace::Tries,
    parts::{Haul, Parts, Trial},
    registry::Registry,
    remote_blob::RemoteBlob,
};
use crate::{
    oci::{Descriptor, RepositoryName},
    store::{ByteStream, StoreError, verified},
};

/// A blob that is being read.
#[derive(Debug)]
pub(super) struct Download {
    blob: Arc<RemoteBlob>,
    tries: Tries,
    incoming: Option<Incoming>,
    /// How many bytes were handed on.
    at: u64,
    /// How many bytes of this answer were handed on already.
    skip: u64,
    /// How many bytes this answer has still to bring, where it says that.
    left: Option<u64>,
    /// What the registry calls this content.
    etag: Option<String>,
    /// What came: over one connection, or in parts since they were begun.
    pub(super) came: Haul,
    /// What comes in parts, or will take over.
    pub(super) parts: Option<Parts>,
    /// Whether parts were tried, and are not tried again.
    is_whole: bool,
}

impl Download {
    /// Asks for the blob. `None`: it is not there.
    pub(super) async fn open(
        registry: &Arc<Registry>,
        name: &RepositoryName,
        blob: &Descriptor,
    ) -> Result<Option<ByteStream>, StoreError> {
        Ok(Self::begin(registry, name, blob).await?.map(|download| download.into_stream(blob)))
    }

    /// As [`Download::open`], with its content still to be verified.
    pub(super) async fn begin(
        registry: &Arc<Registry>,
        name: &RepositoryName,
        blob: &Descriptor,
    ) -> Result<Option<Self>, StoreError> {
        let url = registry.url(name, &["blobs", &blob.digest.to_string()])?;
        let remote = RemoteBlob { registry: Arc::clone(registry), name: name.clone(), url, size: blob.size };
        let mut download = Self {
            blob: Arc::new(remote),
            tries: registry.start(),
            incoming: None,
            at: 0,
            skip: 0,
            left: None,
            etag: None,
            came: Haul::default(),
            parts: None,
            is_whole: false,
        };
        Ok(download.ask().await?.then_some(download))
    }

    /// The content, verified on its way.
    pub(super) fn into_stream(self, blob: &Descriptor) -> ByteStream {
        let pieces = stream::try_unfold(self, |mut download| async move {
            Ok(download.next().await?.map(|piece| (piece, download)))
        });
        verified(blob, pieces)
    }

    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            let asked = Instant::now();
            let came = match (&mut self.incoming, &mut self.parts) {
                (Some(incoming), _) => incoming.piece().await,
                (None, None) => return Ok(None),
                (None, Some(parts)) => {
                    if let Some(piece) = parts.next().await {
                        self.at += piece.len() as u64;
                        self.came.add(piece.len(), asked.elapsed());
                        parts.judge(self.came);
                        return Ok(Some(piece));
                    }
                    self.end_parts().await?;
                    continue;
                }
            };
            let problem = match came {
                Ok(Some(mut piece)) => {
                    let length = piece.len() as u64;
                    self.came.add(piece.len(), asked.elapsed());
                    self.left = self.left.map(|left| left.saturating_sub(length));
                    let known = length.min(self.skip);
                    self.skip -= known;
                    piece.advance(usize::try_from(known).unwrap_or_default());
                    if piece.is_empty() {
                        continue;
                    }
                    self.at += piece.len() as u64;
                    self.tries.achieved();
                    self.meet_parts(&mut piece);
                    return Ok(Some(piece));
                }
                // As much as there should be, or as the answer has promised: whether it is right is told elsewhere.
                Ok(None) if self.at >= self.blob.size || self.left == Some(0) => return Ok(None),
                Ok(None) => RemoteBlob::too_early(),
                Err(_) if self.at == self.blob.size => return Ok(None),
                Err(problem) => problem,
            };
            // Its permit goes back before anybody waits.
            (self.incoming, self.parts) = (None, None);
            self.tries.again(self.blob.problem(problem)).await?;
            self.ask_again().await?;
        }
    }

    /// Begins with parts where they may be worth it, and lets them take over where they begin.
    fn meet_parts(&mut self, piece: &mut Bytes) {
        let known = &self.blob.registry.known;
        let Some(parts) = &mut self.parts else {
            let left = self.blob.size.saturating_sub(self.at);
            if !self.is_whole && Parts::may_be_worth_it(self.came, left) && known.gives_parts() {
                let etag = self.etag.as_deref();
                self.parts = Parts::begin(&self.blob, etag, self.tries.patience(), self.at, self.came);
                if self.parts.is_some() {
                    self.came = Haul::default();
                }
            }
            return;
        };
        match parts.look() {
            Trial::Refused => known.learn_no_parts(),
            _ if self.at < parts.start => return,
            Trial::Given => {
                let beyond = usize::try_from(self.at - parts.start).unwrap_or_default();
                piece.truncate(piece.len().saturating_sub(beyond));
                self.at = parts.start;
                // Its permit goes back: the parts have permits of their own.
                self.incoming = None;
                return;
            }
            // It is no slower than a new one.
            Trial::Open => {}
        }
        (self.parts, self.is_whole) = (None, true);
    }

    /// Parts are over: goes on as a whole, where it is not the end.
    async fn end_parts(&mut self) -> Result<(), StoreError> {
        (self.parts, self.is_whole) = (None, true);
        if self.at < self.blob.size {
            self.blob.registry.known.learn_no_parts();
            self.ask_again().await?;
        }
        Ok(())
    }

    /// Asks for what is still to come of what was there before.
    async fn ask_again(&mut self) -> Result<(), StoreError> {
        // Whoever reads this may be another task, which has no patience of its own.
        let patience = Arc::clone(self.tries.patience());
        if patience.scope(self.ask()).await? {
            return Ok(());
        }
        Err(self.blob.problem(RegistryProblem::Network { message: "it is gone since".to_owned() }))
    }

    /// Asks for what is still to come. `false`: it is not there.
    async fn ask(&mut self) -> Result<bool, StoreError> {
        let blob = &self.blob;
        let range = (self.at > 0).then(|| format!("{}-", self.at));
        let mut answer = blob.registry.send(&blob.request(range.as_deref())).await?;
        if range.is_some() && answer.status == StatusCode::RANGE_NOT_SATISFIABLE {
            answer = blob.registry.send(&blob.request(None)).await?;
        }
        self.skip = match answer.status {
            StatusCode::OK => self.at,
            StatusCode::PARTIAL_CONTENT if self.at > 0 => {
                blob.check_range(&answer, self.at)?;
                0
            }
            StatusCode::NOT_FOUND => return Ok(false),
            _ => return Err(answer.refused().into()),
        };
        self.etag = answer.header(ETAG.as_str()).map(str::to_owned);
        self.left = answer.header(CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok());
        self.incoming = answer.incoming;
        Ok(true)
    }
}
