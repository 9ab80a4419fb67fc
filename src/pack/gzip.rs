//! gzip on all cores: one deflate stream, whose blocks of 1 MiB are compressed on their own, each with the end of the
//! block before as its dictionary.
//!
//! What zlib-rs writes depends on how its input and output are cut. So every block is given whole, to a compressor that
//! has seen nothing but the dictionary, with room for whatever comes out: the bytes follow from the input alone.
//!
//! <https://www.rfc-editor.org/rfc/rfc1952>

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

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// How much is compressed at a time, in bytes.
pub(super) const BLOCK: usize = 1024 * 1024;
/// How far deflate looks back, in bytes.
const WINDOW: usize = 32 * 1024;
/// No name, no time, no system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

type Outcome = io::Result<Vec<u8>>;

/// Compresses blocks and writes them to `W` in their order.
pub(super) struct Gzip<W> {
    out: W,
    threads: usize,
    jobs: Option<SyncSender<Job>>,
    pending: VecDeque<Receiver<Outcome>>,
    /// The last block that came: only when another one comes is it clear that the stream does not end with it.
    held: Option<Vec<u8>>,
    dictionary: Vec<u8>,
    crc: Crc,
}

struct Job {
    block: Vec<u8>,
    dictionary: Vec<u8>,
    last: bool,
    done: SyncSender<Outcome>,
}

impl<W: Write> Gzip<W> {
    /// A compressor that uses up to `threads` threads, once there is more than one block.
    pub(super) fn new(mut out: W, threads: usize) -> io::Result<Self> {
        out.write_all(&HEADER)?;
        Ok(Self {
            out,
            threads: threads.max(1),
            jobs: None,
            pending: VecDeque::new(),
            held: None,
            dictionary: Vec::new(),
            crc: Crc::new(),
        })
    }

    /// Takes the next block: [`BLOCK`] bytes, but for the last one.
    pub(super) fn push(&mut self, block: Vec<u8>) -> io::Result<()> {
        self.crc.update(&block);
        let Some(block) = self.held.replace(block) else {
            return Ok(());
        };
        let dictionary = block.get(block.len().saturating_sub(WINDOW)..).unwrap_or_default().to_vec();
        let dictionary = mem::replace(&mut self.dictionary, dictionary);
        self.start(block, dictionary, false)?;
        // Two for each thread keep all of them busy, and the memory bounded.
        while self.pending.len() > 2 * self.threads {
            self.write_next()?;
        }
        Ok(())
    }

    /// Ends the stream.
    pub(super) fn finish(mut self) -> io::Result<W> {
        let block = self.held.take().unwrap_or_default();
        let dictionary = mem::take(&mut self.dictionary);
        if self.jobs.is_none() {
            self.out.write_all(&compress(&block, &dictionary, true)?)?;
        } else {
            self.start(block, dictionary, true)?;
        }
        while !self.pending.is_empty() {
            self.write_next()?;
        }
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        self.out.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.out)
    }

    fn start(&mut self, block: Vec<u8>, dictionary: Vec<u8>, last: bool) -> io::Result<()> {
        let (done, outcome) = sync_channel(1);
        let jobs = match &self.jobs {
            Some(jobs) => jobs,
            None => self.jobs.insert(start_workers(self.threads)?),
        };
        jobs.send(Job { block, dictionary, last, done }).map_err(|_| stopped())?;
        self.pending.push_back(outcome);
        Ok(())
    }

    fn write_next(&mut self) -> io::Result<()> {
        match self.pending.pop_front() {
            Some(outcome) => self.out.write_all(&outcome.recv().map_err(|_| stopped())??),
            None => Ok(()),
        }
    }
}

fn stopped() -> io::Error {
    io::Error::other("a compressing thread stopped")
}

/// Threads that end when the sender is dropped.
fn start_workers(threads: usize) -> io::Result<SyncSender<Job>> {
    let (sender, receiver) = sync_channel::<Job>(2 * threads);
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..threads {
        let receiver = Arc::clone(&receiver);
        thread::Builder::new().name("gzip".to_owned()).spawn(move || {
            loop {
                let job = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(job) = job else { break };
                // Nobody waits where the layer was given up.
                let _ = job.done.send(compress(&job.block, &job.dictionary, job.last));
            }
        })?;
    }
    Ok(sender)
}

/// One block as raw deflate, ending at a byte boundary.
fn compress(block: &[u8], dictionary: &[u8], last: bool) -> Outcome {
    let mut compressor = Compress::new(Compression::new(6), false);
    if !dictionary.is_empty() {
        compressor.set_dictionary(dictionary).map_err(io::Error::other)?;
    }
    // More than deflate's bound: 5 bytes for each stored block, the flush and the end.
    let mut out = Vec::with_capacity(block.len() + block.len() / 64 + 1024);
    let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
    let status = compressor.compress_vec(block, &mut out, flush).map_err(io::Error::other)?;
    let is_whole = compressor.total_in() == block.len() as u64
        && out.len() < out.capacity()
        && status == if last { Status::StreamEnd } else { Status::Ok };
    if is_whole { Ok(out) } else { Err(io::Error::other("a block did not compress in one call")) }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::bufread::GzDecoder;

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
        let mut gzip = Gzip::new(Vec::new(), threads).unwrap();
        for block in bytes.chunks(BLOCK) {
            gzip.push(block.to_vec()).unwrap();
        }
        gzip.finish().unwrap()
    }

    #[test]
    fn one_member_holds_everything() {
        for length in [0, 1, WINDOW, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 77] {
            let bytes = sample(length);
            let compressed = gzip(&bytes, 2);
            assert_eq!(&compressed[..10], HEADER);
            let mut rest = compressed.as_slice();
            let mut again = Vec::new();
            GzDecoder::new(&mut rest).read_to_end(&mut again).unwrap();
            assert!(again == bytes, "{length}");
            assert!(rest.is_empty(), "{length}");
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
        assert_eq!(Digest::sha256(&gzip(&sample(3 * BLOCK + 77), 2)).short(), "55071bbe1264");
    }
}
