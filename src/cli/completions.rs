use std::io;

use clap::CommandFactory;

use super::{
    arguments::{Arguments, CompletionsArguments},
    print_bytes,
};
use crate::event::ExitCode;

/// `consign completions SHELL`
pub(super) fn completions(command: &CompletionsArguments) -> io::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut Arguments::command(), "consign", &mut script);
    print_bytes(&script)?;
    Ok(ExitCode::Success)
}
