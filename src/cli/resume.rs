use std::{collections::BTreeSet, env, io};

use super::{
    arguments::{Global, PlanArguments, ResumeArguments, RunArguments},
    complain, plan_file,
    resuming::Resuming,
    run::run_on,
};
use crate::{
    event::ExitCode,
    journal::{Ending, JournalError, JournalFolder, Record, RunId},
    runner::EarlierStep,
    step::Mode,
    table,
};

/// `consign resume [RUN]`
pub(super) fn resume(command: &ResumeArguments, global: &Global) -> io::Result<ExitCode> {
    let current = env::current_dir()?;
    let workdir = command.workdir.as_ref().map_or_else(|| current.clone(), |workdir| current.join(workdir));
    let record = match find(&JournalFolder::of(&workdir), command.run.as_ref()) {
        Ok(record) => record,
        Err(error) => {
            complain(&error.to_string());
            return Ok(ExitCode::Invalid);
        }
    };
    let run = &record.header.run;
    if record.ending == Ending::Running {
        complain(&format!("run {run} still goes on, as process {}", record.header.process));
        return Ok(ExitCode::Temporary);
    }
    if record.is_success() {
        complain(&format!("run {run} ended well: there is nothing to go on with"));
        return Ok(ExitCode::Invalid);
    }
    let header = &record.header;
    let mut runner = command.runner.clone();
    runner.skip_gates |= header.skip_gates;
    runner.plain_http.extend(header.plain_http.iter().cloned());
    let arguments = RunArguments {
        plan: header.plan.clone(),
        values: PlanArguments {
            set: header.inputs.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            vars_file: Vec::new(),
            select: header.select.clone(),
            skip: header.skip.clone(),
            workdir: Some(header.workdir.clone()),
        },
        runner,
        wait: command.wait,
        approved: None,
        locked: false,
    };
    let resuming = Resuming { record, command };
    if command.dry_run { show(&resuming, &arguments, global) } else { run_on(&arguments, Some(&resuming), global) }
}

/// That run, or the last one that neither ended well nor was gone on with.
fn find(folder: &JournalFolder, run: Option<&RunId>) -> Result<Record, JournalError> {
    if run.is_some() {
        return folder.read(run);
    }
    let mut superseded: BTreeSet<RunId> = BTreeSet::new();
    for run in folder.runs()?.into_iter().rev() {
        // What broke off as it began has nothing to go on with.
        let Ok(record) = folder.read(Some(&run)) else { continue };
        superseded.extend(record.header.resumes.clone());
        if !record.is_success() && !superseded.contains(&run) {
            return Ok(record);
        }
    }
    folder.read(None)
}

/// Says what would happen, and why.
fn show(resuming: &Resuming<'_>, arguments: &RunArguments, global: &Global) -> io::Result<ExitCode> {
    let Some(program) = plan_file::open(&arguments.plan, &arguments.values, None, Mode::Real, global)? else {
        return Ok(ExitCode::Invalid);
    };
    let earlier = match resuming.judge(&program) {
        Ok(earlier) => earlier,
        Err(message) => {
            complain(&message);
            return Ok(ExitCode::Invalid);
        }
    };
    let rows = program.steps().iter().enumerate().map(|(at, planned)| {
        let (what, why) = match earlier.steps.get(&at) {
            _ if program.skip().contains(&at) => ("skipped", "as asked"),
            None => ("runs", "it had not begun"),
            Some(EarlierStep::Again { because }) => ("runs again", &**because),
            Some(EarlierStep::Done { .. }) => ("taken over", "marked as done"),
            Some(EarlierStep::Ended(_)) => ("taken over", "as long as what it made is there"),
        };
        vec![what.to_owned(), planned.id.to_string(), why.to_owned()]
    });
    super::print(&table::draw(&[], &rows.collect::<Vec<_>>()))?;
    Ok(ExitCode::Success)
}
