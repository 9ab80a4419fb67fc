use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    CompileOptions, Planned, Program,
    known::{Known, STAND_IN},
    settings,
};
use crate::{
    event::StepId,
    graph::{Graph, Need, Part},
    plan::{
        Defaults, Diagnostic, Diagnostics, Document, Names, Position, Scope, SourceFile, StepEntry, Templates, Unset,
        Uses, holds, nearest, resolve_inputs, yaml,
    },
    secret::Secrets,
    step::{Access, Effects, Guess, KINDS, Kind, Mode, Places, Step, Thing},
    store::RetryPolicy,
};

/// Makes a program of a plan's text, or says everything that is wrong with it.
pub fn compile(source: &SourceFile, options: &CompileOptions) -> Result<Program, Diagnostics> {
    let (root, mut diagnostics) = yaml::recover(source);
    let Some(root) = root else { return Err(Diagnostics::new(diagnostics)) };
    let kinds = Kind::infos();
    let document = Document::read(root, &kinds, &mut diagnostics);
    let templates = Arc::new(Templates::default());
    let names = Names::new(&document, &kinds, source, &templates, &mut diagnostics);
    let scope = Scope::new(source.clone(), &document, Arc::clone(&templates));
    let unset = resolve_inputs(&document, &options.given, &names, &scope, &mut diagnostics);
    let settings = settings::read(&document, &names, &scope, &unset, &options.places, &mut diagnostics);
    let mut places = options.places.clone();
    places.aliases = settings.aliases;
    let skip = skipped(&document, &names, options, &mut diagnostics);
    let mut check = Check {
        document: &document,
        names: &names,
        worlds: [scope.without_steps(), scope.without_steps()],
        places,
        mode: options.mode,
        seen: Vec::new(),
        secrets: &settings.secrets,
        unset: &unset,
        needed_by: settings.lacking.into_iter().map(|input| (input, vec!["registries".to_owned()])).collect(),
        skip: &skip,
        ids: document.steps.iter().map(|step| step.id.text.to_string()).collect(),
        known: Known::default(),
        idle: skip.clone(),
        diagnostics,
    };
    let mut parts: Vec<Option<(Part, BTreeSet<Arc<str>>)>> = Vec::with_capacity(document.steps.len());
    for at in 0..document.steps.len() {
        if at == document.finally {
            let [first, second] = &check.worlds;
            first.set_run("succeeded");
            second.set_run("failed");
        }
        parts.push(check.step(at));
    }
    check.finish();
    let Check { diagnostics, places, seen, .. } = check;
    if !diagnostics.is_empty() {
        return Err(Diagnostics::new(diagnostics));
    }
    let (parts, secrets): (Vec<Part>, Vec<_>) = parts.into_iter().flatten().unzip();
    let graph = Arc::new(Graph::with_finally(&parts, document.finally));
    let given = document.inputs.iter();
    let given = given.filter_map(|input| Some((input.key.text.to_string(), options.given.value(input)?.0.to_owned())));
    let given = given.collect();
    let name = document.name.clone().unwrap_or_else(|| file_stem(&source.name));
    let defaults = document.defaults;
    let retry = defaults.retry.over(RetryPolicy::default());
    let steps = document.steps.into_iter().zip(parts).zip(secrets.into_iter().zip(seen));
    let steps =
        steps.filter_map(|((entry, part), (secrets, seen))| plan(entry, part, secrets, seen, defaults)).collect();
    Ok(Program {
        name: name.into(),
        source: source.clone(),
        scope,
        steps,
        outputs: document.outputs,
        graph,
        skip,
        places,
        registries: settings.registries,
        secrets: settings.secrets,
        retry,
        given,
    })
}

fn plan(entry: StepEntry, part: Part, secrets: BTreeSet<Arc<str>>, seen: usize, defaults: Defaults) -> Option<Planned> {
    Some(Planned {
        id: part.id,
        kind: KINDS.get(entry.kind_index)?,
        body: entry.body,
        span: entry.id.span,
        effects: part.effects,
        secrets,
        seen,
        gate: part.gate,
        retry: entry.retry.over(defaults.retry.over(RetryPolicy::default())),
        when: entry.when,
        timeout: entry.timeout.or(defaults.timeout).map(|limit| limit.0),
        tolerates_failure: entry.continue_on_error.is_some(),
    })
}

