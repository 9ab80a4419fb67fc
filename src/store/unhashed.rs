use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{StreamExt, stream};

use super::{ByteStream, StoreError, source::read_file};
use crate::{
    event::Progress,
    oci::{Algorithm, Descriptor, Digest, Hasher},
};

/// A file whose digest is not known yet: it is hashed while it is read, so that it is read once.
#[derive(Debug, Clone)]
pub struct Unhashed {
    path: PathBuf,
    name: String,
    size: u64,
    progress: Option<Progress>,
    digest: Arc<Mutex<Option<Digest>>>,
}

impl Unhashed {
    /// A file of so many bytes. `name` is what people are shown.
    pub fn file(path: impl Into<PathBuf>, name: impl Into<String>, size: u64) -> Self {
        Self { path: path.into(), name: name.into(), size, progress: None, digest: Arc::default() }
    }

    /// The same, telling `progress` when all of it has moved.
    #[must_use]
    pub fn watched(self, progress: Progress) -> Self {
        Self { progress: Some(progress), ..self }
    }

    /// In bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The digest, once the content was read to its end.
    pub fn digest(&self) -> Option<Digest> {
        self.digest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The content from its beginning. It ends with an error where it has another size by now.
    pub(super) async fn open(&self) -> Result<ByteStream, StoreError> {
        let pieces = read_file(&self.path).await?;
        let state = (pieces, Some(Hasher::new(Algorithm::Sha256)), 0_u64, self.clone());
        Ok(Box::pin(stream::try_unfold(state, |(mut pieces, hasher, seen, unhashed)| async move {
            // The hasher is taken when the file has ended.
            let Some(mut hasher) = hasher else { return Ok(None) };
            let changed = || {
                let source = io::Error::other("it changed while it was read");
                StoreError::Io { path: unhashed.path.clone(), source }
            };
            let Some(piece) = pieces.next().await.transpose()? else {
                if seen != unhashed.size {
                    return Err(changed());
                }
                let digest = hasher.finish();
                unhashed.tell(&digest);
                *unhashed.digest.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
                return Ok(None);
            };
            let seen = seen + piece.len() as u64;
            if seen > unhashed.size {
                return Err(changed());
            }
            hasher.update(&piece);
            Ok(Some((piece, (pieces, Some(hasher), seen, unhashed))))
        })))
    }

    /// Says what has moved. Not before its end: until then it has no digest to be told by.
    fn tell(&self, digest: &Digest) {
        let Some(progress) = &self.progress else { return };
        let moved = Descriptor::new(self.name.as_str(), digest.clone(), self.size);
        progress.transfer(&moved).advance(self.size);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn the_digest_is_known_at_the_end_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "hello").unwrap();
        let unhashed = Unhashed::file(&path, "a", 5);
        let mut content = unhashed.open().await.unwrap();
        assert_eq!(content.try_next().await.unwrap().unwrap(), "hello");
        assert_eq!(unhashed.digest(), None);
        assert_eq!(content.try_next().await.unwrap(), None);
        assert_eq!(unhashed.digest(), Some(Digest::sha256(b"hello")));
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
            assert_eq!(unhashed.digest(), None);
        }
    }
}
