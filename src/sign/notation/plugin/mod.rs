//! The plugins of notation: programs that hold keys, or have a say in verification.
//!
//! <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/plugin-extensibility.md>

mod answers;
mod error;
mod folder;
mod program;

pub use self::{
    answers::{Capability, Described, Generated, GeneratedEnvelope, Metadata, PluginVerdict, VerificationResult},
    error::PluginError,
    folder::Plugins,
    program::Plugin,
};

#[cfg(test)]
#[cfg(unix)]
mod tests;
