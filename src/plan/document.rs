use std::sync::Arc;

use super::{
    Defaults, Diagnostic, Input, KindInfo, Loop, RetryDeclaration, Span, TimeLimit,
    foreach::ForEach,
    input::InputDeclaration,
    meant,
    yaml::{Entry, Key, Node, NodeKind, Spanned, decode},
};

/// A plan as it is written: shape checked, names and values not yet.
#[derive(Debug, Default)]
pub struct Document {
    /// What people call it.
    pub name: Option<String>,
    /// What holds for every step that does not say otherwise.
    pub defaults: Defaults,
    /// In file order.
    pub inputs: Vec<Input>,
    /// In file order.
    pub vars: Vec<Var>,
    /// Names and declarations, in file order.
    pub secrets: Vec<Entry>,
    /// Names of registries, perhaps with expressions in them, and what is said about each, in file order.
    pub registries: Vec<Entry>,
    /// What the plan may do, expressions and all.
    pub allow: Option<Node>,
    /// What a rehearsal begins with, expressions and all.
    pub rehearse: Option<Node>,
    /// In file order; those of `finally` come last.
    pub steps: Vec<StepEntry>,
    /// The place of the first step of `finally`: how many steps stand before them.
    pub finally: usize,
    /// What is done for each of several items, in file order. Their steps are among all steps.
    pub loops: Vec<Loop>,
    /// The ids of steps that could not be read: they are there, but nothing is known of them.
    pub unread: Vec<Key>,
    /// What the run hands to the outside, in file order.
    pub outputs: Vec<Entry>,
}

/// A derived value.
#[derive(Debug)]
pub struct Var {
    /// Its name and where it stands.
    pub key: Key,
    /// Its value, with expressions in it.
    pub value: Node,
}

/// A step as it is written.
#[derive(Debug, Clone)]
pub struct StepEntry {
    /// Its id and where it stands.
    pub id: Key,
    /// The steps that it waits for by hand.
    pub needs: Vec<Spanned<String>>,
    /// How often and how long it is tried again.
    pub retry: RetryDeclaration,
    /// The conditions under which it runs: that of its group and its own.
    pub when: Vec<Node>,
    /// How long it may take.
    pub timeout: Option<TimeLimit>,
    /// Where it says that its failure does not count.
    pub continue_on_error: Option<Span>,
    /// The kind's key.
    pub kind: Key,
    /// The kind's place in the list of kinds.
    pub kind_index: usize,
    /// What stands under the kind's key.
    pub body: Node,
    /// The loop that it is in, by its place among the loops.
    pub within: Option<usize>,
}

const TOP: &[&str] = &[
    "consign",
    "name",
    "description",
    "inputs",
    "vars",
    "secrets",
    "registries",
    "allow",
    "defaults",
    "rehearse",
    "steps",
    "finally",
    "outputs",
];
const STEP: &[&str] = &["id", "description", "foreach", "when", "needs", "timeout", "retry", "continue_on_error"];
const GROUP: &[&str] = &["id", "description", "foreach", "when", "needs", "steps"];
/// The version of the language.
const VERSION: u64 = 1;

impl Document {
    /// Reads the shape of a plan. What is wrong goes to `diagnostics`; the rest is in the document all the same.
    pub fn read(root: Node, kinds: &[KindInfo], diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut document = Self::default();
        let NodeKind::Mapping(entries) = root.kind else {
            let diagnostic = Diagnostic::new("a plan is a mapping").at(root.span);
            diagnostics.push(diagnostic.help("begin with `consign: 1` and a list of `steps:`"));
            return document;
        };
        let has = |name: &str| entries.iter().any(|entry| &*entry.key.text == name);
        let missing = [("consign", has("consign")), ("steps", has("steps"))];
        let (mut steps, mut finally) = (None, None);
        for entry in entries {
            match &*entry.key.text {
                "steps" => steps = Some(entry),
                "finally" => finally = Some(entry),
                _ => document.read_entry(entry, diagnostics),
            }
        }
        if let Some(list) = steps {
            document.read_steps(list, kinds, diagnostics);
        }
        document.finally = document.steps.len();
        if let Some(list) = finally {
            document.read_steps(list, kinds, diagnostics);
        }
        for (name, help) in [
            ("consign", "say which version of the language it is written in: `consign: 1`"),
            ("steps", "a plan has a list of `steps:`"),
        ] {
            if missing.contains(&(name, false)) {
                diagnostics.push(Diagnostic::new(format!("the plan has no `{name}`")).help(help));
            }
        }
        document.check_ids(diagnostics);
        document
    }

