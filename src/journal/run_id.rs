use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// The name of a run: when it began, in UTC, to the millisecond. Names sort as time goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// Colons cannot stand in names of files everywhere.
const FORM: &str = "%Y-%m-%dT%H-%M-%S%.3fZ";

impl RunId {
    /// The name of a run that began then.
    pub fn at(began: Timestamp) -> Self {
        Self(began.strftime(FORM).to_string())
    }

    /// The name that comes next: that of one millisecond later.
    #[must_use]
    pub fn next(&self) -> Self {
        let next = self.began().checked_add(jiff::SignedDuration::from_millis(1));
        Self::at(next.unwrap_or(Timestamp::MAX))
    }

    /// When the run began.
    pub fn began(&self) -> Timestamp {
        parse(&self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let time = DateTime::strptime("%Y-%m-%dT%H-%M-%S%.fZ", text).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

impl FromStr for RunId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = parse(text).map(Self::at);
        id.filter(|id| id.0 == text)
            .ok_or_else(|| format!("`{text}` is not the name of a run, which is like `2026-11-27T09-30-00.123Z`"))
    }
}

impl TryFrom<String> for RunId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_times_that_sort() {
        let id: RunId = "2026-11-27T23-59-59.999Z".parse().unwrap();
        assert_eq!(id.next().as_str(), "2026-11-28T00-00-00.000Z");
        assert!(id < id.next() && id.began() < id.next().began());
        assert_eq!(RunId::at(id.began()), id);
    }

    #[test]
    fn what_is_no_name_is_none() {
        for text in ["", "..", "2026-11-27", "2026-11-27T23-59-59Z", "2026-11-27T23-59-59.999Z/..", "latest"] {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
    }
}
