use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use crate::oci::Digest;

/// One piece of content on its way, with a counter that anyone may read while it moves.
#[derive(Debug)]
pub struct Transfer {
    name: String,
    digest: OnceLock<Digest>,
    total: u64,
    done: AtomicU64,
}

impl Transfer {
    /// A transfer of `total` bytes that has not moved yet. `name` is what people are shown: a title or a media type.
    pub fn new(name: String, digest: Digest, total: u64) -> Self {
        Self { digest: digest.into(), ..Self::unhashed(name, total) }
    }

    /// The same of content whose digest is not known before it has moved.
    pub const fn unhashed(name: String, total: u64) -> Self {
        Self { name, digest: OnceLock::new(), total, done: AtomicU64::new(0) }
    }

    /// What people are shown.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The content, as soon as that is known.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.get()
    }

    /// Says what the content is, where that was not known.
    pub fn is_known(&self, digest: &Digest) {
        self.digest.get_or_init(|| digest.clone());
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
