//! The result of a run as one JSON document, for `--report json=FILE`. It stays as it is as long as `version` is 1; more
//! members may come.

use std::{collections::BTreeMap, time::Duration};

use schemars::{
    JsonSchema,
    generate::{Contract, SchemaSettings},
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    json::{EdgeJson, FailureJson, LackingJson, LinkJson, RehearsedJson, millis, output, timestamp},
    record::{Record, Resumed, Retry, StepRecord, TransferRecord},
};
use crate::{event::Outcome, oci::Digest, output::Output, text};

/// What became of a run of a plan.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Result")]
struct ResultJson<'a> {
    /// Of the format.
    #[schemars(extend("const" = 1))]
    version: u32,
    /// The plan's name, or its file's.
    plan: &'a str,
    /// A date and a time, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// Of the whole run.
    #[serde(serialize_with = "millis")]
    #[schemars(with = "u64")]
    elapsed_ms: Duration,
    /// What the shell is told. None: the run was killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    /// Whether somebody stopped the run.
    interrupted: bool,
    /// How many steps, by outcome.
    counts: BTreeMap<&'static str, usize>,
    /// In file order.
    steps: Vec<StepJson<'a>>,
    /// Which step waited for which, and why.
    edges: Vec<EdgeJson>,
    /// The plan's outputs, by name, as far as they have values.
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<&'a Map<String, Value>>,
    /// The outputs that have no value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lacking: Vec<LackingJson<'a>>,
    /// What went wrong after the last step.
    #[serde(skip_serializing_if = "Option::is_none")]
    unsettled: Option<FailureJson<'a>>,
    /// The steps that waited for each other the longest, the first one first: what the run cost at least, in round trips.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    chain: Vec<LinkJson<'a>>,
    /// What a real run would do, where this was a rehearsal.
    #[serde(skip_serializing_if = "Option::is_none")]
    rehearsed: Option<RehearsedJson<'a>>,
}

/// A step.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Step")]
struct StepJson<'a> {
    /// Its id.
    step: &'a str,
    kind: &'a str,
    /// How it ended; `unfinished` where the run was killed before it did.
    #[schemars(extend("enum" = words()))]
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
    /// After the start of the run; none where it never started.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_ms: Option<u64>,
    /// From its start.
    #[serde(serialize_with = "millis")]
    #[schemars(with = "u64")]
    elapsed_ms: Duration,
    /// What it handed on, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Map<String, Value>>,
    /// What it was about, where that is not its `reference`.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<&'a str>,
    /// What came of it in an earlier run, where this one went on with that.
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed: Option<ResumedJson<'a>>,
    /// How many round trips over the network stood one after another in it.
    round_trips: u32,
    /// What failed and was tried again.
    retries: Vec<RetryJson<'a>>,
    /// What a person should know.
    warnings: &'a [String],
    /// Whole lines.
    printed: &'a str,
    /// What moved, in the order of the starts.
    transfers: Vec<TransferJson<'a>>,
}

/// An earlier run knew the step.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Resumed")]
struct ResumedJson<'a> {
    /// Whether what was done then was taken over, so that it did not run.
    taken_over: bool,
    /// Why, or why not.
    because: &'a str,
}

/// Something that failed and was tried again.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Retry")]
struct RetryJson<'a> {
    /// How often it had been tried, from 1.
    attempt: u32,
    /// Method and URL.
    request: &'a str,
    /// How it failed.
    error: &'a str,
    /// How long it waited before the next try.
    #[serde(serialize_with = "millis")]
    #[schemars(with = "u64")]
    wait_ms: Duration,
    /// After the start of the run.
    #[serde(serialize_with = "millis")]
    #[schemars(with = "u64")]
    at_ms: Duration,
}

/// Content that moved.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Transfer")]
struct TransferJson<'a> {
    /// A title or a media type.
    name: &'a str,
    #[schemars(with = "String")]
    digest: &'a Digest,
    /// How large it is.
    bytes: u64,
    /// How much of it moved.
    moved: u64,
    /// After the start of the run.
    #[serde(serialize_with = "millis")]
    #[schemars(with = "u64")]
    started_ms: Duration,
    /// After the start of the run; none where it never ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_ms: Option<u64>,
}

