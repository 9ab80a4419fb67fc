use std::io::{self, Write};

use crate::oci::{Algorithm, Digest, Hasher};

/// Passes bytes on, and hashes and counts them on the way.
pub(super) struct Hashed<W> {
    out: W,
    hasher: Hasher,
    size: u64,
}

impl<W: Write> Hashed<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, hasher: Hasher::new(Algorithm::Sha256), size: 0 }
    }

    /// The digest, the size in bytes, and where they went.
    pub(super) fn finish(self) -> (Digest, u64, W) {
        (self.hasher.finish(), self.size, self.out)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
