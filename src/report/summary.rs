use std::{fmt::Write as _, sync::Arc};

use super::{Palette, rehearsed, status::details};
use crate::{
    event::{ExitCode, Failure, Finished, Lacking, Outcome, Summary},
    text,
};

/// More entries than this are only counted.
const LISTED: usize = 20;

/// The first line of a run.
pub(super) fn opening(plan: &str, steps: usize) -> String {
    format!("{}: {}\n", text::safe_line(plan), text::count(steps, "step"))
}

/// The end of a run: what changed, what failed, how many of each, and how to go on. Ends with a newline.
pub(super) fn draw(summary: &Summary, palette: Palette) -> String {
    let mut drawn = list("changed:", &summary.steps, palette, changed);
    drawn += &list("failed:", &summary.steps, palette, failed);
    drawn += &without_value(summary, palette);
    drawn += &outcome(summary, palette);
    drawn.extend(summary.rehearsed.iter().map(|rehearsed| rehearsed::draw(rehearsed, palette)));
    drawn
}

/// How many steps ended how, and how to go on.
pub(super) fn outcome(summary: &Summary, palette: Palette) -> String {
    let mut drawn = summary.unsettled.iter().map(|failure| unsettled(failure, palette)).collect::<String>();
    let elapsed = text::duration(summary.elapsed);
    // Writing to a string cannot fail.
    let _ = writeln!(drawn, "{} in {elapsed}", palette.heading(&counts(summary)));
    if let Some(advice) = advice(summary.exit_code()) {
        let _ = writeln!(drawn, "{advice}");
    }
    drawn
}

/// What went wrong when all steps had ended.
fn unsettled(failure: &Failure, palette: Palette) -> String {
    let word = palette.outcome(&Outcome::Failed(Arc::new(failure.clone())), "failed");
    format!("{word}    {}\n{}", text::safe_line(&failure.message), details(failure))
}

/// The outputs that what was skipped would have given. What was to come of a step that failed is no news.
fn without_value(summary: &Summary, palette: Palette) -> String {
    let skipped: Vec<_> = summary.lacking.iter().filter(|lacking| lacking.is_skipped).collect();
    if skipped.is_empty() {
        return String::new();
    }
    let mut drawn = format!("{}\n", palette.heading("outputs without a value:"));
    for Lacking { output, because, .. } in skipped.iter().take(LISTED) {
        drawn.extend(["  ", &text::safe_line(output), ": ", &text::safe_line(because), "\n"]);
    }
    if skipped.len() > LISTED {
        // Writing to a string cannot fail.
        let _ = writeln!(drawn, "  and {} more", skipped.len() - LISTED);
    }
    drawn
}