    fn read_entry(&mut self, entry: Entry, diagnostics: &mut Vec<Diagnostic>) {
        let value = &entry.value;
        match &*entry.key.text {
            "consign" => match decode::<u64>(value, "consign", diagnostics) {
                Some(VERSION) | None => {}
                Some(other) => diagnostics.push(
                    Diagnostic::new(format!("this consign reads version {VERSION} of the language, not {other}"))
                        .at(value.span),
                ),
            },
            "name" => self.name = decode(value, "name", diagnostics),
            "description" => drop(decode::<String>(value, "description", diagnostics)),
            "inputs" => {
                for entry in mapping(value, "inputs", diagnostics) {
                    let declaration = decode::<InputDeclaration>(&entry.value, "an input", diagnostics);
                    let declaration = declaration.unwrap_or_default();
                    self.inputs.push(Input { key: entry.key.clone(), declaration });
                }
            }
            "vars" => {
                let vars = mapping(value, "vars", diagnostics);
                self.vars =
                    vars.iter().map(|entry| Var { key: entry.key.clone(), value: entry.value.clone() }).collect();
            }
            "secrets" => self.secrets = mapping(value, "secrets", diagnostics).to_vec(),
            "registries" => self.registries = mapping(value, "registries", diagnostics).to_vec(),
            "allow" => self.allow = Some(entry.value),
            "rehearse" => self.rehearse = Some(entry.value),
            "defaults" => self.defaults = decode(value, "defaults", diagnostics).unwrap_or_default(),
            "outputs" => self.outputs = mapping(value, "outputs", diagnostics).to_vec(),
            free if free.starts_with("x-") => {}
            other => diagnostics.push(unknown_key(other, entry.key.span, "a plan", TOP)),
        }
    }

    /// Reads the steps of a list, as far as they can be read.
    fn read_steps(&mut self, list: Entry, kinds: &[KindInfo], diagnostics: &mut Vec<Diagnostic>) {
        for item in items_of(list, diagnostics) {
            let id = id_of(&item);
            let before = (self.steps.len(), self.loops.len());
            if item.get("steps").is_some() {
                self.read_group(item, kinds, diagnostics);
            } else if let Some((step, foreach)) = read_step(item, kinds, diagnostics) {
                self.add_step(step, foreach);
            }
            if before == (self.steps.len(), self.loops.len()) {
                self.unread.extend(id);
            }
        }
    }

    fn add_step(&mut self, mut step: StepEntry, foreach: Option<ForEach>) {
        if let Some(ForEach { items, item, key, max_parallel }) = foreach {
            step.within = Some(self.loops.len());
            let steps = self.steps.len()..self.steps.len() + 1;
            let id = step.id.clone();
            self.loops.push(Loop { id, items, item, key, max_parallel, steps, is_group: false });
        }
        self.steps.push(step);
    }

