use der::{Decode, Reader, SliceReader};

use super::{Request, TimestampError, Token, asn1::Status};

/// The largest answer that is read.
const LARGEST: usize = 1024 * 1024;

/// The token in the answer of a service; with `request`, only where it answers that.
pub fn token(response: &[u8], request: Option<&Request>) -> Result<Vec<u8>, TimestampError> {
    if response.len() > LARGEST {
        return Err(TimestampError::malformed(format!("it has more than {LARGEST} bytes")));
    }
    let mut reader = SliceReader::new(response).map_err(TimestampError::malformed)?;
    let read = reader.sequence(|reader| {
        let status = Status::decode(reader)?;
        let token = if reader.is_finished() { None } else { Some(reader.tlv_bytes()?.to_vec()) };
        Ok((status, token))
    });
    let (status, token) = read.map_err(TimestampError::malformed)?;
    // Granted, or granted with modifications.
    let (0 | 1, Some(token)) = (status.code, token) else {
        let text = status.text.unwrap_or_default().join("; ");
        // It is shown in a terminal.
        return Err(TimestampError::Refused { text: text.chars().filter(|letter| !letter.is_control()).collect() });
    };
    if let Some(request) = request {
        let answer = Token::read(&token)?;
        if answer.info().imprint != *request.imprint() && answer.info().imprint.hashed != request.imprint().hashed {
            return Err(TimestampError::OtherMessage);
        }
        if answer.info().nonce.as_deref() != Some(request.nonce()) {
            return Err(TimestampError::OtherRequest);
        }
    }
    Ok(token)
}
