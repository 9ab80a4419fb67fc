//! A repository in one file: an image layout in a tar (`oci-archive:`), or what `docker save` writes (`docker-archive:`,
//! which is only read).
//!
//! It is read where it is, never unpacked. What is written waits beside it until [`Store::flush`] writes the whole file
//! anew and puts it in place, so that nobody sees half of it. Two processes that write one archive overwrite each other.

mod contents;
mod docker;
mod oci;
mod stamp;
mod tar_file;
mod write;

use std::{collections::HashSet, io, panic, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::{io::AsyncWriteExt, sync::Mutex, task};

use self::{
    contents::{Contents, Place},
    tar_file::{TarFile, wrong},
};
use super::{ByteStream, Delivery, Listed, Source, Store, StoreError, needs, verified};
use crate::oci::{ArchiveForm, Descriptor, Digest, Manifest, Repository, Tag, Target};

/// One repository in an archive on disk.
#[derive(Debug)]
pub struct ArchiveStore {
    repository: Repository,
    form: ArchiveForm,
    path: PathBuf,
    state: Mutex<State>,
    /// Held while the file is written anew.
    writing: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    contents: Option<Arc<Contents>>,
    /// How often it was changed, and up to which change the file has it all.
    changes: u64,
    written: u64,
}

impl State {
    const fn is_changed(&self) -> bool {
        self.changes > self.written
    }
}

impl ArchiveStore {
    /// The archive at `path`. Where there is none, it is an empty one.
    pub fn open(form: ArchiveForm, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let repository = Repository::Archive { form, path: path.clone() };
        Self { repository, form, path, state: Mutex::default(), writing: Mutex::default() }
    }

    /// What is in it: read when it is first asked for, and again where somebody else has written it.
    async fn contents(&self) -> Result<Arc<Contents>, StoreError> {
        let mut state = self.state.lock().await;
        self.loaded(&mut state).await
    }

    async fn loaded(&self, state: &mut State) -> Result<Arc<Contents>, StoreError> {
        if let Some(contents) = state.contents.as_ref().filter(|it| state.is_changed() || it.is_of(&self.path)) {
            return Ok(Arc::clone(contents));
        }
        let (form, path, repository) = (self.form, self.path.clone(), self.repository.clone());
        let read = move || match (TarFile::open(&path)?, form) {
            (None, _) => Ok(Contents::new(&repository, None)),
            (Some(archive), ArchiveForm::Oci) => oci::read(&path, &repository, archive),
            (Some(archive), ArchiveForm::Docker) => docker::read(&path, &repository, archive),
        };
        let contents = Arc::new(blocking(read).await?);
        state.contents = Some(Arc::clone(&contents));
        Ok(contents)
    }

    /// Changes what is in memory; the file follows when it is flushed. Nobody writes it in the middle of a change.
    async fn change<T>(&self, work: impl AsyncFnOnce(&Contents) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.form == ArchiveForm::Docker {
            return Err(wrong(&self.path, "an archive of Docker is only read: write to `oci-archive:`"));
        }
        let mut state = self.state.lock().await;
        let contents = self.loaded(&mut state).await?;
        state.changes += 1;
        work(&contents).await
    }

    fn missing(&self, digest: &Digest) -> StoreError {
        StoreError::Missing { digest: digest.clone(), repository: self.repository.to_string() }
    }

    /// A file beside the archive, and the blob in it, verified on its way.
    async fn keep_beside(&self, blob: &Descriptor, source: &Source) -> Result<Place, StoreError> {
        let mut content = source.open(blob).await?;
        let folder = self.path.parent().map(PathBuf::from).unwrap_or_default();
        let (file, path) = blocking(move || write::new_file(&folder)).await?.into_parts();
        let fail = |source| StoreError::Io { path: path.to_path_buf(), source };
        let mut file = tokio::fs::File::from_std(file);
        while let Some(bytes) = content.next().await {
            file.write_all(&bytes?).await.map_err(fail)?;
        }
        file.flush().await.map_err(fail)?;
        Ok(Place::Beside { file: Arc::new(path), size: blob.size })
    }
}

/// Does work that blocks where it may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            Err(error) => Err(StoreError::Io { path: PathBuf::new(), source: io::Error::other(error) }),
        },
    }
}

#[async_trait]
impl Store for ArchiveStore {
    fn repository(&self) -> &Repository {
        &self.repository
    }

