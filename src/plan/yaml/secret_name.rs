use std::{borrow::Cow, fmt, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use super::decode::{SECRET, TEXT_OR_SECRET};

/// The name of a secret, for a field that takes one: `${{ NAME }}` and nothing beside it.
///
/// Only [`decode`](super::decode()) reads it, and no other type reads a secret: it is an error anywhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretName(pub Arc<str>);

/// Text, or the name of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextOrSecret {
    /// As it is.
    Text(String),
    /// To be looked for when it is needed.
    Secret(SecretName),
}

impl SecretName {
    /// How a field is given one.
    pub const HOW: &'static str = "declare it: `secrets: { NAME: { env: NAME } }`, and write `${{ NAME }}`";
    /// Which fields take one.
    pub const HOLDERS: &'static str = "a secret stands alone, as `${{ NAME }}`, in a field that takes one: for keys, passwords and tokens, or `env` and `stdin` of `exec`";
}

impl<'de> Deserialize<'de> for SecretName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(SECRET, Named)
    }
}

impl<'de> Deserialize<'de> for TextOrSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TEXT_OR_SECRET, Either)
    }
}

struct Named;

impl Visitor<'_> for Named {
    type Value = SecretName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<SecretName, E> {
        Ok(SecretName(name.into()))
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = TextOrSecret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or a secret")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<TextOrSecret, E> {
        Ok(TextOrSecret::Text(text.to_owned()))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<TextOrSecret, D::Error> {
        SecretName::deserialize(deserializer).map(TextOrSecret::Secret)
    }
}

impl JsonSchema for SecretName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "$ref": "#/$defs/expression" })
    }
}

impl JsonSchema for TextOrSecret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "text or secret".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}
