mod at_the_end;
mod working_out;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    thread,
};

use super::{
    CompileOptions, Planned, Program, includes,
    instances::Instances,
    items::{self, Unrolled},
    known::{Known, STAND_IN},
    module::{self, Module},
    selection::{self, Selecting},
    settings,
};
use crate::{
    graph::{Graph, Need, Part},
    plan::{
        Diagnostic, Diagnostics, Document, LoopKey, LoopUse, Names, Position, Scope, SourceFile, Span, StepEntry,
        Templates, TimeLimit, Unset, Uses, When, holds, nearest, resolve_inputs,
        yaml::{self, Node, NodeKind, Scalar, Style},
    },
    secret::Secrets,
    step::{Access, Effects, Guess, KINDS, Kind, Mode, PlaceError, Places, Step, Thing},
    store::RetryPolicy,
};

/// Makes a program of a plan's text, or says everything that is wrong with it.
pub fn compile(source: &SourceFile, options: &CompileOptions) -> Result<Program, Diagnostics> {
    let (root, mut diagnostics) = yaml::recover(source);
    let Some(root) = root else { return Err(Diagnostics::new(diagnostics)) };
    let kinds = Kind::infos();
    let document = Document::read(root, &kinds, &mut diagnostics);
    let (document, source) = includes::expand(document, source, &kinds, options, &mut diagnostics);
    let source = &source;
    let templates = Arc::new(Templates::default());
    let names = Names::new(&document, &kinds, source, &templates, &mut diagnostics);
    let scope = Scope::new(source.clone(), &document, Arc::clone(&templates));
    let unset = resolve_inputs(&document, &options.given, &names, &scope, &mut diagnostics);
    let settings = settings::read(&document, &names, &scope, &unset, &options.places, &mut diagnostics);
    let outside = settings.allowed.as_ref().map(|allowed| allowed.files().to_vec()).unwrap_or_default();
    let mut places = options.places.clone();
    places.aliases = settings.aliases;
    places.outside = outside.into();
    let unrolled = items::unroll(&document, &names, &scope, &unset, &options.places, &mut diagnostics);
    let instances = Instances::new(&document, &unrolled.loops);
    let modules = module::all(&document, settings.allowed, settings.allowed_included);
    let grounds = Grounds {
        document: &document,
        names: &names,
        scope: &scope,
        instances: &instances,
        unrolled: &unrolled,
        places: &places,
        mode: options.mode,
        secrets: &settings.secrets,
        modules: &modules,
        unset: &unset,
        lacking: &settings.lacking,
    };
    let skip = skipped(&grounds, options, &mut diagnostics);
    let mut check = grounds.check(&skip, diagnostics);
    check.by_selection = !options.select.is_empty();
    let parts = check.steps();
    check.look_at_what_never_runs();
    let needs = check.finish();
    let Check { diagnostics, places, seen, worlds, .. } = check;
    // Taking apart what was guessed of a large plan takes a while, and nobody waits for it.
    let _ = thread::Builder::new().spawn(move || drop(worlds));
    if !diagnostics.is_empty() {
        return Err(Diagnostics::new(diagnostics).in_files(source.clone()));
    }
    let (parts, secrets): (Vec<Part>, Vec<_>) = parts.into_iter().flatten().unzip();
    let graph = Arc::new(Graph::shaped(&parts, instances.shape.clone()));
    let given = document.inputs.iter().filter(|input| input.module == 0);
    let given = given.filter_map(|input| Some((input.key.text.to_string(), options.given.value(input)?.0.to_owned())));
    let given = given.collect();
    let name = document.name.clone().unwrap_or_else(|| file_stem(&source.name));
    let retry = document.defaults.retry.over(RetryPolicy::default());
    let defaults: Vec<_> = (0..=document.included.len()).map(|module| defaults_of(&document, module)).collect();
    let made = instances.list.into_iter().zip(parts).zip(secrets).zip(seen);
    // Moved, not copied, wherever it is the last that is made of what is written: the bodies are most of a large plan.
    let mut entries: Vec<Option<StepEntry>> = document.steps.into_iter().map(Some).collect();
    let mut steps = Vec::with_capacity(made.len());
    for (((instance, part), secrets), seen) in made {
        let Some(entry) = entries.get_mut(instance.entry) else { continue };
        let entry = match entry {
            Some(written) if written.within.is_some() => written.clone(),
            written => match written.take() {
                Some(written) => written,
                None => continue,
            },
        };
        let defaults = defaults.get(entry.module).copied().unwrap_or((retry, None));
        steps.extend(plan(entry, instance.iteration, part, (secrets, seen), defaults));
    }
    Ok(Program {
        name: name.into(),
        source: source.clone(),
        scope,
        loops: unrolled.loops,
        modules,
        steps,
        outputs: document.outputs.into_iter().zip(needs).collect(),
        graph,
        skip,
        places,
        registries: settings.registries,
        secrets: settings.secrets,
        seeds: settings.seeds,
        retry,
        given,
        plans: options.places.plans.used(),
    })
}

