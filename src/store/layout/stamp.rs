//! Telling whether a file is still the one that was read.

use std::{fs, io::ErrorKind, path::Path, time::Duration, time::SystemTime};

use crate::store::StoreError;

/// The files that say what a layout holds: another stamp, other files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) index: Option<FileStamp>,
    pub(super) marker: Option<FileStamp>,
}

/// What tells one file from another that was put in its place. Nothing is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileStamp {
    is_file: bool,
    number: u64,
    size: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// Whether it changed so lately that another change could bear the same time.
    pub(super) fn is_fresh(&self) -> bool {
        /// More than the steps in which file systems count time.
        const STEP: Duration = Duration::from_millis(50);
        [self.index, self.marker].into_iter().flatten().any(|file| match file.modified.map(|at| at.elapsed()) {
            Some(Ok(age)) => age < STEP,
            Some(Err(_)) | None => true,
        })
    }
}

impl FileStamp {
    /// Of the file at `path`; nothing where there is none.
    pub(super) fn of(path: &Path) -> Result<Option<Self>, StoreError> {
        match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(Self {
                is_file: metadata.is_file(),
                number: number(&metadata),
                size: metadata.len(),
                modified: metadata.modified().ok(),
            })),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(source) => Err(StoreError::Io { path: path.to_owned(), source }),
        }
    }
}

#[cfg(unix)]
fn number(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn number(_: &fs::Metadata) -> u64 {
    0
}
