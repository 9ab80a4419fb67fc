//! What to say of a name that nothing has.

use super::{Expression, Loop, Mention, Mistake, Names, Position, nearest};

impl Names<'_> {
    /// A name that was meant to have a hyphen in it, and would be read as a subtraction.
    pub(super) fn hyphenated(&self, expression: &Expression, text: &str, position: Position) -> Option<Mistake> {
        expression.mentions.list.iter().find_map(|mention| {
            let (name, range, is_step) = match mention {
                Mention::Output(output) => (&output.step, &output.step_range, true),
                Mention::Name { name, range, .. } => (name, range, false),
            };
            let exists = |name: &str| {
                let name = &*self.full(name, position);
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

    /// The key of a `foreach` that was meant as text, and would be read as a name.
    pub(super) fn unquoted_key(&self, expression: &Expression, text: &str, position: Position) -> Option<Mistake> {
        expression.mentions.list.iter().find_map(|mention| {
            let Mention::Name { name, range, .. } = mention else { return None };
            let full = &*self.full(name, position);
            let is_known = self.inputs.contains_key(full)
                || self.vars.contains_key(full)
                || self.secrets.contains(full)
                || self.is_item(full, position);
            let before = text.get(..range.start)?.trim_end().strip_suffix('[')?.trim_end();
            let id = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
            let is_of_steps = before.strip_suffix(id)?.trim_end().strip_suffix('.')?.trim_end().ends_with("steps");
            let is_whole = text.get(range.end..)?.trim_start().starts_with(']');
            if is_known || !is_of_steps || !is_whole || !self.loops.contains_key(&*self.full(id, position)) {
                return None;
            }
            let mistake = Mistake::new(range.clone(), format!("no such name `{name}`"));
            Some(mistake.label(format!("a key is text: write `steps.{id}['{name}']`")))
        })
    }

    pub(super) fn no_such_name(
        &self,
        name: &str,
        range: &std::ops::Range<usize>,
        member: Option<&str>,
        position: Position,
    ) -> Mistake {
        let module = self.module(position);
        let prefix = &**self.document.prefix(module);
        let full = &*self.full(name, position);
        let mistake = Mistake::new(range.clone(), format!("no such name `{name}`"));
        match (name, member) {
            ("env", Some(variable)) => {
                let mistake = mistake.label("the environment is read by inputs alone");
                mistake.help(format!(
                    "declare it: `inputs: {{ {variable}: {{ env: {variable} }} }}`, and write `{variable}`"
                ))
            }
            ("secrets", Some(secret)) if !self.secrets.contains(&*self.full(secret, position)) => {
                let mistake = mistake.label("a secret is declared in the plan");
                mistake
                    .help(format!("declare it: `secrets: {{ {secret}: {{ env: {secret} }} }}`, and write `{secret}`"))
            }
            ("inputs" | "vars" | "secrets", Some(member)) => mistake.label(format!("write `{member}` alone")),
            _ if self.document.loops.iter().any(|it| &*it.item.text == full) => {
                let of = self.document.loops.iter().find(|it| &*it.item.text == full);
                let of = of.map(Loop::own_id).unwrap_or_default();
                mistake.label(format!("it is an item of `{of}`, and known in its steps alone"))
            }
            ("run", _) => mistake.label("only `finally` knows how the run went"),
            _ if self.steps.contains_key(full) || self.loops.contains_key(full) => {
                mistake.label(format!("`{name}` is a step: write `steps.{name}.<output>`"))
            }
            _ => {
                let known = self.inputs.keys().chain(self.vars.keys()).chain(&self.secrets).copied();
                let known = known.filter_map(|known| known.strip_prefix(prefix)).filter(|known| !known.contains('/'));
                match nearest(name, known) {
                    Some(near) => mistake.label(format!("did you mean `{near}`?")),
                    None if module > 0 => mistake.help(
                        "an included plan knows its own names alone: declare it under `inputs` there, and give it a value with `with`",
                    ),
                    None => mistake.help("declare it under `inputs` or `vars`"),
                }
            }
        }
    }
}
