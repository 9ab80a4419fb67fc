//! What a mention of a step means: an output of one step, or of all that a loop makes.

use super::{
    KeyMention, Loop, LoopKey, LoopUse, Mistake, Names, Node, OutputMention, Position, Span, Uses, check_output_of,
    nearest,
};

impl Names<'_> {
    pub(super) fn check_output(&self, mention: &OutputMention, position: Position) -> Result<usize, Mistake> {
        let id = mention.step.as_str();
        let full = self.full(id, position);
        let beside = match position.before() {
            Some(at) => self.step_beside(&full, at),
            None => self.step(&full),
        };
        let Some(step) = beside else {
            let mistake = Mistake::new(mention.step_range.clone(), format!("there is no step `{id}`"));
            let group = self.inside.keys().filter(|(_, name)| *name == full).map(|(which, _)| *which).min();
            if let Some(group) = group.and_then(|which| self.document.loops.get(which)).filter(|it| it.is_group) {
                let group = &group.id.text;
                return Err(mistake.help(format!("it stands in `{group}`: write `steps.{group}['KEY'].{id}`")));
            }
            return Err(match self.nearest_step(&full) {
                Some(near) => mistake.label(format!("did you mean `{near}`?")),
                None => mistake,
            });
        };
        match position {
            Position::Step(at) | Position::Around { step: at, .. } if step == at => {
                let message = format!("step `{id}` refers to itself");
                return Err(Mistake::new(mention.step_range.clone(), message));
            }
            Position::Step(at) | Position::Around { step: at, .. } if step > at => {
                let message = format!("step `{id}` stands below");
                let mistake = Mistake::new(mention.step_range.clone(), message);
                return Err(mistake.help("a step may refer only to steps above it; move it up, or this one down"));
            }
            Position::Input(_) => {
                return Err(Mistake::new(mention.step_range.clone(), "a default cannot look at steps"));
            }
            Position::Settings(_) | Position::Items(_) | Position::Key(_) => {
                let mistake = Mistake::new(mention.step_range.clone(), format!("this cannot look at step `{id}`"));
                return Err(mistake.help(position.before_steps().unwrap_or_default()));
            }
            Position::Step(_) | Position::Around { .. } | Position::Var(_) | Position::Outputs => {}
        }
        let Some((output, range)) = &mention.output else { return Ok(step) };
        if let ("outputs", Some(member)) = (output.as_str(), &mention.member) {
            let mistake = Mistake::new(range.clone(), "outputs follow the step's id directly");
            return Err(mistake.label(format!("write `steps.{id}.{member}`")));
        }
        if let Some(KeyMention::Each) = mention.key {
            let mistake = Mistake::new(range.clone(), format!("`{id}` is one step, and not a `foreach`"));
            return Err(mistake.help(format!("write `steps.{id}.<output>`")));
        }
        self.check_output_of_step(step, id, output, range)?;
        Ok(step)
    }

    /// What is wrong with naming that output of that step.
    fn check_output_of_step(
        &self,
        step: usize,
        id: &str,
        output: &str,
        range: &std::ops::Range<usize>,
    ) -> Result<(), Mistake> {
        let Some(entry) = self.document.steps.get(step) else { return Ok(()) };
        let Some(kind) = self.kinds.get(entry.kind_index) else { return Ok(()) };
        match self.document.included(entry.module).filter(|_| kind.name == "include") {
            Some(included) => {
                let Some(declared) = &included.outputs else { return Ok(()) };
                let declared = declared.iter().map(|name| &**name);
                let outputs: Vec<&str> = declared.chain(["outcome", "changed"]).collect();
                check_output_of(&outputs, &format!("includes `{}`", included.name), id, output, range)
            }
            None => check_output_of(&kind.outputs, &format!("is of kind `{}`", kind.name), id, output, range),
        }
    }

    /// The loop that is looked at, from outside of it.
    pub(super) fn loop_of(&self, mention: &OutputMention, position: Position) -> Option<usize> {
        if self.loops.is_empty() {
            return None;
        }
        let full = self.full(&mention.step, position);
        let is_beside = position.before().is_some_and(|at| self.step_beside(&full, at).is_some());
        self.loop_called(&full).filter(|_| !is_beside)
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
        let id = it.own_id();
        let before = position.before();
        let mistake = |message: String| Err(Mistake::new(range.clone(), message));
        let is_var = name != id;
        match position {
            _ if before.is_some_and(|at| it.steps.contains(&at)) && is_var => {
                mistake(format!("`{name}` looks at `{id}`, which this step is in"))
            }
            _ if before.is_some_and(|at| it.steps.contains(&at)) => mistake(format!("step `{id}` refers to itself")),
            _ if before.is_some_and(|at| it.steps.start > at) && is_var => {
                mistake(format!("`{name}` looks at step `{id}`, which stands below"))
            }
            _ if before.is_some_and(|at| it.steps.start > at) => mistake(format!("step `{id}` stands below")),
            Position::Input(_) => mistake("a default cannot look at steps".to_owned()),
            Position::Settings(_) | Position::Items(_) | Position::Key(_) => {
                let found = if is_var {
                    format!("`{name}` looks at step `{id}`")
                } else {
                    format!("this cannot look at step `{id}`")
                };
                Err(Mistake::new(range.clone(), found).help(position.before_steps().unwrap_or_default()))
            }
            Position::Step(_) | Position::Around { .. } | Position::Var(_) | Position::Outputs => Ok(()),
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
        let id = mention.step.as_str();
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
            step = Some(it.own_step());
        }
        if let (Some(step), Some((output, range))) = (step, rest.next())
            && let Some(entry) = self.document.steps.get(step)
        {
            self.check_output_of_step(step, entry.own_id(), output, range)?;
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
        // Of a plan that is included in the group only what it hands on is known.
        let prefix = &**self.document.prefix(it.module);
        let steps = self.document.steps.get(it.steps.clone()).unwrap_or_default();
        let own = steps.iter().filter_map(|step| step.id.text.strip_prefix(prefix));
        let ids: Vec<&str> = own.filter(|id| !id.contains('/')).collect();
        if ids.contains(&name)
            && let Some(step) = self.inside.get(&(which, format!("{prefix}{name}").as_str()))
        {
            return Ok(*step);
        }
        let mistake = Mistake::new(range.clone(), format!("`{}` has no step `{name}`", it.own_id()));
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
                (false, [_, output, ..]) => (Some(it.own_step()), output),
                (true, [_, (name, range), output, ..]) => (self.step_of_group(which, it, name, range).ok(), output),
                _ => return,
            };
            uses.outputs.extend(step.map(|step| (step, output.0.clone(), place(&output.1))));
            return;
        }
        let full = self.full(&mention.step, position);
        let beside = match position.before() {
            Some(at) => self.step_beside(&full, at),
            None => self.step(&full),
        };
        if let (Some(step), Some((output, range))) = (beside, &mention.output) {
            uses.outputs.push((step, output.clone(), place(range)));
        }
    }
}
