use std::{io, sync::Arc};

use super::{
    access::{has_secrets, registries},
    approved,
    arguments::{Global, RunArguments},
    complain,
    execute::{Doing, execute},
    journaling::Runs,
    locked, plan_file,
    resuming::Resuming,
    settings,
    signals::runtime,
};
use crate::{event::ExitCode, step::Mode, store::Stores};

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
    let Some(registries) = registries(&command.runner.plain_http, &program).filter(|_| has_secrets) else {
        return Ok(ExitCode::Invalid);
    };
    let earlier = match resuming.map(|resuming| resuming.judge(&program)).transpose() {
        Ok(earlier) => earlier.map(Arc::new),
        Err(message) => {
            complain(&message);
            return Ok(ExitCode::Invalid);
        }
    };
    let Ok(locked) = locked::read(&command.plan) else { return Ok(ExitCode::Invalid) };
    let runs = Runs::of(command, &program)?;
    let Ok(mut held) = runs.lock() else { return Ok(ExitCode::Temporary) };
    let runtime = runtime()?;
    if let Some(path) = &command.approved
        && let Some(code) = approved::hold_to(path, locked.as_ref(), command, &program, &runtime)?
    {
        return Ok(code);
    }
    if command.locked
        && let Some(code) = locked::hold_to(locked.as_ref(), command, &program, &runtime)?
    {
        return Ok(code);
    }
    let journal = held.as_mut().and_then(|held| runs.begin(held, &program, resuming.map(Resuming::run)));
    let doing = Doing {
        stores: Stores::real(registries),
        mode: Mode::Real,
        journal,
        earlier,
        pins: locked::pins(locked.as_ref(), &program),
    };
    let code = execute(&program, doing, &command.runner, global, &runtime);
    // What still runs after a second interrupt is not waited for.
    runtime.shutdown_background();
    // Without it the next run hashes more.
    let _ = program.places().digests.save();
    code
}