    /// Reads several steps under one `foreach`.
    fn read_group(&mut self, group: Node, kinds: &[KindInfo], diagnostics: &mut Vec<Diagnostic>) {
        let place = group.span;
        let NodeKind::Mapping(entries) = group.kind else { return };
        let (mut id, mut foreach, mut when, mut needs, mut list) = (None, None, None, Vec::new(), None);
        let before = diagnostics.len();
        for entry in entries {
            match &*entry.key.text {
                "id" => {
                    let text = decode::<Spanned<String>>(&entry.value, "a group", diagnostics);
                    id = text.map(|text| Key { span: text.span, text: text.value.into() });
                }
                "description" => drop(decode::<String>(&entry.value, "a group", diagnostics)),
                "foreach" => foreach = ForEach::read(&entry.key, &entry.value, diagnostics),
                "when" => when = Some(entry.value),
                "needs" => needs = decode(&entry.value, "needs", diagnostics).unwrap_or_default(),
                "steps" => list = Some(entry),
                other if STEP.contains(&other) => {
                    let diagnostic = Diagnostic::new(format!("a group of steps has no `{other}`")).at(entry.key.span);
                    diagnostics.push(diagnostic.help("say it in its steps"));
                }
                other => diagnostics.push(unknown_key(other, entry.key.span, "a group of steps", GROUP)),
            }
        }
        if id.is_none() && diagnostics.len() == before {
            diagnostics.push(Diagnostic::new("the group has no `id`").at(place).help("give it a name: `id: name`"));
        }
        if foreach.is_none() && diagnostics.len() == before {
            let diagnostic = Diagnostic::new("a group of steps needs `foreach`").at(place);
            diagnostics.push(diagnostic.help("without it, write its steps into the list that the group stands in"));
        }
        let within = self.loops.len();
        let first = self.steps.len();
        for item in list.map_or_else(Vec::new, |list| items_of(list, diagnostics)) {
            if item.get("steps").is_some() {
                let diagnostic = Diagnostic::new("a group cannot stand in a group").at(item.span);
                diagnostics.push(diagnostic.help("make the items of one `foreach` of both lists"));
                continue;
            }
            let Some((mut step, inner)) = read_step(item, kinds, diagnostics) else { continue };
            if inner.is_some() {
                let diagnostic = Diagnostic::new("a `foreach` cannot stand in a group").at(step.id.span);
                diagnostics.push(diagnostic.help("make the items of one `foreach` of both lists"));
            }
            step.within = Some(within);
            step.needs.extend(needs.iter().cloned());
            if let Some(when) = &when {
                step.when.insert(0, when.clone());
            }
            self.steps.push(step);
        }
        if self.steps.len() == first && diagnostics.len() == before {
            diagnostics.push(Diagnostic::new("the group has no steps").at(place));
        }
        let (Some(id), Some(ForEach { items, item, key, max_parallel })) = (id, foreach) else {
            self.steps.truncate(first);
            return;
        };
        self.loops.push(Loop { id, items, item, key, max_parallel, steps: first..self.steps.len(), is_group: true });
    }

    /// Ids and names can stand in expressions, and no two are the same.
    fn check_ids(&self, diagnostics: &mut Vec<Diagnostic>) {
        let mut seen: std::collections::HashMap<&str, &str> = std::collections::HashMap::new();
        let inputs = self.inputs.iter().map(|input| ("input", &input.key));
        let vars = self.vars.iter().map(|var| ("var", &var.key));
        let secrets = self.secrets.iter().map(|entry| ("secret", &entry.key));
        for (what, key) in inputs.chain(vars).chain(secrets) {
            check_name(what, key, diagnostics);
            if matches!(&*key.text, "steps" | "run") {
                diagnostics.push(Diagnostic::new(format!("`{}` is a reserved name", key.text)).at(key.span));
            }
            if let Some(earlier) = seen.insert(&key.text, what) {
                let message =
                    format!("`{}` is an {earlier} already; inputs, vars and secrets share one name space", key.text);
                diagnostics.push(Diagnostic::new(message).at(key.span).label("give it another name"));
            }
        }
        for it in &self.loops {
            if matches!(&*it.item.text, "steps" | "run") {
                diagnostics.push(Diagnostic::new(format!("`{}` is a reserved name", it.item.text)).at(it.item.span));
            }
            if let Some(earlier) = seen.get(&*it.item.text) {
                let message = format!("the item of `{}` would hide the {earlier} `{}`", it.id.text, it.item.text);
                let diagnostic = Diagnostic::new(message).at(it.item.span);
                diagnostics.push(diagnostic.help("give it another name: `foreach: { in: …, as: name }`"));
            }
        }
        self.check_step_ids(diagnostics);
    }

