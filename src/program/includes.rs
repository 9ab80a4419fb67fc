//! Plans that include others: the steps of an included plan are put where it is included, under names of their own.
//!
//! No text is merged. Every name of an included plan begins with the id of the step that includes it, and is looked up
//! by that: its steps see its own names alone, and nobody else sees them. What connects the two are the inputs, the
//! secrets and the outputs that it declares.

mod file;
mod secrets;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use self::file::PlanFile;
use super::CompileOptions;
use crate::{
    oci::Reference,
    plan::{
        Bound, Diagnostic, Document, FetchedPlans, Included, Input, KindInfo, Loop, RetryDeclaration, SourceFile, Span,
        StepEntry, Var, When, nearest, unknown_key,
        yaml::{self, Entry, Key, Node, NodeKind, Spanned, decode},
    },
};

/// The key of a step that includes a plan.
const INCLUDE: &str = "include";
/// What stands under that key.
const FIELDS: &[&str] = &["plan", "with"];
/// No plan is included deeper.
const DEEPEST: usize = 16;
/// No plan has more plans in it.
const MOST: usize = 1_000;

/// The same document with the steps of all plans that it includes, and the files that they stand in.
pub(super) fn expand(
    document: Document,
    source: &SourceFile,
    kinds: &[KindInfo],
    options: &CompileOptions,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Document, SourceFile) {
    let include = kinds.iter().position(|kind| kind.name == INCLUDE).unwrap_or(usize::MAX);
    if !document.steps.iter().any(|step| step.kind_index == include) {
        return (document, source.clone());
    }
    let mut whole = document;
    let steps = std::mem::take(&mut whole.steps);
    let loops = std::mem::take(&mut whole.loops);
    let finally = whole.finally;
    let folder = options.places.plan_folder.clone();
    let own = Path::new(&source.name).file_name().map_or_else(|| folder.clone(), |name| folder.join(name));
    let mut expanding = Expanding {
        whole,
        source: source.clone(),
        kinds,
        include,
        open: vec![(file::identity(&own), source.name.clone())],
        plans: &options.places.plans,
        cleanup: Vec::new(),
        diagnostics,
    };
    let shown = Path::new(&source.name).parent().map(Path::to_path_buf).unwrap_or_default();
    let place = Place { module: 0, within: None, when: Vec::new(), needs: Vec::new(), folder, shown };
    let mut before = steps;
    let after = before.split_off(finally.min(before.len()));
    let (loops_before, loops_after): (Vec<_>, Vec<_>) = loops.into_iter().partition(|it| it.steps.start < finally);
    let skipped = loops_before.len();
    expanding.take(Steps { list: before, loops: loops_before, from: 0, loops_from: 0 }, &place);
    expanding.whole.finally = expanding.whole.steps.len();
    expanding.clean_up();
    expanding.take(Steps { list: after, loops: loops_after, from: finally, loops_from: skipped }, &place);
    expanding.clean_up();
    (expanding.whole, expanding.source)
}

/// The reference that names a plan in a registry or in an image layout; a path names none.
fn remote(named: &str) -> Option<Reference> {
    if named.starts_with(['.', '/']) {
        return None;
    }
    named.parse::<Reference>().ok().filter(|reference| reference.target().is_some())
}

struct Expanding<'a> {
    /// What there is so far.
    whole: Document,
    source: SourceFile,
    kinds: &'a [KindInfo],
    /// The kind of steps that include plans, by its place among all.
    include: usize,
    /// The plans around the one that is looked at, and itself: what tells it from others, and what people call it.
    open: Vec<(PathBuf, String)>,
    /// The plans of registries that are on this machine.
    plans: &'a FetchedPlans,
    /// The steps of `finally` of included plans.
    cleanup: Vec<(Steps, Place)>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

/// Steps of one plan, with the loops that they are in.
struct Steps {
    list: Vec<StepEntry>,
    loops: Vec<Loop>,
    /// The place of the first step in its plan.
    from: usize,
    /// The place of the first loop in its plan.
    loops_from: usize,
}

/// Where the steps of a plan go.
#[derive(Clone)]
struct Place {
    /// The plan, by its number.
    module: usize,
    /// The loop around it.
    within: Option<usize>,
    /// The conditions under which it is included.
    when: Vec<When>,
    /// What all of it waits for.
    needs: Vec<Spanned<String>>,
    /// What its paths are relative to, absolute.
    folder: PathBuf,
    /// The same as people are shown it.
    shown: PathBuf,
}

/// What stands under `include`.
struct Wanted<'a> {
    plan: Spanned<String>,
    with: &'a [Entry],
}

