use petgraph::graph::NodeIndex;

use crate::step::Access;

/// Who touched one thing last, as far as later steps must know: the last phase of equal accesses and the one before it.
///
/// Within a phase nobody waits for anybody; every member of a phase waits for the whole phase before it. What came
/// earlier is waited for through that.
#[derive(Debug, Default)]
pub(super) struct Cell {
    previous: Option<Phase>,
    current: Option<Phase>,
}

/// Steps that touched the thing alike, one after another in the file.
#[derive(Debug)]
pub(super) struct Phase {
    pub(super) access: Access,
    pub(super) members: Vec<NodeIndex>,
    /// Stands for all members once the phase is closed and has many.
    pub(super) join: Option<NodeIndex>,
}

impl Cell {
    /// The phase that a new access must wait for.
    pub(super) fn before(&mut self, access: Access) -> Option<&mut Phase> {
        let waits_for_current = self.current.as_ref().is_some_and(|phase| phase.access.conflicts(access));
        if waits_for_current { self.current.as_mut() } else { self.previous.as_mut() }
    }

    /// Whether the phase that a new access waits for can still grow.
    pub(super) fn is_open(&self, access: Access) -> bool {
        self.current.as_ref().is_some_and(|phase| phase.access.conflicts(access))
    }

    /// Makes `node` a member of the last phase, or of a new one.
    pub(super) fn enter(&mut self, node: NodeIndex, access: Access) {
        match &mut self.current {
            Some(phase) if !phase.access.conflicts(access) => {
                // One step may touch a thing twice.
                if phase.members.last() != Some(&node) {
                    phase.members.push(node);
                }
            }
            // A step that reads and then writes one thing is one write: it need not wait for itself.
            Some(phase) if phase.members == [node] => phase.access = Access::Write,
            _ => {
                let phase = Phase { access, members: vec![node], join: None };
                self.previous = self.current.replace(phase);
            }
        }
    }
}
