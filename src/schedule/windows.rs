//! `max_parallel`: of a loop that has it, only the first few items that have not ended are worked on.
//!
//! A window over the items in their order, and not any few of them: edges lead from earlier items to later ones alone, so
//! the first item that has not ended never waits for one that may not start.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::graph::Graph;

#[derive(Debug, Default)]
pub(super) struct Windows {
    /// By loop.
    open: BTreeMap<usize, Window>,
}

#[derive(Debug, Default)]
struct Window {
    most: usize,
    /// The items that have not ended.
    items: BTreeSet<usize>,
    /// How many steps of each have not ended.
    left: HashMap<usize, usize>,
    /// Steps that are ready, and whose item may not start yet.
    waiting: BTreeSet<usize>,
}

impl Window {
    fn admits(&self, item: usize) -> bool {
        self.items.iter().take(self.most).any(|open| *open == item)
    }
}

impl Windows {
    pub(super) fn of(graph: &Graph) -> Self {
        let shape = graph.shape();
        let mut windows = Self::default();
        for (which, most) in &shape.max_parallel {
            windows.open.insert(*which, Window { most: *most, ..Window::default() });
        }
        if windows.open.is_empty() {
            return windows;
        }
        for (which, item) in shape.iterations.values() {
            if let Some(window) = windows.open.get_mut(which) {
                window.items.insert(*item);
                *window.left.entry(*item).or_default() += 1;
            }
        }
        windows
    }

    fn find(&mut self, graph: &Graph, step: usize) -> Option<(&mut Window, usize)> {
        let (which, item) = graph.shape().iterations.get(&step)?;
        Some((self.open.get_mut(which)?, *item))
    }

    /// Whether the step may start. If not, it comes back when it may.
    pub(super) fn admit(&mut self, graph: &Graph, step: usize) -> bool {
        let Some((window, item)) = self.find(graph, step) else { return true };
        let admits = window.admits(item);
        if !admits {
            window.waiting.insert(step);
        }
        admits
    }

    /// Whether the step's item may start.
    pub(super) fn is_open(&mut self, graph: &Graph, step: usize) -> bool {
        self.find(graph, step).is_none_or(|(window, item)| window.admits(item))
    }

    /// Says that a step has ended. The steps that may start now come back.
    pub(super) fn leave(&mut self, graph: &Graph, step: usize) -> Vec<usize> {
        let Some((window, item)) = self.find(graph, step) else { return Vec::new() };
        window.waiting.remove(&step);
        if let Some(left) = window.left.get_mut(&item) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                window.items.remove(&item);
                return std::mem::take(&mut window.waiting).into_iter().collect();
            }
        }
        Vec::new()
    }

    /// Forgets the steps that wait, since they never will start.
    pub(super) fn forget_waiting(&mut self) {
        self.open.values_mut().for_each(|window| window.waiting.clear());
    }
}
