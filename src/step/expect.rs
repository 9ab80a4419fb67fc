use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// How many referrers there must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Exactly one.
    One,
    /// At least one.
    Some,
    /// None.
    None,
    /// Exactly as many.
    Count(u64),
}

impl Expect {
    /// Whether `count` is what was expected.
    pub const fn holds(self, count: usize) -> bool {
        match self {
            Self::One => count == 1,
            Self::Some => count > 0,
            Self::None => count == 0,
            Self::Count(expected) => count as u64 == expected,
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One => f.write_str("one"),
            Self::Some => f.write_str("some"),
            Self::None => f.write_str("none"),
            Self::Count(count) => count.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Expect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Expect;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`one`, `some`, `none` or a count")
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Expect, E> {
                Ok(Expect::Count(count))
            }

            fn visit_i64<E: de::Error>(self, count: i64) -> Result<Expect, E> {
                let wrong = || E::custom(format!("`{count}` is not a count: write `one`, `some`, `none` or a number"));
                u64::try_from(count).map(Expect::Count).map_err(|_| wrong())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Expect, E> {
                match text {
                    "one" => Ok(Expect::One),
                    "some" => Ok(Expect::Some),
                    "none" => Ok(Expect::None),
                    _ => {
                        Err(E::custom(format!("`{text}` cannot be expected: write `one`, `some`, `none` or a number")))
                    }
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Expect {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expect".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How many there must be.",
            "anyOf": [{ "enum": ["one", "some", "none"] }, { "type": "integer", "minimum": 0 }]
        })
    }
}
