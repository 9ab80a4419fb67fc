use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::PathBuf,
    time::Instant,
};

use super::{Record, Reporter, markdown};
use crate::{
    event::{Event, Failure, Outcome},
    text,
};

/// What GitHub Actions reads: `::error` and `::warning` commands for the annotations, and a page in Markdown at the end.
///
/// <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>
pub struct Github<W> {
    writer: W,
    summary_path: Option<PathBuf>,
    record: Record,
    begun: Option<Instant>,
}

impl<W: Write> Github<W> {
    /// Writes commands to `writer` (GitHub reads stdout and stderr alike, and stdout is data), and appends the page to the
    /// file at `summary_path`, which is what `GITHUB_STEP_SUMMARY` holds.
    pub fn new(writer: W, summary_path: Option<PathBuf>) -> Self {
        Self { writer, summary_path, record: Record::default(), begun: None }
    }

    fn command(&mut self, name: &str, properties: &[(&str, String)], message: &str) -> io::Result<()> {
        let properties: Vec<_> = properties.iter().map(|(key, value)| format!("{key}={}", property(value))).collect();
        let command = format!("::{name} {}::{}\n", properties.join(","), data(message));
        self.writer.write_all(command.as_bytes())?;
        self.writer.flush()
    }

    fn failed(&mut self, what: &str, failure: &Failure) -> io::Result<()> {
        let mut properties = Vec::new();
        if let Some(place) = &failure.place {
            properties.push(("file", place.file.clone()));
            properties.push(("line", place.line.to_string()));
            properties.push(("col", place.column.to_string()));
        }
        properties.push(("title", format!("{what} failed")));
        let lines: Vec<_> =
            std::iter::once(&failure.message).chain(&failure.notes).chain(&failure.help).map(String::as_str).collect();
        self.command("error", &properties, &lines.join("\n"))
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
        let at = self.begun.get_or_insert_with(Instant::now).elapsed();
        self.record.hear(event, at);
        match event {
            Event::Warned { step, message } => self.command("warning", &[("title", step.to_string())], message),
            Event::StepFinished { step, outcome: Outcome::Failed(failure), .. } => self.failed(step.name(), failure),
            Event::RunFinished { summary } => {
                if let Some(failure) = &summary.unsettled {
                    self.failed("the end of the run", failure)?;
                }
                self.append(&shortened(markdown::draw(&self.record)))
            }
            Event::RunStarted { .. }
            | Event::StepStarted { .. }
            | Event::StepRetried { .. }
            | Event::Requested { .. }
            | Event::TransferStarted { .. }
            | Event::TransferFinished { .. }
            | Event::Printed { .. }
            | Event::ProgramWrote { .. }
            | Event::StepResumed { .. }
            | Event::StepFingerprinted { .. }
            | Event::StepFinished { .. } => Ok(()),
        }
    }
}

/// GitHub shows no page of more than 1 MiB at all.
///
/// <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits>
fn shortened(mut page: String) -> String {
    const LIMIT: usize = 1_000_000;
    if page.len() > LIMIT {
        let end = (0..=LIMIT).rev().find(|end| page.is_char_boundary(*end)).unwrap_or_default();
        page.truncate(page.get(..end).and_then(|page| page.rfind('\n')).map_or(end, |line| line + 1));
        page.push_str("\n**This page was cut: it is too long for GitHub.**\n");
    }
    page
}

fn data(text: &str) -> String {
    let text = text::safe_lines(text);
    text.replace('%', "%25").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
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
        insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap(), @r#"
        before
        ### acr-tutorial: 1 created, 1 updated, 1 unchanged, 1 deleted, 1 passed, 1 skipped, 1 blocked, 1 failed, 1 cancelled in 1.2 s

        1 step taken over from an earlier run.

        | outcome | step | kind | | time |
        | --- | --- | --- | --- | --: |
        | created | image | image | myregistry.azurecr.io/net-monitor\@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a | 0.12 s |
        | updated | sbom | attach | myregistry.azurecr.io/net-monitor\@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a |  |
        | unchanged, taken over | docs | attach | myregistry.azurecr.io/net-monitor\@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a |  |
        | deleted | remove | delete | myregistry.azurecr.io/net-monitor\@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a |  |
        | passed | tree | discover |  | 0.12 s |
        | skipped | promote | copy | \`when\` is false |  |
        | blocked | sign | sign | push\_app failed |  |
        | failed | push\_app | push | failed to push to \`myregistry.azurecr.io/app:v1\`: 403 DENIED: two\\nlines and \\u001b\[2J |  |
        | cancelled | sbom\_signature | attach | never started |  |

        #### Failed

        - **push\_app**: failed to push to \`myregistry.azurecr.io/app:v1\`: 403 DENIED: two\\nlines and \\u001b\[2J
          - at plans/x.yaml:12:5
          - help: log in with \`consign login myregistry.azurecr.io\`

        #### Changed

        - myregistry.azurecr.io/net-monitor
          - created sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
          - updated sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
          - deleted sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a

        #### Outputs

        - image\_digest: sha256:1b
        - tags: \["v1","\<latest\>"\]
        - note: two words

        #### Warnings and retries

        - image: attempt 1: GET https://r.io/v2/: 503 Service Unavailable; tried again after 1.5 s
        - remove: ran again: it had not ended
        - tree: the registry has no referrers API

        ```text
        myregistry.azurecr.io/net-monitor:v1
        └── sbom/example
        ```
        "#);
    }

    #[test]
    fn a_page_that_github_would_not_show_is_cut() {
        let short = "short\n".to_owned();
        assert_eq!(shortened(short.clone()), short);
        let cut = shortened("é lines\n".repeat(200_000));
        assert!(cut.len() < 1 << 20 && cut.ends_with("é lines\n\n**This page was cut: it is too long for GitHub.**\n"));
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
}
