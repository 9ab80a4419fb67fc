//! The files of an image layout: where they are, how they are read, and how they come to be whole or not at all.
//!
//! Everything here blocks. Every file is written beside, in `ingest/`, brought to the disk, and renamed.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use tempfile::{NamedTempFile, TempPath};

use super::stamp::{FileStamp, Stamp};
use crate::{
    oci::{Algorithm, Digest},
    store::StoreError,
};

/// The folder that a layout is in. It need not exist until something is written.
///
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md#content>
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    const VERSION: &str = "1.0.0";

    pub(super) const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn index(&self) -> PathBuf {
        self.root.join("index.json")
    }

    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs(digest).join(digest.hex())
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn blobs(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.algorithm().name())
    }

    pub(super) fn ingest(&self) -> PathBuf {
        self.root.join("ingest")
    }

    fn marker(&self) -> PathBuf {
        self.root.join("oci-layout")
    }

    /// The size in bytes of the content of `digest`, unless it is not there.
    pub(super) fn size(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        self.look().size(digest)
    }

    /// For a look at many files.
    pub(super) fn look(&self) -> Look<'_> {
        let is_folder = |path: &Path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
        let blobs = self.root.join("blobs");
        let is_plain = |algorithm: Algorithm| is_folder(&blobs.join(algorithm.name()));
        let are_plain = is_folder(&blobs);
        Look {
            folder: self,
            sha256: are_plain && is_plain(Algorithm::Sha256),
            sha512: are_plain && is_plain(Algorithm::Sha512),
        }
    }

    /// Which files the layout's own are just now.
    pub(super) fn stamp(&self) -> Result<Stamp, StoreError> {
        Ok(Stamp { index: FileStamp::of(&self.index())?, marker: FileStamp::of(&self.marker())? })
    }

    /// As [`Folder::stamp`] will be once `prepared` is in the place of `index.json`.
    pub(super) fn stamp_with(&self, prepared: &Path) -> Result<Stamp, StoreError> {
        Ok(Stamp { index: FileStamp::of(prepared)?, marker: FileStamp::of(&self.marker())? })
    }

    /// The file, and its size in bytes, unless it does not exist. What leads out of the layout is not followed.
    pub(super) fn open(&self, path: &Path) -> Result<Option<(File, u64)>, StoreError> {
        let Some(real) = self.inside(path)? else {
            return Ok(None);
        };
        let fail = |source| StoreError::Io { path: path.to_owned(), source };
        // Asked before it is opened: opening a pipe waits for a writer.
        if !fs::metadata(&real).map_err(fail)?.is_file() {
            return Err(layout(path, "it is not a file"));
        }
        match File::open(&real) {
            Ok(file) => {
                let size = file.metadata().map_err(fail)?.len();
                Ok(Some((file, size)))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(fail(error)),
        }
    }

    /// The whole file, unless it does not exist. One of more than `limit` bytes is refused.
    pub(super) fn read(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some((file, size)) = self.open(path)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        if size <= limit {
            let fail = |source| StoreError::Io { path: path.to_owned(), source };
            file.take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
        }
        if size.max(bytes.len() as u64) > limit {
            return Err(layout(path, format!("it has more than {limit} bytes, which is the most that is read")));
        }
        Ok(Some(bytes))
    }

    /// Where `path` really is, unless it does not exist.
    fn inside(&self, path: &Path) -> Result<Option<PathBuf>, StoreError> {
        let real = |path: &Path| match path.canonicalize() {
            Ok(real) => Ok(Some(real)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                Err(layout(&self.root, "an image layout is a folder, and this is not one"))
            }
            Err(source) => Err(StoreError::Io { path: path.to_owned(), source }),
        };
        let (Some(root), Some(real)) = (real(&self.root)?, real(path)?) else {
            return Ok(None);
        };
        if real.starts_with(&root) {
            Ok(Some(real))
        } else {
            Err(layout(path, "it is a symbolic link that leads out of the layout, which is not followed"))
        }
    }

    /// Refuses what calls itself a layout of another version.
    pub(super) fn check_version(&self) -> Result<(), StoreError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Marker {
            image_layout_version: String,
        }
        let path = self.marker();
        let Some(bytes) = self.read(&path, 64 * 1024)? else {
            return Ok(());
        };
        let marker: Marker = serde_json::from_slice(&bytes)
            .map_err(|error| layout(&path, format!("it is not what it should be: {error}")))?;
        if marker.image_layout_version == Self::VERSION {
            return Ok(());
        }
        let message =
            format!("the layout has version `{}`; `{}` is supported", marker.image_layout_version, Self::VERSION);
        Err(layout(&path, message))
    }

    /// Makes the layout where there is none yet.
    pub(super) fn create(&self) -> Result<(), StoreError> {
        self.create_folder(&self.root)?;
        self.create_folder(&self.ingest())?;
        self.check_version()?;
        let marker = format!(r#"{{"imageLayoutVersion":"{}"}}"#, Self::VERSION);
        self.write_new(&self.marker(), marker.as_bytes())?;
        self.write_new(&self.index(), super::index_file::IndexFile::default().to_bytes()?.as_slice())
    }

    fn create_folder(&self, path: &Path) -> Result<(), StoreError> {
        fs::create_dir_all(path).map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
        self.inside(path).map(drop)
    }

    /// The lock that every change to `index.json` is made under, in this process and in others. Dropping it lets go;
    /// so does the end of the process, however it comes.
    pub(super) fn lock(&self) -> Result<File, StoreError> {
        let path = self.root.join(".lock");
        let fail = |source| StoreError::Io { path: path.clone(), source };
        match fs::symlink_metadata(&path) {
            Ok(metadata) if !metadata.is_file() => return Err(layout(&path, "it is not a file")),
            _ => {}
        }
        let file = File::options().create(true).append(true).open(&path).map_err(fail)?;
        file.lock().map_err(fail)?;
        Ok(file)
    }

    /// An empty file that nobody sees, gone again unless it is kept.
    pub(super) fn temporary(&self) -> Result<NamedTempFile, StoreError> {
        temporary_in(&self.ingest())
    }

    /// Makes a file that was written whole and brought to the disk the content of `digest`.
    pub(super) fn keep(&self, temporary: TempPath, digest: &Digest) -> Result<(), StoreError> {
        self.create_folder(&self.root.join("blobs"))?;
        self.create_folder(&self.blobs(digest))?;
        rename(temporary, &self.blob(digest))
    }

    /// Makes a file that is content of another layout that of this one too, without a copy.
    pub(super) fn link(&self, source: &Path, digest: &Digest) -> Result<(), StoreError> {
        self.create_folder(&self.root.join("blobs"))?;
        self.create_folder(&self.blobs(digest))?;
        let path = self.blob(digest);
        fs::hard_link(source, &path)
            .map_err(|source| StoreError::Io { path: path.clone(), source })
            .and_then(|()| sync_folder(&path))
    }

    /// Makes `bytes` the content of `digest`.
    pub(super) fn write_blob(&self, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        self.keep(self.filled(bytes)?, digest)
    }

    /// Puts a file that was written whole in the place of `path`.
    pub(super) fn replace(prepared: TempPath, path: &Path) -> Result<(), StoreError> {
        rename(prepared, path)
    }

    /// Makes `path` a file of `bytes`, unless there is one.
    fn write_new(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        if fs::symlink_metadata(path).is_ok() {
            return Ok(());
        }
        match self.filled(bytes)?.persist_noclobber(path) {
            Ok(()) => sync_folder(path),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(StoreError::Io { path: path.to_owned(), source: error.error }),
        }
    }

    /// A file of `bytes` that was brought to the disk and is not in its place yet.
    pub(super) fn filled(&self, bytes: &[u8]) -> Result<TempPath, StoreError> {
        let mut file = self.temporary()?;
        file.write_all(bytes)
            .and_then(|()| file.as_file().sync_all())
            .map_err(|source| StoreError::Io { path: file.path().to_owned(), source })?;
        Ok(file.into_temp_path())
    }

    /// Removes the content of `digest`. `false`: it was not there.
    pub(super) fn remove(&self, digest: &Digest) -> Result<bool, StoreError> {
        if self.inside(&self.blobs(digest))?.is_none() {
            return Ok(false);
        }
        let path = self.blob(digest);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }
}

