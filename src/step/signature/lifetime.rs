use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::text::length_of_time;

/// How long a signature counts, such as `90d` or `12h30m`; at most a hundred years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Lifetime(pub Duration);

const MOST: u64 = 100 * 365 * 86_400;

impl TryFrom<String> for Lifetime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a length of time: write `90d`, `12h` or `12h30m`");
        match length_of_time(&text, &[('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)]) {
            None | Some(0) => Err(wrong()),
            Some(seconds @ 1..=MOST) => Ok(Self(Duration::from_secs(seconds))),
            _ => Err(format!("`{text}` is more than a hundred years")),
        }
    }
}

impl JsonSchema for Lifetime {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Lifetime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?$|\$\{\{" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_has_units_each_once() {
        let read = |text: &str| Lifetime::try_from(text.to_owned()).map(|Lifetime(time)| time.as_secs());
        assert_eq!(read("90d"), Ok(7_776_000));
        assert_eq!(read("1d12h30m5s"), Ok(86_400 + 45_005));
        for wrong in ["", "0d", "12", "h", "1m1h", "1h1h", "1w", "-1h", "99999999999999999999d"] {
            let message = format!("`{wrong}` is not a length of time: write `90d`, `12h` or `12h30m`");
            assert_eq!(read(wrong), Err(message));
        }
        assert_eq!(read("40000d"), Err("`40000d` is more than a hundred years".to_owned()));
    }
}
