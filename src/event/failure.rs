use std::fmt;

/// Why a step failed, in words that reporters show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whether it is worth another try.
    pub kind: FailureKind,
    /// The causes, outermost first, joined with `: `; lower case, no period.
    pub message: String,
    /// What was found, one line each.
    pub notes: Vec<String>,
    /// What a person can do about it, one sentence each.
    pub help: Vec<String>,
    /// Where the step stands in its plan.
    pub place: Option<Place>,
}

/// What a failure means for the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The step could not do its work.
    Step,
    /// A gate looked and said no.
    Gate,
    /// The registry or the network could not, after all retries; later it may.
    Temporary,
    /// The plan says that it does not count.
    Tolerated,
    /// A step of `finally` could not do its work: it makes a failure of a success, and hides nothing else.
    Finally,
}

/// A place in a plan: lines and columns from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named on the command line.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}
