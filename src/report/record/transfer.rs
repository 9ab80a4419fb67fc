use std::time::Duration;

use crate::{event::Transfer, oci::Digest};

/// Content that moved.
#[derive(Debug, Clone)]
pub(in crate::report) struct TransferRecord {
    /// A title or a media type.
    pub name: String,
    /// Of the content.
    pub digest: Digest,
    /// How large it is.
    pub bytes: u64,
    /// How much of it moved.
    pub moved: u64,
    /// After the first event.
    pub started: Duration,
    /// After the first event. Nothing: the run was killed before.
    pub finished: Option<Duration>,
}

impl TransferRecord {
    /// One that has begun.
    pub(in crate::report) fn new(transfer: &Transfer, at: Duration) -> Self {
        Self {
            name: transfer.name().to_owned(),
            digest: transfer.digest().clone(),
            bytes: transfer.total(),
            moved: 0,
            started: at,
            finished: None,
        }
    }
}
