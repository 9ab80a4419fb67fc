//! Every name in every expression, looked up before anything runs.

mod outputs;
mod position;
mod unknown;
mod uses;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

pub use self::{
    position::Position,
    uses::{LoopKey, LoopUse, Uses},
};
use super::{
    Bound, Diagnostic, Document, KindInfo, Loop, SourceFile, Span,
    expression::{Expression, KeyMention, Mention, Mistake, OutputMention},
    nearest,
    templates::Templates,
    yaml::{Node, NodeKind, SecretName},
};

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
    /// Of the inputs of included plans, through what they are given.
    input_uses: Vec<Uses>,
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
            secrets: HashSet::new(),
            steps: HashMap::new(),
            loops: document.loops.iter().enumerate().map(|(at, it)| (&*it.id.text, at)).collect(),
            inside: HashMap::new(),
            var_uses: Vec::new(),
            input_uses: Vec::new(),
        };
        names.secrets.extend(document.secrets.iter().map(|entry| &*entry.key.text));
        names.secrets.extend(document.given_secrets.keys().map(|name| &**name));
        for (at, step) in document.steps.iter().enumerate() {
            match step.within {
                None => drop(names.steps.insert(&step.id.text, at)),
                Some(within) => drop(names.inside.insert((within, &*step.id.text), at)),
            }
        }
        // Plan by plan: what one is given looks at names of the one that includes it, which comes before it.
        for module in 0..=document.included.len() {
            while let Some(input) = document.inputs.get(names.input_uses.len()).filter(|it| it.module == module) {
                let at = names.input_uses.len();
                let uses = match (&input.bound, &input.declaration.default) {
                    (Some(Bound { value, module, step }), _) => {
                        names.check(value, Position::Around { step: *step, module: *module }, diagnostics)
                    }
                    (None, Some(default)) if module > 0 => names.check(default, Position::Input(at), diagnostics),
                    (None, _) => Uses::default(),
                };
                names.input_uses.push(uses);
            }
            while let Some(var) = document.vars.get(names.var_uses.len()).filter(|it| it.module == module) {
                let uses = names.check(&var.value, Position::Var(names.var_uses.len()), diagnostics);
                names.var_uses.push(uses);
            }
        }
        names
    }

    /// What the inputs of included plans look at through what they are given, in the order of all inputs.
    pub fn input_uses(&self) -> &[Uses] {
        &self.input_uses
    }

    /// The plan whose names are meant there.
    fn module(&self, position: Position) -> usize {
        let document = self.document;
        let found = match position {
            Position::Input(at) => document.inputs.get(at).map(|it| it.module),
            Position::Var(at) => document.vars.get(at).map(|it| it.module),
            Position::Step(at) => document.steps.get(at).map(|it| it.module),
            Position::Items(which) | Position::Key(which) => document.loops.get(which).map(|it| it.module),
            Position::Around { module, .. } | Position::Settings(module) => Some(module),
            Position::Outputs => None,
        };
        found.unwrap_or_default()
    }

    /// A name as all names are kept: of an included plan behind its prefix, which nobody can write.
    fn full<'n>(&self, name: &'n str, position: Position) -> Cow<'n, str> {
        if self.document.included.is_empty() {
            return name.into();
        }
        if name.contains('/') {
            return "/".into();
        }
        match &**self.document.prefix(self.module(position)) {
            "" => name.into(),
            prefix => format!("{prefix}{name}").into(),
        }
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
        // A step that is done for each item is not beside itself; the steps of a plan that it includes are beside each other.
        let has_names =
            |within: &usize| self.document.loops.get(*within).is_some_and(|it| it.is_group || &*it.id.text != id);
        let group = within.filter(has_names);
        let beside = group.and_then(|group| self.inside.get(&(group, id)).copied());
        beside.or_else(|| self.step(id))
    }

    /// The id that was probably meant.
    pub fn nearest_step(&self, id: &str) -> Option<&str> {
        let (prefix, own) = id.rsplit_once('/').map_or(("", id), |(prefix, own)| (prefix, own));
        let known =
            self.steps.keys().chain(self.loops.keys()).map(|known| known.rsplit_once('/').unwrap_or(("", known)));
        nearest(own, known.filter(|(other, _)| *other == prefix).map(|(_, known)| known))
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
                    let meant = self.hyphenated(expression, &scalar.text, position);
                    if let Some(mistake) = meant.or_else(|| self.unquoted_key(expression, &scalar.text, position)) {
                        uses.broken = true;
                        diagnostics.push(self.place(node, &mistake));
                        continue;
                    }
                    let stands_alone = template.lone_name().is_some();
                    for mention in &expression.mentions.list {
                        looks_at_steps |= self.looks_at_steps(mention, position);
                        let is_unread = |id: &str| self.is_unread(&self.full(id, position));
                        if matches!(mention, Mention::Output(output) if is_unread(&output.step)) {
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

    /// Whether the value of the name follows from what a step hands on.
    fn looks_at_steps(&self, mention: &Mention, position: Position) -> bool {
        match mention {
            Mention::Output(_) => true,
            Mention::Name { name, .. } if name == "run" => true,
            Mention::Name { name, .. } => {
                let full = self.full(name, position);
                let of_var = self.vars.get(&*full).and_then(|var| self.var_uses.get(*var));
                let uses = of_var.or_else(|| self.input_uses.get(*self.inputs.get(&*full)?));
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
                if !output.has_default && matches!(position, Position::Var(_) | Position::Around { .. }) {
                    uses.bare.insert(step);
                }
                uses.steps.entry(step).or_insert_with(|| written.into());
                Ok(())
            }
            Mention::Name { name, range, member } if name == "run" && self.is_finally(position) => {
                uses.run = true;
                check_run(range, member.as_deref())
            }
            Mention::Name { name, range, .. } if self.secrets.contains(&*self.full(name, position)) => {
                check_secret(name, range, stands_alone, position)?;
                let full = self.full(name, position);
                let given = self.document.given_secrets.get(&*full);
                uses.secrets.insert(given.cloned().unwrap_or_else(|| full.into()));
                Ok(())
            }
            Mention::Name { name, .. } if self.is_item(&self.full(name, position), position) => Ok(()),
            Mention::Name { name, range, member } => {
                let full = self.full(name, position);
                if let Some(input) = self.inputs.get(&*full) {
                    if matches!(position, Position::Input(at) if *input >= at) {
                        let message = format!("`{name}` stands below: a default may use the inputs above it");
                        return Err(Mistake::new(range.clone(), message));
                    }
                    uses.inputs.insert(full.into());
                    return match self.input_uses.get(*input) {
                        Some(of_input) => self.use_through(of_input, name, range, position, uses),
                        None => Ok(()),
                    };
                }
                match (self.vars.get(&*full), position) {
                    (Some(_), Position::Input(_)) => {
                        let message = format!("`{name}` is a var: a default may use the inputs above it");
                        Err(Mistake::new(range.clone(), message))
                    }
                    (Some(var), Position::Var(at)) if *var >= at => {
                        let message = format!("`{name}` stands below: a var may use the vars above it");
                        Err(Mistake::new(range.clone(), message))
                    }
                    (Some(var), _) => self.use_var(*var, name, range, position, uses),
                    (None, _) => Err(self.no_such_name(name, range, member.as_deref(), position)),
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
        self.use_through(of_var, name, range, position, uses)
    }

    /// Looks at what a var or an input looks at.
    fn use_through(
        &self,
        of_var: &Uses,
        name: &str,
        range: &std::ops::Range<usize>,
        position: Position,
        uses: &mut Uses,
    ) -> Result<(), Mistake> {
        uses.run |= of_var.run;
        uses.inputs.extend(of_var.inputs.iter().cloned());
        uses.opaque |= of_var.opaque;
        uses.broken |= of_var.broken;
        if matches!(position, Position::Var(_) | Position::Around { .. } | Position::Input(_)) {
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
            if let Some(at) = position.before()
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
        match position.before() {
            Some(at) => at >= self.document.finally,
            None => false,
        }
    }

    const fn may_not_have_run(&self, step: usize, position: Position) -> bool {
        step < self.document.finally && self.is_finally(position)
    }

    /// Whether that is what the item is called at that position.
    fn is_item(&self, name: &str, position: Position) -> bool {
        let which = match position {
            Position::Step(at) | Position::Around { step: at, .. } => {
                self.document.steps.get(at).and_then(|step| step.within)
            }
            Position::Key(which) => Some(which),
            _ => None,
        };
        which.and_then(|which| self.document.loops.get(which)).is_some_and(|it| &*it.item.text == name)
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

/// What is wrong with naming that output of a step of that kind.
fn check_output_of(
    outputs: &[&str],
    is: &str,
    id: &str,
    output: &str,
    range: &std::ops::Range<usize>,
) -> Result<(), Mistake> {
    if outputs.contains(&output) {
        return Ok(());
    }
    let mistake = Mistake::new(range.clone(), format!("step `{id}` has no output `{output}`"));
    let mistake = match nearest(output, outputs.iter().copied()) {
        Some(near) => mistake.label(format!("did you mean `{near}`?")),
        None => mistake,
    };
    Err(mistake.help(format!("`{id}` {is}; it has: {}", outputs.join(", "))))
}

/// A secret may stand only where a field may take it; whether that one does, its type says.
fn check_secret(
    name: &str,
    range: &std::ops::Range<usize>,
    stands_alone: bool,
    position: Position,
) -> Result<(), Mistake> {
    let holder = match position {
        Position::Step(_) | Position::Settings(_) if stands_alone => return Ok(()),
        Position::Step(_) | Position::Settings(_) => "text and other expressions",
        Position::Around { .. } => "inputs of included plans",
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
