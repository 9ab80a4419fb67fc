use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de};

/// How much one registry gets: at once, and over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests at once, at least 2: a copy within one registry reads and writes.
    pub concurrency: usize,
    /// Requests over time. Nothing: as many as there are.
    pub rate: Option<Rate>,
}

/// So many requests in any second or any minute, written `100/s` or `2000/min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: NonZeroU32,
    period: Period,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Period {
    Second,
    Minute,
}

/// A text that is no [`Rate`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a rate: write requests per second or minute, such as `100/s` or `2000/min`")]
pub struct RateError {
    /// As it was written.
    pub text: String,
}

impl Default for Limits {
    /// 16 requests at once, as fast as they go.
    fn default() -> Self {
        Self { concurrency: 16, rate: None }
    }
}

impl Rate {
    /// How many requests there may be in any one [`Rate::period`].
    pub const fn count(self) -> u32 {
        self.count.get()
    }

    /// A second or a minute.
    pub const fn period(self) -> Duration {
        match self.period {
            Period::Second => Duration::from_secs(1),
            Period::Minute => Duration::from_mins(1),
        }
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let error = || RateError { text: text.to_owned() };
        let (count, period) = text.split_once('/').ok_or_else(error)?;
        let period = match period.trim() {
            "s" => Period::Second,
            "min" => Period::Minute,
            _ => return Err(error()),
        };
        let count = count.trim();
        // `+1` is a number for Rust, but nobody means it.
        let count = Some(count).filter(|count| count.bytes().all(|byte| byte.is_ascii_digit()));
        let count = count.and_then(|count| count.parse().ok()).ok_or_else(error)?;
        Ok(Self { count, period })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period = match self.period {
            Period::Second => "s",
            Period::Minute => "min",
        };
        write!(f, "{}/{period}", self.count)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_count_in_a_second_or_a_minute() {
        for (text, count, seconds) in [("100/s", 100, 1), ("2000/min", 2000, 60), (" 1 / s ", 1, 1)] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.count(), rate.period()), (count, Duration::from_secs(seconds)), "{text}");
            assert_eq!(rate.to_string(), text.replace(' ', ""));
        }
        for text in ["", "100", "0/s", "-1/s", "+1/s", "1.5/s", "100/h", "100/", "/s", "100/s/s", "4294967296/s"] {
            let error = text.parse::<Rate>().unwrap_err();
            assert!(error.to_string().contains("such as `100/s`"), "{text}: {error}");
        }
    }
}