    fn check_step_ids(&self, diagnostics: &mut Vec<Diagnostic>) {
        // What stands in a group is known there alone, but must not be taken for what stands outside.
        let mut outside = std::collections::HashSet::new();
        let mut inside = std::collections::HashSet::new();
        let group_of =
            |step: &StepEntry| step.within.filter(|within| self.loops.get(*within).is_some_and(|it| it.is_group));
        let groups = self.loops.iter().filter(|it| it.is_group).map(|it| &it.id);
        for (id, group) in self.steps.iter().map(|step| (&step.id, group_of(step))).chain(groups.map(|id| (id, None))) {
            check_name("step", id, diagnostics);
            let is_new = match group {
                None => outside.insert(&*id.text),
                Some(group) => inside.insert((group, &*id.text)),
            };
            if !is_new {
                let message = format!("two steps have the id `{}`", id.text);
                diagnostics.push(Diagnostic::new(message).at(id.span).label("give it another id"));
            }
        }
        for step in self.steps.iter().filter(|step| group_of(step).is_some()) {
            if outside.contains(&*step.id.text) {
                let message = format!("`{}` is the id of a step outside of the group too", step.id.text);
                diagnostics.push(Diagnostic::new(message).at(step.id.span).label("give it another id"));
            }
        }
    }
}

/// `[A-Za-z_][A-Za-z0-9_]*`: what can stand in an expression as it is.
pub(super) fn check_name(what: &str, key: &Key, diagnostics: &mut Vec<Diagnostic>) {
    let name = &*key.text;
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if starts_well && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return;
    }
    let id = if what == "step" { "an id" } else { "a name" };
    let diagnostic = Diagnostic::new(format!("`{name}` cannot be {id}")).at(key.span);
    let fixed: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
    let fixed = if fixed.starts_with(|first: char| first.is_ascii_digit()) { format!("_{fixed}") } else { fixed };
    let diagnostic = if fixed.is_empty() { diagnostic } else { diagnostic.label(format!("write `{fixed}`")) };
    diagnostics.push(if name.contains('-') {
        diagnostic.note("`-` means minus in expressions")
    } else {
        diagnostic.note("letters, digits and `_` are allowed, not beginning with a digit")
    });
}

pub(super) fn mapping<'a>(node: &'a Node, what: &str, diagnostics: &mut Vec<Diagnostic>) -> &'a [Entry] {
    node.entries().unwrap_or_else(|| {
        diagnostics.push(Diagnostic::new(format!("`{what}` takes names with their values")).at(node.span));
        &[]
    })
}

pub(super) fn unknown_key(key: &str, span: Span, what: &str, known: &[&str]) -> Diagnostic {
    let diagnostic = Diagnostic::new(format!("unknown key `{key}` in {what}")).at(span);
    let diagnostic = match meant(key, known) {
        Some(near) => diagnostic.label(format!("did you mean `{near}`?")),
        None => diagnostic,
    };
    diagnostic.note(format!("{what} takes: {}", known.join(", ")))
}

/// The items of a list of steps.
fn items_of(list: Entry, diagnostics: &mut Vec<Diagnostic>) -> Vec<Node> {
    let span = list.value.span;
    let NodeKind::Sequence(items) = list.value.kind else {
        let diagnostic = Diagnostic::new(format!("`{}` takes a list", list.key.text)).at(span);
        diagnostics.push(diagnostic.help("write `- id: name` and a kind such as `push:` for each step"));
        return Vec::new();
    };
    items
}

