use std::{str::FromStr, time::Duration};

use serde::Deserialize;

use crate::{store::RetryPolicy, text::length_of_time};

/// `retry` as it is written, in `defaults` or in a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryDeclaration {
    /// Tries of one request.
    #[serde(default)]
    pub max: Option<TryCount>,
    /// How long a step waits between tries, all of them together.
    #[serde(default)]
    pub budget: Option<TimeSpan>,
}

/// What holds for every step that does not say otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// How often and how long is tried again.
    #[serde(default)]
    pub retry: RetryDeclaration,
    /// How long a step may take.
    #[serde(default)]
    pub timeout: Option<TimeLimit>,
}

/// A number of tries, from 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub struct TryCount(pub u32);

/// A length of time such as `30s`, `5m` or `1h30m`; at most a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TimeSpan(pub Duration);

/// How long a step may take: a length of time that is not nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TimeLimit(pub Duration);

impl RetryDeclaration {
    /// What holds where this is said; what it leaves open `default` says.
    pub fn over(self, default: RetryPolicy) -> RetryPolicy {
        RetryPolicy {
            max: self.max.map_or(default.max, |max| max.0),
            budget: self.budget.map_or(default.budget, |budget| budget.0),
        }
    }
}

impl TryFrom<u64> for TryCount {
    type Error = String;

    fn try_from(count: u64) -> Result<Self, String> {
        let fitting = u32::try_from(count).ok().filter(|count| (1..=100).contains(count));
        fitting.map(Self).ok_or_else(|| format!("`max` takes 1 to 100 tries, not {count}; 1 is none after the first"))
    }
}

impl FromStr for TimeSpan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a length of time: write `30s`, `5m` or `1h30m`");
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        match length_of_time(text, &[('h', 3600), ('m', 60), ('s', 1)]).ok_or_else(wrong)? {
            seconds @ 0..=86_400 => Ok(Self(Duration::from_secs(seconds))),
            _ => Err(format!("`{text}` is more than a day")),
        }
    }
}

impl TryFrom<String> for TimeSpan {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl TryFrom<String> for TimeLimit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.parse::<TimeSpan>()?.0 {
            Duration::ZERO => Err(format!("`{text}` is no time at all: leave `timeout` out for as long as it takes")),
            limit => Ok(Self(limit)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_has_units() {
        for (text, seconds) in
            [("30s", 30), ("5m", 300), ("1h30m", 5400), ("1m5s", 65), ("0", 0), ("0s", 0), ("24h", 86_400)]
        {
            assert_eq!(text.parse(), Ok(TimeSpan(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["", "5", "m", "5 m", "5min", "1m1h", "1s1s", "-5m", "1.5m", "99999999999999999999s", "5m "] {
            let error = text.parse::<TimeSpan>().unwrap_err();
            assert!(error.ends_with("write `30s`, `5m` or `1h30m`"), "{text}: {error}");
        }
        assert_eq!("25h".parse::<TimeSpan>().unwrap_err(), "`25h` is more than a day");
    }

    #[test]
    fn a_step_says_only_what_differs() {
        let default = RetryPolicy { max: 8, budget: Duration::from_mins(5) };
        let mine = RetryDeclaration { max: Some(TryCount(2)), budget: None };
        assert_eq!(mine.over(default), RetryPolicy { max: 2, ..default });
    }
}
