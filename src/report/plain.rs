use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use super::{Palette, Reporter, Verbosity, activity::Activity, status::StatusLines, summary, written::Written};
use crate::{
    event::{Event, ExitCode, Outcome},
    text,
};

/// How long nothing is written before a heartbeat is.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// How many running steps a heartbeat names.
const NAMED: usize = 8;

/// One line per change of state, for people who read a log: no carriage returns, nothing that is written over.
///
/// Where nothing changes for 30 seconds, a line says what runs.
pub struct Plain<W> {
    writer: W,
    palette: Palette,
    verbosity: Verbosity,
    lines: StatusLines,
    activity: Activity,
    /// What programs wrote, which is shown where one fails and was not shown before.
    written: Written,
    /// The first tick after the last line.
    quiet_since: Option<Instant>,
}

impl<W: Write> Plain<W> {
    /// Writes to `writer`, which is stderr or what stands in front of it.
    pub fn new(writer: W, palette: Palette) -> Self {
        Self {
            writer,
            palette,
            verbosity: Verbosity::Normal,
            lines: StatusLines::new(palette),
            activity: Activity::default(),
            written: Written::default(),
            quiet_since: None,
        }
    }

    /// The same, telling so much.
    #[must_use]
    pub fn verbosity(self, verbosity: Verbosity) -> Self {
        Self { verbosity, ..self }
    }

    /// What went wrong is told however little is told.
    fn is_quiet(&self) -> bool {
        self.verbosity == Verbosity::Quiet
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.quiet_since = None;
        self.writer.write_all(text.as_bytes())?;
        self.writer.flush()
    }

    fn heartbeat(&self, now: Instant) -> String {
        let running = self.activity.running();
        let more = running.len().saturating_sub(NAMED);
        let mut parts: Vec<_> = running
            .iter()
            .take(NAMED)
            .map(|running| {
                let elapsed = text::duration(running.elapsed(now));
                format!("{} ({elapsed})", text::safe_line(running.step().name()))
            })
            .collect();
        if more > 0 {
            parts.push(format!("{more} more"));
        }
        let (running, waiting) = (parts.join(", "), self.activity.waiting());
        let moved = match self.activity.moved() {
            0 => String::new(),
            moved => format!("; {} moved", text::bytes(moved)),
        };
        format!("running   {running}; {waiting} waiting{moved}\n")
    }
}

impl<W: Write + Send> Reporter for Plain<W> {
    fn report(&mut self, event: &Event) -> io::Result<()> {
        self.activity.hear(event);
        match event {
            Event::RunStarted { plan, steps, edges: _, at: _ } => {
                self.lines.align(steps.iter().map(|(step, _)| step));
                if self.is_quiet() {
                    return Ok(());
                }
                self.write(&summary::opening(plan, steps.len()))
            }
            Event::ProgramWrote { .. } if self.is_quiet() => {
                self.written.hear(event);
                Ok(())
            }
            Event::StepFinished { step, outcome, .. } if self.is_quiet() && !matches!(outcome, Outcome::Failed(_)) => {
                self.written.take(step.index());
                Ok(())
            }
            Event::StepRetried { .. } | Event::Warned { .. } if self.is_quiet() => Ok(()),
            Event::RunFinished { summary } if self.is_quiet() && summary.exit_code() == ExitCode::Success => Ok(()),
            Event::RunFinished { summary } if self.is_quiet() => self.write(&summary::outcome(summary, self.palette)),
            Event::Requested { step, request, answer, elapsed } if self.verbosity == Verbosity::Verbose => {
                self.write(&self.lines.requested(step, request, answer, *elapsed))
            }
            Event::StepRetried { step, attempt, wait, request, error } => {
                self.write(&self.lines.retried(step, *attempt, *wait, request, error))
            }
            Event::ProgramWrote { step, text, .. } => self.write(&self.lines.wrote(step, text)),
            Event::Warned { step, message } => self.write(&self.lines.warned(step, message)),
            Event::StepResumed { step, taken_over: false, because } => self.write(&self.lines.again(step, because)),
            Event::StepFinished { step, outcome, output, elapsed, .. } => {
                let written = self.written.take(step.index());
                self.write(&self.lines.wrote(step, &written))?;
                self.write(&self.lines.finished(step, outcome, output.as_deref(), *elapsed, usize::MAX))
            }
            Event::RunFinished { summary } => self.write(&summary::draw(summary, self.palette)),
            Event::StepStarted { .. }
            | Event::Requested { .. }
            | Event::TransferStarted { .. }
            | Event::TransferFinished { .. }
            | Event::Printed { .. }
            | Event::StepResumed { .. }
            | Event::StepFingerprinted { .. } => Ok(()),
        }
    }

