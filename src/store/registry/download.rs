//! Content on its way in, gone on with where it broke off.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::stream;
use reqwest::{
    Method, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE},
};
use url::Url;

use super::{
    Answer, RegistryError, RegistryProblem, Request, Scope, answer::Incoming, pace::Tries, registry::Registry,
};
use crate::{
    oci::{Descriptor, RepositoryName},
    store::{ByteStream, StoreError, verified},
};

/// A blob that is being read.
#[derive(Debug)]
pub(super) struct Download {
    registry: Arc<Registry>,
    name: RepositoryName,
    url: Url,
    size: u64,
    tries: Tries,
    incoming: Option<Incoming>,
    /// How many bytes were handed on.
    at: u64,
    /// How many bytes of this answer were handed on already.
    skip: u64,
    /// How many bytes this answer has still to bring, where it says that.
    left: Option<u64>,
}

impl Download {
    /// Asks for the blob. `None`: it is not there.
    pub(super) async fn open(
        registry: &Arc<Registry>,
        name: &RepositoryName,
        blob: &Descriptor,
    ) -> Result<Option<ByteStream>, StoreError> {
        let url = registry.url(name, &["blobs", &blob.digest.to_string()])?;
        let mut download = Self {
            registry: Arc::clone(registry),
            name: name.clone(),
            url,
            size: blob.size,
            tries: registry.start(),
            incoming: None,
            at: 0,
            skip: 0,
            left: None,
        };
        if !download.ask().await? {
            return Ok(None);
        }
        let pieces = stream::try_unfold(download, |mut download| async move {
            Ok(download.next().await?.map(|piece| (piece, download)))
        });
        Ok(Some(verified(blob, pieces)))
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            let came = match &mut self.incoming {
                Some(incoming) => incoming.piece().await,
                None => return Ok(None),
            };
            let problem = match came {
                Ok(Some(mut piece)) => {
                    let length = piece.len() as u64;
                    self.left = self.left.map(|left| left.saturating_sub(length));
                    let known = length.min(self.skip);
                    self.skip -= known;
                    piece.advance(usize::try_from(known).unwrap_or_default());
                    if piece.is_empty() {
                        continue;
                    }
                    self.at += piece.len() as u64;
                    self.tries.achieved();
                    return Ok(Some(piece));
                }
                // As much as there should be, or as the answer has promised: whether it is right is told elsewhere.
                Ok(None) if self.at >= self.size || self.left == Some(0) => return Ok(None),
                Ok(None) => RegistryProblem::Network { message: "the connection ended too early".to_owned() },
                Err(_) if self.at == self.size => return Ok(None),
                Err(problem) => problem,
            };
            // Its permit goes back before anybody waits.
            self.incoming = None;
            self.tries.again(RegistryError::new(&Method::GET, &self.url, problem).into()).await?;
            // Whoever reads this may be another task, which has no patience of its own.
            let patience = Arc::clone(self.tries.patience());
            if !patience.scope(self.ask()).await? {
                let problem = RegistryProblem::Network { message: "it is gone since".to_owned() };
                return Err(RegistryError::new(&Method::GET, &self.url, problem).into());
            }
        }
    }

    /// Asks for what is still to come. `false`: it is not there.
    async fn ask(&mut self) -> Result<bool, StoreError> {
        let mut request = Request::new(Method::GET, self.url.clone(), Scope::pull(&self.name)).streamed();
        if self.at > 0 {
            request = request.header(RANGE, &format!("bytes={}-", self.at));
        }
        let answer = self.registry.send(&request).await?;
        self.skip = match answer.status {
            StatusCode::OK => self.at,
            StatusCode::PARTIAL_CONTENT if self.at > 0 => {
                check_range(&answer, self.at, self.size)?;
                0
            }
            StatusCode::NOT_FOUND => return Ok(false),
            _ => return Err(answer.refused().into()),
        };
        self.left = answer.header(CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok());
        self.incoming = answer.incoming;
        Ok(true)
    }
}

/// Whether the answer brings what is missing: `Content-Range: bytes at-…/size`.
fn check_range(answer: &Answer, at: u64, size: u64) -> Result<(), RegistryError> {
    let range = answer.header(CONTENT_RANGE.as_str());
    let start_and_total = |range: &str| {
        let (range, total) = range.strip_prefix("bytes")?.trim().split_once('/')?;
        Some((range.split_once('-')?.0.trim().parse::<u64>().ok()?, total.trim().to_owned()))
    };
    match range.and_then(start_and_total) {
        Some((start, total)) if start == at && (total == "*" || total == size.to_string()) => Ok(()),
        _ => Err(answer.problem(RegistryProblem::Header {
            header: "Content-Range",
            value: range.map_or_else(
                || "missing".to_owned(),
                |range| format!("`{}`", range.chars().take(80).collect::<String>()),
            ),
            expected: format!("`bytes {at}-…/{size}`"),
        })),
    }
}
