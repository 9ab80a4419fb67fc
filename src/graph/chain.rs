//! The longest chain of a run: which steps waited for each other, by what each of them cost.

use std::cmp::Reverse;

use petgraph::{Direction, algo::toposort, graph::NodeIndex};

use super::{Graph, member::Member};
use crate::event::Chain;

impl Graph {
    /// The steps that wait for each other and cost the most together, where each costs what `cost` says of its place in
    /// the file. Of several such chains, the one whose steps stand first.
    pub fn longest_chain(&self, cost: impl Fn(usize) -> u32) -> Chain {
        // A graph of a plan has no cycle.
        let order = toposort(&self.nodes, None).unwrap_or_default();
        let mut best: Vec<(u32, Option<NodeIndex>)> = vec![(0, None); self.nodes.node_count()];
        for node in &order {
            let before = self.nodes.neighbors_directed(*node, Direction::Incoming);
            let before = before.map(|source| (best.get(source.index()).map_or(0, |best| best.0), source));
            let dearest = before.max_by_key(|(sum, source)| (*sum, Reverse(source.index())));
            let (sum, source) = dearest.map_or((0, None), |(sum, source)| (sum, Some(source)));
            if let Some(place) = best.get_mut(node.index()) {
                *place = (sum.saturating_add(self.cost(*node, &cost)), source);
            }
        }
        let ends = order.iter().filter_map(|node| Some((best.get(node.index())?.0, *node)));
        let mut at = ends.max_by_key(|(sum, node)| (*sum, Reverse(node.index()))).map(|(_, node)| node);
        let mut links = Vec::new();
        while let Some(node) = at {
            if let (Member::Step(step), cost @ 1..) = (&self.nodes[node], self.cost(node, &cost)) {
                links.push((step.clone(), cost));
            }
            at = best.get(node.index()).and_then(|best| best.1);
        }
        links.reverse();
        Chain { links }
    }

    fn cost(&self, node: NodeIndex, cost: impl Fn(usize) -> u32) -> u32 {
        match &self.nodes[node] {
            Member::Step(step) => cost(step.index()),
            Member::Join | Member::Finally => 0,
        }
    }
}
