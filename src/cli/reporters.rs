//! Who is told of a run: what the command line and the surroundings ask for.

use std::{
    env,
    fs::File,
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
};

use super::{
    arguments::{Global, ProgressHow, RunnerArguments},
    settings,
};
use crate::report::{
    Disarmed, Events, Github, Palette, Plain, Prints, ReportFile, Reporter, Reporters, Terminal, Verbosity,
};

/// The reporters of a run. `Err`: a file that one of them writes cannot be made.
pub(super) fn reporters(runner: &RunnerArguments, global: &Global) -> Result<Reporters, String> {
    let palette = if settings::color_on_stderr(global) { Palette::COLORED } else { Palette::PLAIN };
    let mut reporters: Vec<Box<dyn Reporter>> = Vec::new();
    let events_on_stdout = runner.events.as_deref() == Some(Path::new("-"));
    if let Some(path) = &runner.events {
        let writer: Box<dyn Write + Send> = if events_on_stdout {
            Box::new(io::stdout())
        } else {
            let file = File::create(path).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
            Box::new(BufWriter::new(file))
        };
        reporters.push(Box::new(Events::new(writer)));
    }
    for (format, path) in &runner.report {
        let file = ReportFile::create(*format, path.clone());
        let file = file.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        reporters.push(Box::new(file));
    }
    let github = settings::is_github();
    let progress = settings::progress(runner.progress);
    let verbosity = settings::verbosity(global);
    // What went wrong needs no bars.
    let moves = progress == ProgressHow::Tty && verbosity != Verbosity::Quiet;
    let terminal = moves.then(|| Terminal::stderr(palette).verbosity(verbosity));
    // On stdout, events and prints would spoil each other.
    if !events_on_stdout {
        reporters.push(match &terminal {
            Some(terminal) if io::stdout().is_terminal() => Box::new(Prints::new(terminal.beside(io::stdout()))),
            _ if github => Box::new(Prints::new(Disarmed::new(io::stdout()))),
            _ => Box::new(Prints::new(io::stdout())),
        });
    }
    match (terminal, progress) {
        (Some(terminal), _) => reporters.push(Box::new(terminal)),
        (None, ProgressHow::None) => {}
        (None, _) if github => {
            reporters.push(Box::new(Plain::new(Disarmed::new(io::stderr()), palette).verbosity(verbosity)));
        }
        (None, _) => reporters.push(Box::new(Plain::new(io::stderr(), palette).verbosity(verbosity))),
    }
    if github {
        let summary = env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from);
        reporters.push(Box::new(Github::new(io::stderr(), summary)));
    }
    Ok(Reporters(reporters))
}
