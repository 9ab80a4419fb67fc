use std::{env, io, path::Path, process};

use super::{arguments::RunArguments, complain, warn};
use crate::{
    journal::{Header, Journal, JournalError, JournalFolder, PlanLock, RunId},
    oci::Digest,
    program::Program,
};

/// Keeps others from running the plan from the same work folder, and begins the run's journal. Nothing: somebody else
/// runs it, which has been said. Where nothing can be written there, the run goes on without, and that is said too.
pub(super) fn begin(
    command: &RunArguments,
    program: &Program,
) -> io::Result<Option<(Option<PlanLock>, Option<Journal>)>> {
    let plan = env::current_dir()?.join(&command.plan);
    let plan = plan.canonicalize().unwrap_or(plan);
    let folder = JournalFolder::of(&program.places().workdir);
    match lock_and_begin(command, program, &folder, &plan) {
        Ok(Some((lock, journal))) => Ok(Some((Some(lock), Some(journal)))),
        Ok(None) => Ok(None),
        Err(error) => {
            warn(&format!("{error}: the run leaves no journal, and cannot be resumed"));
            Ok(Some((None, None)))
        }
    }
}

fn lock_and_begin(
    command: &RunArguments,
    program: &Program,
    folder: &JournalFolder,
    plan: &Path,
) -> Result<Option<(PlanLock, Journal)>, JournalError> {
    let shown = command.plan.display();
    let mut lock = match folder.lock(plan)? {
        Ok(lock) => lock,
        Err(held) => {
            let by = held.by.as_ref().map_or_else(String::new, |by| format!(" ({by})"));
            if !command.wait {
                complain(&format!("`{shown}` is running already{by}: wait for it with --wait"));
                return Ok(None);
            }
            warn(&format!("`{shown}` is running already{by}: waiting for it"));
            held.wait()?
        }
    };
    let journal = folder.begin(|run| header(command, program, plan, run))?;
    lock.name(journal.run())?;
    Ok(Some((lock, journal)))
}

fn header(command: &RunArguments, program: &Program, plan: &Path, run: RunId) -> Header {
    Header {
        version: Header::VERSION,
        run,
        consign: env!("CARGO_PKG_VERSION").to_owned(),
        process: process::id(),
        plan: plan.to_owned(),
        plan_name: program.source().name.clone(),
        plan_digest: Digest::sha256(program.source().text.as_bytes()),
        workdir: program.places().workdir.clone(),
        inputs: program.given().clone(),
        select: command.values.select.clone(),
        skip: command.values.skip.clone(),
        skip_gates: command.runner.skip_gates,
        plain_http: command.runner.plain_http.clone(),
        resumes: None,
    }
}
