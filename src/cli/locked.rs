//! A plan's lock, and a run held to it.

use std::{
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use tokio::runtime::Runtime;

use super::{arguments::RunArguments, complain, find_out::find_out};
use crate::{
    event::ExitCode,
    lock::{Difference, Lock, find},
    program::Program,
    step::Pins,
    text,
};

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
