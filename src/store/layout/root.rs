//! A folder of image layouts, one for each repository of a registry.
//!
//! The repository `a/b` is the layout `ROOT/a/b`. A part of a name that a layout uses itself (`blobs`) gets a `_` before
//! it, which no name begins with. Uploads lie in `ROOT/.uploads`, where no repository can be, until they are whole.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use tokio::task;
use walkdir::WalkDir;

use super::{LayoutStore, folder};
use crate::{
    oci::{Algorithm, Digest, RepositoryName},
    store::{Host, Hosted, Staged, StoreError},
};

/// Repositories on disk.
#[derive(Debug)]
pub struct LayoutRoot {
    root: PathBuf,
    opened: Mutex<HashMap<RepositoryName, Arc<LayoutStore>>>,
}

/// What a layout has in its folder.
const RESERVED: [&str; 4] = ["blobs", "ingest", "index.json", "oci-layout"];

impl LayoutRoot {
    /// How many repositories are kept open while nobody asks for them.
    const OPEN: usize = 10_000;

    /// The repositories under `root`, which is made where it does not exist.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        let uploads = uploads(&root);
        fs::create_dir_all(&uploads).map_err(|source| StoreError::Io { path: uploads, source })?;
        Self::existing(root)
    }

    /// As [`LayoutRoot::open`], for a folder that exists; nothing is made.
    pub fn existing(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        fs::read_dir(&root).map_err(|source| StoreError::Io { path: root.clone(), source })?;
        if root.join("oci-layout").exists() {
            let message = "it is an image layout itself: name the folder that has layouts in it";
            return Err(folder::layout(&root, message));
        }
        Ok(Self { root, opened: Mutex::default() })
    }

    /// Every layout with the name of its repository, sorted by name.
    pub fn repositories(&self) -> Result<Vec<(RepositoryName, Arc<LayoutStore>)>, StoreError> {
        Ok(self.list()?.into_iter().map(|name| (name.clone(), self.repository(&name))).collect())
    }

    /// Where uploads lie that are not whole yet.
    pub(super) fn uploads(&self) -> PathBuf {
        uploads(&self.root)
    }

    fn repository(&self, name: &RepositoryName) -> Arc<LayoutStore> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.len() >= Self::OPEN && !opened.contains_key(name) {
            opened.retain(|_, store| Arc::strong_count(store) > 1);
        }
        Arc::clone(opened.entry(name.clone()).or_insert_with(|| Arc::new(LayoutStore::open(self.path(name)))))
    }

    fn path(&self, name: &RepositoryName) -> PathBuf {
        self.root.join(folder_of(name))
    }

    /// The repository whose layout is at `path`.
    fn name(&self, path: &Path) -> Option<RepositoryName> {
        name_of(path.strip_prefix(&self.root).ok()?)
    }

    fn list(&self) -> Result<Vec<RepositoryName>, StoreError> {
        let mut names = Vec::new();
        let own = |name: &str| name.starts_with('.') || RESERVED.contains(&name);
        let folders = WalkDir::new(&self.root).min_depth(1).into_iter();
        let folders = folders.filter_entry(|it| it.file_type().is_dir() && !it.file_name().to_str().is_none_or(own));
        for folder in folders {
            let folder = folder.map_err(|error| StoreError::Io {
                path: error.path().unwrap_or(&self.root).to_owned(),
                source: error.into(),
            })?;
            if folder.path().join("oci-layout").exists() {
                names.extend(self.name(folder.path()));
            }
        }
        names.sort();
        Ok(names)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = task::spawn_blocking(work).await;
        done.unwrap_or_else(|error| Err(StoreError::Io { path: self.root.clone(), source: io::Error::other(error) }))
    }
}

/// The folder of that repository, below the folder of its registry.
pub(in crate::store) fn folder_of(name: &RepositoryName) -> PathBuf {
    let part = |part: &str| if RESERVED.contains(&part) { format!("_{part}") } else { part.to_owned() };
    name.as_str().split('/').map(part).collect()
}

/// The repository whose folder this is.
pub(in crate::store) fn name_of(folder: &Path) -> Option<RepositoryName> {
    let parts: Option<Vec<&str>> = folder.iter().map(|part| Some(unescaped(part.to_str()?))).collect();
    parts?.join("/").parse().ok()
}

fn uploads(root: &Path) -> PathBuf {
    root.join(".uploads")
}

fn unescaped(part: &str) -> &str {
    part.strip_prefix('_').filter(|part| RESERVED.contains(part)).unwrap_or(part)
}

#[async_trait]
impl Host for LayoutRoot {
    async fn find(&self, name: &RepositoryName) -> Result<Option<Arc<dyn Hosted>>, StoreError> {
        let marker = self.path(name).join("oci-layout");
        let exists = self.run(move || Ok(marker.is_file())).await?;
        Ok(exists.then(|| self.repository(name) as Arc<dyn Hosted>))
    }

    async fn open(&self, name: &RepositoryName) -> Result<Arc<dyn Hosted>, StoreError> {
        Ok(self.repository(name))
    }

    async fn names(&self) -> Result<Vec<RepositoryName>, StoreError> {
        let same = Self { root: self.root.clone(), opened: Mutex::default() };
        self.run(move || same.list()).await
    }

    async fn stage(&self, algorithm: Algorithm) -> Result<Staged, StoreError> {
        let uploads = self.uploads();
        self.run(move || Staged::in_file(folder::temporary_in(&uploads)?, algorithm)).await
    }

    async fn mount(
        &self,
        digest: &Digest,
        from: Option<&RepositoryName>,
        to: &RepositoryName,
    ) -> Result<bool, StoreError> {
        let sources = match from {
            Some(from) => vec![from.clone()],
            None => self.names().await?,
        };
        let target = self.repository(to);
        for source in sources {
            if target.link(digest, &self.repository(&source)).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
