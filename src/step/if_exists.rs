use schemars::JsonSchema;
use serde::Deserialize;

/// What to do where a tag points elsewhere, or a file is there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IfExists {
    /// Refuse, before anything is written.
    #[default]
    Fail,
    /// Move the tag, or write over the file.
    Replace,
    /// Leave it as it is.
    Keep,
}