fn plan(
    entry: StepEntry,
    iteration: Option<usize>,
    part: Part,
    (secrets, seen): (BTreeSet<Arc<str>>, usize),
    (retry, timeout): (RetryPolicy, Option<TimeLimit>),
) -> Option<Planned> {
    Some(Planned {
        written_id: entry.id.text,
        module: entry.module,
        iteration,
        id: part.id,
        kind: KINDS.get(entry.kind_index)?,
        body: entry.body,
        span: entry.id.span,
        effects: part.effects,
        secrets,
        seen,
        gate: part.gate,
        retry: entry.retry.over(retry),
        when: entry.when,
        timeout: entry.timeout.or(timeout).map(|limit| limit.0),
        tolerates_failure: entry.continue_on_error.is_some(),
    })
}

/// What holds for the steps of a plan that do not say otherwise: what it says, else what whoever includes it says.
fn defaults_of(document: &Document, module: usize) -> (RetryPolicy, Option<TimeLimit>) {
    let Some(included) = document.included(module) else {
        return (document.defaults.retry.over(RetryPolicy::default()), document.defaults.timeout);
    };
    let (retry, timeout) = defaults_of(document, included.parent);
    (included.defaults.retry.over(retry), included.defaults.timeout.or(timeout))
}

fn file_stem(name: &str) -> String {
    std::path::Path::new(name).file_stem().map_or_else(|| name.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// The steps that are not to run: those that were named, or those that were not selected.
fn skipped(grounds: &Grounds<'_>, options: &CompileOptions, diagnostics: &mut Vec<Diagnostic>) -> BTreeSet<usize> {
    let Grounds { document, names, instances, .. } = *grounds;
    let selecting = Selecting { document, names, instances };
    let looks_around = selection::needs_graph(&options.select) || selection::needs_graph(&options.skip);
    let graph = looks_around.then(|| grounds.survey());
    let mut skip = selecting.find("--skip", &options.skip, graph.as_ref(), diagnostics);
    if options.select.is_empty() {
        return skip;
    }
    let before = diagnostics.len();
    let select = selecting.find("--select", &options.select, graph.as_ref(), diagnostics);
    if select.is_empty() && diagnostics.len() == before {
        diagnostics.push(Diagnostic::new("--select: nothing is selected"));
    }
    let all = instances.list.len();
    let finally = instances.shape.finally.unwrap_or(all);
    // Who selects nothing of `finally` wants all of it: it always runs.
    let selects_finally = select.range(finally..).next().is_some();
    skip.extend((0..if selects_finally { all } else { finally }).filter(|step| !select.contains(step)));
    skip
}

/// What steps are checked against.
struct Grounds<'a> {
    document: &'a Document,
    names: &'a Names<'a>,
    scope: &'a Scope,
    instances: &'a Instances,
    unrolled: &'a Unrolled,
    places: &'a Places,
    mode: Mode,
    secrets: &'a Secrets,
    modules: &'a [Module],
    unset: &'a Unset,
    /// Inputs without a value that `registries` would need.
    lacking: &'a BTreeSet<Arc<str>>,
}

impl<'a> Grounds<'a> {
    fn check(&self, skip: &'a BTreeSet<usize>, diagnostics: Vec<Diagnostic>) -> Check<'a> {
        let lacking = self.lacking.iter().map(|input| (Arc::clone(input), vec!["registries".to_owned()]));
        let open = self.document.inputs.iter().zip(self.names.input_uses()).filter(|(_, uses)| uses.is_open());
        let guessed = Arc::new(open.map(|(input, _)| Arc::clone(&input.key.text)).collect());
        let mut check = Check {
            document: self.document,
            names: self.names,
            worlds: [(); 2].map(|()| self.scope.without_steps().with_guesses(&guessed)),
            instances: self.instances,
            places: self.places.clone(),
            plan_folder: &self.places.plan_folder,
            mode: self.mode,
            seen: Vec::new(),
            secrets: self.secrets,
            modules: self.modules,
            unset: self.unset,
            needed_by: lacking.collect(),
            skip,
            by_selection: false,
            ids: self.instances.list.iter().map(|instance| instance.id.name().to_owned()).collect(),
            known: Known::default(),
            idle: skip.clone(),
            broken_loops: self.unrolled.broken.clone(),
            diagnostics,
        };
        for opened in &self.unrolled.loops {
            check.worlds.iter().for_each(|world| world.open_loop(opened));
        }
        check.lack_items(&self.unrolled.lacking);
        check
    }

    /// The graph of all steps, whatever runs of it and whatever is wrong with it.
    fn survey(&self) -> Graph {
        let nothing = BTreeSet::new();
        let mut check = Grounds { ..*self }.check(&nothing, Vec::new());
        let parts = check.steps();
        let known = parts.into_iter().map(|part| part.map(|(part, _)| part)).enumerate();
        let parts: Vec<Part> = known.filter_map(|(at, part)| part.or_else(|| check.bare_part(at))).collect();
        Graph::shaped(&parts, self.instances.shape.clone())
    }
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
    instances: &'a Instances,
    /// As the step sees them that is worked out.
    places: Places,
    /// Of the plan itself.
    plan_folder: &'a Path,
    mode: Mode,
    /// How many of the paths that steps write each step sees.
    seen: Vec<usize>,
    secrets: &'a Secrets,
    modules: &'a [Module],
    unset: &'a Unset,
    /// Inputs without a value, and the steps that would need them.
    needed_by: BTreeMap<Arc<str>, Vec<String>>,
    skip: &'a BTreeSet<usize>,
    /// Whether steps do not run since others were selected.
    by_selection: bool,
    ids: Vec<String>,
    known: Known,
    /// Steps that will not run, as far as that is known: they touch nothing, and what they lack is not missed.
    idle: BTreeSet<usize>,
    /// Loops whose items could not be worked out.
    broken_loops: BTreeSet<usize>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Check<'a> {
    /// What is known of every step that may run, in the order in which they would one by one.
    fn steps(&mut self) -> Vec<Option<(Part, BTreeSet<Arc<str>>)>> {
        let count = self.instances.list.len();
        let mut parts = Vec::with_capacity(count);
        for at in 0..count {
            if self.instances.shape.finally == Some(at) {
                let [first, second] = &self.worlds;
                first.set_run("succeeded");
                second.set_run("failed");
            }
            self.seen.push(self.places.seen());
            parts.push(self.step(at));
        }
        parts
    }

    /// What the graph needs to know of a step of which little is known: what it looks at.
    fn bare_part(&mut self, at: usize) -> Option<Part> {
        let entry = self.entry(at)?;
        let uses = self.look(&entry.body, at, false);
        let data = uses.steps.into_iter().map(|(step, mention)| Need { step, mention }).collect();
        let id = self.instances.list.get(at)?.id.clone();
        Some(Part { id, effects: Effects::default(), gate: false, data, needs: self.needs(at, entry) })
    }

    /// What the graph needs to know of the step at this place, and the secrets that it takes; nothing where it could not
    /// be worked out.
    fn step(&mut self, at: usize) -> Option<(Part, BTreeSet<Arc<str>>)> {
        let entry = self.entry(at)?;
        self.enter(entry);
        let uses = self.look(&entry.body, at, true);
        let needs = self.needs(at, entry);
        let condition = self.condition(at, entry);
        // However a step before `finally` ended, what is in `finally` runs.
        let finally = self.instances.shape.finally.unwrap_or(usize::MAX);
        let is_before = |step: &usize| at >= finally && *step < finally;
        let mut data = uses.steps.clone();
        for (step, mention) in condition.iter().flat_map(|condition| &condition.uses.steps) {
            data.entry(*step).or_insert_with(|| Arc::clone(mention));
        }
        data.retain(|step, _| !is_before(step));
        if !self.skip.contains(&at) {
            self.refuse_skipped_data(at, entry, &data);
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
        let id = self.instances.list.get(at)?.id.clone();
        Some((Part { id, effects, gate, data, needs }, uses.secrets))
    }

    /// What the step would do and may not.
    fn refuse_what_is_not_allowed(
        &self,
        name: &str,
        step: &dyn Step,
        effects: &Effects,
        (span, module): (Span, usize),
    ) -> Option<Diagnostic> {
        if let Some(path) = self.places.leaves_workdir(effects) {
            let error = PlaceError::Outside { path, workdir: self.places.workdir.clone() };
            return Some(Diagnostic::new(error.to_string()).at(span));
        }
        let refusal = module::refuses(self.modules, module, step, &self.places)?;
        Some(Diagnostic::new(refusal.message(name)).at(span).help(refusal.help()))
    }

    /// Comes to a step: its paths are relative to the folder of its plan.
    fn enter(&mut self, entry: &StepEntry) {
        if !self.document.included.is_empty() {
            let folder = match self.document.included(entry.module) {
                Some(included) => &included.folder,
                None => self.plan_folder,
            };
            self.places.read_from(Some(folder));
        }
    }

    fn entry(&self, at: usize) -> Option<&'a StepEntry> {
        self.document.steps.get(self.instances.list.get(at)?.entry)
    }

    /// One of the guesses, as the step at this place sees it.
    fn world(&self, at: usize, world: usize) -> Scope {
        let instance = self.instances.list.get(at);
        let module = instance.and_then(|it| self.document.steps.get(it.entry)).map_or(0, |entry| entry.module);
        self.world_of(at, world, module)
    }

    /// The same, as the plan of that number sees it there.
    fn world_of(&self, at: usize, world: usize, module: usize) -> Scope {
        let iteration = self.instances.list.get(at).and_then(|instance| instance.iteration);
        let [first, second] = &self.worlds;
        let scope = if world == 0 { first.iteration(iteration) } else { second.iteration(iteration) };
        scope.within(self.document.prefix(module))
    }

    /// What a value of the step at this place looks at: steps by their places among all that run.
    fn look(&mut self, node: &Node, at: usize, report: bool) -> Uses {
        let entry = self.instances.list.get(at).map_or(0, |instance| instance.entry);
        self.look_from(node, at, Position::Step(entry), report)
    }

    /// The same from that position.
    fn look_from(&mut self, node: &Node, at: usize, position: Position, report: bool) -> Uses {
        let Some(instance) = self.instances.list.get(at) else { return Uses::default() };
        let mut wrong = Vec::new();
        let mut uses = self.names.check(node, position, &mut wrong);
        if !self.document.loops.is_empty() {
            let written = std::mem::take(&mut uses.steps);
            let beside = |(entry, mention)| Some((self.instances.beside(entry, instance, self.document)?, mention));
            uses.steps = written.into_iter().filter_map(beside).collect();
            for looked_at in std::mem::take(&mut uses.loops) {
                match self.place_looked_at(&looked_at, at) {
                    Ok(place) => self.instances.looked_at(&looked_at, place, self.document, &mut uses.steps),
                    Err(diagnostic) => {
                        uses.broken = true;
                        wrong.extend(diagnostic);
                    }
                }
            }
            for (entry, ..) in &mut uses.outputs {
                let made = self.instances.beside(*entry, instance, self.document);
                *entry = made.or_else(|| self.instances.any(*entry, self.document)).unwrap_or(usize::MAX);
            }
        }
        if report {
            self.diagnostics.append(&mut wrong);
        }
        uses
    }

    /// The place of the item that a look at a loop is about; nothing where it is about all of them. An error: there is no
    /// such item, or what is wrong was said.
    fn place_looked_at(&self, looked_at: &LoopUse, at: usize) -> Result<Option<usize>, Option<Diagnostic>> {
        let key = match &looked_at.key {
            LoopKey::Each => return Ok(None),
            LoopKey::Text(key) => Arc::clone(key),
            LoopKey::Computed(source) => {
                let scalar = Scalar { text: format!("${{{{ {source} }}}}").into(), style: Style::DoubleQuoted };
                let node = Node { span: looked_at.span, kind: NodeKind::Scalar(scalar) };
                let mut wrong = Vec::new();
                let uses = self.names.check(&node, Position::Outputs, &mut wrong);
                if uses.is_open() {
                    // Only the run will tell which, so it waits for all.
                    return Ok(None);
                }
                match self.world(at, 0).value(&node) {
                    Ok(serde_json::Value::String(key)) => key.into(),
                    Ok(value) => value.to_string().into(),
                    Err(diagnostic) => return Err(Some(diagnostic)),
                }
            }
        };
        if let Some(place) = self.instances.place_of_key(looked_at.which, &key) {
            return Ok(Some(place));
        }
        let Some(it) = self.document.loops.get(looked_at.which) else { return Err(None) };
        if self.broken_loops.contains(&looked_at.which) {
            return Err(None);
        }
        let id = &it.id.text;
        let diagnostic = Diagnostic::new(format!("`{id}` has no item with the key `{key}`")).at(looked_at.span);
        let mut keys: Vec<&str> = self.instances.keys(looked_at.which).collect();
        keys.sort_unstable();
        let kind = self.document.steps.get(it.own_step()).and_then(|step| KINDS.get(step.kind_index));
        let is_output = kind.is_some_and(|kind| kind.has_output(&key));
        Err(Some(if is_output && !it.is_group {
            diagnostic.help(format!("write `steps.{id}['KEY'].{key}` for one, `steps.{id} | pluck('{key}')` for all"))
        } else if let Some(near) = nearest(&key, keys.iter().copied()) {
            diagnostic.label(format!("did you mean `{near}`?"))
        } else {
            let more = if keys.len() > 10 { format!(" and {} more", keys.len() - 10) } else { String::new() };
            keys.truncate(10);
            diagnostic.note(format!("its keys are: {}{more}", keys.join(", ")))
        }))
    }

    /// Remembers the inputs that items cannot do without.
    fn lack_items(&mut self, lacking: &BTreeMap<usize, BTreeSet<Arc<str>>>) {
        for (which, inputs) in lacking {
            let Some(it) = self.document.loops.get(*which) else { continue };
            for input in inputs {
                self.needed_by.entry(Arc::clone(input)).or_default().push(it.id.text.to_string());
            }
        }
    }
}
