use std::{ops::Range, sync::Arc};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Method, StatusCode,
    header::{CONTENT_RANGE, ETAG, RANGE},
};
use tokio::sync::oneshot;
use url::Url;

use super::{Answer, RegistryError, RegistryProblem, Request, Scope, registry::Registry};
use crate::{
    oci::RepositoryName,
    store::{StoreError, patience::Patience},
};

/// A blob where it lies, of which a part can be asked for.
#[derive(Debug)]
pub(super) struct RemoteBlob {
    pub(super) registry: Arc<Registry>,
    pub(super) name: RepositoryName,
    pub(super) url: Url,
    pub(super) size: u64,
}

/// One part of a blob, as somebody wants it who has begun to read the whole.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) blob: Arc<RemoteBlob>,
    pub(super) range: Range<u64>,
    /// What the registry calls this content.
    pub(super) etag: Option<String>,
    pub(super) patience: Arc<Patience>,
}

impl RemoteBlob {
    /// A request for that part, or for all.
    pub(super) fn request(&self, range: Option<&str>) -> Request<'static> {
        let request = Request::new(Method::GET, self.url.clone(), Scope::pull(&self.name)).streamed();
        match range {
            Some(range) => request.header(RANGE, &format!("bytes={range}")),
            None => request,
        }
    }

    /// Something that happened while it was read.
    pub(super) fn problem(&self, problem: RegistryProblem) -> StoreError {
        RegistryError::new(&Method::GET, &self.url, problem).into()
    }

    /// That its content ended where there should be more.
    pub(super) fn too_early() -> RegistryProblem {
        RegistryProblem::Network { message: "the connection ended too early".to_owned() }
    }

    /// Whether the answer brings what is missing: `Content-Range: bytes at-…/size`.
    pub(super) fn check_range(&self, answer: &Answer, at: u64) -> Result<(), RegistryError> {
        let size = self.size;
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
}

impl Part {
    /// Fetches it, and goes on where it broke off. Nothing: it is not given, or something else is. Who sets `given` is
    /// told as soon as the first answer is right, and does not want to wait for another one where it is not.
    pub(super) async fn fetch(self, given: Option<oneshot::Sender<()>>) -> Option<Bytes> {
        let patience = Arc::clone(&self.patience);
        patience.scope(self.fetched(given)).await
    }

    async fn fetched(self, mut given: Option<oneshot::Sender<()>>) -> Option<Bytes> {
        let mut tries = self.blob.registry.start();
        let length = usize::try_from(self.range.end.checked_sub(self.range.start)?).ok()?;
        let mut content = BytesMut::with_capacity(length);
        loop {
            let at = self.range.start + content.len() as u64;
            let request = self.blob.request(Some(&format!("{at}-{}", self.range.end - 1)));
            let request = if given.is_some() { request.single() } else { request };
            let answer = self.blob.registry.send(&request).await.ok()?;
            if !self.is_brought_by(&answer, at) {
                return None;
            }
            if let Some(given) = given.take() {
                // Nobody is there any more who wants to know: then this is about to be dropped.
                let _ = given.send(());
            }
            let mut incoming = answer.incoming?;
            let problem = loop {
                match incoming.piece().await {
                    Ok(Some(piece)) if piece.len() > length - content.len() => return None,
                    Ok(Some(piece)) => {
                        // Copied: many small pieces would take up more than they say.
                        content.extend_from_slice(&piece);
                        tries.achieved();
                    }
                    Ok(None) => break RemoteBlob::too_early(),
                    Err(problem) => break problem,
                }
                if content.len() == length {
                    return Some(content.freeze());
                }
            };
            // Its permit goes back before anybody waits.
            drop(incoming);
            tries.again(self.blob.problem(problem)).await.ok()?;
        }
    }

    /// Whether the answer is this part from `at` on, of the same content.
    fn is_brought_by(&self, answer: &Answer, at: u64) -> bool {
        let is_same = match (&self.etag, answer.header(ETAG.as_str())) {
            (Some(etag), Some(there)) => etag == there,
            _ => true,
        };
        is_same && answer.status == StatusCode::PARTIAL_CONTENT && self.blob.check_range(answer, at).is_ok()
    }
}
