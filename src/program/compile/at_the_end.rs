//! What can be said of a plan only when every step was looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Check, Diagnostic, Position, When};

impl Check<'_> {
    /// Finds what is wrong with steps of which nothing is made, since there are no items.
    pub(super) fn look_at_what_never_runs(&mut self) {
        for entry in 0..self.document.steps.len() {
            let Some(step) = self.document.steps.get(entry) else { continue };
            if step.within.is_some() && self.instances.any(entry, self.document).is_none() {
                for When { condition, module } in &step.when {
                    let position = Position::Around { step: entry, module: *module };
                    self.names.check(condition, position, &mut self.diagnostics);
                }
                self.names.check(&step.body, Position::Step(entry), &mut self.diagnostics);
            }
        }
    }

    /// What can be said only when every step was seen. The steps that each output of the plan needs come back, by their places.
    pub(super) fn finish(&mut self) -> Vec<BTreeSet<usize>> {
        let mut needs = Vec::new();
        let outputs = self.document.outputs.iter();
        let uses: Vec<_> =
            outputs.map(|entry| self.names.check(&entry.value, Position::Outputs, &mut self.diagnostics)).collect();
        for uses in uses.iter().chain(self.names.var_uses()).chain(self.names.input_uses()) {
            let mut named = uses.outputs.clone();
            for (entry, ..) in &mut named {
                *entry = self.instances.any(*entry, self.document).unwrap_or(usize::MAX);
            }
            let lacking = self.known.check_outputs(&named, &self.ids);
            self.diagnostics.extend(lacking);
            let steps = uses
                .steps
                .iter()
                .filter_map(|(entry, mention)| Some((self.instances.any(*entry, self.document)?, Arc::clone(mention))));
            let mut steps: BTreeMap<_, _> = steps.collect();
            for looked_at in &uses.loops {
                match self.place_looked_at(looked_at, usize::MAX) {
                    Ok(place) => self.instances.looked_at(looked_at, place, self.document, &mut steps),
                    Err(diagnostic) => self.diagnostics.extend(diagnostic),
                }
            }
            needs.push(steps.into_keys().collect());
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
        needs
    }
}