impl Expanding<'_> {
    /// Adds the steps of one plan.
    fn take(&mut self, steps: Steps, place: &Place) {
        let Steps { list, loops, from, loops_from } = steps;
        let prefix = Arc::clone(self.whole.prefix(place.module));
        let mut loops = loops.into_iter().peekable();
        // The loops of this plan, each with where it is now, and where it ends in its plan.
        let mut opened: Vec<(Option<usize>, usize)> = Vec::new();
        for (at, mut step) in list.into_iter().enumerate() {
            let at = from + at;
            while let Some(it) = loops.next_if(|it| it.steps.start <= at) {
                let end = it.steps.end;
                opened.push((self.open_loop(it, place), end));
            }
            let own = step.within.and_then(|which| opened.get(which.checked_sub(loops_from)?).copied());
            step.id.text = format!("{prefix}{}", step.id.text).into();
            step.module = place.module;
            step.within = match (step.within, own) {
                (None, _) => place.within,
                (Some(_), Some((Some(number), _))) => Some(number),
                // A loop that cannot stand there, which was said.
                (Some(_), _) => continue,
            };
            step.needs.iter_mut().for_each(|need| need.value = format!("{prefix}{}", need.value));
            step.needs.extend(place.needs.iter().cloned());
            step.when.iter_mut().for_each(|when| when.module = place.module);
            step.when.splice(0..0, place.when.iter().cloned());
            if step.kind_index == self.include {
                self.include(step, place);
            } else {
                self.whole.steps.push(step);
            }
            if let Some((Some(number), end)) = own
                && end == at + 1
                && let Some(it) = self.whole.loops.get_mut(number)
            {
                it.steps.end = self.whole.steps.len();
            }
        }
        for it in loops {
            self.open_loop(it, place);
        }
    }

    /// Adds a loop that begins here, and says where it is now.
    fn open_loop(&mut self, mut it: Loop, place: &Place) -> Option<usize> {
        let prefix = self.whole.prefix(place.module);
        it.id.text = format!("{prefix}{}", it.id.text).into();
        it.item.text = format!("{prefix}{}", it.item.text).into();
        it.module = place.module;
        it.steps = self.whole.steps.len()..self.whole.steps.len();
        if place.within.is_some() {
            let message = "a plan with a `foreach` cannot be included in a `foreach`";
            let diagnostic = Diagnostic::new(message).at(it.id.span).label("this one");
            self.diagnostics.push(diagnostic.help("make the items of one `foreach` of both lists"));
            self.whole.unread.push(it.id);
            return None;
        }
        self.whole.loops.push(it);
        Some(self.whole.loops.len() - 1)
    }

    /// Adds what included plans do in any case.
    fn clean_up(&mut self) {
        for (steps, place) in std::mem::take(&mut self.cleanup) {
            self.take(steps, &place);
        }
    }

    /// Adds the steps of an included plan, and behind them the step that includes it: it hands on what that plan does.
    fn include(&mut self, step: StepEntry, place: &Place) {
        let module = self.whole.included.len() + 1;
        let (start, within) = (self.whole.steps.len(), step.within);
        let mut included = Included {
            name: String::new(),
            prefix: format!("{}/", step.id.text).into(),
            parent: place.module,
            folder: place.folder.clone(),
            allow: None,
            rehearse: None,
            defaults: crate::plan::Defaults::default(),
            outputs: None,
            is_in_loop: within.is_some(),
        };
        self.refuse_what_it_cannot_have(&step);
        let body = step.body.clone();
        let wanted = self.read_fields(&body);
        let loaded = wanted.as_ref().and_then(|wanted| self.load(&wanted.plan, place));
        let (Some(wanted), Some((file, document))) = (wanted, loaded) else {
            // What it hands on is not known, and nobody is to be told that it lacks something.
            self.whole.included.push(included);
            let body = Node { span: body.span, kind: NodeKind::Unknown };
            self.whole.steps.push(StepEntry { body, module, ..step });
            return;
        };
        included.name.clone_from(&wanted.plan.value);
        included.folder.clone_from(&file.folder);
        included.allow = document.allow;
        included.rehearse = document.rehearse;
        included.defaults = document.defaults;
        included.outputs = Some(document.outputs.iter().map(|entry| Arc::clone(&entry.key.text)).collect());
        self.whole.included.push(included);
        for entry in &document.registries {
            let diagnostic = Diagnostic::new("an included plan says nothing about registries").at(entry.key.span);
            self.diagnostics.push(diagnostic.help("say it in the plan that runs"));
        }
        self.refuse_strangers(&wanted, &document.inputs, &document.vars, &document.secrets);
        self.give_secrets(&wanted, &document.secrets, module, place.module);
        self.give_inputs(&wanted, document.inputs, module, (place.module, start));
        let prefix = Arc::clone(self.whole.prefix(module));
        let full = |key: Key| Key { text: format!("{prefix}{}", key.text).into(), ..key };
        self.whole.vars.extend(document.vars.into_iter().map(|var| Var { key: full(var.key), module, ..var }));
        self.whole.unread.extend(document.unread.into_iter().map(full));

        let own = |step: &&StepEntry| step.within.is_none();
        let loops = document.loops.iter().filter(|it| it.steps.start < document.finally).map(|it| &it.id);
        let before = document.steps.iter().take(document.finally).filter(own).map(|step| &step.id).chain(loops);
        let inside: Vec<_> = before.map(|id| Spanned::new(format!("{prefix}{}", id.text), step.id.span)).collect();
        let inner = Place {
            module,
            within,
            when: step.when.clone(),
            needs: step.needs.clone(),
            folder: file.folder,
            shown: file.shown_folder,
        };
        let mut list = document.steps;
        let after = list.split_off(document.finally.min(list.len()));
        let (loops, loops_after): (Vec<_>, Vec<_>) =
            document.loops.into_iter().partition(|it| it.steps.start < document.finally);
        let loops_from = loops.len();
        self.open.push((file.identity, file.name));
        self.take(Steps { list, loops, from: 0, loops_from: 0 }, &inner);
        self.open.pop();
        self.take_later(Steps { list: after, loops: loops_after, from: document.finally, loops_from }, inner);

        let entry = |name: &str, value| Entry { key: Key { span: step.id.span, text: name.into() }, value };
        let plan = Node::from_value(wanted.plan.value.into(), wanted.plan.span);
        let outputs = Node { span: step.body.span, kind: NodeKind::Mapping(document.outputs) };
        let fields = vec![entry("plan", plan), entry("outputs", outputs)];
        let needs = step.needs.iter().cloned().chain(inside).collect();
        let body = Node { span: step.body.span, kind: NodeKind::Mapping(fields) };
        self.whole.steps.push(StepEntry { needs, body, module, ..step });
    }

    /// Keeps what an included plan does in any case until everything else is there.
    fn take_later(&mut self, steps: Steps, place: Place) {
        let Some(first) = steps.list.first() else { return };
        if place.within.is_some() {
            let message = "a plan with `finally` cannot be included in a `foreach`";
            let diagnostic = Diagnostic::new(message).at(first.id.span).label("this runs once, whatever happened");
            self.diagnostics.push(diagnostic.help("put it into the `finally` of the plan that includes it"));
            return;
        }
        self.cleanup.push((steps, place));
    }

    fn refuse_what_it_cannot_have(&mut self, step: &StepEntry) {
        let said = [
            ("timeout", step.timeout.is_some()),
            ("retry", step.retry != RetryDeclaration::default()),
            ("continue_on_error", step.continue_on_error.is_some()),
        ];
        for (name, _) in said.iter().filter(|(_, is_said)| *is_said) {
            let diagnostic = Diagnostic::new(format!("an included plan has no `{name}`")).at(step.id.span);
            self.diagnostics.push(diagnostic.help("say it in its steps or in its `defaults`"));
        }
    }

    fn read_fields<'n>(&mut self, body: &'n Node) -> Option<Wanted<'n>> {
        let Some(entries) = body.entries() else {
            let diagnostic = Diagnostic::new("`include` takes fields").at(body.span);
            self.diagnostics.push(diagnostic.help("write `include: { plan: parts/publish.yaml }`"));
            return None;
        };
        let (mut plan, mut with): (_, &[Entry]) = (None, &[]);
        let before = self.diagnostics.len();
        for Entry { key, value } in entries {
            match &*key.text {
                "plan" => plan = Some(value),
                "with" => {
                    with = value.entries().unwrap_or_else(|| {
                        let diagnostic = Diagnostic::new("`with` takes names with their values").at(value.span);
                        self.diagnostics.push(diagnostic.help("write `with: { NAME: value }`"));
                        &[]
                    });
                }
                other => self.diagnostics.push(unknown_key(other, key.span, INCLUDE, FIELDS)),
            }
        }
        let Some(plan) = plan else {
            // It may be misspelt.
            if self.diagnostics.len() > before {
                return None;
            }
            let diagnostic = Diagnostic::new("`include` has no `plan`").at(body.span);
            self.diagnostics.push(diagnostic.help("name the plan: `include: { plan: parts/publish.yaml }`"));
            return None;
        };
        let plan: Spanned<String> = decode(plan, "plan", self.diagnostics)?;
        if plan.value.contains("${{") {
            let diagnostic = Diagnostic::new("`plan` is written out: an expression cannot say which plan it is");
            let help = "include each of them, each in a step of its own with a `when`";
            self.diagnostics.push(diagnostic.at(plan.span).help(help));
            return None;
        }
        Some(Wanted { plan, with })
    }

    /// Reads the plan, as far as it can be read.
    fn load(&mut self, plan: &Spanned<String>, place: &Place) -> Option<(PlanFile, Document)> {
        let refuse = |diagnostics: &mut Vec<Diagnostic>, diagnostic: Diagnostic| {
            diagnostics.push(diagnostic.at(plan.span));
            None
        };
        let found = match remote(plan) {
            Some(reference) => PlanFile::fetched(&reference, self.plans),
            None => PlanFile::find(plan, &place.folder, &place.shown),
        };
        let file = match found {
            Ok(file) => file,
            Err(diagnostic) => return refuse(self.diagnostics, diagnostic),
        };
        if let Some(at) = self.open.iter().position(|(identity, _)| *identity == file.identity) {
            let around = self.open.iter().skip(at).map(|(_, name)| name.as_str()).chain([file.name.as_str()]);
            let chain: Vec<_> = around.collect();
            let diagnostic = Diagnostic::new(format!("`{}` includes itself", file.name));
            return refuse(self.diagnostics, diagnostic.note(chain.join(" → ")));
        }
        if self.open.len() > DEEPEST {
            let diagnostic = Diagnostic::new(format!("at most {DEEPEST} plans stand in each other"));
            return refuse(self.diagnostics, diagnostic);
        }
        if self.whole.included.len() >= MOST {
            let diagnostic = Diagnostic::new(format!("a plan has at most {MOST} plans in it"));
            return refuse(self.diagnostics, diagnostic.help("include it once, with a `foreach`"));
        }
        let text = match file.read() {
            Ok(text) => text,
            Err(diagnostic) => return refuse(self.diagnostics, diagnostic),
        };
        let source = SourceFile::new(file.name.clone(), text);
        let base = self.source.include(source.clone());
        let (root, wrong) = yaml::recover(&source);
        let moved = |diagnostic: Diagnostic| {
            let span = diagnostic.span.map_or(Span::new(base, base), |span| span.after(base));
            diagnostic.at(span)
        };
        self.diagnostics.extend(wrong.into_iter().map(moved));
        let mut wrong = Vec::new();
        let document = Document::read(root?.moved(base), self.kinds, &mut wrong);
        // What is missing in it has no place.
        let placed = |diagnostic: Diagnostic| {
            let span = diagnostic.span.unwrap_or(Span::new(base, base));
            diagnostic.at(span)
        };
        self.diagnostics.extend(wrong.into_iter().map(placed));
        Some((file, document))
    }

    /// Refuses values for what the plan does not take.
    fn refuse_strangers(&mut self, wanted: &Wanted<'_>, inputs: &[Input], vars: &[Var], secrets: &[Entry]) {
        let known = || inputs.iter().map(|input| &input.key).chain(secrets.iter().map(|entry| &entry.key));
        let plan = &wanted.plan.value;
        for Entry { key, .. } in wanted.with {
            if known().any(|known| known.text == key.text) {
                continue;
            }
            let names: Vec<&str> = known().map(|known| &*known.text).collect();
            let list = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            let diagnostic = if vars.iter().any(|var| var.key.text == key.text) {
                Diagnostic::new(format!("`{}` is derived in `{plan}`", key.text))
            } else {
                Diagnostic::new(format!("`{plan}` has no input `{}`", key.text))
            };
            let diagnostic = match nearest(&key.text, names.iter().copied()) {
                Some(near) => diagnostic.label(format!("did you mean `{near}`?")),
                None => diagnostic,
            };
            self.diagnostics.push(diagnostic.at(key.span).note(format!("it takes: {list}")));
        }
    }

    /// Adds the inputs of a plan, with what they are given.
    fn give_inputs(&mut self, wanted: &Wanted<'_>, inputs: Vec<Input>, module: usize, (parent, step): (usize, usize)) {
        let prefix = Arc::clone(self.whole.prefix(module));
        for input in inputs {
            let given = wanted.with.iter().find(|entry| entry.key.text == input.key.text);
            let bound = given.map(|entry| Bound { value: entry.value.clone(), module: parent, step });
            let name = &input.key.text;
            if bound.is_none() && input.declaration.default.is_none() {
                let message = format!("`{}` needs a value for `{name}`", wanted.plan.value);
                let diagnostic = Diagnostic::new(message).at(wanted.plan.span);
                self.diagnostics.push(diagnostic.help(format!("give it one: `with: {{ {name}: … }}`")));
            }
            let key = Key { text: format!("{prefix}{name}").into(), span: input.key.span };
            self.whole.inputs.push(Input { key, declaration: input.declaration, module, bound });
        }
    }
}
