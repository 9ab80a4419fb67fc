use std::{
    fmt::Debug,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{ByteStream, StoreError, file_stream::read_file_seen};
use crate::{
    event::Progress,
    oci::{Algorithm, Descriptor, Digest, Hasher},
};

/// Content whose digest is not known yet: it is hashed while it is read, so that it is read once.
#[derive(Debug, Clone)]
pub struct Unhashed {
    origin: Origin,
    name: String,
    progress: Option<Progress>,
}

#[derive(Debug, Clone)]
enum Origin {
    File { path: PathBuf, size: u64, digest: Arc<Mutex<Option<Digest>>> },
    Made(Arc<dyn Maker>),
}

/// What makes content anew each time that it is opened, the same bytes each time, and hashes it on the way.
pub trait Maker: Debug + Send + Sync {
    /// The content from its beginning.
    fn open(&self) -> ByteStream;

    /// The digest and the size of what was opened last, once it was read to its end.
    fn made(&self) -> Option<(Digest, u64)>;
}

impl Unhashed {
    /// A file of so many bytes. `name` is what people are shown.
    pub fn file(path: impl Into<PathBuf>, name: impl Into<String>, size: u64) -> Self {
        Self {
            origin: Origin::File { path: path.into(), size, digest: Arc::default() },
            name: name.into(),
            progress: None,
        }
    }

    /// Content that is made while it is read. `name` is what people are shown.
    pub fn made(maker: Arc<dyn Maker>, name: impl Into<String>) -> Self {
        Self { origin: Origin::Made(maker), name: name.into(), progress: None }
    }

    /// The same, telling `progress` when all of it has moved.
    #[must_use]
    pub fn watched(self, progress: Progress) -> Self {
        Self { progress: Some(progress), ..self }
    }

    /// In bytes, where that is known beforehand.
    pub const fn size(&self) -> Option<u64> {
        match &self.origin {
            Origin::File { size, .. } => Some(*size),
            Origin::Made(_) => None,
        }
    }

    /// The digest and the size, once the content was read to its end.
    pub fn known(&self) -> Option<(Digest, u64)> {
        match &self.origin {
            Origin::File { size, digest, .. } => {
                let digest = digest.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
                Some((digest, *size))
            }
            Origin::Made(maker) => maker.made(),
        }
    }

    /// The content from its beginning. A file ends with an error where it has another size by now.
    pub(super) async fn open(&self) -> Result<ByteStream, StoreError> {
        match &self.origin {
            Origin::File { path, size, digest } => hashed(path, *size, Arc::clone(digest)).await,
            Origin::Made(maker) => Ok(maker.open()),
        }
    }

    /// Says what has moved. Not before its end: until then it has no digest to be told by.
    pub(super) fn tell(&self) {
        let (Some(progress), Some((digest, size))) = (&self.progress, self.known()) else { return };
        let moved = Descriptor::new(self.name.as_str(), digest, size);
        progress.transfer(&moved).advance(size);
    }
}

/// The content of a file of so many bytes, whose digest is put into `place` at its end.
async fn hashed(path: &Path, size: u64, place: Arc<Mutex<Option<Digest>>>) -> Result<ByteStream, StoreError> {
    let (mut hasher, mut seen) = (Hasher::new(Algorithm::Sha256), 0);
    read_file_seen(path, move |piece| {
        seen += piece.len() as u64;
        if seen > size || (piece.is_empty() && seen < size) {
            return Err(io::Error::other("it changed while it was read"));
        }
        hasher.update(piece);
        if piece.is_empty() {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(hasher.clone().finish());
        }
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn the_digest_is_known_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "hello").unwrap();
        let unhashed = Unhashed::file(&path, "a", 5);
        assert_eq!(unhashed.known(), None);
        // Read ahead, so that it may be known before the last of it is taken.
        let content = unhashed.open().await.unwrap();
        assert_eq!(content.try_collect::<Vec<_>>().await.unwrap(), ["hello"]);
        assert_eq!(unhashed.known(), Some((Digest::sha256(b"hello"), 5)));
    }

    #[tokio::test]
    async fn a_file_that_changes_meanwhile_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "hello").unwrap();
        for size in [4, 6] {
            let unhashed = Unhashed::file(&path, "a", size);
            let read: Result<Vec<_>, _> = unhashed.open().await.unwrap().try_collect().await;
            let error = read.unwrap_err().to_string();
            assert!(error.ends_with("it changed while it was read"), "{size}: {error}");
            assert_eq!(unhashed.known(), None);
        }
    }
}
