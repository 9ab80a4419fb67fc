use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    event::{Event, Outcome, Summary, Transfer},
    oci::Digest,
    output::Output,
    report::json::{EdgeJson, FailureJson, LackingJson, LinkJson, RehearsedJson, millis, output, timestamp},
};

/// Something that happened in a run of a plan, one object a line. More members and more events may come.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Line")]
pub(super) struct Stamped<L> {
    #[serde(flatten)]
    pub(super) line: L,
    /// How long after the first event it was heard.
    #[serde(serialize_with = "millis")]
    #[schemars(with = "u64")]
    pub(super) at_ms: Duration,
}

/// An event as a line of JSON.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[schemars(rename = "Event")]
pub(super) enum EventLine<'a> {
    /// The first event, once.
    RunStarted {
        /// Of the format.
        #[schemars(extend("const" = 1))]
        version: u32,
        /// The plan's name, or its file's.
        plan: &'a str,
        /// A date and a time, in UTC.
        at: String,
        /// In file order.
        steps: Vec<StepLine<'a>>,
        /// Which step waits for which, and why.
        edges: Vec<EdgeJson>,
    },
    /// A step began to work.
    StepStarted {
        /// Its id.
        step: &'a str,
    },
    /// Something failed that may pass, and will be tried again.
    StepRetried {
        /// Its id.
        step: &'a str,
        /// How often it was tried, from 1.
        attempt: u32,
        /// How long it waits before the next try.
        #[serde(serialize_with = "millis")]
        #[schemars(with = "u64")]
        wait_ms: Duration,
        /// Method and URL.
        request: &'a str,
        /// How it failed.
        error: &'a str,
    },
    /// A registry was asked, and answered or did not.
    Requested {
        /// Its id.
        step: &'a str,
        /// Method and URL.
        request: &'a str,
        /// A status, or what the network did.
        answer: &'a str,
        /// How long that took.
        #[serde(serialize_with = "millis")]
        #[schemars(with = "u64")]
        elapsed_ms: Duration,
    },
    /// Content began to move.
    TransferStarted {
        /// Its id.
        step: &'a str,
        /// A title or a media type.
        name: &'a str,
        /// Of the content.
        #[schemars(with = "String")]
        digest: &'a Digest,
        /// How large it is.
        bytes: u64,
    },
    /// Content stopped to move.
    TransferFinished {
        /// Its id.
        step: &'a str,
        /// A title or a media type.
        name: &'a str,
        /// Of the content.
        #[schemars(with = "String")]
        digest: &'a Digest,
        /// How large it is.
        bytes: u64,
        /// How much has moved: less than `bytes` where it broke off.
        moved: u64,
    },
    /// What the plan asked to print.
    Printed {
        /// Its id.
        step: &'a str,
        /// Whole lines.
        text: &'a str,
    },
    /// A program that a step runs wrote something.
    ProgramWrote {
        /// Its id.
        step: &'a str,
        /// `stdout` or `stderr`.
        stream: &'static str,
        /// Whole lines.
        text: &'a str,
    },
    /// Something that a person should know.
    Warned {
        /// Its id.
        step: &'a str,
        /// In words.
        message: &'a str,
    },
    /// An earlier run knew the step, and this one goes on with that.
    StepResumed {
        /// Its id.
        step: &'a str,
        /// Whether what was done then is taken over, so that it does not run.
        taken_over: bool,
        /// Why, or why not.
        because: &'a str,
    },
    /// A step ended, or will never start. Comes once for each step.
    StepFinished {
        /// Its id.
        step: &'a str,
        /// How.
        #[schemars(extend("enum" = Outcome::WORDS))]
        outcome: &'static str,
        /// Why it was skipped.
        #[serde(skip_serializing_if = "Option::is_none")]
        because: Option<&'a str>,
        /// The failed step that blocked it.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<&'a str>,
        /// Why it failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        failure: Option<FailureJson<'a>>,
        /// From its start; zero where it did not start.
        #[serde(serialize_with = "millis")]
        #[schemars(with = "u64")]
        elapsed_ms: Duration,
        /// How many round trips over the network stood one after another in it; none: it asked nobody.
        #[serde(skip_serializing_if = "is_none")]
        round_trips: u32,
        /// What it hands on, by name.
        #[serde(skip_serializing_if = "Option::is_none")]
        output: Option<Map<String, Value>>,
        /// What it was about, where that is not its `reference`.
        #[serde(skip_serializing_if = "Option::is_none")]
        about: Option<&'a str>,
    },
    /// What a real run would do: once, in a rehearsal, before the last event.
    Rehearsed(RehearsedJson<'a>),
    /// The last event, once.
    RunFinished {
        /// How many steps, by outcome.
        counts: BTreeMap<&'static str, usize>,
        /// Whether somebody stopped the run.
        interrupted: bool,
        /// What the shell is told.
        exit_code: u8,
        /// The plan's outputs, by name.
        outputs: &'a Map<String, Value>,
        /// The outputs that have no value.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        lacking: Vec<LackingJson<'a>>,
        /// What went wrong after the last step.
        #[serde(skip_serializing_if = "Option::is_none")]
        unsettled: Option<FailureJson<'a>>,
        /// Of the whole run.
        #[serde(serialize_with = "millis")]
        #[schemars(with = "u64")]
        elapsed_ms: Duration,
        /// The steps that waited for each other the longest, the first one first: what the run costs at least, in round trips.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        chain: Vec<LinkJson<'a>>,
    },
}

