use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::{Event, ProgramStream, StepId, Transfer};
use crate::oci::Descriptor;

/// A step's end of the event stream. Events of a listener that is gone are dropped.
#[derive(Debug, Clone)]
pub struct Progress {
    step: StepId,
    tx: UnboundedSender<Event>,
}

/// Says that a transfer ended when it is dropped, so that a broken transfer ends too.
#[derive(Debug)]
pub struct RunningTransfer {
    progress: Progress,
    transfer: Arc<Transfer>,
}

impl Progress {
    /// The end of the stream that `step` speaks into.
    pub const fn new(step: StepId, tx: UnboundedSender<Event>) -> Self {
        Self { step, tx }
    }

    /// The step that speaks.
    pub const fn step(&self) -> &StepId {
        &self.step
    }

    /// Says something.
    pub fn send(&self, event: Event) {
        // Nobody listens after the run has ended; then there is nothing to tell.
        let _ = self.tx.send(event);
    }

    /// Prints `text` for the plan's user.
    pub fn print(&self, text: impl Into<Arc<str>>) {
        self.send(Event::Printed { step: self.step.clone(), text: text.into() });
    }

    /// Says what a program wrote: whole lines.
    pub fn program_wrote(&self, stream: ProgramStream, text: impl Into<Arc<str>>) {
        self.send(Event::ProgramWrote { step: self.step.clone(), stream, text: text.into() });
    }

    /// Says something that a person should know.
    pub fn warn(&self, message: impl Into<Arc<str>>) {
        self.send(Event::Warned { step: self.step.clone(), message: message.into() });
    }

    /// Says that `content` begins to move.
    pub fn transfer(&self, content: &Descriptor) -> RunningTransfer {
        let name = content.title().unwrap_or(&content.media_type).to_owned();
        let transfer = Arc::new(Transfer::new(name, content.digest.clone(), content.size));
        self.send(Event::TransferStarted { step: self.step.clone(), transfer: Arc::clone(&transfer) });
        RunningTransfer { progress: self.clone(), transfer }
    }
}

impl RunningTransfer {
    /// Counts `bytes` more.
    pub fn advance(&self, bytes: u64) {
        self.transfer.advance(bytes);
    }
}

impl Drop for RunningTransfer {
    fn drop(&mut self) {
        self.progress
            .send(Event::TransferFinished { step: self.progress.step.clone(), transfer: Arc::clone(&self.transfer) });
    }
}
