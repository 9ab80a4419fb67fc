use std::{sync::Arc, time::Duration};

use super::TransferRecord;
use crate::{
    event::{Failure, Outcome, StepId},
    output::Output,
    text,
};

/// What became of a step.
#[derive(Debug)]
pub(in crate::report) struct StepRecord {
    /// Name and place.
    pub id: StepId,
    /// The word for it.
    pub kind: String,
    /// After the first event. Nothing: it never did.
    pub started: Option<Duration>,
    /// From its start.
    pub elapsed: Duration,
    /// Nothing: the run was killed before.
    pub outcome: Option<Outcome>,
    /// What it handed on.
    pub output: Option<Arc<Output>>,
    /// What came of it in an earlier run, where this one goes on with that.
    pub resumed: Option<Resumed>,
    /// How many round trips over the network stood one after another in it.
    pub round_trips: u32,
    /// What failed and was tried again.
    pub retries: Vec<Retry>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// Whole lines.
    pub printed: String,
    /// In the order of their start.
    pub transfers: Vec<TransferRecord>,
}

/// An earlier run knew the step.
#[derive(Debug, Clone)]
pub(in crate::report) struct Resumed {
    /// Whether what it did then was taken over, so that it did not run.
    pub taken_over: bool,
    /// Why, or why not.
    pub because: String,
}

/// Something that failed and was tried again.
#[derive(Debug, Clone)]
pub(in crate::report) struct Retry {
    /// How often it had been tried, from 1.
    pub attempt: u32,
    /// How long it waited before the next try.
    pub wait: Duration,
    /// A method and a URL.
    pub request: String,
    /// How it failed.
    pub error: String,
    /// After the first event.
    pub at: Duration,
}

impl StepRecord {
    /// The word where there is no outcome.
    pub(in crate::report) const UNFINISHED: &'static str = "unfinished";

    /// A step that has not started.
    pub(in crate::report) fn new(id: StepId, kind: String) -> Self {
        Self {
            id,
            kind,
            started: None,
            elapsed: Duration::ZERO,
            outcome: None,
            output: None,
            resumed: None,
            round_trips: 0,
            retries: Vec::new(),
            warnings: Vec::new(),
            printed: String::new(),
            transfers: Vec::new(),
        }
    }

    /// The word for its outcome.
    pub(in crate::report) const fn word(&self) -> &'static str {
        match &self.outcome {
            Some(outcome) => outcome.word(),
            None => Self::UNFINISHED,
        }
    }

    /// Why it failed, where it did.
    pub(in crate::report) fn failure(&self) -> Option<&Failure> {
        match &self.outcome {
            Some(Outcome::Failed(failure)) => Some(failure),
            _ => None,
        }
    }

    /// What there is to say in one line: what it was about, or why it did not work.
    pub(in crate::report) fn detail(&self) -> String {
        match &self.outcome {
            None => "the run ended before it did".to_owned(),
            Some(Outcome::Created | Outcome::Updated | Outcome::Unchanged | Outcome::Deleted | Outcome::Passed) => {
                self.output.as_deref().and_then(Output::shown).unwrap_or_default().to_owned()
            }
            Some(Outcome::Skipped { because }) => because.to_string(),
            Some(Outcome::Blocked { by }) => format!("{by} failed"),
            Some(Outcome::Failed(failure)) => failure.message.clone(),
            Some(Outcome::Cancelled) if self.started.is_none() => "never started".to_owned(),
            Some(Outcome::Cancelled) => format!("stopped after {}", text::duration(self.elapsed)),
        }
    }

    /// `0.12 s`; nothing where it never started.
    pub(in crate::report) fn time(&self) -> String {
        self.started.map(|_| text::duration(self.elapsed)).unwrap_or_default()
    }
}

impl Resumed {
    /// In one line.
    pub(in crate::report) fn line(&self) -> String {
        let what = if self.taken_over { "taken over from an earlier run" } else { "ran again" };
        format!("{what}: {}", self.because)
    }
}

impl Retry {
    /// In one line.
    pub(in crate::report) fn line(&self) -> String {
        let Self { attempt, wait, request, error, .. } = self;
        format!("attempt {attempt}: {request}: {error}; tried again after {}", text::duration(*wait))
    }
}
