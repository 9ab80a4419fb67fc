//! A run that is gone on with, and what of it is taken over.

use super::{arguments::ResumeArguments, settings};
use crate::{
    journal::{Record, RunId},
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
            redo: program.selected("--redo", &self.command.redo)?,
            done: program.selected("--mark-done", &self.command.mark_done)?,
        };
        judge(program, &self.record, &wishes, settings::epoch()?)
    }
}
