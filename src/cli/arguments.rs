use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use super::{
    access_arguments::{DoctorArguments, DoctorFormat, KeysArguments, LoginArguments, LogoutArguments},
    learning_arguments::{
        CompletionsArguments, InitArguments, KindsArguments, ManArguments, SchemaArguments, SchemaOf,
    },
};
use crate::{journal::RunId, report::ReportFormat};

/// What the exit codes mean.
const EXIT_CODES: &str = "\
Exit codes:
  0    every step succeeded or was skipped
  1    a step failed
  2    nothing ran: the command line or the plan is wrong
  3    a gate said no
  4    drift: not what was approved or locked, or with `plan --exit-code`: changes are pending
  75   every failure was temporary: running again may help
  130  interrupted";

/// Runs plans: YAML files that say how artifacts reach their registries.
#[derive(Debug, Parser)]
#[command(name = "consign", version, disable_help_subcommand = true, after_help = EXIT_CODES)]
pub(super) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
    #[command(flatten)]
    pub(super) global: Global,
}

/// Flags of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(super) struct Global {
    /// When to use colour.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorWhen,
    /// Tells every request of a run, with its answer, but no secret.
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub(super) verbose: bool,
    /// Tells only what went wrong. What is asked for on stdout is written all the same.
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
    /// How mistakes in plans are written: for people, or one JSON object a line.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "human")]
    pub(super) error_format: ErrorFormat,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorWhen {
    /// In a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How mistakes in plans are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ErrorFormat {
    /// With the source line and a caret.
    Human,
    /// One object a line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Writes a first plan, with the files that it needs.
    Init(InitArguments),
    /// Runs a plan.
    Run(RunArguments),
    /// Goes on with a run that failed or was interrupted.
    Resume(ResumeArguments),
    /// Pins what a plan reads, and what its steps make, in PLAN.lock.
    Lock(LockArguments),
    /// Shows what a run would change, and writes nothing.
    Plan(PreviewArguments),
    /// Runs a plan against an embedded registry; nothing outside is written.
    Rehearse(RehearseArguments),
    /// Finds what is wrong with plans, without the network.
    Check(CheckArguments),
    /// Shows which step waits for which, and why.
    Graph(GraphArguments),
    /// Tells a run again that is over, from its journal.
    Show(ShowArguments),
    /// Stores a login for a registry, after the registry has taken it.
    Login(LoginArguments),
    /// Removes the login for a registry.
    Logout(LogoutArguments),
    /// Makes a key that signs, as cosign makes it.
    Keys(KeysArguments),
    /// Finds out what a registry can do, and leaves nothing behind.
    Doctor(DoctorArguments),
    /// Serves an embedded registry.
    Serve(ServeArguments),
    /// Removes from the folder of a registry what nothing reaches.
    Gc(GcArguments),
    /// Prints the JSON Schema of plans, or of what a run writes.
    Schema(SchemaArguments),
    /// Lists the kinds of steps, or explains one.
    Kinds(KindsArguments),
    /// Prints the language reference, one page of Markdown.
    Reference,
    /// Prints what completes commands and flags in a shell.
    Completions(CompletionsArguments),
    /// Prints the manual page, or writes one for each command.
    Man(ManArguments),
}

/// What decides which steps a plan has and what their values are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Values and steps")]
pub(super) struct PlanArguments {
    /// Sets an input; may be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) set: Vec<String>,
    /// Reads inputs from a YAML or JSON file; may be given several times, the last one wins.
    #[arg(long, value_name = "FILE")]
    pub(super) vars_file: Vec<PathBuf>,
    /// Runs these steps only, separated by commas: `id`, `+id` (with all that it depends on), `id+` (with all that depends
    /// on it), `kind:NAME`, `group`, `group[key]`. What is in `finally` runs too, unless some of it is selected.
    #[arg(long, value_name = "STEPS", value_delimiter = ',')]
    pub(super) select: Vec<String>,
    /// Does not run these steps, written likewise.
    #[arg(long, value_name = "STEPS", value_delimiter = ',')]
    pub(super) skip: Vec<String>,
    /// Where files are written, and stay under. By default the current folder; of a rehearsal, one that is thrown away.
    #[arg(long, value_name = "DIR")]
    pub(super) workdir: Option<PathBuf>,
}