    fn tick(&mut self, now: Instant) -> io::Result<()> {
        self.activity.tick(now);
        let quiet_since = *self.quiet_since.get_or_insert(now);
        if self.is_quiet()
            || now.saturating_duration_since(quiet_since) < HEARTBEAT
            || self.activity.running().is_empty()
        {
            return Ok(());
        }
        self.write(&self.heartbeat(now))?;
        self.quiet_since = Some(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    fn written(plain: &mut Plain<Vec<u8>>) -> String {
        String::from_utf8(std::mem::take(&mut plain.writer)).unwrap()
    }

    #[test]
    fn every_event() {
        let mut plain = Plain::new(Vec::new(), Palette::PLAIN);
        testing::tell(&mut plain);
        let written = written(&mut plain);
        assert!(!written.contains(['\r', '\u{1b}']));
        insta::assert_snapshot!(written, @r"
        acr-tutorial: 9 steps
        retrying  image           in 1.5 s, after attempt 1: GET https://r.io/v2/: 503 Service Unavailable
        output    push_app        ::error::one
        output    push_app        two \u001b[2J
        warning   tree            the registry has no referrers API
        again     remove          it had not ended
        created   image           myregistry.azurecr.io/net-monitor@sha256:44136fa355b3  0.12 s
        updated   sbom            myregistry.azurecr.io/net-monitor@sha256:44136fa355b3  0.12 s
        unchanged docs            myregistry.azurecr.io/net-monitor@sha256:44136fa355b3  0.12 s
        deleted   remove          myregistry.azurecr.io/net-monitor@sha256:44136fa355b3  0.12 s
        passed    tree            0.12 s
        skipped   promote         `when` is false
        blocked   sign            push_app failed
        failed    push_app        failed to push to `myregistry.azurecr.io/app:v1`: 403 DENIED: two\nlines and \u001b[2J
          --> plans/x.yaml:12:5
          help: log in with `consign login myregistry.azurecr.io`
        cancelled sbom_signature  never started
        changed:
          created myregistry.azurecr.io/net-monitor@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
          updated myregistry.azurecr.io/net-monitor@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
          deleted myregistry.azurecr.io/net-monitor@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
        failed:
          push_app: failed to push to `myregistry.azurecr.io/app:v1`: 403 DENIED: two\nlines and \u001b[2J
        1 created, 1 updated, 1 unchanged, 1 deleted, 1 passed, 1 skipped, 1 blocked, 1 failed, 1 cancelled in 1.2 s
        run it again: what succeeded is found unchanged
        a real run:
          in                                 needs               to
          myregistry.azurecr.io/base         pull
          myregistry.azurecr.io/net-monitor  pull, push, delete  move               latest: sha256:cba06b5736fa → sha256:ea0890697a77
                                                                 create and delete  passing
                                                                 delete             stale, now sha256:cba06b5736fa
                                                                 create             v1 → sha256:ea0890697a77
                                                                 create             sha256:ea0890697a77
        faults: `copy:503*2` 1 of 2 times; they cost 1 more try
        ");
    }

    #[test]
    fn every_request_is_told_where_that_is_wanted() {
        let mut plain = Plain::new(Vec::new(), Palette::PLAIN).verbosity(Verbosity::Verbose);
        testing::tell(&mut plain);
        let written = written(&mut plain);
        let asked: Vec<_> = written.lines().filter(|line| line.starts_with("asked")).collect();
        assert_eq!(asked, ["asked     tree            GET https://r.io/v2/: 200 OK  0.04 s"]);
    }

    #[test]
    fn what_went_wrong_alone_is_told_where_that_is_wanted() {
        let mut plain = Plain::new(Vec::new(), Palette::PLAIN).verbosity(Verbosity::Quiet);
        testing::tell(&mut plain);
        insta::assert_snapshot!(written(&mut plain), @r"
        again     remove          it had not ended
        output    push_app        ::error::one
        output    push_app        two \u001b[2J
        failed    push_app        failed to push to `myregistry.azurecr.io/app:v1`: 403 DENIED: two\nlines and \u001b[2J
          --> plans/x.yaml:12:5
          help: log in with `consign login myregistry.azurecr.io`
        1 created, 1 updated, 1 unchanged, 1 deleted, 1 passed, 1 skipped, 1 blocked, 1 failed, 1 cancelled in 1.2 s
        run it again: what succeeded is found unchanged
        ");
        let all_well = Event::RunFinished { summary: std::sync::Arc::default() };
        plain.report(&all_well).unwrap();
        assert_eq!(written(&mut plain), "");
    }

    #[test]
    fn a_heartbeat_says_what_runs_when_nothing_was_written_for_30_seconds() {
        let mut plain = Plain::new(Vec::new(), Palette::PLAIN);
        let transfer = testing::transfer("layer.tar", 4096);
        for event in [
            testing::started(12),
            Event::StepStarted { step: testing::step(0) },
            Event::StepStarted { step: testing::step(1) },
            Event::TransferStarted { step: testing::step(0), transfer: transfer.clone() },
        ] {
            plain.report(&event).unwrap();
        }
        transfer.advance(2048);
        written(&mut plain);
        let start = Instant::now();
        let mut at = |seconds| {
            plain.tick(start + Duration::from_secs(seconds)).unwrap();
            written(&mut plain)
        };
        assert_eq!([0, 29].map(&mut at), ["", ""]);
        assert_eq!(at(30), "running   step0 (30.0 s), step1 (30.0 s); 10 waiting; 2.0 KiB moved\n");
        assert_eq!(at(59), "");
        assert_eq!(at(90), "running   step0 (1 m 30 s), step1 (1 m 30 s); 10 waiting; 2.0 KiB moved\n");
    }

    #[test]
    fn a_line_puts_the_heartbeat_off_and_an_idle_run_has_none() {
        let mut plain = Plain::new(Vec::new(), Palette::PLAIN);
        plain.report(&testing::started(12)).unwrap();
        let start = Instant::now();
        let at = |plain: &mut Plain<_>, seconds| {
            plain.tick(start + Duration::from_secs(seconds)).unwrap();
            written(plain)
        };
        written(&mut plain);
        at(&mut plain, 0);
        assert_eq!(at(&mut plain, 60), "");
        for index in 0..10 {
            plain.report(&Event::StepStarted { step: testing::step(index) }).unwrap();
        }
        plain.report(&Event::Warned { step: testing::step(0), message: "slow".into() }).unwrap();
        written(&mut plain);
        assert_eq!([61, 90].map(|seconds| at(&mut plain, seconds)), ["", ""]);
        assert!(at(&mut plain, 91).contains("step7 (30.0 s), 2 more; 2 waiting\n"));
    }
}
