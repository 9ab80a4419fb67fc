use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use petgraph::visit::EdgeRef;

use super::overwritten::{Writers, spread};
use crate::{
    event::Outcome,
    graph::Member,
    journal::{Record, RecordedStep},
    output::Output,
    plan::Scope,
    program::{FingerprintDraft, Planned, Program},
    runner::{Earlier, EarlierStep, EndedWell, HandedOn},
};

/// What is to be different from what the journal says. Steps by their place in the file.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// They run again, whatever there is.
    pub redo: BTreeSet<usize>,
    /// They count as done, whatever there is.
    pub done: BTreeSet<usize>,
}

/// What of a recorded run is taken over by one of `program`. An error says what is wrong with the wishes.
pub fn judge(program: &Program, record: &Record, wishes: &Wishes, epoch: Option<u64>) -> Result<Earlier, String> {
    let mut judge = Judge { program, epoch, scope: program.scope(), handed_on: HandedOn::default() };
    let mut steps = BTreeMap::new();
    for (at, planned) in program.steps().iter().enumerate().take(program.graph().finally()) {
        if program.skip().contains(&at) {
            continue;
        }
        let recorded = record.steps.get(planned.id.name());
        let judged = if wishes.done.contains(&at) {
            Some(judge.done(at, planned, recorded))
        } else {
            recorded.and_then(|recorded| judge.step(at, planned, recorded, wishes.redo.contains(&at)))
        };
        steps.extend(judged.map(|judged| (at, judged)));
    }
    refuse_empty(program, record, wishes, &steps)?;
    let writers = Writers::of(program, record);
    spread(program, &writers, &mut steps);
    for (at, step) in &mut steps {
        if let EarlierStep::Ended(ended) = step {
            ended.overwritten = writers.after(*at, program);
        }
    }
    Ok(Earlier { steps })
}

struct Judge<'a> {
    program: &'a Program,
    epoch: Option<u64>,
    /// With what steps handed on then: whether it is the same now shows only when they have run.
    scope: Scope,
    handed_on: HandedOn,
}

impl Judge<'_> {
    fn done(&mut self, at: usize, planned: &Planned, recorded: Option<&RecordedStep>) -> EarlierStep {
        let handed_on = recorded.and_then(|recorded| output(planned, recorded));
        let output = handed_on.unwrap_or_else(|| {
            Arc::new(Output::default().with("outcome", Outcome::Unchanged.word()).with("changed", false))
        });
        self.hand_on(at, &output);
        EarlierStep::Done { output }
    }

    /// Nothing: it had not begun.
    fn step(&mut self, at: usize, planned: &Planned, recorded: &RecordedStep, redo: bool) -> Option<EarlierStep> {
        let again = |because: &str| Some(EarlierStep::Again { because: because.into() });
        if !recorded.is_success() {
            return match (recorded.started, recorded.outcome.as_deref()) {
                (false, _) | (_, Some("skipped")) => None,
                (true, Some("failed")) => again("it failed"),
                (true, Some(_)) => again("it was stopped"),
                (true, None) => again("it had not ended"),
            };
        }
        let (Some(output), Some(fingerprint)) = (output(planned, recorded), &recorded.fingerprint) else {
            return again("the journal does not say what it did");
        };
        let because = if redo { Some("as asked".to_owned()) } else { self.difference(at, recorded) };
        self.hand_on(at, &output);
        Some(match because {
            Some(because) => EarlierStep::Again { because: because.into() },
            None => EarlierStep::Ended(Box::new(EndedWell {
                fingerprint: fingerprint.clone(),
                output,
                outcome: match recorded.outcome.as_deref() {
                    Some("passed") => Outcome::Passed,
                    _ => Outcome::Unchanged,
                },
                overwritten: Vec::new(),
            })),
        })
    }

    /// Why the step would not do the same now.
    fn difference(&mut self, at: usize, recorded: &RecordedStep) -> Option<String> {
        let Ok(instance) = self.program.instantiate(at, &self.scope) else {
            return Some("it depends on what runs again".to_owned());
        };
        let draft = self.program.fingerprint(at, &self.scope, &*instance, self.epoch);
        let Some(mut now) = draft.and_then(FingerprintDraft::read) else {
            return Some("what it reads cannot be read".to_owned());
        };
        now.before = self.handed_on.before(at, self.program.graph());
        recorded.fingerprint.as_ref()?.difference(&now)
    }

    fn hand_on(&mut self, at: usize, output: &Output) {
        self.handed_on.note(at, output);
        self.program.finish(at, output, &self.scope);
    }
}

/// What a step handed on, as far as its kind has such outputs.
fn output(planned: &Planned, recorded: &RecordedStep) -> Option<Arc<Output>> {
    let values = recorded.output.as_ref()?;
    let names = planned.kind.outputs.iter().map(|output| output.name).chain(["outcome", "changed"]);
    let output = names.fold(Output::default(), |output, name| match values.get(name) {
        Some(value) => output.with(name, value.clone()),
        None => output,
    });
    Some(Arc::new(output))
}

/// A step that never ended has handed on nothing, so that nobody can use it.
fn refuse_empty(
    program: &Program,
    record: &Record,
    wishes: &Wishes,
    steps: &BTreeMap<usize, EarlierStep>,
) -> Result<(), String> {
    let graph = program.graph();
    for at in &wishes.done {
        let Some((planned, node)) = program.steps().get(*at).zip(graph.node(*at)) else { continue };
        if record.steps.get(planned.id.name()).is_some_and(|recorded| recorded.output.is_some()) {
            continue;
        }
        for edge in graph.as_petgraph().edges(node).filter(|edge| edge.weight().is_data()) {
            if let Member::Step(user) = &graph.as_petgraph()[edge.target()]
                && !matches!(steps.get(&user.index()), Some(EarlierStep::Done { .. }))
                && !program.skip().contains(&user.index())
            {
                let id = &planned.id;
                return Err(format!(
                    "--mark-done {id}: `{user}` uses what `{id}` hands on, and it never ended: mark `{user}` too, or let `{id}` run"
                ));
            }
        }
    }
    Ok(())
}
