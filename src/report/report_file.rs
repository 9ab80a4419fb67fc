use std::{
    fmt, fs,
    io::{self, Write},
    path::PathBuf,
    time::Instant,
};

use super::{Reporter, dotenv, html, junit, markdown, record::Record, result};
use crate::event::Event;

/// How a report is written that is made when a run is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// `JUnit` XML, for build servers.
    Junit,
    /// A page to look at, for people.
    Html,
    /// A page in Markdown, for people.
    Markdown,
    /// The result as one JSON document, for programs.
    Json,
    /// The plan's outputs as `NAME=value`, for GitLab.
    Dotenv,
}

impl ReportFormat {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Dotenv, Self::Html, Self::Json, Self::Junit, Self::Markdown];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Junit => "junit",
            Self::Markdown => "markdown",
            Self::Json => "json",
            Self::Dotenv => "dotenv",
            Self::Html => "html",
        }
    }

    /// The report.
    fn draw(self, record: &Record) -> io::Result<Drawn> {
        let mut left_out = Vec::new();
        let text = match self {
            Self::Junit => junit::draw(record)?,
            Self::Markdown => markdown::draw(record),
            Self::Html => html::draw(record),
            Self::Json => result::draw(record)?,
            Self::Dotenv => {
                let summary = record.summary.as_deref();
                let (text, names) = summary.map(|summary| dotenv::draw(&summary.outputs)).unwrap_or_default();
                left_out = names.into_iter().map(str::to_owned).collect();
                text
            }
        };
        Ok(Drawn { text, left_out })
    }
}

impl fmt::Display for ReportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

struct Drawn {
    text: String,
    /// Outputs that the format cannot hold.
    left_out: Vec<String>,
}

/// A report that is written to a file when the run is over.
pub struct ReportFile {
    format: ReportFormat,
    path: PathBuf,
    record: Record,
    begun: Option<Instant>,
}

impl ReportFile {
    /// Makes sure that the file can be written.
    pub fn create(format: ReportFormat, path: PathBuf) -> io::Result<Self> {
        fs::File::create(&path)?;
        Ok(Self { format, path, record: Record::default(), begun: None })
    }

    /// Writes the report of `record` to the file.
    pub fn write(&self, record: &Record) -> io::Result<()> {
        let drawn = self.format.draw(record)?;
        fs::File::create(&self.path)?.write_all(drawn.text.as_bytes())?;
        match drawn.left_out.as_slice() {
            [] => Ok(()),
            names => Err(io::Error::other(format!(
                "{}: left out `{}`: a {} report holds no spaces and no line ends; `--outputs FILE` has all outputs",
                self.path.display(),
                names.join("`, `"),
                self.format
            ))),
        }
    }
}

impl Reporter for ReportFile {
    fn report(&mut self, event: &Event) -> io::Result<()> {
        let at = self.begun.get_or_insert_with(Instant::now).elapsed();
        self.record.hear(event, at);
        match event {
            Event::RunFinished { .. } => self.write(&self.record),
            Event::RunStarted { .. }
            | Event::StepStarted { .. }
            | Event::StepRetried { .. }
            | Event::Requested { .. }
            | Event::StepResumed { .. }
            | Event::StepFingerprinted { .. }
            | Event::TransferStarted { .. }
            | Event::TransferFinished { .. }
            | Event::Printed { .. }
            | Event::ProgramWrote { .. }
            | Event::Warned { .. }
            | Event::StepFinished { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    fn report(format: ReportFormat) -> (String, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        let mut file = ReportFile::create(format, path.clone()).unwrap();
        let mut events = testing::events();
        let end = events.pop().unwrap();
        for event in events {
            file.report(&event).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
        let told = file.report(&end).map_err(|error| error.to_string().replace(path.to_str().unwrap(), "FILE"));
        (fs::read_to_string(&path).unwrap(), told.err())
    }

    #[test]
    fn a_file_is_written_at_the_end() {
        for (format, begins) in [
            (ReportFormat::Junit, "<?xml "),
            (ReportFormat::Html, "<!DOCTYPE html>\n"),
            (ReportFormat::Markdown, "### acr-tutorial: 1 created, "),
            (ReportFormat::Json, "{\n  \"version\": 1,\n  \"plan\": \"acr-tutorial\",\n"),
        ] {
            let (written, error) = report(format);
            assert!(written.starts_with(begins), "{written}");
            assert_eq!(error, None);
        }
    }

    #[test]
    fn what_a_format_cannot_hold_is_said() {
        let (written, error) = report(ReportFormat::Dotenv);
        assert_eq!(written, "image_digest=sha256:1b\ntags=[\"v1\",\"<latest>\"]\n");
        assert_eq!(
            error.unwrap(),
            "FILE: left out `note`: a dotenv report holds no spaces and no line ends; `--outputs FILE` has all outputs"
        );
    }

    #[test]
    fn a_file_that_cannot_be_written_is_found_before_the_run() {
        assert!(ReportFile::create(ReportFormat::Json, "/nowhere/report".into()).is_err());
    }
}
