use jiff::Timestamp;

use crate::sign::cosign::Refusal;

/// What one of the signers says, and what is known of when.
#[derive(Debug)]
pub(in crate::step) struct Said<S> {
    pub(in crate::step) statement: S,
    /// Who, in words.
    pub(in crate::step) signer: String,
    /// When, where a timestamp is asked for or the signer has no key; or why that is not known.
    pub(in crate::step) time: Result<Option<Timestamp>, Refusal>,
}
