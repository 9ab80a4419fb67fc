//! Small blobs in one request, where the registry takes them so.
//!
//! Whoever does not know that way opens an upload session, as with the same request without content, so finding out costs
//! the content of one small blob and no request. Whatever else happens, the blob goes the other way.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#single-post>

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use reqwest::{
    Method, StatusCode,
    header::{CONTENT_TYPE, RANGE},
};

use super::{RegistryStore, Request, Scope, request::Body, session::Session, upload::SMALL};
use crate::{
    oci::Descriptor,
    store::{Source, StoreError},
};

/// Whether a registry takes blobs in one request.
#[derive(Debug, Default)]
pub(super) struct SinglePost {
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody has tried; so many times it would have cost a round trip to.
    Unknown {
        put_off: u32,
    },
    /// Somebody is trying.
    Open,
    Taken,
    NotTaken,
}

/// Why a blob is sent so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// To find out.
    First,
    /// It is known to work.
    Known,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Posted {
    /// The blob is there.
    Done,
    /// It has to be sent in that session.
    Session(Session),
    /// It has to be sent.
    Not,
}

impl Default for State {
    fn default() -> Self {
        Self::Unknown { put_off: 0 }
    }
}

impl SinglePost {
    /// The largest blob with which it is found out, in bytes: that much is sent in vain at most.
    const MODEST: u64 = 64 * 1024;
    /// How many blobs that are not at hand are read while a session is opened, before one is read first to find out: few
    /// blobs lose a round trip by that, many win a request each.
    const PATIENCE: u32 = 8;

    /// Whether a blob of that size is to be sent so. `is_at_hand`: it need not be read first.
    pub(super) fn attempt(&self, size: u64, is_at_hand: bool) -> Option<Attempt> {
        let mut state = self.state();
        match *state {
            // An empty body is what a session is opened with.
            _ if size == 0 || size > SMALL => None,
            State::Taken => Some(Attempt::Known),
            State::Unknown { put_off } if size <= Self::MODEST => {
                if !is_at_hand && put_off < Self::PATIENCE {
                    *state = State::Unknown { put_off: put_off + 1 };
                    return None;
                }
                *state = State::Open;
                Some(Attempt::First)
            }
            State::Unknown { .. } | State::Open | State::NotTaken => None,
        }
    }

    /// Once it was not taken, it is not tried again.
    fn learn(&self, is_taken: bool) {
        let mut state = self.state();
        if *state != State::NotTaken {
            *state = if is_taken { State::Taken } else { State::NotTaken };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RegistryStore {
    /// Sends the blob in one request.
    pub(super) async fn post(
        &self,
        blob: &Descriptor,
        content: &Bytes,
        attempt: Attempt,
    ) -> Result<Posted, StoreError> {
        let way = &self.registry.known.single_post;
        let mut tries = self.registry.start();
        let mut url = self.registry.url(&self.name, &["blobs", "uploads", ""])?;
        url.query_pairs_mut().append_pair("digest", &blob.digest.to_string());
        let request = Request::new(Method::POST, url, Scope::push(&self.name))
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(Body::Bytes(content.clone()));
        let error = match self.registry.send(&request.single()).await {
            Ok(answer) if answer.status == StatusCode::CREATED => {
                // One that has not read the body may say so, too. It is asked once, and does not have to answer.
                let is_there = attempt == Attempt::Known || self.ask_blob(blob).await.unwrap_or(false);
                way.learn(is_there);
                return Ok(if is_there { Posted::Done } else { Posted::Not });
            }
            Ok(answer) if answer.is_temporary() => answer.refused().into(),
            // It has nothing to do with what was sent.
            Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => return Err(answer.refused().into()),
            Ok(answer) => {
                way.learn(false);
                if answer.status != StatusCode::ACCEPTED {
                    return Ok(Posted::Not);
                }
                // What is in a session already would come before what is sent there: it is given up.
                let is_empty = answer.header(RANGE.as_str()).is_none_or(|range| range.ends_with("0-0"));
                let session = Session::new(&self.registry, &self.name, &answer).ok();
                return Ok(session.filter(|_| is_empty).map_or(Posted::Not, Posted::Session));
            }
            Err(error) => error,
        };
        if attempt == Attempt::First || !error.is_temporary() {
            way.learn(false);
        }
        // Perhaps the blob is there, and only the answer was lost: sending it again does no harm.
        if error.is_temporary() {
            tries.again(error).await?;
        }
        Ok(Posted::Not)
    }

    /// Sends the small content in the session that was opened in place of taking it.
    pub(super) async fn send_after_post(
        &self,
        blob: &Descriptor,
        source: &Source,
        session: Session,
    ) -> Result<(), StoreError> {
        match self.send(blob, source, Some(session)).await {
            // Some may have kept what came with the request that has opened it.
            Err(StoreError::Registry(error))
                if matches!(error.status(), Some(StatusCode::BAD_REQUEST | StatusCode::RANGE_NOT_SATISFIABLE)) =>
            {
                self.send(blob, source, None).await.map(drop)
            }
            done => done.map(drop),
        }
    }
}

#[cfg(test)]
mod tests;
