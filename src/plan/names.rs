//! Every name in every expression, looked up before anything runs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::{
    Diagnostic, Document, KindInfo, Loop, SourceFile, Span,
    expression::{Expression, KeyMention, Mention, Mistake, OutputMention},
    nearest,
    templates::Templates,
    yaml::{Node, NodeKind, SecretName},
};

/// What a value looks at, through vars too.
#[derive(Debug, Clone, Default)]
pub struct Uses {
    /// Steps by their place in the file, each with the first thing that mentions it, as it is written.
    pub steps: BTreeMap<usize, Arc<str>>,
    /// Loops whose outputs it looks at from outside.
    pub loops: Vec<LoopUse>,
    /// Inputs.
    pub inputs: BTreeSet<Arc<str>>,
    /// Whether what a step touches may depend on values in a way that cannot be foretold.
    pub opaque: bool,
    /// Every output that is named, with its step and where it stands.
    pub outputs: Vec<(usize, String, Span)>,
    /// Secrets.
    pub secrets: BTreeSet<Arc<str>>,
    /// Steps of which an output is named without a default.
    pub bare: BTreeSet<usize>,
    /// Whether it looks at how the run went, as only `finally` can.
    pub run: bool,
    /// Whether a mistake was found: the value cannot be worked out.
    pub broken: bool,
}

impl Uses {
    /// Whether it looks at anything that only the run will tell.
    pub fn is_open(&self) -> bool {
        self.run || !self.steps.is_empty() || !self.loops.is_empty()
    }
}

/// A look at what a loop hands on.
#[derive(Debug, Clone)]
pub struct LoopUse {
    /// The loop's place among all loops.
    pub which: usize,
    /// Of which item.
    pub key: LoopKey,
    /// The step of the group, by its place among all steps; nothing where all are meant.
    pub step: Option<usize>,
    /// As it is written.
    pub mention: Arc<str>,
    /// Where the key or what stands in its place is.
    pub span: Span,
}

/// The item that a look at a loop is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoopKey {
    /// All of them.
    Each,
    /// The one with this key.
    Text(Arc<str>),
    /// The one with the key that this expression gives.
    Computed(Arc<str>),
}

/// Where a value stands, which decides what it may look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// The default of the input at this place: inputs above it.
    Input(usize),
    /// The var at this place: inputs, vars above it, any step.
    Var(usize),
    /// The step at this place: inputs, vars, steps above it.
    Step(usize),
    /// `foreach` of the loop at this place: inputs, and vars that look at no step.
    Items(usize),
    /// The key of the items of the loop at this place: the same, and the item.
    Key(usize),
    /// The plan's outputs: everything.
    Outputs,
    /// `registries` and `secrets`: inputs, and vars that look at no step.
    Settings,
}

/// The names of a document.
#[derive(Debug)]
pub struct Names<'a> {
    document: &'a Document,
    kinds: &'a [KindInfo],
    source: &'a SourceFile,
    templates: &'a Templates,
    inputs: HashMap<&'a str, usize>,
    vars: HashMap<&'a str, usize>,
    secrets: HashSet<&'a str>,
    steps: HashMap<&'a str, usize>,
    loops: HashMap<&'a str, usize>,
    /// The steps of each group.
    inside: HashMap<(usize, &'a str), usize>,
    var_uses: Vec<Uses>,
}

