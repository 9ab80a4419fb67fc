use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::{Header, Held, Journal, JournalError, PlanLock, Record, RunId, record};

/// The folder `.consign`, in which a work folder's runs are kept.
#[derive(Debug, Clone)]
pub struct JournalFolder {
    path: PathBuf,
}

/// What a run's folder has in it.
pub(super) const JOURNAL: &str = "journal.ndjson";
/// Locked as long as the run lasts.
const RUNNING: &str = "running.lock";

impl JournalFolder {
    /// How many runs are kept. When one begins, older ones go, unless they are running.
    pub const KEPT: usize = 50;

    /// That of a work folder, which need not be there.
    pub fn of(workdir: &Path) -> Self {
        Self { path: workdir.join(".consign") }
    }

    /// Begins a run's journal under a name that no run had before. `header` makes its first line.
    pub fn begin(&self, header: impl FnOnce(RunId) -> Header) -> Result<Journal, JournalError> {
        self.create()?;
        let runs = self.runs()?;
        self.remove_old(&runs);
        let now = RunId::at(Timestamp::now());
        // A clock that was set back must not make a later run look older.
        let mut id = runs.last().map(RunId::next).filter(|after| *after > now).unwrap_or(now);
        let folder = loop {
            let folder = self.run(&id);
            match fs::create_dir(&folder) {
                Ok(()) => break folder,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => id = id.next(),
                Err(error) => return Err(JournalError::io("create", folder)(error)),
            }
        };
        let running = folder.join(RUNNING);
        let lock = File::create(&running).map_err(JournalError::io("create", &running))?;
        lock.lock().map_err(JournalError::io("lock", running))?;
        Journal::create(&folder.join(JOURNAL), &header(id), lock)
    }

    /// Every run, the oldest first.
    pub fn runs(&self) -> Result<Vec<RunId>, JournalError> {
        let folder = self.path.join("runs");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(JournalError::io("read", folder)(error)),
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut runs: Vec<RunId> = names.filter_map(|name| name.parse().ok()).collect();
        runs.sort();
        Ok(runs)
    }

    /// The journal of that run, or of the last one, as far as it was written.
    pub fn read(&self, run: Option<&RunId>) -> Result<Record, JournalError> {
        let folder = || self.path.join("runs");
        let run = match run {
            Some(run) => run.clone(),
            None => self.runs()?.pop().ok_or_else(|| JournalError::NoRuns { folder: folder() })?,
        };
        let path = self.run(&run);
        if !path.is_dir() {
            return Err(JournalError::NoRun { run, folder: folder() });
        }
        record::read(&path.join(JOURNAL), self.is_running(&run))
    }

    /// Whether a process is at work on that run.
    pub fn is_running(&self, run: &RunId) -> bool {
        let lock = File::open(self.run(run).join(RUNNING));
        lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
    }

    /// Makes sure that nobody else runs this plan from here. Where somebody does, that is said, or with `wait` waited for.
    pub fn lock(&self, plan: &Path) -> Result<Result<PlanLock, Held>, JournalError> {
        self.create()?;
        let locks = self.path.join("locks");
        fs::create_dir_all(&locks).map_err(JournalError::io("create", &locks))?;
        PlanLock::take(&locks, plan)
    }

    fn run(&self, id: &RunId) -> PathBuf {
        self.path.join("runs").join(id.as_str())
    }

    /// Creates the folder, with a `.gitignore` that keeps all of it out of repositories.
    fn create(&self) -> Result<(), JournalError> {
        let runs = self.path.join("runs");
        fs::create_dir_all(&runs).map_err(JournalError::io("create", runs))?;
        let ignore = self.path.join(".gitignore");
        if ignore.exists() {
            return Ok(());
        }
        fs::write(&ignore, "# what consign remembers of its runs\n*\n").map_err(JournalError::io("write", ignore))
    }

    /// Makes room for one more. What cannot be removed stays: the run matters more.
    fn remove_old(&self, runs: &[RunId]) {
        let old = (runs.len() + 1).saturating_sub(Self::KEPT);
        for run in runs.iter().take(old).filter(|run| !self.is_running(run)) {
            let _ = fs::remove_dir_all(self.run(run));
        }
    }
}
