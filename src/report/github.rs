use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::PathBuf,
};

use super::{Prints, Reporter, summary};
use crate::{
    event::{Event, Failure, Outcome, StepId, Summary},
    output::Output,
    text,
};

/// What GitHub Actions reads: `::error` and `::warning` commands for the annotations, and a page in Markdown at the end.
///
/// <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>
pub struct Github<W> {
    writer: W,
    summary_path: Option<PathBuf>,
    plan: String,
    /// What was printed, in file order, for the page.
    prints: Prints<Vec<u8>>,
}

impl<W: Write> Github<W> {
    /// Writes commands to `writer` (GitHub reads stdout and stderr alike, and stdout is data), and appends the page to the
    /// file at `summary_path`, which is what `GITHUB_STEP_SUMMARY` holds.
    pub const fn new(writer: W, summary_path: Option<PathBuf>) -> Self {
        Self { writer, summary_path, plan: String::new(), prints: Prints::new(Vec::new()) }
    }

    fn command(&mut self, name: &str, properties: &[(&str, String)], message: &str) -> io::Result<()> {
        let properties: Vec<_> = properties.iter().map(|(key, value)| format!("{key}={}", property(value))).collect();
        let command = format!("::{name} {}::{}\n", properties.join(","), data(message));
        self.writer.write_all(command.as_bytes())?;
        self.writer.flush()
    }

    fn failed(&mut self, step: &StepId, failure: &Failure) -> io::Result<()> {
        let mut properties = Vec::new();
        if let Some(place) = &failure.place {
            properties.push(("file", place.file.clone()));
            properties.push(("line", place.line.to_string()));
            properties.push(("col", place.column.to_string()));
        }
        properties.push(("title", format!("{step} failed")));
        let lines: Vec<_> =
            std::iter::once(&failure.message).chain(&failure.notes).chain(&failure.help).map(String::as_str).collect();
        self.command("error", &properties, &lines.join("\n"))
    }

    fn page(&self, summary: &Summary) -> String {
        let counts = summary::counts(summary);
        let elapsed = text::duration(summary.elapsed);
        let mut page = format!("### {}: {counts} in {elapsed}\n\n", cell(&self.plan));
        page.push_str("| outcome | step | |\n| --- | --- | --- |\n");
        for finished in &summary.steps {
            let detail = match &finished.outcome {
                Outcome::Created | Outcome::Updated | Outcome::Unchanged | Outcome::Deleted | Outcome::Passed => {
                    finished.output.as_deref().and_then(Output::shown).unwrap_or_default().to_owned()
                }
                Outcome::Skipped { because } => because.to_string(),
                Outcome::Blocked { by } => format!("{by} failed"),
                Outcome::Failed(failure) => failure.message.clone(),
                Outcome::Cancelled => String::new(),
            };
            let (outcome, step) = (finished.outcome.word(), cell(finished.step.name()));
            page.extend(["| ", outcome, " | ", &step, " | ", &cell(&detail), " |\n"]);
        }
        let printed = String::from_utf8_lossy(self.prints.writer());
        if !printed.is_empty() {
            let fence = fence(&printed);
            page.extend(["\n", &fence, "text\n", &printed, &fence, "\n"]);
        }
        page
    }

    fn append(&self, page: &str) -> io::Result<()> {
        let Some(path) = &self.summary_path else {
            return Ok(());
        };
        OpenOptions::new().create(true).append(true).open(path)?.write_all(page.as_bytes())
    }
}

impl<W: Write + Send> Reporter for Github<W> {
    fn report(&mut self, event: &Event) -> io::Result<()> {
        self.prints.report(event)?;
        match event {
            Event::RunStarted { plan, .. } => {
                self.plan = plan.to_string();
                Ok(())
            }
            Event::Warned { step, message } => self.command("warning", &[("title", step.to_string())], message),
            Event::StepFinished { step, outcome: Outcome::Failed(failure), .. } => self.failed(step, failure),
            Event::RunFinished { summary } => self.append(&self.page(summary)),
            Event::StepStarted { .. }
            | Event::StepRetried { .. }
            | Event::Requested { .. }
            | Event::TransferStarted { .. }
            | Event::TransferFinished { .. }
            | Event::Printed { .. }
            | Event::ProgramWrote { .. }
            | Event::StepFingerprinted { .. }
            | Event::StepFinished { .. } => Ok(()),
        }
    }
}

