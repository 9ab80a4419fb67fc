use super::Thing;

/// The files that a step leaves, where they are not all that it writes by its effects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaves {
    /// They are there when it has ended.
    pub written: Vec<Thing>,
    /// They would be if it did its work, which it does not in a run of that mode.
    pub unsaid: Vec<Thing>,
}
