//! The event stream into a journal on disk.

use std::{
    io::{self, Write},
    time::Instant,
};

use serde::Serialize;

use super::{Events, Reporter};
use crate::{
    event::{Event, Fingerprint},
    journal::Journal,
};

/// Writes each event into a journal, as `--events` has it, and the fingerprints of steps besides.
pub struct Journaled {
    events: Events<Journal>,
}

#[derive(Serialize)]
struct FingerprintLine<'a> {
    event: &'static str,
    step: &'a str,
    fingerprint: &'a Fingerprint,
}

impl Journaled {
    /// Writes into `journal`.
    pub const fn new(journal: Journal) -> Self {
        Self { events: Events::new(journal) }
    }
}

impl Reporter for Journaled {
    fn report(&mut self, event: &Event) -> io::Result<()> {
        if let Event::StepFingerprinted { step, fingerprint } = event {
            let line = FingerprintLine { event: "step_fingerprinted", step: step.name(), fingerprint };
            let line = serde_json::to_string(&line)?;
            return self.events.writer().write_all(format!("{line}\n").as_bytes());
        }
        self.events.report(event)?;
        match event {
            Event::StepFinished { .. } | Event::RunFinished { .. } => self.events.writer().sync(),
            _ => Ok(()),
        }
    }

    fn tick(&mut self, now: Instant) -> io::Result<()> {
        self.events.tick(now)
    }
}
