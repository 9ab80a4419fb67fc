//! What a server asks of a layout.

use std::{
    fs,
    io::{ErrorKind, SeekFrom},
    ops::Range,
    path::Path,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};
use tokio_util::io::ReaderStream;

use super::{LayoutStore, catalog::Catalog, change::Change};
use crate::{
    oci::{Digest, Manifest, Tag, Target},
    store::{ByteStream, Condition, Hosted, Staged, Store, StoreError, staged::Content},
};

/// How much of a file is in memory for each who reads it.
const PIECE: usize = 256 * 1024;

#[async_trait]
impl Hosted for LayoutStore {
    async fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let digest = digest.clone();
        self.run(move |catalog| {
            let size = catalog.folder().size(&digest)?;
            if size.is_some() {
                refresh(&catalog.folder().blob(&digest));
            }
            Ok(size)
        })
        .await
    }

    async fn blob_range(&self, digest: &Digest, range: Range<u64>) -> Result<Option<ByteStream>, StoreError> {
        let digest = digest.clone();
        let opened = self
            .run(move |catalog| {
                let path = catalog.folder().blob(&digest);
                Ok(catalog.folder().open(&path)?.map(|(file, _)| (file, path)))
            })
            .await?;
        let Some((file, path)) = opened else {
            return Ok(None);
        };
        let mut file = File::from_std(file);
        file.set_max_buf_size(PIECE);
        if range.start > 0 {
            let seek = file.seek(SeekFrom::Start(range.start)).await;
            seek.map_err(|source| StoreError::Io { path: path.clone(), source })?;
        }
        let length = range.end.saturating_sub(range.start);
        let capacity = usize::try_from(length).map_or(PIECE, |length| length.clamp(1, PIECE));
        let pieces = ReaderStream::with_capacity(file.take(length), capacity);
        Ok(Some(Box::pin(pieces.map_err(move |source| StoreError::Io { path: path.clone(), source }))))
    }

    async fn keep(&self, staged: &Staged, digest: &Digest) -> Result<(), StoreError> {
        let content = staged.take(digest).await?;
        let digest = digest.clone();
        self.run(move |catalog| catalog.keep(content, &digest)).await
    }

    async fn put_manifest(
        &self,
        manifest: &Manifest,
        target: &Target,
        tags: &[Tag],
        condition: &Condition,
    ) -> Result<(), StoreError> {
        let prepared = manifest.clone();
        self.run(move |catalog| catalog.prepare(&prepared)).await?;
        let (manifest, tags) = (manifest.clone(), tags.to_vec());
        let (of, condition) = (target.clone(), condition.clone());
        self.change(Change::Put { manifest, tags, of, condition }).await.map(drop)
    }

    async fn remove(&self, target: &Target, condition: &Condition) -> Result<bool, StoreError> {
        // A layout that is not there is not made for this.
        if self.resolve(target).await?.is_none() {
            return condition.check(None).map(|()| false);
        }
        let condition = condition.clone();
        self.change(match target.clone() {
            Target::Tag(tag) => Change::Untag { tag, condition },
            Target::Digest(digest) => Change::Remove { digest, condition },
        })
        .await
    }

    async fn remove_blob(&self, digest: &Digest) -> Result<bool, StoreError> {
        let digest = digest.clone();
        self.run(move |catalog| catalog.folder().remove(&digest)).await
    }
}

impl LayoutStore {
    /// Takes a blob from another layout without moving its bytes, where the file system can do that.
    pub(super) async fn link(&self, digest: &Digest, from: &Self) -> Result<bool, StoreError> {
        let digest = digest.clone();
        let from = from.catalog.clone();
        self.run(move |catalog| catalog.link(&digest, &from)).await
    }
}

impl Catalog {
    fn keep(&self, content: Content, digest: &Digest) -> Result<(), StoreError> {
        match content {
            Content::Bytes(bytes) => {
                self.folder().create()?;
                self.folder().write_blob(digest, &bytes)
            }
            Content::File { file, path } => {
                self.folder().create()?;
                file.sync_all().map_err(|source| StoreError::Io { path: path.to_path_buf(), source })?;
                self.folder().keep(path, digest)
            }
        }
    }

    fn link(&self, digest: &Digest, from: &Self) -> Result<bool, StoreError> {
        let source = from.folder().blob(digest);
        let Some((mut file, _)) = from.folder().open(&source)? else {
            return Ok(false);
        };
        refresh(&source);
        if self.folder().size(digest)?.is_some() {
            refresh(&self.folder().blob(digest));
            return Ok(true);
        }
        self.folder().create()?;
        match self.folder().link(&source, digest) {
            Ok(()) => Ok(true),
            Err(StoreError::Io { source: error, .. }) if error.kind() == ErrorKind::AlreadyExists => Ok(true),
            // Another file system, one without links, or too many of them.
            Err(StoreError::Io { .. }) => {
                let mut temporary = self.folder().temporary()?;
                std::io::copy(&mut file, &mut temporary)
                    .and_then(|_| temporary.as_file().sync_all())
                    .map_err(|source| StoreError::Io { path: temporary.path().to_owned(), source })?;
                self.folder().keep(temporary.into_temp_path(), digest)?;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }
}

/// Makes content young again: whoever was told that it is there will not send it, and is about to need it.
fn refresh(path: &Path) {
    const OFTEN_ENOUGH: Duration = Duration::from_mins(1);
    let is_young = |modified: SystemTime| modified.elapsed().is_ok_and(|age| age < OFTEN_ENOUGH);
    if fs::symlink_metadata(path).and_then(|it| it.modified()).is_ok_and(is_young) {
        return;
    }
    // Where this may not be done, the content is as old as it is.
    let _ = fs::File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}
