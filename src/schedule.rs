//! Which step next, and which never: a data structure without I/O, clocks or tasks.
//!
//! The runner asks for a step that is ready, and says when one has ended; steps that can no longer run come back as
//! settled. A step is ready when all that it waits for has ended well, or was skipped and left nothing that it needs.

mod windows;

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
    sync::Arc,
};

use petgraph::{Direction, graph::NodeIndex, visit::EdgeRef};

use self::windows::Windows;
use crate::{
    event::{FailureKind, Outcome, StepId},
    graph::{Edge, Graph, Member},
};

/// The state of one run's graph.
#[derive(Debug)]
pub struct Schedule {
    graph: Arc<Graph>,
    nodes: Vec<Node>,
    ready: BinaryHeap<Reverse<usize>>,
    /// Steps that nothing keeps from going ahead, some of which are ready or done by now.
    ahead: BinaryHeap<Reverse<usize>>,
    windows: Windows,
    options: Options,
    draining: bool,
}

/// What the run was asked to do differently.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Steps that are not to run, by their place in the file.
    pub skip: BTreeSet<usize>,
    /// Go on with what does not depend on a failed step.
    pub keep_going: bool,
    /// What a skipped gate would hold back runs all the same.
    pub skip_gates: bool,
}

#[derive(Debug, Clone)]
struct Node {
    waits_for: usize,
    /// How many of the edges into it keep it from going ahead.
    held_by: usize,
    end: Option<End>,
}

/// How a node ended, as far as those who wait for it must know.
#[derive(Debug, Clone)]
enum End {
    Well,
    /// It leaves nothing that others could use.
    Absent(Absence),
    Failed(StepId),
    Cancelled,
}

/// Why there is nothing of a step.
#[derive(Debug, Clone)]
struct Absence {
    of: StepId,
    /// What became of it.
    word: &'static str,
    /// Whether, as a gate, it holds back what stands after it.
    holds: bool,
}

/// A step that ended without running.
#[derive(Debug, Clone)]
pub struct Settled {
    /// Its place in the file.
    pub step: usize,
    /// Skipped or blocked.
    pub outcome: Outcome,
}

impl Schedule {
    /// A run of this graph that has not started. The steps that are settled from the start come with it.
    pub fn new(graph: Arc<Graph>, options: Options) -> (Self, Vec<Settled>) {
        let petgraph = graph.as_petgraph();
        let nodes = petgraph
            .node_indices()
            .map(|node| {
                let edges = petgraph.edges_directed(node, Direction::Incoming).count();
                // `finally` also waits until it is entered.
                let edges = edges + usize::from(matches!(petgraph[node], Member::Finally));
                Node { waits_for: edges, held_by: edges, end: None }
            })
            .collect();
        let is_root = |node: &NodeIndex| !matches!(petgraph[*node], Member::Finally);
        let roots: Vec<_> = petgraph.externals(Direction::Incoming).filter(is_root).collect();
        let windows = Windows::of(&graph);
        let mut schedule = Self {
            graph,
            nodes,
            ready: BinaryHeap::new(),
            ahead: BinaryHeap::new(),
            windows,
            options,
            draining: false,
        };
        let mut settled = Vec::new();
        for root in roots {
            schedule.release(root);
            if let Some(end) = schedule.arrive(root, &mut settled) {
                schedule.settle(root, end, &mut settled);
            }
        }
        (schedule, settled)
    }

    /// The first step in file order that is ready; it counts as started.
    pub fn start(&mut self) -> Option<usize> {
        if self.draining {
            return None;
        }
        while let Some(Reverse(step)) = self.ready.pop() {
            if self.windows.admit(&self.graph, step) {
                return Some(step);
            }
        }
        None
    }

    /// The first step in file order that is not ready and may go ahead: what it waits for it could overtake, and so could
    /// each of those. It comes once, and is still to be started.
    pub fn start_ahead(&mut self) -> Option<usize> {
        if self.draining {
            return None;
        }
        while let Some(Reverse(step)) = self.ahead.pop() {
            let node = self.graph.node(step).and_then(|node| self.nodes.get(node.index()));
            if node.is_some_and(|node| node.waits_for > 0) && self.windows.is_open(&self.graph, step) {
                return Some(step);
            }
        }
        None
    }

