use std::{path::PathBuf, sync::Arc};

use super::{Defaults, yaml::Node};

/// A plan that another one includes.
#[derive(Debug)]
pub struct Included {
    /// As the including plan names it.
    pub name: String,
    /// What its names begin with: the id of the step that includes it, and `/`.
    pub prefix: Arc<str>,
    /// The plan that includes it: see [`Document::included`](super::Document::included).
    pub parent: usize,
    /// What its paths are relative to, absolute.
    pub folder: PathBuf,
    /// What it may do, expressions and all, beside what the including plan may do.
    pub allow: Option<Node>,
    /// What a rehearsal begins with, expressions and all, beside what the including plan says.
    pub rehearse: Option<Node>,
    /// What holds for each of its steps that does not say otherwise.
    pub defaults: Defaults,
    /// The names of what it hands on; nothing where the plan could not be read.
    pub outputs: Option<Vec<Arc<str>>>,
    /// Whether it is included once for each item of a loop.
    pub is_in_loop: bool,
}
