use anstyle::{AnsiColor, Style};

use crate::event::Outcome;

/// Whether colours are used, and which. A colour only repeats what a word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    colored: bool,
}

impl Palette {
    /// No colours, no escape sequences.
    pub const PLAIN: Self = Self { colored: false };

    /// The sixteen colours that every terminal has.
    pub const COLORED: Self = Self { colored: true };

    pub(super) fn outcome(self, outcome: &Outcome, text: &str) -> String {
        let style = match outcome {
            Outcome::Created | Outcome::Passed => AnsiColor::Green.on_default(),
            Outcome::Updated => AnsiColor::Cyan.on_default(),
            Outcome::Deleted => AnsiColor::Magenta.on_default(),
            Outcome::Unchanged | Outcome::Skipped { .. } => Style::new().dimmed(),
            Outcome::Blocked { .. } | Outcome::Cancelled => AnsiColor::Yellow.on_default(),
            Outcome::Failed(_) => AnsiColor::Red.on_default().bold(),
        };
        self.paint(style, text)
    }

    pub(super) fn caution(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default(), text)
    }

    pub(super) fn quiet(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    pub(super) fn heading(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    pub(super) fn bar(self, text: &str) -> String {
        self.paint(AnsiColor::Cyan.on_default(), text)
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colored { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
