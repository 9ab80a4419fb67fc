use petgraph::{graph::NodeIndex, visit::EdgeRef};

use super::{Graph, Member};
use crate::event;

impl Graph {
    /// Every edge as reporters hear it, with the reasons in words: those that lead to one node together, in file order.
    pub fn edges(&self) -> Vec<event::Edge> {
        let mut joins = vec![0; self.nodes.node_count()];
        let mut count = 0;
        for node in self.nodes.node_indices() {
            if let (Member::Join | Member::Finally, Some(number)) = (&self.nodes[node], joins.get_mut(node.index())) {
                count += 1;
                *number = count;
            }
        }
        let end = |node: NodeIndex| match &self.nodes[node] {
            Member::Step(id) => event::Node::Step(id.clone()),
            Member::Join | Member::Finally => event::Node::Join(joins.get(node.index()).copied().unwrap_or_default()),
        };
        let edges = self.nodes.edge_references().map(|edge| {
            let reasons = edge.weight().reasons.iter();
            let reasons = reasons.map(|reason| event::Reason { word: reason.word(), text: reason.to_string() });
            event::Edge { from: end(edge.source()), to: end(edge.target()), reasons: reasons.collect() }
        });
        edges.collect()
    }
}