/// The result, indented, with a newline at its end.
pub(super) fn draw(record: &Record) -> serde_json::Result<String> {
    let json = serde_json::to_string_pretty(&ResultJson::of(record))?;
    // Where this goes to a terminal, it must not command it; the escapes are JSON's own.
    Ok(format!("{}\n", text::safe_lines(&json)))
}

/// The JSON Schema of the result.
pub fn result_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.contract = Contract::Serialize);
    let mut schema = settings.into_generator().into_root_schema_for::<ResultJson<'_>>();
    schema.insert("title".to_owned(), "The result of a consign run".into());
    schema.to_value()
}

fn words() -> Vec<&'static str> {
    Outcome::WORDS.into_iter().chain([StepRecord::UNFINISHED]).collect()
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl<'a> ResultJson<'a> {
    fn of(record: &'a Record) -> Self {
        let summary = record.summary.as_deref();
        let mut counts = BTreeMap::new();
        for step in &record.steps {
            *counts.entry(step.word()).or_default() += 1;
        }
        Self {
            version: 1,
            plan: &record.plan,
            at: record.at.map(timestamp),
            elapsed_ms: record.elapsed(),
            exit_code: summary.map(|summary| summary.exit_code() as u8),
            interrupted: summary.is_some_and(|summary| summary.interrupted),
            counts,
            steps: record.steps.iter().map(StepJson::of).collect(),
            edges: record.edges.iter().map(EdgeJson::of).collect(),
            outputs: summary.map(|summary| &summary.outputs),
            lacking: summary.map(LackingJson::all).unwrap_or_default(),
            unsettled: summary.and_then(|summary| summary.unsettled.as_ref()).map(FailureJson::of),
            chain: summary.map(|summary| LinkJson::all(&summary.chain)).unwrap_or_default(),
            rehearsed: summary.and_then(|summary| summary.rehearsed.as_ref()).map(RehearsedJson::of),
        }
    }
}

impl<'a> StepJson<'a> {
    fn of(step: &'a StepRecord) -> Self {
        let (because, by) = match &step.outcome {
            Some(Outcome::Skipped { because }) => (Some(&**because), None),
            Some(Outcome::Blocked { by }) => (None, Some(by.name())),
            _ => (None, None),
        };
        Self {
            step: step.id.name(),
            kind: &step.kind,
            outcome: step.word(),
            because,
            by,
            failure: step.failure().map(FailureJson::of),
            started_ms: step.started.map(whole_millis),
            elapsed_ms: step.elapsed,
            output: step.output.as_deref().map(output),
            about: step.output.as_deref().and_then(Output::subject),
            resumed: step.resumed.as_ref().map(ResumedJson::of),
            round_trips: step.round_trips,
            retries: step.retries.iter().map(RetryJson::of).collect(),
            warnings: &step.warnings,
            printed: &step.printed,
            transfers: step.transfers.iter().map(TransferJson::of).collect(),
        }
    }
}

impl<'a> ResumedJson<'a> {
    fn of(Resumed { taken_over, because }: &'a Resumed) -> Self {
        Self { taken_over: *taken_over, because }
    }
}

impl<'a> RetryJson<'a> {
    fn of(retry: &'a Retry) -> Self {
        let Retry { attempt, wait, request, error, at } = retry;
        Self { attempt: *attempt, request, error, wait_ms: *wait, at_ms: *at }
    }
}

impl<'a> TransferJson<'a> {
    fn of(transfer: &'a TransferRecord) -> Self {
        Self {
            name: &transfer.name,
            digest: &transfer.digest,
            bytes: transfer.bytes,
            moved: transfer.moved,
            started_ms: transfer.started,
            finished_ms: transfer.finished.map(whole_millis),
        }
    }
}
