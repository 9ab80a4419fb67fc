use super::headers::Raw;

/// An envelope taken apart; nothing is checked yet.
#[derive(Debug)]
pub(super) struct Parts {
    /// As the header says.
    pub(super) algorithm: String,
    pub(super) headers: Raw,
    /// DER.
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) timestamp: Option<Vec<u8>>,
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
    /// What the signature is over.
    pub(super) signed: Vec<u8>,
}
