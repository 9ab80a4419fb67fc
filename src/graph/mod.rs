//! Which step waits for which, and why.
//!
//! Built from what steps say of themselves (data, effects, gates, `needs`), in time linear in the plan. Joins stand
//! where many would wait for many. Who runs next is the schedule's matter.

mod build;
mod cell;
mod chain;
mod edge;
mod edges;
mod format;
mod ledger;
mod member;
mod shape;
mod why;

use std::collections::HashSet;

use petgraph::graph::{DiGraph, NodeIndex};

pub use self::{
    edge::{Edge, Reason},
    format::Format,
    member::{Member, Need},
    shape::Shape,
    why::Leg,
};
use crate::{event::StepId, step::Effects};

/// What the graph needs to know of a step.
#[derive(Debug, Clone)]
pub struct Part {
    /// Name and place.
    pub id: StepId,
    /// What it touches.
    pub effects: Effects,
    /// Whether it may say no.
    pub gate: bool,
    /// The steps whose outputs it uses, with the expression or var that says so.
    pub data: Vec<Need>,
    /// The steps that it names by hand.
    pub needs: Vec<usize>,
}

/// The graph of one plan. Edges lead from what comes first to what waits; no cycle can be written.
#[derive(Debug)]
pub struct Graph {
    nodes: DiGraph<Member, Edge>,
    steps: Vec<NodeIndex>,
    /// Which of them tell what blobs were there.
    telling: HashSet<usize>,
    shape: Shape,
}

impl Graph {
    /// The graph of these steps, which stand in file order and refer only to steps above them.
    pub fn new(parts: &[Part]) -> Self {
        Self::shaped(parts, Shape::default())
    }

    /// The same, where some of them belong together.
    pub fn shaped(parts: &[Part], shape: Shape) -> Self {
        build::build(parts, shape)
    }

    /// What belongs together.
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// How many steps stand before those of `finally`.
    pub fn finally(&self) -> usize {
        self.shape.finally.unwrap_or(self.len())
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Steps and joins with the edges between them.
    pub const fn as_petgraph(&self) -> &DiGraph<Member, Edge> {
        &self.nodes
    }

    /// Whether the outputs of a step tell which blobs were there.
    pub fn tells_blobs(&self, step: usize) -> bool {
        self.telling.contains(&step)
    }

    /// The node of the step at this place in the file.
    pub fn node(&self, step: usize) -> Option<NodeIndex> {
        self.steps.get(step).copied()
    }
}

#[cfg(test)]
mod tests;
