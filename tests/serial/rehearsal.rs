//! One run of one plan, and everything that can be seen of it afterwards.

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use consign::{
    event::{Event, FailureKind, Outcome},
    plan::{Given, SourceFile},
    program::{CompileOptions, Program, compile},
    report::{Prints, Reporter},
    runner::{self, RunOptions},
    step::{Mode, Places},
};
use tokio::sync::mpsc;

use super::registry::{Content, Registry};

/// What can be seen.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) registry: BTreeMap<String, Content>,
    /// By path, from the work folder.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// The outcome's word and the outputs of every step, in file order.
    pub(super) steps: Vec<(&'static str, String)>,
    pub(super) printed: String,
}

impl Seen {
    /// What another run shows otherwise, in words; nothing where both show the same.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        for (step, (here, there)) in self.steps.iter().zip(&other.steps).enumerate() {
            if here != there {
                differences.push(format!("s{step} is {here:#?}\nand then {there:#?}"));
            }
        }
        for (repository, here) in &self.registry {
            let there = other.registry.get(repository);
            if Some(here) != there {
                differences.push(format!("{repository} is {here:#?}\nand then {there:#?}"));
            }
        }
        if self.printed != other.printed {
            differences.push(format!("it prints {}\nand then {}", self.printed, other.printed));
        }
        if self != other && differences.is_empty() {
            differences.push(format!("{self:#?}\nand then {other:#?}"));
        }
        differences
    }
}

/// A run, with what belongs to no comparison.
pub(super) struct Rehearsal {
    pub(super) program: Program,
    pub(super) seen: Seen,
    pub(super) outcomes: Vec<Outcome>,
}

impl Rehearsal {
    /// The first step that failed, and whose failure counts.
    pub(super) fn failed(&self) -> Option<usize> {
        let counts =
            |outcome: &Outcome| matches!(outcome, Outcome::Failed(failure) if failure.kind != FailureKind::Tolerated);
        self.outcomes.iter().position(counts)
    }

    pub(super) fn failures(&self) -> Vec<&str> {
        let failures = self.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Failed(failure) => Some(failure.message.as_str()),
            _ => None,
        });
        failures.collect()
    }
}

pub(super) fn program(plan: &str, workdir: &Path) -> Program {
    let source = SourceFile::new("plan.yaml", plan);
    let places = Places::new(workdir, workdir);
    let options =
        CompileOptions { given: Given::default(), skip: Vec::new(), select: Vec::new(), mode: Mode::Real, places };
    compile(&source, &options).unwrap_or_else(|wrong| panic!("{}\n{plan}", wrong.render(&source, false)))
}

pub(super) async fn rehearse(plan: &str, registry: &Registry, jobs: usize, keep_going: bool) -> Rehearsal {
    let workdir = tempfile::tempdir().unwrap();
    let program = program(plan, workdir.path());
    let options = RunOptions {
        stores: Arc::new(registry.stores()),
        mode: Mode::Real,
        jobs,
        keep_going,
        skip_gates: false,
        fingerprints: true,
        earlier: None,
        pins: Arc::default(),
        epoch: None,
    };
    let mut printed = Vec::new();
    let mut witness = Witness { prints: Prints::new(&mut printed), ends: BTreeMap::new() };
    let (_tx, rx) = mpsc::unbounded_channel();
    let ended = runner::run(&program, &options, &mut witness, rx).await;
    assert!(ended.report_error.is_none());
    let ends = witness.ends;
    assert_eq!(ends.len(), program.steps().len(), "every step ends once");
    let (outcomes, steps) = ends.into_values().unzip();
    let seen = Seen {
        registry: registry.content().await,
        files: files(workdir.path()),
        steps,
        printed: String::from_utf8(printed).unwrap(),
    };
    Rehearsal { program, seen, outcomes }
}

struct Witness<'a> {
    prints: Prints<&'a mut Vec<u8>>,
    ends: BTreeMap<usize, (Outcome, (&'static str, String))>,
}

impl Reporter for Witness<'_> {
    fn report(&mut self, event: &Event) -> io::Result<()> {
        if let Event::StepFinished { step, outcome, output, .. } = event {
            let output = output.as_ref().map_or_else(String::new, |output| {
                let values: Vec<_> = output.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                values.join("\n")
            });
            let again = self.ends.insert(step.index(), (outcome.clone(), (outcome.word(), output)));
            assert!(again.is_none(), "{step} ended twice");
        }
        self.prints.report(event)
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    let name = |path: &Path| path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
    files.map(|entry| (name(entry.path()), std::fs::read(entry.path()).unwrap())).collect()
}
