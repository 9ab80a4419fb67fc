//! A plan that can run: every name resolved, every step decoded, the graph built. What is wrong with a plan is found
//! here, all of it at once, before anything is asked of a registry.

mod allowed;
mod compile;
mod fingerprint;
mod includes;
mod instances;
mod items;
mod known;
mod missing_plans;
mod module;
mod options;
mod planned;
mod rights;
mod selected;
mod selection;
mod settings;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, LazyLock},
};

use self::module::Module;
pub use self::{
    compile::compile, fingerprint::FingerprintDraft, missing_plans::MissingPlans, options::CompileOptions,
    planned::Planned,
};
use crate::{
    event::{Failure, FailureKind, StepId},
    graph::Graph,
    oci::{Digest, RegistryName},
    output::Output,
    pack::DigestCache,
    plan::{Diagnostic, LoopItems, Scope, SourceFile, Span, When, holds, yaml::Entry},
    secret::{SecretError, Secrets},
    step::{Access, PlaceError, Places, Step, Thing},
    store::{
        RetryPolicy, Seed,
        registry::{RegistrySettings, Written},
    },
};

static NO_PREFIX: LazyLock<Arc<str>> = LazyLock::new(|| "".into());

/// A plan that can run.
#[derive(Debug, Clone)]
pub struct Program {
    name: Arc<str>,
    source: SourceFile,
    scope: Scope,
    loops: Vec<LoopItems>,
    /// The plan itself, and behind it those that it includes.
    modules: Vec<Module>,
    steps: Vec<Planned>,
    /// Each with the steps that it needs, by their places.
    outputs: Vec<(Entry, BTreeSet<usize>)>,
    graph: Arc<Graph>,
    skip: BTreeSet<usize>,
    places: Places,
    registries: BTreeMap<RegistryName, RegistrySettings>,
    secrets: Secrets,
    seeds: Vec<Seed>,
    retry: RetryPolicy,
    given: BTreeMap<String, String>,
    plans: BTreeMap<String, Digest>,
}

impl Program {
    /// What people call it: its name, or its file's.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The file that it was read from.
    pub const fn source(&self) -> &SourceFile {
        &self.source
    }

    /// Its steps, in file order.
    pub fn steps(&self) -> &[Planned] {
        &self.steps
    }

    /// Which step waits for which.
    pub const fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// The steps that are not to run, by their place in the file.
    pub const fn skip(&self) -> &BTreeSet<usize> {
        &self.skip
    }

    /// The same, without these steps.
    #[must_use]
    pub fn without(&self, steps: impl IntoIterator<Item = usize>) -> Self {
        let mut other = self.clone();
        other.skip.extend(steps);
        other
    }

    /// Where local paths lead.
    pub const fn places(&self) -> &Places {
        &self.places
    }

    /// Where they lead from the step at that place: what steps above it write is found where they write it.
    pub fn places_of(&self, step: usize) -> Places {
        let Some(planned) = self.steps.get(step) else { return self.places.clone() };
        let folder = self.modules.get(planned.module).and_then(|module| module.folder.as_deref());
        let mut places = self.places.seeing(planned.seen).from(folder);
        places.programs = module::programs(&self.modules, planned.module);
        places
    }

    /// The same, with what is known of the files of the plan.
    #[must_use]
    pub fn with_digests(mut self, digests: DigestCache) -> Self {
        self.places.digests = Arc::new(digests);
        self
    }

    /// How registries are asked of which the plan says something.
    pub const fn registries(&self) -> &BTreeMap<RegistryName, RegistrySettings> {
        &self.registries
    }

    /// The secrets that the plan declares.
    pub const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// What a rehearsal of it begins with.
    pub fn seeds(&self) -> &[Seed] {
        &self.seeds
    }

    /// The steps that run in any case and take a secret that has no value, as far as that can be told without asking for
    /// it. A file that a step may write is not looked at.
    pub fn missing_secrets(&self) -> Vec<(&StepId, SecretError)> {
        let written = |path: &Path| {
            let file = Thing::path(path);
            let touches = self.steps.iter().flat_map(|step| step.effects.touches());
            touches.into_iter().any(|(access, thing)| *access == Access::Write && thing.overlaps(&file))
        };
        let may_run = |(at, step): &(usize, &Planned)| !self.skip.contains(at) && step.when.is_empty();
        let steps = self.steps.iter().enumerate().filter(may_run);
        let taken = steps.flat_map(|(_, step)| step.secrets.iter().map(move |name| (&step.id, name)));
        let missing = taken.filter_map(|(step, name)| {
            let secret = self.secrets.get(name).filter(|secret| !secret.file().is_some_and(written))?;
            Some((step, secret.missing()?))
        });
        missing.collect()
    }

    /// The repositories that steps may write.
    pub fn written(&self) -> Written {
        let touches = self.steps.iter().flat_map(|step| step.effects.touches());
        let written = touches.filter(|(access, _)| *access != Access::Read).map(|(_, thing)| thing.clone());
        let written: BTreeSet<Thing> = written.collect();
        Written::by(move |repository| {
            let repository = Thing::repository(repository);
            written.iter().any(|thing| thing.overlaps(&repository))
        })
    }

