//! Progress in a terminal: finished steps as lines, and below them what goes on, written over again and again.
//!
//! Everything that moves is one bar of indicatif's with several lines, drawn on the tick: a bar per transfer or step would
//! cost time with each that ends. Events between two ticks cost no drawing at all, and a tick writes once, if anything is
//! different.

mod beside;
mod frame;
mod screen;
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
    screen::Screen,
    speed::Speed,
};
use super::{Palette, Reporter, Verbosity, activity::Activity, status::StatusLines, summary, written::Written};
use crate::{
    event::{Event, Outcome},
    text,
};

/// How many running transfers are shown with a bar.
const BARS: usize = 8;

/// How often indicatif may draw in a second: oftener than there are ticks.
const REDRAWN: u8 = 100;

/// Tells a run in a terminal.
pub struct Terminal {
    live: ProgressBar,
    screen: Screen,
    writer: Beside<Screen>,
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
    /// What is drawn, and how wide the terminal was.
    drawn: (Vec<String>, usize),
}

impl Terminal {
    /// On stderr, which has to be a terminal; where it is none, nothing moves and finished steps are written all the same.
    pub fn stderr(palette: Palette) -> Self {
        let term = Term::stderr();
        let size = move || {
            let (rows, columns) = term.size();
            (rows.into(), columns.into())
        };
        Self::new(io::stderr(), size, palette)
    }

    /// Draws on `writer`, a terminal that has so many rows and columns at the moment.
    pub fn new(
        writer: impl Write + Send + 'static,
        size: impl Fn() -> (usize, usize) + Send + Sync + 'static,
        palette: Palette,
    ) -> Self {
        let screen = Screen::new(writer, size);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), REDRAWN);
        let live = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            live.set_style(style);
        }
        Self {
            writer: Beside::new(live.clone(), screen.clone()),
            live,
            screen,
            palette,
            verbosity: Verbosity::Normal,
            lines: StatusLines::new(palette),
            activity: Activity::default(),
            written: Written::default(),
            pending: String::new(),
            rows: Vec::new(),
            total: Speed::default(),
            drawn: (Vec::new(), 0),
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
            Event::RunStarted { plan, steps, edges: _, at: _ } => {
                self.lines.align(steps.iter().map(|(step, _)| step));
                self.pending += &summary::opening(plan, steps.len());
            }
            Event::StepRetried { step, attempt, wait, request, error } => {
                self.pending += &self.lines.retried(step, *attempt, *wait, request, error);
            }
            Event::Warned { step, message } => self.pending += &self.lines.warned(step, message),
            Event::StepResumed { step, taken_over: false, because } => self.pending += &self.lines.again(step, because),
            Event::StepFinished { step, outcome, output, elapsed, .. } => {
                let written = self.written.take(step.index());
                if let Outcome::Failed(_) = outcome {
                    self.pending += &self.lines.wrote(step, &written);
                }
                let columns = self.screen.columns();
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
            | Event::StepResumed { .. }
            | Event::StepFingerprinted { .. } => {}
        }
        Ok(())
    }

    fn tick(&mut self, now: Instant) -> io::Result<()> {
        self.activity.tick(now);
        self.choose_rows();
        for row in &mut self.rows {
            row.speed.sample(now, row.transfer.done());
        }
        self.total.sample(now, self.activity.moved());
        let columns = self.screen.columns();
        let frame =
            Frame { columns, palette: self.palette, activity: &self.activity, rows: &self.rows, total: &self.total };
        let lines = frame.draw(now);
        self.screen.hold();
        let (shown, before) = &self.drawn;
        if columns != *before {
            self.screen.resized(shown.len(), *before, columns);
        }
        let is_new = (shown, *before) != (&lines, columns);
        let written = self.write_pending();
        if is_new {
            self.live.set_message(lines.join("\n"));
            self.drawn = (lines, columns);
        }
        written.and(self.screen.release())
    }
}

#[cfg(test)]
mod tests;
