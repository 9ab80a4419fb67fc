//! Running a program: an argument list, no shell, an environment of its own.

mod capture;
mod error;
mod group;
mod lines;
mod log;
mod programs;
mod reading;
mod rehearsal;
mod touched;

#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    env,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;

pub use self::{capture::Capture, error::ExecError, programs::Programs, rehearsal::ExecRehearsal};
use self::{
    log::Log,
    programs::Exit,
    reading::{Captured, read},
};
use super::{
    Declare, Done, EffectInfo, Effects, Guess, Leaves, Mode, Places, Sort, Step, StepContext, StepError, Thing,
    effect_info::{adds, changes, reads},
    kind::{OutputInfo, output},
};
use crate::{
    event::Outcome,
    output::Output,
    plan::{
        Diagnostic,
        yaml::{Spanned, TextOrSecret},
    },
    secret::Secret,
};

/// Runs a program, without a shell.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// The program and its arguments, handed on as they are. A program with a `/` in its name is a file, relative to the
    /// plan's folder; any other is looked for in `PATH`.
    #[schemars(with = "Vec<String>")]
    pub run: Spanned<Vec<Spanned<String>>>,
    /// Its environment, which otherwise has only `PATH` and `HOME`. A value may be a secret.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub env: Option<Spanned<BTreeMap<String, TextOrSecret>>>,
    /// What it reads from stdin, which is empty otherwise. It may be a secret.
    pub stdin: Option<TextOrSecret>,
    /// What it reads: references, and files and folders relative to the work folder. With neither `reads` nor `writes`, it
    /// may read and write anything, and so nothing runs beside it.
    #[schemars(with = "Option<Vec<String>>")]
    pub reads: Option<Vec<Spanned<String>>>,
    /// What it writes, likewise. A later step that names a file here finds it where the program wrote it.
    #[schemars(with = "Option<Vec<String>>")]
    pub writes: Option<Vec<Spanned<String>>>,
    /// Whether another exit code than 0 says no, and what changes something waits for it: `true` by default. With `false`,
    /// such an exit code is a failure like any other.
    #[serde(default = "yes")]
    pub gate: bool,
    /// Takes stdout in, up to 1 MiB, as the output `stdout`; otherwise it is shown.
    pub capture: Option<Capture>,
    /// The folder that it runs in, relative to the work folder, which it is by default.
    #[schemars(with = "Option<String>")]
    pub workdir: Option<Spanned<String>>,
    /// What stands in for it in a rehearsal without `--exec`.
    #[schemars(with = "Option<ExecRehearsal>")]
    pub rehearse: Option<Spanned<ExecRehearsal>>,
}

const fn yes() -> bool {
    true
}

/// Arguments that only a shell understands.
const SHELL: &[&str] = &["|", "||", "&&", "&", ">", ">>", "<", "2>", "2>&1", "&>"];

impl Declare for Exec {
    const NAME: &'static str = "exec";
    const SUMMARY: &'static str = "Runs a program, without a shell.";
    const EXAMPLE: &'static str = "\
run: [syft, scan, \"registry:localhost:5000/net-monitor:v1\", -o, spdx-json]
env: { SYFT_CHECK_FOR_APP_UPDATE: \"false\" }
reads: [\"localhost:5000/net-monitor:v1\"]
capture: json
rehearse:
  stdout: { spdxVersion: SPDX-2.3, packages: [] }
";
    const MORE: &'static [&'static str] = &[
        "\
run: [scripts/release-notes, \"1.4.0\"]
stdin: ${{ CHANGES }}
workdir: notes
writes: [notes/release.md]
gate: false
rehearse: { files: { notes/release.md: \"# 1.4.0\" } }
",
        "\
run: [oras, push, \"localhost:5000/notes:1.4.0\", notes/release.md]
reads: [notes/release.md, localhost:5000/base]
writes: [\"localhost:5000/notes:1.4.0\", localhost:5000/notes-by-day]
",
        "\
run: [make, site]
",
    ];
    const EFFECTS: &'static [EffectInfo] = &[
        reads(Sort::Path, "that `reads` names, and a program with `/` in its name"),
        reads(Sort::Tag, "that `reads` names"),
        reads(Sort::Graph, "of the repositories that `reads` names with a tag or digest"),
        reads(Sort::Repository, "that `reads` names without either"),
        adds(Sort::TagList, "of the repositories that `writes` names with a tag"),
        changes(Sort::Path, "that `writes` names"),
        changes(Sort::Tag, "that `writes` names"),
        changes(Sort::Graph, "of the repositories that `writes` names with a tag or digest"),
        changes(Sort::Repository, "that `writes` names without either"),
        changes(Sort::Everything, "with neither `reads` nor `writes`"),
    ];
    const GATE: Option<&'static str> = Some("unless it says `gate: false`");
    const OUTPUTS: &'static [OutputInfo] = &[
        output("stdout", "what it wrote to stdout, with `capture`"),
        output("exit_code", "0: with any other the step fails"),
    ];
    const CONTENT: &'static [&'static str] = &["run", "env", "stdin", "rehearse"];
    const UNFORESEEABLE: Option<&'static str> = Some("what a program does is known only when it has run");
}

impl Exec {
    /// As it is written.
    fn program(&self) -> &str {
        self.run.first().map_or("", |program| program.value.as_str())
    }