    /// Whether a step that is to run may have to do with that registry.
    pub fn touches(&self, registry: &RegistryName) -> bool {
        let registry = Thing::registry(registry);
        self.steps.iter().flat_map(|step| step.effects.touches()).any(|(_, thing)| thing.overlaps(&registry))
    }

    /// How often and how long a step is tried again that does not say otherwise.
    pub const fn retry(&self) -> RetryPolicy {
        self.retry
    }

    /// The values of inputs that were given from outside, as they were given.
    pub const fn given(&self) -> &BTreeMap<String, String> {
        &self.given
    }

    /// The tags that plans are included by, as `registry/repository:tag`, and what they name.
    pub const fn plans(&self) -> &BTreeMap<String, Digest> {
        &self.plans
    }

    /// The values for one run: inputs and vars, and no step has ended yet.
    pub fn scope(&self) -> Scope {
        let scope = self.scope.without_steps();
        self.loops.iter().for_each(|opened| scope.open_loop(opened));
        scope
    }

    /// Whether the condition of the step at that place holds, with the outputs of the steps before it in `scope`.
    pub fn is_wanted(&self, step: usize, scope: &Scope) -> Result<bool, Failure> {
        let Some(planned) = self.steps.get(step) else { return Ok(true) };
        let scope = scope.iteration(planned.iteration);
        for When { condition, module } in &planned.when {
            if !holds(condition, &scope.within(self.prefix(*module)))
                .map_err(|diagnostic| self.explain(&diagnostic, planned.span))?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The step at that place with the outputs of the steps before it in `scope`.
    pub fn instantiate(&self, step: usize, scope: &Scope) -> Result<Arc<dyn Step>, Failure> {
        let Some(planned) = self.steps.get(step) else {
            return Err(self.failure(FailureKind::Step, "there is no such step", None));
        };
        let body = scope
            .iteration(planned.iteration)
            .within(self.prefix(planned.module))
            .evaluate(&planned.body)
            .map_err(|diagnostic| self.explain(&diagnostic, planned.span))?;
        let mut diagnostics = Vec::new();
        let decoded = planned.kind.decode(&body, &mut diagnostics);
        let places = self.places_of(step);
        let wrong = decoded.as_ref().map(|step| step.check(&places)).unwrap_or_default();
        if let Some(diagnostic) = diagnostics.iter().chain(&wrong).next() {
            return Err(self.explain(diagnostic, planned.span));
        }
        let decoded = decoded.ok_or_else(|| self.failure(FailureKind::Step, "it cannot be read", Some(planned)))?;
        if let Some(refusal) = module::refuses(&self.modules, planned.module, &*decoded, &self.places) {
            let failure = self.failure(FailureKind::Step, &refusal.message(planned.id.name()), Some(planned));
            return Err(Failure { help: vec![refusal.help()], ..failure });
        }
        if let Some(path) = self.places.leaves_workdir(&decoded.effects(&self.places)) {
            let message = PlaceError::Outside { path, workdir: self.places.workdir.clone() }.to_string();
            return Err(self.failure(FailureKind::Step, &message, Some(planned)));
        }
        // The graph was built from what was foreseen. A step that would touch more could race, so it does not run.
        if let Some((access, thing)) = planned.effects.uncovered(&decoded.effects(&places)) {
            let message = format!("it {} {thing}, which could not be foreseen", access.verb());
            return Err(self.failure(FailureKind::Step, &message, Some(planned)));
        }
        Ok(decoded)
    }

    /// The plan's outputs, each with its value, or why it has none; with the steps that it needs, by their places.
    pub fn outputs(
        &self,
        scope: &Scope,
    ) -> impl Iterator<Item = (&str, &BTreeSet<usize>, Result<serde_json::Value, Failure>)> {
        self.outputs.iter().map(move |(entry, needs)| {
            let value = scope.value(&entry.value).map_err(|diagnostic| {
                let span = diagnostic.span.unwrap_or(entry.key.span);
                self.explain(&diagnostic, span)
            });
            (&*entry.key.text, needs, value)
        })
    }

    /// What the names of that plan begin with.
    fn prefix(&self, module: usize) -> &Arc<str> {
        self.modules.get(module).map_or(&NO_PREFIX, |module| &module.prefix)
    }

    /// Says in `scope` what a step handed on.
    pub fn finish(&self, step: usize, output: &Output, scope: &Scope) {
        if let Some(planned) = self.steps.get(step) {
            scope.iteration(planned.iteration).set_step(&planned.written_id, output.clone());
        }
    }

    fn explain(&self, diagnostic: &Diagnostic, otherwise: Span) -> Failure {
        let message = match diagnostic.label.as_str() {
            "" => diagnostic.message.clone(),
            label => format!("{}: {label}", diagnostic.message),
        };
        let place = self.source.place(diagnostic.span.unwrap_or(otherwise).start);
        let help = diagnostic.notes.iter().map(|note| note.trim_start_matches("help: ").to_owned()).collect();
        Failure { kind: FailureKind::Step, message, notes: Vec::new(), help, place: Some(place) }
    }

    fn failure(&self, kind: FailureKind, message: &str, planned: Option<&Planned>) -> Failure {
        let place = planned.map(|planned| self.source.place(planned.span.start));
        Failure { kind, message: message.to_owned(), notes: Vec::new(), help: Vec::new(), place }
    }
}

#[cfg(test)]
mod tests;
