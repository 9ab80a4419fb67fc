//! From the path on the command line to a program, or to diagnostics on stderr.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    arguments::{ErrorFormat, Global, PlanArguments},
    complain,
    fetch::Fetch,
    settings,
};
use crate::{
    lock::Lock,
    plan::{Diagnostic, Diagnostics, FetchedPlans, Given, SourceFile, Span, yaml},
    program::{CompileOptions, Program, compile},
    step::{Mode, Places},
};

/// Reads and compiles a plan. Where that fails, what is wrong has been said.
pub(super) fn open(
    path: &Path,
    values: &PlanArguments,
    workdir: Option<&Path>,
    mode: Mode,
    fetch: Fetch<'_>,
    global: &Global,
) -> io::Result<Option<Program>> {
    let (source, unreadable) = read(path);
    if let Some(diagnostic) = unreadable {
        show(&Diagnostics::new(vec![diagnostic]), &source, global)?;
        return Ok(None);
    }
    let given = match given(values) {
        Ok(given) => given,
        Err(message) => {
            complain(&message);
            return Ok(None);
        }
    };
    let current = env::current_dir()?;
    let plan_folder = current.join(path).parent().map_or_else(|| current.clone(), Path::to_path_buf);
    let workdir = workdir.or(values.workdir.as_deref());
    let mut places = Places::new(plan_folder, workdir.map_or_else(|| current.clone(), |workdir| current.join(workdir)));
    // A rehearsal's work folder is thrown away.
    let kept = values.workdir.as_ref().map_or_else(|| current.clone(), |workdir| current.join(workdir));
    let tags = fetch.tags(|| Lock::read(path).ok().flatten().map(|lock| lock.references).unwrap_or_default());
    places.plans = Arc::new(FetchedPlans::new(kept.join(".consign/plans"), tags));
    let options = CompileOptions { given, skip: values.skip.clone(), select: values.select.clone(), mode, places };
    // Most plans include none, and need not be read twice.
    if source.text.contains("include")
        && let Err(message) = fetch.fetch(&source, &options)
    {
        complain(&message);
        return Ok(None);
    }
    match compile(&source, &options) {
        Ok(program) => Ok(Some(program)),
        Err(diagnostics) => {
            show(&diagnostics, &source, global)?;
            Ok(None)
        }
    }
}

/// Reads a plan's text, or as much of it as can be read and why there is no more.
fn read(path: &Path) -> (SourceFile, Option<Diagnostic>) {
    let file = |text: &str| SourceFile::new(path.display().to_string(), text);
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return (file(""), Some(Diagnostic::new(format!("the plan cannot be read: {error}")))),
    };
    match str::from_utf8(&bytes) {
        Ok(text) => (file(text), None),
        Err(error) => {
            // What is wrong is shown as one replacement character, which has three bytes.
            let start = error.valid_up_to();
            let diagnostic = Diagnostic::new("the plan is not UTF-8").at(Span::new(start, start + 3));
            let diagnostic = diagnostic.label("this is no character").help("save the file as UTF-8");
            (file(&String::from_utf8_lossy(&bytes)), Some(diagnostic))
        }
    }
}

fn show(diagnostics: &Diagnostics, source: &SourceFile, global: &Global) -> io::Result<()> {
    let shown = match global.error_format {
        ErrorFormat::Human => diagnostics.render(source, settings::color_on_stderr(global)),
        ErrorFormat::Json => diagnostics.to_json(source),
    };
    io::stderr().lock().write_all(shown.as_bytes())
}

fn given(values: &PlanArguments) -> Result<Given, String> {
    let mut set = Vec::new();
    for pair in &values.set {
        let (name, value) = pair.split_once('=').ok_or_else(|| format!("--set {pair}: write `--set NAME=VALUE`"))?;
        set.push((name.to_owned(), value.to_owned()));
    }
    let files = values.vars_file.iter().map(vars_file).collect::<Result<_, _>>()?;
    Ok(Given { set, files, environment: env::vars().collect() })
}

/// Reads a file of names and values. Text keeps what was typed, as in a plan.
fn vars_file(path: &PathBuf) -> Result<(String, BTreeMap<String, String>), String> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    let source = SourceFile::new(name.clone(), text);
    let explain = |diagnostics: Vec<Diagnostic>| {
        let shown = Diagnostics::new(diagnostics).render(&source, false);
        shown.trim_start_matches("error: ").trim_end().to_owned()
    };
    let root = yaml::parse(&source).map_err(explain)?;
    let mut diagnostics = Vec::new();
    let values = yaml::decode(&root, "a file of inputs", &mut diagnostics);
    match values {
        Some(values) if diagnostics.is_empty() => Ok((name, values)),
        _ => Err(explain(diagnostics)),
    }
}
