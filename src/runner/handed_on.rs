use std::collections::{BTreeMap, HashMap};

use petgraph::{Direction, graph::NodeIndex, visit::EdgeRef};

use crate::{
    graph::{Edge, Graph, Member, Reason},
    oci::{Algorithm, Digest, Hasher},
    output::Output,
};

/// The digests of what steps handed on, for the fingerprints of those that wait for them.
#[derive(Debug, Default)]
pub struct HandedOn {
    steps: HashMap<usize, Digest>,
    /// Of joins: worked out once, however many wait behind.
    joins: HashMap<NodeIndex, Digest>,
}

impl HandedOn {
    /// Says what a step handed on. How it came about is no part of it: a step that finds what another run made hands on
    /// the same.
    pub fn note(&mut self, step: usize, output: &Output) {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        for (name, value) in output.iter().filter(|(name, _)| !matches!(*name, "outcome" | "changed")) {
            hasher.update(name.as_bytes());
            hasher.update(b"\0");
            hasher.update(value.to_string().as_bytes());
            hasher.update(b"\0");
        }
        self.steps.insert(step, hasher.finish());
    }

    /// What was handed on by those that `step` waits for, unless only as gates, by their names.
    pub fn before(&mut self, step: usize, graph: &Graph) -> BTreeMap<String, Digest> {
        let mut before = BTreeMap::new();
        let Some(node) = graph.node(step) else { return before };
        let mut joined = Vec::new();
        for edge in graph.as_petgraph().edges_directed(node, Direction::Incoming).filter(|edge| counts(edge.weight())) {
            match &graph.as_petgraph()[edge.source()] {
                Member::Step(id) => {
                    before.extend(self.steps.get(&id.index()).map(|digest| (id.name().to_owned(), digest.clone())));
                }
                Member::Join => joined.push(self.join(edge.source(), graph)),
                // What is in `finally` is handed nothing but what it names, which is in its fields.
                Member::Finally => {}
            }
        }
        joined.sort();
        if !joined.is_empty() {
            before.insert("+".to_owned(), together(joined.iter()));
        }
        before
    }

    fn join(&mut self, node: NodeIndex, graph: &Graph) -> Digest {
        // A list, not recursion: joins may stand behind joins as deep as the plan is long.
        let mut open = vec![node];
        while let Some(&node) = open.last() {
            if self.joins.contains_key(&node) {
                open.pop();
                continue;
            }
            let sources: Vec<_> = graph.as_petgraph().neighbors_directed(node, Direction::Incoming).collect();
            let is_join = |node: &NodeIndex| matches!(graph.as_petgraph()[*node], Member::Join);
            let missing: Vec<_> =
                sources.iter().copied().filter(|node| is_join(node) && !self.joins.contains_key(node)).collect();
            if !missing.is_empty() {
                open.extend(missing);
                continue;
            }
            let digest = |node: &NodeIndex| match &graph.as_petgraph()[*node] {
                Member::Step(id) => self.steps.get(&id.index()),
                Member::Join => self.joins.get(node),
                Member::Finally => None,
            };
            let mut digests: Vec<_> = sources.iter().filter_map(digest).collect();
            digests.sort();
            let digest = together(digests.into_iter());
            self.joins.insert(node, digest);
            open.pop();
        }
        self.joins.get(&node).cloned().unwrap_or_else(|| Digest::sha256(b""))
    }
}

/// Whether more follows from the edge than that the earlier one has passed.
fn counts(edge: &Edge) -> bool {
    edge.reasons.iter().any(|reason| !matches!(reason, Reason::Gate | Reason::Finally))
}

fn together<'a>(digests: impl Iterator<Item = &'a Digest>) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for digest in digests {
        hasher.update(digest.to_string().as_bytes());
    }
    hasher.finish()
}