/// Looks at one file after the other. Where no link is on the way, nothing leads out, and that is cheap to see.
pub(super) struct Look<'a> {
    folder: &'a Folder,
    sha256: bool,
    sha512: bool,
}

impl Look<'_> {
    /// As [`Folder::size`].
    pub(super) fn size(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let is_plain = match digest.algorithm() {
            Algorithm::Sha256 => self.sha256,
            Algorithm::Sha512 => self.sha512,
        };
        let path = self.folder.blob(digest);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if is_plain && metadata.is_file() => Ok(Some(metadata.len())),
            Err(error) if is_plain && error.kind() == ErrorKind::NotFound => Ok(None),
            _ => Ok(self.folder.open(&path)?.map(|(_, size)| size)),
        }
    }
}

/// An empty file in `folder`, gone again unless it is kept.
pub(super) fn temporary_in(folder: &Path) -> Result<NamedTempFile, StoreError> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A layout is for others to read; the umask still holds.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder).map_err(|source| StoreError::Io { path: folder.to_owned(), source })
}

fn rename(temporary: TempPath, path: &Path) -> Result<(), StoreError> {
    temporary
        .persist(path)
        .map_err(|error| StoreError::Io { path: path.to_owned(), source: error.error })
        .and_then(|()| sync_folder(path))
}

/// Brings the name of a new file to the disk, where the system can do that.
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path.parent().filter(|_| cfg!(unix)) else {
        return Ok(());
    };
    let fail = |source: io::Error| StoreError::Io { path: folder.to_owned(), source };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)
}

pub(super) fn layout(path: &Path, message: impl Into<String>) -> StoreError {
    StoreError::Layout { path: path.to_owned(), message: message.into() }
}
