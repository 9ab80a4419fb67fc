//! `--select` and `--skip`: which steps are meant by `id`, `+id`, `id+`, `kind:sign`, `group` and `group[key]`.

use std::collections::{BTreeSet, HashMap, HashSet};

use petgraph::Direction;

use super::instances::Instances;
use crate::{
    graph::{Graph, Member},
    plan::{Diagnostic, Document, Names, nearest},
    step::{KINDS, Kind},
};

/// A flag as it was given, and what it means so far.
pub(super) struct Selecting<'a> {
    pub(super) document: &'a Document,
    pub(super) names: &'a Names<'a>,
    pub(super) instances: &'a Instances,
}

/// Whether anybody asked for what a step depends on, or what depends on it: then the whole graph must be known.
pub(super) fn needs_graph(terms: &[String]) -> bool {
    terms.iter().any(|term| term.starts_with('+') || term.ends_with('+'))
}

impl Selecting<'_> {
    /// The steps that the terms of a flag are about. What is wrong with one goes to `diagnostics`.
    pub(super) fn find(
        &self,
        flag: &str,
        terms: &[String],
        graph: Option<&Graph>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> BTreeSet<usize> {
        let by_name = self.by_name();
        let mut found = BTreeSet::new();
        for term in terms {
            let (before, rest) = term.strip_prefix('+').map_or((false, term.as_str()), |rest| (true, rest));
            let (after, pattern) = rest.strip_suffix('+').map_or((false, rest), |rest| (true, rest));
            match self.named(pattern, &by_name) {
                Ok(steps) => {
                    if let Some(graph) = graph {
                        if before {
                            found.extend(reached(graph, &steps, Direction::Incoming));
                        }
                        if after {
                            found.extend(reached(graph, &steps, Direction::Outgoing));
                        }
                    }
                    found.extend(steps);
                }
                Err(diagnostic) => {
                    let message = format!("{flag}: {}", diagnostic.message);
                    diagnostics.push(Diagnostic { message, ..*diagnostic });
                }
            }
        }
        found
    }

    fn by_name(&self) -> HashMap<&str, usize> {
        self.instances.list.iter().enumerate().map(|(at, instance)| (instance.id.name(), at)).collect()
    }

    fn named(&self, pattern: &str, by_name: &HashMap<&str, usize>) -> Result<BTreeSet<usize>, Box<Diagnostic>> {
        if let Some(kind) = pattern.strip_prefix("kind:") {
            return self.of_kind(kind);
        }
        if let Some(step) = by_name.get(pattern) {
            let mut found = BTreeSet::from([*step]);
            if self.kind_of(*step) == Some("include") {
                // The plan that it includes, all of it.
                let inside = format!("{pattern}/");
                let steps = by_name.iter().filter(|(name, _)| name.starts_with(&inside));
                found.extend(steps.map(|(_, step)| *step));
            }
            return Ok(found);
        }
        let (group, key) = match pattern.split_once('[') {
            Some((group, key)) => (group, key.strip_suffix(']')),
            None => (pattern, None),
        };
        let Some(which) = self.names.loop_called(group).filter(|_| key.is_some() == pattern.contains('[')) else {
            return Err(Box::new(self.unknown(pattern)));
        };
        let of_loop = |instance: &(usize, (usize, usize))| instance.1.0 == which;
        let place = match key {
            None => None,
            Some(key) => match self.instances.place_of_key(which, key) {
                Some(place) => Some(place),
                None => return Err(Box::new(self.unknown_key(which, group, key))),
            },
        };
        let made = self.instances.shape.iterations.iter().map(|(at, of)| (*at, *of)).filter(of_loop);
        Ok(made.filter(|(_, (_, item))| place.is_none_or(|place| place == *item)).map(|(at, _)| at).collect())
    }

    fn kind_of(&self, step: usize) -> Option<&'static str> {
        let entry = self.document.steps.get(self.instances.list.get(step)?.entry)?;
        Some(KINDS.get(entry.kind_index)?.name)
    }

    fn of_kind(&self, kind: &str) -> Result<BTreeSet<usize>, Box<Diagnostic>> {
        let is_kind = |known: &Kind| known.name == kind;
        let Some(place) = KINDS.iter().position(is_kind) else {
            let names: Vec<_> = KINDS.iter().map(|known| known.name).collect();
            let diagnostic = Diagnostic::new(format!("there is no kind `{kind}`"));
            return Err(Box::new(match nearest(kind, names.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `kind:{near}`?")),
                None => diagnostic.note(format!("the kinds are: {}", names.join(", "))),
            }));
        };
        let is_of_kind = |entry: usize| self.document.steps.get(entry).is_some_and(|step| step.kind_index == place);
        let made = self.instances.list.iter().enumerate().filter(|(_, instance)| is_of_kind(instance.entry));
        let found: BTreeSet<usize> = made.map(|(at, _)| at).collect();
        if found.is_empty() {
            let kinds: BTreeSet<&str> = self.document.steps.iter().map(|step| &*step.kind.text).collect();
            let kinds: Vec<_> = kinds.into_iter().collect();
            let diagnostic = Diagnostic::new(format!("no step is of the kind `{kind}`"));
            return Err(Box::new(diagnostic.note(format!("there are steps of: {}", kinds.join(", ")))));
        }
        Ok(found)
    }

    fn unknown(&self, pattern: &str) -> Diagnostic {
        let document = self.document;
        let outside = document.steps.iter().filter(|step| step.within.is_none()).map(|step| &*step.id.text);
        let mut ids: Vec<&str> = outside.chain(document.loops.iter().map(|it| &*it.id.text)).collect();
        let diagnostic = Diagnostic::new(format!("there is no step `{pattern}`"));
        if let Some(near) = nearest(pattern, ids.iter().copied()) {
            diagnostic.help(format!("did you mean `{near}`?"))
        } else {
            let more = if ids.len() > 20 { format!(" and {} more", ids.len() - 20) } else { String::new() };
            ids.truncate(20);
            diagnostic.note(format!("the steps are: {}{more}", ids.join(", ")))
        }
    }

    fn unknown_key(&self, which: usize, group: &str, key: &str) -> Diagnostic {
        let mut keys: Vec<&str> = self.instances.keys(which).collect();
        keys.sort_unstable();
        let diagnostic = Diagnostic::new(format!("`{group}` has no item with the key `{key}`"));
        if let Some(near) = nearest(key, keys.iter().copied()) {
            diagnostic.help(format!("did you mean `{group}[{near}]`?"))
        } else {
            keys.truncate(20);
            diagnostic.note(format!("its keys are: {}", keys.join(", ")))
        }
    }
}

/// The steps that can be reached from these along edges, or against them. What is in `finally` waits for everything, so
/// that edge does not count.
pub(super) fn reached(graph: &Graph, from: &BTreeSet<usize>, direction: Direction) -> BTreeSet<usize> {
    let petgraph = graph.as_petgraph();
    let mut found = BTreeSet::new();
    let mut waiting: Vec<_> = from.iter().filter_map(|step| graph.node(*step)).collect();
    let mut seen: HashSet<_> = waiting.iter().copied().collect();
    while let Some(node) = waiting.pop() {
        match &petgraph[node] {
            Member::Step(id) => drop(found.insert(id.index())),
            Member::Join => {}
            Member::Finally => continue,
        }
        waiting.extend(petgraph.neighbors_directed(node, direction).filter(|next| seen.insert(*next)));
    }
    found
}
