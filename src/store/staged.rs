//! Content on its way into a repository: it arrives in pieces, over any number of connections, and is nobody's yet.

use std::{
    fmt,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};
use tempfile::{NamedTempFile, TempPath};
use tokio::task;

use super::{StoreError, content};
use crate::oci::{Algorithm, Digest, Hasher};

/// Content that is not stored yet. It is gone when this is dropped.
#[derive(Clone)]
pub struct Staged(Arc<Mutex<State>>);

struct State {
    place: Place,
    /// None: what arrives was verified on its way.
    hasher: Option<Hasher>,
    algorithm: Algorithm,
    size: u64,
}

enum Place {
    Memory(BytesMut),
    File {
        file: File,
        path: TempPath,
    },
    /// Nothing can be added any more: it was stored, or given up.
    Closed,
}

impl Staged {
    pub(super) fn in_memory(algorithm: Algorithm) -> Self {
        Self::at(Place::Memory(BytesMut::new()), algorithm)
    }

    /// In a file that is locked for as long as this lives, so that others can tell it from what a process left behind.
    pub(super) fn in_file(file: NamedTempFile, algorithm: Algorithm) -> Result<Self, StoreError> {
        let (file, path) = file.into_parts();
        file.lock_shared().map_err(|source| fail(path.to_path_buf(), source))?;
        Ok(Self::at(Place::File { file, path }, algorithm))
    }

    /// The same, for content that comes from a verified stream: it is not hashed again.
    pub(super) fn of_verified(file: NamedTempFile, algorithm: Algorithm) -> Result<Self, StoreError> {
        let staged = Self::in_file(file, algorithm)?;
        staged.state().hasher = None;
        Ok(staged)
    }

    fn at(place: Place, algorithm: Algorithm) -> Self {
        let hasher = Some(Hasher::new(algorithm));
        Self(Arc::new(Mutex::new(State { place, hasher, algorithm, size: 0 })))
    }

    /// How many bytes have arrived.
    pub fn size(&self) -> u64 {
        self.state().size
    }

    /// Adds `pieces` behind the first `at` bytes. `None`: that is not where it ends, or it has ended for good.
    /// Otherwise how many bytes there are now.
    pub async fn append(&self, at: u64, pieces: Vec<Bytes>) -> Result<Option<u64>, StoreError> {
        self.run(move |state| state.append(at, &pieces)).await
    }

    /// Gives the content up.
    pub fn close(&self) {
        self.state().place = Place::Closed;
    }

    /// Checks that the content is what `digest` says, and hands it over. It can be taken once.
    pub(super) async fn take(&self, digest: &Digest) -> Result<Content, StoreError> {
        let digest = digest.clone();
        self.run(move |state| state.take(&digest)).await
    }

    /// Does work that blocks where it may. It is done also where nobody waits for it any more.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut State) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let staged = self.clone();
        let done = task::spawn_blocking(move || work(&mut staged.state())).await;
        done.unwrap_or_else(|error| Err(fail(PathBuf::new(), io::Error::other(error))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was staged, whole and verified.
pub(super) enum Content {
    Bytes(Bytes),
    File { file: File, path: TempPath },
}

impl State {
    fn append(&mut self, at: u64, pieces: &[Bytes]) -> Result<Option<u64>, StoreError> {
        if self.size != at || matches!(self.place, Place::Closed) {
            return Ok(None);
        }
        for piece in pieces {
            match &mut self.place {
                Place::Memory(bytes) => bytes.extend_from_slice(piece),
                Place::File { file, path } => {
                    if let Err(source) = file.write_all(piece) {
                        let path = path.to_path_buf();
                        // How much of it arrived is not known: nothing can stand behind it.
                        self.place = Place::Closed;
                        return Err(fail(path, source));
                    }
                }
                Place::Closed => return Ok(None),
            }
            if let Some(hasher) = &mut self.hasher {
                hasher.update(piece);
            }
            self.size += piece.len() as u64;
        }
        Ok(Some(self.size))
    }

    fn take(&mut self, digest: &Digest) -> Result<Content, StoreError> {
        if let Some(hasher) = &self.hasher {
            let actual = if digest.algorithm() == self.algorithm {
                hasher.clone().finish()
            } else {
                self.read_again(digest.algorithm())?
            };
            content::expect(digest, actual)?;
        }
        match std::mem::replace(&mut self.place, Place::Closed) {
            Place::Memory(bytes) => Ok(Content::Bytes(bytes.freeze())),
            Place::File { file, path } => Ok(Content::File { file, path }),
            Place::Closed => Err(StoreError::Closed),
        }
    }

    /// The digest by another algorithm than was expected.
    fn read_again(&mut self, algorithm: Algorithm) -> Result<Digest, StoreError> {
        let mut hasher = Hasher::new(algorithm);
        match &mut self.place {
            Place::Memory(bytes) => hasher.update(bytes),
            Place::File { file, path } => {
                let mut piece = vec![0; 256 * 1024];
                let mut read = || -> io::Result<()> {
                    file.seek(SeekFrom::Start(0))?;
                    loop {
                        match file.read(&mut piece)? {
                            0 => return Ok(()),
                            length => hasher.update(piece.get(..length).unwrap_or_default()),
                        }
                    }
                };
                read().map_err(|source| fail(path.to_path_buf(), source))?;
            }
            Place::Closed => return Err(StoreError::Closed),
        }
        Ok(hasher.finish())
    }
}

impl fmt::Debug for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staged").field("size", &self.size()).finish_non_exhaustive()
    }
}

fn fail(path: PathBuf, source: io::Error) -> StoreError {
    StoreError::Io { path, source }
}
