use std::{io, sync::Arc, time::Instant};

use serde_json::{Map, Value};

use super::Reporter;
use crate::{
    event::{Event, Failure, Finished, Lacking, Outcome, Summary},
    output::Output,
    secret::{Redaction, Secrets},
};

/// The one place in front of all reporters where secrets are taken out of what programs and registries said.
///
/// Only what was asked for can stand anywhere, and who asks hands it on to a program or a registry: so what has been found
/// so far is what is looked for.
pub struct Redacted<'a> {
    inner: &'a mut dyn Reporter,
    secrets: &'a Secrets,
    redaction: Redaction,
    /// How many secrets the redaction knows.
    known: usize,
}

impl<'a> Redacted<'a> {
    /// In front of `inner`.
    pub fn new(inner: &'a mut dyn Reporter, secrets: &'a Secrets) -> Self {
        Self { inner, secrets, redaction: Redaction::default(), known: 0 }
    }

    /// The members of an object without secrets, names included.
    pub fn members(&mut self, members: &Map<String, Value>) -> Map<String, Value> {
        self.learn();
        redact_members(&self.redaction, members)
    }

    fn learn(&mut self) {
        let found = self.secrets.found();
        if found.len() != self.known {
            self.known = found.len();
            self.redaction = Redaction::of(&found);
        }
    }
}

impl Reporter for Redacted<'_> {
    fn report(&mut self, event: &Event) -> io::Result<()> {
        self.learn();
        if self.redaction.is_empty() {
            return self.inner.report(event);
        }
        self.inner.report(&redact_event(&self.redaction, event))
    }

    fn tick(&mut self, now: Instant) -> io::Result<()> {
        self.inner.tick(now)
    }
}

fn redact_event(redaction: &Redaction, event: &Event) -> Event {
    let text = |text: &Arc<str>| -> Arc<str> { redaction.redact(text).into() };
    match event {
        Event::StepRetried { step, attempt, wait, request, error } => Event::StepRetried {
            step: step.clone(),
            attempt: *attempt,
            wait: *wait,
            request: text(request),
            error: text(error),
        },
        Event::Requested { step, request, answer, elapsed } => {
            Event::Requested { step: step.clone(), request: text(request), answer: text(answer), elapsed: *elapsed }
        }
        Event::Printed { step, text: printed } => Event::Printed { step: step.clone(), text: text(printed) },
        Event::ProgramWrote { step, stream, text: wrote } => {
            Event::ProgramWrote { step: step.clone(), stream: *stream, text: text(wrote) }
        }
        Event::Warned { step, message } => Event::Warned { step: step.clone(), message: text(message) },
        Event::StepFinished { step, outcome, output, elapsed, round_trips } => Event::StepFinished {
            step: step.clone(),
            outcome: redact_outcome(redaction, outcome),
            output: output.as_ref().map(|output| redact_output(redaction, output)),
            elapsed: *elapsed,
            round_trips: *round_trips,
        },
        Event::RunFinished { summary } => {
            let finished = |it: &Finished| Finished {
                step: it.step.clone(),
                outcome: redact_outcome(redaction, &it.outcome),
                output: it.output.as_ref().map(|output| redact_output(redaction, output)),
            };
            let summary = Summary {
                steps: summary.steps.iter().map(finished).collect(),
                lacking: summary.lacking.iter().map(|lacking| redact_lacking(redaction, lacking)).collect(),
                unsettled: summary.unsettled.as_ref().map(|failure| redact_failure(redaction, failure)),
                ..Summary::clone(summary)
            };
            Event::RunFinished { summary: Arc::new(summary) }
        }
        // What stands in them comes from the plan and from digests.
        Event::RunStarted { .. }
        | Event::StepFingerprinted { .. }
        | Event::StepResumed { .. }
        | Event::StepStarted { .. }
        | Event::TransferStarted { .. }
        | Event::TransferFinished { .. } => event.clone(),
    }
}

fn redact_outcome(redaction: &Redaction, outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Failed(failure) => Outcome::Failed(Arc::new(redact_failure(redaction, failure))),
        other => other.clone(),
    }
}

fn redact_lacking(redaction: &Redaction, lacking: &Lacking) -> Lacking {
    Lacking { because: redaction.redact(&lacking.because).into_owned(), ..lacking.clone() }
}

fn redact_failure(redaction: &Redaction, failure: &Failure) -> Failure {
    let text = |text: &String| redaction.redact(text).into_owned();
    Failure {
        message: text(&failure.message),
        notes: failure.notes.iter().map(text).collect(),
        help: failure.help.iter().map(text).collect(),
        ..failure.clone()
    }
}

