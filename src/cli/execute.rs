//! The end that all runs share: from a program and what it is run with to an exit code.

use std::{
    env,
    fs::File,
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use tokio::{runtime::Runtime, sync::mpsc};

use super::{
    arguments::{Global, ProgressHow, RunnerArguments},
    complain,
    reporters::reporters,
    settings,
    signals::listen,
};
use crate::{
    event::ExitCode,
    journal::Journal,
    program::Program,
    report::Journaled,
    runner::{self, Earlier, Ended, RunOptions},
    step::{Mode, Pins},
    store::Stores,
};

/// What a plan is run with.
pub(super) struct Doing {
    pub(super) stores: Stores,
    pub(super) mode: Mode,
    pub(super) journal: Option<Journal>,
    pub(super) earlier: Option<Arc<Earlier>>,
    pub(super) pins: Arc<Pins>,
}

/// Runs it, and tells everybody.
pub(super) fn execute(
    program: &Program,
    Doing { stores, mode, journal, earlier, pins }: Doing,
    runner: &RunnerArguments,
    global: &Global,
    runtime: &Runtime,
) -> io::Result<ExitCode> {
    let epoch = match settings::epoch() {
        Ok(epoch) => epoch,
        Err(message) => {
            complain(&message);
            return Ok(ExitCode::Invalid);
        }
    };
    let options = RunOptions {
        stores: Arc::new(stores),
        mode,
        jobs: usize::from(runner.jobs),
        keep_going: runner.keep_going,
        skip_gates: runner.skip_gates,
        fingerprints: journal.is_some(),
        earlier,
        pins,
        epoch,
    };
    let mut reporters = match reporters(runner, global) {
        Ok(reporters) => reporters,
        Err(message) => {
            complain(&message);
            return Ok(ExitCode::Invalid);
        }
    };
    if let Some(journal) = journal {
        reporters.0.insert(0, Box::new(Journaled::new(journal)));
    }
    let ended = runtime.block_on(async {
        let (tx, rx) = mpsc::unbounded_channel();
        tokio::spawn(listen(tx));
        runner::run(program, &options, &mut reporters, rx).await
    });
    let code = finish(runner, ended)?;
    if options.fingerprints && code != ExitCode::Success && runner.progress != ProgressHow::None && !global.quiet {
        writeln!(io::stderr().lock(), "go on with `consign resume`: what ended well is taken over")?;
    }
    Ok(code)
}

fn finish(runner: &RunnerArguments, ended: Ended) -> io::Result<ExitCode> {
    let Ended { summary, report_error } = ended;
    let outputs = &summary.outputs;
    let mut code = summary.exit_code();
    match report_error {
        // Whoever read the output has heard enough; what was asked of the registries still counts.
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Some(error) => {
            complain(&error.to_string());
            if code == ExitCode::Success {
                code = ExitCode::Failed;
            }
        }
        None => {}
    }
    let outputs_text = format!("{:#}\n", serde_json::Value::Object(outputs.clone()));
    match runner.outputs.as_deref() {
        None => {}
        Some(path) if path == Path::new("-") => super::print(&outputs_text)?,
        Some(path) => std::fs::write(path, outputs_text)?,
    }
    if settings::is_github()
        && let Some(path) = env::var_os("GITHUB_OUTPUT")
    {
        github_outputs(Path::new(&path), outputs)?;
    }
    Ok(code)
}

/// Appends the outputs in the form that GitHub Actions reads.
fn github_outputs(path: &Path, outputs: &serde_json::Map<String, serde_json::Value>) -> io::Result<()> {
    let mut file = File::options().append(true).create(true).open(path)?;
    for (name, value) in outputs {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let mut end = "CONSIGN_END".to_owned();
        while text.contains(&end) {
            end.push('_');
        }
        writeln!(file, "{name}<<{end}\n{text}\n{end}")?;
    }
    Ok(())
}
