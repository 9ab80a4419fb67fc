use std::{collections::HashMap, sync::Arc};

use petgraph::graph::{DiGraph, NodeIndex};

use super::{
    cell::Cell,
    edge::{Edge, Reason},
    member::Member,
};
use crate::step::{Access, Thing};

/// Who touched what, so far: a cell for every thing, in the tree that things form.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    cell: Cell,
    below: HashMap<Arc<str>, Ledger>,
}

/// With this many in a closed phase, a join stands between it and those who wait for it.
const MANY: usize = 4;

/// The edges into one step while they are found.
pub(super) struct Arrival<'a> {
    pub(super) node: NodeIndex,
    pub(super) graph: &'a mut DiGraph<Member, Edge>,
    pub(super) reasons: Vec<(NodeIndex, Reason)>,
}

impl Ledger {
    /// Finds whom the arriving step must wait for when it touches `thing`, and remembers the touch.
    pub(super) fn touch(&mut self, arrival: &mut Arrival<'_>, access: Access, thing: &Thing) {
        self.descend(arrival, access, thing, 0);
    }

    fn descend(&mut self, arrival: &mut Arrival<'_>, access: Access, thing: &Thing, depth: usize) {
        let Some(part) = thing.parts().get(depth) else {
            self.wait(arrival, access, thing, false);
            for below in self.below.values_mut() {
                below.wait_below(arrival, access, thing);
            }
            if access == Access::Write {
                // Whoever touches anything in here later waits for this write, and through it for all of those.
                self.below.clear();
            }
            self.cell.enter(arrival.node, access);
            return;
        };
        self.wait(arrival, access, thing, true);
        self.below.entry(Arc::clone(part)).or_default().descend(arrival, access, thing, depth + 1);
    }

    fn wait_below(&mut self, arrival: &mut Arrival<'_>, access: Access, thing: &Thing) {
        self.wait(arrival, access, thing, true);
        for below in self.below.values_mut() {
            below.wait_below(arrival, access, thing);
        }
    }

    /// Adds the edges from this cell alone. `passing`: the arriving step does not enter this cell, so an open phase of it
    /// stays open and cannot be joined.
    fn wait(&mut self, arrival: &mut Arrival<'_>, access: Access, thing: &Thing, passing: bool) {
        let open = passing && self.cell.is_open(access);
        let Some(phase) = self.cell.before(access) else { return };
        let reason = Reason::Effect { before: phase.access, thing: thing.clone(), after: access };
        if phase.join.is_none() && phase.members.len() >= MANY && !open && phase.members.last() != Some(&arrival.node) {
            let join = arrival.graph.add_node(Member::Join);
            for member in &phase.members {
                arrival.graph.add_edge(*member, join, Edge::new(reason.clone()));
            }
            phase.join = Some(join);
        }
        if let Some(join) = phase.join {
            arrival.reasons.push((join, reason));
        } else {
            let others = phase.members.iter().filter(|member| **member != arrival.node);
            arrival.reasons.extend(others.map(|member| (*member, reason.clone())));
        }
    }
}
