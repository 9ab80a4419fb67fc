use std::{path::PathBuf, process::ExitStatus, sync::Arc, time::Duration};

/// Why a secret has no value. It never holds what a file or a program says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret `{name}`: {problem}")]
pub struct SecretError {
    /// What the plan calls it.
    pub name: Arc<str>,
    /// What is wrong.
    pub problem: SecretProblem,
}

/// What is wrong with the place that a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretProblem {
    /// The plan says nothing of it.
    #[error("the plan does not declare it")]
    Undeclared,
    /// Nobody has set the variable, or it is empty.
    #[error("the environment variable `{variable}` is not set")]
    Unset {
        /// Its name.
        variable: String,
    },
    /// The file is not there, or not for us.
    #[error("the file {} cannot be read: {message}", path.display())]
    File {
        /// Absolute.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
    /// The program is not there, or not for us.
    #[error("`{program}` cannot be run: {message}")]
    Program {
        /// As the plan names it.
        program: String,
        /// What the system said.
        message: String,
    },
    /// The program failed.
    #[error("`{program}` failed with {status}")]
    Failed {
        /// As the plan names it.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The program takes too long.
    #[error("`{program}` gave no answer after {} seconds", .limit.as_secs())]
    Silent {
        /// As the plan names it.
        program: String,
        /// How long was waited.
        limit: Duration,
    },
    /// Nothing stands there.
    #[error("{origin} holds nothing")]
    Empty {
        /// Where it was looked for.
        origin: String,
    },
    /// What stands there is not text.
    #[error("{origin} does not hold text in UTF-8")]
    NotText {
        /// Where it was looked for.
        origin: String,
    },
    /// What stands there is longer than any secret.
    #[error("{origin} holds more than {limit} bytes")]
    TooLong {
        /// Where it was looked for.
        origin: String,
        /// In bytes.
        limit: usize,
    },
}