    async fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        let contents = self.contents().await?;
        contents.check_name(&self.path, target)?;
        contents.manifests.resolve(target).await
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        let contents = self.contents().await?;
        contents.check_name(&self.path, target)?;
        contents.manifests.manifest(target).await
    }

    async fn roots(&self) -> Result<Vec<Descriptor>, StoreError> {
        self.contents().await?.manifests.roots().await
    }

    async fn push_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        let contents = self.contents().await?;
        if let Some(blob) = needs::blobs(manifest).find(|blob| contents.place(&blob.digest).is_none()) {
            return Err(self.missing(&blob.digest));
        }
        for child in needs::manifests(manifest) {
            if contents.manifests.resolve(&Target::Digest(child.digest.clone())).await?.is_none() {
                return Err(self.missing(&child.digest));
            }
        }
        self.change(async |contents| {
            contents.insert(manifest, tag);
            Ok(())
        })
        .await
    }

    async fn attach(&self, manifest: &Manifest) -> Result<(), StoreError> {
        self.push_manifest(manifest, None).await?;
        self.flush().await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.contents().await?.tags().await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.contents().await?.manifests.referrers(subject).await
    }

    async fn subjects(&self) -> Result<Option<HashSet<Digest>>, StoreError> {
        self.contents().await?.manifests.subjects().await
    }

    async fn listing(&self) -> Result<Option<Vec<Listed>>, StoreError> {
        self.contents().await?.manifests.listing().await
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        Ok(self.contents().await?.place(&blob.digest).is_some_and(|place| place.size() == blob.size))
    }

    async fn blob(&self, blob: &Descriptor) -> Result<ByteStream, StoreError> {
        let place = self.contents().await?.place(&blob.digest).ok_or_else(|| self.missing(&blob.digest))?;
        let (archive, extent) = match place {
            // It stays where it is as long as somebody reads it.
            Place::Beside { file, .. } => {
                let content = Source::file(file.to_path_buf()).open(blob).await?;
                return Ok(Box::pin(content.inspect(move |_| _ = &file)));
            }
            Place::Inside { archive, extent } => (archive, extent),
        };
        let pieces = stream::try_unfold(0, move |at: u64| {
            let archive = Arc::clone(&archive);
            async move {
                if at >= extent.size {
                    return Ok(None);
                }
                let piece: Bytes = blocking(move || archive.piece(extent, at, Source::PIECE)).await?;
                let next = at + piece.len() as u64;
                Ok(Some((piece, next)))
            }
        });
        Ok(verified(blob, pieces))
    }

    async fn push_blob(
        &self,
        blob: &Descriptor,
        source: &Source,
        _from: Option<&Repository>,
    ) -> Result<Delivery, StoreError> {
        if self.has_blob(blob).await? {
            return Ok(Delivery::Existing);
        }
        let place = self.keep_beside(blob, source).await?;
        self.change(async |contents| {
            contents.put(blob.digest.clone(), place);
            Ok(Delivery::Copied)
        })
        .await
    }

    async fn untag(&self, tag: &Tag) -> Result<bool, StoreError> {
        if self.resolve(&Target::Tag(tag.clone())).await?.is_none() {
            return Ok(false);
        }
        self.change(async |contents| contents.manifests.untag(tag).await).await
    }

    async fn delete_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        if self.resolve(&Target::Digest(digest.clone())).await?.is_none() {
            return Ok(false);
        }
        self.change(async |contents| contents.manifests.delete_manifest(digest).await).await
    }

    async fn settle(&self) -> Result<(), StoreError> {
        self.flush().await
    }

    async fn flush(&self) -> Result<(), StoreError> {
        let wanted = self.state.lock().await.changes;
        // Who waits here finds that the next one has written for all who wait.
        let _writing = self.writing.lock().await;
        let (whole, changes) = {
            let state = self.state.lock().await;
            let Some(contents) = state.contents.as_ref().filter(|_| state.written < wanted) else {
                return Ok(());
            };
            (contents.whole().await?, state.changes)
        };
        let (path, contents) = (self.path.clone(), Arc::clone(&whole.contents));
        let archive = blocking(move || {
            write::write(&path, &whole)?;
            TarFile::open(&path)
        })
        .await?;
        let mut state = self.state.lock().await;
        if let Some(archive) = archive {
            contents.moved_into(&Arc::new(archive));
        }
        state.written = changes;
        Ok(())
    }
}
