//! Signatures: bytes in, bytes out. Keys, certificates, envelopes, and whom to trust.
//!
//! Nothing here knows of stores or steps: what carries a signature to a registry stands in `step`.

pub mod certificate;
pub mod cosign;
pub mod key;
#[cfg(test)]
mod mutation;
pub mod notation;
pub mod revocation;
pub mod timestamp;
mod web;

pub use self::web::{Web, WebError};
