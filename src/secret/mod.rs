//! Secrets: text that is never shown, and where it comes from.
//!
//! A plan hands on the names of its secrets only. What one says is asked for where a request or a program needs it, and
//! goes there alone.

mod error;
mod late;
mod redaction;
mod secrets;
mod source;
mod value;

pub use self::{
    error::{SecretError, SecretProblem},
    late::LateSecret,
    redaction::Redaction,
    secrets::Secrets,
    source::SecretSource,
    value::Secret,
};