/// How a plan runs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Running")]
pub(super) struct RunnerArguments {
    /// How many steps run at a time.
    #[arg(long, short, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: u16,
    /// After a failure, goes on with what does not depend on it.
    #[arg(long)]
    pub(super) keep_going: bool,
    /// Runs what a skipped gate would hold back.
    #[arg(long)]
    pub(super) skip_gates: bool,
    /// Asks this registry over plain HTTP, as loopback registries are anyway; may be given several times.
    #[arg(long, value_name = "HOST")]
    pub(super) plain_http: Vec<String>,
    /// How progress is shown on stderr.
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub(super) progress: ProgressHow,
    /// Writes every event as a line of JSON to this file, or with `-` to stdout.
    #[arg(long, value_name = "FILE")]
    pub(super) events: Option<PathBuf>,
    /// Writes a report when the run is over: `junit`, `markdown`, `html`, `json` (the whole result) or `dotenv` (the plan's
    /// outputs, for GitLab); may be given several times.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = report)]
    pub(super) report: Vec<(ReportFormat, PathBuf)>,
    /// Writes the plan's outputs as JSON to this file, or with `-` to stdout.
    #[arg(long, value_name = "FILE")]
    pub(super) outputs: Option<PathBuf>,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressHow {
    /// In a terminal as `tty`, elsewhere as `plain`.
    Auto,
    /// Bars and a line for each finished step.
    Tty,
    /// A line for each change of state.
    Plain,
    /// Not at all.
    None,
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// The plan.
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) values: PlanArguments,
    #[command(flatten)]
    pub(super) runner: RunnerArguments,
    /// Where somebody else runs the plan from the same work folder, waits for it instead of giving up.
    #[arg(long, help_heading = "Running")]
    pub(super) wait: bool,
    /// Does nothing but what this file says, which `consign plan --out` wrote: otherwise nothing runs, and the difference
    /// is shown.
    #[arg(long, value_name = "FILE", help_heading = "Running")]
    pub(super) approved: Option<PathBuf>,
    /// Runs only if the plan reads nothing that PLAN.lock does not pin, and makes what it says; otherwise nothing runs, and
    /// the difference is shown.
    #[arg(long, help_heading = "Running")]
    pub(super) locked: bool,
}

/// `consign lock`
#[derive(Debug, Args)]
pub(super) struct LockArguments {
    /// The plan.
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) values: PlanArguments,
    /// Writes nothing, shows what is different now, and ends with 4 if anything is.
    #[arg(long)]
    pub(super) check: bool,
    /// How many steps are looked at at a time.
    #[arg(long, short, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: u16,
    /// Asks this registry over plain HTTP, as loopback registries are anyway; may be given several times.
    #[arg(long, value_name = "HOST")]
    pub(super) plain_http: Vec<String>,
}

/// `consign resume`
#[derive(Debug, Args)]
pub(super) struct ResumeArguments {
    /// The run, as its folder in `.consign/runs` is called. By default the last one that failed or was interrupted.
    pub(super) run: Option<RunId>,
    /// The work folder of the run: where its `.consign` is. By default the current folder.
    #[arg(long, value_name = "DIR")]
    pub(super) workdir: Option<PathBuf>,
    /// Says what would be taken over and what would run, and does nothing.
    #[arg(long, help_heading = "Resuming")]
    pub(super) dry_run: bool,
    /// Runs these steps again, whatever the journal says: ids separated by commas.
    #[arg(long, value_name = "IDS", value_delimiter = ',', help_heading = "Resuming")]
    pub(super) redo: Vec<String>,
    /// Takes these steps for done, whatever the journal says: ids separated by commas.
    #[arg(long, value_name = "IDS", value_delimiter = ',', help_heading = "Resuming")]
    pub(super) mark_done: Vec<String>,
    /// Where somebody else runs the plan from the same work folder, waits for it instead of giving up.
    #[arg(long, help_heading = "Running")]
    pub(super) wait: bool,
    #[command(flatten)]
    pub(super) runner: RunnerArguments,
}

/// `consign plan`
#[derive(Debug, Args)]
pub(super) struct PreviewArguments {
    /// The plan.
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) values: PlanArguments,
    /// Saves what would change to this file, for `run --approved`, or with `-` writes it to stdout.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Ends with 4 where changes are pending.
    #[arg(long)]
    pub(super) exit_code: bool,
    /// How many steps are looked at at a time.
    #[arg(long, short, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: u16,
    /// Asks this registry over plain HTTP, as loopback registries are anyway; may be given several times.
    #[arg(long, value_name = "HOST")]
    pub(super) plain_http: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct RehearseArguments {
    /// The plan.
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) values: PlanArguments,
    #[command(flatten)]
    pub(super) runner: RunnerArguments,
    /// Reads the real registries where the rehearsal has nothing of its own. Every write stays in the rehearsal.
    #[arg(long, help_heading = "Rehearsing")]
    pub(super) read_through: bool,
    /// Runs the programs of `exec` steps. Otherwise what their `rehearse` says takes their place.
    #[arg(long, help_heading = "Rehearsing")]
    pub(super) exec: bool,
    /// Asks for the secrets that steps take, and signs with the plan's keys, rather than with stand-ins.
    #[arg(long, help_heading = "Rehearsing")]
    pub(super) real_secrets: bool,
    /// Begins with this content: `REPOSITORY[:TAG]=[oci-layout:]PATH`, or the folder alone of an image layout whose names
    /// are whole references, or of what `--keep` left; may be given several times.
    #[arg(long, value_name = "LAYOUT", help_heading = "Rehearsing")]
    pub(super) seed: Vec<String>,
    /// Leaves what the rehearsal brought and made in this new folder, as an image layout for each repository:
    /// `DIR/REGISTRY/REPOSITORY`, with `+` for the colon before a port.
    #[arg(long, value_name = "DIR", help_heading = "Rehearsing")]
    pub(super) keep: Option<PathBuf>,
    /// Makes something go wrong: `[STEP:]STATUS`, where STEP is the id of a step or a kind, `cut:upload`, `cut:download`,
    /// `lost:manifest` or `no-referrers`, with `*TIMES` and `@REGISTRY` behind it or without; may be given several times.
    #[arg(long, value_name = "SPEC", help_heading = "Rehearsing")]
    pub(super) fault: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// The plans.
    #[arg(required = true)]
    pub(super) plans: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) values: PlanArguments,
}

