use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use super::{arguments::InitArguments, complain, note, print};
use crate::event::ExitCode;

/// What is written: paths and texts. A test checks and rehearses the plan.
const FILES: &[(&str, &str)] = &[
    ("release.yaml", include_str!("init/release.yaml")),
    ("release/hello", include_str!("init/hello")),
    ("release/hello.spdx.json", include_str!("init/hello.spdx.json")),
];

/// `consign init [DIR]`
pub(super) fn init(command: &InitArguments) -> io::Result<ExitCode> {
    let folder = &command.folder;
    // Looked at first, so that all or nothing is written; whoever comes in between is not overwritten either.
    let there: Vec<_> = FILES.iter().map(|(path, _)| folder.join(path)).filter(|path| path.exists()).collect();
    if !there.is_empty() {
        let there: Vec<_> = there.iter().map(|path| format!("`{}`", path.display())).collect();
        let verb = if there.len() == 1 { "is" } else { "are" };
        complain(&format!("{} {verb} there already; `consign init DIR` writes to another folder", there.join(", ")));
        return Ok(ExitCode::Invalid);
    }
    for (path, text) in FILES {
        let path = folder.join(path);
        if let Err(error) = write(&path, text) {
            complain(&format!("`{}` cannot be written: {error}", path.display()));
            return Ok(ExitCode::Failed);
        }
    }
    let written: Vec<_> = FILES.iter().map(|(path, _)| folder.join(path).display().to_string()).collect();
    print(&format!("{}\n", written.join("\n")))?;
    let plan = folder.join("release.yaml");
    note(&format!("`consign rehearse {}` runs it without a registry", plan.display()));
    Ok(ExitCode::Success)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    File::create_new(path)?.write_all(text.as_bytes())
}
