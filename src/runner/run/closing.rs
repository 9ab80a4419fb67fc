//! The end of a run: what never started, what programs are left, and one more look at what was attached.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::{Cost, Ended, Event, Failure, FailureKind, Lacking, Outcome, Patience, Run, StoreError, Summary};

impl Run<'_> {
    pub(super) async fn close(mut self, interrupts: &mut mpsc::UnboundedReceiver<()>) -> Ended {
        let unstarted = self.schedule.unstarted(&self.started);
        // A report that broke only at the end has stopped nothing.
        self.interrupted |= self.report_error.is_some() && !unstarted.is_empty();
        for step in unstarted {
            self.conclude(step, Outcome::Cancelled, None, Cost::default());
        }
        self.end_programs(interrupts).await;
        let unsettled = self.make_sure(interrupts).await;
        let mut rehearsed = self.options.stores.rehearsed();
        if let Some(rehearsed) = &mut rehearsed {
            rehearsed.need(self.program.rights());
            for it in &mut rehearsed.repositories {
                it.repository = self.program.places().shown(&it.repository);
            }
        }
        let (outputs, lacking, mistake) = self.outputs();
        let summary = Arc::new(Summary {
            steps: self.finished.drain(..).flatten().collect(),
            interrupted: self.interrupted,
            unsettled: unsettled.or(mistake),
            rehearsed,
            outputs: self.reporter.members(&outputs),
            lacking,
            elapsed: self.begun.elapsed(),
            chain: self.program.graph().longest_chain(|step| self.round_trips.get(step).copied().unwrap_or_default()),
        });
        self.tell(&Event::RunFinished { summary: Arc::clone(&summary) });
        Ended { summary, report_error: self.report_error }
    }

    /// The plan's outputs, those that have no value, and what is wrong with the first that has none though every step that it
    /// needs has given what it had.
    fn outputs(&self) -> (Map<String, Value>, Vec<Lacking>, Option<Failure>) {
        let (mut outputs, mut lacking, mut mistake) = (Map::new(), Vec::new(), None);
        for (name, needs, value) in self.program.outputs(&self.scope) {
            let failure = match value {
                Ok(value) => {
                    outputs.insert(name.to_owned(), value);
                    continue;
                }
                Err(failure) => failure,
            };
            let missing = needs.iter().filter_map(|step| self.finished.get(*step)?.as_ref());
            let mut missing = missing.filter(|finished| !finished.outcome.is_success()).peekable();
            let output = name.to_owned();
            let Some(first) = missing.peek() else {
                lacking.push(Lacking { output, because: failure.message.clone(), is_skipped: false });
                let message = format!("output `{name}` has no value: {}", failure.message);
                match &mut mistake {
                    None => mistake = Some(Failure { message, ..failure }),
                    Some(Failure { notes, .. }) => notes.push(message),
                }
                continue;
            };
            let because = match &first.outcome {
                Outcome::Failed(_) => format!("`{}` failed", first.step),
                outcome => format!("`{}` was {}", first.step, outcome.word()),
            };
            let is_skipped = missing.all(|finished| matches!(finished.outcome, Outcome::Skipped { .. }));
            lacking.push(Lacking { output, because, is_skipped });
        }
        (outputs, lacking, mistake.filter(|_| !self.interrupted))
    }

    /// Waits for programs whose steps were broken off. They have a grace, until somebody does not want to wait for them.
    async fn end_programs(&mut self, interrupts: &mut mpsc::UnboundedReceiver<()>) {
        let programs = self.programs.clone();
        let mut ended = std::pin::pin!(programs.ended());
        loop {
            tokio::select! {
                biased;
                Some(()) = interrupts.recv() => {
                    self.interrupted = true;
                    programs.hurry();
                }
                () = &mut ended => return,
            }
        }
    }

    /// Looks once more that everything attached is listed, unless nobody wants to wait for it.
    async fn make_sure(&mut self, interrupts: &mut mpsc::UnboundedReceiver<()>) -> Option<Failure> {
        let stores = Arc::clone(&self.options.stores);
        let patience = Patience::new(self.program.retry(), &self.patience, None);
        let mut settle = std::pin::pin!(patience.scope(stores.settle()));
        let error = loop {
            tokio::select! {
                biased;
                Some(()) = interrupts.recv() => {
                    if std::mem::replace(&mut self.interrupted, true) {
                        break None;
                    }
                }
                settled = &mut settle => match settled {
                    Ok(()) => return None,
                    Err(error) => break Some(error),
                },
            }
        };
        let temporary = error.as_ref().is_some_and(StoreError::is_temporary);
        let kind = if temporary { FailureKind::Temporary } else { FailureKind::Step };
        let why = error.map_or_else(|| "interrupted".to_owned(), |error| error.to_string());
        let message = format!("failed to make sure that everything attached is listed: {why}");
        Some(Failure { kind, message, notes: Vec::new(), help: vec!["run the plan again".to_owned()], place: None })
    }
}
