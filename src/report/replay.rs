//! Events back from their lines, so that a run that is over can be told again.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{
    event::{
        Chain, Edge, Event, Failure, FailureKind, Finished, Lacking, Node, Outcome, Place, ProgramStream, Reason,
        StepId, Summary, Transfer,
    },
    output::Output,
    step::KINDS,
};

type Line = Map<String, Value>;

/// Reads lines as `--events` writes them, in order.
///
/// What it does not know is left out: a later consign may have written more.
#[derive(Debug, Default)]
pub struct Replay {
    steps: HashMap<String, StepId>,
    transfers: Vec<(String, Arc<Transfer>)>,
    finished: Vec<Finished>,
}

impl Replay {
    /// The event of a line, and how long after the first one it was heard.
    pub fn read(&mut self, line: &Line) -> Option<(Event, Duration)> {
        let event = match text(line, "event")? {
            "run_started" => self.run_started(line)?,
            "step_started" => Event::StepStarted { step: self.step(line)? },
            "step_retried" => Event::StepRetried {
                step: self.step(line)?,
                attempt: u32::try_from(number(line, "attempt")?).ok()?,
                wait: millis(line, "wait_ms")?,
                request: text(line, "request")?.into(),
                error: text(line, "error")?.into(),
            },
            "requested" => Event::Requested {
                step: self.step(line)?,
                request: text(line, "request")?.into(),
                answer: text(line, "answer")?.into(),
                elapsed: millis(line, "elapsed_ms")?,
            },
            "transfer_started" => {
                let (step, transfer) = (self.step(line)?, Arc::new(transfer(line)?));
                self.transfers.push((step.name().to_owned(), Arc::clone(&transfer)));
                Event::TransferStarted { step, transfer }
            }
            "transfer_finished" => {
                let step = self.step(line)?;
                let ended = transfer(line)?;
                let is_it = |(name, running): &(String, Arc<Transfer>)| {
                    name == step.name() && running.digest() == ended.digest() && running.name() == ended.name()
                };
                let place = self.transfers.iter().position(is_it)?;
                let (_, transfer) = self.transfers.swap_remove(place);
                transfer.advance(number(line, "moved")?);
                Event::TransferFinished { step, transfer }
            }
            "printed" => Event::Printed { step: self.step(line)?, text: text(line, "text")?.into() },
            "program_wrote" => {
                Event::ProgramWrote { step: self.step(line)?, stream: stream(line)?, text: text(line, "text")?.into() }
            }
            "warned" => Event::Warned { step: self.step(line)?, message: text(line, "message")?.into() },
            "step_resumed" => Event::StepResumed {
                step: self.step(line)?,
                taken_over: line.get("taken_over")?.as_bool()?,
                because: text(line, "because")?.into(),
            },
            "step_finished" => {
                let (step, outcome, output) = (self.step(line)?, self.outcome(line)?, output(line).map(Arc::new));
                let finished = Finished { step: step.clone(), outcome: outcome.clone(), output: output.clone() };
                self.finished.push(finished);
                let round_trips =
                    number(line, "round_trips").and_then(|trips| trips.try_into().ok()).unwrap_or_default();
                Event::StepFinished { step, outcome, output, elapsed: millis(line, "elapsed_ms")?, round_trips }
            }
            "run_finished" => self.run_finished(line)?,
            _ => return None,
        };
        Some((event, millis(line, "at_ms").unwrap_or_default()))
    }

    fn run_started(&mut self, line: &Line) -> Option<Event> {
        let mut steps = Vec::new();
        for (index, step) in line.get("steps")?.as_array()?.iter().enumerate() {
            let (name, kind) = (step.get("step")?.as_str()?, step.get("kind")?.as_str()?);
            let id = StepId::new(index, name);
            self.steps.insert(name.to_owned(), id.clone());
            steps.push((id, KINDS.iter().find(|known| known.name == kind).map_or("?", |known| known.name)));
        }
        let edges = line.get("edges").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let at: Timestamp = text(line, "at").and_then(|at| at.parse().ok()).unwrap_or_default();
        Some(Event::RunStarted {
            plan: text(line, "plan")?.into(),
            steps: steps.into(),
            edges: edges.iter().filter_map(|edge| self.edge(edge, edges.len())).collect(),
            at: at.into(),
        })
    }

