use std::{
    io::{self, Write},
    mem, thread,
};

use super::{Compression, LayerContent, gzip, gzip::Gzip, spool::Spool};
use crate::oci::{Algorithm, Descriptor, Digest, Hasher};

/// Takes a tar, hashes it, compresses it, and hashes that, all in one pass. What comes out does not depend on how the
/// tar is cut into writes.
pub(super) struct LayerWriter {
    block: Vec<u8>,
    hasher: Hasher,
    encoder: Encoder,
}

enum Encoder {
    /// Only the digest of the tar is wanted.
    Nothing,
    Plain(Spool),
    Gzip(Gzip<Spool>),
    Zstd(zstd::Encoder<'static, Spool>),
}

/// What a finished layer is.
pub(super) struct Written {
    /// Of the tar.
    pub(super) diff_id: Digest,
    /// The compressed bytes.
    pub(super) layer: Option<(Descriptor, LayerContent)>,
}

impl LayerWriter {
    /// Compresses into `spool`, with as many threads as there are cores.
    pub(super) fn new(compression: Compression, spool: Spool) -> io::Result<Self> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self::with_threads(compression, spool, threads)
    }

    fn with_threads(compression: Compression, spool: Spool, threads: usize) -> io::Result<Self> {
        Ok(Self::with_encoder(match compression {
            Compression::None => Encoder::Plain(spool),
            Compression::Gzip => Encoder::Gzip(Gzip::new(spool, threads)?),
            Compression::Zstd => Encoder::Zstd(zstd::Encoder::new(spool, 3)?),
        }))
    }

    /// Computes the digest of the tar and drops the bytes.
    pub(super) fn digest_only() -> Self {
        Self::with_encoder(Encoder::Nothing)
    }

    fn with_encoder(encoder: Encoder) -> Self {
        Self { block: Vec::new(), hasher: Hasher::new(Algorithm::Sha256), encoder }
    }

    /// Ends the layer.
    pub(super) fn finish(mut self) -> io::Result<Written> {
        self.pass_on()?;
        let (compression, spool) = match self.encoder {
            Encoder::Nothing => return Ok(Written { diff_id: self.hasher.finish(), layer: None }),
            Encoder::Plain(spool) => (Compression::None, spool),
            Encoder::Gzip(gzip) => (Compression::Gzip, gzip.finish()?),
            Encoder::Zstd(zstd) => (Compression::Zstd, zstd.finish()?),
        };
        let (digest, size, content) = spool.finish();
        let descriptor = Descriptor::new(compression.media_type(), digest, size);
        Ok(Written { diff_id: self.hasher.finish(), layer: Some((descriptor, content)) })
    }

    /// Hands the block to the encoder and begins the next one.
    fn pass_on(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        self.hasher.update(&self.block);
        match &mut self.encoder {
            Encoder::Nothing => {}
            Encoder::Plain(spool) => spool.write_all(&self.block)?,
            Encoder::Gzip(gzip) => gzip.push(mem::replace(&mut self.block, Vec::with_capacity(gzip::BLOCK)))?,
            Encoder::Zstd(zstd) => zstd.write_all(&self.block)?,
        }
        self.block.clear();
        Ok(())
    }
}

impl Write for LayerWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.block.len() == gzip::BLOCK {
            self.pass_on()?;
        }
        let taken = bytes.len().min(gzip::BLOCK - self.block.len());
        self.block.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    /// Does nothing: where blocks end is not for the caller to say.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(compression: Compression, threads: usize, bytes: &[u8], cuts: &[usize]) -> (Digest, Descriptor) {
        let mut writer = LayerWriter::with_threads(compression, Spool::new(None), threads).unwrap();
        let mut rest = bytes;
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at(rest.len().min(*cut));
            writer.write_all(now).unwrap();
            rest = later;
        }
        let written = writer.finish().unwrap();
        (written.diff_id, written.layer.unwrap().0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]
        #[test]
        fn neither_threads_nor_writes_matter(cuts in prop::collection::vec(1_usize..700_000, 1..8), seed: u8) {
            let bytes: Vec<u8> =
                (0..1_200_000_u32).flat_map(|i| [(i >> 9).to_le_bytes()[0] ^ seed, i.to_le_bytes()[0], 7, seed]).collect();
            for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
                let whole = write(compression, 1, &bytes, &[usize::MAX]);
                prop_assert_eq!(&whole.0, &Digest::sha256(&bytes));
                for threads in [1, 2, 5] {
                    prop_assert_eq!(&write(compression, threads, &bytes, &cuts), &whole);
                }
            }
        }
    }
}
