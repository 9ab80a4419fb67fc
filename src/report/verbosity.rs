/// How much is told to people on stderr. What goes to stdout and into files is the same with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verbosity {
    /// What went wrong.
    Quiet,
    /// What became of every step, and of the run.
    #[default]
    Normal,
    /// Every request to a registry too.
    Verbose,
}