    /// Joins are numbered from 1, and there are no more of them than edges.
    fn edge(&self, edge: &Value, joins: usize) -> Option<Edge> {
        let node = |end: &str| {
            let name = edge.get(end)?.as_str()?;
            match name.strip_prefix('+') {
                Some(number) => number.parse().ok().filter(|number| (1..=joins).contains(number)).map(Node::Join),
                None => self.steps.get(name).cloned().map(Node::Step),
            }
        };
        let reason = |reason: &Value| {
            let word = reason.get("reason")?.as_str()?;
            let word = Reason::WORDS.into_iter().find(|known| *known == word)?;
            Some(Reason { word, text: reason.get("text")?.as_str()?.to_owned() })
        };
        let reasons = edge.get("reasons")?.as_array()?.iter().filter_map(reason).collect();
        Some(Edge { from: node("from")?, to: node("to")?, reasons })
    }

    fn step(&self, line: &Line) -> Option<StepId> {
        self.steps.get(text(line, "step")?).cloned()
    }

    fn outcome(&self, line: &Line) -> Option<Outcome> {
        Some(match text(line, "outcome")? {
            "created" => Outcome::Created,
            "updated" => Outcome::Updated,
            "unchanged" => Outcome::Unchanged,
            "deleted" => Outcome::Deleted,
            "passed" => Outcome::Passed,
            "cancelled" => Outcome::Cancelled,
            "skipped" => Outcome::Skipped { because: text(line, "because").unwrap_or_default().into() },
            "blocked" => Outcome::Blocked { by: self.steps.get(text(line, "by")?)?.clone() },
            "failed" => Outcome::Failed(Arc::new(failure(line.get("failure")?)?)),
            _ => return None,
        })
    }

    fn run_finished(&mut self, line: &Line) -> Option<Event> {
        let mut steps = std::mem::take(&mut self.finished);
        steps.sort_by_key(|finished| finished.step.index());
        let summary = Summary {
            steps,
            interrupted: line.get("interrupted").and_then(Value::as_bool).unwrap_or_default(),
            unsettled: line.get("unsettled").and_then(failure),
            rehearsed: None,
            outputs: line.get("outputs").and_then(Value::as_object).cloned().unwrap_or_default(),
            lacking: lacking(line),
            elapsed: millis(line, "elapsed_ms")?,
            chain: self.chain(line),
        };
        Some(Event::RunFinished { summary: Arc::new(summary) })
    }
}

impl Replay {
    fn chain(&self, line: &Line) -> Chain {
        let links = line.get("chain").and_then(Value::as_array).into_iter().flatten();
        let read = |link: &Value| {
            let step = self.steps.get(link.get("step")?.as_str()?)?.clone();
            Some((step, link.get("round_trips")?.as_u64()?.try_into().ok()?))
        };
        Chain { links: links.filter_map(read).collect() }
    }
}

fn stream(line: &Line) -> Option<ProgramStream> {
    match text(line, "stream")? {
        "stdout" => Some(ProgramStream::Stdout),
        "stderr" => Some(ProgramStream::Stderr),
        _ => None,
    }
}

fn text<'a>(line: &'a Line, name: &str) -> Option<&'a str> {
    line.get(name)?.as_str()
}

fn number(line: &Line, name: &str) -> Option<u64> {
    line.get(name)?.as_u64()
}

fn millis(line: &Line, name: &str) -> Option<Duration> {
    number(line, name).map(Duration::from_millis)
}

fn transfer(line: &Line) -> Option<Transfer> {
    let digest = text(line, "digest")?.parse().ok()?;
    Some(Transfer::new(text(line, "name")?.to_owned(), digest, number(line, "bytes")?))
}

fn lacking(line: &Line) -> Vec<Lacking> {
    let read = |value: &Value| {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let is_skipped = value.get("skipped").and_then(Value::as_bool).unwrap_or_default();
        Some(Lacking { output: text("output")?, because: text("because")?, is_skipped })
    };
    line.get("lacking").and_then(Value::as_array).into_iter().flatten().filter_map(read).collect()
}