impl<'a> Names<'a> {
    /// The names of `document`. Its vars are looked up at once.
    pub fn new(
        document: &'a Document,
        kinds: &'a [KindInfo],
        source: &'a SourceFile,
        templates: &'a Templates,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut names = Self {
            document,
            kinds,
            source,
            templates,
            inputs: document.inputs.iter().enumerate().map(|(at, input)| (&*input.key.text, at)).collect(),
            vars: document.vars.iter().enumerate().map(|(at, var)| (&*var.key.text, at)).collect(),
            secrets: document.secrets.iter().map(|entry| &*entry.key.text).collect(),
            steps: HashMap::new(),
            loops: document.loops.iter().enumerate().map(|(at, it)| (&*it.id.text, at)).collect(),
            inside: HashMap::new(),
            var_uses: Vec::new(),
        };
        for (at, step) in document.steps.iter().enumerate() {
            match step.within {
                None => drop(names.steps.insert(&step.id.text, at)),
                Some(within) => drop(names.inside.insert((within, &*step.id.text), at)),
            }
        }
        for (at, var) in document.vars.iter().enumerate() {
            let uses = names.check(&var.value, Position::Var(at), diagnostics);
            names.var_uses.push(uses);
        }
        names
    }

    /// What the vars look at, in file order.
    pub fn var_uses(&self) -> &[Uses] {
        &self.var_uses
    }

    /// The place of the step with that id.
    pub fn step(&self, id: &str) -> Option<usize> {
        self.steps.get(id).copied()
    }

    /// The place of the loop with that id.
    pub fn loop_called(&self, id: &str) -> Option<usize> {
        self.loops.get(id).copied()
    }

    /// The place of the step that has that id where `at` stands: in the same group, or outside of all.
    pub fn step_beside(&self, id: &str, at: usize) -> Option<usize> {
        if self.loops.is_empty() {
            return self.step(id);
        }
        let within = self.document.steps.get(at).and_then(|step| step.within);
        let group = within.filter(|within| self.document.loops.get(*within).is_some_and(|it| it.is_group));
        let beside = group.and_then(|group| self.inside.get(&(group, id)).copied());
        beside.or_else(|| self.step(id))
    }

    /// The id that was probably meant.
    pub fn nearest_step(&self, id: &str) -> Option<&str> {
        nearest(id, self.steps.keys().chain(self.loops.keys()).copied())
    }

    /// Looks up every name in `node`.
    pub fn check(&self, node: &Node, position: Position, diagnostics: &mut Vec<Diagnostic>) -> Uses {
        let mut uses = Uses::default();
        self.visit(node, position, &mut uses, diagnostics);
        uses
    }

    fn visit(&self, node: &Node, position: Position, uses: &mut Uses, diagnostics: &mut Vec<Diagnostic>) {
        match &node.kind {
            NodeKind::Scalar(scalar) => {
                let template = match self.templates.template(&scalar.text) {
                    Ok(None) => return,
                    Ok(Some(template)) => template,
                    Err(mistakes) => {
                        uses.broken = true;
                        diagnostics.extend(mistakes.iter().map(|mistake| self.place(node, mistake)));
                        return;
                    }
                };
                for expression in template.expressions() {
                    let mut looks_at_steps = false;
                    if let Some(mistake) = self.hyphenated(expression, &scalar.text) {
                        uses.broken = true;
                        diagnostics.push(self.place(node, &mistake));
                        continue;
                    }
                    let stands_alone = template.lone_name().is_some();
                    for mention in &expression.mentions.list {
                        looks_at_steps |= self.looks_at_steps(mention);
                        if matches!(mention, Mention::Output(output) if self.is_unread(&output.step)) {
                            // What is wrong with the step was said.
                            uses.broken = true;
                            continue;
                        }
                        if let Err(mistake) = self.look_up(mention, stands_alone, position, uses) {
                            uses.broken = true;
                            diagnostics.push(self.place(node, &mistake));
                        } else if let Mention::Output(mention) = mention {
                            self.note_output(mention, node, position, uses);
                        }
                    }
                    uses.opaque |= expression.mentions.opaque && looks_at_steps;
                }
            }
            NodeKind::Sequence(items) => {
                for item in items {
                    self.visit(item, position, uses, diagnostics);
                }
            }
            NodeKind::Mapping(entries) => {
                for entry in entries {
                    if entry.key.text.contains("${{") {
                        let diagnostic = Diagnostic::new("an expression cannot stand in a key").at(entry.key.span);
                        diagnostics.push(diagnostic);
                        uses.broken = true;
                    }
                    self.visit(&entry.value, position, uses, diagnostics);
                }
            }
            NodeKind::Value(_) | NodeKind::Secret(_) | NodeKind::Unknown => {}
        }
    }

    /// Whether a step has that id that could not be read.
    pub fn is_unread(&self, id: &str) -> bool {
        !self.steps.contains_key(id)
            && !self.loops.contains_key(id)
            && self.document.unread.iter().any(|unread| &*unread.text == id)
    }

    /// A name that was meant to have a hyphen in it, and would be read as a subtraction.
    fn hyphenated(&self, expression: &Expression, text: &str) -> Option<Mistake> {
        expression.mentions.list.iter().find_map(|mention| {
            let (name, range, is_step) = match mention {
                Mention::Output(output) => (&output.step, &output.step_range, true),
                Mention::Name { name, range, .. } => (name, range, false),
            };
            let exists = |name: &str| {
                if is_step {
                    self.steps.contains_key(name) || self.loops.contains_key(name) || self.is_unread(name)
                } else {
                    self.inputs.contains_key(name) || self.vars.contains_key(name) || self.secrets.contains(name)
                }
            };
            let rest = text.get(range.start..)?;
            let word = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').next()?;
            let meant = word.replace('-', "_");
            if exists(name) || !word.contains('-') || !(exists(word) || exists(&meant)) {
                return None;
            }
            let what = if is_step { "step" } else { "name" };
            let mistake = Mistake::new(range.start..range.start + word.len(), format!("`{word}` cannot be a {what}"));
            Some(mistake.label(format!("write `{meant}`")).help("`-` means minus in expressions"))
        })
    }

    /// Whether the value of the name follows from what a step hands on.
    fn looks_at_steps(&self, mention: &Mention) -> bool {
        match mention {
            Mention::Output(_) => true,
            Mention::Name { name, .. } if name == "run" => true,
            Mention::Name { name, .. } => {
                let uses = self.vars.get(name.as_str()).and_then(|var| self.var_uses.get(*var));
                uses.is_some_and(Uses::is_open)
            }
        }
    }

    fn place(&self, node: &Node, mistake: &Mistake) -> Diagnostic {
        mistake.diagnostic(node, self.source)
    }

    fn look_up(
        &self,
        mention: &Mention,
        stands_alone: bool,
        position: Position,
        uses: &mut Uses,
    ) -> Result<(), Mistake> {
        match mention {
            Mention::Output(output) if self.loop_of(output, position).is_some() => {
                let Some(which) = self.loop_of(output, position) else { return Ok(()) };
                self.use_loop(which, output, position, uses)
            }
            Mention::Output(output) => {
                let step = self.check_output(output, position)?;
                let written = match &output.output {
                    Some((name, _)) => format!("steps.{}.{name}", output.step),
                    None => format!("steps.{}", output.step),
                };
                if self.may_not_have_run(step, position) && !output.has_default {
                    let message = format!("`{written}` may have no value in `finally`: the step may not have run");
                    let mistake = Mistake::new(output.step_range.clone(), message);
                    return Err(mistake.help(format!("give it a default: `{written} | default('')`")));
                }
                // Only of vars it is asked later.
                if !output.has_default && matches!(position, Position::Var(_)) {
                    uses.bare.insert(step);
                }
                uses.steps.entry(step).or_insert_with(|| written.into());
                Ok(())
            }
            Mention::Name { name, range, member } if name == "run" && self.is_finally(position) => {
                uses.run = true;
                check_run(range, member.as_deref())
            }
            Mention::Name { name, range, .. } if self.secrets.contains(name.as_str()) => {
                check_secret(name, range, stands_alone, position)?;
                uses.secrets.insert(name.as_str().into());
                Ok(())
            }
            Mention::Name { name, .. } if self.is_item(name, position) => Ok(()),
            Mention::Name { name, range, member } => {
                if let Some(input) = self.inputs.get(name.as_str()) {
                    if matches!(position, Position::Input(at) if *input >= at) {
                        let message = format!("`{name}` stands below: a default may use the inputs above it");
                        return Err(Mistake::new(range.clone(), message));
                    }
                    uses.inputs.insert(name.as_str().into());
                    return Ok(());
                }
                match (self.vars.get(name.as_str()), position) {
                    (Some(_), Position::Input(_)) => {
                        let message = format!("`{name}` is a var: a default may use the inputs above it");
                        Err(Mistake::new(range.clone(), message))
                    }
                    (Some(var), Position::Var(at)) if *var >= at => {
                        let message = format!("`{name}` stands below: a var may use the vars above it");
                        Err(Mistake::new(range.clone(), message))
                    }
                    (Some(var), _) => self.use_var(*var, name, range, position, uses),
                    (None, _) => Err(self.no_such_name(name, range, member.as_deref())),
                }
            }
        }
    }

    fn use_var(
        &self,
        var: usize,
        name: &str,
        range: &std::ops::Range<usize>,
        position: Position,
        uses: &mut Uses,
    ) -> Result<(), Mistake> {
        let Some(of_var) = self.var_uses.get(var) else { return Ok(()) };
        uses.inputs.extend(of_var.inputs.iter().cloned());
        uses.opaque |= of_var.opaque;
        uses.broken |= of_var.broken;
        if matches!(position, Position::Var(_)) {
            uses.bare.extend(&of_var.bare);
        }
        for looked_at in &of_var.loops {
            self.check_loop(looked_at.which, name, range, position)?;
            uses.loops.push(LoopUse { mention: name.into(), ..looked_at.clone() });
        }
        if let Some(step) = of_var.bare.iter().find(|step| self.may_not_have_run(**step, position))
            && let Some(step) = self.document.steps.get(*step)
        {
            let message = format!("`{name}` looks at step `{}`, which may not have run", step.id.text);
            let help = "in `finally`, outputs have a default, also in vars: `steps.<id>.<output> | default('')`";
            return Err(Mistake::new(range.clone(), message).help(help));
        }
        if let (Some(help), Some(step)) = (position.before_steps(), of_var.steps.keys().next())
            && let Some(step) = self.document.steps.get(*step)
        {
            let message = format!("`{name}` looks at step `{}`", step.id.text);
            return Err(Mistake::new(range.clone(), message).help(help));
        }
        for step in of_var.steps.keys() {
            if let Position::Step(at) = position
                && *step >= at
                && let Some(later) = self.document.steps.get(*step)
            {
                let which = if *step == at { "is this step" } else { "stands below" };
                let message = format!("`{name}` looks at step `{}`, which {which}", later.id.text);
                return Err(Mistake::new(range.clone(), message).help("a step may refer only to steps above it"));
            }
            uses.steps.entry(*step).or_insert_with(|| name.into());
        }
        Ok(())
    }

    /// Whether a value at that position is worked out when the steps before `finally` have ended, however they did.
    const fn is_finally(&self, position: Position) -> bool {
        matches!(position, Position::Step(at) if at >= self.document.finally)
    }

    const fn may_not_have_run(&self, step: usize, position: Position) -> bool {
        step < self.document.finally && self.is_finally(position)
    }

    fn check_output(&self, mention: &OutputMention, position: Position) -> Result<usize, Mistake> {
        let id = mention.step.as_str();
        let beside = if let Position::Step(at) = position { self.step_beside(id, at) } else { self.step(id) };
        let Some(step) = beside else {
            let mistake = Mistake::new(mention.step_range.clone(), format!("there is no step `{id}`"));
            let group = self.inside.keys().filter(|(_, name)| *name == id).map(|(which, _)| *which).min();
            if let Some(group) = group.and_then(|which| self.document.loops.get(which)).filter(|it| it.is_group) {
                let group = &group.id.text;
                return Err(mistake.help(format!("it stands in `{group}`: write `steps.{group}['KEY'].{id}`")));
            }
            return Err(match self.nearest_step(id) {
                Some(near) => mistake.label(format!("did you mean `{near}`?")),
                None => mistake,
            });
        };
        match position {
            Position::Step(at) if step == at => {
                let message = format!("step `{id}` refers to itself");
                return Err(Mistake::new(mention.step_range.clone(), message));
            }
            Position::Step(at) if step > at => {
                let message = format!("step `{id}` stands below");
                let mistake = Mistake::new(mention.step_range.clone(), message);
                return Err(mistake.help("a step may refer only to steps above it; move it up, or this one down"));
            }
            Position::Input(_) => {
                return Err(Mistake::new(mention.step_range.clone(), "a default cannot look at steps"));
            }
            Position::Settings | Position::Items(_) | Position::Key(_) => {
                let mistake = Mistake::new(mention.step_range.clone(), format!("this cannot look at step `{id}`"));
                return Err(mistake.help(position.before_steps().unwrap_or_default()));
            }
            Position::Step(_) | Position::Var(_) | Position::Outputs => {}
        }
        let kind = self.document.steps.get(step).and_then(|step| self.kinds.get(step.kind_index));
        let (Some(kind), Some((output, range))) = (kind, &mention.output) else { return Ok(step) };
        if let ("outputs", Some(member)) = (output.as_str(), &mention.member) {
            let mistake = Mistake::new(range.clone(), "outputs follow the step's id directly");
            return Err(mistake.label(format!("write `steps.{id}.{member}`")));
        }
        if let Some(KeyMention::Each) = mention.key {
            let mistake = Mistake::new(range.clone(), format!("`{id}` is one step, and not a `foreach`"));
            return Err(mistake.help(format!("write `steps.{id}.<output>`")));
        }
        check_output_of(kind, id, output, range)?;
        Ok(step)
    }

    /// The loop that is looked at, from outside of it.
    fn loop_of(&self, mention: &OutputMention, position: Position) -> Option<usize> {
        if self.loops.is_empty() {
            return None;
        }
        let is_beside = matches!(position, Position::Step(at) if self.step_beside(&mention.step, at).is_some());
        self.loop_called(&mention.step).filter(|_| !is_beside)
    }

    /// Whether the loop's steps have all been said above.
    fn check_loop(
        &self,
        which: usize,
        name: &str,
        range: &std::ops::Range<usize>,
        position: Position,
    ) -> Result<(), Mistake> {
        let Some(it) = self.document.loops.get(which) else { return Ok(()) };
        let id = &it.id.text;
        let mistake = |message: String| Err(Mistake::new(range.clone(), message));
        let is_var = name != &**id;
        match position {
            Position::Step(at) if it.steps.contains(&at) && is_var => {
                mistake(format!("`{name}` looks at `{id}`, which this step is in"))
            }
            Position::Step(at) if it.steps.contains(&at) => mistake(format!("step `{id}` refers to itself")),
            Position::Step(at) if it.steps.start > at && is_var => {
                mistake(format!("`{name}` looks at step `{id}`, which stands below"))
            }
            Position::Step(at) if it.steps.start > at => mistake(format!("step `{id}` stands below")),
            Position::Input(_) => mistake("a default cannot look at steps".to_owned()),
            Position::Settings | Position::Items(_) | Position::Key(_) => {
                let found = if is_var {
                    format!("`{name}` looks at step `{id}`")
                } else {
                    format!("this cannot look at step `{id}`")
                };
                Err(Mistake::new(range.clone(), found).help(position.before_steps().unwrap_or_default()))
            }
            Position::Step(_) | Position::Var(_) | Position::Outputs => Ok(()),
        }
    }

    fn use_loop(
        &self,
        which: usize,
        mention: &OutputMention,
        position: Position,
        uses: &mut Uses,
    ) -> Result<(), Mistake> {
        self.check_loop(which, &mention.step, &mention.step_range, position)?;
        let Some(it) = self.document.loops.get(which) else { return Ok(()) };
        let id = &it.id.text;
        let mut rest = mention.rest.iter();
        let first = rest.next();
        let key = match (&mention.key, first) {
            (Some(KeyMention::Computed(source)), _) => LoopKey::Computed(source.as_str().into()),
            (Some(KeyMention::Each), _) | (None, None) => LoopKey::Each,
            (None, Some((key, _))) => LoopKey::Text(key.as_str().into()),
        };
        if it.steps.start < self.document.finally && !mention.has_default {
            if self.is_finally(position) {
                let message = format!("`steps.{id}` may have no value in `finally`: its steps may not have run");
                let mistake = Mistake::new(mention.step_range.clone(), message);
                return Err(mistake.help("put a default behind it: `| default('')`, or `| default([])` after `pluck`"));
            }
            uses.bare.extend(it.steps.clone());
        }
        let mut step = None;
        let mut written = match (&mention.key, first) {
            (Some(KeyMention::Each), _) | (None, None) => format!("steps.{id}"),
            (Some(KeyMention::Computed(source)), _) => format!("steps.{id}[{source}]"),
            (None, Some((key, _))) => format!("steps.{id}['{key}']"),
        };
        if it.is_group {
            if let Some((name, range)) = rest.next() {
                step = Some(self.step_of_group(which, it, name, range)?);
                written = format!("{written}.{name}");
            }
        } else {
            step = Some(it.steps.start);
        }
        if let (Some(step), Some((output, range))) = (step, rest.next())
            && let Some(entry) = self.document.steps.get(step)
            && let Some(kind) = self.kinds.get(entry.kind_index)
        {
            check_output_of(kind, &entry.id.text, output, range)?;
            written = format!("{written}.{output}");
        }
        let span = Span::new(0, 0);
        uses.loops.push(LoopUse { which, key, step, mention: written.into(), span });
        Ok(())
    }

    fn step_of_group(
        &self,
        which: usize,
        it: &Loop,
        name: &str,
        range: &std::ops::Range<usize>,
    ) -> Result<usize, Mistake> {
        if let Some(step) = self.inside.get(&(which, name)) {
            return Ok(*step);
        }
        let steps = self.document.steps.get(it.steps.clone()).unwrap_or_default();
        let ids: Vec<&str> = steps.iter().map(|step| &*step.id.text).collect();
        let mistake = Mistake::new(range.clone(), format!("`{}` has no step `{name}`", it.id.text));
        Err(match nearest(name, ids.iter().copied()) {
            Some(near) => mistake.label(format!("did you mean `{near}`?")),
            None => mistake.help(format!("its steps are: {}", ids.join(", "))),
        })
    }

    /// Remembers which output is named and where, for what a step may lack that others of its kind have.
    fn note_output(&self, mention: &OutputMention, node: &Node, position: Position, uses: &mut Uses) {
        let place = |range: &std::ops::Range<usize>| node.locate(self.source, range.clone());
        if let Some(which) = self.loop_of(mention, position) {
            let Some(it) = self.document.loops.get(which) else { return };
            let span = mention.rest.first().map_or(&mention.step_range, |(_, range)| range);
            if let Some(looked_at) = uses.loops.last_mut() {
                looked_at.span = place(span);
            }
            let (step, output) = match (it.is_group, mention.rest.as_slice()) {
                (false, [_, output, ..]) => (Some(it.steps.start), output),
                (true, [_, (name, _), output, ..]) => (self.inside.get(&(which, name.as_str())).copied(), output),
                _ => return,
            };
            uses.outputs.extend(step.map(|step| (step, output.0.clone(), place(&output.1))));
            return;
        }
        let beside = match position {
            Position::Step(at) => self.step_beside(&mention.step, at),
            _ => self.step(&mention.step),
        };
        if let (Some(step), Some((output, range))) = (beside, &mention.output) {
            uses.outputs.push((step, output.clone(), place(range)));
        }
    }

    /// Whether that is what the item is called at that position.
    fn is_item(&self, name: &str, position: Position) -> bool {
        let which = match position {
            Position::Step(at) => self.document.steps.get(at).and_then(|step| step.within),
            Position::Key(which) => Some(which),
            _ => None,
        };
        which.and_then(|which| self.document.loops.get(which)).is_some_and(|it| &*it.item.text == name)
    }

    fn no_such_name(&self, name: &str, range: &std::ops::Range<usize>, member: Option<&str>) -> Mistake {
        let mistake = Mistake::new(range.clone(), format!("no such name `{name}`"));
        match (name, member) {
            ("env", Some(variable)) => {
                let mistake = mistake.label("the environment is read by inputs alone");
                mistake.help(format!(
                    "declare it: `inputs: {{ {variable}: {{ env: {variable} }} }}`, and write `{variable}`"
                ))
            }
            ("secrets", Some(secret)) if !self.secrets.contains(secret) => {
                let mistake = mistake.label("a secret is declared in the plan");
                mistake
                    .help(format!("declare it: `secrets: {{ {secret}: {{ env: {secret} }} }}`, and write `{secret}`"))
            }
            ("inputs" | "vars" | "secrets", Some(member)) => mistake.label(format!("write `{member}` alone")),
            _ if self.document.loops.iter().any(|it| &*it.item.text == name) => {
                let of = self.document.loops.iter().find(|it| &*it.item.text == name);
                let of = of.map(|it| it.id.text.to_string()).unwrap_or_default();
                mistake.label(format!("it is an item of `{of}`, and known in its steps alone"))
            }
            ("run", _) => mistake.label("only `finally` knows how the run went"),
            _ if self.steps.contains_key(name) || self.loops.contains_key(name) => {
                mistake.label(format!("`{name}` is a step: write `steps.{name}.<output>`"))
            }
            _ => {
                let known = self.inputs.keys().chain(self.vars.keys()).chain(&self.secrets).copied();
                match nearest(name, known) {
                    Some(near) => mistake.label(format!("did you mean `{near}`?")),
                    None => mistake.help("declare it under `inputs` or `vars`"),
                }
            }
        }
    }
}

