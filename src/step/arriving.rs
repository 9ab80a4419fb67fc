use std::io::{self, Read, Write};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

/// Content that arrives piece by piece, for a reader that blocks.
#[derive(Debug)]
pub(super) struct Arriving {
    rx: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Arriving {
    /// How many pieces wait at most for a reader that is slower than the network.
    const WAITING: usize = 16;

    /// The reader, and where to send pieces. What was sent when the sender goes is all of it.
    pub(super) fn new() -> (mpsc::Sender<Bytes>, Self) {
        let (tx, rx) = mpsc::channel(Self::WAITING);
        (tx, Self { rx, piece: Bytes::new() })
    }

    /// Writes all that arrives, without copying it.
    pub(super) fn write_to(&mut self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&std::mem::take(&mut self.piece))?;
        while let Some(piece) = self.rx.blocking_recv() {
            out.write_all(&piece)?;
        }
        Ok(())
    }
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.rx.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let count = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(buffer.get_mut(..count).unwrap_or_default());
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_sent_is_read_to_its_end() {
        let (tx, mut arriving) = Arriving::new();
        let read = tokio::task::spawn_blocking(move || {
            let mut content = [0; 4];
            arriving.read_exact(&mut content).unwrap();
            let mut rest = Vec::new();
            arriving.write_to(&mut rest).unwrap();
            (content, String::from_utf8(rest).unwrap())
        });
        for piece in ["he", "", "llo ", "wor", "ld"] {
            tx.send(Bytes::from_static(piece.as_bytes())).await.unwrap();
        }
        drop(tx);
        assert_eq!(read.await.unwrap(), (*b"hell", "o world".to_owned()));
    }
}
