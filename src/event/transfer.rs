use std::sync::atomic::{AtomicU64, Ordering};

use crate::oci::Digest;

/// One piece of content on its way, with a counter that anyone may read while it moves.
#[derive(Debug)]
pub struct Transfer {
    name: String,
    digest: Digest,
    total: u64,
    done: AtomicU64,
}

impl Transfer {
    /// A transfer of `total` bytes that has not moved yet. `name` is what people are shown: a title or a media type.
    pub const fn new(name: String, digest: Digest, total: u64) -> Self {
        Self { name, digest, total, done: AtomicU64::new(0) }
    }

    /// What people are shown.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The content.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// In bytes.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// In bytes, so far.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Counts `bytes` more.
    pub fn advance(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }
}
