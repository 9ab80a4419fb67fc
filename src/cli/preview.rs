use std::{fs, io, path::Path};

use super::{
    arguments::{Global, PreviewArguments},
    find_out::find_out,
    locked, plan_file,
    signals::runtime,
};
use crate::{event::ExitCode, preview, step::Mode};

/// `consign plan PLAN`
pub(super) fn plan(command: &PreviewArguments, global: &Global) -> io::Result<ExitCode> {
    let Some(program) = plan_file::open(&command.plan, &command.values, None, Mode::Real, global)? else {
        return Ok(ExitCode::Invalid);
    };
    let runtime = runtime()?;
    let Ok(locked) = locked::read(&command.plan) else { return Ok(ExitCode::Invalid) };
    let pins = locked::pins(locked.as_ref(), &program);
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
