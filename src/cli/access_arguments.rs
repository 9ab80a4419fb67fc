//! The arguments of commands that are about access: logins, keys, and what a registry lets one do.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::one_registry::ReachArguments;

#[derive(Debug, Args)]
#[command(after_help = "\
The login goes where Docker keeps its own, so that other programs see it: the credential helper that Docker's
configuration names for the registry (`credHelpers`, `credsStore`), otherwise the configuration itself, `config.json` in
`DOCKER_CONFIG` or `~/.docker`. Where `REGISTRY_AUTH_FILE` is set, that file takes its place.")]
pub(super) struct LoginArguments {
    /// The registry: `HOST[:PORT]`.
    pub(super) registry: String,
    /// Who to be.
    #[arg(long, short, value_name = "USER")]
    pub(super) username: Option<String>,
    /// Reads the password from stdin; otherwise it is asked for in the terminal.
    #[arg(long, conflicts_with = "identity_token_stdin")]
    pub(super) password_stdin: bool,
    /// Reads an identity token, also called refresh token, from stdin; it needs no user.
    #[arg(long)]
    pub(super) identity_token_stdin: bool,
    /// Stores the login in this file.
    #[arg(long, value_name = "FILE")]
    pub(super) authfile: Option<PathBuf>,
    #[command(flatten)]
    pub(super) reach: ReachArguments,
}

/// `consign keys`
#[derive(Debug, Args)]
pub(super) struct KeysArguments {
    /// Writes NAME.key, the private key on P-256, encrypted, and NAME.pub, the public one. Neither may be there.
    #[arg(value_name = "NAME", default_value = "cosign")]
    pub(super) name: PathBuf,
    /// Reads the password from stdin. By default it is what `COSIGN_PASSWORD` says.
    #[arg(long)]
    pub(super) password_stdin: bool,
}

#[derive(Debug, Args)]
pub(super) struct LogoutArguments {
    /// The registry: `HOST[:PORT]`.
    pub(super) registry: String,
    /// Removes the login from this file.
    #[arg(long, value_name = "FILE")]
    pub(super) authfile: Option<PathBuf>,
}

/// `consign doctor`
#[derive(Debug, Args)]
pub(super) struct DoctorArguments {
    /// The registry; with a repository that may be written, what can be done there is tried.
    #[arg(value_name = "REGISTRY[/REPOSITORY]")]
    pub(super) place: String,
    /// Pushes a small artifact also where the registry cannot delete it again.
    #[arg(long)]
    pub(super) push: bool,
    #[command(flatten)]
    pub(super) reach: ReachArguments,
    /// How the findings are written.
    #[arg(long, value_enum, default_value_t = DoctorFormat::Text)]
    pub(super) format: DoctorFormat,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DoctorFormat {
    /// A table, for people.
    Text,
    /// For programs.
    Json,
}
