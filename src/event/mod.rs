//! What happens during a run, as values: the one stream that every reporter hears.
//!
//! Reporters match [`Event`] exhaustively, so that a new event is a compile error in each of them.
//! How many bytes a transfer has moved is not an event but a counter in [`Transfer`]: counting costs nothing there.

mod chain;
mod edge;
mod failure;
mod fingerprint;
mod lacking;
mod outcome;
mod program_stream;
mod progress;
mod rehearsed;
mod step_id;
mod summary;
mod transfer;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

pub use self::{
    chain::Chain,
    edge::{Edge, Node, Reason},
    failure::{Failure, FailureKind, Place},
    fingerprint::Fingerprint,
    lacking::Lacking,
    outcome::Outcome,
    program_stream::ProgramStream,
    progress::{Progress, RunningTransfer},
    rehearsed::{Change, InjectedFault, Rehearsed, RehearsedRepository, Rights},
    step_id::StepId,
    summary::{ExitCode, Finished, Summary},
    transfer::Transfer,
};
use crate::output::Output;

/// One thing that happened. Clones are cheap.
#[derive(Debug, Clone)]
pub enum Event {
    /// The first event, once.
    RunStarted {
        /// The plan's name, or its file's where it has none.
        plan: Arc<str>,
        /// Every step, in file order, with its kind.
        steps: Arc<[(StepId, &'static str)]>,
        /// Which step waits for which, and why.
        edges: Arc<[Edge]>,
        /// When, by the clock on the wall.
        at: SystemTime,
    },
    /// A step began to work.
    StepStarted {
        /// Which.
        step: StepId,
    },
    /// Something failed that may pass, and will be tried again.
    StepRetried {
        /// Which.
        step: StepId,
        /// How often it has been tried already, from 1.
        attempt: u32,
        /// How long it waits before the next try.
        wait: Duration,
        /// What failed: a method and a URL without its query.
        request: Arc<str>,
        /// How it failed: a status and what the registry said, or what the network did.
        error: Arc<str>,
    },
    /// A registry, or where it points, answered a request; or none came of it.
    Requested {
        /// For which step.
        step: StepId,
        /// A method and a URL without its query.
        request: Arc<str>,
        /// The status of the answer, or what the network did.
        answer: Arc<str>,
        /// From the first byte there to the head of the answer.
        elapsed: Duration,
    },
    /// Content began to move.
    TransferStarted {
        /// For which step.
        step: StepId,
        /// What; the counter in it moves on.
        transfer: Arc<Transfer>,
    },
    /// Content stopped to move: all of it, or the transfer broke off.
    TransferFinished {
        /// For which step.
        step: StepId,
        /// The same value as in the start.
        transfer: Arc<Transfer>,
    },
    /// What the plan asked to print. It goes to stdout, in file order.
    Printed {
        /// By which step.
        step: StepId,
        /// Whole lines, ending with a newline.
        text: Arc<str>,
    },
    /// A program that a step runs wrote something.
    ProgramWrote {
        /// Of which step.
        step: StepId,
        /// Where to.
        stream: ProgramStream,
        /// Whole lines, each ending with a newline.
        text: Arc<str>,
    },
    /// Something that a person should know and that is not a failure.
    Warned {
        /// By which step.
        step: StepId,
        /// Lower case, no period.
        message: Arc<str>,
    },
    /// An earlier run knew a step, and this one goes on with that: it comes before the step's end.
    StepResumed {
        /// Which.
        step: StepId,
        /// Whether what it did then is taken over, so that it does not run.
        taken_over: bool,
        /// Why, or why not: lower case, no period.
        because: Arc<str>,
    },
    /// What decided what a step does, where a journal is kept; it comes before the step's end.
    StepFingerprinted {
        /// Which.
        step: StepId,
        /// For a run that goes on with this one.
        fingerprint: Arc<Fingerprint>,
    },
    /// A step ended, or will never start. Comes once for each step.
    StepFinished {
        /// Which.
        step: StepId,
        /// How.
        outcome: Outcome,
        /// What it hands on, where it succeeded.
        output: Option<Arc<Output>>,
        /// From its start; zero where it did not start.
        elapsed: Duration,
        /// How many round trips over the network stood one after another in it.
        round_trips: u32,
    },
    /// The last event, once.
    RunFinished {
        /// What became of all.
        summary: Arc<Summary>,
    },
}
