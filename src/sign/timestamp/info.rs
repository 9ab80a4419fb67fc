use der::{
    Decode, Reader, SliceReader, Tag, Tagged,
    asn1::{AnyRef, IntRef, ObjectIdentifier, UintRef},
};
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

use super::{TimestampError, asn1::MessageImprint};

/// What a timestamp says.
///
/// <https://www.rfc-editor.org/rfc/rfc3161#section-2.4.2>
#[derive(Debug, Clone)]
pub(super) struct Info {
    pub(super) imprint: MessageImprint,
    pub(super) time: Timestamp,
    /// How far off it may be, either way.
    pub(super) accuracy: SignedDuration,
    pub(super) nonce: Option<Vec<u8>>,
}

impl Info {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, TimestampError> {
        let mut reader = SliceReader::new(bytes).map_err(TimestampError::malformed)?;
        let read = reader.sequence(|reader| {
            let version = u8::decode(reader)?;
            let _policy = ObjectIdentifier::decode(reader)?;
            let imprint = MessageImprint::decode(reader)?;
            let _serial = IntRef::decode(reader)?;
            let time = AnyRef::decode(reader)?;
            let mut accuracy = SignedDuration::ZERO;
            let mut nonce = None;
            while !reader.is_finished() {
                match reader.peek_tag()? {
                    Tag::Sequence => accuracy = read_accuracy(reader)?,
                    Tag::Integer => nonce = Some(UintRef::decode(reader)?.as_bytes().to_vec()),
                    // Ordering, the name of the service, extensions.
                    _ => drop(AnyRef::decode(reader)?),
                }
            }
            Ok((version, imprint, time, accuracy, nonce))
        });
        let (version, imprint, time, accuracy, nonce) = read.map_err(TimestampError::malformed)?;
        if version != 1 {
            return Err(TimestampError::malformed("its version is not 1"));
        }
        let wrong = || TimestampError::malformed("its time cannot be read");
        if time.tag() != Tag::GeneralizedTime {
            return Err(wrong());
        }
        let text = str::from_utf8(time.value()).map_err(|_| wrong())?;
        Ok(Self { imprint, time: read_time(text).ok_or_else(wrong)?, accuracy, nonce })
    }
}

/// `20260131120000Z`, also with a fraction of a second, which certificates do not have.
fn read_time(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_digit());
    if whole.len() != 14
        || !is_number(whole)
        || !fraction.is_none_or(|fraction| is_number(fraction) && fraction.len() <= 9)
    {
        return None;
    }
    let part = |range: std::ops::Range<usize>| whole.get(range)?.parse::<i8>().ok();
    let year = whole.get(..4)?.parse::<i16>().ok()?;
    let nanoseconds = format!("{:0<9}", fraction.unwrap_or_default()).parse::<i32>().ok()?;
    let time =
        DateTime::new(year, part(4..6)?, part(6..8)?, part(8..10)?, part(10..12)?, part(12..14)?, nanoseconds).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn read_accuracy<'a>(reader: &mut impl Reader<'a>) -> der::Result<SignedDuration> {
    reader.sequence(|reader| {
        let mut accuracy = SignedDuration::ZERO;
        while !reader.is_finished() {
            let part = AnyRef::decode(reader)?;
            let number = |part: AnyRef<'_>| {
                let digits = part.value();
                // A few bytes: nothing is off by years.
                if digits.len() > 4 || digits.first().is_some_and(|first| *first >= 0x80) {
                    return Err(der::Error::from(der::ErrorKind::Overflow));
                }
                Ok(digits.iter().fold(0_i64, |number, digit| number * 256 + i64::from(*digit)))
            };
            accuracy += match (part.tag(), part.tag().number().value()) {
                (Tag::Integer, _) => SignedDuration::from_secs(number(part)?),
                (_, 0) => SignedDuration::from_millis(number(part)?),
                (_, 1) => SignedDuration::from_micros(number(part)?),
                _ => return Err(part.tag().unexpected_error(None)),
            };
        }
        Ok(accuracy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_fractions_or_none() {
        let read = |text: &str| read_time(text).map(|time| time.to_string());
        assert_eq!(read("20260131120000Z").as_deref(), Some("2026-01-31T12:00:00Z"));
        assert_eq!(read("20260131120000.25Z").as_deref(), Some("2026-01-31T12:00:00.25Z"));
        for wrong in
            ["", "Z", "20260131120000", "20261331120000Z", "2026013112000Z", "20260131120000.Z", "2026-131120000Z"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
