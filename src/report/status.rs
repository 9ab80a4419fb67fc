use std::time::Duration;

use super::Palette;
use crate::{
    event::{Failure, Outcome, StepId},
    oci::Digest,
    output::Output,
    text,
};

/// Longer names of steps push what follows to the right.
const NAME_COLUMNS: usize = 24;

/// Less of a repository than this says nothing.
const REPOSITORY_COLUMNS: usize = 8;

/// The longest words are `unchanged` and `cancelled`.
const WORD_COLUMNS: usize = 9;

/// Draws one line for each change of state: what, which step, and what there is to say. All end with a newline.
#[derive(Debug, Clone, Copy)]
pub(super) struct StatusLines {
    palette: Palette,
    name_columns: usize,
}

impl StatusLines {
    pub(super) const fn new(palette: Palette) -> Self {
        Self { palette, name_columns: 0 }
    }

    /// Learns how long the names are.
    pub(super) fn align<'a>(&mut self, steps: impl IntoIterator<Item = &'a StepId>) {
        let widths = steps.into_iter().map(|step| text::width(&text::safe_line(step.name())));
        self.name_columns = widths.max().unwrap_or(0).min(NAME_COLUMNS);
    }

    /// A reference is shortened so that the line fits into `columns`; other text is not.
    pub(super) fn finished(
        self,
        step: &StepId,
        outcome: &Outcome,
        output: Option<&Output>,
        elapsed: Duration,
        columns: usize,
    ) -> String {
        let word = |text: &str| self.palette.outcome(outcome, text);
        let line = |detail: &str| self.line(word, outcome.word(), step, detail);
        match outcome {
            Outcome::Created | Outcome::Updated | Outcome::Unchanged | Outcome::Deleted | Outcome::Passed => {
                let elapsed = text::duration(elapsed);
                match output.and_then(Output::shown) {
                    Some(reference) => {
                        let others = WORD_COLUMNS + 1 + text::width(&self.name(step)) + 2 + 2 + text::width(&elapsed);
                        let room = columns.saturating_sub(others);
                        line(&format!("{}  {elapsed}", short_reference(reference, room)))
                    }
                    None => line(&elapsed),
                }
            }
            Outcome::Skipped { because } => line(because),
            Outcome::Blocked { by } => line(&format!("{by} failed")),
            Outcome::Cancelled if elapsed.is_zero() => line("never started"),
            Outcome::Cancelled => line(&format!("stopped after {}", text::duration(elapsed))),
            Outcome::Failed(failure) => line(&failure.message) + &details(failure),
        }
    }

    pub(super) fn retried(self, step: &StepId, attempt: u32, wait: Duration, request: &str, error: &str) -> String {
        let detail = format!("in {}, after attempt {attempt}: {request}: {error}", text::duration(wait));
        self.line(|text| self.palette.caution(text), "retrying", step, &detail)
    }

    pub(super) fn requested(self, step: &StepId, request: &str, answer: &str, elapsed: Duration) -> String {
        let detail = format!("{request}: {answer}  {}", text::duration(elapsed));
        self.line(str::to_owned, "asked", step, &detail)
    }

    /// A step runs again that ended in an earlier run.
    pub(super) fn again(self, step: &StepId, because: &str) -> String {
        self.line(str::to_owned, "again", step, because)
    }

    pub(super) fn warned(self, step: &StepId, message: &str) -> String {
        self.line(|text| self.palette.caution(text), "warning", step, message)
    }

    /// A line for each that a program wrote.
    pub(super) fn wrote(self, step: &StepId, text: &str) -> String {
        text.lines().map(|line| self.line(|text| self.palette.quiet(text), "output", step, line)).collect()
    }

    fn line(self, paint: impl Fn(&str) -> String, word: &str, step: &StepId, detail: &str) -> String {
        let word = paint(&text::pad(word, WORD_COLUMNS));
        format!("{word} {}  {}\n", self.name(step), text::safe_line(detail))
    }

    fn name(self, step: &StepId) -> String {
        text::pad(&text::safe_line(step.name()), self.name_columns)
    }
}

/// Where the step stands and what can be done, one line each, indented.
pub(super) fn details(failure: &Failure) -> String {
    let place = failure.place.iter().map(|place| format!("  --> {}\n", text::safe_line(&place.to_string())));
    let help = failure.help.iter().map(|help| format!("  help: {}\n", text::safe_line(help)));
    let notes = failure.notes.iter().map(|note| format!("  note: {}\n", text::safe_line(note)));
    place.chain(notes).chain(help).collect()
}

