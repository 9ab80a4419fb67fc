use std::ops::Range;

use der::{Decode, Header, Reader, SliceReader};

/// Where in `der` stands what the signature in it is over: the first element of the sequence, as it was written. Encoding
/// it anew would verify another text than the one that was signed.
pub(in crate::sign) fn signed_part(der: &[u8]) -> der::Result<Range<usize>> {
    let mut reader = SliceReader::new(der)?;
    let outer = Header::decode(&mut reader)?;
    outer.tag.assert_eq(der::Tag::Sequence)?;
    let start = usize::try_from(reader.position())?;
    let length = reader.tlv_bytes()?.len();
    Ok(start..start + length)
}
