use std::{
    env, fs,
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use super::{
    access::{has_secrets, registries},
    arguments::{Global, RehearseArguments},
    complain,
    execute::{Doing, execute},
    plan_file,
    signals::runtime,
};
use crate::{
    event::ExitCode,
    oci::Repository,
    program::Program,
    step::{Mode, Rehearsing},
    store::{Fault, FaultError, Faults, Rehearsal, Seed, Stores},
    table,
};

/// `consign rehearse PLAN`
pub(super) fn rehearse(command: &RehearseArguments, global: &Global) -> io::Result<ExitCode> {
    // What the plan writes to disk is thrown away with this folder, unless one was named for it.
    let scratch = tempfile::Builder::new().prefix("consign-rehearsal-").tempdir()?;
    let workdir = command.values.workdir.as_deref().unwrap_or(scratch.path());
    let mode = Mode::Rehearsal(Rehearsing { exec: command.exec, secrets: command.real_secrets, preview: false });
    let Some(program) = plan_file::open(&command.plan, &command.values, Some(workdir), mode, global)? else {
        return Ok(ExitCode::Invalid);
    };
    let current = env::current_dir()?;
    if command.real_secrets && !has_secrets(&program) {
        return Ok(ExitCode::Invalid);
    }
    let Some((seeds, faults)) = asked(command, &program, &current) else { return Ok(ExitCode::Invalid) };
    let keep = command.keep.as_ref().map(|folder| current.join(folder));
    if let Some(message) = keep.as_deref().and_then(cannot_keep) {
        complain(&message);
        return Ok(ExitCode::Invalid);
    }
    let read_through = if command.read_through {
        let Some(registries) = registries(&command.runner.plain_http, &program) else { return Ok(ExitCode::Invalid) };
        Some(registries)
    } else {
        None
    };
    let rehearsal = Arc::new(Rehearsal::new(read_through, faults));
    let runtime = runtime()?;
    if !runtime.block_on(sow(&rehearsal, &seeds, &program)) {
        return Ok(ExitCode::Invalid);
    }
    let stores = Stores::rehearse(Arc::clone(&rehearsal));
    let doing = Doing { stores, mode, journal: None, earlier: None, pins: Arc::default() };
    let code = execute(&program, doing, &command.runner, global, &runtime)?;
    let kept = keep.map(|keep| runtime.block_on(rehearsal.keep(&keep, &program.places().workdir)));
    runtime.shutdown_background();
    match kept {
        None | Some(Ok(())) => Ok(code),
        Some(Err(error)) => {
            complain(&format!("--keep: {error}"));
            Ok(ExitCode::Failed)
        }
    }
}

/// The seeds, as they are written, and the faults. Where one of them is wrong, that has been said.
fn asked(command: &RehearseArguments, program: &Program, current: &Path) -> Option<(Vec<Seed>, Faults)> {
    let mut is_right = true;
    // Where the real registries are read, what stands in for them is not wanted.
    let mut seeds = if command.read_through { Vec::new() } else { program.seeds().to_vec() };
    for text in &command.seed {
        match Seed::parse(text, current) {
            Ok(seed) => seeds.push(seed),
            Err(error) => {
                complain(&format!("--seed: {error}"));
                is_right = false;
            }
        }
    }
    let mut faults = Vec::new();
    let mut is_fault = true;
    for text in &command.fault {
        match fault(text, program) {
            Ok(fault) => faults.push(fault),
            Err(error) => {
                complain(&format!("--fault {text}: {error}"));
                is_fault = false;
            }
        }
    }
    let steps = program.steps().iter().map(|step| (step.id.name(), step.kind.name));
    let faults = Faults::new(faults, steps).map_err(|error| complain(&format!("--fault: {error}")));
    if !is_fault {
        explain_faults();
    }
    faults.ok().filter(|_| is_right && is_fault).map(|faults| (seeds, faults))
}

fn fault(text: &str, program: &Program) -> Result<Fault, FaultError> {
    let fault: Fault = text.parse()?;
    match fault.registry() {
        Some(registry) if !program.touches(registry) => Err(FaultError::Nowhere { registry: registry.clone() }),
        _ => Ok(fault),
    }
}

/// Writes to stderr what faults there are. Where even that fails, nobody is there to read it.
fn explain_faults() {
    let rows: Vec<_> = Fault::FORMS.iter().map(|(form, means)| vec![(*form).to_owned(), (*means).to_owned()]).collect();
    let forms: String = table::draw(&[], &rows).lines().flat_map(|line| ["  ", line, "\n"]).collect();
    let text = format!("a fault is one of these, with `*TIMES` and `@REGISTRY` behind it or without:\n{forms}");
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Why nothing can be kept in that folder.
fn cannot_keep(folder: &Path) -> Option<String> {
    let name = folder.display();
    match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().map(|_| format!("--keep: {name} is not empty: name a new folder")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(format!("--keep: cannot use {name}: {error}")),
    }
}

/// Brings the seeds in. `false`: one could not be, which has been said.
async fn sow(rehearsal: &Rehearsal, seeds: &[Seed], program: &Program) -> bool {
    let place = |repository: &Repository| program.places().repository(repository);
    for seed in seeds {
        if let Err(error) = rehearsal.seed(seed, &place).await {
            complain(&format!("--seed: {error}"));
            return false;
        }
    }
    true
}
