use std::{ops::Range, sync::Arc};

use reqwest::{
    Method, StatusCode,
    header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE},
};
use url::Url;

use super::{
    Answer, RegistryProblem, Request, Scope, origin::LeadError, outgoing::Outgoing, registry::Registry, request::Body,
};
use crate::{oci::RepositoryName, store::StoreError};

const MIB: u64 = 1024 * 1024;

/// An upload session: where content goes, and how much of it is there. One that is dropped before its end is cancelled,
/// whenever there is time.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks>
#[derive(Debug)]
pub(super) struct Session {
    registry: Arc<Registry>,
    name: RepositoryName,
    place: Url,
    /// How many bytes the registry has.
    pub(super) at: u64,
    /// What the registry takes at least in a chunk that is not the last.
    least: u64,
    is_open: bool,
}

/// How content goes into a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// With the request that ends it.
    Whole,
    /// In one request, and the end in another. This is how Docker pushes, so that every registry takes it.
    Stream,
    /// In parts of at most so many bytes, and then the end.
    Chunks(u64),
}

/// Why content did not go into its session.
#[derive(Debug)]
pub(super) struct Setback {
    pub(super) error: StoreError,
    pub(super) kind: SetbackKind,
    /// Whether the request was the last: then the blob may be there all the same.
    pub(super) is_end: bool,
}

/// What can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetbackKind {
    /// It may pass.
    Passing,
    /// The session is gone.
    Gone,
    /// That much is not taken at once.
    TooLarge,
    /// The registry is elsewhere, or takes no such part.
    Range,
    /// The registry does not understand this way.
    Way,
    /// Nothing.
    Final,
}

impl Way {
    /// From this size on, content and end go apart: one request more, but what breaks off may be gone on with.
    pub(super) const STREAMED: u64 = 64 * MIB;
    /// The sizes of parts, the larger tried before. GHCR takes 4 MiB, nginx 1 MiB where nobody has said more.
    const SIZES: [u64; 5] = [64 * MIB, 16 * MIB, Self::MODEST, MIB, MIB / 4];
    /// What every registry takes that takes parts at all.
    const MODEST: u64 = 4 * MIB;

    /// In parts, and in smaller ones where a part broke off: less is lost the next time.
    pub(super) fn narrower(self) -> Self {
        match self {
            Self::Whole | Self::Stream => Self::Chunks(64 * MIB),
            Self::Chunks(chunk) => Self::Chunks((chunk / 2).max(Self::MODEST.min(chunk))),
        }
    }

    /// In parts that are smaller than what was sent at once of `size` bytes.
    pub(super) fn below(self, size: u64) -> Option<Self> {
        let most = match self {
            Self::Whole | Self::Stream => size,
            Self::Chunks(chunk) => chunk,
        };
        Self::SIZES.into_iter().find(|chunk| *chunk < most).map(Self::Chunks)
    }

    /// In parts that are taken where larger ones are refused.
    pub(super) const fn modest(self) -> Option<Self> {
        match self {
            Self::Chunks(chunk) if chunk <= Self::MODEST => None,
            _ => Some(Self::Chunks(Self::MODEST)),
        }
    }
}

impl Session {
    /// The session that the answer opens.
    pub(super) fn new(registry: &Arc<Registry>, name: &RepositoryName, answer: &Answer) -> Result<Self, StoreError> {
        let place = answer.header(LOCATION.as_str()).ok_or_else(|| answer.problem(LeadError::Missing))?;
        let place = registry.follow(answer, place)?;
        let least = answer.header("oci-chunk-min-length").and_then(|least| least.parse().ok()).unwrap_or_default();
        Ok(Self { registry: Arc::clone(registry), name: name.clone(), place, at: 0, least, is_open: true })
    }

    /// Sends what the registry does not have yet, and ends the session.
    pub(super) async fn send(&mut self, content: &Outgoing<'_>, way: Way) -> Result<(), Setback> {
        if way == Way::Whole {
            return self.end(content, Some(0..content.blob.size)).await;
        }
        self.fill(content, way).await?;
        self.close(content).await
    }

    /// Sends what the registry does not have yet, and leaves the session open: whole content needs no digest until its end.
    pub(super) async fn fill(&mut self, content: &Outgoing<'_>, way: Way) -> Result<(), Setback> {
        let Some(size) = content.size else {
            // Not in parts: nobody can say where the last one ends.
            return self.patch(content, self.at..content.blob.size, false).await;
        };
        let Way::Chunks(chunk) = way else { return self.patch(content, 0..size, false).await };
        while self.at < size {
            let part = self.at..size.min(self.at.saturating_add(chunk.max(self.least).max(1)));
            self.patch(content, part, true).await?;
        }
        Ok(())
    }

    /// Ends the session: what was sent is the blob of that digest.
    pub(super) async fn close(&mut self, content: &Outgoing<'_>) -> Result<(), Setback> {
        self.end(content, None).await
    }

