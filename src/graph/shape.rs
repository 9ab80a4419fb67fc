use std::collections::{BTreeMap, HashMap};

/// Which steps belong together.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// The place of the first step of `finally`, where there is one: those from there on run when all before them have
    /// ended, however they did.
    pub finally: Option<usize>,
    /// The steps that loops make: each with its loop, and the number of its item there.
    pub iterations: HashMap<usize, (usize, usize)>,
    /// How many items of a loop are worked on at a time, where that is limited.
    pub max_parallel: BTreeMap<usize, usize>,
}
