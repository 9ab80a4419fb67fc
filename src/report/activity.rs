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
    /// In the order of their start.
    running: Vec<Running>,
    /// In the order of their start.
    transfers: Vec<(StepId, Arc<Transfer>)>,
    /// Of transfers that have ended, in bytes.
    moved: u64,
}

/// A step that runs.
#[derive(Debug)]
pub(super) struct Running {
    step: StepId,
    /// The first tick that saw it.
    since: Option<Instant>,
    /// How long it waits before it tries something again, and the first tick that saw that.
    wait: Option<(Duration, Option<Instant>)>,
}

impl Running {
    pub(super) const fn step(&self) -> &StepId {
        &self.step
    }

    /// For how long it has run.
    pub(super) fn elapsed(&self, now: Instant) -> Duration {
        self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// How much longer it waits before it tries something again, where that is a second or more.
    pub(super) fn waits(&self, now: Instant) -> Option<Duration> {
        let (wait, since) = self.wait?;
        let left = wait.saturating_sub(now.saturating_duration_since(since?));
        (left >= Duration::from_secs(1)).then_some(left)
    }
}

impl Activity {
    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::RunStarted { steps, .. } => self.steps = steps.len(),
            Event::StepStarted { step } => {
                self.running.push(Running { step: step.clone(), since: None, wait: None });
            }
            Event::StepFinished { step, .. } => {
                self.running.retain(|running| running.step != *step);
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
            Event::StepRetried { step, wait, .. } => {
                if let Some(running) = self.running.iter_mut().find(|running| running.step == *step) {
                    running.wait = Some((*wait, None));
                }
            }
            Event::Requested { .. }
            | Event::Printed { .. }
            | Event::ProgramWrote { .. }
            | Event::Warned { .. }
            | Event::StepResumed { .. }
            | Event::StepFingerprinted { .. } => {}
        }
    }

    /// Notes when what began since the last tick did.
    pub(super) fn tick(&mut self, now: Instant) {
        for running in &mut self.running {
            running.since.get_or_insert(now);
            if let Some((_, since)) = &mut running.wait {
                since.get_or_insert(now);
            }
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

    /// The running steps.
    pub(super) fn running(&self) -> &[Running] {
        &self.running
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
