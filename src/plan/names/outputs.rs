//! What a mention of a step means: an output of one step, or of all that a loop makes.

use super::{
    KeyMention, Loop, LoopKey, LoopUse, Mistake, Names, Node, OutputMention, Position, Span, Uses, check_output_of,
    nearest,
};

impl Names<'_> {
    pub(super) fn check_output(&self, mention: &OutputMention, position: Position) -> Result<usize, Mistake> {
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
    pub(super) fn loop_of(&self, mention: &OutputMention, position: Position) -> Option<usize> {
        if self.loops.is_empty() {
            return None;
        }
        let is_beside = matches!(position, Position::Step(at) if self.step_beside(&mention.step, at).is_some());
        self.loop_called(&mention.step).filter(|_| !is_beside)
    }

    /// Whether the loop's steps have all been said above.
    pub(super) fn check_loop(
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

    pub(super) fn use_loop(
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

    pub(super) fn step_of_group(
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
    pub(super) fn note_output(&self, mention: &OutputMention, node: &Node, position: Position, uses: &mut Uses) {
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
}
