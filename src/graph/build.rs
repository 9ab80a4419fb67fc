//! From what steps say of themselves to edges, in one pass over the file.

use std::collections::HashMap;

use petgraph::{
    Direction,
    graph::{DiGraph, NodeIndex},
};

use super::{
    Graph, Part,
    edge::{Edge, Reason},
    ledger::{Arrival, Ledger},
    member::Member,
    shape::Shape,
};

pub(super) fn build(parts: &[Part], shape: Shape) -> Graph {
    let mut graph = DiGraph::with_capacity(parts.len(), parts.len() * 2);
    let mut steps = Vec::with_capacity(parts.len());
    let mut ledger = Ledger::default();
    let mut gates = Gates::default();
    let mut barrier = None;
    for (place, part) in parts.iter().enumerate() {
        if shape.finally == Some(place) {
            // Whatever came before has ended by then, and no gate of it holds back what cleans up.
            barrier = Some(stand_before_finally(&mut graph));
            ledger = Ledger::default();
            gates = Gates::default();
        }
        gates.enter(&mut graph, shape.iterations.get(&place).copied());
        let node = graph.add_node(Member::Step(part.id.clone()));
        let mut arrival = Arrival { node, graph: &mut graph, reasons: Vec::new() };
        arrival.reasons.extend(barrier.map(|barrier| (barrier, Reason::Finally)));
        for need in &part.data {
            if let Some(source) = steps.get(need.step) {
                arrival.reasons.push((*source, Reason::Data { mention: need.mention.clone() }));
            }
        }
        for need in &part.needs {
            let (Some(source), Some(earlier)) = (steps.get(*need), parts.get(*need)) else { continue };
            let inside = earlier.id.name().strip_prefix(part.id.name()).is_some_and(|rest| rest.starts_with('/'));
            arrival.reasons.push((*source, if inside { Reason::Include } else { Reason::Needs }));
        }
        for (access, thing) in part.effects.touches() {
            ledger.touch(&mut arrival, *access, thing);
        }
        if let Some(gates) = gates.so_far.filter(|_| part.effects.changes_anything()) {
            arrival.reasons.push((gates, Reason::Gate));
        }
        let reasons = arrival.reasons;
        connect(&mut graph, node, reasons);
        if part.gate {
            gates.add(&mut graph, node);
        }
        steps.push(node);
    }
    let telling = parts.iter().enumerate().filter(|(_, part)| part.effects.tells_blobs());
    Graph { nodes: graph, steps, telling: telling.map(|(step, _)| step).collect(), shape }
}

/// A node that waits for all that nothing else waits for, and so for everything.
fn stand_before_finally(graph: &mut DiGraph<Member, Edge>) -> NodeIndex {
    let last: Vec<_> = graph.externals(Direction::Outgoing).collect();
    let barrier = graph.add_node(Member::Finally);
    for node in last {
        graph.add_edge(node, barrier, Edge::new(Reason::Finally));
    }
    barrier
}

/// One edge from each source, with all its reasons.
fn connect(graph: &mut DiGraph<Member, Edge>, node: NodeIndex, reasons: Vec<(NodeIndex, Reason)>) {
    let mut edges: HashMap<NodeIndex, usize> = HashMap::new();
    let mut sources: Vec<(NodeIndex, Edge)> = Vec::new();
    for (source, reason) in reasons {
        match edges.get(&source).and_then(|place| sources.get_mut(*place)) {
            Some((_, edge)) if edge.reasons.contains(&reason) => {}
            Some((_, edge)) => edge.reasons.push(reason),
            None => {
                edges.insert(source, sources.len());
                sources.push((source, Edge::new(reason)));
            }
        }
    }
    for (source, edge) in sources {
        graph.add_edge(source, node, edge);
    }
}

/// The gates that hold back whatever comes next.
#[derive(Debug, Default)]
struct Gates {
    so_far: Option<NodeIndex>,
    /// The loop that is open, and the number of its item.
    within: Option<(usize, usize)>,
    /// The gates before the open loop, which hold back all of it.
    before: Option<NodeIndex>,
    /// What the items of the open loop hold back: the steps after the loop, but not each other.
    inside: Vec<NodeIndex>,
}

impl Gates {
    /// Comes to a step of that loop and item, or to one outside of all loops.
    fn enter(&mut self, graph: &mut DiGraph<Member, Edge>, within: Option<(usize, usize)>) {
        if within == self.within {
            return;
        }
        match self.within {
            Some(_) => self.inside.extend(self.so_far.filter(|gates| Some(*gates) != self.before)),
            None => self.before = self.so_far,
        }
        if self.within.map(|(which, _)| which) == within.map(|(which, _)| which) {
            self.so_far = self.before;
        } else {
            for gate in std::mem::take(&mut self.inside) {
                self.so_far = self.before;
                self.add(graph, gate);
                self.before = self.so_far;
            }
            self.so_far = self.before;
        }
        self.within = within;
    }

    /// A node that stands for all gates so far: 5,000 gates before 5,000 writers make 15,000 edges, not 25 million.
    fn add(&mut self, graph: &mut DiGraph<Member, Edge>, gate: NodeIndex) {
        let Some(earlier) = self.so_far else {
            self.so_far = Some(gate);
            return;
        };
        let join = graph.add_node(Member::Join);
        graph.add_edge(earlier, join, Edge::new(Reason::Gate));
        graph.add_edge(gate, join, Edge::new(Reason::Gate));
        self.so_far = Some(join);
    }
}
