use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// The folder that it goes into, which is made where it is missing.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(super) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub(super) shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArguments {
    /// The folder that a page for each command is written to, which is made where it is missing. Without it, the page of
    /// consign itself is printed.
    #[arg(value_name = "DIR")]
    pub(super) folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct KindsArguments {
    /// The kind to explain.
    pub(super) kind: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct SchemaArguments {
    /// What it describes.
    #[arg(value_name = "OF", default_value = "plan")]
    pub(super) of: SchemaOf,
}

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    /// A plan.
    Plan,
    /// A line of `--events`.
    Event,
    /// What `--report json=FILE` writes.
    Result,
}