    async fn patch(&mut self, content: &Outgoing<'_>, part: Range<u64>, is_chunk: bool) -> Result<(), Setback> {
        let mut request = self.request(Method::PATCH, self.place.clone());
        if is_chunk {
            let range = format!("{}-{}", part.start, part.end.saturating_sub(1));
            request = request.header(CONTENT_RANGE, &range);
        }
        let part_end = part.end;
        let request = request.header(CONTENT_TYPE, "application/octet-stream").body(Body::Content { content, part });
        let setback = |error, kind| Setback { error, kind, is_end: false };
        let answer = match self.registry.send(&request.single()).await {
            Ok(answer) => answer,
            Err(error) => return Err(setback(error, SetbackKind::Passing)),
        };
        if !answer.status.is_success() {
            let kind = match answer.status {
                StatusCode::NOT_FOUND if is_chunk => SetbackKind::Gone,
                StatusCode::PAYLOAD_TOO_LARGE => SetbackKind::TooLarge,
                StatusCode::RANGE_NOT_SATISFIABLE => SetbackKind::Range,
                StatusCode::BAD_REQUEST
                | StatusCode::NOT_FOUND
                | StatusCode::METHOD_NOT_ALLOWED
                | StatusCode::LENGTH_REQUIRED
                | StatusCode::NOT_IMPLEMENTED => SetbackKind::Way,
                _ => passing(&answer),
            };
            return Err(setback(answer.refused().into(), kind));
        }
        let end = if content.size.is_some() { part_end } else { content.end() };
        // Where nothing is said, the digest will tell at the end. Some have taken the first part and drop the rest.
        if range_end(&answer).is_some_and(|there| there != end) {
            let problem = RegistryProblem::Header {
                header: "Range",
                value: format!("`{}`", answer.header(RANGE.as_str()).unwrap_or_default()),
                expected: format!("`0-{}`", end.saturating_sub(1)),
            };
            return Err(setback(answer.problem(problem).into(), SetbackKind::Way));
        }
        self.goes_on(&answer).map_err(|error| setback(error, SetbackKind::Final))?;
        self.at = end;
        Ok(())
    }

    /// Ends the session, where a part is given with the request that brings it.
    async fn end(&mut self, content: &Outgoing<'_>, part: Option<Range<u64>>) -> Result<(), Setback> {
        let mut place = self.place.clone();
        place.query_pairs_mut().append_pair("digest", &content.blob.digest.to_string());
        let is_whole = part.is_some();
        let body = part.map_or(Body::Empty, |part| Body::Content { content, part });
        let request = self.request(Method::PUT, place).header(CONTENT_TYPE, "application/octet-stream").body(body);
        let setback = |error, kind| Setback { error, kind, is_end: true };
        let answer = match self.registry.send(&request.single()).await {
            Ok(answer) => answer,
            Err(error) => return Err(setback(error, SetbackKind::Passing)),
        };
        let kind = match answer.status {
            StatusCode::CREATED | StatusCode::NO_CONTENT => {
                self.is_over();
                return Ok(());
            }
            StatusCode::NOT_FOUND => SetbackKind::Gone,
            StatusCode::PAYLOAD_TOO_LARGE if is_whole => SetbackKind::TooLarge,
            StatusCode::RANGE_NOT_SATISFIABLE => SetbackKind::Range,
            StatusCode::BAD_REQUEST if !is_whole => SetbackKind::Way,
            _ => passing(&answer),
        };
        Err(setback(answer.refused().into(), kind))
    }

    /// Asks how much the registry has of `size` bytes. `false`: the session is of no use any more.
    pub(super) async fn ask(&mut self, size: u64) -> Result<bool, StoreError> {
        let answer = self.registry.send(&self.request(Method::GET, self.place.clone())).await?;
        if answer.status == StatusCode::NOT_FOUND {
            self.is_over();
        }
        let Some(at) = range_end(&answer).filter(|at| answer.status.is_success() && *at <= size) else {
            return Ok(false);
        };
        self.goes_on(&answer)?;
        // `0-0` is what is said of one byte, and of none.
        self.at = if at == 1 { 0 } else { at };
        Ok(true)
    }

    /// There is nothing to cancel any more.
    pub(super) const fn is_over(&mut self) {
        self.is_open = false;
    }

    fn goes_on(&mut self, answer: &Answer) -> Result<(), StoreError> {
        if let Some(place) = answer.header(LOCATION.as_str()) {
            self.place = self.registry.follow(answer, place)?;
        }
        Ok(())
    }

    fn request<'a>(&self, method: Method, place: Url) -> Request<'a> {
        Request::new(method, place, Scope::push(&self.name))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.is_open {
            self.registry.abandon(self.request(Method::DELETE, self.place.clone()));
        }
    }
}

fn passing(answer: &Answer) -> SetbackKind {
    if answer.is_temporary() { SetbackKind::Passing } else { SetbackKind::Final }
}

/// How many bytes are there, by `Range: 0-N`; some write `bytes=` before it.
fn range_end(answer: &Answer) -> Option<u64> {
    let range = answer.header(RANGE.as_str())?;
    let last = range.trim_start_matches("bytes=").strip_prefix("0-")?;
    last.parse::<u64>().ok()?.checked_add(1)
}
