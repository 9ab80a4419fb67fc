//! gzip on all cores: the content in blocks of 1 MiB, each of them a member of its own.
//!
//! A gzip file is a row of members, and what comes out of it is what they hold, one after the other: every reader of layers
//! takes several. libdeflate sees a whole block and has room for whatever comes out, so that the bytes follow from the input
//! alone. It makes what zlib makes of it, to a percent or two, in half the time; what looking back into the block before would
//! save is less than that.
//!
//! <https://www.rfc-editor.org/rfc/rfc1952#section-2.2>

use std::{
    collections::VecDeque,
    io::{self, Write},
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use libdeflater::{CompressionLvl, Compressor};

/// Raised with everything that makes other bytes of the same content, between releases too.
pub(super) const FORM: u32 = 1;
/// How much is compressed at a time, in bytes.
pub(super) const BLOCK: usize = 1024 * 1024;
/// More than this many threads would hold more blocks than memory should.
const THREADS: usize = 16;
/// The cheapest of libdeflate's levels whose output is about as large as what Go and gzip(1) make by default: within a
/// percent on programs and documentation, five on source code, for half of zlib's time. The next one down saves a tenth of
/// the time at most, and costs three percent more on source code.
const LEVEL: i32 = 4;

/// Compresses blocks and writes them to `W` in their order.
pub(super) struct Gzip<W> {
    out: W,
    threads: usize,
    jobs: Option<SyncSender<Job>>,
    pending: VecDeque<Receiver<Outcome>>,
    /// The first block: only when another one comes are threads worth it.
    first: Option<Vec<u8>>,
    /// Whether there was a block.
    is_begun: bool,
    /// A block that was compressed, for the next one.
    spare: Vec<u8>,
}

struct Job {
    block: Vec<u8>,
    done: SyncSender<Outcome>,
}

/// The member, and the block that is in it.
type Outcome = io::Result<(Vec<u8>, Vec<u8>)>;

impl<W: Write> Gzip<W> {
    /// A compressor that uses up to `threads` threads, once there is more than one block.
    pub(super) fn new(out: W, threads: usize) -> Self {
        Self {
            out,
            threads: threads.clamp(1, THREADS),
            jobs: None,
            pending: VecDeque::new(),
            first: None,
            is_begun: false,
            spare: Vec::new(),
        }
    }

    /// Takes the next block: [`BLOCK`] bytes, but for the last one. An empty one comes back, for the block after it.
    pub(super) fn push(&mut self, block: Vec<u8>) -> io::Result<Vec<u8>> {
        if !mem::replace(&mut self.is_begun, true) {
            self.first = Some(block);
            return Ok(Vec::with_capacity(BLOCK));
        }
        if let Some(first) = self.first.take() {
            self.start(first)?;
        }
        self.start(block)?;
        // One that waits for each thread keeps all of them busy, and the memory bounded.
        while self.pending.len() > 2 * self.threads {
            self.write_next()?;
        }
        let mut spare = mem::take(&mut self.spare);
        spare.clear();
        spare.reserve(BLOCK);
        Ok(spare)
    }

    /// Ends the stream.
    pub(super) fn finish(mut self) -> io::Result<W> {
        if !self.is_begun || self.first.is_some() {
            let block = self.first.take().unwrap_or_default();
            self.out.write_all(&compress(&mut compressor()?, &block)?)?;
        }
        while !self.pending.is_empty() {
            self.write_next()?;
        }
        Ok(self.out)
    }

    fn start(&mut self, block: Vec<u8>) -> io::Result<()> {
        let (done, outcome) = sync_channel(1);
        let jobs = match &self.jobs {
            Some(jobs) => jobs,
            None => self.jobs.insert(start_workers(self.threads)?),
        };
        jobs.send(Job { block, done }).map_err(|_| stopped())?;
        self.pending.push_back(outcome);
        Ok(())
    }

    fn write_next(&mut self) -> io::Result<()> {
        if let Some(outcome) = self.pending.pop_front() {
            let (member, block) = outcome.recv().map_err(|_| stopped())??;
            self.out.write_all(&member)?;
            self.spare = block;
        }
        Ok(())
    }
}

fn stopped() -> io::Error {
    io::Error::other("a compressing thread stopped")
}

/// Threads that end when the sender is dropped.
fn start_workers(threads: usize) -> io::Result<SyncSender<Job>> {
    let (sender, receiver) = sync_channel::<Job>(2 * threads + 1);
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..threads {
        let receiver = Arc::clone(&receiver);
        let mut compressor = compressor()?;
        thread::Builder::new().name("gzip".to_owned()).spawn(move || {
            loop {
                let job = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(job) = job else { break };
                let member = compress(&mut compressor, &job.block);
                // Nobody waits where the layer was given up.
                let _ = job.done.send(member.map(|member| (member, job.block)));
            }
        })?;
    }
    Ok(sender)
}

fn compressor() -> io::Result<Compressor> {
    let level = CompressionLvl::new(LEVEL).map_err(|_| io::Error::other("libdeflate has no such level"))?;
    Ok(Compressor::new(level))
}

/// One block as a member.
fn compress(compressor: &mut Compressor, block: &[u8]) -> io::Result<Vec<u8>> {
    let mut member = vec![0; compressor.gzip_compress_bound(block.len())];
    let length = compressor.gzip_compress(block, &mut member).map_err(io::Error::other)?;
    member.truncate(length);
    Ok(member)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::bufread::{GzDecoder, MultiGzDecoder};

    use super::*;
    use crate::oci::Digest;

    /// Text and noise, more than a block of each kind.
    fn sample(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if (bytes.len() / 300_000).is_multiple_of(2) {
                bytes.extend_from_slice(format!("line {} of a text, more or less\n", state >> 50).as_bytes());
            } else {
                bytes.extend_from_slice(&state.to_be_bytes());
            }
        }
        bytes.truncate(length);
        bytes
    }

    fn gzip(bytes: &[u8], threads: usize) -> Vec<u8> {
        let mut gzip = Gzip::new(Vec::new(), threads);
        for block in bytes.chunks(BLOCK) {
            assert_eq!(gzip.push(block.to_vec()).unwrap(), Vec::<u8>::new());
        }
        gzip.finish().unwrap()
    }

    #[test]
    fn the_members_hold_everything_a_block_each() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 77] {
            let bytes = sample(length);
            let compressed = gzip(&bytes, 2);
            let mut whole = Vec::new();
            MultiGzDecoder::new(compressed.as_slice()).read_to_end(&mut whole).unwrap();
            assert!(whole == bytes, "{length}");

            let mut rest = compressed.as_slice();
            let mut blocks = Vec::new();
            while !rest.is_empty() {
                // No name, no time, no system.
                assert_eq!(rest[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff], "{length}");
                let mut block = Vec::new();
                GzDecoder::new(&mut rest).read_to_end(&mut block).unwrap();
                blocks.push(block);
            }
            assert_eq!(blocks.len(), bytes.len().div_ceil(BLOCK).max(1), "{length}");
            assert!(blocks.iter().map(Vec::as_slice).eq(bytes.chunks(BLOCK)) || length == 0, "{length}");
        }
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let bytes = sample(9 * BLOCK + 12_345);
        let one = gzip(&bytes, 1);
        assert!(gzip(&bytes, 2) == one);
        assert!(gzip(&bytes, 5) == one);
    }

    /// Where this fails, the digests of all gzip layers change with the release: say so in the changelog.
    #[test]
    fn the_compressed_bytes_are_those_of_this_release() {
        assert_eq!(Digest::sha256(&gzip(&sample(3 * BLOCK + 77), 2)).short(), "a332b10fdee2");
    }
}
