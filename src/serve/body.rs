//! The bodies of answers, and of requests.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Body as _, Frame, Incoming};
use tokio::time::timeout;

use super::failure::Failure;
use crate::store::{ByteStream, StoreError};

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, StoreError>;

/// How long a client may send nothing.
const PATIENCE: Duration = Duration::from_mins(2);

pub(super) fn empty() -> Body {
    whole(Bytes::new())
}

pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    UnsyncBoxBody::new(Full::new(bytes.into()).map_err(|never| match never {}))
}

pub(super) fn stream(stream: ByteStream) -> Body {
    UnsyncBoxBody::new(StreamBody::new(stream.map_ok(Frame::data)))
}

/// The next bytes; nothing at the end.
pub(super) async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Failure> {
    loop {
        match timeout(PATIENCE, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                // What is no data stands behind it, and means nothing here.
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) | Err(_) => return Err(Failure::BrokenOff),
        }
    }
}

/// The whole body, of at most `limit` bytes.
pub(super) async fn read(body: &mut Incoming, limit: u64) -> Result<Bytes, Failure> {
    if body.size_hint().lower() > limit {
        return Err(Failure::TooLarge { limit });
    }
    let mut bytes = BytesMut::new();
    while let Some(piece) = next(body).await? {
        if (bytes.len() + piece.len()) as u64 > limit {
            return Err(Failure::TooLarge { limit });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// Takes what a client still sends, so that it reads the answer rather than finds the connection cut. Not for long.
pub(super) async fn drain(body: &mut Incoming) {
    const LIMIT: usize = 16 * 1024 * 1024;
    let some = async {
        let mut taken = 0;
        while taken < LIMIT
            && let Ok(Some(bytes)) = next(body).await
        {
            taken += bytes.len();
        }
    };
    let _ = timeout(Duration::from_secs(5), some).await;
}
