use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Header, JournalError};
use crate::event::Fingerprint;

/// A journal that was read, of a run that ended, broke off or still goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What was run, and how.
    pub header: Header,
    /// Every line after the header, in order, as `--events` has them.
    pub lines: Vec<Map<String, Value>>,
    /// What became of each step that was heard of, by its id.
    pub steps: BTreeMap<String, RecordedStep>,
    /// How it ended.
    pub ending: Ending,
}

/// How a run ended, as far as its journal knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With that exit code.
    Finished(u8),
    /// It was killed, or the machine went down.
    BrokenOff,
    /// Not yet: a process is at work on it.
    Running,
}

/// What became of a step in an earlier run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordedStep {
    /// Whether it began to work.
    pub started: bool,
    /// How it ended, in the word for it.
    pub outcome: Option<String>,
    /// What it handed on.
    pub output: Option<Map<String, Value>>,
    /// What decided what it did.
    pub fingerprint: Option<Fingerprint>,
}

/// The largest journal that is read, in bytes.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Reads a journal. A last line that is not whole was being written when the run broke off, and is left out.
pub(super) fn read(path: &Path, is_running: bool) -> Result<Record, JournalError> {
    let unreadable = |why: String| JournalError::Unreadable { path: path.to_owned(), why };
    let file = File::open(path).map_err(JournalError::io("read", path))?;
    let size = file.metadata().map_err(JournalError::io("read", path))?.len();
    if size > LARGEST {
        return Err(unreadable(format!("it has {size} bytes, and {LARGEST} are read at most")));
    }
    let mut reader = BufReader::new(file.take(LARGEST));
    let mut line = Vec::new();
    let mut next = |line: &mut Vec<u8>| {
        line.clear();
        reader.read_until(b'\n', line).map_err(JournalError::io("read", path))
    };
    next(&mut line)?;
    if line.is_empty() {
        return Err(unreadable("it is empty: the run broke off as it began".to_owned()));
    }
    let header: Header = serde_json::from_slice(&line).map_err(|error| unreadable(format!("line 1: {error}")))?;
    if header.version != Header::VERSION {
        return Err(unreadable(format!("it has version {}", header.version)));
    }
    let mut record = Record { header, lines: Vec::new(), steps: BTreeMap::new(), ending: Ending::BrokenOff };
    let mut number = 1_usize;
    while next(&mut line)? > 0 {
        number += 1;
        match serde_json::from_slice(&line) {
            Ok(event) => record.hear(event),
            Err(_) if !line.ends_with(b"\n") => break,
            Err(error) => return Err(unreadable(format!("line {number}: {error}"))),
        }
    }
    if is_running {
        record.ending = Ending::Running;
    }
    Ok(record)
}

impl Record {
    /// Whether every step of it ended well, or was not to run.
    pub fn is_success(&self) -> bool {
        self.ending == Ending::Finished(0)
    }

    fn hear(&mut self, line: Map<String, Value>) {
        let text = |name: &str| line.get(name).and_then(Value::as_str);
        match (text("event"), text("step")) {
            (Some("step_started"), Some(step)) => self.step(step).started = true,
            (Some("step_fingerprinted"), Some(step)) => {
                let fingerprint = line.get("fingerprint").and_then(|value| Fingerprint::deserialize(value).ok());
                self.step(step).fingerprint = fingerprint;
            }
            (Some("step_finished"), Some(step)) => {
                let outcome = text("outcome").map(str::to_owned);
                let output = line.get("output").and_then(Value::as_object).cloned();
                let step = self.step(step);
                (step.outcome, step.output) = (outcome, output);
            }
            (Some("run_finished"), None) => {
                let code = line.get("exit_code").and_then(Value::as_u64).and_then(|code| u8::try_from(code).ok());
                self.ending = code.map_or(Ending::BrokenOff, Ending::Finished);
            }
            _ => {}
        }
        self.lines.push(line);
    }

    fn step(&mut self, name: &str) -> &mut RecordedStep {
        self.steps.entry(name.to_owned()).or_default()
    }
}

impl RecordedStep {
    /// Whether it ended well, so that it need not run again.
    pub fn is_success(&self) -> bool {
        let successes = ["created", "updated", "unchanged", "deleted", "passed"];
        self.outcome.as_deref().is_some_and(|outcome| successes.contains(&outcome))
    }
}
