use std::{io, path::PathBuf};

use super::RunId;

/// Why a journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file cannot be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such run.
    #[error("there is no run {run} in {}", folder.display())]
    NoRun {
        /// Which.
        run: RunId,
        /// Where runs are kept.
        folder: PathBuf,
    },
    /// There is no run at all.
    #[error("there are no runs in {}: name another folder with --workdir", folder.display())]
    NoRuns {
        /// Where runs are kept.
        folder: PathBuf,
    },
    /// It is no journal, or one of another version.
    #[error("{} is no journal that this consign reads: {why}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl JournalError {
    /// Makes what the system said an error about `path`.
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
