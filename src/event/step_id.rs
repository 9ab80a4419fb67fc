use std::{fmt, sync::Arc};

/// A step of a plan: its name, and its place in file order from 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepId {
    index: usize,
    name: Arc<str>,
}

impl StepId {
    /// The step that stands at `index` under this name.
    pub fn new(index: usize, name: impl Into<Arc<str>>) -> Self {
        Self { index, name: name.into() }
    }

    /// The place in file order, from 0.
    pub const fn index(&self) -> usize {
        self.index
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