    /// Says that a step that was started has ended. Steps that settle through it come back.
    pub fn finish(&mut self, step: usize, outcome: &Outcome) -> Vec<Settled> {
        let Some(node) = self.graph.node(step) else { return Vec::new() };
        let Member::Step(id) = &self.graph.as_petgraph()[node] else { return Vec::new() };
        let absent = |word, holds| End::Absent(Absence { of: id.clone(), word, holds });
        let end = match outcome {
            Outcome::Failed(failure) if failure.kind == FailureKind::Tolerated => absent("failed", false),
            Outcome::Failed(_) | Outcome::Blocked { .. } => End::Failed(id.clone()),
            Outcome::Skipped { .. } => absent("was skipped", true),
            Outcome::Cancelled => End::Cancelled,
            _ => End::Well,
        };
        // `finally` cleans up as much as it can.
        let goes_on = self.options.keep_going || step >= self.graph.finally();
        if matches!(end, End::Failed(_)) && !goes_on {
            self.draining = true;
        }
        let mut settled = Vec::new();
        self.settle(node, end, &mut settled);
        settled
    }

    /// Says that a step that was started does not run, since its own condition does not hold. As a gate it is open.
    pub fn pass_over(&mut self, step: usize) -> Vec<Settled> {
        let Some(node) = self.graph.node(step) else { return Vec::new() };
        let Member::Step(id) = &self.graph.as_petgraph()[node] else { return Vec::new() };
        let end = End::Absent(Absence { of: id.clone(), word: "was skipped", holds: false });
        let mut settled = Vec::new();
        self.settle(node, end, &mut settled);
        settled
    }

    /// Lets `finally` begin: whatever came before and has not started never will. Those steps come back as cancelled.
    pub fn enter_finally(&mut self, started: &[bool]) -> Vec<Settled> {
        let finally = self.graph.finally();
        self.ready.retain(|Reverse(step)| *step >= finally);
        self.ahead.clear();
        self.windows.forget_waiting();
        let mut settled = Vec::new();
        // In file order, so that whatever a step waits for has ended before it.
        for step in self.unstarted(started).into_iter().filter(|step| *step < finally) {
            let Some(node) = self.graph.node(step) else { continue };
            if self.nodes.get(node.index()).is_some_and(|state| state.end.is_none()) {
                settled.push(Settled { step, outcome: Outcome::Cancelled });
                self.settle(node, End::Cancelled, &mut settled);
            }
        }
        self.draining = false;
        let petgraph = self.graph.as_petgraph();
        let barrier = petgraph.node_indices().find(|node| matches!(petgraph[*node], Member::Finally));
        if let Some(barrier) = barrier
            && let Some(state) = self.nodes.get_mut(barrier.index())
        {
            state.waits_for -= 1;
            if state.waits_for == 0 {
                self.settle(barrier, End::Well, &mut settled);
            }
        }
        settled
    }

    /// Starts nothing any more.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Whether nothing starts any more, as asked or after a failure.
    pub const fn is_draining(&self) -> bool {
        self.draining
    }

    /// The steps that have neither ended nor been started, in file order, for when the run ends early.
    pub fn unstarted(&self, started: &[bool]) -> Vec<usize> {
        let ended = |step: &usize| {
            self.graph.node(*step).and_then(|node| self.nodes.get(node.index())).is_some_and(|node| node.end.is_some())
        };
        (0..self.graph.len()).filter(|step| !ended(step) && !started.get(*step).copied().unwrap_or(false)).collect()
    }

    /// Ends a node, and whatever ends through it.
    fn settle(&mut self, node: NodeIndex, end: End, settled: &mut Vec<Settled>) {
        // A list, not recursion: a chain may be as long as the plan.
        let mut ending = vec![(node, end)];
        while let Some((node, end)) = ending.pop() {
            if matches!(end, End::Well) {
                let holds = self.is_never_overtaken(node);
                for free in self.let_go(node, |edge| holds || !edge.may_be_overtaken()) {
                    self.release(free);
                }
            }
            if let Some(state) = self.nodes.get_mut(node.index()) {
                state.end = Some(end);
            }
            if let Some(Member::Step(id)) = self.graph.as_petgraph().node_weight(node) {
                self.ready.extend(self.windows.leave(&self.graph, id.index()).into_iter().map(Reverse));
            }
            let targets: Vec<_> = self.graph.as_petgraph().neighbors(node).collect();
            for target in targets {
                let Some(state) = self.nodes.get_mut(target.index()) else { continue };
                state.waits_for -= 1;
                if state.waits_for == 0 && state.end.is_none() {
                    ending.extend(self.arrive(target, settled).map(|end| (target, end)));
                }
            }
        }
    }

