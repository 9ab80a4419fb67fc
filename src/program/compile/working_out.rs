//! What one step would do, worked out in two worlds that differ in all that is only known when it runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Access, Check, Condition, Diagnostic, Effects, Guess, KINDS, Kind, LoopKey, LoopUse, Position, STAND_IN, Scope,
    Step, StepEntry, Thing, Uses, When, holds,
};

impl Check<'_> {
    /// What is known of the condition under which the step runs.
    pub(super) fn condition(&mut self, at: usize, entry: &StepEntry) -> Option<Condition> {
        if entry.when.is_empty() {
            return None;
        }
        let mut condition = Condition { uses: Uses::default(), verdict: Some(true), is_broken: false };
        for when in &entry.when {
            let one = self.one_condition(at, when);
            condition.is_broken |= one.is_broken;
            condition.verdict = match (condition.verdict, one.verdict) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
            condition.uses.steps.extend(one.uses.steps);
        }
        Some(condition)
    }

    fn one_condition(&mut self, at: usize, When { condition: when, module }: &When) -> Condition {
        let entry = self.instances.list.get(at).map_or(0, |instance| instance.entry);
        let uses = self.look_from(when, at, Position::Around { step: entry, module: *module }, true);
        let lacking = self.known.check_outputs(&uses.outputs, &self.ids);
        let mut is_broken = uses.broken || !lacking.is_empty();
        self.diagnostics.extend(lacking);
        is_broken |= self.lacks_inputs(at, &uses);
        is_broken |= uses.steps.keys().any(|step| self.known.broken.contains(step));
        let mut verdict = None;
        // A step that is not there has no output that could be compared.
        if !is_broken && !uses.steps.keys().any(|step| self.idle.contains(step)) {
            match holds(when, &self.world_of(at, 0, *module)) {
                Ok(holds) => verdict = Some(holds).filter(|_| !uses.is_open()),
                Err(diagnostic) => {
                    is_broken = true;
                    self.diagnostics.push(diagnostic);
                }
            }
        }
        Condition { uses, verdict, is_broken }
    }

    pub(super) fn work_out(&mut self, at: usize, entry: &StepEntry, uses: &Uses) -> Option<(Effects, bool)> {
        let kind = KINDS.get(entry.kind_index)?;
        let (first, second) = (self.world(at, 0), self.world(at, 1));
        let (step, effects) = self.decode(kind, entry, &first, true)?;
        let (id, name) = (&*entry.id.text, self.ids.get(at).cloned().unwrap_or_default());
        // What is missing stands nowhere: the kind does.
        let placed = |wrong: Diagnostic| if wrong.span.is_some() { wrong } else { wrong.at(entry.kind.span) };
        let mut wrong: Vec<_> = step.check(&self.places).into_iter().map(placed).collect();
        if self.idle.contains(&at) && !self.skip.contains(&at) {
            // Its own condition says that it does not run: neither its files nor its tags matter.
            first.set_step(id, step.foresee(&Guess { world: 0, step: &name }));
            second.set_step(id, step.foresee(&Guess { world: 1, step: &name }));
            self.diagnostics.extend(wrong);
            return Some((Effects::default(), step.is_gate()));
        }
        wrong.extend(self.known.check_sources(&*step, &self.places));
        let mut opaque = self.is_opaque(at, entry, kind, uses);
        let here = (entry.id.span, entry.module);
        let refused = self.refuse_what_is_not_allowed(&name, &*step, &effects, here);
        let mut refused = refused.filter(|_| !self.idle.contains(&at));
        let mut effects = effects;
        let outputs = [0, 1].map(|world| Guess { world, step: &name });
        if uses.is_open() {
            first.set_step(id, step.foresee(&outputs[0]));
            if let Some((other, others)) = self.decode(kind, entry, &second, false) {
                if !opaque && step.moves() == other.moves() {
                    wrong.extend(self.known.check_moves(&name, &*step, &self.places, entry.id.span));
                }
                // What both guesses would do is known; the rest is refused when it is.
                let others_refused = self.refuse_what_is_not_allowed(&name, &*other, &others, here);
                refused = refused.filter(|refused| others_refused.as_ref() == Some(refused));
                effects = effects.common(&others);
                second.set_step(id, other.foresee(&outputs[1]));
            } else {
                // What comes out depends on what is not known yet.
                opaque = true;
                second.set_step(id, step.foresee(&outputs[1]));
            }
            if opaque {
                refused = None;
                effects = effects.everywhere();
                self.known.opaque.insert(at);
            }
        } else {
            wrong.extend(self.known.check_moves(&name, &*step, &self.places, entry.id.span));
            first.set_step(id, step.foresee(&outputs[0]));
            second.set_step(id, step.foresee(&outputs[1]));
        }
        wrong.extend(refused);
        effects = self.wait_for_subject(at, entry, &*step, effects);
        let secrets = uses.secrets.iter().filter_map(|name| self.secrets.get(name)?.file());
        effects = secrets.fold(effects, |effects, file| effects.read(Thing::path(file)));
        if let Some(span) = entry.continue_on_error.filter(|_| step.is_gate()) {
            let diagnostic = Diagnostic::new(format!("`{id}` is a gate: what it says must count")).at(span);
            wrong.push(diagnostic.help("leave `continue_on_error` out"));
        }
        self.known.remember(at, &name, &*step, &effects, &self.places, self.mode);
        let written = effects.touches().iter().filter(|(access, _)| *access == Access::Write);
        self.places.add_written(written.filter_map(|(_, thing)| thing.as_path()).collect::<Vec<_>>());
        self.diagnostics.extend(wrong);
        Some((effects, step.is_gate()))
    }

    /// Finds what else is wrong with a step in which a mistake was found already, as far as that does not follow from it.
    /// Whether it is a gate comes back, where that can be told.
    pub(super) fn look_further(&mut self, at: usize, entry: &StepEntry) -> Option<bool> {
        let kind = KINDS.get(entry.kind_index)?;
        let first = self.world(at, 0);
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
    fn is_opaque(&mut self, at: usize, entry: &StepEntry, kind: &Kind, uses: &Uses) -> bool {
        let may_be = uses.opaque || uses.steps.keys().any(|step| self.known.opaque.contains(step));
        if !may_be {
            return false;
        }
        let where_it_works = entry.body.without(kind.content);
        let uses = self.look(&where_it_works, at, false);
        uses.opaque || uses.steps.keys().any(|step| self.known.opaque.contains(step))
    }

    /// A digest says nothing of who brings its manifest. Where a step above hands it on that has to do with the graph of
    /// that repository, the manifest is there by then; otherwise it may come from any step that adds to the repository.
    fn wait_for_subject(&mut self, at: usize, entry: &StepEntry, step: &dyn Step, effects: Effects) -> Effects {
        let Some((field, subject)) = step.subject().filter(|(_, subject)| subject.digest.is_some()) else {
            return effects;
        };
        let repository = self.places.repository(&subject.repository);
        let Some(written) = entry.body.get(field) else { return effects };
        let uses = self.look(written, at, false);
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
    pub(super) fn needs(&mut self, at: usize, entry: &StepEntry) -> Vec<usize> {
        let mut needs = Vec::new();
        let Some(instance) = self.instances.list.get(at) else { return needs };
        let written = instance.entry;
        for need in &entry.needs {
            if let Some(step) = self.names.step_beside(need, written).filter(|step| *step < written) {
                needs.extend(self.instances.beside(step, instance, self.document));
                continue;
            }
            let needed = self.names.loop_called(need).and_then(|which| Some((which, self.document.loops.get(which)?)));
            let diagnostic = match (self.names.step_beside(need, written), needed) {
                (Some(step), _) if step == written => Diagnostic::new(format!("step `{}` needs itself", need.value)),
                (None, Some((which, it))) if it.steps.end <= written => {
                    let all = LoopUse {
                        which,
                        key: LoopKey::Each,
                        step: None,
                        mention: Arc::clone(&it.id.text),
                        span: need.span,
                    };
                    let mut found = BTreeMap::new();
                    self.instances.looked_at(&all, None, self.document, &mut found);
                    needs.extend(found.into_keys());
                    continue;
                }
                (None, Some((_, it))) if it.steps.contains(&written) => {
                    Diagnostic::new(format!("step `{}` needs itself", need.value))
                }
                (Some(_), _) | (None, Some(_)) => Diagnostic::new(format!("step `{}` stands below", need.value))
                    .help("a step may need only steps above it"),
                (None, None) if self.names.is_unread(need) => continue,
                (None, None) => match self.names.nearest_step(need) {
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
    pub(super) fn lacks_inputs(&mut self, at: usize, uses: &Uses) -> bool {
        let lacking: Vec<_> = uses.inputs.iter().filter_map(|input| self.unset.get(input)).collect();
        if !self.idle.contains(&at) {
            let wanted: BTreeSet<_> = lacking.iter().copied().flatten().collect();
            for input in wanted {
                self.needed_by.entry(Arc::clone(input)).or_default().extend(self.ids.get(at).cloned());
            }
        }
        !lacking.is_empty()
    }

    pub(super) fn refuse_skipped_data(&mut self, at: usize, entry: &StepEntry, data: &BTreeMap<usize, Arc<str>>) {
        let name = self.ids.get(at).cloned().unwrap_or_default();
        for (step, mention) in data.iter().filter(|(step, _)| self.skip.contains(step)) {
            let id = self.ids.get(*step).map_or("", String::as_str);
            let diagnostic = if self.by_selection {
                let message = format!("`{name}` uses `{mention}`, and `{id}` is not selected");
                Diagnostic::new(message).help(format!("select `+{name}`: it, and all that it depends on"))
            } else {
                let message = format!("`{name}` uses `{mention}`, and `{id}` is skipped");
                Diagnostic::new(message).help(format!("skip `{name}` too, or do not skip `{id}`"))
            };
            self.diagnostics.push(diagnostic.at(entry.id.span));
        }
    }
}