fn redact_output(redaction: &Redaction, output: &Arc<Output>) -> Arc<Output> {
    let holds = output.iter().any(|(_, value)| redact_value(redaction, value) != *value);
    if !holds {
        return Arc::clone(output);
    }
    let redacted = output.iter().map(|(name, value)| (name, redact_value(redaction, value)));
    Arc::new(redacted.fold(Output::clone(output), |output, (name, value)| output.with(name, value)))
}

fn redact_members(redaction: &Redaction, members: &Map<String, Value>) -> Map<String, Value> {
    let redacted =
        members.iter().map(|(name, value)| (redaction.redact(name).into_owned(), redact_value(redaction, value)));
    redacted.collect()
}

fn redact_value(redaction: &Redaction, value: &Value) -> Value {
    match value {
        Value::String(text) => redaction.redact(text).into(),
        Value::Array(items) => items.iter().map(|item| redact_value(redaction, item)).collect(),
        Value::Object(members) => Value::Object(redact_members(redaction, members)),
        // A number may be a secret too: what is printed of it is looked at.
        Value::Number(number) if redaction.redact(&number.to_string()) != number.to_string() => {
            redaction.redact(&number.to_string()).into()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::{
        event::{FailureKind, ProgramStream, StepId},
        report::{Events, Palette, Plain, Reporters},
        secret::{LateSecret, SecretSource},
    };

    #[tokio::test]
    async fn what_was_asked_for_stands_in_no_report() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "hunter2\n").unwrap();
        let source = SecretSource::File(folder.path().join("secret"));
        let secrets = Secrets::new([LateSecret::new("TOKEN".into(), source)]);
        let step = || StepId::new(0, "one");
        let failure = Failure {
            kind: FailureKind::Step,
            message: "hunter2 is wrong".to_owned(),
            notes: vec!["hunter2".to_owned()],
            help: vec!["not hunter2".to_owned()],
            place: None,
        };
        let output = Output::default().with("stdout", json!({ "hunter2": ["a hunter2", 1] })).with("exit_code", 0);
        let failed = Outcome::Failed(Arc::new(failure.clone()));
        let finished = Finished { step: step(), outcome: failed.clone(), output: Some(Arc::new(output.clone())) };
        let summary = Summary { steps: vec![finished], unsettled: Some(failure), ..Summary::default() };
        let events = [
            Event::StepRetried {
                step: step(),
                attempt: 1,
                wait: Duration::ZERO,
                request: "GET hunter2".into(),
                error: "hunter2".into(),
            },
            Event::Requested {
                step: step(),
                request: "GET hunter2".into(),
                answer: "hunter2".into(),
                elapsed: Duration::ZERO,
            },
            Event::Printed { step: step(), text: "hunter2\n".into() },
            Event::ProgramWrote { step: step(), stream: ProgramStream::Stderr, text: "a hunter2 b\n".into() },
            Event::Warned { step: step(), message: "hunter2".into() },
            Event::StepFinished {
                step: step(),
                outcome: failed,
                output: Some(Arc::new(output)),
                elapsed: Duration::ZERO,
                round_trips: 0,
            },
            Event::RunFinished { summary: Arc::new(summary) },
        ];
        let told = |secrets: &Secrets| {
            let (log, lines) = (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
            let mut reporters = Reporters(vec![
                Box::new(Plain::new(log.reopen().unwrap(), Palette::PLAIN)),
                Box::new(Events::new(lines.reopen().unwrap())),
            ]);
            let mut redacted = Redacted::new(&mut reporters, secrets);
            for event in &events {
                redacted.report(event).unwrap();
            }
            [log, lines].map(|file| std::fs::read_to_string(file.path()).unwrap())
        };
        assert!(told(&secrets).iter().all(|text| text.contains("hunter2")), "nobody has asked for it yet");
        secrets.value(&"TOKEN".into()).await.unwrap();
        for text in told(&secrets) {
            assert!(!text.contains("hunter2") && text.contains("a *** b"), "{text}");
        }
        let mut none = Reporters(Vec::new());
        let Value::Object(members) = json!({ "x": "hunter2!", "n": 7, "b": true }) else { unreachable!() };
        let members = Redacted::new(&mut none, &secrets).members(&members);
        assert_eq!(Value::Object(members), json!({ "x": "***!", "n": 7, "b": true }));
    }
}
