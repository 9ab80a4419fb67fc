use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

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
    #[serde(rename = "os.features", default, skip_serializing_if = "Vec::is_empty")]
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