/// `repository@sha256:` and 12 digits where the reference is one by digest, in about `columns`. What is too much is left out
/// of the repository first; where little of it would stay, the digest stands alone.
fn short_reference(reference: &str, columns: usize) -> String {
    let reference = text::safe_line(reference);
    let by_digest = reference.rsplit_once('@').and_then(|(name, digest)| Some((name, digest.parse::<Digest>().ok()?)));
    let Some((repository, digest)) = by_digest else {
        return text::shorten(&reference, columns).into_owned();
    };
    let short = format!("{}:{}", digest.algorithm(), digest.short());
    let room = columns.saturating_sub(text::width(&short) + 1);
    if room >= REPOSITORY_COLUMNS {
        format!("{}@{short}", text::shorten(repository, room))
    } else if columns >= text::width(&short) {
        short
    } else {
        digest.short().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn status_line_of_every_outcome() {
        let mut lines = StatusLines::new(Palette::PLAIN);
        let step = StepId::new(0, "image");
        lines.align([&step, &StepId::new(1, "sbom_signature")]);
        let output = testing::output();
        let mut drawn = String::new();
        for outcome in testing::outcomes() {
            for (output, elapsed) in [(Some(&output), 120), (None, 0)] {
                let elapsed = Duration::from_millis(elapsed);
                drawn += &lines.finished(&step, &outcome, output, elapsed, usize::MAX);
            }
        }
        drawn +=
            &lines.retried(&step, 1, Duration::from_millis(1500), "GET https://r.io/v2/", "503 Service Unavailable");
        drawn += &lines.warned(&step, "the registry lists no referrers");
        insta::assert_snapshot!(drawn, @r"
        created   image           myregistry.azurecr.io/net-monitor@sha256:44136fa355b3  0.12 s
        created   image           0.00 s
        updated   image           myregistry.azurecr.io/net-monitor@sha256:44136fa355b3  0.12 s
        updated   image           0.00 s
        unchanged image           myregistry.azurecr.io/net-monitor@sha256:44136fa355b3  0.12 s
        unchanged image           0.00 s
        deleted   image           myregistry.azurecr.io/net-monitor@sha256:44136fa355b3  0.12 s
        deleted   image           0.00 s
        passed    image           myregistry.azurecr.io/net-monitor@sha256:44136fa355b3  0.12 s
        passed    image           0.00 s
        skipped   image           `when` is false
        skipped   image           `when` is false
        blocked   image           push_app failed
        blocked   image           push_app failed
        failed    image           failed to push to `myregistry.azurecr.io/app:v1`: 403 DENIED: two\nlines and \u001b[2J
          --> plans/x.yaml:12:5
          help: log in with `consign login myregistry.azurecr.io`
        failed    image           failed to push to `myregistry.azurecr.io/app:v1`: 403 DENIED: two\nlines and \u001b[2J
          --> plans/x.yaml:12:5
          help: log in with `consign login myregistry.azurecr.io`
        cancelled image           stopped after 0.12 s
        cancelled image           never started
        retrying  image           in 1.5 s, after attempt 1: GET https://r.io/v2/: 503 Service Unavailable
        warning   image           the registry lists no referrers
        ");
    }

    #[test]
    fn a_reference_is_shortened_to_the_width_and_a_message_is_not() {
        let lines = StatusLines::new(Palette::PLAIN);
        let (step, output) = (StepId::new(0, "image"), testing::output());
        let drawn =
            |columns| lines.finished(&step, &Outcome::Created, Some(&output), Duration::from_millis(120), columns);
        assert_eq!(
            drawn(60),
            "created   image  myregis…monitor@sha256:44136fa355b3  0.12 s
"
        );
        assert_eq!(text::width(drawn(60).trim_end()), 60);
        assert_eq!(
            drawn(50),
            "created   image  sha256:44136fa355b3  0.12 s
"
        );
        let because = "x".repeat(100);
        let skipped = Outcome::Skipped { because: because.as_str().into() };
        assert!(lines.finished(&step, &skipped, None, Duration::ZERO, 60).contains(&because));
    }

    #[test]
    fn colours_only_paint_the_word() {
        let drawn = StatusLines::new(Palette::COLORED).finished(
            &StepId::new(0, "a"),
            &Outcome::Created,
            None,
            Duration::ZERO,
            80,
        );
        assert_eq!(drawn, "\u{1b}[32mcreated  \u{1b}[0m a  0.00 s\n");
    }
}
