//! A repository in a folder: an OCI image layout that other tools read and write too.
//!
//! Nothing is ever seen half written, and processes that write at the same time lose nothing of each other's.
//! A tag is an entry of `index.json`; a manifest without a tag has an entry too, so that it is found. Deleting a manifest
//! leaves its blobs.

mod catalog;
mod change;
mod contents;
mod folder;
mod garbage;
mod hosted;
mod index_file;
mod root;
mod stamp;

use std::{collections::HashSet, io, panic, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use tokio::{fs::File, sync::Mutex, task};
use tokio_util::io::ReaderStream;

pub(super) use self::root::{folder_of, name_of};
use self::{
    catalog::Catalog,
    change::{Change, Queue},
    folder::Folder,
};
pub use self::{
    garbage::{Garbage, GarbageOptions},
    root::LayoutRoot,
};
use super::{ByteStream, Condition, Delivery, Hosted, Listed, Source, Staged, Store, StoreError, verified};
use crate::oci::{Descriptor, Digest, Manifest, Repository, Tag, Target};

/// One repository in an image layout on disk.
///
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>
#[derive(Debug)]
pub struct LayoutStore {
    repository: Repository,
    path: PathBuf,
    catalog: Arc<Catalog>,
    /// Changes that wait to be written.
    queue: Arc<Queue>,
    /// Held by who waits for the lock on disk, so that only one thread waits for it.
    writing: Arc<Mutex<()>>,
}

impl LayoutStore {
    /// The layout at `path`. Where there is none, it is an empty one, which the first write makes.
    pub fn open(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let repository = Repository::Layout(path.clone());
        let catalog = Arc::new(Catalog::new(Folder::new(path.clone()), repository.to_string()));
        Self { repository, path, catalog, queue: Arc::default(), writing: Arc::default() }
    }

    /// The manifests that `index.json` lists, each as often as it is listed and with the name under which it is.
    pub async fn entries(&self) -> Result<Vec<Descriptor>, StoreError> {
        self.run(Catalog::entries).await
    }

    /// Does work that blocks where it may.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Catalog) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let catalog = Arc::clone(&self.catalog);
        match task::spawn_blocking(move || work(&catalog)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => panic::resume_unwind(panic),
                Err(error) => Err(self.fail(io::Error::other(error))),
            },
        }
    }

    /// Has a change made, by this or by whoever is writing already.
    async fn change(&self, change: Change) -> Result<bool, StoreError> {
        let mut answer = self.queue.put(change);
        let writing = Arc::clone(&self.writing).lock_owned().await;
        if let Ok(answer) = answer.try_recv() {
            return answer;
        }
        let queue = Arc::clone(&self.queue);
        self.run(move |catalog| {
            queue.serve(catalog);
            // Who gives up waiting for the answer does not let the next one in before the work is done.
            drop(writing);
            Ok(())
        })
        .await?;
        answer.await.unwrap_or_else(|_| Err(self.fail(io::Error::other("the change was not made"))))
    }

    fn fail(&self, source: io::Error) -> StoreError {
        StoreError::Io { path: self.path.clone(), source }
    }
}

#[async_trait]
impl Store for LayoutStore {
    fn repository(&self) -> &Repository {
        &self.repository
    }

    async fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        let target = target.clone();
        self.run(move |catalog| catalog.resolve(&target)).await
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        let target = target.clone();
        self.run(move |catalog| catalog.manifest(&target)).await
    }

    async fn push_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        let tags: Vec<_> = tag.cloned().into_iter().collect();
        let target = Target::Digest(manifest.digest().clone());
        self.put_manifest(manifest, &target, &tags, &Condition::default()).await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.run(Catalog::tags).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let subject = subject.clone();
        self.run(move |catalog| catalog.referrers(&subject)).await
    }

    async fn subjects(&self) -> Result<Option<HashSet<Digest>>, StoreError> {
        self.run(|catalog| catalog.subjects().map(Some)).await
    }

    async fn listing(&self) -> Result<Option<Vec<Listed>>, StoreError> {
        self.run(|catalog| catalog.listing().map(Some)).await
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        let blob = blob.clone();
        self.run(move |catalog| catalog.has(&blob)).await
    }

    async fn blob(&self, blob: &Descriptor) -> Result<ByteStream, StoreError> {
        let digest = blob.digest.clone();
        let (file, path) = self
            .run(move |catalog| {
                let path = catalog.folder().blob(&digest);
                match catalog.folder().open(&path)? {
                    Some((file, _)) => Ok((file, path)),
                    None => Err(catalog.missing(&digest)),
                }
            })
            .await?;
        let mut file = File::from_std(file);
        file.set_max_buf_size(Source::PIECE);
        let pieces = ReaderStream::with_capacity(file, Source::PIECE);
        Ok(verified(blob, pieces.map_err(move |source| StoreError::Io { path: path.clone(), source })))
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
        let mut content = source.open(blob).await?;
        let algorithm = blob.digest.algorithm();
        let staged = self
            .run(move |catalog| {
                catalog.folder().create()?;
                Staged::of_verified(catalog.folder().temporary()?, algorithm)
            })
            .await?;
        // From here on, the file is removed unless it is kept, however this ends.
        let mut size = 0;
        while let Some(bytes) = content.try_next().await? {
            size = staged.append(size, vec![bytes]).await?.ok_or(StoreError::Closed)?;
        }
        self.keep(&staged, &blob.digest).await?;
        Ok(Delivery::Copied)
    }

    async fn untag(&self, tag: &Tag) -> Result<bool, StoreError> {
        self.remove(&Target::Tag(tag.clone()), &Condition::default()).await
    }

    async fn delete_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.remove(&Target::Digest(digest.clone()), &Condition::default()).await
    }
}
