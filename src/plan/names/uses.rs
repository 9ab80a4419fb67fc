use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::plan::Span;

/// What a value looks at, through vars too.
#[derive(Debug, Clone, Default)]
pub struct Uses {
    /// Steps by their place in the file, each with the first thing that mentions it, as it is written.
    pub steps: BTreeMap<usize, Arc<str>>,
    /// Loops whose outputs it looks at from outside.
    pub loops: Vec<LoopUse>,
    /// Inputs.
    pub inputs: BTreeSet<Arc<str>>,
    /// Whether what a step touches may depend on values in a way that cannot be foretold.
    pub opaque: bool,
    /// Every output that is named, with its step and where it stands.
    pub outputs: Vec<(usize, String, Span)>,
    /// Secrets.
    pub secrets: BTreeSet<Arc<str>>,
    /// Steps of which an output is named without a default.
    pub bare: BTreeSet<usize>,
    /// Whether it looks at how the run went, as only `finally` can.
    pub run: bool,
    /// Whether a mistake was found: the value cannot be worked out.
    pub broken: bool,
}

impl Uses {
    /// Whether it looks at anything that only the run will tell.
    pub fn is_open(&self) -> bool {
        self.run || !self.steps.is_empty() || !self.loops.is_empty()
    }
}

/// A look at what a loop hands on.
#[derive(Debug, Clone)]
pub struct LoopUse {
    /// The loop's place among all loops.
    pub which: usize,
    /// Of which item.
    pub key: LoopKey,
    /// The step of the group, by its place among all steps; nothing where all are meant.
    pub step: Option<usize>,
    /// As it is written.
    pub mention: Arc<str>,
    /// Where the key or what stands in its place is.
    pub span: Span,
}

/// The item that a look at a loop is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoopKey {
    /// All of them.
    Each,
    /// The one with this key.
    Text(Arc<str>),
    /// The one with the key that this expression gives.
    Computed(Arc<str>),
}
