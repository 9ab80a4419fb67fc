//! The command line: what was asked, wired to what does it. Only this module and `report/` print.

mod access;
mod access_arguments;
mod approved;
mod arguments;
mod check;
mod completions;
mod doctor;
mod execute;
mod find_out;
mod gc;
mod graph;
mod init;
mod journaling;
mod keys;
mod kinds;
mod learning_arguments;
mod lock;
mod locked;
mod login;
mod manual;
mod one_registry;
mod plan_file;
mod preview;
mod reference;
mod rehearse;
mod reporters;
mod resume;
mod resuming;
mod run;
mod schema;
mod schema_examples;
mod serve;
mod settings;
mod show;
mod signals;

use std::{
    io::{self, Write},
    process,
};

use clap::Parser;

use self::arguments::{Arguments, Command};
use crate::event::ExitCode;

/// Does what the command line asks, and says how it went.
pub fn main() -> process::ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Command::Run(command) => run::run(command, &arguments.global),
        Command::Lock(command) => lock::lock(command, &arguments.global),
        Command::Resume(command) => resume::resume(command, &arguments.global),
        Command::Plan(command) => preview::plan(command, &arguments.global),
        Command::Rehearse(command) => rehearse::rehearse(command, &arguments.global),
        Command::Check(command) => check::check(command, &arguments.global),
        Command::Graph(command) => graph::graph(command, &arguments.global),
        Command::Show(command) => show::show(command, &arguments.global),
        Command::Doctor(command) => doctor::doctor(command),
        Command::Login(command) => login::login(command),
        Command::Logout(command) => login::logout(command),
        Command::Keys(command) => keys::keys(command),
        Command::Serve(command) => serve::serve(command),
        Command::Gc(command) => gc::gc(command),
        Command::Schema(command) => print(&schema::text(command.of)).map(|()| ExitCode::Success),
        Command::Kinds(command) => kinds::kinds(command),
        Command::Reference => print(&reference::text()).map(|()| ExitCode::Success),
        Command::Init(command) => init::init(command),
        Command::Completions(command) => completions::completions(command),
        Command::Man(command) => manual::manual(command),
    };
    let code = match done {
        Ok(code) => code,
        // Whoever reads the output has heard enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::Success,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::Failed
        }
    };
    process::ExitCode::from(code as u8)
}

/// Writes to stdout what was asked for.
fn print(text: &str) -> io::Result<()> {
    print_bytes(text.as_bytes())
}

/// As `print`.
fn print_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Writes an error to stderr. Where even that fails, nobody is there to hear it.
fn complain(message: &str) {
    let _ = writeln!(io::stderr().lock(), "error: {message}");
}

/// Writes to stderr what to do next.
fn note(message: &str) {
    let _ = writeln!(io::stderr().lock(), "{message}");
}

/// Writes a warning to stderr.
fn warn(message: &str) {
    let _ = writeln!(io::stderr().lock(), "warning: {message}");
}

/// The JSON Schema of plans, as `consign schema` prints it.
pub fn schema_text() -> String {
    schema::text(arguments::SchemaOf::Plan)
}
