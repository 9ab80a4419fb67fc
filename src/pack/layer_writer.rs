use std::{
    io::{self, Write},
    mem, thread,
};

use super::{Compression, gzip, gzip::Gzip, hashed::Hashed};
use crate::oci::{Algorithm, Descriptor, Digest, Hasher};

/// Takes a tar, hashes it, compresses it, and hashes that, all in one pass. What comes out does not depend on how the
/// tar is cut into writes.
pub(super) struct LayerWriter<W: Write> {
    block: Vec<u8>,
    hasher: Hasher,
    encoder: Encoder<Hashed<W>>,
}

enum Encoder<W: Write> {
    /// Only the digest of the tar is wanted.
    Nothing,
    Plain(W),
    Gzip(Gzip<W>),
    Zstd(zstd::Encoder<'static, W>),
}

/// What a finished layer is.
pub(super) struct Written<W> {
    /// Of the tar.
    pub(super) diff_id: Digest,
    /// What the compressed bytes are, and where they went.
    pub(super) layer: Option<(Descriptor, W)>,
}

impl LayerWriter<io::Sink> {
    /// Computes the digest of the tar and drops the bytes.
    pub(super) fn digest_only() -> Self {
        Self::with_encoder(Encoder::Nothing)
    }
}

impl<W: Write> LayerWriter<W> {
    /// Compresses into `out`, with as many threads as there are cores.
    pub(super) fn new(compression: Compression, out: W) -> io::Result<Self> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self::with_threads(compression, out, threads)
    }

    fn with_threads(compression: Compression, out: W, threads: usize) -> io::Result<Self> {
        let out = Hashed::new(out);
        Ok(Self::with_encoder(match compression {
            Compression::None => Encoder::Plain(out),
            Compression::Gzip => Encoder::Gzip(Gzip::new(out, threads)),
            Compression::Zstd => Encoder::Zstd(zstd::Encoder::new(out, 3)?),
        }))
    }

    fn with_encoder(encoder: Encoder<Hashed<W>>) -> Self {
        Self { block: Vec::new(), hasher: Hasher::new(Algorithm::Sha256), encoder }
    }

    /// Ends the layer.
    pub(super) fn finish(mut self) -> io::Result<Written<W>> {
        self.pass_on()?;
        let (compression, mut out) = match self.encoder {
            Encoder::Nothing => return Ok(Written { diff_id: self.hasher.finish(), layer: None }),
            Encoder::Plain(out) => (Compression::None, out),
            Encoder::Gzip(gzip) => (Compression::Gzip, gzip.finish()?),
            Encoder::Zstd(zstd) => (Compression::Zstd, zstd.finish()?),
        };
        out.flush()?;
        let (digest, size, out) = out.finish();
        let descriptor = Descriptor::new(compression.media_type(), digest, size);
        Ok(Written { diff_id: self.hasher.finish(), layer: Some((descriptor, out)) })
    }

    /// Hands the block to the encoder and begins the next one.
    fn pass_on(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        self.hasher.update(&self.block);
        match &mut self.encoder {
            Encoder::Nothing => {}
            Encoder::Plain(out) => out.write_all(&self.block)?,
            Encoder::Gzip(gzip) => self.block = gzip.push(mem::take(&mut self.block))?,
            Encoder::Zstd(zstd) => zstd.write_all(&self.block)?,
        }
        self.block.clear();
        Ok(())
    }
}

impl<W: Write> Write for LayerWriter<W> {
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
        let mut writer = LayerWriter::with_threads(compression, io::sink(), threads).unwrap();
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
