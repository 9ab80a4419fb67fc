use jiff::Timestamp;

use super::Refusal;
use crate::sign::{
    certificate::Certificate,
    timestamp::{Token, token_of},
};

/// When `signature` was made, as one of these authorities says in one of these answers of timestamp services.
pub fn signed_at(signature: &[u8], answers: &[Vec<u8>], authorities: &[Certificate]) -> Result<Timestamp, Refusal> {
    let mut refusal = Refusal::NoTimestamp;
    for answer in answers {
        let timestamped = token_of(answer, None).and_then(|token| Token::read(&token)?.verify(signature, authorities));
        match timestamped {
            Ok(timestamped) => return Ok(timestamped.time),
            Err(error) => refusal = error.into(),
        }
    }
    Err(refusal)
}