/// `3 created, 2 updated, 12 unchanged`: the outcomes that came about.
pub(super) fn counts(summary: &Summary) -> String {
    let counts: Vec<_> = Outcome::WORDS
        .iter()
        .map(|word| (summary.count(word), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if counts.is_empty() { "nothing to do".to_owned() } else { counts.join(", ") }
}

fn list(
    heading: &str,
    steps: &[Finished],
    palette: Palette,
    entry: impl Fn(&Finished, Palette) -> Option<String>,
) -> String {
    let entries: Vec<_> = steps.iter().filter_map(|finished| entry(finished, palette)).collect();
    if entries.is_empty() {
        return String::new();
    }
    let mut drawn = format!("{}\n", palette.heading(heading));
    for entry in entries.iter().take(LISTED) {
        drawn.extend(["  ", entry, "\n"]);
    }
    if entries.len() > LISTED {
        // Writing to a string cannot fail.
        let _ = writeln!(drawn, "  and {} more", entries.len() - LISTED);
    }
    drawn
}

/// The whole reference, so that it can be copied.
fn changed(finished: &Finished, palette: Palette) -> Option<String> {
    let what = finished.output.as_ref().and_then(|output| output.shown()).unwrap_or(finished.step.name());
    let word = finished.outcome.word();
    finished
        .outcome
        .is_change()
        .then(|| format!("{} {}", palette.outcome(&finished.outcome, word), text::safe_line(what)))
}

fn failed(finished: &Finished, palette: Palette) -> Option<String> {
    match &finished.outcome {
        Outcome::Failed(failure) => {
            let step = text::safe_line(finished.step.name());
            Some(format!("{}: {}", palette.outcome(&finished.outcome, &step), text::safe_line(&failure.message)))
        }
        Outcome::Created
        | Outcome::Updated
        | Outcome::Unchanged
        | Outcome::Deleted
        | Outcome::Passed
        | Outcome::Skipped { .. }
        | Outcome::Blocked { .. }
        | Outcome::Cancelled => None,
    }
}

const fn advice(exit_code: ExitCode) -> Option<&'static str> {
    match exit_code {
        ExitCode::Success | ExitCode::Invalid | ExitCode::Drift => None,
        ExitCode::Failed => Some("run it again: what succeeded is found unchanged"),
        ExitCode::Gate => Some("a gate said no; when it holds, run it again: what succeeded is found unchanged"),
        ExitCode::Temporary => {
            Some("every failure was temporary; run it again later: what succeeded is found unchanged")
        }
        ExitCode::Interrupted => Some("interrupted; run it again: what succeeded is found unchanged"),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        event::{Chain, FailureKind},
        report::testing,
    };

    fn summary(outcomes: Vec<Outcome>) -> Summary {
        let finished = |(index, outcome)| Finished { step: testing::step(index), outcome, output: None };
        Summary {
            steps: outcomes.into_iter().enumerate().map(finished).collect(),
            interrupted: false,
            unsettled: None,
            rehearsed: None,
            outputs: serde_json::Map::new(),
            lacking: Vec::new(),
            elapsed: Duration::from_millis(1200),
            chain: Chain::default(),
        }
    }

    #[test]
    fn every_outcome_is_counted() {
        assert_eq!(testing::outcomes().map(|outcome| outcome.word()), Outcome::WORDS);
        assert_eq!(
            counts(&summary(testing::outcomes().into())),
            "1 created, 1 updated, 1 unchanged, 1 deleted, 1 passed, 1 skipped, 1 blocked, 1 failed, 1 cancelled"
        );
    }

    #[test]
    fn a_run_that_changed_nothing_has_one_line() {
        let quiet = summary(vec![Outcome::Unchanged, Outcome::Unchanged, Outcome::Passed]);
        assert_eq!(draw(&quiet, Palette::PLAIN), "2 unchanged, 1 passed in 1.2 s\n");
        assert_eq!(draw(&Summary::default(), Palette::PLAIN), "nothing to do in 0.00 s\n");
    }

    #[test]
    fn long_lists_are_cut_and_counted() {
        let drawn = draw(&summary(vec![Outcome::Created; 23]), Palette::PLAIN);
        let lines: Vec<_> = drawn.lines().collect();
        assert_eq!(lines.len(), 1 + 20 + 1 + 1);
        assert_eq!(
            [lines[0], lines[20], lines[21], lines[22]],
            ["changed:", "  created step19", "  and 3 more", "23 created in 1.2 s"]
        );
    }

    #[test]
    fn a_failed_run_says_how_to_go_on() {
        let last_line = |kind, interrupted| {
            let failure = Arc::new(testing::failure(kind));
            let summary = Summary { interrupted, ..summary(vec![Outcome::Failed(failure)]) };
            draw(&summary, Palette::PLAIN).lines().last().map(str::to_owned).unwrap_or_default()
        };
        assert_eq!(last_line(FailureKind::Step, false), "run it again: what succeeded is found unchanged");
        assert!(last_line(FailureKind::Gate, false).starts_with("a gate said no"));
        assert!(last_line(FailureKind::Temporary, false).starts_with("every failure was temporary"));
        assert!(last_line(FailureKind::Step, true).starts_with("interrupted"));
    }
}
