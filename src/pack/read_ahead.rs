use std::{
    io::{self, ErrorKind, Read},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use super::{Compression, PackError};
use crate::oci::{Algorithm, Digest, Hasher};

/// An archive that is decompressed and hashed on a thread of its own, some way ahead of whoever reads it.
#[derive(Debug)]
pub(super) struct ReadAhead {
    pieces: Receiver<Piece>,
    piece: Vec<u8>,
    /// How much of the piece was read.
    at: usize,
    end: Option<Digest>,
}

#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    /// There is no more; the digest of all that there was.
    End(Digest),
    Failed(io::Error),
}

impl ReadAhead {
    /// In bytes.
    const PIECE: usize = 256 * 1024;
    /// How many pieces wait at most for a reader that is slower.
    const WAITING: usize = 6;

    /// Reads `reader` while `work` takes what comes of it. What `work` leaves is not read.
    pub(super) fn over<T>(
        reader: impl Read + Send,
        compression: Compression,
        algorithm: Algorithm,
        work: impl FnOnce(Self) -> Result<T, PackError>,
    ) -> Result<T, PackError> {
        let (tx, pieces) = sync_channel(Self::WAITING);
        thread::scope(|scope| {
            let reading = thread::Builder::new().name("decompress".to_owned());
            let read = move || read_all(reader, compression, algorithm, &tx);
            reading.spawn_scoped(scope, read).map_err(PackError::Read)?;
            work(Self { pieces, piece: Vec::new(), at: 0, end: None })
        })
    }

    /// The digest of everything, once it was read to its end.
    pub(super) fn digest(self) -> Option<Digest> {
        self.end
    }
}

impl Read for ReadAhead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() && self.end.is_none() {
            match self.pieces.recv() {
                Ok(Piece::Bytes(piece)) => (self.piece, self.at) = (piece, 0),
                Ok(Piece::End(digest)) => self.end = Some(digest),
                Ok(Piece::Failed(error)) => return Err(error),
                Err(_) => return Err(io::Error::other("the thread that decompresses stopped")),
            }
        }
        let rest = self.piece.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        let (from, to) = (rest.get(..count).unwrap_or_default(), buffer.get_mut(..count).unwrap_or_default());
        to.copy_from_slice(from);
        self.at += count;
        Ok(count)
    }
}

/// Sends all of it, as long as somebody listens.
fn read_all(reader: impl Read, compression: Compression, algorithm: Algorithm, tx: &SyncSender<Piece>) {
    let mut hasher = Hasher::new(algorithm);
    let mut decoder = match compression.decoder(reader) {
        Ok(decoder) => decoder,
        Err(error) => return drop(tx.send(Piece::Failed(error))),
    };
    loop {
        let mut piece = Vec::new();
        // Not `read_to_end`: what came before a mistake is still good for finding another one earlier in the archive.
        let read = fill(&mut decoder, &mut piece);
        hasher.update(&piece);
        let is_end = piece.len() < ReadAhead::PIECE;
        if !piece.is_empty() && tx.send(Piece::Bytes(piece)).is_err() {
            return;
        }
        let last = match read {
            Err(error) => Piece::Failed(error),
            Ok(()) if is_end => Piece::End(hasher.finish()),
            Ok(()) => continue,
        };
        return drop(tx.send(last));
    }
}

/// Reads until the piece is full or there is no more.
fn fill(reader: &mut impl Read, piece: &mut Vec<u8>) -> io::Result<()> {
    piece.resize(ReadAhead::PIECE, 0);
    let mut filled = 0;
    let result = loop {
        match reader.read(piece.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => break Ok(()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    piece.truncate(filled);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], most: usize) -> Result<(Vec<u8>, Option<Digest>), PackError> {
        ReadAhead::over(bytes, Compression::Gzip, Algorithm::Sha256, |mut ahead| {
            let mut read = Vec::new();
            (&mut ahead).take(most as u64).read_to_end(&mut read).map_err(PackError::Read)?;
            Ok((read, ahead.digest()))
        })
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn everything_comes_with_its_digest_whatever_its_length() {
        for length in [0, 1, ReadAhead::PIECE - 1, ReadAhead::PIECE, 20 * ReadAhead::PIECE + 7] {
            let bytes: Vec<u8> = (0..length).map(|at| (at % 251).to_le_bytes()[0]).collect();
            let digest = Digest::sha256(&bytes);
            assert!(read(&gzip(&bytes), usize::MAX).unwrap() == (bytes, Some(digest)), "{length}");
        }
    }

    #[test]
    fn what_nobody_reads_is_given_up_and_what_is_cut_off_is_an_error_behind_what_came() {
        let bytes: Vec<u8> =
            (0..20 * ReadAhead::PIECE as u64).flat_map(|at| (at * 2_654_435_761).to_le_bytes()).collect();
        let packed = gzip(&bytes);
        assert!(read(&packed, 10).unwrap() == (bytes[..10].to_vec(), None));
        let cut = &packed[..packed.len() / 2];
        assert!(read(cut, 1024).unwrap().0 == bytes[..1024]);
        assert!(matches!(read(cut, usize::MAX), Err(PackError::Read(_))));
        assert!(matches!(read(b"no gzip at all", usize::MAX), Err(PackError::Read(_))));
    }
}
