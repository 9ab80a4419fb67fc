//! What a run was, from its first event to its last: what reports are made of that are written when it is over.
//!
//! It is told events one by one, and when they were heard; so a run that is long over can be told again.

mod changed;
mod step;
mod transfer;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::{Map, Value};

pub(super) use self::{
    changed::{Place, changed},
    step::{Resumed, Retry, StepRecord},
    transfer::TransferRecord,
};

use crate::event::{Edge, Event, Outcome, StepId, Summary};

/// A run.
#[derive(Debug, Default)]
pub struct Record {
    /// The plan's name.
    pub(super) plan: String,
    /// When it began.
    pub(super) at: Option<SystemTime>,
    /// In file order.
    pub(super) steps: Vec<StepRecord>,
    /// Which step waited for which, and why.
    pub(super) edges: Vec<Edge>,
    /// How it ended. Nothing: it was killed, or still runs.
    pub(super) summary: Option<Arc<Summary>>,
}

impl Record {
    /// Hears what happened, so long after the first event.
    pub fn hear(&mut self, event: &Event, at: Duration) {
        match event {
            Event::RunStarted { plan, steps, edges, at } => {
                *self = Self {
                    plan: plan.to_string(),
                    at: Some(*at),
                    steps: steps.iter().map(|(id, kind)| StepRecord::new(id.clone(), (*kind).to_owned())).collect(),
                    edges: edges.to_vec(),
                    summary: None,
                };
            }
            Event::StepStarted { step } => self.step(step, |record| record.started = Some(at)),
            Event::StepRetried { step, attempt, wait, request, error } => self.step(step, |record| {
                let (request, error) = (request.to_string(), error.to_string());
                record.retries.push(Retry { attempt: *attempt, wait: *wait, request, error, at });
            }),
            Event::TransferStarted { step, transfer } => self.step(step, |record| {
                record.transfers.push(TransferRecord::new(transfer, at));
            }),
            Event::TransferFinished { step, transfer } => self.step(step, |record| {
                let running = record.transfers.iter_mut().rev().filter(|known| known.finished.is_none());
                if let Some(known) = running.into_iter().find(|known| known.digest == *transfer.digest()) {
                    known.finished = Some(at);
                    known.moved = transfer.done();
                }
            }),
            Event::Printed { step, text } => self.step(step, |record| record.printed.push_str(text)),
            Event::Warned { step, message } => self.step(step, |record| record.warnings.push(message.to_string())),
            Event::StepResumed { step, taken_over, because } => self.step(step, |record| {
                record.resumed = Some(Resumed { taken_over: *taken_over, because: because.to_string() });
            }),
            Event::StepFinished { step, outcome, output, elapsed, round_trips } => self.step(step, |record| {
                record.outcome = Some(outcome.clone());
                record.round_trips = *round_trips;
                record.output.clone_from(output);
                record.elapsed = *elapsed;
            }),
            Event::Requested { .. } | Event::ProgramWrote { .. } | Event::StepFingerprinted { .. } => {}
            Event::RunFinished { summary } => self.summary = Some(Arc::clone(summary)),
        }
    }

    fn step(&mut self, step: &StepId, tell: impl FnOnce(&mut StepRecord)) {
        if let Some(record) = self.steps.get_mut(step.index()) {
            tell(record);
        }
    }

    /// The plan's outputs; nothing where the run never ended.
    pub fn outputs(&self) -> Option<&Map<String, Value>> {
        self.summary.as_deref().map(|summary| &summary.outputs)
    }

    /// From the first event to the last that is known.
    pub(super) fn elapsed(&self) -> Duration {
        let ends = self.steps.iter().filter_map(|step| Some(step.started? + step.elapsed));
        self.summary.as_ref().map_or_else(|| ends.max().unwrap_or_default(), |summary| summary.elapsed)
    }

    /// How many steps were taken over from an earlier run.
    pub(super) fn taken_over(&self) -> usize {
        self.steps.iter().filter(|step| step.resumed.as_ref().is_some_and(|resumed| resumed.taken_over)).count()
    }

    /// `3 created, 2 updated, 12 unchanged`: the outcomes that came about, in words.
    pub(super) fn counts(&self) -> String {
        let count = |word: &str| self.steps.iter().filter(|step| step.word() == word).count();
        let words = Outcome::WORDS.iter().chain([&StepRecord::UNFINISHED]);
        let counts = words.map(|word| (count(word), word)).filter(|(count, _)| *count > 0);
        let counts: Vec<_> = counts.map(|(count, word)| format!("{count} {word}")).collect();
        if counts.is_empty() { "nothing to do".to_owned() } else { counts.join(", ") }
    }
}
