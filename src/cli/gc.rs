use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use super::{arguments::GcArguments, complain};
use crate::{
    event::ExitCode,
    store::{Garbage, GarbageOptions, LayoutRoot, StoreError},
    text,
};

/// `consign gc`
pub(super) fn gc(command: &GcArguments) -> io::Result<ExitCode> {
    let options =
        GarbageOptions { grace: command.grace, keep_untagged: command.keep_untagged, dry_run: command.dry_run };
    let root = match LayoutRoot::existing(&command.root) {
        Ok(root) => root,
        Err(error) => {
            complain(&error.to_string());
            return Ok(ExitCode::Invalid);
        }
    };
    match collect(&root, &options) {
        Ok((count, size)) => {
            let would = if command.dry_run { "would be removed" } else { "removed" };
            let size = text::bytes(size);
            writeln!(io::stderr().lock(), "{count} {would}, {size}")?;
            Ok(ExitCode::Success)
        }
        Err(Stopped::Output(error)) => Err(error),
        Err(Stopped::Store(error)) => {
            complain(&error.to_string());
            Ok(ExitCode::Failed)
        }
    }
}

enum Stopped {
    Output(io::Error),
    Store(StoreError),
}

/// Prints a line for each thing; how many there were, and their bytes.
fn collect(root: &LayoutRoot, options: &GarbageOptions) -> Result<(usize, u64), Stopped> {
    let (mut count, mut total) = (0, 0);
    let mut tell = |name: &str, garbage: Vec<Garbage>| -> Result<(), Stopped> {
        let mut lines = String::new();
        for item in garbage {
            let (kind, what, size) = match item {
                Garbage::Manifest { digest, size } => ("manifest", format!("{name}@{digest}"), size),
                Garbage::Blob { digest, size } => ("blob", format!("{name}@{digest}"), size),
                Garbage::Unfinished { path, size } => ("unfinished", path.display().to_string(), size),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{kind} {what} {size}");
            count += 1;
            total += size;
        }
        super::print(&lines).map_err(Stopped::Output)
    };
    for (name, layout) in root.repositories().map_err(Stopped::Store)? {
        tell(name.as_str(), layout.collect_garbage(options).map_err(Stopped::Store)?)?;
    }
    tell("", root.collect_uploads(options).map_err(Stopped::Store)?)?;
    Ok((count, total))
}
