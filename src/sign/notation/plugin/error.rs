use std::{path::PathBuf, time::Duration};

/// Why a plugin did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// Its name leads elsewhere.
    #[error("`{name}` is not the name of a plugin: letters, digits, `.`, `-` and `_` are")]
    Name {
        /// What stands there.
        name: String,
    },
    /// The plan does not let it run.
    #[error("the plugin `{name}` may not run: `allow.exec` does not have `{program}`")]
    NotAllowed {
        /// Which.
        name: String,
        /// Its program.
        program: String,
    },
    /// It is not there.
    #[error("the plugin `{name}` is not installed: {} is missing", path.display())]
    Missing {
        /// Which.
        name: String,
        /// Where it would be.
        path: PathBuf,
    },
    /// It cannot be run.
    #[error("the plugin `{name}` cannot be run: {message}")]
    Start {
        /// Which.
        name: String,
        /// Why.
        message: String,
    },
    /// It took too long.
    #[error("the plugin `{name}` gave no answer to `{command}` after {} s", limit.as_secs())]
    Silent {
        /// Which.
        name: String,
        /// What it was asked.
        command: &'static str,
        /// How long it was waited for.
        limit: Duration,
    },
    /// It said more than anybody needs.
    #[error("the plugin `{name}` answered `{command}` with more than {limit} bytes")]
    TooLong {
        /// Which.
        name: String,
        /// What it was asked.
        command: &'static str,
        /// How much is read.
        limit: usize,
    },
    /// It said no.
    #[error("the plugin `{name}` failed to `{command}`: {code}: {message}")]
    Failed {
        /// Which.
        name: String,
        /// What it was asked.
        command: &'static str,
        /// Its own code.
        code: String,
        /// Its own words.
        message: String,
    },
    /// What it said is no answer.
    #[error("the plugin `{name}` answered `{command}` with what is no answer: {problem}")]
    Answer {
        /// Which.
        name: String,
        /// What it was asked.
        command: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// It cannot do that.
    #[error("the plugin `{name}` cannot {what}")]
    Incapable {
        /// Which.
        name: String,
        /// What it would have to do.
        what: &'static str,
    },
    /// It is too old.
    #[error("the plugin `{name}` has the version {version}, and {wanted} or later is needed")]
    Version {
        /// Which.
        name: String,
        /// What it has.
        version: String,
        /// What is needed.
        wanted: String,
    },
}
