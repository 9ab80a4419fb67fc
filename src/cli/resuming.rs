//! A run that is gone on with, and what of it is taken over.

use std::collections::BTreeSet;

use super::{arguments::ResumeArguments, settings};
use crate::{
    journal::{Record, RunId},
    plan::nearest,
    program::Program,
    resume::{Wishes, judge},
    runner::Earlier,
};

/// A run that is gone on with.
pub(super) struct Resuming<'a> {
    pub(super) record: Record,
    pub(super) command: &'a ResumeArguments,
}

impl Resuming<'_> {
    /// Which run.
    pub(super) const fn run(&self) -> &RunId {
        &self.record.header.run
    }

    /// What of it is taken over.
    pub(super) fn judge(&self, program: &Program) -> Result<Earlier, String> {
        let wishes = Wishes {
            redo: places("--redo", &self.command.redo, program)?,
            done: places("--mark-done", &self.command.mark_done, program)?,
        };
        judge(program, &self.record, &wishes, settings::epoch()?)
    }
}

/// The steps with these ids, by their place in the file.
fn places(flag: &str, ids: &[String], program: &Program) -> Result<BTreeSet<usize>, String> {
    let all = || program.steps().iter().map(|planned| planned.id.name());
    let place = |id: &String| {
        let place = all().position(|name| name == id);
        place.ok_or_else(|| match nearest(id, all()) {
            Some(near) => format!("{flag}: there is no step `{id}`: did you mean `{near}`?"),
            None => format!("{flag}: there is no step `{id}`"),
        })
    };
    ids.iter().map(place).collect()
}
