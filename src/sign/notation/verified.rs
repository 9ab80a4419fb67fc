use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Envelope;
use crate::sign::certificate::Certificate;

/// A signature that counts.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Whose key signed.
    pub signer: Certificate,
    /// When, as the envelope says.
    pub signing_time: Timestamp,
    /// When, as an authority for the time says.
    pub timestamp: Option<Timestamp>,
    /// Until when it counts.
    pub expiry: Option<Timestamp>,
    /// What the signer says.
    pub annotations: BTreeMap<String, String>,
    /// What would be refused elsewhere, and is only to be said here.
    pub warnings: Vec<String>,
}

impl Verified {
    pub(super) fn new(envelope: &Envelope, timestamp: Option<Timestamp>, warnings: Vec<String>) -> Self {
        Self {
            signer: envelope.chain.leaf().clone(),
            signing_time: envelope.headers.signing_time,
            timestamp,
            expiry: envelope.headers.expiry,
            annotations: envelope.payload.target_artifact.annotations.clone(),
            warnings,
        }
    }
}