    /// Whether it says that it changes nothing.
    fn only_reads(&self) -> bool {
        self.reads.is_some() && self.writes.as_ref().is_none_or(Vec::is_empty)
    }

    async fn command(&self, cx: &StepContext) -> Result<Command, StepError> {
        let program = self.program();
        let file = program.contains('/').then(|| cx.places.source(program));
        let mut command = Command::new(file.as_deref().unwrap_or_else(|| Path::new(program)));
        command.args(self.run.iter().skip(1).map(|argument| &argument.value));
        command.env_clear();
        for name in ["PATH", "HOME"] {
            command.envs(env::var_os(name).map(|value| (name, value)));
        }
        for (name, value) in self.env.iter().flat_map(|env| &env.value) {
            match value {
                TextOrSecret::Text(text) => command.env(name, text),
                TextOrSecret::Secret(secret) => command.env(name, cx.secret(secret).await?.reveal()),
            };
        }
        let stdin = if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.current_dir(self.folder(cx)?);
        Ok(command)
    }

    fn folder(&self, cx: &StepContext) -> Result<PathBuf, StepError> {
        let Some(folder) = &self.workdir else { return Ok(cx.places.workdir.clone()) };
        let path = cx.places.target(folder)?;
        if path.is_dir() {
            return Ok(path);
        }
        let message = format!("there is no folder `{}` in the work folder", folder.value);
        Err(ExecError::Start { program: self.program().to_owned(), message }.into())
    }

    async fn stdin(&self, cx: &StepContext) -> Result<Option<Secret>, StepError> {
        Ok(match &self.stdin {
            None => None,
            Some(TextOrSecret::Text(text)) => Some(Secret::new(text.as_str())),
            Some(TextOrSecret::Secret(name)) => Some(cx.secret(name).await?),
        })
    }

    /// Why it did not start.
    fn not_started(&self, error: &std::io::Error, cx: &StepContext) -> ExecError {
        let program = self.program().to_owned();
        let is_file = program.contains('/') && cx.places.source(&program).exists();
        match error.kind() {
            ErrorKind::NotFound if is_file => {
                let message = "the program that its first line names is not there".to_owned();
                ExecError::Start { program, message }
            }
            ErrorKind::NotFound => ExecError::Missing { program },
            _ => ExecError::Start { program, message: error.to_string() },
        }
    }

    /// What came of it.
    fn judge(&self, status: ExitStatus, captured: Option<Captured>) -> Result<Option<Value>, ExecError> {
        let program = || self.program().to_owned();
        if captured.as_ref().is_some_and(|captured| captured.is_too_much) {
            return Err(ExecError::TooMuch { program: program() });
        }
        match (status.code(), self.capture, captured) {
            (Some(0), None, _) => Ok(None),
            (Some(0), Some(capture), Some(captured)) => Ok(Some(capture.value(self.program(), captured.bytes)?)),
            (Some(0), Some(_), None) => Err(ExecError::Held { program: program() }),
            (Some(code), ..) => Err(ExecError::Ended { program: program(), code, is_gate: self.gate }),
            (None, ..) => {
                let by = status.to_string().replacen("signal: ", "signal ", 1);
                Err(ExecError::Killed { program: program(), by })
            }
        }
    }

    fn done(&self, stdout: Option<Value>) -> Done {
        let output = Output::default().with("exit_code", 0).about(self.program());
        let output = match stdout {
            Some(stdout) => output.with("stdout", stdout),
            None => output,
        };
        Done::new(if self.only_reads() { Outcome::Passed } else { Outcome::Updated }, output)
    }

