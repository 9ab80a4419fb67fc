//! Reporters: what turns the one event stream into bytes. Events in, bytes out; nothing here decides anything.
//!
//! A reporter writes to what it is given. Text that came from outside (names, messages, references) goes through
//! [`text::safe_line`](crate::text::safe_line) or [`text::safe_lines`](crate::text::safe_lines) on its way.

mod activity;
mod dotenv;
mod events;
mod github;
mod html;
mod journal;
mod json;
mod junit;
mod markdown;
mod palette;
mod plain;
mod prints;
mod record;
mod redacted;
mod rehearsed;
mod replay;
mod report_file;
mod result;
mod status;
mod summary;
mod terminal;
#[cfg(test)]
mod testing;
mod verbosity;
mod written;

use std::{io, time::Instant};

pub use self::{
    events::{Events, event_schema},
    github::{Disarmed, Github},
    journal::Journaled,
    palette::Palette,
    plain::Plain,
    prints::Prints,
    record::Record,
    redacted::Redacted,
    replay::Replay,
    report_file::{ReportFile, ReportFormat},
    result::result_schema,
    terminal::{Beside, Terminal},
    verbosity::Verbosity,
};
use crate::event::Event;

/// One way to tell a run.
///
/// Implementations match [`Event`] exhaustively, so that a new event is a compile error in each of them.
pub trait Reporter: Send {
    /// Hears what happened.
    fn report(&mut self, event: &Event) -> io::Result<()>;

    /// Hears that time passed. The runner calls it about every 100 ms while the run lasts.
    fn tick(&mut self, now: Instant) -> io::Result<()> {
        let _ = now;
        Ok(())
    }
}

/// Several reporters as one. Each hears everything, in this order, also where one before it failed; the first error is
/// returned when all have heard.
pub struct Reporters(pub Vec<Box<dyn Reporter>>);

impl Reporters {
    fn each(&mut self, mut tell: impl FnMut(&mut dyn Reporter) -> io::Result<()>) -> io::Result<()> {
        let mut result = Ok(());
        for reporter in &mut self.0 {
            let told = tell(reporter.as_mut());
            result = result.and(told);
        }
        result
    }
}

impl Reporter for Reporters {
    fn report(&mut self, event: &Event) -> io::Result<()> {
        self.each(|reporter| reporter.report(event))
    }

    fn tick(&mut self, now: Instant) -> io::Result<()> {
        self.each(|reporter| reporter.tick(now))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    struct Failing(&'static str, Arc<AtomicUsize>);

    impl Reporter for Failing {
        fn report(&mut self, _: &Event) -> io::Result<()> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Err(io::Error::other(self.0))
        }
    }

    #[test]
    fn all_are_told_even_if_one_fails() {
        let heard = Arc::new(AtomicUsize::new(0));
        let reporter = |name| Box::new(Failing(name, Arc::clone(&heard))) as Box<dyn Reporter>;
        let mut reporters = Reporters(vec![reporter("first"), reporter("second")]);
        let error = reporters.report(&testing::events()[0]).unwrap_err();
        assert_eq!((error.to_string(), heard.load(Ordering::Relaxed)), ("first".to_owned(), 2));
        assert!(reporters.tick(Instant::now()).is_ok());
    }
}
