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
        Diagnostic, Diagnostics, Document, Names, Position, Scope, SourceFile, StepEntry, Templates, Unset, Uses,
        nearest, resolve_inputs, yaml,
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
        secrets: &settings.secrets,
        unset: &unset,
        needed_by: settings.lacking.into_iter().map(|input| (input, vec!["registries".to_owned()])).collect(),
        skip: &skip,
        ids: document.steps.iter().map(|step| step.id.text.to_string()).collect(),
        known: Known::default(),
        diagnostics,
    };
    let worked_out: Vec<Option<WorkedOut>> = (0..document.steps.len()).map(|at| check.step(at)).collect();
    check.finish();
    let Check { diagnostics, places, .. } = check;
    if !diagnostics.is_empty() {
        return Err(Diagnostics::new(diagnostics));
    }
    let (parts, planned): (Vec<Part>, Vec<_>) =
        worked_out.into_iter().flatten().map(|it| (it.part, (it.secrets, it.seen))).unzip();
    let graph = Arc::new(Graph::new(&parts));
    let given = document.inputs.iter();
    let given = given.filter_map(|input| Some((input.key.text.to_string(), options.given.value(input)?.0.to_owned())));
    let given = given.collect();
    let name = document.name.clone().unwrap_or_else(|| file_stem(&source.name));
    let retry = document.defaults.retry.over(RetryPolicy::default());
    let worked_out = parts.into_iter().zip(planned).map(|(part, (secrets, seen))| WorkedOut { part, secrets, seen });
    let steps = document.steps.into_iter().zip(worked_out);
    let steps = steps.filter_map(|(entry, worked_out)| plan(entry, worked_out, retry)).collect();
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

/// What the check has found out about a step.
struct WorkedOut {
    part: Part,
    /// The secrets that it takes.
    secrets: BTreeSet<Arc<str>>,
    /// How many of the paths that steps write it sees.
    seen: usize,
}

fn plan(entry: StepEntry, worked_out: WorkedOut, retry: RetryPolicy) -> Option<Planned> {
    let WorkedOut { part, secrets, seen } = worked_out;
    Some(Planned {
        id: part.id,
        kind: KINDS.get(entry.kind_index)?,
        body: entry.body,
        span: entry.id.span,
        effects: part.effects,
        secrets,
        seen,
        gate: part.gate,
        retry: entry.retry.over(retry),
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

/// Works through the steps in file order, under two guesses of what is not known yet.
struct Check<'a> {
    document: &'a Document,
    names: &'a Names<'a>,
    worlds: [Scope; 2],
    /// As the step sees them that is worked out.
    places: Places,
    mode: Mode,
    secrets: &'a Secrets,
    unset: &'a Unset,
    /// Inputs without a value, and the steps that would need them.
    needed_by: BTreeMap<Arc<str>, Vec<String>>,
    skip: &'a BTreeSet<usize>,
    ids: Vec<String>,
    known: Known,
    diagnostics: Vec<Diagnostic>,
}

impl Check<'_> {
    /// What is to be known of the step at this place; nothing where it could not be worked out.
    fn step(&mut self, at: usize) -> Option<WorkedOut> {
        let entry = self.document.steps.get(at)?;
        let uses = self.names.check(&entry.body, Position::Step(at), &mut self.diagnostics);
        let needs = self.needs(at, entry);
        let lacking = self.known.check_outputs(&uses.outputs, &self.ids);
        let mut broken = uses.broken || !lacking.is_empty();
        self.diagnostics.extend(lacking);
        broken |= self.lacks_inputs(at, &uses);
        broken |= uses.steps.keys().any(|step| self.known.broken.contains(step));
        if !self.skip.contains(&at) {
            self.refuse_skipped_data(entry, &uses);
        }
        let seen = self.places.seen();
        let effects = if broken { None } else { self.work_out(at, entry, &uses) };
        let Some((effects, gate)) = effects else {
            self.look_further(entry);
            self.known.broken.insert(at);
            return None;
        };
        // A skipped step touches nothing; as a gate it still holds back what it would have held back.
        let effects = if self.skip.contains(&at) { Effects::default() } else { effects };
        let data = uses.steps.into_iter().map(|(step, mention)| Need { step, mention }).collect();
        let part = Part { id: StepId::new(at, &*entry.id.text), effects, gate, data, needs };
        Some(WorkedOut { part, secrets: uses.secrets, seen })
    }

    fn work_out(&mut self, at: usize, entry: &StepEntry, uses: &Uses) -> Option<(Effects, bool)> {
        let kind = KINDS.get(entry.kind_index)?;
        let [first, second] = self.worlds.clone();
        let (step, effects) = self.decode(kind, entry, &first, true)?;
        let id = &*entry.id.text;
        let mut wrong = step.check(&self.places);
        wrong.extend(self.known.check_sources(&*step, &self.places));
        let mut effects = effects;
        let mut opaque = self.is_opaque(at, entry, kind, uses);
        let outputs = [0, 1].map(|world| Guess { world, step: id });
        if uses.steps.is_empty() {
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
        self.known.remember(at, id, &*step, &effects, &self.places, self.mode);
        let written = effects.touches().iter().filter(|(access, _)| *access == Access::Write);
        self.places.add_written(written.filter_map(|(_, thing)| thing.as_path()).collect::<Vec<_>>());
        self.diagnostics.extend(wrong);
        Some((effects, step.is_gate()))
    }

    /// Finds what else is wrong with a step in which a mistake was found already, as far as that does not follow from it.
    fn look_further(&mut self, entry: &StepEntry) {
        let Some(kind) = KINDS.get(entry.kind_index) else { return };
        let [first, _] = &self.worlds;
        let body = first.evaluate_known(&entry.body);
        kind.decode(&body, &mut self.diagnostics);
        let (body, is_incomplete) = body.with_stand_in(&STAND_IN.into());
        let mut wrong = Vec::new();
        let step = kind.decode(&body, &mut wrong);
        if let Some(step) = &step {
            let missing = self.known.check_sources(&**step, &self.places);
            self.diagnostics.extend(missing);
        }
        match step {
            Some(step) if wrong.is_empty() && !is_incomplete => {
                self.known.remember_written(&step.effects(&self.places));
            }
            _ => self.known.may_write_anything(),
        }
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
        if !self.skip.contains(&at) {
            let wanted: BTreeSet<_> = lacking.iter().copied().flatten().collect();
            for input in wanted {
                self.needed_by.entry(Arc::clone(input)).or_default().extend(self.ids.get(at).cloned());
            }
        }
        !lacking.is_empty()
    }

    fn refuse_skipped_data(&mut self, entry: &StepEntry, uses: &Uses) {
        for (step, mention) in uses.steps.iter().filter(|(step, _)| self.skip.contains(step)) {
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