fn file_stem(name: &str) -> String {
    std::path::Path::new(name).file_stem().map_or_else(|| name.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// The steps that are not to run: those that were named, or those that were not selected.
fn skipped(
    document: &Document,
    names: &Names<'_>,
    options: &CompileOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeSet<usize> {
    let ids: Vec<&str> = document.steps.iter().map(|step| &*step.id.text).collect();
    let mut find = |flag: &str, list: &[String]| -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for id in list {
            if let Some(step) = names.step(id) {
                found.insert(step);
                continue;
            }
            let diagnostic = Diagnostic::new(format!("{flag}: there is no step `{id}`"));
            diagnostics.push(match nearest(id, ids.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.note(format!("the steps are: {}", ids.join(", "))),
            });
        }
        found
    };
    let mut skip = find("--skip", &options.skip);
    if !options.select.is_empty() {
        let select = find("--select", &options.select);
        skip.extend((0..document.steps.len()).filter(|step| !select.contains(step)));
    }
    skip
}

/// What is known of a `when` before the run.
struct Condition {
    uses: Uses,
    /// Nothing where only the run will tell.
    verdict: Option<bool>,
    is_broken: bool,
}

/// Works through the steps in file order, under two guesses of what is not known yet.
struct Check<'a> {
    document: &'a Document,
    names: &'a Names<'a>,
    worlds: [Scope; 2],
    /// As the step sees them that is worked out.
    places: Places,
    mode: Mode,
    /// How many of the paths that steps write each step sees.
    seen: Vec<usize>,
    secrets: &'a Secrets,
    unset: &'a Unset,
    /// Inputs without a value, and the steps that would need them.
    needed_by: BTreeMap<Arc<str>, Vec<String>>,
    skip: &'a BTreeSet<usize>,
    ids: Vec<String>,
    known: Known,
    /// Steps that will not run, as far as that is known: they touch nothing, and what they lack is not missed.
    idle: BTreeSet<usize>,
    diagnostics: Vec<Diagnostic>,
}

impl Check<'_> {
    /// What the graph needs to know of the step at this place, and the secrets that it takes; nothing where it could not
    /// be worked out.
    fn step(&mut self, at: usize) -> Option<(Part, BTreeSet<Arc<str>>)> {
        let entry = self.document.steps.get(at)?;
        self.seen.push(self.places.seen());
        let uses = self.names.check(&entry.body, Position::Step(at), &mut self.diagnostics);
        let needs = self.needs(at, entry);
        let condition = self.condition(at, entry);
        // However a step before `finally` ended, what is in `finally` runs.
        let finally = self.document.finally;
        let is_before = |step: &usize| at >= finally && *step < finally;
        let mut data = uses.steps.clone();
        for (step, mention) in condition.iter().flat_map(|condition| &condition.uses.steps) {
            data.entry(*step).or_insert_with(|| Arc::clone(mention));
        }
        data.retain(|step, _| !is_before(step));
        if !self.skip.contains(&at) {
            self.refuse_skipped_data(entry, &data);
        }
        if condition.as_ref().is_some_and(|condition| condition.verdict == Some(false))
            || data.keys().any(|step| self.idle.contains(step))
        {
            self.idle.insert(at);
        }
        let lacking = self.known.check_outputs(&uses.outputs, &self.ids);
        let mut broken = uses.broken || !lacking.is_empty();
        self.diagnostics.extend(lacking);
        broken |= self.lacks_inputs(at, &uses);
        broken |= uses.steps.keys().any(|step| self.known.broken.contains(step));
        broken |= condition.is_some_and(|condition| condition.is_broken);
        let is_idle = self.idle.contains(&at);
        let worked_out = if broken { None } else { self.work_out(at, entry, &uses) };
        let (effects, gate) = match worked_out {
            // A step that does not run touches nothing; as a gate it still holds back what it would have held back.
            Some((_, gate)) if is_idle => (Effects::default(), gate),
            Some(worked_out) => worked_out,
            None => {
                let gate = self.look_further(at, entry);
                self.known.broken.insert(at);
                if !is_idle {
                    return None;
                }
                (Effects::default(), gate.unwrap_or(true))
            }
        };
        let data = data.into_iter().map(|(step, mention)| Need { step, mention }).collect();
        Some((Part { id: StepId::new(at, &*entry.id.text), effects, gate, data, needs }, uses.secrets))
    }

    /// What is known of the condition under which the step runs.
    fn condition(&mut self, at: usize, entry: &StepEntry) -> Option<Condition> {
        let when = entry.when.as_ref()?;
        let uses = self.names.check(when, Position::Step(at), &mut self.diagnostics);
        let lacking = self.known.check_outputs(&uses.outputs, &self.ids);
        let mut is_broken = uses.broken || !lacking.is_empty();
        self.diagnostics.extend(lacking);
        is_broken |= self.lacks_inputs(at, &uses);
        is_broken |= uses.steps.keys().any(|step| self.known.broken.contains(step));
        let mut verdict = None;
        // A step that is not there has no output that could be compared.
        if !is_broken && !uses.steps.keys().any(|step| self.idle.contains(step)) {
            match holds(when, &self.worlds[0]) {
                Ok(holds) => verdict = Some(holds).filter(|_| !uses.is_open()),
                Err(diagnostic) => {
                    is_broken = true;
                    self.diagnostics.push(diagnostic);
                }
            }
        }
        Some(Condition { uses, verdict, is_broken })
    }

    fn work_out(&mut self, at: usize, entry: &StepEntry, uses: &Uses) -> Option<(Effects, bool)> {
        let kind = KINDS.get(entry.kind_index)?;
        let [first, second] = self.worlds.clone();
        let (step, effects) = self.decode(kind, entry, &first, true)?;
        let id = &*entry.id.text;
        let mut wrong = step.check(&self.places);
        if self.idle.contains(&at) && !self.skip.contains(&at) {
            // Its own condition says that it does not run: neither its files nor its tags matter.
            first.set_step(id, &step.foresee(&Guess { world: 0, step: id }));
            second.set_step(id, &step.foresee(&Guess { world: 1, step: id }));
            self.diagnostics.extend(wrong);
            return Some((Effects::default(), step.is_gate()));
        }
        wrong.extend(self.known.check_sources(&*step, &self.places));
        let mut effects = effects;
        let mut opaque = self.is_opaque(at, entry, kind, uses);
        let outputs = [0, 1].map(|world| Guess { world, step: id });
        if !uses.is_open() {
            wrong.extend(self.known.check_moves(id, &*step, &self.places, entry.id.span));
            first.set_step(id, &step.foresee(&outputs[0]));
            second.set_step(id, &step.foresee(&outputs[1]));
        } else {
            first.set_step(id, &step.foresee(&outputs[0]));
            if let Some((other, others)) = self.decode(kind, entry, &second, false) {
                if !opaque && step.moves() == other.moves() {
                    wrong.extend(self.known.check_moves(id, &*step, &self.places, entry.id.span));
                }
                effects = effects.common(&others);
                second.set_step(id, &other.foresee(&outputs[1]));
            } else {
                // What comes out depends on what is not known yet.
                opaque = true;
                second.set_step(id, &step.foresee(&outputs[1]));
            }
            if opaque {
                effects = effects.everywhere();
                self.known.opaque.insert(at);
            }
        }
        effects = self.wait_for_subject(at, entry, &*step, effects);
        let secrets = uses.secrets.iter().filter_map(|name| self.secrets.get(name)?.file());
        effects = secrets.fold(effects, |effects, file| effects.read(Thing::path(file)));
        if let Some(span) = entry.continue_on_error.filter(|_| step.is_gate()) {
            let diagnostic = Diagnostic::new(format!("`{id}` is a gate: what it says must count")).at(span);
            wrong.push(diagnostic.help("leave `continue_on_error` out"));
        }
        self.known.remember(at, id, &*step, &effects, &self.places, self.mode);
        let written = effects.touches().iter().filter(|(access, _)| *access == Access::Write);
        self.places.add_written(written.filter_map(|(_, thing)| thing.as_path()).collect::<Vec<_>>());
        self.diagnostics.extend(wrong);
        Some((effects, step.is_gate()))
    }

    /// Finds what else is wrong with a step in which a mistake was found already, as far as that does not follow from it.
    /// Whether it is a gate comes back, where that can be told.
    fn look_further(&mut self, at: usize, entry: &StepEntry) -> Option<bool> {
        let kind = KINDS.get(entry.kind_index)?;
        let [first, _] = &self.worlds;
        let body = first.evaluate_known(&entry.body);
        kind.decode(&body, &mut self.diagnostics);
        let (body, is_incomplete) = body.with_stand_in(&STAND_IN.into());
        let mut wrong = Vec::new();
        let step = kind.decode(&body, &mut wrong);
        if let Some(step) = step.as_ref().filter(|_| !self.idle.contains(&at)) {
            let missing = self.known.check_sources(&**step, &self.places);
            self.diagnostics.extend(missing);
        }
        match &step {
            Some(step) if wrong.is_empty() && !is_incomplete => {
                self.known.remember_written(&step.effects(&self.places));
            }
            _ => self.known.may_write_anything(),
        }
        step.map(|step| step.is_gate())
    }

    /// Whether the guesses may both be wrong: a field that says where the step works, or what it hands on, depends on what
    /// an output says, or holds an output of a step of which that is so.
    fn is_opaque(&self, at: usize, entry: &StepEntry, kind: &Kind, uses: &Uses) -> bool {
        let may_be = uses.opaque || uses.steps.keys().any(|step| self.known.opaque.contains(step));
        if !may_be {
            return false;
        }
        let where_it_works = entry.body.without(kind.content);
        let uses = self.names.check(&where_it_works, Position::Step(at), &mut Vec::new());
        uses.opaque || uses.steps.keys().any(|step| self.known.opaque.contains(step))
    }

    /// A digest says nothing of who brings its manifest. Where a step above hands it on that has to do with the graph of
    /// that repository, the manifest is there by then; otherwise it may come from any step that adds to the repository.
    fn wait_for_subject(&self, at: usize, entry: &StepEntry, step: &dyn Step, effects: Effects) -> Effects {
        let Some((field, subject)) = step.subject().filter(|(_, subject)| subject.digest.is_some()) else {
            return effects;
        };
        let repository = self.places.repository(&subject.repository);
        let Some(written) = entry.body.get(field) else { return effects };
        let uses = self.names.check(written, Position::Step(at), &mut Vec::new());
        let graph = Thing::graph(&repository);
        if uses.steps.is_empty() {
            effects.read(Thing::pushed(&repository))
        } else if uses.steps.keys().all(|step| self.known.knows(*step, &graph)) {
            effects
        } else {
            effects.read(graph)
        }
    }

    fn decode(
        &mut self,
        kind: &Kind,
        entry: &StepEntry,
        scope: &Scope,
        report: bool,
    ) -> Option<(Arc<dyn Step>, Effects)> {
        let mut wrong = Vec::new();
        let step = match scope.evaluate(&entry.body) {
            Ok(body) => kind.decode(&body, &mut wrong),
            Err(diagnostic) => {
                wrong.push(diagnostic);
                None
            }
        };
        let step = step.filter(|_| wrong.is_empty());
        if report {
            self.diagnostics.append(&mut wrong);
        }
        let step = step?;
        let effects = step.effects(&self.places);
        Some((step, effects))
    }

    /// The steps that are named by hand: they stand above.
    fn needs(&mut self, at: usize, entry: &StepEntry) -> Vec<usize> {
        let mut needs = Vec::new();
        for need in &entry.needs {
            let diagnostic = match self.names.step(need) {
                Some(step) if step < at => {
                    needs.push(step);
                    continue;
                }
                Some(step) if step == at => Diagnostic::new(format!("step `{}` needs itself", need.value)),
                Some(_) => Diagnostic::new(format!("step `{}` stands below", need.value))
                    .help("a step may need only steps above it"),
                None if self.names.is_unread(need) => continue,
                None => match self.names.nearest_step(need) {
                    Some(near) => Diagnostic::new(format!("there is no step `{}`", need.value))
                        .label(format!("did you mean `{near}`?")),
                    None => Diagnostic::new(format!("there is no step `{}`", need.value)),
                },
            };
            self.diagnostics.push(diagnostic.at(need.span));
        }
        needs
    }

    /// Whether the step uses an input that has no value. It is reported once for each input, at the end.
    fn lacks_inputs(&mut self, at: usize, uses: &Uses) -> bool {
        let lacking: Vec<_> = uses.inputs.iter().filter_map(|input| self.unset.get(input)).collect();
        if !self.idle.contains(&at) {
            let wanted: BTreeSet<_> = lacking.iter().copied().flatten().collect();
            for input in wanted {
                self.needed_by.entry(Arc::clone(input)).or_default().extend(self.ids.get(at).cloned());
            }
        }
        !lacking.is_empty()
    }

    fn refuse_skipped_data(&mut self, entry: &StepEntry, data: &BTreeMap<usize, Arc<str>>) {
        for (step, mention) in data.iter().filter(|(step, _)| self.skip.contains(step)) {
            let id = self.ids.get(*step).map_or("", String::as_str);
            let message = format!("`{}` uses `{mention}`, and `{id}` is skipped", entry.id.text);
            let diagnostic = Diagnostic::new(message).at(entry.id.span);
            self.diagnostics.push(diagnostic.help(format!("skip `{}` too, or do not skip `{id}`", entry.id.text)));
        }
    }

    /// What can be said only when every step was seen.
    fn finish(&mut self) {
        let outputs = self.document.outputs.iter();
        let uses: Vec<_> =
            outputs.map(|entry| self.names.check(&entry.value, Position::Outputs, &mut self.diagnostics)).collect();
        for uses in uses.iter().chain(self.names.var_uses()) {
            let lacking = self.known.check_outputs(&uses.outputs, &self.ids);
            self.diagnostics.extend(lacking);
        }
        for (name, steps) in &self.needed_by {
            let input = self.document.inputs.iter().find(|input| input.key.text == *name);
            let Some(input) = input else { continue };
            let shown: Vec<_> = steps.iter().take(3).map(|step| format!("`{step}`")).collect();
            let more = match steps.len() - shown.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let set = match &input.declaration.env {
                Some(variable) => format!("set it: `--set {name}=…`, or the environment variable `{variable}`"),
                None => format!("set it: `--set {name}=…`, or give it `env:` or `default:` in the plan"),
            };
            let diagnostic = Diagnostic::new(format!("input `{name}` has no value")).at(input.key.span);
            self.diagnostics.push(diagnostic.note(format!("needed by {}{more}", shown.join(", "))).help(set));
        }
    }
}