#[derive(Debug, Args)]
pub(super) struct GraphArguments {
    /// The plan.
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) values: PlanArguments,
    /// How it is shown.
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = "Showing")]
    pub(super) format: GraphFormat,
    /// Explains why step B waits for step A.
    #[arg(long, num_args = 2, value_names = ["A", "B"], help_heading = "Showing")]
    pub(super) why: Option<Vec<String>>,
}

/// How a graph is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum GraphFormat {
    /// One step a line, with what it waits for.
    Text,
    /// For Graphviz.
    Dot,
    /// For Markdown pages that draw it.
    Mermaid,
    /// For programs.
    Json,
}

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// Where to listen; port 0 takes one that is free. The address is the first line on stdout.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5000")]
    pub(super) listen: SocketAddr,
    /// Keeps the repositories in this folder, each as an OCI image layout. Without it, they are in memory and gone at the end.
    #[arg(long, value_name = "DIR")]
    pub(super) root: Option<PathBuf>,
    /// Takes no writes.
    #[arg(long)]
    pub(super) read_only: bool,
    /// Leaves out the referrers API, to stand in for a registry that has only the referrers tag schema.
    #[arg(long)]
    pub(super) no_referrers: bool,
    /// Takes no blob that is larger: bytes, or with `KiB`, `MiB` or `GiB`.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) max_blob_size: Option<u64>,
    /// Answers only users in this file, which `htpasswd -B` writes.
    #[arg(long, value_name = "FILE")]
    pub(super) htpasswd: Option<PathBuf>,
    /// Serves HTTPS with this certificate: PEM, its own first, then those above it.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,
    /// The key of the certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
    /// Writes a line for each request to this file rather than to stderr.
    #[arg(long, value_name = "FILE")]
    pub(super) access_log: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct GcArguments {
    /// The folder that `consign serve --root` has. A server may be running on it.
    #[arg(long, value_name = "DIR")]
    pub(super) root: PathBuf,
    /// Says what would be removed, and removes nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Leaves alone what is younger than this: seconds, or with `m`, `h` or `d`.
    #[arg(long, value_name = "AGE", default_value = "1h", value_parser = age)]
    pub(super) grace: Duration,
    /// Leaves alone manifests that no tag, no index and no subject reaches.
    #[arg(long)]
    pub(super) keep_untagged: bool,
}

/// Bytes, as people write them.
fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = number_and_unit(text)?;
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("write bytes, or a number with `KiB`, `MiB` or `GiB`".to_owned()),
    };
    number.checked_mul(factor).ok_or_else(|| "that is too much".to_owned())
}

/// A length of time, as people write it.
fn age(text: &str) -> Result<Duration, String> {
    let (number, unit) = number_and_unit(text)?;
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err("write seconds, or a number with `m`, `h` or `d`".to_owned()),
    };
    number.checked_mul(factor).map(Duration::from_secs).ok_or_else(|| "that is too much".to_owned())
}

/// A format and a file.
fn report(text: &str) -> Result<(ReportFormat, PathBuf), String> {
    let formats = || ReportFormat::ALL.map(|format| format!("`{format}`")).join(", ");
    let (word, path) = text.split_once('=').unwrap_or((text, ""));
    match ReportFormat::ALL.into_iter().find(|format| format.word() == word) {
        None => Err(format!("there is no format `{word}`; there are {}", formats())),
        Some(_) if path.is_empty() => Err(format!("write `{word}=FILE`")),
        Some(format) => Ok((format, path.into())),
    }
}

fn number_and_unit(text: &str) -> Result<(u64, &str), String> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = number.parse().map_err(|_| "it begins with a whole number".to_owned())?;
    Ok((number, unit.trim_start()))
}

#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// The run, as its folder in `.consign/runs` is called; by default the last one.
    pub(super) run: Option<RunId>,
    /// Writes the page to look at to this file, and nothing else.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Writes another report to a file, as `run --report` does, and nothing else; may be given several times.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = report)]
    pub(super) report: Vec<(ReportFormat, PathBuf)>,
    /// Prints one output of the plan and nothing else: text as it is, anything else as JSON.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["html", "report"])]
    pub(super) output: Option<String>,
    /// The work folder of the run; by default the current one.
    #[arg(long, value_name = "DIR")]
    pub(super) workdir: Option<PathBuf>,
}
