use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::oci::{Digest, Reference, RegistryName, RepositoryName, Tag};

/// What values an input takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InputType {
    /// Any text.
    #[default]
    String,
    /// A whole number of at most 64 bits.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// `host` or `host:port`.
    Registry,
    /// The path of a repository within its registry.
    Repository,
    /// A tag.
    Tag,
    /// `registry/repository[:tag][@digest]`.
    Reference,
    /// `sha256:` and 64 hexadecimal digits.
    Digest,
    /// A semantic version; a `v` may stand before it.
    Semver,
    /// A path of a file or folder.
    Path,
}

impl InputType {
    /// Reads `text` as this type, or says why it is not.
    pub fn read(self, text: &str) -> Result<Value, String> {
        fn checked<T: std::str::FromStr<Err: ToString>>(text: &str) -> Result<Value, String> {
            text.parse::<T>().map(|_| Value::from(text)).map_err(|error| error.to_string())
        }
        match self {
            Self::Integer => {
                text.parse::<i64>().map(Value::from).map_err(|_| format!("`{text}` is not a whole number"))
            }
            Self::Boolean => match text {
                "true" => Ok(Value::from(true)),
                "false" => Ok(Value::from(false)),
                _ => Err(format!("`{text}` is neither `true` nor `false`")),
            },
            Self::Registry => checked::<RegistryName>(text),
            Self::Repository => checked::<RepositoryName>(text),
            Self::Tag => checked::<Tag>(text),
            Self::Reference => checked::<Reference>(text),
            Self::Digest => checked::<Digest>(text),
            Self::Semver => {
                let bare = text.strip_prefix('v').unwrap_or(text);
                let version = bare.parse::<semver::Version>();
                version
                    .map(|_| Value::from(text))
                    .map_err(|_| format!("`{text}` is not a semantic version: write three numbers such as `1.2.3`"))
            }
            Self::Path if Path::new(text).as_os_str().is_empty() => Err("the path is empty".to_owned()),
            Self::String | Self::Path => Ok(Value::from(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_checked_against_its_type() {
        assert_eq!(InputType::Integer.read("12"), Ok(Value::from(12)));
        assert_eq!(InputType::Boolean.read("yes"), Err("`yes` is neither `true` nor `false`".to_owned()));
        assert!(InputType::Tag.read("a/b").is_err());
        assert!(InputType::Semver.read("v1.2.3-rc.1").is_ok());
        assert!(InputType::Semver.read("1.2").is_err());
        assert!(InputType::Registry.read("myregistry.azurecr.io").is_ok());
    }
}
