//! The event stream as NDJSON, for `--events`: one JSON object per line, flushed as it is written.
//!
//! Every object begins with `event`, and then has these members in this order. Members that do not apply are left out.
//! More members and more events may come; what stands here stays as long as `version` is 1.
//!
//! | `event` | members |
//! | --- | --- |
//! | `run_started` | `version` (1), `plan`, `steps`: a list of `{step, kind}` in file order |
//! | `step_started` | `step` |
//! | `step_retried` | `step`, `attempt` (how often it was tried, from 1), `wait_ms`, `request` (method and URL), `error` |
//! | `requested` | `step`, `request` (method and URL), `answer` (a status, or what the network did), `elapsed_ms` |
//! | `transfer_started` | `step`, `name`, `digest`, `bytes` (its size) |
//! | `transfer_finished` | `step`, `name`, `digest`, `bytes`, `moved` (less than `bytes` where it broke off) |
//! | `printed` | `step`, `text` |
//! | `program_wrote` | `step`, `stream` (`stdout` or `stderr`), `text` (whole lines) |
//! | `warned` | `step`, `message` |
//! | `step_finished` | `step`, `outcome`, `because` (of `skipped`), `by` (of `blocked`: the step that failed), `failure` (of `failed`), `elapsed_ms`, `output` (an object, by name) |
//! | `rehearsed` | `repositories`: a list of `{repository, rights, changes}`, sorted; `faults`: a list of `{spec, wanted, injected}`; `tries` (how many more they cost). Once, in a rehearsal, before the last event |
//! | `run_finished` | `counts` (an object: how many steps, by outcome), `interrupted`, `exit_code`, `elapsed_ms` |
//!
//! `rights` are a list of `pull`, `push` and `delete`. A change is `{change, tag}` or `{change, manifest}`, of a tag with
//! `before` and `after`, the digests that it named; `change` is `create`, `move`, `delete` or `create and delete`.
//! A `failure` is `{kind, message, help, place}`: `kind` is `step`, `gate` or `temporary`, `help` is a list,
//! `place` is `{file, line, column}`. Events come in the order in which things happened; `printed` is not in file order.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Reporter, rehearsed::RehearsedLine};
use crate::{
    event::{Event, Failure, FailureKind, Outcome, Place, Summary, Transfer},
    oci::Digest,
    text,
};

/// Writes each event as one line of JSON.
pub struct Events<W> {
    writer: W,
}

impl<W: Write> Events<W> {
    /// Writes to `writer`.
    pub const fn new(writer: W) -> Self {
        Self { writer }
    }

    /// Where it writes to.
    pub const fn writer(&mut self) -> &mut W {
        &mut self.writer
    }

    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        let line = serde_json::to_string(line)?;
        // Where this goes to a terminal, it must not command it; the escapes are JSON's own.
        self.writer.write_all(format!("{}\n", text::safe_line(&line)).as_bytes())?;
        self.writer.flush()
    }
}

impl<W: Write + Send> Reporter for Events<W> {
    fn report(&mut self, event: &Event) -> io::Result<()> {
        if let Event::RunFinished { summary } = event
            && let Some(rehearsed) = &summary.rehearsed
        {
            self.write(&RehearsedLine::of(rehearsed))?;
        }
        Line::of(event).map_or(Ok(()), |line| self.write(&line))
    }
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    RunStarted {
        version: u32,
        plan: &'a str,
        steps: Vec<StepLine<'a>>,
    },
    StepStarted {
        step: &'a str,
    },
    StepRetried {
        step: &'a str,
        attempt: u32,
        #[serde(serialize_with = "millis")]
        wait_ms: Duration,
        request: &'a str,
        error: &'a str,
    },
    Requested {
        step: &'a str,
        request: &'a str,
        answer: &'a str,
        #[serde(serialize_with = "millis")]
        elapsed_ms: Duration,
    },
    TransferStarted {
        step: &'a str,
        name: &'a str,
        digest: &'a Digest,
        bytes: u64,
    },
    TransferFinished {
        step: &'a str,
        name: &'a str,
        digest: &'a Digest,
        bytes: u64,
        moved: u64,
    },
    Printed {
        step: &'a str,
        text: &'a str,
    },
    ProgramWrote {
        step: &'a str,
        stream: &'static str,
        text: &'a str,
    },
    Warned {
        step: &'a str,
        message: &'a str,
    },
    StepFinished {
        step: &'a str,
        outcome: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        because: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        failure: Option<FailureLine<'a>>,
        #[serde(serialize_with = "millis")]
        elapsed_ms: Duration,
        #[serde(skip_serializing_if = "Option::is_none")]
        output: Option<BTreeMap<&'static str, &'a Value>>,
    },
    RunFinished {
        counts: BTreeMap<&'static str, usize>,
        interrupted: bool,
        exit_code: u8,
        #[serde(serialize_with = "millis")]
        elapsed_ms: Duration,
    },
}

