use super::capture::LIMIT;
use crate::text::bytes;

/// Why a program did not do its work, or said no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    /// It is not there.
    #[error("there is no program `{program}`")]
    Missing {
        /// As written.
        program: String,
    },
    /// It cannot be started.
    #[error("`{program}` cannot be started: {message}")]
    Start {
        /// As written.
        program: String,
        /// What the system said.
        message: String,
    },
    /// It ended with another code than 0.
    #[error("`{program}` ended with exit code {code}")]
    Ended {
        /// As written.
        program: String,
        /// Its exit code.
        code: i32,
        /// Whether that says no.
        is_gate: bool,
    },
    /// It was ended by somebody else.
    #[error("`{program}` was ended by {by}")]
    Killed {
        /// As written.
        program: String,
        /// A signal, as the system names it.
        by: String,
    },
    /// It cannot be waited for.
    #[error("`{program}` was lost: {message}")]
    Lost {
        /// As written.
        program: String,
        /// What the system said.
        message: String,
    },
    /// It writes more than is captured.
    #[error("`{program}` writes more to stdout than the {} that `capture` takes", bytes(LIMIT as u64))]
    TooMuch {
        /// As written.
        program: String,
    },
    /// Something that it left running holds its stdout.
    #[error("`{program}` ended, and something that it left running still holds its stdout")]
    Held {
        /// As written.
        program: String,
    },
    /// What it wrote is no text.
    #[error("what `{program}` wrote to stdout is not text in UTF-8")]
    NotText {
        /// As written.
        program: String,
    },
    /// What it wrote is no JSON.
    #[error("what `{program}` wrote to stdout is not JSON: {message}")]
    NotJson {
        /// As written.
        program: String,
        /// Where it is wrong.
        message: String,
    },
}

impl ExecError {
    /// Whether it looked, and says no.
    pub(in crate::step) const fn is_no(&self) -> bool {
        matches!(self, Self::Ended { is_gate: true, .. })
    }

    /// What a person can do.
    pub(in crate::step) fn help(&self) -> Option<String> {
        match self {
            Self::Missing { program } if program.contains('/') => {
                Some("a program with a `/` in its name is a file, relative to the plan's folder".to_owned())
            }
            Self::Missing { .. } => Some("install it, or put the folder that it is in into `PATH`".to_owned()),
            Self::TooMuch { .. } => {
                Some("let it write to a file, and name the file under `writes` for the steps that read it".to_owned())
            }
            Self::Held { .. } => Some("let it wait for what it starts, or send their output elsewhere".to_owned()),
            _ => None,
        }
    }
}