    /// Nothing keeps this node from going ahead, nor those that could overtake it, as far as it goes.
    fn release(&mut self, node: NodeIndex) {
        // A list, not recursion: a chain may be as long as the plan.
        let mut released = vec![node];
        while let Some(node) = released.pop() {
            if let Some(Member::Step(id)) = self.graph.as_petgraph().node_weight(node) {
                self.ahead.push(Reverse(id.index()));
            }
            if !self.is_never_overtaken(node) {
                released.extend(self.let_go(node, Edge::may_be_overtaken));
            }
        }
    }

    /// Whether what a step does ahead could be told from the outputs of this one.
    fn is_never_overtaken(&self, node: NodeIndex) -> bool {
        let member = self.graph.as_petgraph().node_weight(node);
        matches!(member, Some(Member::Step(id)) if self.graph.tells_blobs(id.index()))
    }

    /// Takes these edges out of `node` from what holds their targets. Those that nothing holds any more come back.
    fn let_go(&mut self, node: NodeIndex, which: impl Fn(&Edge) -> bool) -> Vec<NodeIndex> {
        let edges = self.graph.as_petgraph().edges(node).filter(|edge| which(edge.weight()));
        let mut free = Vec::new();
        for target in edges.map(|edge| edge.target()) {
            let Some(state) = self.nodes.get_mut(target.index()) else { continue };
            state.held_by -= 1;
            if state.held_by == 0 {
                free.push(target);
            }
        }
        free
    }

    /// Decides about a node that waits for nothing any more: it becomes ready, or ends as returned.
    fn arrive(&mut self, node: NodeIndex, settled: &mut Vec<Settled>) -> Option<End> {
        let end = self.verdict(node);
        let Member::Step(id) = &self.graph.as_petgraph()[node] else { return Some(end) };
        let (outcome, end) = match end {
            End::Well if self.options.skip.contains(&id.index()) => {
                (Outcome::Skipped { because: "as asked".into() }, skipped(id))
            }
            End::Well => {
                self.ready.push(Reverse(id.index()));
                return None;
            }
            End::Absent(Absence { of, word, .. }) => {
                (Outcome::Skipped { because: format!("`{of}` {word}").into() }, skipped(id))
            }
            End::Failed(by) => (Outcome::Blocked { by: by.clone() }, End::Failed(by)),
            End::Cancelled => (Outcome::Cancelled, End::Cancelled),
        };
        settled.push(Settled { step: id.index(), outcome });
        Some(end)
    }

    /// What the ends of its sources make of a node. A failure counts before a skip: it must not be hidden by one.
    fn verdict(&self, node: NodeIndex) -> End {
        let petgraph = self.graph.as_petgraph();
        let is_join = matches!(petgraph[node], Member::Join | Member::Finally);
        let mut verdict = End::Well;
        for edge in petgraph.edges_directed(node, Direction::Incoming) {
            if edge.weight().is_finally() {
                continue;
            }
            let end = self.nodes.get(edge.source().index()).and_then(|source| source.end.as_ref());
            match end {
                Some(End::Failed(by)) => return End::Failed(by.clone()),
                Some(End::Cancelled) => verdict = End::Cancelled,
                Some(End::Absent(absence)) if matches!(verdict, End::Well) => {
                    let held = edge.weight().is_gate() && absence.holds && !self.options.skip_gates;
                    if edge.weight().is_data() && !is_join || held {
                        verdict = End::Absent(absence.clone());
                    }
                }
                Some(End::Absent(_) | End::Well) | None => {}
            }
        }
        verdict
    }
}

/// The end of a step that was not asked for, or that has nothing to work on.
fn skipped(id: &StepId) -> End {
    End::Absent(Absence { of: id.clone(), word: "was skipped", holds: true })
}

#[cfg(test)]
mod tests;
