use crate::{
    event::Outcome,
    oci::{Digest, Reference},
};

/// A signature that is there now.
#[derive(Debug)]
pub(in crate::step) struct Attached {
    /// What it is about.
    pub(in crate::step) subject: Digest,
    /// The manifest that carries it.
    pub(in crate::step) signature: Reference,
    /// Whether it was there before.
    pub(in crate::step) outcome: Outcome,
}
