use std::{process::ExitStatus, sync::Arc, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
    sync::{Notify, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::task::TaskTracker;

use super::group::Group;
use crate::secret::Secret;

/// The programs that the steps of a run have started. Clones are the same.
///
/// Each is watched over by a task of its own, so that it ends also when its step is dropped, by a timeout or an interrupt:
/// its process group gets SIGTERM, and after a grace SIGKILL.
#[derive(Debug, Clone)]
pub struct Programs {
    running: TaskTracker,
    /// Whether nobody wants to wait any longer.
    hurry: Arc<watch::Sender<bool>>,
    grace: Duration,
}

/// How long a program has between SIGTERM and SIGKILL, and what it leaves running to let go of its output.
const GRACE: Duration = Duration::from_secs(5);

impl Default for Programs {
    fn default() -> Self {
        Self::with_grace(GRACE)
    }
}

/// How a program ended by itself.
#[derive(Debug)]
pub(super) struct Exit<T> {
    pub(super) status: ExitStatus,
    /// What was read of it. Nothing: something that it left running still holds its output.
    pub(super) read: Option<T>,
}

impl Programs {
    /// Where what is told to stop has so much time for it.
    pub fn with_grace(grace: Duration) -> Self {
        Self { running: TaskTracker::new(), hurry: Arc::new(watch::Sender::new(false)), grace }
    }

    /// Starts a program. `stdin` is written to it; `read` takes its stdout and stderr in, and ends it early with the
    /// notification.
    ///
    /// The program ends when the future that comes back is dropped.
    pub(super) fn start<T, R>(
        &self,
        mut command: Command,
        stdin: Option<Secret>,
        read: impl FnOnce(&mut Child, Arc<Notify>) -> R,
    ) -> std::io::Result<oneshot::Receiver<std::io::Result<Exit<T>>>>
    where
        T: Send + 'static,
        R: Future<Output = T> + Send + 'static,
    {
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.kill_on_drop(true).spawn()?;
        let group = Group::of(&child);
        let enough = Arc::new(Notify::new());
        let reading = tokio::spawn(read(&mut child, Arc::clone(&enough)));
        if let (Some(text), Some(pipe)) = (stdin, child.stdin.take()) {
            // It ends with the pipe, which breaks when the program ends.
            tokio::spawn(feed(pipe, text));
        }
        let (tx, rx) = oneshot::channel();
        let watch = Watch { child, group, reading, grace: self.grace, hurry: self.hurry.subscribe() };
        self.running.spawn(watch.over(tx, enough));
        Ok(rx)
    }

    /// Waits until every program has ended. Those whose steps are there no longer do, after the grace at the latest.
    pub async fn ended(&self) {
        self.running.close();
        self.running.wait().await;
    }

    /// Leaves no grace to what still runs.
    pub fn hurry(&self) {
        self.hurry.send_replace(true);
    }
}

async fn feed(mut pipe: ChildStdin, text: Secret) {
    // Who does not read it has no need of it.
    let _ = pipe.write_all(text.reveal().as_bytes()).await;
}

/// Who watches over one program.
struct Watch<T> {
    child: Child,
    group: Group,
    reading: JoinHandle<T>,
    grace: Duration,
    hurry: watch::Receiver<bool>,
}

impl<T> Watch<T> {
    async fn over(mut self, mut tx: oneshot::Sender<std::io::Result<Exit<T>>>, enough: Arc<Notify>) {
        let ended = tokio::select! {
            status = self.child.wait() => Some(status),
            () = tx.closed() => None,
            () = enough.notified() => None,
        };
        let status = match ended {
            Some(status) => status,
            None => self.stop().await,
        };
        let read = if tx.is_closed() { None } else { timeout(self.grace, &mut self.reading).await.ok() };
        // What it left running ends with it, and lets go of its output.
        self.group.kill();
        self.reading.abort();
        let exit = status.map(|status| Exit { status, read: read.and_then(Result::ok) });
        // Where the step is there no longer, nobody wants to know.
        let _ = tx.send(exit);
    }

    /// Ends the program whether it wants to or not.
    async fn stop(&mut self) -> std::io::Result<ExitStatus> {
        self.group.terminate();
        let mut hurry = self.hurry.clone();
        let in_time = tokio::select! {
            status = self.child.wait() => Some(status),
            () = tokio::time::sleep(self.grace) => None,
            _ = hurry.wait_for(|hurry| *hurry) => None,
        };
        if let Some(status) = in_time {
            return status;
        }
        self.group.kill();
        // It may be in no group of its own.
        let _ = self.child.start_kill();
        self.child.wait().await
    }
}