#[derive(Serialize)]
struct StepLine<'a> {
    step: &'a str,
    kind: &'static str,
}

#[derive(Serialize)]
struct FailureLine<'a> {
    kind: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    help: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<PlaceLine<'a>>,
}

#[derive(Serialize)]
struct PlaceLine<'a> {
    file: &'a str,
    line: usize,
    column: usize,
}

impl<'a> Line<'a> {
    /// Nothing for what is of no use outside of a journal.
    fn of(event: &'a Event) -> Option<Self> {
        Some(match event {
            Event::RunStarted { plan, steps } => Self::RunStarted {
                version: 1,
                plan,
                steps: steps.iter().map(|(step, kind)| StepLine { step: step.name(), kind }).collect(),
            },
            Event::StepStarted { step } => Self::StepStarted { step: step.name() },
            Event::StepRetried { step, attempt, wait, request, error } => {
                Self::StepRetried { step: step.name(), attempt: *attempt, wait_ms: *wait, request, error }
            }
            Event::Requested { step, request, answer, elapsed } => {
                Self::Requested { step: step.name(), request, answer, elapsed_ms: *elapsed }
            }
            Event::TransferStarted { step, transfer } => {
                let (name, digest, bytes) = parts(transfer);
                Self::TransferStarted { step: step.name(), name, digest, bytes }
            }
            Event::TransferFinished { step, transfer } => {
                let (name, digest, bytes) = parts(transfer);
                Self::TransferFinished { step: step.name(), name, digest, bytes, moved: transfer.done() }
            }
            Event::StepFingerprinted { .. } => return None,
            Event::Printed { step, text } => Self::Printed { step: step.name(), text },
            Event::ProgramWrote { step, stream, text } => {
                Self::ProgramWrote { step: step.name(), stream: stream.word(), text }
            }
            Event::Warned { step, message } => Self::Warned { step: step.name(), message },
            Event::StepFinished { step, outcome, output, elapsed } => {
                let (mut because, mut by, mut failure) = (None, None, None);
                match outcome {
                    Outcome::Skipped { because: reason } => because = Some(&**reason),
                    Outcome::Blocked { by: failed } => by = Some(failed.name()),
                    Outcome::Failed(cause) => failure = Some(FailureLine::of(cause)),
                    Outcome::Created
                    | Outcome::Updated
                    | Outcome::Unchanged
                    | Outcome::Deleted
                    | Outcome::Passed
                    | Outcome::Cancelled => {}
                }
                let output = output.as_ref().map(|output| output.iter().collect());
                let (step, outcome) = (step.name(), outcome.word());
                Self::StepFinished { step, outcome, because, by, failure, elapsed_ms: *elapsed, output }
            }
            Event::RunFinished { summary } => Self::RunFinished {
                counts: counts(summary),
                interrupted: summary.interrupted,
                exit_code: summary.exit_code() as u8,
                elapsed_ms: summary.elapsed,
            },
        })
    }
}

impl<'a> FailureLine<'a> {
    fn of(failure: &'a Failure) -> Self {
        let kind = match failure.kind {
            FailureKind::Step => "step",
            FailureKind::Gate => "gate",
            FailureKind::Temporary => "temporary",
            FailureKind::Tolerated => "tolerated",
            FailureKind::Finally => "finally",
        };
        let place =
            failure.place.as_ref().map(|Place { file, line, column }| PlaceLine { file, line: *line, column: *column });
        Self { kind, message: &failure.message, notes: &failure.notes, help: &failure.help, place }
    }
}

fn parts(transfer: &Transfer) -> (&str, &Digest, u64) {
    (transfer.name(), transfer.digest(), transfer.total())
}

fn counts(summary: &Summary) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for finished in &summary.steps {
        *counts.entry(finished.outcome.word()).or_default() += 1;
    }
    counts
}

fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn every_event() {
        let mut events = Events::new(Vec::new());
        testing::tell(&mut events);
        insta::assert_snapshot!(String::from_utf8(events.writer).unwrap(), @r#"
        {"event":"run_started","version":1,"plan":"acr-tutorial","steps":[{"step":"image","kind":"image"},{"step":"sbom","kind":"attach"},{"step":"docs","kind":"attach"},{"step":"remove","kind":"delete"},{"step":"tree","kind":"discover"},{"step":"promote","kind":"copy"},{"step":"sign","kind":"sign"},{"step":"push_app","kind":"push"},{"step":"sbom_signature","kind":"attach"}]}
        {"event":"step_started","step":"image"}
        {"event":"transfer_started","step":"image","name":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:eed1033d9489566cbc1f6d99953c086c10a3ae3b1c73effdaddb0972f0940cd1","bytes":83886080}
        {"event":"step_started","step":"tree"}
        {"event":"step_retried","step":"image","attempt":1,"wait_ms":1500,"request":"GET https://r.io/v2/","error":"503 Service Unavailable"}
        {"event":"requested","step":"tree","request":"GET https://r.io/v2/","answer":"200 OK","elapsed_ms":42}
        {"event":"printed","step":"tree","text":"myregistry.azurecr.io/net-monitor:v1\n└── sbom/example\n"}
        {"event":"program_wrote","step":"push_app","stream":"stderr","text":"::error::one\ntwo \u001b[2J\n"}
        {"event":"warned","step":"tree","message":"the registry has no referrers API"}
        {"event":"transfer_finished","step":"image","name":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:eed1033d9489566cbc1f6d99953c086c10a3ae3b1c73effdaddb0972f0940cd1","bytes":83886080,"moved":0}
        {"event":"step_finished","step":"image","outcome":"created","elapsed_ms":120,"output":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","media_type":"application/vnd.oci.image.manifest.v1+json","reference":"myregistry.azurecr.io/net-monitor@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}}
        {"event":"step_finished","step":"sbom","outcome":"updated","elapsed_ms":120,"output":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","media_type":"application/vnd.oci.image.manifest.v1+json","reference":"myregistry.azurecr.io/net-monitor@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}}
        {"event":"step_finished","step":"docs","outcome":"unchanged","elapsed_ms":120,"output":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","media_type":"application/vnd.oci.image.manifest.v1+json","reference":"myregistry.azurecr.io/net-monitor@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}}
        {"event":"step_finished","step":"remove","outcome":"deleted","elapsed_ms":120,"output":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","media_type":"application/vnd.oci.image.manifest.v1+json","reference":"myregistry.azurecr.io/net-monitor@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}}
        {"event":"step_finished","step":"tree","outcome":"passed","elapsed_ms":120}
        {"event":"step_finished","step":"promote","outcome":"skipped","because":"`when` is false","elapsed_ms":0}
        {"event":"step_finished","step":"sign","outcome":"blocked","by":"push_app","elapsed_ms":0}
        {"event":"step_finished","step":"push_app","outcome":"failed","failure":{"kind":"step","message":"failed to push to `myregistry.azurecr.io/app:v1`: 403 DENIED: two\nlines and \u001b[2J","help":["log in with `consign login myregistry.azurecr.io`"],"place":{"file":"plans/x.yaml","line":12,"column":5}},"elapsed_ms":120}
        {"event":"step_finished","step":"sbom_signature","outcome":"cancelled","elapsed_ms":0}
        {"event":"rehearsed","repositories":[{"repository":"myregistry.azurecr.io/base","rights":["pull"],"changes":[]},{"repository":"myregistry.azurecr.io/net-monitor","rights":["pull","push","delete"],"changes":[{"change":"move","tag":"latest","before":"sha256:cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4","after":"sha256:ea0890697a77af0a2e054cccec587c8a42feb5cf38e778c6c6e2a96bfb945c0b"},{"change":"create and delete","tag":"passing"},{"change":"delete","tag":"stale","before":"sha256:cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4"},{"change":"create","tag":"v1","after":"sha256:ea0890697a77af0a2e054cccec587c8a42feb5cf38e778c6c6e2a96bfb945c0b"},{"change":"create","manifest":"sha256:ea0890697a77af0a2e054cccec587c8a42feb5cf38e778c6c6e2a96bfb945c0b"}]}],"faults":[{"spec":"copy:503*2","wanted":2,"injected":1}],"tries":1}
        {"event":"run_finished","counts":{"blocked":1,"cancelled":1,"created":1,"deleted":1,"failed":1,"passed":1,"skipped":1,"unchanged":1,"updated":1},"interrupted":false,"exit_code":1,"elapsed_ms":1234}
        "#);
    }

    #[test]
    fn a_line_is_one_object_whatever_is_in_it() {
        let text = "two\nlines, \u{1b}[2J, \u{7f}, \u{2028}, \"quoted\"";
        let mut events = Events::new(Vec::new());
        events.report(&Event::Printed { step: testing::step(0), text: text.into() }).unwrap();
        let line = String::from_utf8(events.writer).unwrap();
        assert_eq!(line.matches(|char: char| char.is_control()).collect::<String>(), "\n");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["text"], text);
    }
}
