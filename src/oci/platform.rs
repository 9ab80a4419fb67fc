use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::descriptor::null_is_empty;

/// What an image runs on: `os/architecture[/variant]`.
///
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md#image-index-property-descriptions>
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// As Go's `GOARCH`.
    pub architecture: String,
    /// As Go's `GOOS`.
    pub os: String,
    /// For Windows.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// For Windows.
    #[serde(
        rename = "os.features",
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "null_is_empty"
    )]
    pub os_features: Vec<String>,
    /// Of the CPU, such as `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// Why a text is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a platform: write `os/architecture` or `os/architecture/variant`, such as `linux/amd64`")]
pub struct PlatformError {
    text: String,
}

impl Platform {
    /// Whether this is what `wanted` asks for. Every variant will do where none is asked for, and the one that is not
    /// written is known: `arm64` is `arm64/v8`, `arm` is `arm/v7`, `amd64` is `amd64/v1`.
    pub fn suits(&self, wanted: &Self) -> bool {
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (wanted.variant.is_none() || self.known_variant() == wanted.known_variant())
            && wanted.os_version.as_ref().is_none_or(|version| self.os_version.as_ref() == Some(version))
    }

    /// Whether nothing can run it: what build tools write for attestations in an index.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" || self.architecture == "unknown"
    }

    /// The variant, also where it goes without saying.
    ///
    /// <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md#platform-variants>
    pub fn known_variant(&self) -> Option<&str> {
        match (self.variant.as_deref(), self.architecture.as_str()) {
            (None | Some(""), "arm64") => Some("v8"),
            (None | Some(""), "arm") => Some("v7"),
            (None | Some(""), "amd64") => Some("v1"),
            (variant, _) => variant,
        }
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let mut parts = text.split('/').map(str::to_owned);
        let (os, architecture, variant, rest) = (parts.next(), parts.next(), parts.next(), parts.next());
        let well_formed = |part: &String| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        match (os, architecture, variant, rest) {
            (Some(os), Some(architecture), variant, None)
                if well_formed(&os) && well_formed(&architecture) && variant.as_ref().is_none_or(well_formed) =>
            {
                Ok(Self { architecture, os, os_version: None, os_features: Vec::new(), variant })
            }
            _ => Err(PlatformError { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_suits_what_asks_for_no_more() {
        for (there, wanted, suits) in [
            ("linux/arm64/v8", "linux/arm64", true),
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm/v6", "linux/arm", true),
            ("linux/arm/v6", "linux/arm/v7", false),
            ("linux/arm", "linux/arm/v7", true),
            ("linux/amd64", "linux/amd64/v3", false),
            ("linux/amd64", "windows/amd64", false),
            ("linux/amd64", "linux/arm64", false),
        ] {
            let (there, asked) = (there.parse::<Platform>().unwrap(), wanted.parse::<Platform>().unwrap());
            assert_eq!(there.suits(&asked), suits, "{there} for {wanted}");
        }
    }

    #[test]
    fn what_go_writes_as_null_is_empty() {
        let text = r#"{"architecture":"amd64","os":"windows","os.version":"10.0.17763.1","os.features":null}"#;
        let platform: Platform = serde_json::from_str(text).unwrap();
        assert_eq!((platform.os_version.as_deref(), platform.os_features.len()), (Some("10.0.17763.1"), 0));
        assert!(platform.suits(&"windows/amd64".parse().unwrap()));
    }
}
