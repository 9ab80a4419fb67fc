use crate::{
    plan::Given,
    step::{Mode, Places},
};

/// What a plan is compiled with.
#[derive(Debug, Clone)]
pub struct CompileOptions {
    /// Values from outside.
    pub given: Given,
    /// The ids of steps that are not to run.
    pub skip: Vec<String>,
    /// The ids of the only steps that are to run; with none, all are.
    pub select: Vec<String>,
    /// What the run is for.
    pub mode: Mode,
    /// Where local paths lead.
    pub places: Places,
}
