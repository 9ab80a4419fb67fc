use std::{
    collections::HashSet,
    fs::{self, File, Metadata},
    io,
    path::{Path, PathBuf},
};

use super::{EntryFault, PackError, mode};

/// A directory into which, or against which, an archive is read. Nothing that it does follows a symbolic link below
/// its root.
pub(super) struct Tree {
    root: PathBuf,
    /// Folders, relative to the root, that are known to be no links.
    folders: HashSet<PathBuf>,
}

impl Tree {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), folders: HashSet::new() }
    }

    /// Makes a directory, if it is not there, and those above it.
    pub(super) fn directory(&mut self, path: &Path, mode: u32) -> Result<(), Fail> {
        if path.as_os_str().is_empty() || self.folders.contains(path) {
            return Ok(());
        }
        self.parents(path)?;
        self.folder(path, mode)
    }

    /// Creates a file that is not there.
    pub(super) fn file(&mut self, path: &Path, mode: u32) -> Result<File, Fail> {
        self.parents(path)?;
        let full = self.root.join(path);
        mode::create(&full, mode).map_err(|error| Fail::created(full, error))
    }

    /// Creates a symbolic link, whose target was checked.
    pub(super) fn symlink(&mut self, path: &Path, target: &str) -> Result<(), Fail> {
        self.parents(path)?;
        let full = self.root.join(path);
        mode::symlink(target, &full).map_err(|error| Fail::created(full, error))
    }

    /// Gives a file that is there another name.
    pub(super) fn hard_link(&mut self, path: &Path, target: &Path) -> Result<(), Fail> {
        if !self.find(target)?.is_some_and(|found| found.is_file()) {
            return Err(EntryFault::LinkTarget { target: target.display().to_string() }.into());
        }
        self.parents(path)?;
        let full = self.root.join(path);
        fs::hard_link(self.root.join(target), &full).map_err(|error| Fail::created(full, error))
    }

    /// What is at that path. Nothing, where something in the path is no directory.
    pub(super) fn find(&mut self, path: &Path) -> Result<Option<Metadata>, Fail> {
        for folder in folders_above(path) {
            if self.folders.contains(folder) {
                continue;
            }
            match self.look(folder)? {
                Some(metadata) if metadata.is_dir() => _ = self.folders.insert(folder.to_owned()),
                _ => return Ok(None),
            }
        }
        self.look(path)
    }

    /// The file or link itself, relative to the root.
    pub(super) fn full(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    fn look(&self, path: &Path) -> Result<Option<Metadata>, Fail> {
        let full = self.root.join(path);
        match fs::symlink_metadata(&full) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(Fail::Other(PackError::io(full)(error))),
        }
    }

    fn parents(&mut self, path: &Path) -> Result<(), Fail> {
        if path.as_os_str().is_empty() {
            return Err(EntryFault::Duplicate.into());
        }
        folders_above(path).try_for_each(|folder| self.folder(folder, 0o777))
    }

    /// A directory whose parents are there.
    fn folder(&mut self, path: &Path, mode: u32) -> Result<(), Fail> {
        if self.folders.contains(path) {
            return Ok(());
        }
        match self.look(path)? {
            Some(metadata) if metadata.is_dir() => {}
            Some(metadata) if metadata.is_symlink() => {
                return Err(EntryFault::ThroughLink { link: path.to_owned() }.into());
            }
            Some(_) => return Err(EntryFault::ThroughFile { file: path.to_owned() }.into()),
            None => {
                let full = self.root.join(path);
                mode::create_directory(&full, mode).map_err(|error| Fail::created(full, error))?;
            }
        }
        self.folders.insert(path.to_owned());
        Ok(())
    }
}

/// The folders in a path, from the root down, without the path itself.
fn folders_above(path: &Path) -> impl Iterator<Item = &Path> {
    let mut above: Vec<_> = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()).collect();
    above.reverse();
    above.into_iter()
}

/// What went wrong with an entry whose name only the caller knows.
pub(super) enum Fail {
    Entry(EntryFault),
    Other(PackError),
}

impl Fail {
    fn created(path: PathBuf, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AlreadyExists => Self::Entry(EntryFault::Duplicate),
            _ => Self::Other(PackError::io(path)(error)),
        }
    }

    /// The error that names the entry.
    pub(super) fn of(self, name: &str) -> PackError {
        match self {
            Self::Entry(fault) => PackError::entry(name)(fault),
            Self::Other(error) => error,
        }
    }
}

impl From<EntryFault> for Fail {
    fn from(fault: EntryFault) -> Self {
        Self::Entry(fault)
    }
}
