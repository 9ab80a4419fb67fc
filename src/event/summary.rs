use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};

use super::{Chain, Failure, FailureKind, Lacking, Outcome, Rehearsed, StepId};
use crate::output::Output;

/// What became of every step.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// One for each step, in file order.
    pub steps: Vec<Finished>,
    /// Whether somebody stopped the run.
    pub interrupted: bool,
    /// What went wrong after the last step: what was attached may not all be listed, or an output cannot be worked out.
    pub unsettled: Option<Failure>,
    /// What a real run would do, where this was a rehearsal.
    pub rehearsed: Option<Rehearsed>,
    /// The plan's outputs, as far as they have values.
    pub outputs: Map<String, Value>,
    /// Those that have none, in the order of the plan.
    pub lacking: Vec<Lacking>,
    /// Of the whole run.
    pub elapsed: Duration,
    /// What it waited for the longest.
    pub chain: Chain,
}

/// A step that ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Which.
    pub step: StepId,
    /// How.
    pub outcome: Outcome,
    /// What it hands on, where it succeeded.
    pub output: Option<Arc<Output>>,
}

/// What the program says to the shell. The numbers are a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// Every step succeeded or was skipped.
    Success = 0,
    /// A step failed.
    Failed = 1,
    /// Nothing ran: the command line or the plan is wrong.
    Invalid = 2,
    /// A gate said no.
    Gate = 3,
    /// What is there is not what was approved or recorded, or changes are pending.
    Drift = 4,
    /// Every failure was temporary.
    Temporary = 75,
    /// Interrupted.
    Interrupted = 130,
}

impl Summary {
    /// The steps that failed, each with why.
    pub fn failures(&self) -> impl Iterator<Item = (&StepId, &str)> {
        self.steps.iter().filter_map(|finished| match &finished.outcome {
            Outcome::Failed(failure) => Some((&finished.step, failure.message.as_str())),
            _ => None,
        })
    }

    /// How many steps ended with the outcome of that word.
    pub fn count(&self, word: &str) -> usize {
        self.steps.iter().filter(|finished| finished.outcome.word() == word).count()
    }

    /// What to tell the shell. Where several hold: interrupted, then a gate, then a failure; temporary only where all
    /// failures are. What the plan tolerates does not count, and what fails in `finally` only where nothing else does.
    pub fn exit_code(&self) -> ExitCode {
        let failures: Vec<_> = self
            .steps
            .iter()
            .filter_map(|finished| match &finished.outcome {
                Outcome::Failed(failure) => Some(failure.kind),
                _ => None,
            })
            .chain(self.unsettled.iter().map(|failure| failure.kind))
            .collect();
        if self.interrupted {
            ExitCode::Interrupted
        } else if failures.contains(&FailureKind::Gate) {
            ExitCode::Gate
        } else if failures.contains(&FailureKind::Step) {
            ExitCode::Failed
        } else if failures.contains(&FailureKind::Temporary) {
            ExitCode::Temporary
        } else if failures.contains(&FailureKind::Finally) {
            ExitCode::Failed
        } else {
            ExitCode::Success
        }
    }
}
