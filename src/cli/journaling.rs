use std::{
    env, io,
    path::{Path, PathBuf},
    process,
};

use super::{arguments::RunArguments, complain, warn};
use crate::{
    journal::{Header, Journal, JournalFolder, PlanLock, RunId},
    oci::Digest,
    program::Program,
};

/// The plan, and where its runs are kept.
pub(super) struct Runs<'a> {
    folder: JournalFolder,
    plan: PathBuf,
    command: &'a RunArguments,
}

impl<'a> Runs<'a> {
    pub(super) fn of(command: &'a RunArguments, program: &Program) -> io::Result<Self> {
        let plan = env::current_dir()?.join(&command.plan);
        let plan = plan.canonicalize().unwrap_or(plan);
        Ok(Self { folder: JournalFolder::of(&program.places().workdir), plan, command })
    }

    /// Keeps others from running the plan from the same work folder. `Err`: somebody else runs it, which has been said.
    /// Where nothing can be written there, the run goes on without, and that is said too.
    pub(super) fn lock(&self) -> Result<Option<PlanLock>, ()> {
        let shown = self.command.plan.display();
        let taken = self.folder.lock(&self.plan).and_then(|lock| match lock {
            Ok(lock) => Ok(Some(lock)),
            Err(held) => {
                let by = held.by.as_ref().map_or_else(String::new, |by| format!(" ({by})"));
                if !self.command.wait {
                    complain(&format!("`{shown}` is running already{by}: wait for it with --wait"));
                    return Ok(None);
                }
                warn(&format!("`{shown}` is running already{by}: waiting for it"));
                held.wait().map(Some)
            }
        });
        match taken {
            Ok(Some(lock)) => Ok(Some(lock)),
            Ok(None) => Err(()),
            Err(error) => {
                warn(&format!("{error}: the run leaves no journal, and cannot be resumed"));
                Ok(None)
            }
        }
    }

    /// Begins the journal of a run that has the lock.
    pub(super) fn begin(&self, lock: &mut PlanLock, program: &Program, resumes: Option<&RunId>) -> Option<Journal> {
        let header = |run| Header { resumes: resumes.cloned(), ..header(self.command, program, &self.plan, run) };
        let begun = self.folder.begin(header).and_then(|journal| lock.name(journal.run()).map(|()| journal));
        begun.map_err(|error| warn(&format!("{error}: the run leaves no journal, and cannot be resumed"))).ok()
    }
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
