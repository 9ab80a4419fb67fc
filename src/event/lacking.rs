/// An output of the plan that has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// Its name.
    pub output: String,
    /// Why, in words.
    pub because: String,
    /// Whether all that it lacks is a step that was skipped, as the plan or the command line has it.
    pub is_skipped: bool,
}
