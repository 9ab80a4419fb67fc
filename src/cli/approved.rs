//! What was approved, held against what a run would do.

use std::{
    io::{self, Write},
    path::Path,
};

use tokio::runtime::Runtime;

use super::{arguments::RunArguments, complain, find_out::find_out, locked};
use crate::{
    event::ExitCode,
    lock::Lock,
    preview::{self, Preview},
    program::Program,
    text,
};

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
    let pins = locked::pins(lock, program);
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