/// What is known of the run in `finally`.
fn check_run(range: &std::ops::Range<usize>, member: Option<&str>) -> Result<(), Mistake> {
    const MEMBERS: [&str; 2] = ["status", "failed"];
    let Some(member) = member.filter(|member| !MEMBERS.contains(member)) else { return Ok(()) };
    let mistake = Mistake::new(range.clone(), format!("`run` has no `{member}`"));
    let mistake = match nearest(member, MEMBERS) {
        Some(near) => mistake.label(format!("did you mean `run.{near}`?")),
        None => mistake,
    };
    Err(mistake
        .help("`run.status` is `succeeded`, `failed` or `interrupted`; `run.failed` is true unless it succeeded"))
}

impl Position {
    /// What to say of steps where none has run yet.
    const fn before_steps(self) -> Option<&'static str> {
        match self {
            Self::Settings => Some(
                "`registries`, `secrets` and `allow` are read before any step runs: use inputs, and vars without steps",
            ),
            Self::Items(_) | Self::Key(_) => {
                Some("the items of a `foreach` are known before any step runs: use inputs, and vars without steps")
            }
            Self::Input(_) | Self::Var(_) | Self::Step(_) | Self::Outputs => None,
        }
    }
}

/// What is wrong with naming that output of a step of that kind.
fn check_output_of(kind: &KindInfo, id: &str, output: &str, range: &std::ops::Range<usize>) -> Result<(), Mistake> {
    if kind.outputs.contains(&output) {
        return Ok(());
    }
    let mistake = Mistake::new(range.clone(), format!("step `{id}` has no output `{output}`"));
    let mistake = match nearest(output, kind.outputs.iter().copied()) {
        Some(near) => mistake.label(format!("did you mean `{near}`?")),
        None => mistake,
    };
    Err(mistake.help(format!("`{id}` is of kind `{}`; it has: {}", kind.name, kind.outputs.join(", "))))
}

/// A secret may stand only where a field may take it; whether that one does, its type says.
fn check_secret(
    name: &str,
    range: &std::ops::Range<usize>,
    stands_alone: bool,
    position: Position,
) -> Result<(), Mistake> {
    let holder = match position {
        Position::Step(_) | Position::Settings if stands_alone => return Ok(()),
        Position::Step(_) | Position::Settings => "text and other expressions",
        Position::Items(_) | Position::Key(_) => "`foreach`",
        Position::Input(_) => "defaults of inputs",
        Position::Var(_) => "vars",
        Position::Outputs => "outputs",
    };
    let mistake = Mistake::new(range.clone(), format!("`{name}` is a secret: {holder} cannot hold it"));
    Err(mistake.help(SecretName::HOLDERS))
}

#[cfg(test)]
mod tests;
