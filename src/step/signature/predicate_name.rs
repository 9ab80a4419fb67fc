use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use crate::sign::cosign::PredicateType;

/// A predicate type as plans write it: one of cosign's short names, or a URI.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PredicateName(pub PredicateType);

impl TryFrom<String> for PredicateName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        PredicateType::parse(&text).map(Self)
    }
}

impl JsonSchema for PredicateName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "predicate type".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}
