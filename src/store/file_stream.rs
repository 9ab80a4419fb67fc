//! Files as streams. A thread of its own reads a file, and hashes it where that is wanted, some way ahead of whoever sends it:
//! so that both cost time at once. Its buffers are used again and again.

use std::{
    fs::File,
    io::{self, Read},
    mem,
    path::Path,
    sync::mpsc as blocking,
};

use bytes::Bytes;
use futures_util::stream;
use tokio::{sync::mpsc, task};

use super::{ByteStream, Source, StoreError};

const PIECE: usize = Source::PIECE;
/// How many pieces wait at most for whoever is slower.
const AHEAD: usize = 2;

/// The content of a file, in large pieces.
pub(super) async fn read_file(path: &Path) -> Result<ByteStream, StoreError> {
    read_file_seen(path, |_| Ok(())).await
}

/// The same. `look` sees every piece before it is sent, and an empty one at the end; where it fails, the stream does.
pub(super) async fn read_file_seen(
    path: &Path,
    look: impl FnMut(&[u8]) -> io::Result<()> + Send + 'static,
) -> Result<ByteStream, StoreError> {
    let place = path.to_owned();
    let fail = move |source| StoreError::Io { path: place.clone(), source };
    let opened = tokio::fs::File::open(path).await.map_err(&fail)?;
    let size = opened.metadata().await.map_err(&fail)?.len();
    let file = opened.into_std().await;
    // One more, so that the end of a small file shows in the piece that brings it.
    let capacity = usize::try_from(size).map_or(PIECE, |size| size.saturating_add(1).min(PIECE));
    let (tx, mut rx) = mpsc::channel(AHEAD);
    task::spawn_blocking(move || {
        if let Err(error) = send(file, capacity, look, &tx) {
            // Where nobody listens any more, nobody needs to know.
            let _ = tx.blocking_send(Err(fail(error)));
        }
    });
    Ok(Box::pin(stream::poll_fn(move |cx| rx.poll_recv(cx))))
}

type Sender = mpsc::Sender<Result<Bytes, StoreError>>;

/// Sends a file to its end, as long as somebody listens.
fn send(mut file: File, capacity: usize, mut look: impl FnMut(&[u8]) -> io::Result<()>, tx: &Sender) -> io::Result<()> {
    let (back, spare) = blocking::channel();
    loop {
        let mut buffer: Vec<u8> = spare.try_recv().unwrap_or_else(|_| vec![0; capacity]);
        let length = match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let buffer = Buffer { bytes: buffer, length, back: back.clone() };
        look(buffer.as_ref())?;
        if length == 0 || tx.blocking_send(Ok(Bytes::from_owner(buffer))).is_err() {
            return Ok(());
        }
    }
}

/// A piece. Its memory goes back to whoever reads when nobody needs the piece any more.
struct Buffer {
    bytes: Vec<u8>,
    length: usize,
    back: blocking::Sender<Vec<u8>>,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // The file may have ended.
        let _ = self.back.send(mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn a_file_comes_whole_in_its_order_and_is_seen_before_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for length in [0, 1, PIECE - 1, PIECE, 7 * PIECE + 3] {
            let content: Vec<u8> = (0..length).map(|at| (at % 251).to_le_bytes()[0]).collect();
            std::fs::write(&path, &content).unwrap();
            let seen = Arc::new(Mutex::new((Vec::new(), false)));
            let look = Arc::clone(&seen);
            let stream = read_file_seen(&path, move |piece| {
                let mut seen = look.lock().unwrap();
                seen.0.extend_from_slice(piece);
                seen.1 = piece.is_empty();
                Ok(())
            });
            let mut stream = stream.await.unwrap();
            let mut came = Vec::new();
            while let Some(piece) = stream.try_next().await.unwrap() {
                came.extend_from_slice(&piece);
                assert!(seen.lock().unwrap().0.starts_with(&came));
            }
            assert!(came == content && *seen.lock().unwrap() == (content, true), "{length}");
        }
    }

    #[tokio::test]
    async fn what_fails_ends_the_stream() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let error = read_file(&path).await.err().unwrap();
        assert!(matches!(error, StoreError::Io { path: at, .. } if at == path));
        std::fs::write(&path, "hello").unwrap();
        let refused = read_file_seen(&path, |_| Err(io::Error::other("no"))).await.unwrap();
        let error = refused.try_collect::<Vec<_>>().await.unwrap_err();
        assert!(error.to_string().ends_with("no"), "{error}");
        // Whoever stops listening stops the reading.
        drop(read_file(&path).await.unwrap());
    }
}
