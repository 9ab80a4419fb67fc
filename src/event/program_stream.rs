/// Where a program wrote something to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramStream {
    /// Its stdout.
    Stdout,
    /// Its stderr.
    Stderr,
}

impl ProgramStream {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}