fn failure(value: &Value) -> Option<Failure> {
    let kind = match value.get("kind")?.as_str()? {
        "gate" => FailureKind::Gate,
        "temporary" => FailureKind::Temporary,
        "tolerated" => FailureKind::Tolerated,
        "finally" => FailureKind::Finally,
        _ => FailureKind::Step,
    };
    let lines = |name: &str| {
        let lines = value.get(name).and_then(Value::as_array).into_iter().flatten();
        lines.filter_map(|line| line.as_str().map(str::to_owned)).collect()
    };
    let place = value.get("place").and_then(|place| {
        let number = |name: &str| usize::try_from(place.get(name)?.as_u64()?).ok();
        Some(Place { file: place.get("file")?.as_str()?.to_owned(), line: number("line")?, column: number("column")? })
    });
    let message = value.get("message")?.as_str()?.to_owned();
    Some(Failure { kind, message, notes: lines("notes"), help: lines("help"), place })
}

/// Outputs have the names that kinds give them.
fn output(line: &Line) -> Option<Output> {
    let values = line.get("output")?.as_object()?;
    let names =
        || KINDS.iter().flat_map(|kind| kind.outputs.iter().map(|output| output.name)).chain(["outcome", "changed"]);
    let known = values.iter().filter_map(|(name, value)| Some((names().find(|known| known == name)?, value.clone())));
    let output = known.fold(Output::default(), |output, (name, value)| output.with(name, value));
    Some(match text(line, "about") {
        Some(about) => output.about(about),
        None => output,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Events, Record, Reporter, html, junit, result, testing};

    #[test]
    fn the_longest_chain_is_told_again() {
        let lines = [
            r#"{"event":"run_started","plan":"p","steps":[{"step":"a","kind":"push"}]}"#,
            r#"{"event":"step_finished","step":"a","outcome":"created","elapsed_ms":1,"round_trips":5}"#,
            r#"{"event":"run_finished","elapsed_ms":2,"chain":[{"step":"a","round_trips":5},{"step":"b","round_trips":1}]}"#,
        ];
        let mut replay = Replay::default();
        let events = lines.map(|line| replay.read(&serde_json::from_str(line).unwrap()).unwrap().0);
        let [_, Event::StepFinished { round_trips, .. }, Event::RunFinished { summary }] = events else { panic!() };
        let told = summary.chain.to_string();
        assert_eq!((round_trips, told.as_str()), (5, "5 round trips on the longest chain: a (5)"));
    }

    #[test]
    fn what_is_told_again_gives_the_same_reports() {
        let (mut told, mut lines) = (Record::default(), Vec::new());
        let mut events = Events::new(&mut lines);
        for event in testing::events() {
            // A rehearsal leaves no journal.
            let event = match event {
                Event::RunFinished { summary } => {
                    Event::RunFinished { summary: Arc::new(Summary { rehearsed: None, ..(*summary).clone() }) }
                }
                event => event,
            };
            events.report(&event).unwrap();
            told.hear(&event, Duration::ZERO);
        }
        let (mut replay, mut again) = (Replay::default(), Record::default());
        for line in String::from_utf8(lines).unwrap().lines() {
            let (event, _) = replay.read(&serde_json::from_str(line).unwrap()).unwrap_or_else(|| panic!("{line}"));
            again.hear(&event, Duration::ZERO);
        }
        assert_eq!(result::draw(&again).unwrap(), result::draw(&told).unwrap());
        assert_eq!(junit::draw(&again).unwrap(), junit::draw(&told).unwrap());
        assert_eq!(html::draw(&again), html::draw(&told));
    }

    #[test]
    fn joins_that_cannot_be_are_left_out() {
        let reasons = serde_json::json!([{ "reason": "gate", "text": "gate: it may say no" }]);
        let edge = |to| serde_json::json!({ "from": "a", "to": to, "reasons": reasons });
        let edges = ["+0", "+3", "+99999999999", "+x", "+1"].map(edge);
        let steps = serde_json::json!([{ "step": "a", "kind": "push" }]);
        let line = serde_json::json!({ "event": "run_started", "plan": "p", "steps": steps, "edges": edges });
        let (event, _) = Replay::default().read(line.as_object().unwrap()).unwrap();
        let Event::RunStarted { edges, .. } = event else { panic!("{event:?}") };
        assert_eq!(edges.iter().map(|edge| edge.to.to_string()).collect::<Vec<_>>(), ["+3", "+1"]);
    }

    #[test]
    fn what_is_no_event_is_left_out() {
        let mut replay = Replay::default();
        for line in
            ["{}", r#"{"event":"else"}"#, r#"{"event":"step_started","step":"nobody"}"#, r#"{"event":"run_started"}"#]
        {
            assert!(replay.read(&serde_json::from_str(line).unwrap()).is_none(), "{line}");
        }
    }
}
