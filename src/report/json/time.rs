use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Serializer;

/// Whole milliseconds.
pub(in crate::report) fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// `2026-01-02T03:04:05Z`: to the second, in UTC.
///
/// <https://www.rfc-editor.org/rfc/rfc3339>
pub(in crate::report) fn timestamp(at: SystemTime) -> String {
    Timestamp::try_from(at).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
