use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use super::{JournalError, RunId};
use crate::oci::Digest;

/// Says that this process runs a plan, to all others that would run it from the same work folder.
#[derive(Debug)]
pub struct PlanLock {
    file: File,
    path: PathBuf,
}

/// The lock of a plan that somebody else runs.
#[derive(Debug)]
pub struct Held {
    /// Who, in words, where that is known.
    pub by: Option<String>,
    lock: PlanLock,
}

impl PlanLock {
    pub(super) fn take(folder: &Path, plan: &Path) -> Result<Result<Self, Held>, JournalError> {
        let stem = plan.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let path = folder.join(format!("{stem}-{}.lock", Digest::sha256(plan.as_os_str().as_encoded_bytes()).short()));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut lock = Self { file: file.map_err(JournalError::io("open", &path))?, path };
        match lock.file.try_lock() {
            Ok(()) => Ok(Ok(lock)),
            Err(TryLockError::WouldBlock) => Ok(Err(Held { by: lock.holder(), lock })),
            Err(TryLockError::Error(error)) => Err(JournalError::io("lock", lock.path)(error)),
        }
    }

    /// Says which run it is.
    pub fn name(&mut self, run: &RunId) -> Result<(), JournalError> {
        let write = |file: &mut File| -> io::Result<()> {
            file.rewind()?;
            file.set_len(0)?;
            writeln!(file, "run {run}, process {}", std::process::id())
        };
        write(&mut self.file).map_err(JournalError::io("write", &self.path))
    }

    fn holder(&mut self) -> Option<String> {
        let mut text = String::new();
        (&self.file).take(1024).read_to_string(&mut text).ok()?;
        text.lines().next().map(str::to_owned)
    }
}

impl Held {
    /// Waits until it is let go.
    pub fn wait(self) -> Result<PlanLock, JournalError> {
        self.lock.file.lock().map_err(JournalError::io("lock", &self.lock.path))?;
        Ok(self.lock)
    }
}
