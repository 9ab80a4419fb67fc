use std::{
    env,
    fs::File,
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{runtime::Runtime, sync::mpsc};

use super::{
    arguments::{Global, ProgressHow, RunArguments, RunnerArguments},
    complain,
    journaling::Runs,
    lock, plan_file, preview,
    resume::Resuming,
    settings, warn,
};
use crate::{
    event::ExitCode,
    journal::Journal,
    oci::RegistryName,
    program::Program,
    report::{
        Disarmed, Events, Github, Journaled, Palette, Plain, Prints, ReportFile, Reporter, Reporters, Terminal,
        Verbosity,
    },
    runner::{self, Earlier, Ended, RunOptions},
    secret::LateSecret,
    step::{Mode, Pins},
    store::{
        Stores,
        registry::{Credentials, LateCredential, Registries, RegistryOptions},
    },
};

/// `consign run PLAN`
pub(super) fn run(command: &RunArguments, global: &Global) -> io::Result<ExitCode> {
    run_on(command, None, global)
}

/// Runs a plan, where there is one, on what an earlier run has done.
pub(super) fn run_on(command: &RunArguments, resuming: Option<&Resuming<'_>>, global: &Global) -> io::Result<ExitCode> {
    let Some(program) = plan_file::open(&command.plan, &command.values, None, Mode::Real, global)? else {
        return Ok(ExitCode::Invalid);
    };
    let program = program.with_digests(settings::digest_cache());
    let has_secrets = has_secrets(&program);
    let Some(registries) = registries(&command.runner.plain_http, &program, resuming.is_some()).filter(|_| has_secrets)
    else {
        return Ok(ExitCode::Invalid);
    };
    let earlier = match resuming.map(|resuming| resuming.judge(&program)).transpose() {
        Ok(earlier) => earlier.map(Arc::new),
        Err(message) => {
            complain(&message);
            return Ok(ExitCode::Invalid);
        }
    };
    let Ok(locked) = lock::read(&command.plan) else { return Ok(ExitCode::Invalid) };
    let runs = Runs::of(command, &program)?;
    let Ok(mut held) = runs.lock() else { return Ok(ExitCode::Temporary) };
    let runtime = runtime()?;
    if let Some(path) = &command.approved
        && let Some(code) = preview::hold_to(path, locked.as_ref(), command, &program, &runtime)?
    {
        return Ok(code);
    }
    if command.locked
        && let Some(code) = lock::hold_to(locked.as_ref(), command, &program, &runtime)?
    {
        return Ok(code);
    }
    let journal = held.as_mut().and_then(|held| runs.begin(held, &program, resuming.map(Resuming::run)));
    let doing = Doing {
        stores: Stores::real(registries),
        mode: Mode::Real,
        journal,
        earlier,
        pins: lock::pins(locked.as_ref(), &program),
    };
    let code = execute(&program, doing, &command.runner, global, &runtime);
    // What still runs after a second interrupt is not waited for.
    runtime.shutdown_background();
    // Without it the next run hashes more.
    let _ = program.places().digests.save();
    code
}

/// Whether every secret has a value that a step takes, as far as that can be told without asking. What has none was said.
pub(super) fn has_secrets(program: &Program) -> bool {
    let missing = program.missing_secrets();
    for (step, missing) in &missing {
        complain(&format!("step `{step}` needs {missing}"));
    }
    missing.is_empty()
}

/// What the plan's registries are asked with, perhaps to go on with an earlier run. Nothing: something is wrong, which has
/// been said.
pub(super) fn registries(hosts: &[String], program: &Program, goes_on: bool) -> Option<Registries> {
    let touched: Vec<_> = program.registries().iter().filter(|(name, _)| program.touches(name)).collect();
    let mut is_complete = true;
    for (name, settings) in touched {
        for missing in settings.credential.iter().flat_map(LateCredential::secrets).filter_map(LateSecret::missing) {
            complain(&format!("`{name}` needs {missing}"));
            is_complete = false;
        }
        if settings.tls.is_unverified() {
            warn(&format!("`{name}`: whoever answers is believed, as the plan says with `insecure_skip_verify`"));
        }
    }
    if !is_complete {
        return None;
    }
    let mut plain_http = std::collections::BTreeSet::new();
    for host in hosts {
        match host.parse::<RegistryName>() {
            Ok(name) => drop(plain_http.insert(name)),
            Err(error) => {
                complain(&format!("--plain-http: {error}"));
                return None;
            }
        }
    }
    let options = RegistryOptions {
        plain_http,
        credentials: Credentials::from_environment(),
        settings: program.registries().clone(),
        written: program.written(),
        goes_on,
        ..RegistryOptions::default()
    };
    match Registries::new(options) {
        Ok(registries) => Some(registries),
        Err(error) => {
            complain(&error.to_string());
            None
        }
    }
}

pub(super) fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// What a plan is run with.
pub(super) struct Doing {
    pub(super) stores: Stores,
    pub(super) mode: Mode,
    pub(super) journal: Option<Journal>,
    pub(super) earlier: Option<Arc<Earlier>>,
    pub(super) pins: Arc<Pins>,
}

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

fn reporters(runner: &RunnerArguments, global: &Global) -> Result<Reporters, String> {
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

/// Turns signals into wishes to stop, until nobody wants them.
pub(super) async fn listen(tx: mpsc::UnboundedSender<()>) {
    #[cfg(unix)]
    let mut terminate = {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(terminate) => terminate,
            Err(_) => return,
        }
    };
    loop {
        #[cfg(unix)]
        let heard = tokio::select! {
            heard = tokio::signal::ctrl_c() => heard.is_ok(),
            heard = terminate.recv() => heard.is_some(),
        };
        #[cfg(not(unix))]
        let heard = tokio::signal::ctrl_c().await.is_ok();
        if !heard || tx.send(()).is_err() {
            return;
        }
    }
}
