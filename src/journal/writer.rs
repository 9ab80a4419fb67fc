use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use super::{Header, JournalError, RunId};

/// The journal of a run that lasts. Dropping it waits until all of it is on the disk.
#[derive(Debug)]
pub struct Journal {
    run: RunId,
    file: Arc<File>,
    /// Says that there is something to bring to the disk.
    wake: Option<SyncSender<()>>,
    syncing: Option<JoinHandle<()>>,
    failed: Arc<Mutex<Option<io::Error>>>,
    _running: File,
}

impl Journal {
    pub(super) fn create(path: &Path, header: &Header, running: File) -> Result<Self, JournalError> {
        let fail = || JournalError::io("write", path);
        let file = OpenOptions::new().append(true).create_new(true).open(path).map_err(fail())?;
        let file = Arc::new(file);
        let failed = Arc::default();
        // Room for one: whoever asks while the disk is busy is served by the next turn.
        let (wake, woken) = sync_channel(1);
        let syncing = {
            let (file, failed) = (Arc::clone(&file), Arc::clone(&failed));
            thread::Builder::new().name("journal".to_owned()).spawn(move || sync(&file, &woken, &failed))
        };
        let syncing = syncing.map_err(fail())?;
        let run = header.run.clone();
        let mut journal = Self { run, file, wake: Some(wake), syncing: Some(syncing), failed, _running: running };
        let line = serde_json::to_string(header).map_err(io::Error::from).map_err(fail())?;
        writeln!(journal, "{line}").map_err(fail())?;
        journal.sync().map_err(fail())?;
        Ok(journal)
    }

    /// Which run.
    pub const fn run(&self) -> &RunId {
        &self.run
    }

    /// Brings what was written to the disk, without waiting for it: nothing that follows depends on it. What goes wrong
    /// is told the next time.
    pub fn sync(&self) -> io::Result<()> {
        if let Some(wake) = &self.wake {
            // Full: it will be done anyway. Gone: the reason is behind `failed`.
            let _ = wake.try_send(());
        }
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}

/// Appends. One call is one write of the system, so that a line is there whole or not at all, as far as that can be had.
impl Write for Journal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.file).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.file).flush()
    }
}

fn sync(file: &File, woken: &Receiver<()>, failed: &Mutex<Option<io::Error>>) {
    while woken.recv().is_ok() {
        if let Err(error) = file.sync_data() {
            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        drop(self.sync());
        drop(self.wake.take());
        if let Some(syncing) = self.syncing.take() {
            drop(syncing.join());
        }
    }
}
