use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use super::Reporter;
use crate::{event::Event, text};

/// Writes what steps print in file order, whatever order they ran in: the text of a step as a whole, as soon as it and all
/// steps before it have finished.
pub struct Prints<W> {
    writer: W,
    /// The steps that have not finished, by their place.
    unfinished: BTreeSet<usize>,
    /// What was printed and not yet written, by the place of the step.
    held: BTreeMap<usize, String>,
}

impl<W: Write> Prints<W> {
    /// Writes to `writer`, which is stdout or what stands in front of it.
    pub const fn new(writer: W) -> Self {
        Self { writer, unfinished: BTreeSet::new(), held: BTreeMap::new() }
    }

    fn write_ready(&mut self) -> io::Result<()> {
        let first_unfinished = self.unfinished.first().copied().unwrap_or(usize::MAX);
        while let Some(entry) = self.held.first_entry()
            && *entry.key() < first_unfinished
        {
            let text = entry.remove();
            self.writer.write_all(text::safe_lines(&text).as_bytes())?;
            self.writer.flush()?;
        }
        Ok(())
    }
}

impl<W: Write + Send> Reporter for Prints<W> {
    fn report(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStarted { steps, .. } => {
                self.unfinished = steps.iter().map(|(step, _)| step.index()).collect();
                Ok(())
            }
            Event::Printed { step, text } => {
                self.held.entry(step.index()).or_default().push_str(text);
                Ok(())
            }
            Event::StepFinished { step, .. } => {
                self.unfinished.remove(&step.index());
                self.write_ready()
            }
            Event::RunFinished { .. } => {
                self.unfinished.clear();
                self.write_ready()
            }
            Event::StepStarted { .. }
            | Event::StepRetried { .. }
            | Event::Requested { .. }
            | Event::TransferStarted { .. }
            | Event::TransferFinished { .. }
            | Event::ProgramWrote { .. }
            | Event::Warned { .. }
            | Event::StepResumed { .. }
            | Event::StepFingerprinted { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        event::{Outcome, Summary},
        report::testing,
    };

    fn printed(index: usize, text: &str) -> Event {
        Event::Printed { step: testing::step(index), text: text.into() }
    }

    fn finished(index: usize) -> Event {
        testing::finished(index, Outcome::Passed)
    }

    /// What was written after each event.
    fn written(events: &[Event]) -> Vec<String> {
        let mut prints = Prints::new(Vec::new());
        let write = |event| {
            prints.report(event).unwrap();
            String::from_utf8(std::mem::take(&mut prints.writer)).unwrap()
        };
        events.iter().map(write).collect()
    }

    #[test]
    fn prints_come_in_file_order() {
        assert_eq!(
            written(&[
                testing::started(3),
                printed(2, "c1\n"),
                printed(1, "b1\n"),
                printed(2, "c2\n"),
                finished(2),
                printed(1, "b2\n"),
                finished(1),
                finished(0),
            ]),
            ["", "", "", "", "", "", "", "b1\nb2\nc1\nc2\n"]
        );
    }

    #[test]
    fn a_step_is_written_when_it_has_finished_and_not_later() {
        assert_eq!(
            written(&[testing::started(2), printed(0, "a1\n"), printed(0, "a2\n"), finished(0), printed(1, "b\n")]),
            ["", "", "", "a1\na2\n", ""]
        );
    }

    #[test]
    fn a_step_is_written_as_a_whole() {
        assert_eq!(
            written(&[testing::started(2), printed(0, "a1\n"), finished(1), printed(0, "a2\n"), finished(0)]),
            ["", "", "", "", "a1\na2\n"]
        );
    }

    #[test]
    fn the_end_of_a_run_holds_nothing_back() {
        let end = Event::RunFinished { summary: Arc::new(Summary::default()) };
        assert_eq!(written(&[testing::started(2), printed(1, "b\n"), end]), ["", "", "b\n"]);
    }

    #[test]
    fn lines_and_tabs_are_kept_and_other_control_characters_are_not() {
        assert_eq!(
            written(&[testing::started(1), printed(0, "a\tb\n\u{1b}[2J\n"), finished(0)]).concat(),
            "a\tb\n\\u001b[2J\n"
        );
    }

    #[test]
    fn a_broken_pipe_is_an_error() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut prints = Prints::new(Closed);
        let results = [printed(0, "a\n"), finished(0), finished(1)].map(|event| prints.report(&event));
        assert_eq!(
            results.map(|result| result.map_err(|error| error.kind())),
            [Ok(()), Err(io::ErrorKind::BrokenPipe), Ok(())]
        );
    }
}
