use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::event::{Event, StepId, Transfer};

/// What goes on at the moment: what reporters that show progress have to remember.
#[derive(Debug, Default)]
pub(super) struct Activity {
    steps: usize,
    finished: usize,
    /// In the order of their start, with the first tick that saw them.
    running: Vec<(StepId, Option<Instant>)>,
    /// In the order of their start.
    transfers: Vec<(StepId, Arc<Transfer>)>,
    /// Of transfers that have ended, in bytes.
    moved: u64,
}

impl Activity {
    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::RunStarted { steps, .. } => self.steps = steps.len(),
            Event::StepStarted { step } => self.running.push((step.clone(), None)),
            Event::StepFinished { step, .. } => {
                self.running.retain(|(running, _)| running != step);
                self.finished += 1;
            }
            Event::TransferStarted { step, transfer } => self.transfers.push((step.clone(), Arc::clone(transfer))),
            Event::TransferFinished { transfer, .. } => {
                self.transfers.retain(|(_, running)| !Arc::ptr_eq(running, transfer));
                self.moved += transfer.done();
            }
            Event::RunFinished { .. } => {
                self.running.clear();
                self.transfers.clear();
            }
            Event::StepRetried { .. } | Event::Printed { .. } | Event::Warned { .. } => {}
        }
    }

    /// Notes when the steps that started since the last tick began.
    pub(super) fn tick(&mut self, now: Instant) {
        for (_, since) in &mut self.running {
            since.get_or_insert(now);
        }
    }

    pub(super) const fn steps(&self) -> usize {
        self.steps
    }

    pub(super) const fn finished(&self) -> usize {
        self.finished
    }

    /// How many steps have neither started nor finished.
    pub(super) const fn waiting(&self) -> usize {
        self.steps.saturating_sub(self.finished).saturating_sub(self.running.len())
    }

    /// The running steps, and for how long they have run.
    pub(super) fn running(&self, now: Instant) -> impl ExactSizeIterator<Item = (&StepId, Duration)> {
        self.running.iter().map(move |(step, since)| {
            (step, since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since)))
        })
    }

    /// The running transfers.
    pub(super) fn transfers(&self) -> &[(StepId, Arc<Transfer>)] {
        &self.transfers
    }

    /// What has been moved so far, in bytes.
    pub(super) fn moved(&self) -> u64 {
        self.transfers.iter().fold(self.moved, |sum, (_, transfer)| sum.saturating_add(transfer.done()))
    }

    /// What will have been moved when all running transfers are through, in bytes.
    pub(super) fn expected(&self) -> u64 {
        let total = |transfer: &Transfer| transfer.total().max(transfer.done());
        self.transfers.iter().fold(self.moved, |sum, (_, transfer)| sum.saturating_add(total(transfer)))
    }
}