/// A step of the plan.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Step")]
pub(super) struct StepLine<'a> {
    step: &'a str,
    kind: &'static str,
}

impl<'a> EventLine<'a> {
    /// Nothing for what is of no use outside of a journal.
    pub(super) fn of(event: &'a Event) -> Option<Self> {
        Some(match event {
            Event::RunStarted { plan, steps, edges, at } => Self::RunStarted {
                version: 1,
                plan,
                at: timestamp(*at),
                steps: steps.iter().map(|(step, kind)| StepLine { step: step.name(), kind }).collect(),
                edges: edges.iter().map(EdgeJson::of).collect(),
            },
            Event::StepStarted { step } => Self::StepStarted { step: step.name() },
            Event::StepRetried { step, attempt, wait, request, error } => {
                Self::StepRetried { step: step.name(), attempt: *attempt, wait_ms: *wait, request, error }
            }
            Event::Requested { step, request, answer, elapsed } => {
                Self::Requested { step: step.name(), request, answer, elapsed_ms: *elapsed }
            }
            Event::StepFingerprinted { .. } => return None,
            Event::StepResumed { step, taken_over, because } => {
                Self::StepResumed { step: step.name(), taken_over: *taken_over, because }
            }
            Event::TransferStarted { step, transfer } => {
                let (name, digest, bytes) = parts(transfer);
                Self::TransferStarted { step: step.name(), name, digest, bytes }
            }
            Event::TransferFinished { step, transfer } => {
                let (name, digest, bytes) = parts(transfer);
                Self::TransferFinished { step: step.name(), name, digest, bytes, moved: transfer.done() }
            }
            Event::Printed { step, text } => Self::Printed { step: step.name(), text },
            Event::ProgramWrote { step, stream, text } => {
                Self::ProgramWrote { step: step.name(), stream: stream.word(), text }
            }
            Event::Warned { step, message } => Self::Warned { step: step.name(), message },
            Event::StepFinished { step, outcome, output: handed_on, elapsed, round_trips } => {
                let (mut because, mut by, mut failure) = (None, None, None);
                match outcome {
                    Outcome::Skipped { because: reason } => because = Some(&**reason),
                    Outcome::Blocked { by: failed } => by = Some(failed.name()),
                    Outcome::Failed(cause) => failure = Some(FailureJson::of(cause)),
                    Outcome::Created
                    | Outcome::Updated
                    | Outcome::Unchanged
                    | Outcome::Deleted
                    | Outcome::Passed
                    | Outcome::Cancelled => {}
                }
                let about = handed_on.as_deref().and_then(Output::subject);
                let output = handed_on.as_deref().map(output);
                let (step, outcome) = (step.name(), outcome.word());
                let (elapsed_ms, round_trips) = (*elapsed, *round_trips);
                Self::StepFinished { step, outcome, because, by, failure, elapsed_ms, round_trips, output, about }
            }
            Event::RunFinished { summary } => Self::RunFinished {
                counts: counts(summary),
                interrupted: summary.interrupted,
                exit_code: summary.exit_code() as u8,
                outputs: &summary.outputs,
                lacking: LackingJson::all(summary),
                unsettled: summary.unsettled.as_ref().map(FailureJson::of),
                elapsed_ms: summary.elapsed,
                chain: LinkJson::all(&summary.chain),
            },
        })
    }
}

fn parts(transfer: &Transfer) -> (&str, &Digest, u64) {
    (transfer.name(), transfer.digest(), transfer.total())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
const fn is_none(count: &u32) -> bool {
    *count == 0
}

fn counts(summary: &Summary) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for finished in &summary.steps {
        *counts.entry(finished.outcome.word()).or_default() += 1;
    }
    counts
}
