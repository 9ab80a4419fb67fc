//! Progress in a terminal: finished steps as lines, and below them what goes on, written over again and again.
//!
//! Everything that moves is one bar of indicatif's with several lines, drawn on the tick: a bar per transfer or step would
//! cost time with each that ends. Events between two ticks cost no drawing at all.

mod beside;
mod frame;
mod speed;

use std::{
    io::{self, Write},
    sync::Arc,
    time::Instant,
};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

pub use self::beside::Beside;
use self::{
    frame::{Frame, Row},
    speed::Speed,
};
use super::{Palette, Reporter, Verbosity, activity::Activity, status::StatusLines, summary, written::Written};
use crate::{
    event::{Event, Outcome},
    text,
};

/// How many running transfers are shown with a bar.
const BARS: usize = 8;

/// Tells a run in a terminal.
pub struct Terminal {
    live: ProgressBar,
    writer: Beside<Box<dyn Write + Send>>,
    columns: Box<dyn Fn() -> usize + Send>,
    palette: Palette,
    verbosity: Verbosity,
    lines: StatusLines,
    activity: Activity,
    /// What programs wrote, which is shown where one fails.
    written: Written,
    /// What is written above the bars on the next tick.
    pending: String,
    rows: Vec<Row>,
    total: Speed,
}

impl Terminal {
    /// On stderr, which has to be a terminal; where it is none, nothing moves and finished steps are written all the same.
    pub fn stderr(palette: Palette) -> Self {
        let term = Term::buffered_stderr();
        let target = ProgressDrawTarget::term(term.clone(), 20);
        Self::new(target, move || usize::from(term.size().1), io::stderr(), palette)
    }

    /// Draws on `target`, which is `columns` wide at the moment and shows what is written to `writer`.
    pub fn new(
        target: ProgressDrawTarget,
        columns: impl Fn() -> usize + Send + 'static,
        writer: impl Write + Send + 'static,
        palette: Palette,
    ) -> Self {
        let live = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            live.set_style(style);
        }
        Self {
            writer: Beside::new(live.clone(), Box::new(writer)),
            live,
            columns: Box::new(columns),
            palette,
            verbosity: Verbosity::Normal,
            lines: StatusLines::new(palette),
            activity: Activity::default(),
            written: Written::default(),
            pending: String::new(),
            rows: Vec::new(),
            total: Speed::default(),
        }
    }

    /// The same, telling so much. What went wrong alone is told by [`Plain`](super::Plain).
    #[must_use]
    pub fn verbosity(self, verbosity: Verbosity) -> Self {
        Self { verbosity, ..self }
    }

    /// A writer to the same screen (stdout, where that is the terminal too) that moves the bars away while it writes.
    pub fn beside<W: Write>(&self, writer: W) -> Beside<W> {
        Beside::new(self.live.clone(), writer)
    }

    fn write_pending(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        self.writer.write_all(pending.as_bytes())
    }

    /// Bars stay with their transfers; those that have ended make room for those that wait.
    fn choose_rows(&mut self) {
        let running = self.activity.transfers();
        self.rows.retain(|row| running.iter().any(|(_, transfer)| Arc::ptr_eq(transfer, &row.transfer)));
        for (step, transfer) in running {
            if self.rows.len() >= BARS {
                break;
            }
            if !self.rows.iter().any(|row| Arc::ptr_eq(&row.transfer, transfer)) {
                let label = text::safe_line(&format!("{step} {}", transfer.name())).into_owned();
                self.rows.push(Row { label, transfer: Arc::clone(transfer), speed: Speed::default() });
            }
        }
    }
}

impl Reporter for Terminal {
    fn report(&mut self, event: &Event) -> io::Result<()> {
        self.activity.hear(event);
        self.written.hear(event);
        match event {
            Event::RunStarted { plan, steps } => {
                self.lines.align(steps.iter().map(|(step, _)| step));
                self.pending += &summary::opening(plan, steps.len());
            }
            Event::StepRetried { step, attempt, wait, request, error } => {
                self.pending += &self.lines.retried(step, *attempt, *wait, request, error);
            }
            Event::Warned { step, message } => self.pending += &self.lines.warned(step, message),
            Event::StepFinished { step, outcome, output, elapsed } => {
                let written = self.written.take(step.index());
                if let Outcome::Failed(_) = outcome {
                    self.pending += &self.lines.wrote(step, &written);
                }
                let columns = (self.columns)();
                self.pending += &self.lines.finished(step, outcome, output.as_deref(), *elapsed, columns);
            }
            Event::RunFinished { summary } => {
                self.live.finish_and_clear();
                self.pending += &summary::draw(summary, self.palette);
                self.write_pending()?;
            }
            Event::Requested { step, request, answer, elapsed } if self.verbosity == Verbosity::Verbose => {
                self.pending += &self.lines.requested(step, request, answer, *elapsed);
            }
            Event::StepStarted { .. }
            | Event::Requested { .. }
            | Event::TransferStarted { .. }
            | Event::TransferFinished { .. }
            | Event::Printed { .. }
            | Event::ProgramWrote { .. }
            | Event::StepFingerprinted { .. } => {}
        }
        Ok(())
    }

    fn tick(&mut self, now: Instant) -> io::Result<()> {
        self.write_pending()?;
        self.activity.tick(now);
        self.choose_rows();
        for row in &mut self.rows {
            row.speed.sample(now, row.transfer.done());
        }
        self.total.sample(now, self.activity.moved());
        let frame = Frame {
            columns: (self.columns)(),
            palette: self.palette,
            activity: &self.activity,
            rows: &self.rows,
            total: &self.total,
        };
        self.live.set_message(frame.draw(now).join("\n"));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
