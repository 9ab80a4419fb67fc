use std::{io, sync::Arc};

use super::{
    arguments::{Global, LockArguments},
    complain,
    find_out::find_out,
    locked, plan_file,
    signals::runtime,
};
use crate::{
    event::ExitCode,
    lock::{Lock, find},
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
    match locked::read(&command.plan) {
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