fn id_of(step: &Node) -> Option<Key> {
    let id = step.get("id")?;
    Some(Key { span: id.span, text: Arc::clone(&id.scalar()?.text) })
}

fn read_step(
    item: Node,
    kinds: &[KindInfo],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<(StepEntry, Option<ForEach>)> {
    let NodeKind::Mapping(entries) = item.kind else {
        let diagnostic = Diagnostic::new("a step is a mapping").at(item.span);
        diagnostics.push(diagnostic.help("write `- id: name` and a kind such as `push:`"));
        return None;
    };
    let (mut id, mut needs, mut retry, mut found) = (None, Vec::new(), RetryDeclaration::default(), Vec::new());
    let (mut when, mut timeout, mut continue_on_error, mut foreach) = (Vec::new(), None, None, None);
    let place = entries.first().map_or(item.span, |entry| entry.key.span);
    for entry in &entries {
        let kind = kinds.iter().position(|kind| kind.name == &*entry.key.text);
        match (&*entry.key.text, kind) {
            ("id", _) => {
                let text = decode::<String>(&entry.value, "a step", diagnostics)?;
                id = Some(Key { span: entry.value.span, text: text.into() });
            }
            ("description", _) => drop(decode::<String>(&entry.value, "a step", diagnostics)),
            ("needs", _) => needs = decode(&entry.value, "needs", diagnostics).unwrap_or_default(),
            ("foreach", _) => foreach = Some(ForEach::read(&entry.key, &entry.value, diagnostics)?),
            ("when", _) => when.push(entry.value.clone()),
            ("timeout", _) => timeout = decode(&entry.value, "timeout", diagnostics),
            ("continue_on_error", _) => {
                let says_so = decode::<bool>(&entry.value, "continue_on_error", diagnostics);
                continue_on_error = says_so.filter(|says_so| *says_so).map(|_| entry.key.span);
            }
            ("retry", _) => retry = decode(&entry.value, "retry", diagnostics).unwrap_or_default(),
            (_, Some(kind)) => found.push((kind, entry)),
            (other, None) => {
                let known: Vec<_> = STEP.iter().copied().chain(kinds.iter().map(|kind| kind.name)).collect();
                diagnostics.push(unknown_key(other, entry.key.span, "a step", &known));
            }
        }
    }
    if let [(_, first), (_, second), ..] = found.as_slice() {
        let message = format!("a step has one kind, this one has two: `{}` and `{}`", first.key.text, second.key.text);
        let diagnostic = Diagnostic::new(message).at(second.key.span);
        diagnostics.push(diagnostic.label("make it a step of its own"));
    }
    if id.is_none() {
        diagnostics.push(Diagnostic::new("the step has no `id`").at(place).help("give it a name: `id: name`"));
    }
    let Some((kind_index, kind)) = found.first() else {
        // A misspelt kind was reported as an unknown key already.
        if entries.iter().all(|entry| STEP.contains(&&*entry.key.text)) {
            let names: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
            let diagnostic = Diagnostic::new("the step has no kind").at(place);
            diagnostics.push(diagnostic.note(format!("the kinds are: {}", names.join(", "))));
        }
        return None;
    };
    if matches!(kind.value.kind, NodeKind::Scalar(_)) {
        let diagnostic = Diagnostic::new(format!("`{}` takes fields, not text", kind.key.text)).at(kind.value.span);
        diagnostics.push(diagnostic.help(format!("`consign kinds {}` shows them", kind.key.text)));
        return None;
    }
    let (kind_index, key) = (*kind_index, kind.key.clone());
    // Moved, not copied: the bodies are most of a large plan.
    let body = entries.into_iter().find(|entry| entry.key == key)?.value;
    let entry = StepEntry {
        id: id?,
        needs,
        retry,
        when,
        timeout,
        continue_on_error,
        kind: key,
        kind_index,
        body,
        within: None,
    };
    Some((entry, foreach))
}
