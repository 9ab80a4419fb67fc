use std::{fmt::Write as _, sync::Arc, time::Instant};

use super::{
    super::{Palette, activity::Activity},
    speed::Speed,
};
use crate::{event::Transfer, text};

/// Widths of the columns to the right of the bar. The widest texts are `1023.9 MiB/1023.9 MiB` and `1023.9 MiB/s`.
const BYTES: usize = 21;
const RATE: usize = 12;
const ETA: usize = 9;

/// Narrower terminals are not told the rate.
const WIDE: usize = 76;

/// Bars and labels grow with the terminal, up to this.
const LONGEST_BAR: usize = 40;
const LONGEST_LABEL: usize = 60;

/// A running transfer that is shown.
#[derive(Debug)]
pub(super) struct Row {
    /// Safe to show.
    pub(super) label: String,
    pub(super) transfer: Arc<Transfer>,
    pub(super) speed: Speed,
}

/// What is shown at one moment below the finished steps.
pub(super) struct Frame<'a> {
    pub(super) columns: usize,
    pub(super) palette: Palette,
    pub(super) activity: &'a Activity,
    pub(super) rows: &'a [Row],
    pub(super) total: &'a Speed,
}

impl Frame<'_> {
    /// From top to bottom, each at most as wide as the terminal where that has room for anything.
    pub(super) fn draw(&self, now: Instant) -> Vec<String> {
        let mut lines: Vec<_> = self
            .rows
            .iter()
            .map(|row| self.bar(&row.label, row.transfer.done(), row.transfer.total(), &row.speed))
            .collect();
        if !self.rows.is_empty() {
            let total = format!("total of {}", self.activity.transfers().len());
            lines.push(self.bar(&total, self.activity.moved(), self.activity.expected(), self.total));
        }
        lines.push(self.steps(now));
        lines
    }

    fn bar(&self, label: &str, done: u64, total: u64, speed: &Speed) -> String {
        let mut right = text::pad_left(&format!("{}/{}", text::bytes(done), text::bytes(total)), BYTES);
        if self.columns >= WIDE {
            let rate = speed.per_second().filter(|rate| *rate > 0);
            let rate = rate.map(|rate| format!("{}/s", text::bytes(rate))).unwrap_or_default();
            right += &text::pad_left(&rate, RATE + 2);
        }
        let eta = speed.time_for(total.saturating_sub(done)).map(text::seconds).unwrap_or_default();
        right += &text::pad_left(&eta, ETA + 2);

        let left = self.columns.saturating_sub(text::width(&right) + 4);
        let bar_columns = (left / 3).min(LONGEST_BAR);
        let label_columns = (left - bar_columns).min(LONGEST_LABEL);
        let label = text::pad(&text::shorten(label, label_columns), label_columns);
        let filled = filled(done, total, bar_columns);
        let bar = self.palette.bar(&"█".repeat(filled)) + &"░".repeat(bar_columns - filled);
        format!("{label}  {bar}  {right}")
    }

    /// How many steps have finished and wait, and the names of as many running ones as there is room for.
    fn steps(&self, now: Instant) -> String {
        let activity = self.activity;
        let mut line = format!("{} of {} done, {} waiting", activity.finished(), activity.steps(), activity.waiting());
        let running = activity.running();
        let count = running.len();
        for (index, running) in running.iter().enumerate() {
            let separator = if index == 0 { "; running " } else { ", " };
            let name = text::safe_line(running.step().name());
            let elapsed = text::seconds(running.elapsed(now));
            let waits = running.waits(now).map(|left| format!(", waits {}", text::seconds(left))).unwrap_or_default();
            let entry = format!("{separator}{name} ({elapsed}{waits})");
            let more = format!(" and {} more", count - index);
            // What is left over has to fit too, unless this is the last.
            let reserve = if index + 1 == count { 0 } else { text::width(&more) };
            if text::width(&line) + text::width(&entry) + reserve > self.columns {
                if index == 0 {
                    let _ = write!(line, "; {count} running");
                } else {
                    line += &more;
                }
                break;
            }
            line += &entry;
        }
        text::shorten(&line, self.columns).into_owned()
    }
}

/// How many of `columns` stand for what is done.
fn filled(done: u64, total: u64, columns: usize) -> usize {
    if total == 0 {
        return columns;
    }
    let filled = u128::from(done.min(total)) * columns as u128 / u128::from(total);
    usize::try_from(filled).unwrap_or(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_only_when_all_is_done() {
        assert_eq!(filled(0, 100, 10), 0);
        assert_eq!(filled(99, 100, 10), 9);
        assert_eq!(filled(100, 100, 10), 10);
        assert_eq!(filled(u64::MAX, 100, 10), 10);
        assert_eq!(filled(u64::MAX, u64::MAX, 10), 10);
        assert_eq!(filled(0, 0, 10), 10);
    }
}
