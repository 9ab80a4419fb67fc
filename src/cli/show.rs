use std::{
    env,
    io::{self, Write},
    time::Duration,
};

use super::{
    arguments::{Global, ShowArguments},
    complain, print, settings,
};
use crate::{
    event::{Event, ExitCode},
    journal::{Ending, JournalFolder, Record as Journaled},
    plan::nearest,
    report::{Palette, Plain, Record, Replay, ReportFile, ReportFormat, Reporter},
};

/// `consign show [RUN]`
pub(super) fn show(command: &ShowArguments, global: &Global) -> io::Result<ExitCode> {
    let current = env::current_dir()?;
    let workdir = command.workdir.as_ref().map_or_else(|| current.clone(), |workdir| current.join(workdir));
    let journaled = match JournalFolder::of(&workdir).read(command.run.as_ref()) {
        Ok(journaled) => journaled,
        Err(error) => {
            complain(&error.to_string());
            return Ok(ExitCode::Invalid);
        }
    };
    let mut replay = Replay::default();
    let events: Vec<_> = journaled.lines.iter().filter_map(|line| replay.read(line)).collect();
    let mut record = Record::default();
    for (event, at) in &events {
        record.hear(event, *at);
    }
    if let Some(name) = &command.output {
        return output(&record, name);
    }
    let html = command.html.iter().map(|path| (ReportFormat::Html, path.clone()));
    let reports: Vec<_> = command.report.iter().cloned().chain(html).collect();
    if reports.is_empty() {
        tell(&journaled, &events, global)?;
    }
    for (format, path) in reports {
        let written = ReportFile::create(format, path.clone())
            .map_err(|error| io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display())));
        written?.write(&record)?;
    }
    Ok(ExitCode::Success)
}

/// One output of the plan: text as it is, anything else as JSON.
fn output(record: &Record, name: &str) -> io::Result<ExitCode> {
    let Some(outputs) = record.outputs() else {
        complain("--output: the run has not ended, so it has no outputs");
        return Ok(ExitCode::Invalid);
    };
    let Some(value) = outputs.get(name) else {
        let near = nearest(name, outputs.keys().map(String::as_str));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        complain(&format!("--output: the run has no output `{name}`{near}"));
        return Ok(ExitCode::Invalid);
    };
    print(&format!("{}\n", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))?;
    Ok(ExitCode::Success)
}

/// What the run said, as lines.
fn tell(journaled: &Journaled, events: &[(Event, Duration)], global: &Global) -> io::Result<()> {
    let palette = if settings::color_on_stdout(global) { Palette::COLORED } else { Palette::PLAIN };
    let mut told = Vec::new();
    writeln!(told, "run {}", journaled.header.run)?;
    let mut plain = Plain::new(&mut told, palette);
    events.iter().try_for_each(|(event, _)| plain.report(event))?;
    if let Some((Event::RunFinished { summary }, _)) = events.last()
        && summary.chain.round_trips() > 0
    {
        writeln!(told, "{}", summary.chain)?;
    }
    match journaled.ending {
        Ending::Finished(_) => {}
        Ending::BrokenOff => writeln!(told, "it broke off: `consign resume` goes on with it")?,
        Ending::Running => writeln!(told, "it is still running")?,
    }
    print(&String::from_utf8_lossy(&told))
}
