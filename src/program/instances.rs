use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    event::StepId,
    graph::Shape,
    plan::{Document, LoopItems, LoopUse},
};

/// A step as it runs: one that is written once, or one of those that a loop makes of it.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    /// The written step, by its place in the file.
    pub(super) entry: usize,
    /// Of which item, counted over all loops.
    pub(super) iteration: Option<usize>,
    /// Its name, and its place among all that run.
    pub(super) id: StepId,
}

/// Everything that runs, in the order in which it would run one by one.
#[derive(Debug, Default)]
pub(super) struct Instances {
    pub(super) list: Vec<Instance>,
    pub(super) shape: Shape,
    /// For each written step, the first that it makes, where it makes any.
    first: Vec<usize>,
    /// For each loop, its first instance, the steps of one item, and its first item counted over all loops.
    loops: Vec<(usize, usize, usize)>,
    places: Vec<HashMap<Arc<str>, usize>>,
}

impl Instances {
    /// What runs of a document with these items.
    pub(super) fn new(document: &Document, loops: &[LoopItems]) -> Self {
        let mut instances = Self { list: Vec::with_capacity(document.steps.len()), ..Self::default() };
        let mut iterations = 0;
        let mut entry = 0;
        while let Some(step) = document.steps.get(entry) {
            if entry == document.finally {
                instances.shape.finally = Some(instances.list.len());
            }
            let found = step.within.and_then(|which| Some((which, document.loops.get(which)?, loops.get(which)?)));
            let Some((which, it, opened)) = found else {
                instances.first.push(instances.list.len());
                instances.push(entry, None, Arc::clone(&step.id.text));
                entry += 1;
                continue;
            };
            let steps = it.steps.len().max(1);
            let start = instances.list.len();
            instances.first.extend((0..steps).map(|step| start + step));
            for (number, (key, _)) in opened.items.iter().enumerate() {
                for inner in it.steps.clone() {
                    let Some(written) = document.steps.get(inner) else { continue };
                    let name = format!("{}[{key}]", it.id.text);
                    let own = written.id.text.get(document.prefix(it.module).len()..).unwrap_or_default();
                    let name = if it.is_group {
                        format!("{name}.{own}")
                    } else {
                        // The steps of a plan that is included for each item.
                        format!("{name}{}", own.strip_prefix(it.own_id()).unwrap_or_default())
                    };
                    instances.push(inner, Some((which, number, iterations + number)), name.into());
                }
            }
            // Loops are numbered as they stand in the file, except that a group may have no steps.
            instances.loops.resize(which + 1, (start, steps, iterations));
            instances.places.resize(which + 1, HashMap::new());
            if let Some(places) = instances.places.get_mut(which) {
                *places = opened.items.iter().enumerate().map(|(place, (key, _))| (Arc::clone(key), place)).collect();
            }
            if let Some(most) = it.max_parallel {
                instances.shape.max_parallel.insert(which, most);
            }
            iterations += opened.items.len();
            entry = it.steps.end.max(entry + 1);
        }
        if document.finally >= document.steps.len() {
            instances.shape.finally = None;
        }
        instances
    }

    fn push(&mut self, entry: usize, iteration: Option<(usize, usize, usize)>, name: Arc<str>) {
        let id = StepId::new(self.list.len(), name);
        if let Some((which, number, _)) = iteration {
            self.shape.iterations.insert(self.list.len(), (which, number));
        }
        self.list.push(Instance { entry, iteration: iteration.map(|(.., all)| all), id });
    }

    /// What the written step `entry` is where `from` looks at it: the only one, or that of the same item.
    pub(super) fn beside(&self, entry: usize, from: &Instance, document: &Document) -> Option<usize> {
        let first = *self.first.get(entry)?;
        let Some(which) = document.steps.get(entry)?.within else { return Some(first) };
        // From another loop, no item is the same.
        if document.steps.get(from.entry)?.within != Some(which) {
            return None;
        }
        let (_, steps, iterations) = self.loops.get(which)?;
        let number = from.iteration?.checked_sub(*iterations)?;
        Some(first + number * steps)
    }

    /// Any of those that the written step makes.
    pub(super) fn any(&self, entry: usize, document: &Document) -> Option<usize> {
        let first = *self.first.get(entry)?;
        let made = self.list.get(first)?;
        let is_same = made.entry == entry || document.steps.get(entry)?.within.is_none();
        is_same.then_some(first)
    }

    /// The place of the item with that key.
    pub(super) fn place_of_key(&self, which: usize, key: &str) -> Option<usize> {
        self.places.get(which)?.get(key).copied()
    }

    /// The keys of a loop's items, unsorted.
    pub(super) fn keys(&self, which: usize) -> impl Iterator<Item = &str> {
        self.places.get(which).into_iter().flat_map(HashMap::keys).map(AsRef::as_ref)
    }

    /// Adds the instances of a loop that a look at it is about: of the item at that place, or of all.
    pub(super) fn looked_at(
        &self,
        looked_at: &LoopUse,
        place: Option<usize>,
        document: &Document,
        found: &mut BTreeMap<usize, Arc<str>>,
    ) {
        let Some((start, steps, _)) = self.loops.get(looked_at.which).copied() else { return };
        let Some(it) = document.loops.get(looked_at.which) else { return };
        let count = self.places.get(looked_at.which).map_or(0, HashMap::len);
        let numbers = place.map_or(0..count, |place| place..place + 1);
        let within = looked_at.step.map_or(0..steps, |step| {
            let step = step.saturating_sub(it.steps.start);
            step..step + 1
        });
        for number in numbers {
            for step in within.clone() {
                found.entry(start + number * steps + step).or_insert_with(|| Arc::clone(&looked_at.mention));
            }
        }
    }
}