    /// What a shell would have understood.
    fn check_arguments(&self) -> Option<Diagnostic> {
        let argument = self.run.iter().skip(1).find(|argument| SHELL.contains(&argument.value.as_str()))?;
        let diagnostic = Diagnostic::new(format!("no shell reads `{}`: it is handed on as it is", argument.value));
        Some(diagnostic.at(argument.span).help("for a shell write `run: [sh, -c, \"…\"]`"))
    }
}

#[async_trait]
impl Step for Exec {
    fn effects(&self, places: &Places) -> Effects {
        if self.reads.is_none() && self.writes.is_none() {
            return Effects::default().write(Thing::everything());
        }
        let reads = self.reads.iter().flatten();
        let effects = reads.fold(Effects::default(), |effects, named| touched::read(effects, named, places));
        let effects = if self.program().contains('/') {
            effects.read(Thing::path(&places.source(self.program())))
        } else {
            effects
        };
        self.writes.iter().flatten().fold(effects, |effects, named| touched::write(effects, named, places))
    }

    fn is_gate(&self) -> bool {
        self.gate
    }

    fn runs(&self) -> Option<Cow<'_, str>> {
        Some(self.program().into())
    }

    fn lacks(&self, mode: Mode) -> &'static [(&'static str, &'static str)] {
        let says_stdout = self.rehearse.as_ref().is_some_and(|rehearse| rehearse.stdout.is_some());
        match self.capture {
            None => &[("stdout", "say `capture: text`, `json` or `lines`")],
            Some(_) if !mode.runs_programs() && !says_stdout => {
                &[("stdout", "rehearse with --exec, or say `rehearse: { stdout: … }`")]
            }
            Some(_) => &[],
        }
    }

    fn leaves(&self, mode: Mode, places: &Places) -> Option<Leaves> {
        let file = |path: &str| Some(Thing::path(&places.target(path).ok()?));
        let may = match (&self.reads, &self.writes) {
            (None, None) => vec![Thing::path(Path::new(""))],
            (_, writes) => writes.iter().flatten().filter_map(|named| file(named)).collect(),
        };
        if mode.runs_programs() {
            return Some(Leaves { written: may, unsaid: Vec::new() });
        }
        let files = self.rehearse.iter().flat_map(|rehearse| rehearse.files.keys());
        Some(Leaves { written: files.filter_map(|name| file(name)).collect(), unsaid: may })
    }

    fn check(&self, places: &Places) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        if self.program().is_empty() {
            let diagnostic = Diagnostic::new("`run` names no program").at(self.run.span);
            diagnostics.push(diagnostic.help("write `run: [PROGRAM, ARGUMENT, …]`"));
        }
        diagnostics.extend(self.check_arguments());
        if let Some(env) = &self.env {
            let wrong = env.keys().filter(|name| name.is_empty() || name.contains(['=', '\0']));
            diagnostics.extend(wrong.map(|name| {
                let message = format!("`{}` is not the name of an environment variable", name.escape_debug());
                Diagnostic::new(message).at(env.span).help("write its name alone")
            }));
        }
        if let Some(folder) = &self.workdir
            && let Err(error) = places.target(folder)
        {
            diagnostics.push(Diagnostic::new(error.to_string()).at(folder.span));
        }
        diagnostics.extend(self.writes.iter().flatten().filter_map(|named| touched::check_write(named, places)));
        diagnostics.extend(self.check_rehearsal(places));
        diagnostics
    }

    fn sources(&self) -> Vec<&Spanned<String>> {
        self.run.first().filter(|program| program.contains('/')).into_iter().collect()
    }

    fn foresee(&self, guess: &Guess<'_>) -> Output {
        let output = guess.output().with("exit_code", 0);
        match self.capture {
            None => output,
            Some(Capture::Text) => output.with("stdout", guess.text("stdout")),
            Some(Capture::Lines) => output.with("stdout", json!([guess.text("stdout")])),
            Some(Capture::Json) => output.with_any_key("stdout", guess.text("stdout")),
        }
    }

    async fn run(&self, cx: &StepContext) -> Result<Done, StepError> {
        if !cx.mode.runs_programs() {
            return self.stand_in(cx).await;
        }
        let (command, stdin) = (self.command(cx).await?, self.stdin(cx).await?);
        let log = Arc::new(Log::new(cx.progress.clone()));
        let (to_log, secrets, captures) = (Arc::clone(&log), cx.secrets.clone(), self.capture.is_some());
        let started = cx.programs.start(command, stdin, |child, enough| read(child, enough, to_log, secrets, captures));
        let ended = started.map_err(|error| self.not_started(&error, cx))?.await;
        let lost = |message: String| ExecError::Lost { program: self.program().to_owned(), message };
        let ended = ended.map_err(|error| lost(error.to_string()))?;
        let Exit { status, read } = ended.map_err(|error| lost(error.to_string()))?;
        let is_held = read.is_none();
        let stdout = self.judge(status, read).inspect_err(|_| log.fail())?;
        log.succeed(captures);
        if is_held {
            cx.progress.warn(format!("`{}` left something running, which was ended", self.program()));
        }
        Ok(self.done(stdout))
    }
}
