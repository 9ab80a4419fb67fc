//! The `Range` of a request, as far as it is one range of bytes.

use std::ops::Range;

/// What is asked for of content of a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// These bytes, at least one.
    Part(Range<u64>),
    /// Something that is not there.
    Nothing,
}

/// Reads the value of a `Range` header. Several ranges, other units and what cannot be read are as if nothing was asked;
/// a range that ends before it begins is not there.
///
/// <https://www.rfc-editor.org/rfc/rfc9110#section-14.2>
pub(super) fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some((first, last)) = header.and_then(|text| text.strip_prefix("bytes=")?.trim().split_once('-')) else {
        return Wanted::Whole;
    };
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().unwrap_or(u64::MAX));
    let (Some(start), Some(end)) = (number(first), number(last)) else {
        return Wanted::Whole;
    };
    let part = match (first, last) {
        ("", "") => return Wanted::Whole,
        ("", _) => size.saturating_sub(end)..size,
        (_, "") => start..size,
        _ if end < start => return Wanted::Nothing,
        _ => start..end.saturating_add(1).min(size),
    };
    if part.is_empty() { Wanted::Nothing } else { Wanted::Part(part) }
}

/// The bytes that a chunk of an upload says it has, both ends included: its `Content-Range`.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks>
pub(super) fn chunk(header: &str) -> Option<Range<u64>> {
    let (first, last) = header.split_once('-')?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
    let (first, last) = (number(first)?, number(last)?);
    let end = last.checked_add(1)?;
    (first < end).then_some(first..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_within_the_content_or_nothing() {
        for (header, expected) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-4", Wanted::Part(2..5)),
            ("bytes=2-", Wanted::Part(2..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-30", Wanted::Part(0..10)),
            ("bytes=5-99999999999999999999999", Wanted::Part(5..10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=10-20", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=4-2", Wanted::Nothing),
            ("bytes=-", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(wanted(Some(header), 10), expected, "{header}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Nothing);
    }

    #[test]
    fn a_chunk_has_two_ends() {
        assert_eq!(chunk("0-9"), Some(0..10));
        assert_eq!(chunk("5-5"), Some(5..6));
        for bad in ["", "-", "5-4", "0", "a-b", "+0-1", "bytes 0-9/10", "0-18446744073709551615"] {
            assert_eq!(chunk(bad), None, "{bad}");
        }
    }
}
