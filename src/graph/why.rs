//! `--why A B`: the reasons that tie two steps, direct or through others.

use std::collections::{HashMap, VecDeque};

use petgraph::{Direction, graph::NodeIndex, visit::EdgeRef};

use super::{Graph, edge::Edge, member::Member};
use crate::event::StepId;

/// One leg of the way from an earlier step to a later one.
#[derive(Debug)]
pub struct Leg<'a> {
    /// The earlier step.
    pub from: &'a StepId,
    /// The later step.
    pub to: &'a StepId,
    /// Why the later one waits.
    pub edge: &'a Edge,
}

impl Graph {
    /// The shortest way from `earlier` to `later`, joins left out; nothing where `later` does not wait for `earlier`.
    pub fn why(&self, earlier: usize, later: usize) -> Option<Vec<Leg<'_>>> {
        let (start, end) = (self.node(earlier)?, self.node(later)?);
        let mut came_from: HashMap<NodeIndex, NodeIndex> = HashMap::new();
        let mut queue = VecDeque::from([end]);
        while let Some(node) = queue.pop_front() {
            if node == start {
                break;
            }
            for source in self.nodes.neighbors_directed(node, Direction::Incoming) {
                if source != end && !came_from.contains_key(&source) {
                    came_from.insert(source, node);
                    queue.push_back(source);
                }
            }
        }
        let mut legs = Vec::new();
        let (mut from, mut node) = (start, start);
        while node != end {
            let next = *came_from.get(&node)?;
            if let (Member::Step(earlier), Member::Step(later)) = (&self.nodes[from], &self.nodes[next]) {
                // The last edge says how the later step is concerned; through a join both edges say the same.
                let edge = self.nodes.edge_weight(self.nodes.find_edge(node, next)?)?;
                legs.push(Leg { from: earlier, to: later, edge });
                from = next;
            }
            node = next;
        }
        Some(legs)
    }

    /// Every step that waits for `step` directly or through joins alone, with the reasons, in file order.
    pub fn successors(&self, step: usize) -> Vec<Leg<'_>> {
        let Some(start) = self.node(step) else { return Vec::new() };
        let Member::Step(from) = &self.nodes[start] else { return Vec::new() };
        let mut legs: Vec<Leg<'_>> = Vec::new();
        let mut seen = vec![start];
        let mut queue = vec![start];
        while let Some(node) = queue.pop() {
            for edge in self.nodes.edges(node) {
                if seen.contains(&edge.target()) {
                    continue;
                }
                seen.push(edge.target());
                match &self.nodes[edge.target()] {
                    Member::Step(to) => legs.push(Leg { from, to, edge: edge.weight() }),
                    Member::Join | Member::Finally => queue.push(edge.target()),
                }
            }
        }
        legs.sort_by_key(|leg| leg.to.index());
        legs
    }
}