fn data(text: &str) -> String {
    let text = text::safe_lines(text);
    text.replace('%', "%25").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Text that Markdown takes as text, in one line.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for char in text::safe_line(text).chars() {
        if matches!(char, '\\' | '|' | '<' | '>' | '&' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '!' | '@') {
            cell.push('\\');
        }
        cell.push(char);
    }
    cell
}

/// More backticks than stand anywhere in `text`, and at least three.
fn fence(text: &str) -> String {
    let longest = text.split(|char| char != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// Stands in front of a writer under GitHub Actions: what a registry said, or a plan printed, cannot be a workflow command.
///
/// `::` at the start of a line and `##[` anywhere are escaped as in JSON, so that JSON stays the same JSON. Each write must
/// begin at the start of a line, as those of all reporters do.
pub struct Disarmed<W> {
    writer: W,
}

impl<W: Write> Disarmed<W> {
    /// Writes to `writer`.
    pub const fn new(writer: W) -> Self {
        Self { writer }
    }
}

impl<W: Write> Write for Disarmed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut disarmed = String::with_capacity(bytes.len());
        for line in String::from_utf8_lossy(bytes).split_inclusive('\n') {
            // GitHub looks behind white space of any kind.
            let rest = line.trim_start();
            match rest.strip_prefix("::") {
                Some(command) => disarmed.extend([&line[..line.len() - rest.len()], "\\u003a:", command]),
                None => disarmed.push_str(line),
            }
        }
        self.writer.write_all(disarmed.replace("##[", "##\\u005b").as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn every_event() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.md");
        std::fs::write(&path, "before\n").unwrap();
        let mut github = Github::new(Vec::new(), Some(path.clone()));
        testing::tell(&mut github);
        insta::assert_snapshot!(String::from_utf8(github.writer).unwrap(), @r"
        ::warning title=tree::the registry has no referrers API
        ::error file=plans/x.yaml,line=12,col=5,title=push_app failed::failed to push to `myregistry.azurecr.io/app:v1`: 403 DENIED: two%0Alines and \u001b[2J%0Alog in with `consign login myregistry.azurecr.io`
        ");
        insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap(), @r"
        before
        ### acr-tutorial: 1 created, 1 updated, 1 unchanged, 1 deleted, 1 passed, 1 skipped, 1 blocked, 1 failed, 1 cancelled in 1.2 s

        | outcome | step | |
        | --- | --- | --- |
        | created | image | myregistry.azurecr.io/net-monitor\@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a |
        | updated | sbom | myregistry.azurecr.io/net-monitor\@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a |
        | unchanged | docs | myregistry.azurecr.io/net-monitor\@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a |
        | deleted | remove | myregistry.azurecr.io/net-monitor\@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a |
        | passed | tree |  |
        | skipped | promote | \`when\` is false |
        | blocked | sign | push\_app failed |
        | failed | push\_app | failed to push to \`myregistry.azurecr.io/app:v1\`: 403 DENIED: two\\nlines and \\u001b\[2J |
        | cancelled | sbom\_signature |  |

        ```text
        myregistry.azurecr.io/net-monitor:v1
        └── sbom/example
        ```
        ");
    }

    #[test]
    fn commands_keep_their_shape() {
        let mut github = Github::new(Vec::new(), None);
        let message = "100 %, a: b\nc\r::error::d";
        github.command("error", &[("file", "a,b:c%.yaml".to_owned()), ("line", "1".to_owned())], message).unwrap();
        assert_eq!(
            String::from_utf8(github.writer).unwrap(),
            "::error file=a%2Cb%3Ac%25.yaml,line=1::100 %25, a: b%0Ac\\r::error::d\n"
        );
    }

    #[test]
    fn what_is_printed_cannot_be_a_command() {
        let mut disarmed = Disarmed::new(Vec::new());
        let text = "::error::a\n\u{a0}\u{3000} ::add-mask::b\nc ::d ##[error]e ##[##[\n\"##[group]\"\n";
        disarmed.write_all(text.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(disarmed.writer).unwrap(),
            "\\u003a:error::a\n\u{a0}\u{3000} \\u003a:add-mask::b\nc ::d ##\\u005berror]e ##\\u005b##\\u005b\n\"##\\u005bgroup]\"\n"
        );
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(["a", "`` a", "a ````"].map(fence), ["```", "```", "`````"]);
    }
}
