//! The end of a run: what never started, what programs are left, and one more look at what was attached.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Cost, Ended, Event, Failure, FailureKind, Outcome, Patience, Run, StoreError, Summary};

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
        let summary = Arc::new(Summary {
            steps: self.finished.drain(..).flatten().collect(),
            interrupted: self.interrupted,
            unsettled,
            rehearsed,
            outputs: self.reporter.members(&self.program.outputs(&self.scope)),
            elapsed: self.begun.elapsed(),
            chain: self.program.graph().longest_chain(|step| self.round_trips.get(step).copied().unwrap_or_default()),
        });
        self.tell(&Event::RunFinished { summary: Arc::clone(&summary) });
        Ended { summary, report_error: self.report_error }
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
