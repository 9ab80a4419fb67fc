use std::{
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use tokio::runtime::Runtime;

use super::{
    arguments::{Global, LockArguments, RunArguments},
    complain, plan_file,
    preview::find_out,
    run::runtime,
};
use crate::{
    event::ExitCode,
    lock::{Difference, Lock, find},
    program::Program,
    step::{Mode, Pins},
    text,
};

/// `consign lock PLAN`
pub(super) fn lock(command: &LockArguments, global: &Global) -> io::Result<ExitCode> {
    let Some(program) = plan_file::open(&command.plan, &command.values, None, Mode::Real, global)? else {
        return Ok(ExitCode::Invalid);
    };
    let runtime = runtime()?;
    // What is there now, whatever was locked.
    let pins = Arc::new(Pins::default());
    let found = find_out(&program, &command.plain_http, command.jobs, &pins, &runtime);
    runtime.shutdown_background();
    let Some((preview, summary)) = found else { return Ok(ExitCode::Invalid) };
    for (step, message) in summary.failures() {
        complain(&format!("step `{step}`: {message}"));
    }
    let code = summary.exit_code();
    if code != ExitCode::Success {
        return Ok(code);
    }
    let now = find(&program, &preview, &pins);
    let name = Lock::path(&command.plan);
    let name = name.display();
    if !command.check {
        if let Err(error) = now.write(&command.plan) {
            complain(&error.to_string());
            return Ok(ExitCode::Failed);
        }
        let counts = [text::count(now.references.len(), "reference"), text::count(now.steps.len(), "step")];
        super::print(&format!("{name}: {}\n", counts.join(", ")))?;
        return Ok(ExitCode::Success);
    }
    match read(&command.plan) {
        Err(()) => Ok(ExitCode::Invalid),
        Ok(None) => {
            complain(&format!("there is no {name}: write it with `consign lock {}`", command.plan.display()));
            Ok(ExitCode::Invalid)
        }
        Ok(Some(locked)) => {
            let differences = locked.differences(&now);
            let mut lines = String::new();
            for difference in &differences {
                lines.extend([&*text::safe_line(&difference.to_string()), "\n"]);
            }
            super::print(&lines)?;
            Ok(if differences.is_empty() { ExitCode::Success } else { ExitCode::Drift })
        }
    }
}

/// The plan's lock, where it has one. `Err`: it cannot be read, which was said.
pub(super) fn read(plan: &Path) -> Result<Option<Lock>, ()> {
    Lock::read(plan).map_err(|error| complain(&error.to_string()))
}

/// The pins of a run that goes by the lock.
pub(super) fn pins(lock: Option<&Lock>, program: &Program) -> Arc<Pins> {
    Arc::new(lock.map_or_else(Pins::default, |lock| Pins::locked(lock.tags(program.places()))))
}

/// Whether a run would read only what is locked and make only what is locked; otherwise how it ends, and what differs was
/// said.
pub(super) fn hold_to(
    lock: Option<&Lock>,
    command: &RunArguments,
    program: &Program,
    runtime: &Runtime,
) -> io::Result<Option<ExitCode>> {
    let plan = command.plan.display();
    let Some(lock) = lock else {
        let name = Lock::path(&command.plan);
        complain(&format!("--locked: there is no {}: write it with `consign lock {plan}`", name.display()));
        return Ok(Some(ExitCode::Invalid));
    };
    let pins = pins(Some(lock), program);
    let Some((preview, summary)) = find_out(program, &command.runner.plain_http, command.runner.jobs, &pins, runtime)
    else {
        return Ok(Some(ExitCode::Invalid));
    };
    if summary.interrupted {
        return Ok(Some(ExitCode::Interrupted));
    }
    let mut differences = lock.differences(&find(program, &preview, &pins));
    // Of what is not run now, nothing can be said.
    differences.retain(|difference| {
        matches!(difference, Difference::Reference { now: Some(_), .. } | Difference::Step { now: Some(_), .. })
    });
    if differences.is_empty() {
        return Ok(None);
    }
    let mut message =
        format!("error: this is not what {} says; nothing was done\n", Lock::path(&command.plan).display());
    for difference in &differences {
        message.extend(["  ", &text::safe_line(&difference.to_string()), "\n"]);
    }
    message.extend(["  help: where that is meant, write it anew with `consign lock ", &plan.to_string(), "`\n"]);
    io::stderr().lock().write_all(message.as_bytes())?;
    Ok(Some(ExitCode::Drift))
}
