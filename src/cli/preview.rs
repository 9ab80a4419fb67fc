use std::{fs, io, io::Write, path::Path, sync::Arc};

use tokio::{runtime::Runtime, sync::mpsc};

use super::{
    arguments::{Global, PreviewArguments, RunArguments},
    complain, lock, plan_file,
    run::{listen, registries, runtime},
    settings,
};
use crate::{
    event::{ExitCode, Summary},
    lock::Lock,
    preview::{self, Preview},
    program::Program,
    step::{Mode, Pins},
    text,
};

/// `consign plan PLAN`
pub(super) fn plan(command: &PreviewArguments, global: &Global) -> io::Result<ExitCode> {
    let Some(program) = plan_file::open(&command.plan, &command.values, None, Mode::Real, global)? else {
        return Ok(ExitCode::Invalid);
    };
    let runtime = runtime()?;
    let Ok(locked) = lock::read(&command.plan) else { return Ok(ExitCode::Invalid) };
    let pins = lock::pins(locked.as_ref(), &program);
    let found = find_out(&program, &command.plain_http, command.jobs, &pins, &runtime);
    runtime.shutdown_background();
    let Some((preview, summary)) = found else { return Ok(ExitCode::Invalid) };
    match &command.out {
        Some(path) if path == Path::new("-") => super::print(&preview.to_json())?,
        Some(path) => {
            fs::write(path, preview.to_json())?;
            super::print(&preview::draw(&preview))?;
        }
        None => super::print(&preview::draw(&preview))?,
    }
    let code = summary.exit_code();
    if code == ExitCode::Success && command.exit_code && preview.is_pending() {
        return Ok(ExitCode::Drift);
    }
    Ok(code)
}

/// Whether a run would do nothing but what was approved; otherwise how it ends, and what differs was said.
pub(super) fn hold_to(
    path: &Path,
    lock: Option<&Lock>,
    command: &RunArguments,
    program: &Program,
    runtime: &Runtime,
) -> io::Result<Option<ExitCode>> {
    let approved = match Preview::read(path) {
        Ok(approved) => approved,
        Err(error) => {
            complain(&format!("--approved: {error}"));
            return Ok(Some(ExitCode::Invalid));
        }
    };
    let pins = lock::pins(lock, program);
    let found = find_out(program, &command.runner.plain_http, command.runner.jobs, &pins, runtime);
    let Some((now, summary)) = found else { return Ok(Some(ExitCode::Invalid)) };
    if summary.interrupted {
        return Ok(Some(ExitCode::Interrupted));
    }
    let differences = preview::exceeds(&approved, &now);
    if differences.is_empty() {
        return Ok(None);
    }
    let mut message = format!("error: this is not what was approved in {}; nothing was done\n", path.display());
    for difference in &differences {
        message.extend(["  ", &*text::safe_line(difference), "\n"]);
    }
    let plan = command.plan.display().to_string();
    message.extend(["  help: see what would change with `consign plan ", &plan, "`, and approve it with `--out`\n"]);
    io::stderr().lock().write_all(message.as_bytes())?;
    Ok(Some(ExitCode::Drift))
}

/// What a run would change. Nothing: it cannot be found out, which was said.
pub(super) fn find_out(
    program: &Program,
    plain_http: &[String],
    jobs: u16,
    pins: &Arc<Pins>,
    runtime: &Runtime,
) -> Option<(Preview, Arc<Summary>)> {
    let registries = registries(plain_http, program, false)?;
    let epoch = settings::epoch().map_err(|message| complain(&message)).ok()?;
    Some(runtime.block_on(async {
        let (tx, rx) = mpsc::unbounded_channel();
        let listening = tokio::spawn(listen(tx));
        let found = preview::preview(program, registries, usize::from(jobs), epoch, pins, rx).await;
        listening.abort();
        found
    }))
}
